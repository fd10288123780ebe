// SPDX-License-Identifier: MPL-2.0
//! The frames of MPEG-TS as ffmpeg and GStreamer mux it: every sample read back is the one that
//! was muxed, with its times, its kind and its description.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::material::{ORIGIN, Packet, Stream, encode, streams};
use super::tools::{run, text};
use crate::media::{
    Codec, Frame, FrameKind, FrameTrack, Place, TsFrames, entry, nal, nal::Sets, read_pes_sample,
    ts_frames,
};

const PICTURE: &str = "testsrc2=size=160x120:rate=25:duration=2";
const TONE: &str = "sine=frequency=440:sample_rate=48000:duration=2";
const H264: &str = "-c:v libx264 -bf 3 -b_strategy 0 -g 10";
const AAC: &str = "-c:a aac";

/// Muxes what is in an MP4 file with ffmpeg.
pub fn ffmpeg_ts(source: &Path, options: &str) -> PathBuf {
    let path = source.with_extension("ts");
    let mut arguments = vec!["-v", "error", "-y", "-i", text(source), "-map", "0"];
    arguments.extend(["-c", "copy"]);
    arguments.extend(options.split_whitespace());
    arguments.extend(["-f", "mpegts", text(&path)]);
    run("ffmpeg", &arguments);
    path
}

/// Muxes what is in an MP4 file with GStreamer; `parsers` for pictures and for sound.
fn gstreamer_ts(source: &Path, parsers: [&str; 2]) -> PathBuf {
    let path = source.with_extension("gstreamer.ts");
    let [video, audio] = parsers;
    let pipeline = format!(
        "filesrc location={} ! qtdemux name=demux \
         demux.video_0 ! queue max-size-time=0 max-size-bytes=0 max-size-buffers=0 ! {video} ! mux. \
         demux.audio_0 ! queue max-size-time=0 max-size-bytes=0 max-size-buffers=0 ! {audio} ! mux. \
         mpegtsmux name=mux ! filesink location={}",
        text(source),
        text(&path)
    );
    let mut arguments = vec!["-q"];
    arguments.extend(pipeline.split_whitespace());
    run("gst-launch-1.0", &arguments);
    path
}

