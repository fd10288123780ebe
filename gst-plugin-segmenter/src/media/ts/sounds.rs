// SPDX-License-Identifier: MPL-2.0
//! Frames of sound in what PES packets hold: AAC in ADTS and in LATM, MPEG audio, AC-3, E-AC-3 and
//! Opus, each with a header that says how long its frame is.

use super::super::dolby;
use super::super::format::Codec;
use super::{adts, latm, mpeg_audio, opus};

/// What sound is coded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Adts,
    /// With the configuration that came last.
    Latm(Option<Configuration>),
    MpegAudio,
    /// AC-3 or E-AC-3: frames tell which.
    Dolby,
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
    /// Bytes in front of what a sample is made of.
    pub header_bytes: usize,
    /// Bytes that it is made of.
    pub coded_bytes: usize,
    /// Bytes of the sample: as many, but of LATM.
    pub sample_bytes: usize,
    /// How long it sounds, in samples at the rate of its configuration.
    pub samples: u32,
    pub configuration: Configuration,
}

/// What a decoder has to know beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    Aac {
        specific: Specific,
        channels: u16,
        rate: u32,
        /// Of a frame.
        samples: u32,
    },
    Mp2 {
        channels: u16,
        rate: u32,
    },
    Mp3 {
        channels: u16,
        rate: u32,
    },
    Ac3 {
        dac3: dolby::Configuration,
        channels: u16,
        rate: u32,
    },
    Eac3 {
        dec3: dolby::Configuration,
        channels: u16,
        rate: u32,
    },
    Opus(opus::Layout),
    /// It comes later in the stream (LATM).
    Pending,
}

/// An AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1), kept by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Specific {
    bytes: [u8; Self::MOST_BYTES],
    length: usize,
}

impl Specific {
    /// Without a list of channels it is far shorter.
    const MOST_BYTES: usize = 16;

    pub fn new(config: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MOST_BYTES];
        bytes.get_mut(..config.len())?.copy_from_slice(config);
        Some(Self {
            bytes,
            length: config.len(),
        })
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Coding {
    /// What starts with these bytes.
    pub fn find(self, bytes: &[u8]) -> Found {
        match self {
            Self::Adts => adts::find(bytes),
            Self::Latm(known) => latm::find(bytes, known),
            Self::MpegAudio => mpeg_audio::find(bytes),
            Self::Dolby => find_dolby(bytes),
            Self::Opus(layout) => opus::find(bytes, layout),
        }
    }

    /// What it is behind this frame.
    pub fn behind(self, sound: &Sound) -> Self {
        match self {
            Self::Latm(_) if sound.configuration != Configuration::Pending => {
                Self::Latm(Some(sound.configuration))
            }
            same => same,
        }
    }
}

fn find_dolby(bytes: &[u8]) -> Found {
    let unit = match dolby::find(bytes) {
        dolby::Found::Unit(unit) => unit,
        dolby::Found::Part => return Found::Part,
        dolby::Found::Nothing => return Found::Nothing,
    };
    let (channels, rate) = (unit.channels, unit.rate);
    Found::Frame(Sound {
        header_bytes: 0,
        coded_bytes: unit.bytes,
        sample_bytes: unit.bytes,
        samples: unit.samples,
        configuration: match unit.is_enhanced {
            false => Configuration::Ac3 {
                dac3: unit.configuration,
                channels,
                rate,
            },
            true => Configuration::Eac3 {
                dec3: unit.configuration,
                channels,
                rate,
            },
        },
    })
}

impl Sound {
    /// Of the whole frame.
    pub fn bytes(&self) -> usize {
        self.header_bytes + self.coded_bytes
    }
}

impl Configuration {
    /// Samples per second; 0 if it is not known yet.
    pub fn rate(self) -> u32 {
        match self {
            Self::Aac { rate, .. }
            | Self::Mp2 { rate, .. }
            | Self::Mp3 { rate, .. }
            | Self::Ac3 { rate, .. }
            | Self::Eac3 { rate, .. } => rate,
            Self::Opus(_) => opus::RATE,
            Self::Pending => 0,
        }
    }

    /// `None` if it is not known yet.
    pub fn codec(self) -> Option<Codec> {
        Some(match self {
            Self::Aac {
                specific,
                channels,
                rate,
                ..
            } => Codec::Aac {
                audio_specific_config: specific.bytes().to_vec(),
                channels,
                rate,
            },
            Self::Mp2 { channels, rate } => Codec::Mp2 { channels, rate },
            Self::Mp3 { channels, rate } => Codec::Mp3 { channels, rate },
            Self::Ac3 {
                dac3,
                channels,
                rate,
            } => Codec::Ac3 {
                dac3: dac3.body().to_vec(),
                channels,
                rate,
            },
            Self::Eac3 {
                dec3,
                channels,
                rate,
            } => Codec::Eac3 {
                dec3: dec3.body().to_vec(),
                channels,
                rate,
            },
            Self::Opus(layout) => layout.codec(),
            Self::Pending => return None,
        })
    }
}
