// SPDX-License-Identifier: MPL-2.0
//! Writes the seeds of each target: small and whole, so that the fuzzer starts behind the doors.

use std::path::Path;
use std::{env, fs, io, process};

use fuzz::media::{
    Codec, MediaError, Run, Sample, SegmentMark, TimeSource, Track, UtcPoint, VideoFormat,
    chunk_header, init,
};
use fuzz::utc::UtcNs;

const ORIGIN: UtcNs = UtcNs(1_795_170_667_250_000_000);

fn main() {
    let Some(folder) = env::args().nth(1) else {
        eprintln!("usage: seeds FOLDER");
        process::exit(2);
    };
    if let Err(error) = write(Path::new(&folder)) {
        eprintln!("{folder}: {error}");
        process::exit(1);
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let segment = segment().map_err(io::Error::other)?;
    write_seed(folder, "fmp4", "two-tracks", &segment)?;
    write_seed(folder, "plan", "pyramid", PYRAMID)?;
    write_seed(folder, "plan", "open-gops", OPEN_GOPS)?;
    write_seed(folder, "restart", "cabac", &restart(OPEN_KEYFRAME, CABAC))?;
    write_seed(folder, "restart", "cavlc", &restart(OPEN_KEYFRAME, CAVLC))?;
    write_seed(folder, "ts", "three-frames", &transport_stream())?;
    write_seed(folder, "ts", "every-codec", &every_codec())?;
    for (seed, name) in [
        (
            "full",
            "31:06.033333-2.0-full-3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.mp4",
        ),
        (
            "temp",
            "31:06.5-0.25-temp-3f2504e0-4f89-41d3-9a0c-0305e82c3301.ts",
        ),
        ("hour", "2026-11-20T10"),
    ] {
        write_seed(folder, "segment_name", seed, name.as_bytes())?;
    }
    Ok(())
}

fn write_seed(folder: &Path, target: &str, name: &str, seed: &[u8]) -> io::Result<()> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), seed)
}

/// A kind of cut, a range, then a picture each (see the target): a kind and how much later than its
/// turn it is shown.
const PYRAMID: &[u8] = b"\x01\x02\x09\x00\x34\x14\x03\x03\x00\x34\x14\x03\x03\x00\x24\x14";
const OPEN_GOPS: &[u8] = b"\x00\x03\x0a\x00\x34\x14\x03\x03\x31\x14\x03\x03\x32\x14\x03\x03\x24";

/// A second of 32x16 pixels by x264: open GOPs of eight pictures, references kept in a pyramid.
const CABAC: &[u8] = include_bytes!("../material/open-gops-cabac.h264");
const CAVLC: &[u8] = include_bytes!("../material/open-gops-cavlc.h264");

/// The second keyframe, in decoding order: three B-frames and a P-frame are before it.
const OPEN_KEYFRAME: u8 = 5;

/// What is to be begun at this picture.
fn restart(entry: u8, stream: &[u8]) -> Vec<u8> {
    [&[4, entry], stream].concat()
}

/// Two chunks of one video and one audio track.
fn segment() -> Result<Vec<u8>, MediaError> {
    let video = Track {
        timescale: 90_000,
        codec: Codec::H264 {
            avcc: vec![1, 100, 0, 31, 255, 225, 0, 1, 103, 1, 0, 1, 104],
            in_band: false,
            format: VideoFormat {
                width: 640,
                height: 360,
                pixel_aspect: (4, 3),
                colour: None,
                orientation: Default::default(),
            },
        },
    };
    let audio = Track {
        timescale: 8000,
        codec: Codec::Alaw {
            channels: 1,
            rate: 8000,
        },
    };
    let mark = SegmentMark {
        origin: ORIGIN,
        discontinuity: false,
        time_source: TimeSource::Reference,
        run: [7; 16],
        sequence: 3,
    };
    let mut segment = init(&[(&video, 6000), (&audio, 0)], &mark)?;
    for sequence in 1..=2 {
        let ticks = u64::from(sequence - 1) * 9000;
        let point = UtcPoint {
            track: 0,
            media_time: ticks + 6000,
            utc: ORIGIN + i64::from(sequence - 1) * 100_000_000,
        };
        let runs = runs(ticks);
        segment.extend(chunk_header(
            sequence,
            &point,
            TimeSource::Reference,
            &runs,
        )?);
        let samples = runs.iter().flat_map(|run| &run.samples);
        let bytes: u32 = samples.map(|sample| sample.bytes).sum();
        segment.extend((0..bytes).map(|byte| byte as u8));
    }
    Ok(segment)
}

fn runs(ticks: u64) -> [Run; 2] {
    let frame = |bytes, composition_offset, sync| Sample {
        bytes,
        duration: 3000,
        composition_offset,
        sync,
    };
    let sound = Sample {
        bytes: 20,
        duration: 160,
        composition_offset: 0,
        sync: true,
    };
    [
        Run {
            track: 0,
            base_decode_time: ticks,
            samples: vec![
                frame(50, 6000, true),
                frame(9, 9000, false),
                frame(7, -3000, false),
            ],
        },
        Run {
            track: 1,
            base_decode_time: ticks * 8 / 90,
            samples: vec![sound; 5],
        },
    ]
}

