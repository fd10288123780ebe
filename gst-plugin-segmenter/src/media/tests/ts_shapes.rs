// SPDX-License-Identifier: MPL-2.0
//! Shapes of MPEG-TS that ffmpeg and GStreamer do not write, but others do, and what of a stream
//! cannot be cut.

use std::fs;

use super::material::{ORIGIN, Packet, encode, streams};
use super::tools::{run, text};
use super::ts_frames::{ffmpeg_ts, index, sample};
use super::ts_mux::{ADTS, AUDIO, H264, Mux, Time, VIDEO, adts, byte_stream};
use crate::media::{Codec, TsError, TsFrames, nal::Sets, ts_frames};

const FRAME_90K: u64 = 3600;

/// Half a second of pictures without B-frames and their parameter sets.
fn pictures() -> (Vec<Packet>, Sets) {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = "testsrc2=size=160x120:rate=25:duration=0.48";
    let options = "-c:v libx264 -bf 0 -g 6";
    let source = encode(folder.path(), "source.mp4", &[picture], options);
    let stream = streams(&source).remove(0);
    let Codec::H264 { avcc, .. } = &stream.track.codec else {
        panic!("H.264");
    };
    (stream.packets, Sets::from_avcc(avcc).expect("a record"))
}

#[track_caller]
fn has_samples(mux: &Mux, found: &TsFrames, wanted: &[&[u8]]) {
    let track = &found.frames.tracks[0];
    assert_eq!(track.frames.len(), wanted.len());
    for (frame, wanted) in track.frames.iter().zip(wanted) {
        let data = sample(&mux.bytes, track, frame).expect("a sample");
        assert!(data == *wanted, "{frame:?}");
    }
}

fn data(packets: &[Packet]) -> Vec<&[u8]> {
    packets.iter().map(|packet| &packet.data[..]).collect()
}

#[test]
fn pictures_that_share_a_pes_packet_share_its_time() {
    let (packets, sets) = pictures();
    let mut mux = Mux::new(&[(VIDEO, H264, &[])]);
    for (three, number) in packets.chunks(3).zip(0..) {
        let stream: Vec<u8> = three
            .iter()
            .flat_map(|packet| byte_stream(packet, &sets))
            .collect();
        let pts = 90_000 + number * 3 * FRAME_90K;
        mux.pes(VIDEO, Time::PtsDts(pts, pts - FRAME_90K), &stream, false);
    }
    let found = mux.index();
    has_samples(&mux, &found, &data(&packets));
    for (frame, number) in found.frames.tracks[0].frames.iter().zip(0..) {
        assert_eq!(frame.pts, number * FRAME_90K as i64);
        assert_eq!(frame.dts, (number - 1) * FRAME_90K as i64);
        assert_eq!(frame.duration, FRAME_90K as u32);
    }
}

#[test]
fn a_picture_may_be_spread_over_pes_packets_without_times() {
    let (packets, sets) = pictures();
    let mut mux = Mux::new(&[(VIDEO, H264, &[])]);
    for (packet, number) in packets.iter().zip(0..) {
        let stream = byte_stream(packet, &sets);
        for (part, index) in stream.chunks(300).zip(0..) {
            let time = match index {
                0 => Time::Pts(number * FRAME_90K),
                _ => Time::None,
            };
            mux.pes(VIDEO, time, part, true);
        }
    }
    let found = mux.index();
    assert_eq!(found.damaged, 0);
    has_samples(&mux, &found, &data(&packets));
}

#[test]
fn time_counts_from_the_first_picture_that_decoding_can_start_at() {
    let (packets, sets) = pictures();
    let mut mux = Mux::new(&[(VIDEO, H264, &[]), (AUDIO, ADTS, &[])]);
    for (packet, number) in packets.iter().zip(0..).skip(3) {
        let stream = byte_stream(packet, &sets);
        mux.pes(VIDEO, Time::Pts(number * FRAME_90K), &stream, true);
        let sound = adts(&[number as u8; 30]);
        mux.pes(AUDIO, Time::Pts(number * FRAME_90K), &sound, true);
    }
    let found = mux.index();
    has_samples(&mux, &found, &data(&packets[3..]));
    let [video, audio] = &found.frames.tracks[..] else {
        panic!("two tracks");
    };
    assert_eq!((video.frames[3].pts, video.frames[3].utc), (0, ORIGIN));
    // What is before it counts backwards; the segment before may be what it refers to.
    assert_eq!(video.frames[0].pts, -3 * 3600);
    assert_eq!(audio.frames[0].pts, -3 * 1920);
    assert_eq!(audio.frames[0].utc, ORIGIN - 120_000_000);
}

