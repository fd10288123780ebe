// SPDX-License-Identifier: MPL-2.0
//! From an encoder's byte stream to samples as the source has them.

use std::sync::Arc;

use super::hevc::{self, HevcSps};
use super::information::{self, Carried, Message};
use super::source::{Codec, Source};
use super::sps::Sps;
use super::{EncodeError, Moment};
use crate::media::nal::{self, Sets, h264, h265};

/// The first and last types of intra random access pictures (H.265 table 7-1).
const H265_ENTRIES: std::ops::RangeInclusive<u8> = 16..=21;

/// What a NAL unit is to a sample.
enum Role {
    Picture { is_entry: bool },
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
    /// What was said last of all pictures that follow.
    lasting: Arc<[Message]>,
}

impl Output {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            sets: None,
            lasting: Arc::default(),
        }
    }

    /// The parameter sets, once the first frame is out.
    pub fn sets(&self) -> Option<&Sets> {
        self.sets.as_ref()
    }

    /// The sample of an access unit, with what goes with it, and whether decoding can start with
    /// it.
    pub fn sample(
        &mut self,
        stream: &[u8],
        carried: Carried,
        moment: Moment,
    ) -> Result<(Vec<u8>, bool), EncodeError> {
        let mut pictures = Vec::with_capacity(stream.len() + 16);
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
                    push(&mut pictures, unit, length_bytes)?;
                }
                // Some encoders write them twice, for a stream and for its first picture.
                Role::Vps => put(&mut sets.vps, self.like_source(unit)),
                Role::Sps => put(&mut sets.sps, self.like_source(unit)),
                Role::Pps => put(&mut sets.pps, unit.to_vec()),
                Role::Unwanted => {}
            }
        }
        self.check(sets, starts, moment)?;
        let sample = match self.information(carried, starts) {
            Some(unit) => {
                let mut sample = Vec::with_capacity(pictures.len() + unit.len() + 4);
                push(&mut sample, &unit, length_bytes)?;
                sample.append(&mut pictures);
                sample
            }
            None => pictures,
        };
        Ok((sample, starts))
    }

    /// The unit of supplemental information that goes before a picture.
    fn information(&mut self, carried: Carried, starts: bool) -> Option<Vec<u8>> {
        let is_wanted = starts || carried.lasting != self.lasting;
        self.lasting = carried.lasting;
        let lasting = self.lasting.iter().filter(|_| is_wanted);
        information::unit(self.source.codec, lasting.chain(&carried.own))
    }

    /// The first frame brings the parameter sets; none may bring others.
    fn check(&mut self, sets: Sets, starts: bool, moment: Moment) -> Result<(), EncodeError> {
        match &self.sets {
            None if starts && !sets.sps.is_empty() && !sets.pps.is_empty() => {
                self.sets = Some(sets);
                Ok(())
            }
            None => Err(EncodeError::NoStart),
            // The same again is no change, nor is a part of them.
            Some(first) if sets.all().all(|set| first.all().any(|own| own == set)) => Ok(()),
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
    match codec {
        Codec::H264 => match h264::kind(unit) {
            kind @ h264::SLICE..=h264::IDR => Role::Picture {
                is_entry: kind == h264::IDR,
            },
            h264::SPS => Role::Sps,
            h264::PPS => Role::Pps,
            _ => Role::Unwanted,
        },
        Codec::H265 => match h265::kind(unit) {
            kind @ ..h265::VPS => Role::Picture {
                is_entry: H265_ENTRIES.contains(&kind),
            },
            h265::VPS => Role::Vps,
            h265::SPS => Role::Sps,
            h265::PPS => Role::Pps,
            _ => Role::Unwanted,
        },
    }
}

fn put(sets: &mut Vec<Vec<u8>>, set: Vec<u8>) {
    if !sets.contains(&set) {
        sets.push(set);
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
