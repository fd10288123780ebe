// SPDX-License-Identifier: MPL-2.0
//! What the NAL units of a picture say together: what kind it is, and whether what comes next is
//! still a part of it.

use super::{Parity, Slice, Start, Unit};
use crate::media::frames::FrameKind;

/// The units of one picture so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its first slice.
    pub slice: Option<Slice>,
    /// It brings parameter sets.
    pub has_sets: bool,
    recovery: Option<u32>,
    /// A slice of its first field, or of the frame, refers to other frames.
    has_references: bool,
    /// It has slices of both fields.
    has_both_fields: bool,
}

impl Head {
    /// Adds what a unit says.
    pub fn add(&mut self, said: Unit) {
        match said {
            Unit::RecoveryPoint(frames) => self.recovery = Some(frames),
            Unit::Set => self.has_sets = true,
            Unit::Slice(slice) => {
                let first = self.slice.get_or_insert(slice);
                // A second field may refer to the first one of the same picture.
                let is_of_first = first.field == slice.field;
                self.has_references |= is_of_first && slice.start == Start::No;
                self.has_both_fields |= !is_of_first;
            }
            Unit::Delimiter | Unit::Other => {}
        }
    }

    /// Takes in what goes on with it, or what stands before it without a slice.
    pub fn join(&mut self, other: &Self) {
        self.has_sets |= other.has_sets;
        self.recovery = self.recovery.or(other.recovery);
        match (&self.slice, &other.slice) {
            (None, _) => {
                self.slice = other.slice;
                self.has_references = other.has_references;
                self.has_both_fields = other.has_both_fields;
            }
            (Some(own), Some(slice)) if own.field == slice.field => {
                self.has_references |= other.has_references;
            }
            (Some(_), Some(_)) => self.has_both_fields = true,
            (Some(_), None) => {}
        }
    }

    /// What a decoder can do with it; `None` without a slice.
    pub fn kind(&self) -> Option<FrameKind> {
        let slice = self.slice?;
        Some(match (slice.start, self.recovery) {
            (Start::Sync, _) => FrameKind::Sync,
            (Start::Cra, _) => FrameKind::Cra,
            (Start::Intra, Some(0)) if !self.has_references => FrameKind::OpenGop,
            (_, Some(frames)) => FrameKind::Gradual {
                frames: u16::try_from(frames).unwrap_or(u16::MAX),
            },
            (Start::Intra, None) if !self.has_references => FrameKind::Intra,
            _ => FrameKind::Delta {
                is_disposable: !slice.is_reference,
            },
        })
    }

    /// Whether `next`, from another buffer or packet, is more of this picture: another slice of it
    /// (H.264 §7.4.1.2.4, H.265 §7.4.2.4.5), or the second field of the frame (H.264 §3.30).
    pub fn goes_on(&self, next: &Self) -> bool {
        let (Some(slice), Some(more)) = (self.slice, next.slice) else {
            return false;
        };
        let is_same_frame = more.frame_number == slice.frame_number
            && (more.start != Start::Sync || slice.start == Start::Sync);
        let is_second_field = || {
            !self.has_both_fields
                && match (slice.field, more.field) {
                    (Some(first), Some(second)) => first != second,
                    _ => false,
                }
        };
        // Parameter sets stand before a picture or a field, never between its slices.
        let is_next_slice = || {
            let is_same_field = slice.field == more.field || self.has_both_fields;
            !next.has_sets && is_same_field && slice.is_reference == more.is_reference
        };
        is_same_frame && (is_second_field() || !more.is_first && is_next_slice())
    }
}

impl Parity {
    /// By `bottom_field_flag`.
    pub fn of(is_bottom: bool) -> Self {
        if is_bottom { Self::Bottom } else { Self::Top }
    }
}
