// SPDX-License-Identifier: MPL-2.0
//! Segments of every codec play alone, from zero, frame for frame as they were encoded.

use super::material::{Stream, encode, streams, write_segment};
use super::tools::{Decoded, complaints, decode, number, probe};
use crate::media::{Codec, Colour};

const PICTURE: &str = "testsrc2=size=320x240:rate=25:duration=3";
const TONE: &str = "sine=frequency=440:sample_rate=48000:duration=3";

/// Encodes, writes anew, and checks that the segment plays as the material does.
#[track_caller]
fn plays_as_encoded(name: &str, inputs: &[&str], options: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), name, inputs, options);
    let streams = streams(&source);
    let segment = write_segment(&source, &streams);
    assert_eq!(complaints(&segment), "", "ffmpeg has something to say");
    let mut longest_priming_s: f64 = 0.0;
    for (index, stream) in streams.iter().enumerate() {
        let start_s = number(&probe(&segment, &index.to_string(), "start_time"));
        let priming_s = audio_priming_s(stream);
        longest_priming_s = longest_priming_s.max(priming_s);
        assert!(
            (start_s + priming_s).abs() < 1e-6,
            "stream {index} starts at {start_s}"
        );
    }
    let duration_s = |path| number(&probe(path, "format", "duration"));
    let longer_s = duration_s(&segment) - duration_s(&source);
    assert!(
        longer_s > -0.03 && longer_s < longest_priming_s + 0.03,
        "the segment lasts {longer_s} s longer than the material"
    );
    same_frames(decode(&source), &decode(&segment));
}

/// ffmpeg does not apply the edit list of a fragmented file to audio: it shows what is hidden as
/// time before zero.
fn audio_priming_s(stream: &Stream) -> f64 {
    match stream.track.codec.video() {
        Some(_) => 0.0,
        None => stream.hidden() as f64 / f64::from(stream.track.timescale),
    }
}

#[track_caller]
pub fn same_frames(mut expected: Vec<Decoded>, decoded: &[Decoded]) {
    // Where priming ends inside a frame of audio, the material shows the rest of that frame, and
    // the segment starts with the next one.
    let start_s = |stream: usize| {
        decoded
            .iter()
            .find(|frame| frame.stream == stream)
            .expect("a frame")
            .seconds
    };
    expected.retain(|frame| frame.seconds > start_s(frame.stream) - 0.0005);
    assert_eq!(decoded.len(), expected.len(), "as many frames");
    for (decoded, expected) in decoded.iter().zip(&expected) {
        assert_eq!(decoded.stream, expected.stream);
        let late_s = decoded.seconds - expected.seconds;
        assert!(late_s.abs() < 0.001, "{decoded:?} {expected:?}");
        assert_eq!(decoded.digest, expected.digest, "at {}", decoded.seconds);
    }
    for stream in 0..=decoded.last().map_or(0, |frame| frame.stream) {
        assert!(
            start_s(stream) < 0.03,
            "stream {stream} starts at {}",
            start_s(stream)
        );
    }
}

#[test]
fn h264_with_b_frames_and_aac_play_from_zero_frame_for_frame() {
    let options = "-c:v libx264 -bf 3 -g 25 -c:a aac";
    plays_as_encoded("source.mp4", &[PICTURE, TONE], options);
}

#[test]
fn h264_with_open_gops_plays_frame_for_frame() {
    let x264 = "open-gop=1:bframes=3:b-pyramid=normal:keyint=20:scenecut=0";
    let options = format!("-c:v libx264 -x264-params {x264}");
    plays_as_encoded("source.mp4", &[PICTURE], &options);
}

#[test]
fn h265_with_b_frames_plays_frame_for_frame() {
    let x265 = "log-level=none:bframes=3:keyint=25:open-gop=1";
    let options = format!("-c:v libx265 -preset ultrafast -x265-params {x265}");
    plays_as_encoded("source.mp4", &[PICTURE], &options);
}

#[test]
fn av1_and_opus_play_frame_for_frame() {
    let options = "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 25 -c:a libopus";
    plays_as_encoded("source.mp4", &[PICTURE, TONE], options);
}

#[test]
fn vp9_and_flac_play_frame_for_frame() {
    let options = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -c:a flac";
    plays_as_encoded("source.mp4", &[PICTURE, TONE], options);
}

#[test]
fn h264_and_mp3_play_frame_for_frame() {
    let options = "-c:v libx264 -bf 0 -c:a libmp3lame";
    plays_as_encoded("source.mp4", &[PICTURE, TONE], options);
}

#[test]
fn mp3_at_a_low_rate_is_mpeg2_layer_3() {
    let tone = "sine=frequency=440:sample_rate=22050:duration=3";
    plays_as_encoded("source.mp4", &[tone], "-c:a libmp3lame");
}

