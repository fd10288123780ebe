// SPDX-License-Identifier: MPL-2.0
//! The bytes that are written: pinned, checked field by field where no tool would notice, and
//! refused where they could not be right.

use std::io::Cursor;

use super::material::{ORIGIN, mark, square};
use crate::media::{
    Codec, Colour, Index, Run, Sample, TimeSource, Track, UtcPoint, VideoFormat, chunk_header, init,
};
use crate::utc::UtcNs;

/// A track, chunk and mark that depend on nothing but this file.
pub fn fixed() -> (Track, UtcPoint, [Run; 2]) {
    let track = Track {
        timescale: 90_000,
        codec: Codec::H264 {
            avcc: vec![1, 100, 0, 31, 255, 225, 0, 1, 103, 1, 0, 1, 104],
            in_band: false,
            format: VideoFormat {
                width: 1440,
                height: 1080,
                pixel_aspect: (4, 3),
                colour: Some(Colour {
                    primaries: 1,
                    transfer: 1,
                    matrix: 1,
                    full_range: false,
                }),
                orientation: Default::default(),
            },
        },
    };
    let sample = |bytes, composition_offset, sync| Sample {
        bytes,
        duration: 3000,
        composition_offset,
        sync,
    };
    let video = Run {
        track: 0,
        base_decode_time: 18_000,
        samples: vec![
            sample(5000, 6000, true),
            sample(700, 9000, false),
            sample(90, -3000, false),
        ],
    };
    let audio = Run {
        track: 1,
        base_decode_time: 9600,
        samples: vec![
            Sample {
                bytes: 320,
                duration: 1024,
                composition_offset: 0,
                sync: true
            };
            3
        ],
    };
    let point = UtcPoint {
        track: 0,
        media_time: 24_000,
        utc: ORIGIN,
    };
    (track, point, [video, audio])
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn the_bytes_of_head_and_chunk_change_only_on_purpose() {
    let (video, point, runs) = fixed();
    let audio = Track {
        timescale: 48_000,
        codec: Codec::Aac {
            audio_specific_config: vec![0x11, 0x90],
            channels: 2,
            rate: 48_000,
        },
    };
    let head = init(&[(&video, 6000), (&audio, 0)], &mark()).expect("a head");
    let chunk = chunk_header(3, &point, TimeSource::Reference, &runs).expect("a chunk");
    assert_eq!(
        digest(&head),
        "a1cc794ec49a793c6154ab8e6fb07920d5df0a35297e505dfd4d55ba2b6195a2"
    );
    assert_eq!(
        digest(&chunk),
        "e7c432b55e9236a4aabb14a0401b2869cf27a9cc85627890535d6f0a06d6dd15"
    );
}

#[test]
fn signed_offsets_shared_defaults_and_reference_times_come_back() {
    let (video, point, runs) = fixed();
    let audio = Track {
        timescale: 48_000,
        codec: Codec::Mulaw {
            channels: 1,
            rate: 48_000,
        },
    };
    let mut file = init(&[(&video, 6000), (&audio, 0)], &mark()).expect("a head");
    file.extend(chunk_header(1, &point, TimeSource::Reference, &runs).expect("a chunk"));
    file.resize(file.len() + 5000 + 700 + 90 + 3 * 320, 0xAA);
    let index = Index::read(Cursor::new(&file)).expect("an index");
    let [video, audio] = &index.tracks[..] else {
        panic!("two tracks");
    };
    let times: Vec<(i64, i64, bool)> = video
        .samples
        .iter()
        .map(|s| (s.pts, s.dts, s.sync))
        .collect();
    assert_eq!(
        times,
        [
            (24_000, 18_000, true),
            (30_000, 21_000, false),
            (21_000, 24_000, false)
        ]
    );
    let utcs: Vec<Option<UtcNs>> = video.samples.iter().map(|sample| sample.utc).collect();
    let ticks = |ticks: i64| Some(ORIGIN + (ticks * 1_000_000 + 45).div_euclid(90));
    assert_eq!(utcs, [ticks(0), ticks(6000), ticks(-3000)]);
    assert!(
        audio
            .samples
            .iter()
            .all(|sample| sample.sync && sample.bytes == 320)
    );
    // Presentation starts at media time 6000 of the video, so its 24000 is 0.2 s, and so is
    // 9600 of the audio.
    assert_eq!(audio.samples[0].utc, Some(ORIGIN));
    assert_eq!(audio.samples[2].offset + 320, file.len() as u64);
}

#[test]
fn what_cannot_be_written_is_refused_with_a_reason() {
    let (video, point, runs) = fixed();
    let with_codec = |codec| Track {
        timescale: 90_000,
        codec,
    };
    let format = square(0, 1080);
    let avcc = vec![1, 100, 0, 31, 255, 225, 0];
    let empty = with_codec(Codec::H264 {
        avcc,
        in_band: false,
        format,
    });
    let stopped = Track {
        timescale: 0,
        ..video.clone()
    };
    let start_code = with_codec(Codec::H265 {
        hvcc: vec![0, 0, 0, 1, 64],
        in_band: false,
        format: square(1920, 1080),
    });
    let markers = with_codec(Codec::Flac {
        metadata: b"fLaC\0\0\0\x22".to_vec(),
        channels: 2,
        rate: 48_000,
        bits: 16,
    });
    for (track, reason) in [
        (empty, "a frame of 0x1080 does not fit"),
        (stopped, "track 0 has a timescale of 0"),
        (start_code, "the H.265 configuration is not valid"),
        (markers, "the FLAC configuration is not valid"),
    ] {
        let error = init(&[(&track, 0)], &mark()).expect_err(reason).to_string();
        assert!(error.starts_with(reason), "{error}");
    }
    assert!(init(&[], &mark()).is_err());
    assert!(chunk_header(1, &point, TimeSource::Clock, &[]).is_err());
    let far = UtcPoint {
        utc: UtcNs(i64::MAX),
        ..point
    };
    assert!(chunk_header(1, &far, TimeSource::Clock, &runs).is_err());
}

#[test]
fn a_chunk_of_more_than_4_gib_takes_a_size_of_64_bits() {
    let sample = Sample {
        bytes: u32::MAX,
        duration: 1,
        composition_offset: 0,
        sync: true,
    };
    let run = Run {
        track: 0,
        base_decode_time: 0,
        samples: vec![sample; 2],
    };
    let (_, point, _) = fixed();
    let header =
        chunk_header(1, &point, TimeSource::Clock, std::slice::from_ref(&run)).expect("a chunk");
    let mdat = &header[header.len() - 16..];
    assert_eq!(mdat[..8], *b"\0\0\0\x01mdat");
    let size = u64::from_be_bytes(mdat[8..].try_into().expect("8 bytes"));
    assert_eq!(size, 16 + 2 * u64::from(u32::MAX));
    // A second run would start where its offset has no bits for.
    assert!(chunk_header(1, &point, TimeSource::Clock, &[run.clone(), run]).is_err());
}
