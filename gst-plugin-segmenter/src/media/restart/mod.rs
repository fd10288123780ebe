// SPDX-License-Identifier: MPL-2.0
//! Beginning a copy at the keyframe of an open GOP, without encoding anything anew.
//!
//! Such a keyframe is no start for a decoder that has just shown other pictures: H.265 says so by
//! its type (CRA), H.264 by being a plain I picture with a recovery point beside it. An encoder
//! with open GOPs may never send another kind, so a cut that copies only from IDR pictures on
//! would encode all of it. Here the keyframe becomes what a copy needs at its start, and every
//! frame after it decodes to what it did before:
//!
//! - H.265 ([`h265`]): the CRA becomes a BLA without leading pictures; one byte of each slice.
//! - H.264 ([`h264`]): the I picture becomes an IDR picture, which counts frames and picture order
//!   from zero; so the slice headers after it are written anew until the source has an IDR.
//!
//! The caller leaves out the leading pictures, those decoded after the keyframe and shown before.
//! What comes back is a recipe ([`Part`]): few bytes of new headers and ranges of the sample, so
//! that a copy can stay a list of slices of files. The beginnings of samples are enough for that:
//! where more must be read, [`RestartError::Short`] says how much.

mod counting;
pub mod h264;
pub mod h265;
mod sample;

use std::ops::Range;

/// A piece of a sample as it is to be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes of the sample as it was.
    Source(Range<usize>),
}

impl Part {
    /// How long it is.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Source(range) => range.len(),
        }
    }
}

/// Why there is no recipe for a sample.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestartError {
    /// Nothing is wrong, and nothing has changed: the same call again, with more of the sample.
    #[error("the first {needs} bytes of the sample are needed")]
    Short {
        /// How much of it, counted from its first byte.
        needs: usize,
    },
    /// It cannot be done; encoding until the next IDR can.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// What keeps a copy from beginning at a keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// Lengths that lead out of the sample, headers that end too soon or contradict themselves.
    #[error("the sample is damaged: {0}")]
    Damaged(&'static str),
    /// The picture is none of the kind that becomes a start.
    #[error("the picture is no keyframe of an open GOP: {0}")]
    NotAnEntry(&'static str),
    /// A picture after the keyframe that is shown before it.
    #[error("the picture is shown before the keyframe")]
    Leading,
    /// Pictures coded as fields (H.264 §7.4.3, `field_pic_flag`).
    #[error("pictures are coded as fields")]
    Fields,
    /// More than one slice group (H.264 §7.4.2.2).
    #[error("slice groups are used")]
    SliceGroups,
    /// Redundant pictures (H.264 §7.4.3, `redundant_pic_cnt`).
    #[error("redundant pictures are used")]
    Redundant,
    /// Picture order count type 1 (H.264 §8.2.1.2).
    #[error("picture order is counted as type 1")]
    OrderType,
    /// SP and SI slices (H.264 table 7-6).
    #[error("switching slices are used")]
    Switching,
    /// NAL units of data partitioning, further views or layers (H.264 table 7-1).
    #[error("NAL units of type {0} are used")]
    NalUnit(u8),
    /// The sequence parameter set changes at a picture that is no IDR.
    #[error("the sequence parameter set changes at a picture that is no IDR")]
    ParameterSets,
    /// Frame numbers leap: frames are missing.
    #[error("frames are missing")]
    Missing,
    /// What is left to refer to cannot be told to a decoder as the source would need it.
    #[error("the references cannot be expressed: {0}")]
    References(&'static str),
}