pub fn index(path: &Path) -> TsFrames {
    let file = File::open(path).expect("the file");
    ts_frames(file, ORIGIN).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// A sample, read from the file.
pub fn sample(file: &[u8], track: &FrameTrack, frame: &Frame) -> Option<Vec<u8>> {
    let Place::Pes { start, span, .. } = frame.place else {
        panic!("{frame:?} is not in a PES packet");
    };
    let span = &file[start as usize..start as usize + span as usize];
    let description = &track.descriptions[usize::from(frame.description)];
    read_pes_sample(span, frame, description)
}

/// What a transport stream holds is what it was muxed from.
#[track_caller]
fn is_as_muxed(path: &Path, source: &[Stream]) {
    let file = fs::read(path).expect("the file");
    let found = index(path);
    assert_eq!((found.skipped, found.empty), (Vec::new(), Vec::new()));
    assert_eq!(found.damaged, 0);
    assert_eq!(found.frames.mark, None);
    assert_eq!(found.frames.tracks.len(), source.len());
    let zero = source.iter().find(|stream| is_video(stream));
    let zero = zero.unwrap_or(&source[0]);
    let zero_s = seconds(zero, zero.packets[0].pts);
    for (track, stream) in found.frames.tracks.iter().zip(source) {
        assert_eq!(track.is_video, is_video(stream));
        assert_eq!(track.timescale, stream.track.timescale);
        assert_eq!(track.descriptions, [description(&stream.track.codec)]);
        assert_eq!(track.frames.len(), stream.packets.len());
        for (frame, packet) in track.frames.iter().zip(&stream.packets) {
            let data = sample(&file, track, frame).expect("a sample");
            assert_eq!(data.len(), frame.bytes as usize);
            assert!(data == packet.data, "{frame:?} is not what was muxed");
            assert_eq!(frame.kind.is_entry(), packet.sync, "{frame:?}");
            times_agree(track, frame, stream, packet, zero_s);
        }
        let steps = track.frames.windows(2);
        for pair in steps {
            assert!(pair[0].dts <= pair[1].dts);
            assert_eq!(pair[1].dts - pair[0].dts, i64::from(pair[0].duration));
        }
    }
}

/// GStreamer's demuxer leaves out sound that the edit list hides: priming, and what is behind the
/// end.
fn without_hidden_sound(path: &Path, mut muxed: Vec<Stream>) -> Vec<Stream> {
    let file = fs::read(path).expect("the file");
    let found = index(path);
    let (sound, muxed_sound) = (&found.frames.tracks[1], &mut muxed[1]);
    let first = sample(&file, sound, &sound.frames[0]).expect("a sample");
    let packets = &mut muxed_sound.packets;
    let hidden = packets.iter().position(|packet| packet.data == first);
    packets.drain(..hidden.expect("a frame that was muxed"));
    let hidden_end = packets.len() - sound.frames.len();
    assert!(hidden <= Some(1) && hidden_end <= 1);
    packets.truncate(sound.frames.len());
    muxed
}

#[track_caller]
fn times_agree(track: &FrameTrack, frame: &Frame, stream: &Stream, packet: &Packet, zero_s: f64) {
    // A transport stream rounds to 90 kHz, GStreamer and ffmpeg to nanoseconds and less before.
    let near_s = 3.0 / 90_000.0;
    let scale = f64::from(track.timescale);
    let pts_s = frame.pts as f64 / scale;
    let dts_s = frame.dts as f64 / scale;
    let utc_s = (frame.utc - ORIGIN) as f64 / 1e9;
    let wanted_s = seconds(stream, packet.pts) - zero_s;
    let wanted_dts_s = seconds(stream, packet.dts) - zero_s;
    assert!((pts_s - wanted_s).abs() < near_s, "{frame:?} {packet:?}");
    assert!((dts_s - wanted_dts_s).abs() < near_s, "{frame:?}");
    assert!((utc_s - pts_s).abs() < 1e-8, "{frame:?}");
    let off = i64::from(frame.duration) - i64::from(packet.duration);
    // ffprobe does not tell how long the last frame is, or only a part of it is to be heard.
    let is_last = stream
        .packets
        .last()
        .is_some_and(|last| last.pts == packet.pts);
    assert!(off.abs() <= 1 || is_last, "{frame:?} lasts {off} too long");
}

fn seconds(stream: &Stream, ticks: i64) -> f64 {
    ticks as f64 / f64::from(stream.track.timescale)
}

fn is_video(stream: &Stream) -> bool {
    stream.track.codec.video().is_some()
}

/// The description that a transport stream can tell: no more of AAC than ADTS says.
fn description(codec: &Codec) -> Vec<u8> {
    let mut codec = codec.clone();
    match &mut codec {
        Codec::Aac {
            audio_specific_config,
            ..
        } => audio_specific_config.truncate(2),
        Codec::Opus { pre_skip, .. } => *pre_skip = 0,
        _ => {}
    }
    let mut description = Vec::new();
    entry::encode(&codec, &mut description).expect("a sample entry");
    description
}

/// How many frames of each kind: sync, open GOP, CRA, others, disposable ones among them.
fn kinds(track: &FrameTrack) -> [usize; 5] {
    let mut counts = [0; 5];
    for frame in &track.frames {
        let kind = match frame.kind {
            FrameKind::Sync => 0,
            FrameKind::OpenGop => 1,
            FrameKind::Cra => 2,
            FrameKind::Delta { is_disposable } => {
                counts[4] += usize::from(is_disposable);
                3
            }
            FrameKind::Gradual { .. } | FrameKind::Intra => 3,
        };
        counts[kind] += 1;
    }
    counts
}

#[test]
fn h264_with_b_frames_and_aac_are_as_muxed_by_both_muxers() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = format!("{H264} {AAC} -ac 2");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], &options);
    let muxed = streams(&source);
    let path = ffmpeg_ts(&source, "");
    is_as_muxed(&path, &muxed);
    let track = &index(&path).frames.tracks[0];
    let [sync, open, cra, others, disposable] = kinds(track);
    assert_eq!((sync, open, cra, others), (5, 0, 0, 45));
    assert!(disposable > 10, "{disposable} of 45");
    let path = gstreamer_ts(&source, ["h264parse config-interval=-1", "aacparse"]);
    is_as_muxed(&path, &without_hidden_sound(&path, muxed));
}