#[test]
fn frames_of_aac_may_cross_pes_packets() {
    let frames: Vec<Vec<u8>> = (0..40_u8)
        .map(|number| vec![number; 50 + 37 * usize::from(number)])
        .collect();
    let mut stream = Vec::new();
    let mut starts = Vec::new();
    for frame in &frames {
        starts.push(stream.len());
        stream.extend(adts(frame));
    }
    for part_bytes in [60, 500, 4000] {
        let mut mux = Mux::new(&[(AUDIO, ADTS, &[])]);
        for (part, number) in stream.chunks(part_bytes).zip(0..) {
            // The time is that of the first frame that begins in it.
            let from = number * part_bytes;
            let begins = |start: &usize| (from..from + part.len()).contains(start);
            let first = starts.iter().position(begins);
            let pts = |index: usize| Time::Pts(90_000 + index as u64 * 1920);
            mux.pes(AUDIO, first.map_or(Time::None, pts), part, true);
        }
        let found = mux.index();
        assert_eq!(found.damaged, 0);
        let wanted: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        has_samples(&mux, &found, &wanted);
        for (frame, number) in found.frames.tracks[0].frames.iter().zip(0..) {
            assert_eq!((frame.pts, frame.duration), (number * 1024, 1024));
        }
    }
}

#[test]
fn a_frame_of_aac_is_not_mended_with_what_is_behind_a_loss() {
    let frames: Vec<Vec<u8>> = (0..40).map(|number| vec![number; 300]).collect();
    let stream: Vec<u8> = frames.iter().flat_map(|frame| adts(frame)).collect();
    let mut mux = Mux::new(&[(AUDIO, ADTS, &[])]);
    let mut lost = 0..0;
    for (part, number) in stream.chunks(500).zip(0..) {
        let from = mux.bytes.len();
        mux.pes(AUDIO, Time::Pts(number * 3000), part, true);
        if number == 10 {
            lost = from..mux.bytes.len();
        }
    }
    mux.bytes.drain(lost);
    let found = mux.index();
    let track = &found.frames.tracks[0];
    // The two that the lost PES packet had parts of.
    assert_eq!(track.frames.len(), 38);
    for frame in &track.frames {
        let data = sample(&mux.bytes, track, frame).expect("a sample");
        assert!(frames.contains(&data));
    }
}

#[test]
fn decoding_times_never_decrease_and_one_that_is_wrong_holds_up_no_other() {
    let (packets, sets) = pictures();
    const STEP: i64 = FRAME_90K as i64;
    for wrong_by in [-3 * STEP, 3 * STEP, 1 << 31, -(1 << 31)] {
        let mut mux = Mux::new(&[(VIDEO, H264, &[])]);
        for (packet, number) in packets.iter().zip(0..) {
            let pts = (1 << 32) + number * STEP;
            let dts = if number == 7 { pts + wrong_by } else { pts };
            let time = Time::PtsDts(pts.cast_unsigned(), dts.cast_unsigned());
            mux.pes(VIDEO, time, &byte_stream(packet, &sets), false);
        }
        let found = mux.index();
        has_samples(&mux, &found, &data(&packets));
        for (frame, number) in found.frames.tracks[0].frames.iter().zip(0..) {
            assert_eq!(frame.pts, number * STEP);
            match number {
                7 => assert!((6 * STEP..=8 * STEP).contains(&frame.dts)),
                _ => assert_eq!(frame.dts, frame.pts),
            }
        }
    }
}

