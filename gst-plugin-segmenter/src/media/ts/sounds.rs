// SPDX-License-Identifier: MPL-2.0
//! Frames of sound in what PES packets hold: ADTS, MP3 and Opus, each with a header that says how
//! long its frame is.

use super::super::format::Codec;
use super::{adts, mp3, opus};

/// What sound is coded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Adts,
    MpegAudio,
    /// With the layout of its channels ([`opus::Layout`]).
    Opus(opus::Layout),
}

/// What the bytes at a place are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Frame(Sound),
    /// Perhaps a frame that is not all there.
    Part,
    /// No frame.
    Nothing,
    /// A frame of a kind that samples of MP4 cannot be.
    Unsuited(&'static str),
}

/// A frame of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Bytes in front of what a sample holds.
    pub header_bytes: usize,
    pub sample_bytes: usize,
    /// How long it sounds, in samples at the rate of its configuration.
    pub samples: u32,
    pub configuration: Configuration,
}

/// What a decoder has to know beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    Aac {
        /// AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
        specific: [u8; 2],
        channels: u16,
        rate: u32,
    },
    Mp3 {
        channels: u16,
        rate: u32,
    },
    Opus(opus::Layout),
}

impl Coding {
    /// What starts with these bytes.
    pub fn find(self, bytes: &[u8]) -> Found {
        match self {
            Self::Adts => adts::find(bytes),
            Self::MpegAudio => mp3::find(bytes),
            Self::Opus(layout) => opus::find(bytes, layout),
        }
    }
}

impl Sound {
    /// Of the whole frame.
    pub fn bytes(&self) -> usize {
        self.header_bytes + self.sample_bytes
    }
}

impl Configuration {
    /// Samples per second.
    pub fn rate(self) -> u32 {
        match self {
            Self::Aac { rate, .. } | Self::Mp3 { rate, .. } => rate,
            Self::Opus(_) => opus::RATE,
        }
    }

    pub fn codec(self) -> Codec {
        match self {
            Self::Aac {
                specific,
                channels,
                rate,
            } => Codec::Aac {
                audio_specific_config: specific.to_vec(),
                channels,
                rate,
            },
            Self::Mp3 { channels, rate } => Codec::Mp3 { channels, rate },
            Self::Opus(layout) => layout.codec(),
        }
    }
}