#[test]
fn sound_of_broadcasts_is_as_muxed() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, coding, muxing) in [
        ("layer-ii.mp4", "-c:a mp2 -b:a 192k", ""),
        ("low-rate.mp4", "-c:a mp2 -ar 24000 -ac 1 -b:a 64k", ""),
        ("ac3.mp4", "-c:a ac3 -b:a 192k", ""),
        (
            "dvb-ac3.mp4",
            "-c:a ac3 -ar 44100 -ac 6 -b:a 448k",
            "-mpegts_flags system_b",
        ),
        ("eac3.mp4", "-c:a eac3 -b:a 192k", ""),
        (
            "dvb-eac3.mp4",
            "-c:a eac3 -ac 6 -b:a 384k",
            "-mpegts_flags system_b",
        ),
        ("latm.mp4", "-c:a aac -ac 2", "-mpegts_flags latm"),
        ("he-latm.mp4", "-c:a aac -ar 24000", "-mpegts_flags latm"),
    ] {
        let options = format!("{H264} {coding}");
        let source = encode(folder.path(), name, &[PICTURE, TONE], &options);
        let mut muxed = streams(&source);
        let path = ffmpeg_ts(&source, muxing);
        let found = index(&path);
        if let Codec::Aac {
            audio_specific_config,
            ..
        } = &mut muxed[1].track.codec
        {
            audio_specific_config.truncate(2);
        }
        assert_eq!(found.frames.tracks.len(), 2, "{name}: {found:?}");
        is_as_muxed(&path, &muxed);
    }
}

#[test]
fn h264_without_b_frames_in_several_slices_is_as_muxed() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = "-c:v libx264 -bf 0 -g 25 -slices 4 -preset ultrafast -profile:v baseline";
    let source = encode(folder.path(), "source.mp4", &[PICTURE], options);
    let path = ffmpeg_ts(&source, "");
    is_as_muxed(&path, &streams(&source));
    assert_eq!(kinds(&index(&path).frames.tracks[0]), [2, 0, 0, 48, 0]);
}

#[test]
fn keyframes_of_open_gops_are_told_from_those_of_closed_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = format!("{H264} -x264-params open-gop=1 {AAC}");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], &options);
    let path = ffmpeg_ts(&source, "");
    is_as_muxed(&path, &streams(&source));
    let [sync, open, cra, ..] = kinds(&index(&path).frames.tracks[0]);
    assert_eq!((sync, open, cra), (1, 4, 0));
}

#[test]
fn what_the_parameter_sets_say_of_showing_is_in_the_description() {
    let folder = tempfile::tempdir().expect("a folder");
    let looks = "-vf setsar=4/3 -color_primaries bt709 -color_trc bt709 -colorspace bt709";
    for (name, coding) in [
        ("high.mp4", "-c:v libx264 -profile:v high"),
        ("ten.mp4", "-c:v libx264 -pix_fmt yuv420p10le"),
        ("interlaced.mp4", "-c:v libx264 -flags +ildct+ilme"),
        ("scaling.mp4", "-c:v libx264 -x264-params cqm=jvt"),
        ("444.mp4", "-c:v libx264 -pix_fmt yuv444p -color_range pc"),
        (
            "h265.mp4",
            "-c:v libx265 -tag:v hvc1 -x265-params log-level=0",
        ),
    ] {
        let picture = "testsrc2=size=162x92:rate=25:duration=0.4";
        let options = format!("{coding} {looks}");
        let source = encode(folder.path(), name, &[picture], &options);
        let wanted = streams(&source)[0].track.codec.video().cloned();
        let format = wanted.expect("pictures");
        assert_eq!((format.width, format.height), (162, 92));
        assert!(format.colour.is_some(), "{name} has a colour");
        let track = &index(&ffmpeg_ts(&source, "")).frames.tracks[0];
        let codec = &streams(&source)[0].track.codec;
        assert_eq!(
            shown(&track.descriptions[0]),
            shown(&description(codec)),
            "{name}"
        );
    }
}

