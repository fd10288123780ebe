// SPDX-License-Identifier: MPL-2.0
//! Sample entries are read as they were written, whatever was done to them.

use super::*;
use crate::media::entry::encode;

fn format(pixel_aspect: (u32, u32), colour: Option<Colour>) -> VideoFormat {
    VideoFormat {
        width: 1920,
        height: 1080,
        pixel_aspect,
        colour,
        orientation: Default::default(),
    }
}

fn every_codec() -> Vec<Codec> {
    let colour = Colour {
        primaries: 9,
        transfer: 16,
        matrix: 9,
        full_range: true,
    };
    let mut stream_info = vec![0x80, 0, 0, 34];
    // 96000 Hz, 2 channels, 24 bits.
    stream_info.extend([0; 10]);
    stream_info.extend(((96_000_u32 << 12) | (1 << 9) | (23 << 4)).to_be_bytes());
    stream_info.extend([0; 20]);
    let opus = |channels, mapping| Codec::Opus {
        channels,
        pre_skip: 312,
        input_rate: 44_100,
        gain: -3,
        mapping,
    };
    vec![
        Codec::H264 {
            avcc: vec![1, 100, 0, 31, 0xff, 0xe1, 0, 0],
            in_band: false,
            format: format((4, 3), Some(colour)),
        },
        Codec::H264 {
            avcc: vec![1, 100, 0, 31, 0xff, 0xe1, 0, 0],
            in_band: true,
            format: format((1, 1), None),
        },
        Codec::H265 {
            hvcc: vec![1; 30],
            in_band: true,
            format: format((1, 1), Some(colour)),
        },
        Codec::Av1 {
            av1c: vec![0x81, 0, 0, 0],
            format: format((1, 1), None),
        },
        Codec::Vp9 {
            profile: 2,
            level: 31,
            bit_depth: 10,
            chroma_subsampling: 1,
            format: format((1, 1), Some(colour)),
        },
        Codec::Aac {
            audio_specific_config: vec![0x11, 0x90],
            channels: 2,
            rate: 48_000,
        },
        Codec::Aac {
            // AAC LC at 96 kHz.
            audio_specific_config: vec![0x10, 0x10],
            channels: 2,
            rate: 96_000,
        },
        Codec::Mp3 {
            channels: 1,
            rate: 22_050,
        },
        opus(2, None),
        opus(
            3,
            Some(OpusMapping {
                family: 1,
                streams: 2,
                coupled: 1,
                channels: vec![0, 2, 1],
            }),
        ),
        Codec::Flac {
            metadata: stream_info,
            channels: 2,
            rate: 96_000,
            bits: 24,
        },
        Codec::Alaw {
            channels: 1,
            rate: 8000,
        },
        Codec::Mulaw {
            channels: 2,
            rate: 16_000,
        },
    ]
}

#[test]
fn what_was_written_is_read() {
    for codec in every_codec() {
        let mut entry = Vec::new();
        encode(&codec, &mut entry).expect("an entry");
        assert_eq!(codec_of_entry(&entry), Ok(codec));
    }
}

#[test]
fn an_entry_cut_off_anywhere_or_with_any_byte_damaged_is_an_error_at_worst() {
    for codec in every_codec() {
        let mut entry = Vec::new();
        encode(&codec, &mut entry).expect("an entry");
        for length in 0..entry.len() {
            let cut = entry.get(..length).expect("shorter");
            if let Ok(read) = codec_of_entry(cut) {
                // What lies behind the configuration may be missing.
                assert_eq!(
                    std::mem::discriminant(&read),
                    std::mem::discriminant(&codec)
                );
            }
        }
        for at in 0..entry.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = entry.clone();
                *damaged.get_mut(at).expect("inside") = value;
                let _ = codec_of_entry(&damaged);
            }
        }
    }
}

#[test]
fn descriptors_inside_descriptors_are_not_followed() {
    let mut esds = Vec::new();
    for _ in 0..100_000 {
        esds.extend([3, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0]);
    }
    let mut entry = [0; HEADER_BYTES + AUDIO_BYTES].to_vec();
    entry[4..8].copy_from_slice(b"mp4a");
    entry.extend((esds.len() as u32 + 12).to_be_bytes());
    entry.extend(b"esds\0\0\0\0");
    entry.extend(esds);
    assert!(codec_of_entry(&entry).is_err());
}

#[test]
fn a_codec_that_is_not_known_is_named() {
    let error = codec_of_entry(b"\0\0\0\x08ac-3").expect_err("not known");
    assert!(error.to_string().contains("ac-3"), "{error}");
}
