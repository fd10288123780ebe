// SPDX-License-Identifier: MPL-2.0
//! Samples written as MPEG-TS: ffmpeg and GStreamer find every frame of the material at its time
//! and say nothing, and a reader can begin wherever the packets promise it.

use std::fs;
use std::path::{Path, PathBuf};

use mpeg2ts::ts::{ReadTsPacket, TsPacket, TsPacketReader};

use super::material::{Packet, Stream, encode, streams};
use super::playback::same_frames;
use super::tools::{complaints, decode, number, probe, run, text};
use crate::media::{Codec, TsSample, TsWriteError, TsWriter, entry};

const PICTURE: &str = "testsrc2=size=320x240:rate=25:duration=3";
const TONE: &str = "sine=frequency=440:sample_rate=48000:duration=3";
pub const X264: &str = "-c:v libx264 -x264-params bframes=3:b-pyramid=normal:keyint=25:scenecut=0";
pub const VIDEO: u16 = 0x100;
pub const SOUND: u16 = 0x101;

fn sample_entry(codec: &Codec) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry::encode(codec, &mut bytes).expect("an entry");
    bytes
}

fn writer(streams: &[Stream]) -> Result<TsWriter, TsWriteError> {
    let entries = streams.iter();
    let entries: Vec<_> = entries
        .map(|stream| [sample_entry(&stream.track.codec)])
        .collect();
    let tracks: Vec<&[Vec<u8>]> = entries.iter().map(<[_; 1]>::as_slice).collect();
    TsWriter::new(&tracks)
}

pub fn ticks_90k(stream: &Stream, time: i64) -> i64 {
    time * 90_000 / i64::from(stream.track.timescale)
}

fn sample<'a>(stream: &Stream, packet: &'a Packet) -> TsSample<'a> {
    TsSample {
        description: 0,
        pts_90k: ticks_90k(stream, packet.pts),
        dts_90k: ticks_90k(stream, packet.dts),
        is_entry: packet.sync,
        bytes: &packet.data,
    }
}

/// All samples of the material, in the order of their decoding times.
fn samples(streams: &[Stream]) -> Vec<(usize, TsSample<'_>)> {
    let mut all: Vec<_> = streams
        .iter()
        .enumerate()
        .flat_map(|(track, stream)| {
            let packets = stream.packets.iter();
            packets.map(move |packet| (track, sample(stream, packet)))
        })
        .collect();
    all.sort_by_key(|(_, sample)| sample.dts_90k);
    all
}

/// The material as a transport stream.
pub fn mux(streams: &[Stream]) -> Vec<u8> {
    let mut writer = writer(streams).expect("MPEG-TS takes it");
    let mut out = Vec::new();
    for (track, sample) in samples(streams) {
        writer.write(track, &sample, &mut out).expect("a sample");
    }
    writer.finish(&mut out).expect("the rest");
    out
}

/// By how much the first time to be decoded is below zero.
fn delay_s(streams: &[Stream]) -> f64 {
    let first = samples(streams).first().map(|(_, sample)| sample.dts_90k);
    -first.expect("a sample").min(0) as f64 / 90_000.0
}

fn write(source: &Path, streams: &[Stream]) -> PathBuf {
    let path = source.with_extension("ts");
    fs::write(&path, mux(streams)).expect("the file");
    path
}

/// What GStreamer says of the buffers that it decodes from one stream: their times (`pts`) or how
/// long they last (`duration`).
#[track_caller]
fn gstreamer(path: &Path, pad: &str, field: &str) -> Vec<f64> {
    let pipeline = format!(
        "filesrc location={} ! tsdemux name=d d.{pad} ! queue ! decodebin \
         ! fakesink silent=false sync=false",
        text(path)
    );
    let mut arguments = vec!["-v"];
    arguments.extend(pipeline.split_whitespace());
    let listing = run("gst-launch-1.0", &arguments);
    assert!(!listing.contains("WARNING"), "{listing}");
    let values = listing
        .lines()
        .filter(|line| line.contains("last-message = chain"));
    let value = |line: &str| {
        let time = line.split(field).nth(1).expect("it is said");
        let time = time.split([',', ' ']).next().expect("a time");
        time.split(':')
            .fold(0.0, |sum, part| sum * 60.0 + number(part))
    };
    values.map(value).collect()
}

