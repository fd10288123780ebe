// SPDX-License-Identifier: MPL-2.0
//! Headers of MPEG audio (ISO/IEC 11172-3 §2.4.1.3, ISO/IEC 13818-3): what a frame says of itself.
//!
//! An MP4 sample entry tells MPEG audio, not its layer, so whoever has to know asks the first frame.

/// Bytes of a header.
pub const HEADER_BYTES: usize = 4;
/// Bits of `mode`.
const MODE_MONO: u8 = 3;
/// kbit/s by `bitrate_index`, from 1 on; of MPEG-1, layers I to III, then of MPEG-2 and 2.5.
const KBITS: [[u32; 14]; 5] = [
    [
        32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
    ],
    [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ],
    [
        32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
    ],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/// Samples per second of MPEG-1 by `sampling_frequency`.
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 1 to 3.
    pub layer: u8,
    /// Samples per second.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Samples of the frame, of each channel.
    pub samples: u32,
    /// Bytes of the frame, header included.
    pub frame_bytes: usize,
}

impl Header {
    /// Of the frame that starts with these bytes. Frames of free bit rate, whose length nothing
    /// says, are none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [sync, version, rates, mode] = *bytes.first_chunk::<HEADER_BYTES>()?;
        if sync != 0xFF || version & 0xE0 != 0xE0 {
            return None;
        }
        // 0 is reserved.
        let layer = 4 - ((version >> 1) & 3);
        // MPEG-1 is 3, MPEG-2 is 2 and halves the rates, MPEG-2.5 is 0 and halves them again.
        let halvings = match (version >> 3) & 3 {
            3 => 0,
            2 => 1,
            0 => 2,
            _ => return None,
        };
        let table = match (halvings, layer) {
            (0, 1..=3) => usize::from(layer) - 1,
            (_, 1) => 3,
            (_, 2 | 3) => 4,
            _ => return None,
        };
        let index = usize::from(rates >> 4).checked_sub(1)?;
        let bits = KBITS.get(table)?.get(index)? * 1000;
        let rate = RATES.get(usize::from((rates >> 2) & 3))? >> halvings;
        let padding = u32::from((rates >> 1) & 1);
        let (samples, bytes) = match (layer, halvings) {
            (1, _) => (384, (12 * bits / rate + padding) * 4),
            (3, 1..) => (576, 72 * bits / rate + padding),
            _ => (1152, 144 * bits / rate + padding),
        };
        Some(Self {
            layer,
            rate,
            channels: if mode >> 6 == MODE_MONO { 1 } else { 2 },
            samples,
            frame_bytes: bytes as usize,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_layer_rate_and_length() {
        // Layer II at 48 kHz, 192 kbit/s, stereo; layer III of MPEG-2 at 24 kHz, 64 kbit/s, mono;
        // layer I at 32 kHz, 32 kbit/s, padded.
        for (bytes, layer, rate, channels, samples, frame_bytes) in [
            ([0xFF, 0xFD, 0xA4, 0x00], 2, 48_000, 2, 1152, 576),
            ([0xFF, 0xF3, 0x84, 0xC0], 3, 24_000, 1, 576, 192),
            ([0xFF, 0xFF, 0x1A, 0x00], 1, 32_000, 2, 384, 52),
        ] {
            let wanted = Header {
                layer,
                rate,
                channels,
                samples,
                frame_bytes,
            };
            assert_eq!(Header::parse(&bytes), Some(wanted));
        }
        for none in [
            &[0xFF, 0xFD, 0xA4][..], // cut off
            &[0xFE, 0xFD, 0xA4, 0],  // no sync word
            &[0xFF, 0xF9, 0xA4, 0],  // reserved layer
            &[0xFF, 0xFD, 0x04, 0],  // free bit rate
            &[0xFF, 0xFD, 0xAC, 0],  // reserved rate
        ] {
            assert_eq!(Header::parse(none), None);
        }
    }
}
