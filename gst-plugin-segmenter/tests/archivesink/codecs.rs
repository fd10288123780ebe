// SPDX-License-Identifier: MPL-2.0
//! Each codec in each container that holds it: every segment decodes alone and in silence, in
//! ffmpeg and behind `decodebin`, and what comes out is what went in.

use gstsegmenter::archivesink::Container::{self, Mp4, MpegTs};

use crate::support::clip::Clip;
use crate::support::decode::{self, What};
use crate::support::feed::play;
use crate::support::readback::{self, Segment};
use crate::support::rig::Rig;

const SECONDS: u32 = 3;

/// The source as a file of its own, and the segments made of it.
struct Recorded {
    _rig: Rig,
    source: tempfile::TempPath,
    segments: Vec<Segment>,
}

impl Recorded {
    /// Records pictures, and sound if there is any; `what` is what is compared later.
    fn new(container: Container, video: &Clip, audio: Option<&Clip>, what: What) -> Self {
        let mut rig = Rig::new(container);
        let picture_feed = rig.feed("video");
        let sound_feed = audio.map(|clip| (rig.feed("audio_0"), clip));
        rig.play();
        picture_feed.caps(&video.caps);
        let mut parts = vec![(&picture_feed, video.frames.clone())];
        let mut feeds = vec![&picture_feed];
        if let Some((feed, clip)) = &sound_feed {
            feed.caps(&clip.caps);
            parts.push((feed, clip.frames.clone()));
            feeds.push(feed);
        }
        play(&parts);
        rig.finish(&feeds);
        let segments = readback::segments(rig.root());
        assert_eq!(segments.len(), SECONDS as usize, "one a second");
        readback::assert_each_decodes(&segments);
        let source = tempfile::Builder::new().suffix(".mkv").tempfile();
        let source = source.expect("a temporary file").into_temp_path();
        match (what, audio) {
            (What::Audio, Some(audio)) => audio.write_matroska(&source),
            _ => video.write_matroska(&source),
        }
        Self {
            _rig: rig,
            source,
            segments,
        }
    }

    fn of_all<T>(&self, ask: impl Fn(&Segment) -> Vec<T>) -> Vec<T> {
        self.segments.iter().flat_map(ask).collect()
    }
}

fn pictures_come_out_as_they_went_in(container: Container, encoder: &str) {
    let clip = Clip::pictures(SECONDS, encoder);
    let recorded = Recorded::new(container, &clip, None, What::Video);
    let source = decode::frames(&recorded.source, What::Video);
    assert_eq!(source.len(), SECONDS as usize * 25, "the source is whole");
    let by_ffmpeg = recorded.of_all(|segment| decode::frames(&segment.path, What::Video));
    assert!(
        by_ffmpeg == source,
        "{} of {}",
        by_ffmpeg.len(),
        source.len()
    );
    let (source, _) = decode::with_decodebin(&recorded.source);
    let by_decodebin = recorded.of_all(|segment| decode::with_decodebin(&segment.path).0);
    assert!(
        by_decodebin == source,
        "{} of {}",
        by_decodebin.len(),
        source.len()
    );
}

/// Whether a decoder puts out the same wherever in the stream it begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decoding {
    /// It does.
    Exact,
    /// Its output depends on packets before, or on noise: the packets themselves are compared.
    WithMemory,
}

fn sound_comes_out_as_it_went_in(
    container: Container,
    rate: u32,
    encoder: &str,
    decoding: Decoding,
) {
    let video = Clip::h264(SECONDS);
    let clip = Clip::sound(SECONDS, rate, encoder);
    let recorded = Recorded::new(container, &video, Some(&clip), What::Audio);
    let is_aac = clip.caps.to_string().contains("mpegversion=(int)4");
    let filter = (container == MpegTs && is_aac).then_some("aac_adtstoasc");
    let source = decode::packets(&recorded.source, What::Audio, None);
    let found = recorded.of_all(|segment| decode::packets(&segment.path, What::Audio, filter));
    assert!(
        found == source,
        "{} of {} packets",
        found.len(),
        source.len()
    );

    let source = decode::frames(&recorded.source, What::Audio);
    let heard = |segment: &Segment| decode::frames(&segment.path, What::Audio);
    let found = recorded.of_all(heard);
    match decoding {
        Decoding::Exact => assert!(found == source, "{} of {}", found.len(), source.len()),
        // At the beginning or the end of a file a decoder may keep one to itself.
        Decoding::WithMemory => assert!(
            found.len().abs_diff(source.len()) <= recorded.segments.len(),
            "{} of {}",
            found.len(),
            source.len()
        ),
    }
    let bytes = |segment: &Segment| vec![decode::with_decodebin(&segment.path).1];
    assert!(recorded.of_all(bytes).iter().all(|bytes| *bytes > 0));
}

