// SPDX-License-Identifier: MPL-2.0
//! What is one picture, and where decoding can begin: decided here, from the bitstream, for
//! recording, indexing, cutting and verifying alike.
//!
//! Flags of parsers and containers are hints: GStreamer 1.22's h264parse marks what only follows a
//! recovery point, encoders send I pictures that later ones look past, and cameras set RTP's marker
//! wherever they like. So NAL units are read: [`Coding::read`] says what one of them tells,
//! [`Head`] adds up those of a picture. A *picture* is here what is shown at one moment: all slices
//! of a frame, or of both its fields.

mod h264;
mod h265;
mod h265_sps;
mod head;
mod in_byte_stream;
mod sei;
mod sets;
mod vui;

use super::format::Codec;
use super::nal::{self, Sets};

pub use self::head::Head;
pub use self::in_byte_stream::Picture;
pub use self::sets::KnownSets;

use self::sets::LENGTH_BYTES;

/// What pictures are coded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    H264,
    H265,
}

/// What a NAL unit says of the picture that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// An access unit begins.
    Delimiter,
    /// Decoding can start here though the picture is none that everything starts from; right are
    /// the pictures after so many others (H.264 §D.2.8 in frames, H.265 §D.3.8 in picture order).
    RecoveryPoint(u32),
    /// A parameter set.
    Set,
    Slice(Slice),
    /// Nothing of interest.
    Other,
}

/// What the head of a slice says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub start: Start,
    /// It is the first of its picture or field: no macroblock or block is before it.
    pub is_first: bool,
    /// Frames of its layer may refer to it.
    pub is_reference: bool,
    /// Layers of frame rate: frames never refer to a higher one (H.265 §7.4.2.2).
    pub temporal_id: u8,
    /// Which picture parameter set it refers to.
    pub pps_id: u32,
    /// Of H.264: which frame it is of (`frame_num`).
    pub frame_number: u32,
    /// Of H.264: which field it is of, where fields are coded one by one.
    pub field: Option<Parity>,
}

/// One of the two fields of a frame (H.264 §7.4.3, `bottom_field_flag`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    Top,
    Bottom,
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

impl Coding {
    /// What a NAL unit says; parameter sets are kept.
    pub fn read(self, unit: &[u8], known: &mut KnownSets) -> Unit {
        match self {
            Self::H264 => h264::read(unit, known),
            Self::H265 => h265::read(unit, known),
        }
    }

    /// Keeps the sets of a decoder configuration record.
    pub fn learn(self, sets: &Sets, known: &mut KnownSets) {
        for unit in sets.all() {
            self.read(unit, known);
        }
    }

    /// Whether MP4 samples do without this NAL unit.
    pub fn is_left_out(self, unit: &[u8]) -> bool {
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
}
