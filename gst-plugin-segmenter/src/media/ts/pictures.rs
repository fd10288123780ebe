// SPDX-License-Identifier: MPL-2.0
//! The access units in what PES packets of pictures hold.
//!
//! A PES packet begins with an access unit and, as muxers write it, is one. Where it holds more,
//! delimiters tell them apart; without delimiters it is taken as one, which is right for the two
//! fields of a frame.

use super::super::format::Codec;
use super::super::frames::FrameKind;
use super::super::nal;
use super::sets::{KnownSets, LENGTH_BYTES};
use super::{h264, h265};

/// No muxer puts more access units than this into a PES packet.
const MOST_PICTURES: usize = 256;

/// What pictures are coded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    H264,
    H265,
}

/// What a NAL unit says of the access unit that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// An access unit begins.
    Delimiter,
    /// Decoding can start here though the picture is none that everything starts from.
    RecoveryPoint,
    Slice(Slice),
    /// Nothing of interest.
    Other,
}

/// What the head of a slice says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub start: Start,
    /// Frames of its layer may refer to it.
    pub is_reference: bool,
    /// Layers of frame rate: frames never refer to a higher one (H.265 §7.4.2.2).
    pub temporal_id: u8,
    /// Which picture parameter set it refers to.
    pub pps_id: u32,
}

/// Whether decoding can start with a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// H.264 IDR; H.265 IDR, BLA.
    Sync,
    /// H.265 CRA.
    Cra,
    /// It refers to nothing; a recovery point makes an entry of it.
    Intra,
    No,
}

/// One access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Bytes before it, and its own, in the byte stream.
    pub skip: usize,
    pub take: usize,
    /// Its bytes in the form of MP4.
    pub bytes: usize,
    pub kind: FrameKind,
    pub temporal_id: u8,
    pub pps_id: u32,
}

impl Coding {
    fn read(self, unit: &[u8], known: &mut KnownSets) -> Unit {
        match self {
            Self::H264 => h264::read(unit, known),
            Self::H265 => h265::read(unit, known),
        }
    }

    fn is_left_out(self, unit: &[u8]) -> bool {
        match self {
            Self::H264 => h264::is_left_out(unit),
            Self::H265 => h265::is_left_out(unit),
        }
    }

    /// The codec of a picture that refers to this picture parameter set.
    pub fn codec(self, known: &KnownSets, pps_id: u32) -> Option<Codec> {
        match self {
            Self::H264 => h264::codec(known, pps_id),
            Self::H265 => h265::codec(known, pps_id),
        }
    }

    /// The sample that a part of the byte stream is.
    pub fn sample(self, stream: &[u8]) -> Vec<u8> {
        let mut sample = Vec::with_capacity(stream.len() + 2 * LENGTH_BYTES);
        let units = nal::in_byte_stream(stream);
        for unit in units.filter(|unit| !self.is_left_out(unit)) {
            nal::push(&mut sample, unit, LENGTH_BYTES);
        }
        sample
    }

    /// The access units of a byte stream; what has no slice is none. Parameter sets are kept.
    pub fn pictures(self, stream: &[u8], known: &mut KnownSets) -> Vec<Picture> {
        let mut pictures = Vec::with_capacity(1);
        let mut open = Open::default();
        for unit in nal::in_byte_stream(stream) {
            let said = self.read(unit, known);
            let is_next = said == Unit::Delimiter && open.slice.is_some();
            if is_next && pictures.len() < MOST_PICTURES {
                // The unit is a part of the stream, behind a start code of three bytes or more.
                let at = unit.as_ptr().addr() - stream.as_ptr().addr() - 3;
                pictures.extend(open.close(at));
                open = Open {
                    skip: at,
                    ..Open::default()
                };
            }
            open.add(said);
            if !self.is_left_out(unit) {
                open.bytes += LENGTH_BYTES + unit.len();
            }
        }
        pictures.extend(open.close(stream.len()));
        pictures
    }
}

/// An access unit that more may come of.
#[derive(Default)]
struct Open {
    skip: usize,
    bytes: usize,
    /// Its first slice.
    slice: Option<Slice>,
    has_recovery_point: bool,
    /// A slice of it refers to other frames.
    has_references: bool,
}

impl Open {
    fn add(&mut self, said: Unit) {
        match said {
            Unit::RecoveryPoint => self.has_recovery_point = true,
            Unit::Slice(slice) => {
                self.has_references |= slice.start == Start::No;
                self.slice.get_or_insert(slice);
            }
            Unit::Delimiter | Unit::Other => {}
        }
    }

    /// The access unit, which ends at this byte of the stream.
    fn close(&self, end: usize) -> Option<Picture> {
        let slice = self.slice?;
        let kind = match slice.start {
            Start::Sync => FrameKind::Sync,
            Start::Cra => FrameKind::Cra,
            Start::Intra if self.has_recovery_point && !self.has_references => FrameKind::OpenGop,
            Start::Intra | Start::No => FrameKind::Delta {
                is_disposable: !slice.is_reference,
            },
        };
        Some(Picture {
            skip: self.skip,
            take: end - self.skip,
            bytes: self.bytes,
            kind,
            temporal_id: slice.temporal_id,
            pps_id: slice.pps_id,
        })
    }
}