/// A sample entry without its codec's configuration.
fn shown(description: &[u8]) -> Vec<u8> {
    const FIXED_BYTES: usize = 8 + 78;
    let configuration = u32::from_be_bytes(*description[FIXED_BYTES..].first_chunk().expect("4"));
    let behind = &description[FIXED_BYTES + configuration as usize..];
    [&description[8..FIXED_BYTES], behind].concat()
}

#[test]
fn h265_is_as_muxed_by_both_muxers() {
    let folder = tempfile::tempdir().expect("a folder");
    let h265 = "-c:v libx265 -tag:v hvc1 -x265-params log-level=0:keyint=10:bframes=3:info=0";
    for (gop, wanted) in [("open-gop=0", [5, 0, 0]), ("open-gop=1", [1, 0, 4])] {
        let options = format!("{h265}:{gop} {AAC}");
        let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], &options);
        let muxed = streams(&source);
        let path = ffmpeg_ts(&source, "");
        let parsers = ["h265parse config-interval=-1", "aacparse"];
        for path in [path, gstreamer_ts(&source, parsers)] {
            let found = index(&path);
            let [sync, open, cra, _, disposable] = kinds(&found.frames.tracks[0]);
            assert_eq!([sync, open, cra], wanted);
            assert!(disposable > 5, "{disposable}");
            let mut muxed = without_hidden_sound(&path, muxed.clone());
            same_configuration(&found.frames.tracks[0], &mut muxed[0]);
            is_as_muxed(&path, &muxed);
        }
    }
}

/// The record that ffmpeg writes says more than one has to know (segmentation), and less (nesting
/// of layers); but for that, and the order of the sets, they are the same.
fn same_configuration(track: &FrameTrack, stream: &mut Stream) {
    let Codec::H265 { hvcc: wanted, .. } = &mut stream.track.codec else {
        panic!("H.265");
    };
    let at = 8 + 78 + 8;
    let size = u32::from_be_bytes(*track.descriptions[0][at - 8..].first_chunk().expect("4"));
    let hvcc = &track.descriptions[0][at..at - 8 + size as usize];
    assert_eq!(Sets::from_hvcc(hvcc), Sets::from_hvcc(wanted));
    assert_eq!(hvcc[..13], wanted[..13]);
    assert_eq!(hvcc[16..19], wanted[16..19]);
    *wanted = hvcc.to_vec();
}

#[test]
fn of_several_layers_of_h265_only_frames_of_the_highest_are_disposable() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = "-c:v libx265 -tag:v hvc1 \
                   -x265-params log-level=0:keyint=25:bframes=3:b-adapt=0:temporal-layers=1:info=0";
    let source = encode(folder.path(), "source.mp4", &[PICTURE], options);
    let path = ffmpeg_ts(&source, "");
    let file = fs::read(&path).expect("the file");
    let found = index(&path);
    let track = &found.frames.tracks[0];
    // The second byte of a slice ends in its layer, counted from 1.
    let layer = |frame| {
        let data = sample(&file, track, frame).expect("a sample");
        let slice = nal::in_sample(&data, 4).find(|unit| nal::h265::kind(unit) < nal::h265::VPS);
        slice.expect("a slice")[1] & 7
    };
    let layers: Vec<u8> = track.frames.iter().map(layer).collect();
    let highest = layers.iter().max().expect("frames");
    assert!(*highest > 1, "there are several layers");
    assert!(kinds(track)[4] > 5);
    for (frame, layer) in track.frames.iter().zip(&layers) {
        let is_disposable = frame.kind
            == FrameKind::Delta {
                is_disposable: true,
            };
        assert!(!is_disposable || layer == highest, "{frame:?}");
    }
}

