// SPDX-License-Identifier: MPL-2.0
//! How samples of one description look in a transport stream.

use mpeg2ts::es::StreamType;
use mpeg2ts::ts::Descriptor;

use super::annex_b::AnnexB;
use super::error::TsWriteError;
use super::opus;
use crate::media::aac::{AdtsHeader, AudioSpecificConfig};
use crate::media::{Codec, codec_of_entry, dolby, mpeg_audio};

/// Below this rate MPEG audio is MPEG-2's (ISO/IEC 13818-3).
const MPEG1_LOWEST_RATE: u32 = 32_000;

/// How samples of one description look in a transport stream.
#[derive(Debug)]
pub enum Form {
    /// H.264 in a byte stream.
    H264(AnnexB),
    /// H.265 likewise.
    H265(AnnexB),
    /// AAC, each frame with an ADTS header.
    Aac {
        /// What it says.
        header: AdtsHeader,
        /// Samples per second.
        rate: u32,
    },
    /// MPEG audio of any layer, as it is.
    MpegAudio {
        /// Samples per second.
        rate: u32,
    },
    /// AC-3 as it is.
    Ac3 {
        /// Samples per second.
        rate: u32,
    },
    /// E-AC-3 as it is.
    Eac3 {
        /// Samples per second.
        rate: u32,
    },
    /// Opus, each packet with a control header.
    Opus {
        /// The number of its order of channels.
        channel_config: u8,
    },
}

impl Form {
    /// From a sample entry of the track `track`.
    ///
    /// # Errors
    /// If MPEG-TS has no place for the codec, or the entry is damaged.
    pub fn new(track: usize, entry: &[u8]) -> Result<Self, TsWriteError> {
        let damaged = |codec| move || TsWriteError::Configuration { track, codec };
        let variety = |codec, variety| TsWriteError::Variety {
            track,
            codec,
            variety,
        };
        let unknown = |codec| Err(TsWriteError::Codec { track, codec });
        match codec_of_entry(entry).map_err(|error| TsWriteError::Entry { track, error })? {
            Codec::H264 { avcc, .. } => {
                let form = AnnexB::from_avcc(&avcc);
                Ok(Self::H264(form.ok_or_else(damaged("H.264"))?))
            }
            Codec::H265 { hvcc, .. } => {
                let form = AnnexB::from_hvcc(&hvcc);
                Ok(Self::H265(form.ok_or_else(damaged("H.265"))?))
            }
            Codec::Aac {
                audio_specific_config,
                ..
            } => {
                let config = AudioSpecificConfig::parse(&audio_specific_config);
                let config = config.ok_or_else(damaged("AAC"))?;
                let header = AdtsHeader::new(&config).map_err(|what| variety("AAC", what))?;
                Ok(Self::Aac {
                    header,
                    rate: config.rate,
                })
            }
            Codec::Mp2 { rate, .. } | Codec::Mp3 { rate, .. } => Ok(Self::MpegAudio { rate }),
            Codec::Ac3 { rate, .. } => Ok(Self::Ac3 { rate }),
            Codec::Eac3 { rate, .. } => Ok(Self::Eac3 { rate }),
            Codec::Opus {
                channels, mapping, ..
            } => {
                let config = opus::channel_config(channels, mapping.as_ref());
                let special = || format!("{channels} channels in an order of its own");
                Ok(Self::Opus {
                    channel_config: config.ok_or_else(|| variety("Opus", special()))?,
                })
            }
            Codec::Av1 { .. } => unknown("AV1"),
            Codec::Vp9 { .. } => unknown("VP9"),
            Codec::Flac { .. } => unknown("FLAC"),
            Codec::Alaw { .. } => unknown("A-law"),
            Codec::Mulaw { .. } => unknown("µ-law"),
        }
    }

    /// It holds pictures.
    pub fn is_video(&self) -> bool {
        matches!(self, Self::H264(_) | Self::H265(_))
    }

    /// Its number in the programme map (ISO/IEC 13818-1 table 2-34).
    pub fn stream_type(&self) -> StreamType {
        match self {
            Self::H264(_) => StreamType::H264,
            Self::H265(_) => StreamType::H265,
            Self::Aac { .. } => StreamType::AdtsAac,
            Self::MpegAudio { rate } if *rate < MPEG1_LOWEST_RATE => {
                StreamType::Mpeg2HalvedSampleRateAudio
            }
            Self::MpegAudio { .. } => StreamType::Mpeg1Audio,
            // ATSC A/52 annexes A and G.
            Self::Ac3 { .. } => StreamType::DolbyDigitalUpToSixChannelAudio,
            Self::Eac3 { .. } => StreamType::DolbyDigitalPlusUpTo16ChannelAudioForAtsc,
            // Private data; the descriptors say what it is.
            Self::Opus { .. } => StreamType::Mpeg2PacketizedData,
        }
    }

    /// What else the programme map says of it.
    pub fn descriptors(&self) -> Vec<Descriptor> {
        match self {
            Self::Opus { channel_config } => opus::descriptors(*channel_config),
            Self::Ac3 { .. } => vec![registration(b"AC-3")],
            Self::Eac3 { .. } => vec![registration(b"EAC3")],
            _ => Vec::new(),
        }
    }

    /// Appends a sample, with its parameter sets if it wants them; `false` if it is too long.
    pub fn append(&self, sample: &[u8], wants_sets: bool, out: &mut Vec<u8>) -> bool {
        match self {
            Self::H264(form) | Self::H265(form) => form.append(sample, wants_sets, out),
            Self::Aac { header, .. } => {
                let Some(header) = header.of_frame(sample.len()) else {
                    return false;
                };
                out.extend_from_slice(&header);
                out.extend_from_slice(sample);
            }
            Self::MpegAudio { .. } | Self::Ac3 { .. } | Self::Eac3 { .. } => {
                out.extend_from_slice(sample);
            }
            Self::Opus { .. } => opus::append(sample, out),
        }
        true
    }

    /// How long a frame of sound lasts, at 90 kHz.
    pub fn duration_90k(&self, sample: &[u8]) -> i64 {
        let (samples, rate) = match self {
            Self::H264(_) | Self::H265(_) => (0, 0),
            Self::Aac { rate, .. } => (1024, *rate),
            Self::MpegAudio { rate } => {
                let header = mpeg_audio::Header::parse(sample);
                (header.map_or(0, |header| header.samples), *rate)
            }
            Self::Ac3 { rate } | Self::Eac3 { rate } => match dolby::find(sample) {
                dolby::Found::Unit(unit) => (unit.samples, *rate),
                _ => (0, *rate),
            },
            Self::Opus { .. } => (opus::samples(sample), 48_000),
        };
        i64::from(samples) * 90_000 / i64::from(rate.max(1))
    }
}

/// Whose format it is (ISO/IEC 13818-1 §2.6.8).
fn registration(format: &[u8; 4]) -> Descriptor {
    const REGISTRATION: u8 = 0x05;
    Descriptor {
        tag: REGISTRATION,
        data: format.to_vec(),
    }
}