const H264: &str = "x264enc key-int-max=25 bframes=3 b-adapt=false b-pyramid=true \
    speed-preset=veryfast option-string=open-gop=0:scenecut=0:min-keyint=25 ! h264parse";
const H265: &str = "x265enc key-int-max=25 speed-preset=ultrafast \
    option-string=log-level=none:bframes=3:open-gop=0:scenecut=0:min-keyint=25 ! h265parse";
const AV1: &str = "av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=25 ! av1parse \
    ! video/x-av1,stream-format=obu-stream,alignment=tu";
const AAC: &str = "avenc_aac bitrate=64000 ! aacparse";
const OPUS: &str = "opusenc ! opusparse";
const MP3: &str = "lamemp3enc target=bitrate bitrate=64 cbr=true ! mpegaudioparse";

#[test]
fn h264_with_b_frames_in_mp4() {
    let encoder = format!("{H264} ! video/x-h264,stream-format=avc,alignment=au");
    pictures_come_out_as_they_went_in(Mp4, &encoder);
}

/// Open GOPs: pictures shown before a keyframe may refer to what comes before it, and are not
/// whole without, which a decoder may say; but each segment can be decoded from its first keyframe
/// on.
#[test]
fn h264_with_open_gops_in_both() {
    let encoder = "x264enc key-int-max=25 bframes=3 b-adapt=false speed-preset=veryfast \
        option-string=open-gop=1:scenecut=0:min-keyint=25 ! h264parse \
        ! video/x-h264,stream-format=avc,alignment=au";
    let clip = Clip::pictures(SECONDS, encoder);
    for container in [Mp4, MpegTs] {
        let mut rig = Rig::new(container);
        let video = rig.feed("video");
        rig.play();
        video.caps(&clip.caps);
        play(&[(&video, clip.frames.clone())]);
        rig.finish(&[&video]);
        let segments = readback::segments(rig.root());
        assert!(!segments.is_empty());
        let decoded = |segment: &Segment| decode::frames(&segment.path, What::Video);
        let decoded: usize = segments.iter().map(|segment| decoded(segment).len()).sum();
        let leading = 3 * (segments.len() - 1);
        assert!(decoded + leading >= clip.frames.len(), "{decoded}");
    }
}

#[test]
fn h264_with_parameter_sets_in_band_in_mp4() {
    let encoder = format!("{H264} ! video/x-h264,stream-format=avc3,alignment=au");
    pictures_come_out_as_they_went_in(Mp4, &encoder);
}

#[test]
fn h264_with_b_frames_in_mpegts() {
    let encoder = format!("{H264} ! video/x-h264,stream-format=byte-stream,alignment=au");
    pictures_come_out_as_they_went_in(MpegTs, &encoder);
}

#[test]
fn h264_as_mp4_packs_it_in_mpegts() {
    let encoder = format!("{H264} ! video/x-h264,stream-format=avc,alignment=au");
    pictures_come_out_as_they_went_in(MpegTs, &encoder);
}

#[test]
fn h265_in_mp4() {
    let encoder = format!("{H265} ! video/x-h265,stream-format=hvc1,alignment=au");
    pictures_come_out_as_they_went_in(Mp4, &encoder);
}

#[test]
fn h265_in_mpegts() {
    let encoder = format!("{H265} ! video/x-h265,stream-format=byte-stream,alignment=au");
    pictures_come_out_as_they_went_in(MpegTs, &encoder);
}

#[test]
fn av1_in_mp4() {
    pictures_come_out_as_they_went_in(Mp4, AV1);
}

#[test]
fn vp9_in_mp4() {
    let encoder = "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=25 ! vp9parse";
    pictures_come_out_as_they_went_in(Mp4, encoder);
}

#[test]
fn aac_in_mp4() {
    let encoder = format!("{AAC} ! audio/mpeg,stream-format=raw");
    sound_comes_out_as_it_went_in(Mp4, 48_000, &encoder, Decoding::WithMemory);
}