/// Encodes, writes as a transport stream, and checks that all of it is read as it was.
#[track_caller]
fn reads_as_encoded(inputs: &[&str], options: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), "source.mp4", inputs, options);
    let streams = streams(&source);
    let path = write(&source, &streams);
    assert_eq!(complaints(&path), "", "ffmpeg has something to say");
    let delay_s = delay_s(&streams);
    let mut decoded = decode(&path);
    for frame in &mut decoded {
        frame.seconds -= delay_s;
    }
    decoded.retain(|frame| frame.seconds > -0.0005);
    same_frames(decode(&source), &decoded);
    for (stream, pid) in streams.iter().zip(VIDEO..) {
        if stream.track.codec.video().is_none() {
            let sound = gstreamer(&path, &format!("audio_0_{pid:04x}"), " duration: ");
            let ticks: u32 = stream.packets.iter().map(|packet| packet.duration).sum();
            let expected_s = f64::from(ticks) / f64::from(stream.track.timescale);
            let off_s = sound.iter().sum::<f64>() - expected_s;
            assert!(off_s.abs() < 0.06, "sound is off by {off_s} s");
            continue;
        }
        let times = gstreamer(&path, &format!("video_0_{pid:04x}"), " pts: ");
        let mut expected: Vec<i64> = stream.packets.iter().map(|packet| packet.pts).collect();
        expected.sort_unstable();
        assert_eq!(times.len(), expected.len(), "pictures");
        for (time_s, pts) in times.iter().zip(expected) {
            let expected_s = pts as f64 / f64::from(stream.track.timescale) + delay_s;
            assert!(
                (time_s - expected_s).abs() < 0.0001,
                "{time_s} {expected_s}"
            );
        }
    }
}

#[test]
fn h264_with_b_frames_and_two_tracks_of_aac_are_read_frame_for_frame() {
    reads_as_encoded(&[PICTURE, TONE, TONE], &format!("{X264} -c:a aac"));
}

#[test]
fn h264_with_open_gops_and_mp3_are_read_frame_for_frame() {
    let options = format!("{X264}:open-gop=1 -c:a libmp3lame -ar 22050");
    reads_as_encoded(&[PICTURE, TONE], &options);
}

#[test]
fn h265_and_mp3_are_read_frame_for_frame() {
    let x265 = "log-level=none:bframes=3:keyint=25";
    let options = format!("-c:v libx265 -preset ultrafast -x265-params {x265} -c:a libmp3lame");
    reads_as_encoded(&[PICTURE, TONE], &options);
}

#[test]
fn h264_and_opus_of_six_channels_are_read_frame_for_frame() {
    let options = "-c:v libx264 -bf 0 -g 25 -ac 6 -c:a libopus -mapping_family 1";
    reads_as_encoded(&[PICTURE, TONE], options);
}

#[test]
fn sound_alone_is_read_frame_for_frame() {
    reads_as_encoded(&[TONE], "-c:a aac -ar 44100 -ac 2");
}

#[test]
fn without_reordering_presentation_starts_at_zero() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(
        folder.path(),
        "source.mp4",
        &[PICTURE],
        "-c:v libx264 -bf 0",
    );
    let path = write(&source, &streams(&source));
    assert_eq!(number(&probe(&path, "format", "start_time")), 0.0);
    let duration_s = number(&probe(&path, "format", "duration"));
    assert!((duration_s - 3.0).abs() < 0.001, "{duration_s}");
}

pub fn packets(mut bytes: &[u8]) -> Vec<TsPacket> {
    let mut reader = TsPacketReader::new(&mut bytes);
    let next = || reader.read_ts_packet().expect("a packet");
    std::iter::from_fn(next).collect()
}

pub fn pid(packet: &TsPacket) -> u16 {
    packet.header.pid.as_u16()
}

