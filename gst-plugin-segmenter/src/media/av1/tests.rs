// SPDX-License-Identifier: MPL-2.0
//! What ffmpeg writes as `av1C` for the same stream is the measure. Headers that no encoder at
//! hand writes are put together here, field by field.

use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::*;

const AOM: &str = "-c:v libaom-av1 -cpu-used 8 -usage realtime";
const SVT: &str = "-c:v libsvtav1 -preset 10";

#[track_caller]
fn ffmpeg(folder: &Path, arguments: &str) {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("ffmpeg starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {stderr}");
}

/// Two frames as a stream of OBUs, and the `av1C` that ffmpeg writes for them.
#[track_caller]
fn encode(options: &str) -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let input = "-f lavfi -i testsrc2=size=160x96:rate=25 -frames:v 2";
    ffmpeg(folder.path(), &format!("{input} {options} -f obu av1.obu"));
    ffmpeg(folder.path(), "-i av1.obu -c copy av1.mp4");
    let read = |name: &str| fs::read(folder.path().join(name)).expect("the stream");
    (read("av1.obu"), av1c(&read("av1.mp4")))
}

fn av1c(file: &[u8]) -> Vec<u8> {
    let is_av1c = |window: &[u8]| window == b"av1C";
    let at = file.windows(4).position(is_av1c).expect("an av1C");
    let size = u32::from_be_bytes(file[at - 4..at].try_into().expect("4 bytes"));
    file[at + 4..at - 4 + size as usize].to_vec()
}

/// The record must be ffmpeg's to the byte, and say what the encoder was asked for:
/// profile and level, then tier, depth and chroma.
#[track_caller]
fn promise(options: &str, expected: [u8; 2]) {
    let (stream, ffmpegs) = encode(options);
    let ours = av1_configuration(&stream).expect("a record");
    assert_eq!(ours, ffmpegs, "{options}");
    assert_eq!(ours[1..3], expected, "{options}");
}

#[test]
fn depth_and_chroma_are_those_of_the_pictures() {
    for (pixels, expected) in [
        ("yuv420p", [0x00, 0b0000_1100]),
        ("yuv420p10le", [0x00, 0b0100_1100]),
        ("gray", [0x00, 0b0001_1100]),
        ("gray10le", [0x00, 0b0101_1100]),
        ("yuv444p", [0x20, 0b0000_0000]),
        ("yuv444p10le", [0x20, 0b0100_0000]),
        ("gbrp", [0x20, 0b0000_0000]),
        ("yuv422p", [0x40, 0b0000_1000]),
        ("yuv422p10le", [0x40, 0b0100_1000]),
        ("yuv420p12le", [0x40, 0b0110_1100]),
        ("yuv422p12le", [0x40, 0b0110_1000]),
        ("yuv444p12le", [0x40, 0b0110_0000]),
        ("gbrp12le", [0x40, 0b0110_0000]),
        ("gray12le", [0x40, 0b0111_1100]),
    ] {
        promise(&format!("{AOM} -pix_fmt {pixels}"), expected);
    }
}

#[test]
fn the_streams_of_other_encoders_are_read() {
    promise(&format!("{SVT} -pix_fmt yuv420p"), [0x00, 0b0000_1100]);
    promise(&format!("{SVT} -pix_fmt yuv420p10le"), [0x00, 0b0100_1100]);
    promise(
        "-c:v librav1e -speed 10 -pix_fmt yuv420p",
        [31, 0b0000_1100],
    );
}

#[test]
fn a_still_picture_has_a_short_header() {
    let options = "-c:v libaom-av1 -cpu-used 8 -still-picture 1 -frames:v 1 -pix_fmt yuv420p";
    promise(options, [0x00, 0b0000_1100]);
}

