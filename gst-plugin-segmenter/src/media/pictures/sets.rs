// SPDX-License-Identifier: MPL-2.0
//! The parameter sets that a stream has shown so far.

use std::collections::BTreeMap;

/// More bytes of parameter sets than this are none; a set takes some hundred at most.
const MOST_BYTES: usize = 1 << 16;

/// Parameter sets by the type of their NAL unit and their id.
#[derive(Debug, Default)]
pub struct KnownSets {
    units: BTreeMap<(u8, u32), Vec<u8>>,
    version: u32,
    /// How the last slices were written: by version and picture parameter set.
    syntax: Option<((u32, u32), SliceSyntax)>,
}

/// What must be known to read the head of an H.264 slice (§7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceSyntax {
    /// Bits of `frame_num`.
    pub frame_number_bits: u32,
    /// `frame_mbs_only_flag`: no picture is a field.
    pub is_frames_only: bool,
    /// `separate_colour_plane_flag`.
    pub has_separate_planes: bool,
}

impl KnownSets {
    /// Takes a set; one with the same id gives way.
    pub fn learn(&mut self, kind: u8, id: u32, unit: &[u8]) {
        if self.get(kind, id) == Some(unit) {
            return;
        }
        let held: usize = self.units.values().map(Vec::len).sum();
        if held + unit.len() <= MOST_BYTES {
            self.units.insert((kind, id), unit.to_vec());
            self.version += 1;
        }
    }

    pub fn get(&self, kind: u8, id: u32) -> Option<&[u8]> {
        self.units.get(&(kind, id)).map(Vec::as_slice)
    }

    /// All of a kind, by their ids.
    pub fn of_kind(&self, kind: u8) -> impl Iterator<Item = &[u8]> {
        let units = self.units.range((kind, 0)..=(kind, u32::MAX));
        units.map(|(_, unit)| unit.as_slice())
    }

    /// How slices that refer to a picture parameter set are written, as `read` finds it out.
    pub fn slice_syntax(
        &mut self,
        pps_id: u32,
        read: impl FnOnce(&Self, u32) -> Option<SliceSyntax>,
    ) -> Option<SliceSyntax> {
        let key = (self.version, pps_id);
        if let Some((_, syntax)) = self.syntax.filter(|(held, _)| *held == key) {
            return Some(syntax);
        }
        let syntax = read(self, pps_id)?;
        self.syntax = Some((key, syntax));
        Some(syntax)
    }

    /// Another number whenever a set has changed.
    pub fn version(&self) -> u32 {
        self.version
    }
}

/// Bytes of each NAL unit's length in the samples made here.
pub const LENGTH_BYTES: usize = 4;

/// Appends sets as decoder configuration records hold them: each with 16 bits of length.
pub fn push_sets(record: &mut Vec<u8>, sets: &[Vec<u8>]) -> Option<()> {
    for set in sets {
        record.extend(u16::try_from(set.len()).ok()?.to_be_bytes());
        record.extend_from_slice(set);
    }
    Some(())
}
