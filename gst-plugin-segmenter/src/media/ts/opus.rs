// SPDX-License-Identifier: MPL-2.0
//! Opus in private streams (ETSI TS 103 491 annex; "Opus in MPEG-TS" of the Opus wiki): a control
//! header before each packet, which MP4 does without.

use super::super::format::{Codec, OpusMapping};
use super::psi::Elementary;
use super::sounds::{Configuration, Found, Sound};

/// Opus always decodes at this rate.
pub const RATE: u32 = 48_000;

const TAG_REGISTRATION: u8 = 0x05;
const TAG_EXTENSION: u8 = 0x7F;
/// Of the extension descriptor: what is in it is for a user of DVB, here Opus.
const EXTENSION_OPUS: u8 = 0x80;
/// A frame of an Opus packet has no more samples than this (RFC 6716 §2.1.4).
const MOST_PACKET_SAMPLES: u32 = RATE * 120 / 1000;

/// How channels are laid out: the `channel_config_code` of the descriptor, 1 to 8, which is their
/// number too, in Vorbis order (RFC 7845 §5.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout(u8);

impl Layout {
    /// Of a stream that is announced as Opus; `None` if it is not, the code if it is unknown.
    pub fn announced(stream: &Elementary) -> Option<Result<Self, u8>> {
        let mut registrations = stream.descriptors(TAG_REGISTRATION);
        registrations.find(|body| body.starts_with(b"Opus"))?;
        let code = stream
            .descriptors(TAG_EXTENSION)
            .find_map(|body| match body {
                [EXTENSION_OPUS, code, ..] => Some(*code),
                _ => None,
            });
        let code = code.unwrap_or(2);
        Some(if (1..=8).contains(&code) {
            Ok(Self(code))
        } else {
            Err(code)
        })
    }

    /// Segments begin anywhere in a stream, so nothing is to be thrown away at the start.
    pub fn codec(self) -> Codec {
        Codec::Opus {
            channels: self.0,
            pre_skip: 0,
            input_rate: RATE,
            gain: 0,
            mapping: self.mapping(),
        }
    }

    /// Family 1 for more than two channels: streams, how many of them are stereo, and which
    /// decoded channel each channel is.
    fn mapping(self) -> Option<OpusMapping> {
        let (streams, coupled, channels): (u8, u8, &[u8]) = match self.0 {
            3 => (2, 1, &[0, 2, 1]),
            4 => (2, 2, &[0, 1, 2, 3]),
            5 => (3, 2, &[0, 4, 1, 2, 3]),
            6 => (4, 2, &[0, 4, 1, 2, 3, 5]),
            7 => (4, 3, &[0, 4, 1, 2, 3, 5, 6]),
            8 => (5, 3, &[0, 6, 1, 2, 3, 4, 5, 7]),
            _ => return None,
        };
        Some(OpusMapping {
            family: 1,
            streams,
            coupled,
            channels: channels.to_vec(),
        })
    }
}

/// What starts with these bytes: `opus_access_unit()`.
pub fn find(bytes: &[u8], layout: Layout) -> Found {
    let Some(header) = Control::parse(bytes) else {
        return Found::Nothing;
    };
    let end = header.header_bytes.saturating_add(header.packet_bytes);
    let Some(packet) = bytes.get(header.header_bytes..end) else {
        return Found::Part;
    };
    let Some(samples) = packet_samples(packet) else {
        return Found::Nothing;
    };
    Found::Frame(Sound {
        header_bytes: header.header_bytes,
        coded_bytes: header.packet_bytes,
        sample_bytes: header.packet_bytes,
        samples,
        configuration: Configuration::Opus(layout),
    })
}

/// `opus_control_header()`.
struct Control {
    header_bytes: usize,
    packet_bytes: usize,
}

impl Control {
    fn parse(bytes: &[u8]) -> Option<Self> {
        const PREFIX: u8 = 0x7F;
        const PREFIX_LOW: u8 = 0xE0;
        const FLAG_START_TRIM: u8 = 0x10;
        const FLAG_END_TRIM: u8 = 0x08;
        const FLAG_EXTENSION: u8 = 0x04;
        let ([PREFIX, flags], sizes) = bytes.split_first_chunk::<2>()? else {
            return None;
        };
        if flags & PREFIX_LOW != PREFIX_LOW {
            return None;
        }
        // The size is a sum: each byte of 255 is followed by another.
        let full = sizes.iter().position(|byte| *byte != 0xFF)?;
        let packet_bytes = full * 0xFF + usize::from(*sizes.get(full)?);
        let mut header_bytes = 2 + full + 1;
        for flag in [FLAG_START_TRIM, FLAG_END_TRIM] {
            header_bytes += if flags & flag != 0 { 2 } else { 0 };
        }
        if flags & FLAG_EXTENSION != 0 {
            header_bytes += 1 + usize::from(*bytes.get(header_bytes)?);
        }
        Some(Self {
            header_bytes,
            packet_bytes,
        })
    }
}

/// How long an Opus packet sounds (RFC 6716 §3.1, §3.2).
fn packet_samples(packet: &[u8]) -> Option<u32> {
    let (toc, rest) = packet.split_first()?;
    let configuration = toc >> 3;
    let frame_samples = match configuration {
        0..12 => [480, 960, 1920, 2880]
            .get(usize::from(configuration & 3))
            .copied()?,
        12..16 => 480 << (configuration & 1),
        _ => 120 << (configuration & 3),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(rest.first()? & 0x3F),
    };
    let samples = frame_samples * frames;
    (1..=MOST_PACKET_SAMPLES)
        .contains(&samples)
        .then_some(samples)
}