#[test]
fn timing_and_the_decoder_model_are_walked_over() {
    let yuv = format!("{AOM} -pix_fmt yuv420p");
    let model = format!("{yuv} -aom-params timing-info=model");
    promise(&model, [0x00, 0b0000_1100]);
    let ticks = "-bsf:v av1_metadata=tick_rate=30000/1001:num_ticks_per_picture=3";
    promise(&format!("{yuv} {ticks}"), [0x00, 0b0000_1100]);
    let located = format!("{yuv} {ticks}:chroma_sample_position=colocated");
    promise(&located, [0x00, 0b0000_1110]);
}

#[test]
fn what_is_cut_off_anywhere_gives_the_record_or_none() {
    let (stream, whole) = encode(&format!("{AOM} -pix_fmt yuv420p"));
    // A temporal delimiter of two bytes, then the sequence header.
    let header_end = 2 + whole.len() - 4;
    for length in 0..stream.len() {
        let expected = (length >= header_end).then_some(&whole);
        let record = av1_configuration(&stream[..length]);
        assert_eq!(record.as_ref(), expected, "{length} bytes");
    }
    // Without a size the OBU ends where the bytes do, and its last ones are trailing bits.
    let unsized_obu: Vec<u8> = [&[0x08], &whole[6..]].concat();
    for length in 0..unsized_obu.len() - 1 {
        assert_eq!(av1_configuration(&unsized_obu[..length]), None, "{length}");
    }
    assert_eq!(av1_configuration(&unsized_obu), Some(whole));
}

#[test]
fn frames_without_a_sequence_header_give_no_record() {
    let (stream, whole) = encode(&format!("{AOM} -pix_fmt yuv420p"));
    let frames = &stream[2 + whole.len() - 4..];
    assert_eq!(frames[0] >> 3, 6, "a frame OBU");
    assert_eq!(av1_configuration(frames), None);
    assert_eq!(av1_configuration(&[]), None);
}

/// A sequence header from fields, each a value and its bits, with trailing bits.
fn header(fields: &[(u64, u32)]) -> Vec<u8> {
    let bit = |value: u64, at: u32| (value >> at) & 1 != 0;
    let each = |&(value, count): &(u64, u32)| (0..count).rev().map(move |at| bit(value, at));
    let bits: Vec<bool> = fields.iter().flat_map(each).chain([true]).collect();
    let byte = |bits: &[bool]| {
        let ones = bits.iter().enumerate();
        ones.fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at))
    };
    bits.chunks(8).map(byte).collect()
}

/// Level 5.1 in the high tier first, level 2.0 second; frame ids; 16 bits of each size;
/// screen content and integer vectors forced; 12-bit 4:2:2.
fn layered() -> Vec<u8> {
    header(&[
        (2, 3),           // seq_profile
        (0, 2),           // still_picture, reduced_still_picture_header
        (1, 1),           // timing_info_present_flag
        (1, 32),          // num_units_in_display_tick
        (25, 32),         // time_scale
        (0, 1),           // equal_picture_interval
        (1, 1),           // decoder_model_info_present_flag
        (31, 5),          // buffer_delay_length_minus_1
        (u64::MAX, 42),   // the rest of decoder_model_info
        (1, 1),           // initial_display_delay_present_flag
        (1, 5),           // operating_points_cnt_minus_1
        (0x301, 12),      // operating_point_idc
        (13, 5),          // seq_level_idx
        (1, 1),           // seq_tier
        (1, 1),           // decoder_model_present_for_this_op
        (0, 64),          // the buffer delays
        (0, 1),           // low_delay_mode_flag
        (1, 1),           // initial_display_delay_present_for_this_op
        (9, 4),           // initial_display_delay_minus_1
        (0x101, 12),      // the second operating point
        (0, 5),           // its seq_level_idx, which has no tier
        (0, 1),           // no decoder model
        (0, 1),           // no display delay
        (0xFF, 8),        // 16 bits each for width and height
        (1919, 16),       // max_frame_width_minus_1
        (1079, 16),       // max_frame_height_minus_1
        (1, 1),           // frame_id_numbers_present_flag
        (0, 7),           // lengths of frame ids
        (0, 3),           // superblock, filter intra, intra edge
        (0, 4),           // interintra, masked, warped, dual filter
        (0, 1),           // enable_order_hint
        (0b01, 2),        // screen content tools: not chosen, forced on
        (0b00, 2),        // integer vectors: not chosen, forced off
        (0, 3),           // superres, cdef, restoration
        (0b11, 2),        // high_bitdepth, twelve_bit
        (0, 1),           // mono_chrome
        (1, 1),           // color_description_present_flag
        (0x09_10_09, 24), // BT.2020, PQ
        (0, 1),           // color_range
        (0b10, 2),        // 4:2:2
        (0, 1),           // separate_uv_delta_q
        (0, 1),           // film_grain_params_present
    ])
}