#[test]
fn a_law_and_mu_law_play_sample_for_sample() {
    let tone = "sine=frequency=440:sample_rate=8000:duration=3";
    for codec in ["pcm_alaw", "pcm_mulaw"] {
        let options = format!("-c:v libx264 -c:a {codec}");
        plays_as_encoded("source.mov", &[PICTURE, tone], &options);
    }
}

#[test]
fn several_audio_tracks_play_beside_one_video() {
    let other_tone = "sine=frequency=880:sample_rate=44100:duration=3";
    let inputs = [PICTURE, TONE, other_tone];
    plays_as_encoded("source.mp4", &inputs, "-c:v libx264 -c:a aac");
}

#[test]
fn a_segment_of_audio_alone_plays() {
    plays_as_encoded("source.mp4", &[TONE], "-c:a aac");
}

#[test]
fn opus_in_six_channels_keeps_its_mapping() {
    let tone = "sine=frequency=440:sample_rate=48000:duration=2,pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0";
    plays_as_encoded("source.mp4", &[tone], "-c:a libopus -mapping_family 1");
}

#[test]
fn flac_at_96_khz_says_its_true_rate() {
    let tone = "sine=frequency=440:sample_rate=96000:duration=2";
    plays_as_encoded("source.mp4", &[tone], "-c:a flac");
}

#[test]
fn parameter_sets_inside_the_stream_are_announced_as_avc3_and_hev1() {
    let folder = tempfile::tempdir().expect("a folder");
    let x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none";
    for (options, tag) in [("-c:v libx264", "avc3"), (x265, "hev1")] {
        let source = encode(folder.path(), "source.mp4", &[PICTURE], options);
        let mut streams = streams(&source);
        match &mut streams[0].track.codec {
            Codec::H264 { in_band, .. } | Codec::H265 { in_band, .. } => *in_band = true,
            other => panic!("{other:?}"),
        }
        let segment = write_segment(&source, &streams);
        assert_eq!(probe(&segment, "v:0", "codec_tag_string"), tag);
        same_frames(decode(&source), &decode(&segment));
    }
}

#[test]
fn pixel_aspect_and_colour_are_kept_even_where_the_stream_does_not_hold_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let x264 = ("-c:v libx264", "16:15 64:45 pc bt2020nc smpte2084 bt2020");
    // VP9 itself says range and matrix, and ffprobe believes the stream.
    let vpx = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8";
    let vpx = (vpx, "16:15 64:45 tv unknown smpte2084 bt2020");
    for (options, expected) in [x264, vpx] {
        let source = encode(folder.path(), "source.mp4", &[PICTURE], options);
        let mut streams = streams(&source);
        match &mut streams[0].track.codec {
            Codec::H264 { format, .. } | Codec::Vp9 { format, .. } => {
                format.pixel_aspect = (16, 15);
                format.colour = Some(Colour {
                    primaries: 9,
                    transfer: 16,
                    matrix: 9,
                    full_range: true,
                });
            }
            other => panic!("{other:?}"),
        }
        let segment = write_segment(&source, &streams);
        let aspect = "sample_aspect_ratio,display_aspect_ratio";
        let colour = "color_range,color_space,color_transfer,color_primaries";
        let seen = probe(&segment, "v:0", &format!("{aspect},{colour}"));
        assert_eq!(seen.replace('\n', " "), expected);
        assert_eq!(complaints(&segment), "");
    }
}

#[test]
fn pixel_aspect_and_colour_in_the_stream_are_not_contradicted() {
    let folder = tempfile::tempdir().expect("a folder");
    let colour = "-colorspace bt709 -color_primaries bt709 -color_trc bt709";
    let options = format!("-c:v libx264 -vf setsar=4/3 {colour}");
    let source = encode(folder.path(), "source.mp4", &[PICTURE], &options);
    let segment = write_segment(&source, &streams(&source));
    let entries = "sample_aspect_ratio,color_space,color_transfer,color_primaries";
    let seen = probe(&segment, "v:0", entries);
    assert_eq!(seen, probe(&source, "v:0", entries));
    assert_eq!(seen.replace('\n', " "), "4:3 bt709 bt709 bt709");
}

#[test]
fn a_track_that_starts_later_starts_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = "-c:v libx264 -bf 2 -c:a flac";
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], options);
    let mut streams = streams(&source);
    streams[1].packets.retain(|packet| packet.pts >= 48_000);
    let late_s = streams[1].packets[0].pts as f64 / 48_000.0;
    let segment = write_segment(&source, &streams);
    assert_eq!(complaints(&segment), "");
    assert_eq!(number(&probe(&segment, "v:0", "start_time")), 0.0);
    let start_s = number(&probe(&segment, "a:0", "start_time"));
    assert!((start_s - late_s).abs() < 1e-4, "{start_s} is not {late_s}");
}
