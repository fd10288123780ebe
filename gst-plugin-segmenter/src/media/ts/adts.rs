// SPDX-License-Identifier: MPL-2.0
//! AAC in ADTS (ISO/IEC 14496-3 §1.A.3): a header before each frame, which MP4 does without.

use super::sounds::{Configuration, Found, Sound, Specific};

const HEADER_BYTES: usize = 7;
const CHECKSUM_BYTES: usize = 2;
/// Samples of a frame, at the rate in the header (SBR doubles both).
const FRAME_SAMPLES: u32 = 1024;
/// Sampling rates by `sampling_frequency_index` (ISO/IEC 14496-3 table 1.18).
pub const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// What starts with these bytes.
pub fn find(bytes: &[u8]) -> Found {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return if is_sync(bytes) {
            Found::Part
        } else {
            Found::Nothing
        };
    };
    let [_, flags, profile, layout, length, low, blocks] = *header;
    let rate_index = (profile >> 2) & 0x0F;
    let frame_bytes =
        usize::from(layout & 3) << 11 | usize::from(length) << 3 | usize::from(low >> 5);
    let has_checksum = flags & 1 == 0;
    let header_bytes = HEADER_BYTES + if has_checksum { CHECKSUM_BYTES } else { 0 };
    let rate = RATES.get(usize::from(rate_index)).copied();
    let sample_bytes = frame_bytes
        .checked_sub(header_bytes)
        .filter(|bytes| *bytes > 0);
    let (true, Some(rate), Some(sample_bytes)) = (is_sync(bytes), rate, sample_bytes) else {
        return Found::Nothing;
    };
    let channels = (profile & 1) << 2 | layout >> 6;
    if blocks & 3 != 0 {
        return Found::Unsuited("several blocks in an ADTS frame");
    }
    if channels == 0 {
        return Found::Unsuited("channels told in the stream itself");
    }
    if bytes.len() < frame_bytes {
        return Found::Part;
    }
    let Some(specific) = Specific::new(&specific(profile >> 6, rate_index, channels)) else {
        return Found::Nothing;
    };
    Found::Frame(Sound {
        header_bytes,
        coded_bytes: sample_bytes,
        sample_bytes,
        samples: FRAME_SAMPLES,
        configuration: Configuration::Aac {
            specific,
            channels: if channels == 7 { 8 } else { channels.into() },
            rate,
            samples: FRAME_SAMPLES,
        },
    })
}

/// As far as they go, the bytes are a sync word, an ID and layer 0.
fn is_sync(bytes: &[u8]) -> bool {
    let is = |at: usize, mask: u8, value: u8| bytes.get(at).is_none_or(|byte| byte & mask == value);
    is(0, 0xFF, 0xFF) && is(1, 0xF6, 0xF0)
}

/// AudioSpecificConfig: the object type is the profile and one, then rate and channels; a frame
/// has 1024 samples, depends on nothing and has no extension (ISO/IEC 14496-3 §1.6.2.1, §4.4.1).
fn specific(profile: u8, rate_index: u8, channels: u8) -> [u8; 2] {
    let object = u16::from(profile) + 1;
    (object << 11 | u16::from(rate_index) << 7 | u16::from(channels) << 3).to_be_bytes()
}