fn obu(header: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut size = payload.len();
    let mut bytes = header.to_vec();
    while size > 0x7F {
        bytes.push(size as u8 | 0x80);
        size >>= 7;
    }
    bytes.push(size as u8);
    bytes.extend(payload);
    bytes
}

#[test]
fn level_and_tier_are_those_of_the_first_operating_point() {
    let stream = obu(&[0x0A], &layered());
    let record = av1_configuration(&stream).expect("a record");
    let head = [0x81, 0x40 | 13, 0b1110_1000, 0x00];
    assert_eq!(record, [&head[..], &stream].concat());
}

#[test]
fn an_extension_and_a_long_size_field_do_not_hide_the_header() {
    let payload = layered();
    let extended = obu(&[0x0E, 0x20], &payload);
    let record = av1_configuration(&extended).expect("a record");
    assert_eq!(record[4..], extended);
    let long_size = [&[0x0A, payload.len() as u8 | 0x80, 0x80, 0], &payload[..]].concat();
    let record = av1_configuration(&long_size).expect("a record");
    assert_eq!(record[4..], obu(&[0x0A], &payload));
}

#[test]
fn a_damaged_header_gives_no_record() {
    let whole = layered();
    let reserved_profile = [&[whole[0] | 0xE0], &whole[1..]].concat();
    let size = [
        whole.len() as u8 | 0x80,
        0x80,
        0x80,
        0x80,
        0x80,
        0x80,
        0x80,
        0x80,
        0,
    ];
    let nine_byte_size = [&[0x0A], &size[..], &whole].concat();
    // timing_info() with equal_picture_interval, and no bit set in what follows.
    let endless = [&[0x04, 0, 0, 0, 0, 0, 0, 0, 0x02], &[0; 600][..]].concat();
    let padded = [whole.clone(), vec![0; MAX_SEQUENCE_HEADER_BYTES]].concat();
    for (stream, damage) in [
        (obu(&[0x8A], &whole), "forbidden bit"),
        (obu(&[0x0A], &reserved_profile), "reserved profile"),
        (obu(&[0x0A], &whole[..40]), "too short for its fields"),
        (obu(&[0x0A], &[]), "empty"),
        (obu(&[0x0A], &padded), "padding without end"),
        (nine_byte_size, "a size of nine bytes"),
        (obu(&[0x0A], &[0x04]), "one byte"),
        (obu(&[0x0A], &endless), "a number without end"),
    ] {
        assert_eq!(av1_configuration(&stream), None, "{damage}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_none_or_a_record_whose_header_gives_it_again(
        payload in prop::collection::vec(any::<u8>(), 0..200),
        header in prop::sample::select(vec![0x08, 0x0A, 0x0C, 0x0E, 0x12]),
    ) {
        let stream = [&[header], &payload[..]].concat();
        for stream in [stream, obu(&[0x0A], &payload)] {
            if let Some(record) = av1_configuration(&stream) {
                prop_assert_eq!(record[0], 0x81);
                prop_assert_eq!(av1_configuration(&record[4..]), Some(record.clone()));
            }
        }
    }
}