/// PAT, PMT, and PES packets of video without a length and of audio with one.
fn transport_stream() -> Vec<u8> {
    let pat = [0, 0, 0xB0, 13, 0, 1, 0xC1, 0, 0, 0, 1, 0xE0, 32, 0, 0, 0, 0];
    let streams = [0x1B, 0xE0, 65, 0xF0, 0, 0x0F, 0xE0, 66, 0xF0, 0];
    let map = [
        &[0, 2, 0xB0, 23, 0, 1, 0xC1, 0, 0, 0xE0, 65, 0xF0, 0][..],
        &streams,
        &[0; 4],
    ];
    let mut stream = packet(0, true, &pat);
    stream.extend(packet(32, true, &map.concat()));
    for pts in [0, 1, 2] {
        let header = [0x80, 0x80, 5, 0x21, 0, 1, 0x20 * pts, 1];
        let video = [&[0, 0, 1, 0xE0, 0, 0][..], &header, &[0xAA; 170]].concat();
        let audio = [&[0, 0, 1, 0xC0, 0, 28][..], &header, &[0xBB; 20]].concat();
        stream.extend(packet(65, true, &video));
        stream.extend(packet(65, false, &[0xAA; 100]));
        stream.extend(packet(66, true, &audio));
    }
    stream
}

/// One packet, stuffed in its adaptation field.
fn packet(pid: u8, starts_unit: bool, payload: &[u8]) -> Vec<u8> {
    let stuffing = 184 - payload.len().min(184);
    let control = if stuffing > 0 { 0x30 } else { 0x10 };
    let mut packet = vec![0x47, if starts_unit { 0x40 } else { 0 }, pid, control];
    if stuffing > 0 {
        packet.push((stuffing - 1) as u8);
        packet.extend([0].iter().chain(&[0xFF; 183]).take(stuffing - 1));
    }
    packet.extend(payload);
    packet.truncate(188);
    packet
}

/// What a stream holds: a sequence and a picture parameter set, and a slice of an IDR picture.
const H264: &[&[u8]] = &[
    b"\x67\x64\x00\x0a\xac\xb2\x08\xf6\x02\x20\0\0\x03\0\x20\0\0\x06\x41\xe2\x44\xc9",
    b"\x68\xeb\xc3\xcb\x22\xc0",
    b"\x06\x06\x01\xc4\x80",
    b"\x65\x88\x84\x09\x7f\xd7\x47\x66",
];
const H265: &[&[u8]] = &[
    b"\x40\x01\x0c\x01\xff\xff\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\x95\x98\x09",
    b"\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x1e\xa0\x20\x83\x16\x59\x59\xae\
      \x4c\xaf\x01\x68\x08\0\0\x03\0\x08\0\0\x03\0\xc8\x40",
    b"\x44\x01\xc1\x73\xd0\x89",
    b"\x28\x01\xaf\x1d\x80\xc2\x7d\x6f",
];
/// Two frames of AAC behind their headers, one of them cut off.
const ADTS: &[u8] = b"\xff\xf1\x4c\x40\x01\x5f\xfc\x01\x02\x03\xff\xf1\x4c\x40\x01\x9f\xfc\x01";
/// Two Opus packets behind control headers, one with a trim at its start.
const OPUS: &[u8] = b"\x7f\xe0\x03\xf8\x01\x02\x7f\xf0\x02\x01\x38\xfc\x03";

/// One of each stream that can be indexed, three PES packets each.
fn every_codec() -> Vec<u8> {
    let pat = [0, 0, 0xB0, 13, 0, 1, 0xC1, 0, 0, 0, 1, 0xE0, 32, 0, 0, 0, 0];
    let opus = [5, 4, b'O', b'p', b'u', b's', 0x7F, 2, 0x80, 2];
    let map = [
        &[0, 2, 0xB0, 48, 0, 1, 0xC1, 0, 0, 0xE0, 65, 0xF0, 0][..],
        &[0x1B, 0xE0, 65, 0xF0, 0, 0x24, 0xE0, 66, 0xF0, 0],
        &[0x0F, 0xE0, 67, 0xF0, 0, 0x03, 0xE0, 68, 0xF0, 0],
        &[0x06, 0xE0, 69, 0xF0, 10],
        &opus,
        &[0; 4],
    ];
    let mut mp3 = b"\xff\xfb\x10\xc4".to_vec();
    mp3.resize(104, 0);
    let byte_stream = |units: &[&[u8]]| -> Vec<u8> {
        let behind_start_codes = units.iter().map(|unit| [b"\0\0\x01", *unit].concat());
        behind_start_codes.flatten().collect()
    };
    let streams = [
        (65, byte_stream(H264)),
        (66, byte_stream(H265)),
        (67, ADTS.to_vec()),
        (68, mp3),
        (69, OPUS.to_vec()),
    ];
    let mut stream = packet(0, true, &pat);
    stream.extend(packet(32, true, &map.concat()));
    for count in 0..3 {
        for (pid, data) in &streams {
            let header = [
                0,
                0,
                1,
                0xE0,
                0,
                0,
                0x80,
                0x80,
                5,
                0x21,
                0,
                1,
                0x20 * count,
                1,
            ];
            let mut packet = packet(*pid, true, &[&header, &data[..]].concat());
            packet[3] |= count;
            stream.extend(packet);
        }
    }
    stream
}
