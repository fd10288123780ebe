// SPDX-License-Identifier: MPL-2.0
//! From an encoder's byte stream to samples as the source has them.

use super::hevc::{self, HevcSps};
use super::source::{Codec, Source};
use super::sps::Sps;
use super::{EncodeError, Moment};
use crate::media::nal::{self, Sets, h264, h265};

/// Payload types of supplemental enhancement information (H.264 §D.1.1, H.265 §D.2.1) that belong
/// to an encoder and its reference decoder: buffering period, picture timing, and user data in
/// which x264 and x265 sign with their version.
const OWN_SEI: [u8; 3] = [0, 1, 5];
/// The first and last types of intra random access pictures (H.265 table 7-1).
const H265_ENTRIES: std::ops::RangeInclusive<u8> = 16..=21;

/// What a NAL unit is to a sample.
enum Role {
    Picture { is_entry: bool },
    Information,
    Vps,
    Sps,
    Pps,
    Unwanted,
}

/// Makes samples of encoded frames.
#[derive(Debug)]
pub struct Output {
    source: Source,
    sets: Option<Sets>,
}

impl Output {
    pub fn new(source: Source) -> Self {
        Self { source, sets: None }
    }

    /// The parameter sets, once the first frame is out.
    pub fn sets(&self) -> Option<&Sets> {
        self.sets.as_ref()
    }

    /// The sample of an access unit, and whether decoding can start with it.
    pub fn sample(
        &mut self,
        stream: &[u8],
        moment: Moment,
    ) -> Result<(Vec<u8>, bool), EncodeError> {
        let mut sample = Vec::with_capacity(stream.len() + 16);
        let length_bytes = self.source.sets.length_bytes;
        let mut sets = Sets {
            length_bytes,
            ..Sets::default()
        };
        let mut starts = false;
        for unit in nal::in_byte_stream(stream) {
            match role(self.source.codec, unit) {
                Role::Picture { is_entry } => {
                    starts |= is_entry;
                    push(&mut sample, unit, length_bytes)?;
                }
                Role::Information => push(&mut sample, unit, length_bytes)?,
                Role::Vps => sets.vps.push(self.like_source(unit)),
                Role::Sps => sets.sps.push(self.like_source(unit)),
                Role::Pps => sets.pps.push(unit.to_vec()),
                Role::Unwanted => {}
            }
        }
        self.check(sets, starts, moment)?;
        Ok((sample, starts))
    }

    /// The first frame brings the parameter sets; none may bring others.
    fn check(&mut self, sets: Sets, starts: bool, moment: Moment) -> Result<(), EncodeError> {
        match &self.sets {
            None if starts && !sets.sps.is_empty() && !sets.pps.is_empty() => {
                self.sets = Some(sets);
                Ok(())
            }
            None => Err(EncodeError::NoStart),
            Some(_) if sets.all().next().is_none() => Ok(()),
            Some(first) if *first == sets => Ok(()),
            Some(_) => Err(EncodeError::SetsChanged(moment)),
        }
    }

    /// A VPS or SPS that says what the source's says.
    fn like_source(&self, unit: &[u8]) -> Vec<u8> {
        let source = &self.source;
        let like = match source.codec {
            Codec::H264 => {
                (source.sps.as_ref().zip(Sps::parse(unit))).map(|(source, own)| own.like(source))
            }
            Codec::H265 => {
                let sps = source.hevc_sps.as_ref();
                sps.and_then(|source| match h265::kind(unit) {
                    h265::SPS => HevcSps::parse(unit)?.like(source),
                    _ => hevc::vps_like(unit, source),
                })
            }
        };
        let unit = like.unwrap_or_else(|| unit.to_vec());
        match source.h265_level() {
            Some(level) => hevc::with_level(&unit, level),
            None => unit,
        }
    }
}

fn role(codec: Codec, unit: &[u8]) -> Role {
    let information = |payload: Option<&u8>| match payload {
        Some(kind) if OWN_SEI.contains(kind) => Role::Unwanted,
        _ => Role::Information,
    };
    match codec {
        Codec::H264 => match h264::kind(unit) {
            kind @ h264::SLICE..=h264::IDR => Role::Picture {
                is_entry: kind == h264::IDR,
            },
            h264::SPS => Role::Sps,
            h264::PPS => Role::Pps,
            h264::SEI => information(unit.get(1)),
            h264::SPS_EXTENSION => Role::Information,
            _ => Role::Unwanted,
        },
        Codec::H265 => match h265::kind(unit) {
            kind @ ..h265::VPS => Role::Picture {
                is_entry: H265_ENTRIES.contains(&kind),
            },
            h265::VPS => Role::Vps,
            h265::SPS => Role::Sps,
            h265::PPS => Role::Pps,
            h265::SEI => information(unit.get(2)),
            kind if kind == h265::SEI + 1 => Role::Information,
            _ => Role::Unwanted,
        },
    }
}

fn push(sample: &mut Vec<u8>, unit: &[u8], length_bytes: usize) -> Result<(), EncodeError> {
    if nal::push(sample, unit, length_bytes) {
        Ok(())
    } else {
        Err(EncodeError::UnitTooLong {
            unit_bytes: unit.len(),
            length_bytes,
        })
    }
}
