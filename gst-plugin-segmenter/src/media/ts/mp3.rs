// SPDX-License-Identifier: MPL-2.0
//! MPEG audio of layer III (ISO/IEC 11172-3 §2.4.1.3, ISO/IEC 13818-3): samples keep the header.

use super::sounds::{Configuration, Found, Sound};

const HEADER_BYTES: usize = 4;
/// Bits of `layer`.
const LAYER_III: u8 = 1;
const LAYER_RESERVED: u8 = 0;
/// Bits of `mode`.
const MODE_MONO: u8 = 3;
/// kbit/s by `bitrate_index`, from 1 on.
const KBITS_MPEG1: [u32; 14] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];
const KBITS_MPEG2: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
/// Samples per second of MPEG-1 by `sampling_frequency`.
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// What starts with these bytes. Frames of free bit rate, whose length nothing says, are none.
pub fn find(bytes: &[u8]) -> Found {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return if is_sync(bytes) {
            Found::Part
        } else {
            Found::Nothing
        };
    };
    if !is_sync(bytes) {
        return Found::Nothing;
    }
    let [_, version, rates, mode] = *header;
    let layer = (version >> 1) & 3;
    // MPEG-1 is 3, MPEG-2 is 2 and halves the rates, MPEG-2.5 is 0 and halves them again.
    let (halvings, kbits) = match (version >> 3) & 3 {
        3 => (0, KBITS_MPEG1),
        2 => (1, KBITS_MPEG2),
        0 => (2, KBITS_MPEG2),
        _ => return Found::Nothing,
    };
    let index = usize::from(rates >> 4).checked_sub(1);
    let kbits = index.and_then(|index| kbits.get(index)).copied();
    let rate = RATES.get(usize::from((rates >> 2) & 3)).copied();
    let (Some(kbits), Some(rate)) = (kbits, rate) else {
        return Found::Nothing;
    };
    if layer != LAYER_III {
        return if layer == LAYER_RESERVED {
            Found::Nothing
        } else {
            Found::Unsuited("MPEG audio of layer I or II")
        };
    }
    let rate = rate >> halvings;
    let samples = if halvings == 0 { 1152 } else { 576 };
    let padding = u32::from((rates >> 1) & 1);
    let frame_bytes = (samples / 8 * kbits * 1000 / rate + padding) as usize;
    if bytes.len() < frame_bytes {
        return Found::Part;
    }
    Found::Frame(Sound {
        header_bytes: 0,
        sample_bytes: frame_bytes,
        samples,
        configuration: Configuration::Mp3 {
            channels: if mode >> 6 == MODE_MONO { 1 } else { 2 },
            rate,
        },
    })
}

/// As far as they go, the bytes are a sync word.
fn is_sync(bytes: &[u8]) -> bool {
    let is = |at: usize, mask: u8| bytes.get(at).is_none_or(|byte| byte & mask == mask);
    is(0, 0xFF) && is(1, 0xE0)
}