#[test]
fn mp3_and_opus_are_as_muxed() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, coding) in [
        ("mp3.mp4", "-c:a libmp3lame -ac 2 -ar 44100"),
        ("mp3-low.mp4", "-c:a libmp3lame -ac 1 -ar 22050"),
        ("opus.mp4", "-c:a libopus -ac 2"),
    ] {
        let options = format!("{H264} {coding}");
        let source = encode(folder.path(), name, &[PICTURE, TONE], &options);
        is_as_muxed(&ffmpeg_ts(&source, ""), &streams(&source));
    }
}

#[test]
fn opus_of_more_channels_and_as_gstreamer_muxes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = format!("{H264} -c:a libopus -ac 2");
    let source = encode(folder.path(), "two.mp4", &[PICTURE, TONE], &options);
    let path = gstreamer_ts(&source, ["h264parse config-interval=-1", "opusparse"]);
    is_as_muxed(&path, &without_hidden_sound(&path, streams(&source)));
    let options = format!("{H264} -c:a libopus -af aformat=channel_layouts=5.1 -mapping_family 1");
    let source = encode(folder.path(), "six.mp4", &[PICTURE, TONE], &options);
    is_as_muxed(&ffmpeg_ts(&source, ""), &streams(&source));
}

#[test]
fn sound_alone_counts_from_its_first_frame() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", &[TONE], "-c:a aac -ar 44100");
    let path = ffmpeg_ts(&source, "");
    is_as_muxed(&path, &streams(&source));
    let track = &index(&path).frames.tracks[0];
    assert_eq!((track.frames[0].pts, track.frames[0].utc), (0, ORIGIN));
    assert!(track.frames.iter().all(|frame| frame.duration == 1024));
}

#[test]
fn time_goes_on_where_33_bits_wrap_around() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = format!("{H264} {AAC}");
    let source = encode(folder.path(), "source.mp4", &[PICTURE, TONE], &options);
    // 2^33 / 90 kHz is 95443.7177 s; the muxer adds 1.4 s, the clip lasts 2 s.
    for offset in ["95441.3", "95442.25", "95442.3"] {
        let path = ffmpeg_ts(&source, &format!("-output_ts_offset {offset}"));
        is_as_muxed(&path, &streams(&source));
    }
}

#[test]
fn a_change_of_parameter_sets_gives_another_description() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut both = Vec::new();
    let mut counts = Vec::new();
    for (name, size, offset) in [("a.mp4", "160x120", "0"), ("b.mp4", "192x144", "2")] {
        let picture = format!("testsrc2=size={size}:rate=25:duration=2");
        let source = encode(folder.path(), name, &[&picture], H264);
        counts.push(streams(&source)[0].packets.len());
        let path = ffmpeg_ts(&source, &format!("-output_ts_offset {offset}"));
        both.extend(fs::read(path).expect("the file"));
    }
    let path = folder.path().join("both.ts");
    fs::write(&path, &both).expect("the file");
    let found = index(&path);
    let [track] = &found.frames.tracks[..] else {
        panic!("one track");
    };
    assert_eq!(track.frames.len(), counts[0] + counts[1]);
    let sizes: Vec<[u8; 4]> = track
        .descriptions
        .iter()
        .map(|description| *description[32..].first_chunk().expect("a size"))
        .collect();
    assert_eq!(sizes, [[0, 160, 0, 120], [0, 192, 0, 144]]);
    for (number, frame) in track.frames.iter().enumerate() {
        assert_eq!(frame.description, u16::from(number >= counts[0]));
        assert!(sample(&both, track, frame).is_some());
    }
}
