// SPDX-License-Identifier: MPL-2.0
//! NAL units that cameras put in: SEI without meaning, and parameter sets of another id.

use crate::frames::Codec;
use crate::scripted_camera::access_units::{Unit, unit_type};

/// SEI of user data (ITU-T H.264 D.1.6, ITU-T H.265 D.2.6) with `number` in it.
pub fn user_data(codec: Codec, number: usize) -> Unit {
    let text = format!("{number:012}");
    let mut unit = match codec {
        Codec::H264 => vec![6],
        _ => vec![39 << 1, 1],
    };
    unit.extend([5, 28]);
    unit.extend(*b"no meaning here!");
    unit.extend(text.as_bytes());
    unit.push(0x80);
    unit
}

/// An access unit delimiter for any slices (ITU-T H.264 7.3.2.4, ITU-T H.265 7.3.2.5).
pub fn delimiter(codec: Codec) -> Unit {
    match codec {
        Codec::H264 => vec![9, 0xf0],
        _ => vec![35 << 1, 1, 0x50],
    }
}

/// Whether a NAL unit is a picture parameter set.
pub fn is_picture_set(codec: Codec, unit: &[u8]) -> bool {
    unit_type(codec, unit) == if codec == Codec::H264 { 8 } else { 34 }
}

/// A picture parameter set of id 0 with id 1 instead.
pub fn picture_set_of_id_1(codec: Codec, unit: &[u8]) -> Unit {
    let head = if codec == Codec::H264 { 1 } else { 2 };
    with_id_1(unit, head, 0)
}

/// A slice of H.264 that uses picture parameter set 1 instead of 0. Without CABAC only: its data need
/// not begin at a byte (ITU-T H.264 7.3.4).
pub fn slice_of_id_1(unit: &[u8]) -> Unit {
    // first_mb_in_slice and slice_type come first (7.3.3).
    with_id_1(unit, 1, 2)
}

/// Replaces an Exp-Golomb 0 by 1, behind `head` bytes and `before` other such numbers.
fn with_id_1(unit: &[u8], head: usize, before: usize) -> Unit {
    let (head, payload) = unit.split_at(head);
    let payload = without_emulation(payload);
    let mut bits: Vec<bool> = payload
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
        .collect();
    let mut at = 0;
    for _ in 0..before {
        let zeros = bits[at..].iter().take_while(|bit| !**bit).count();
        at += 2 * zeros + 1;
    }
    assert!(bits[at], "the id is 0");
    bits.splice(at..=at, [false, true, false]);
    // The stop bit and what aligns it (7.3.2.11).
    while bits.last() == Some(&false) {
        bits.pop();
    }
    bits.resize(bits.len().next_multiple_of(8), false);
    let byte = |bits: &[bool]| {
        bits.iter()
            .fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit))
    };
    let payload: Vec<u8> = bits.chunks(8).map(byte).collect();
    [head, &with_emulation(&payload)].concat()
}

/// Takes out each 3 that follows two zeros (7.3.1).
fn without_emulation(payload: &[u8]) -> Vec<u8> {
    let mut plain: Vec<u8> = Vec::with_capacity(payload.len());
    let mut zeros = 0;
    for byte in payload {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        plain.push(*byte);
    }
    plain
}

/// Puts a 3 in wherever a start code would be seen (7.4.1).
fn with_emulation(plain: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(plain.len());
    let mut zeros = 0;
    for byte in plain {
        if zeros >= 2 && *byte <= 3 {
            payload.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        payload.push(*byte);
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_0_becomes_1_and_what_follows_stays() {
        // Header, then 1 (id 0), 1 (sequence set 0), 0 1 1 0, stop bit.
        let changed = picture_set_of_id_1(Codec::H264, &[0x68, 0b1101_1010]);
        assert_eq!(changed, [0x68, 0b0101_0110, 0b1000_0000]);
    }

    #[test]
    fn what_looks_like_a_start_code_is_escaped() {
        let plain = [0, 0, 1, 0, 0, 0, 0, 0, 3];
        let escaped = with_emulation(&plain);
        assert_eq!(escaped, [0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 0, 3]);
        assert_eq!(without_emulation(&escaped), plain);
    }
}