#[test]
fn aac_in_mpegts() {
    let encoder = format!("{AAC} ! audio/mpeg,stream-format=raw");
    sound_comes_out_as_it_went_in(MpegTs, 48_000, &encoder, Decoding::WithMemory);
}

#[test]
fn opus_in_mp4() {
    sound_comes_out_as_it_went_in(Mp4, 48_000, OPUS, Decoding::WithMemory);
}

#[test]
fn opus_in_mpegts() {
    sound_comes_out_as_it_went_in(MpegTs, 48_000, OPUS, Decoding::WithMemory);
}

#[test]
fn mp3_in_mp4() {
    sound_comes_out_as_it_went_in(Mp4, 44_100, MP3, Decoding::WithMemory);
}

#[test]
fn mp3_in_mpegts() {
    sound_comes_out_as_it_went_in(MpegTs, 44_100, MP3, Decoding::WithMemory);
}

#[test]
fn flac_in_mp4() {
    sound_comes_out_as_it_went_in(Mp4, 44_100, "flacenc ! flacparse", Decoding::Exact);
}

#[test]
fn a_law_in_mp4() {
    sound_comes_out_as_it_went_in(Mp4, 8_000, "alawenc", Decoding::Exact);
}

#[test]
fn u_law_in_mp4() {
    sound_comes_out_as_it_went_in(Mp4, 8_000, "mulawenc", Decoding::Exact);
}

#[test]
fn ac3_in_mpegts() {
    let encoder = "avenc_ac3 bitrate=96000 ! ac3parse";
    sound_comes_out_as_it_went_in(MpegTs, 48_000, encoder, Decoding::WithMemory);
}

#[test]
fn sound_of_broadcasts_in_mp4() {
    for encoder in [
        "avenc_ac3 bitrate=96000 ! ac3parse",
        "avenc_eac3 bitrate=96000 ! ac3parse",
        "twolamemp2enc bitrate=64 ! mpegaudioparse",
    ] {
        sound_comes_out_as_it_went_in(Mp4, 48_000, encoder, Decoding::WithMemory);
    }
}

/// Up to GStreamer 1.22 `qtdemux` gives the configuration without the four bytes that it begins
/// with, and `av1parse` none at all.
#[test]
fn av1_is_recorded_whatever_its_caps_have_of_its_configuration() {
    let clip = Clip::pictures(2, AV1);
    let first = clip.frames.first().expect("a keyframe");
    let first = first.buffer.map_readable().expect("memory");
    let record = gstsegmenter::media::av1_configuration(&first).expect("a sequence header");
    for codec_data in [&record[..], &record[4..], &[0x81], &[]] {
        let mut caps = clip.caps.clone();
        let buffer = gst::Buffer::from_slice(codec_data.to_vec());
        caps.make_mut().set("codec_data", buffer);
        let mut rig = Rig::new(Mp4);
        let video = rig.feed("video");
        rig.play();
        video.caps(&caps);
        play(&[(&video, clip.frames.clone())]);
        rig.finish(&[&video]);
        let segments = readback::segments(rig.root());
        readback::assert_each_decodes(&segments);
        let frames: usize = segments.iter().map(|segment| segment.video.len()).sum();
        assert_eq!(frames, clip.frames.len(), "{codec_data:02x?}");
    }
}

#[test]
fn how_pictures_are_turned_is_in_the_segments() {
    let clip = Clip::h264(4);
    let mut rig = Rig::new(Mp4);
    let video = rig.feed("video");
    rig.play();
    video.caps(&clip.caps);
    let (first, second) = clip.frames.split_at(50);
    video.turned("rotate-90");
    play(&[(&video, first.to_vec())]);
    video.turned("flip-rotate-180");
    play(&[(&video, second.to_vec())]);
    rig.finish(&[&video]);
    let turned = |segment: &Segment| {
        let file = std::fs::File::open(&segment.path).expect("a segment");
        let index = gstsegmenter::media::Index::read(file).expect("readable");
        index.tracks[0].orientation.tag()
    };
    let segments = readback::segments(rig.root());
    let turned: Vec<_> = segments.iter().map(turned).collect();
    let (before, after) = (Some("rotate-90"), Some("flip-rotate-180"));
    assert_eq!(turned, [before, before, after, after]);
    let frames: usize = segments.iter().map(|segment| segment.video.len()).sum();
    assert_eq!(frames, clip.frames.len());
}