#[test]
fn what_mpegts_has_no_place_for_is_refused_with_what_would_work() {
    let rate = 8000;
    let alaw = Codec::Alaw { channels: 1, rate };
    let entries = [sample_entry(&alaw)];
    let error = TsWriter::new(&[&entries])
        .expect_err("no place")
        .to_string();
    for word in ["track 0", "A-law", "AAC", ".mp4"] {
        assert!(error.contains(word), "{error}");
    }
    let aac = |config: &[u8]| {
        sample_entry(&Codec::Aac {
            audio_specific_config: config.to_vec(),
            channels: 2,
            rate: 48_000,
        })
    };
    // USAC.
    let entries = [aac(&[0xf9, 0x46, 0x40])];
    let error = TsWriter::new(&[&entries])
        .expect_err("no place")
        .to_string();
    assert!(
        error.contains("type 42") && error.contains(".mp4"),
        "{error}"
    );
    let entries = [
        aac(&[0x11, 0x90]),
        sample_entry(&Codec::Mp3 { channels: 2, rate }),
    ];
    let error = TsWriter::new(&[&entries]).expect_err("two codecs");
    assert!(
        matches!(error, TsWriteError::Changes { track: 0 }),
        "{error}"
    );
    assert!(matches!(TsWriter::new(&[]), Err(TsWriteError::NoTracks)));
    let entries = [b"\0\0\0\x08avc1".to_vec()];
    let error = TsWriter::new(&[&entries]).expect_err("no record");
    assert!(
        matches!(error, TsWriteError::Entry { track: 0, .. }),
        "{error}"
    );
    let entries = [aac(&[0x11, 0x90])];
    let many = vec![&entries[..]; 40];
    let error = TsWriter::new(&many).expect_err("too many");
    assert!(matches!(error, TsWriteError::TooManyTracks(40)), "{error}");
}

#[test]
fn a_sample_that_was_not_announced_is_refused_and_the_rest_still_goes() {
    let entries = [sample_entry(&Codec::Aac {
        audio_specific_config: vec![0x11, 0x90],
        channels: 2,
        rate: 48_000,
    })];
    let mut writer = TsWriter::new(&[&entries]).expect("MPEG-TS takes it");
    let bytes = vec![0; 9000];
    let frame = |description, length: usize| TsSample {
        description,
        pts_90k: 0,
        dts_90k: 0,
        is_entry: true,
        bytes: &bytes[..length],
    };
    let mut out = Vec::new();
    let error = writer.write(1, &frame(0, 10), &mut out);
    assert!(matches!(error, Err(TsWriteError::UnknownTrack(1))));
    let error = writer.write(0, &frame(1, 10), &mut out);
    assert!(matches!(
        error,
        Err(TsWriteError::UnknownDescription { .. })
    ));
    let error = writer.write(0, &frame(0, 9000), &mut out);
    assert!(matches!(error, Err(TsWriteError::FrameTooLong { .. })));
    writer.write(0, &frame(0, 10), &mut out).expect("a frame");
    writer.finish(&mut out).expect("the rest");
    let starts = packets(&out)
        .into_iter()
        .filter(|packet| pid(packet) == VIDEO);
    let starts: Vec<_> = starts.filter(|packet| packet.payload.is_some()).collect();
    assert_eq!(starts.len(), 1);
}

#[test]
fn times_at_the_ends_of_what_a_number_holds_do_no_harm() {
    let entries = [sample_entry(&Codec::Mp3 {
        channels: 2,
        rate: 48_000,
    })];
    let mut writer = TsWriter::new(&[&entries]).expect("MPEG-TS takes it");
    let mut out = Vec::new();
    for time in [i64::MIN, i64::MAX, 0, i64::MIN, -1, i64::MAX] {
        let sample = TsSample {
            description: 0,
            pts_90k: time,
            dts_90k: time,
            is_entry: true,
            bytes: &[1, 2, 3],
        };
        writer.write(0, &sample, &mut out).expect("a sample");
    }
    writer.finish(&mut out).expect("the rest");
    assert_eq!(out.len() % TsPacket::SIZE, 0);
}