#[test]
fn what_cannot_be_cut_is_skipped_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = "testsrc2=size=160x120:rate=25:duration=1";
    let tone = "sine=frequency=440:sample_rate=48000:duration=1";
    let options = "-c:v libx264 -c:a aac";
    let source = encode(folder.path(), "source.mp4", &[picture, tone], options);
    let two_videos = "-map 0:v -c:v:1 mpeg2video";
    for (coding, track, codec, reason) in [
        (
            "-c:a dca -ac 2 -strict -2",
            "PID 257",
            "DTS (stream type 0x82)",
            "AC-3, E-AC-3 and Opus can be cut",
        ),
        (
            "-c:a s302m -ac 2 -strict -2",
            "PID 257",
            "PCM of SMPTE 302M (stream type 0x06)",
            "can be cut",
        ),
        (
            "-map 0:v -c:v:1 libx264",
            "PID 258",
            "H.264",
            "it is not the first video",
        ),
        (
            two_videos,
            "PID 258",
            "MPEG-1 or MPEG-2 video (stream type 0x02)",
            "can be cut",
        ),
    ] {
        let found = index(&ffmpeg_ts(&source, coding));
        let videos = found.frames.tracks.iter().filter(|track| track.is_video);
        assert_eq!(videos.count(), 1, "{coding}");
        let [skipped] = &found.skipped[..] else {
            panic!("{coding}: one stream is skipped: {:?}", found.skipped);
        };
        assert_eq!((&*skipped.track, &*skipped.codec), (track, codec));
        assert!(skipped.reason.contains(reason), "{skipped}");
    }
    let path = ffmpeg_ts(&source, "-c:v mpeg2video -c:a dca -ac 2 -strict -2");
    let file = fs::read(path).expect("the file");
    let error = ts_frames(&file[..], ORIGIN).expect_err("nothing to cut");
    let text = error.to_string();
    assert!(
        text.contains("MPEG-1 or MPEG-2 video (stream type 0x02) on PID 256"),
        "{text}"
    );
    assert!(text.contains("DTS (stream type 0x82) on PID 257"), "{text}");
}

#[test]
fn aac_that_mp4_samples_cannot_be_is_skipped_and_named() {
    let mut several = adts(&[1; 40]);
    several[6] |= 1;
    let mut in_stream = adts(&[1; 40]);
    in_stream[3] &= 0x3F;
    for (frame, reason) in [
        (several, "several blocks in an ADTS frame"),
        (in_stream, "channels told in the stream itself"),
    ] {
        let mut mux = Mux::new(&[(AUDIO, ADTS, &[])]);
        mux.pes(AUDIO, Time::Pts(0), &frame, true);
        let error = ts_frames(&mux.bytes[..], ORIGIN).expect_err("nothing to cut");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_file_that_is_something_else_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("source.mp4");
    let picture = "testsrc2=size=160x120:rate=25:duration=0.2";
    run(
        "ffmpeg",
        &["-v", "error", "-f", "lavfi", "-i", picture, text(&source)],
    );
    let file = fs::read(&source).expect("the file");
    let error = ts_frames(&file[..], ORIGIN).expect_err("no transport stream");
    let text = error.to_string();
    assert!(matches!(error, TsError::NoPacket(_)));
    assert!(
        text.starts_with("no MPEG-TS packet at its start: it starts with 00 00 00 20 66 74"),
        "{text}"
    );
    let error = ts_frames(&[][..], ORIGIN).expect_err("nothing");
    assert!(error.to_string().contains("the file is empty"));
    let error = ts_frames(&[0x47; 188 * 4][..], ORIGIN).expect_err("no tables");
    assert!(matches!(error, TsError::NoStreams), "{error}");
    let mux = Mux::new(&[(VIDEO, H264, &[])]);
    let error = ts_frames(&mux.bytes[..], ORIGIN).expect_err("no frames");
    let wanted = "H.264 on PID 65 has no whole picture whose parameter sets are there";
    assert!(error.to_string().contains(wanted), "{error}");
}

#[test]
fn more_samples_than_can_be_held_are_refused() {
    const FRAME: [u8; 8] = [0xFF, 0xF1, 0x4C, 0x40, 0x01, 0x1F, 0xFC, 0];
    let mut mux = Mux::new(&[(AUDIO, ADTS, &[])]);
    let many = FRAME.repeat(8000);
    mux.pes(AUDIO, Time::Pts(0), &many, true);
    assert_eq!(mux.index().frames.tracks[0].frames.len(), 8000);
    for number in 1..270 {
        mux.pes(AUDIO, Time::Pts(number), &many, true);
    }
    let error = ts_frames(&mux.bytes[..], ORIGIN).expect_err("too many");
    assert!(matches!(error, TsError::TooManySamples), "{error}");
}
