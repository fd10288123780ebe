// SPDX-License-Identifier: MPL-2.0
//! Sample entries of a track of frames: as few as can be.
//!
//! A stream may bring picture parameter sets on its way, even between the frames of a group, and
//! every time its segments have another sample entry. Players begin anew where the entry changes:
//! GStreamer's decoders forget the frames that the next ones refer to, and Chromium takes the first
//! entry for all there is. So entries that differ in nothing but their picture parameter sets become
//! one that holds them all.
//!
//! Where an id later stands for another set (H.264 §7.4.1.2.1), no entry can hold both. Then, as
//! where entries differ in more, sets stand in the samples as well: all of them before every
//! keyframe, and the picture parameter sets wherever they change.

use super::footage::Footage;
use super::pictures::Planned;
use super::plan::Piece;
use crate::media::configuration::{
    sets_of, with_h264_sets, with_h265_pps, with_h265_sets_in_band, without_pps,
};
use crate::media::nal::{Sets, h264, h265};

/// The sample entries of a track, and which of them stands for which of the source's.
#[derive(Clone, Debug, Default)]
pub struct SampleEntries {
    entries: Vec<SampleEntry>,
    /// For each of the source's, the number of the one that stands for it.
    numbers: Vec<Option<u16>>,
    /// For each of the source's, its parameter sets.
    source_sets: Vec<Option<Sets>>,
    /// Samples bring the sets that they need, whatever their entries hold.
    is_in_band: bool,
}

/// One of them.
#[derive(Clone, Debug)]
struct SampleEntry {
    /// What all that it stands for have in common.
    key: Option<Vec<u8>>,
    /// The first of those.
    first: Vec<u8>,
    /// What it is to hold besides.
    more: Sets,
}

impl SampleEntries {
    /// Those of a footage's track that the frames of some plans use, in the order of the cut; those
    /// that are only decoded count as well.
    pub fn of(footage: &Footage, track: usize, planned: &[Planned<'_>]) -> Self {
        let format = footage.tracks.get(track);
        let source = format.map_or(&[][..], |format| &format.descriptions);
        let mut entries = Self {
            numbers: vec![None; source.len()],
            source_sets: source.iter().map(|entry| sets_of(entry)).collect(),
            ..Self::default()
        };
        let mut last = None;
        for planned in planned {
            let pieces = planned.plan.pieces.iter();
            let frames = pieces.flat_map(|piece| match piece {
                Piece::Copy { frames, .. } => frames.as_slice(),
                Piece::Encode { feed, .. } => feed.as_slice(),
            });
            for frame in frames {
                let frame = planned.frames.get(*frame as usize);
                let number = frame.map(|frame| frame.description);
                if last != number
                    && let Some(number) = number
                    && let Some(entry) = source.get(usize::from(number))
                {
                    entries.add(number, entry);
                    last = Some(number);
                }
            }
        }
        entries
    }

    fn add(&mut self, number: u16, entry: &[u8]) {
        let Some(of @ None) = self.numbers.get_mut(usize::from(number)) else {
            return;
        };
        let key = without_pps(entry);
        let alike = |known: &SampleEntry| match &key {
            Some(key) => known.key.as_ref() == Some(key),
            None => known.first == entry,
        };
        let found = self.entries.iter().position(alike);
        let at = found.unwrap_or(self.entries.len());
        *of = u16::try_from(at).ok();
        match self.entries.get_mut(at) {
            Some(known) => {
                let sets = self.source_sets.get(usize::from(number));
                let pps = sets.and_then(|sets| sets.as_ref()).map(|sets| &*sets.pps);
                self.is_in_band |= !known.hold(&[], pps.unwrap_or_default());
            }
            None => {
                self.is_in_band |= !self.entries.is_empty();
                self.entries.push(SampleEntry {
                    key,
                    first: entry.to_vec(),
                    more: Sets::default(),
                });
            }
        }
    }

    /// Has the entry that stands for one of the source's hold the sets of frames encoded beside it.
    /// H.265 has no room for two encoders' sets in one entry: x265 always numbers from zero.
    pub fn add_encoded(&mut self, source: u16, sets: &Sets) {
        let number = usize::from(self.number(source));
        let Some(entry) = self.entries.get_mut(number) else {
            return;
        };
        let is_h265 = !sets.vps.is_empty();
        self.is_in_band |= is_h265 || !entry.hold(&sets.sps, &sets.pps);
    }

    /// The number of the entry that stands for one of the source's.
    pub fn number(&self, source: u16) -> u16 {
        let number = self.numbers.get(usize::from(source)).copied().flatten();
        number.unwrap_or(0)
    }

    /// All, as they are to be written.
    pub fn written(&self) -> Vec<Vec<u8>> {
        let written = self.entries.iter().map(|entry| {
            let merged = entry.written().unwrap_or_else(|| entry.first.clone());
            match self.is_in_band && is_h265(&merged) {
                true => with_h265_sets_in_band(&merged).unwrap_or(merged),
                false => merged,
            }
        });
        written.collect()
    }

    /// That which stands for one of the source's, without what was encoded beside it.
    pub fn merged(&self, source: u16) -> Vec<u8> {
        let entry = self.entries.get(usize::from(self.number(source)));
        let merged = entry.map(|entry| entry.written().unwrap_or_else(|| entry.first.clone()));
        merged.unwrap_or_default()
    }

    /// Samples bring the sets that they need.
    pub fn is_in_band(&self) -> bool {
        self.is_in_band
    }

    /// The parameter sets of one of the source's.
    pub fn sets(&self, source: u16) -> Option<&Sets> {
        self.source_sets.get(usize::from(source))?.as_ref()
    }

    /// The sets that a copied sample is given in front, in the form of a sample; `before` is the
    /// source's entry of the one decoded before it, where that was copied too.
    pub fn in_front(&self, source: u16, before: Option<u16>, is_keyframe: bool) -> Option<Vec<u8>> {
        if !self.is_in_band || (!is_keyframe && before == Some(source)) {
            return None;
        }
        let sets = self.sets(source)?;
        Some(match is_keyframe {
            true => sets.as_sample(),
            // Nothing else may change between keyframes.
            false => {
                let pps = Sets {
                    length_bytes: sets.length_bytes,
                    pps: sets.pps.clone(),
                    ..Sets::default()
                };
                pps.as_sample()
            }
        })
    }

    /// The ids of all H.264 sets.
    pub fn h264_ids(&self) -> Vec<u32> {
        let sets = self.source_sets.iter().flatten();
        let sets = sets.filter(|sets| sets.vps.is_empty());
        let units = sets.flat_map(|sets| sets.sps.iter().chain(&sets.pps));
        units.filter_map(|unit| h264::set_id(unit)).collect()
    }
}

impl SampleEntry {
    /// Adds sets; `false` if an id of theirs is that of another set.
    fn hold(&mut self, sps: &[Vec<u8>], pps: &[Vec<u8>]) -> bool {
        let own = sets_of(&self.first).unwrap_or_default();
        let is_h265 = is_h265(&self.first);
        let pps_id = |set: &[u8]| match is_h265 {
            true => h265::pps_id(set),
            false => h264::set_id(set),
        };
        let fits = [
            add(&own.sps, &mut self.more.sps, sps, h264::set_id),
            add(&own.pps, &mut self.more.pps, pps, pps_id),
        ];
        fits == [true; 2] && self.written().is_some()
    }

    /// The first of those it stands for with all sets; `None` if they have no room in it.
    fn written(&self) -> Option<Vec<u8>> {
        match (self.more.sps.is_empty(), self.more.pps.is_empty()) {
            (true, true) => Some(self.first.clone()),
            _ if is_h265(&self.first) => with_h265_pps(&self.first, &self.more.pps),
            _ => with_h264_sets(&self.first, &self.more.sps, &self.more.pps),
        }
    }
}

/// Adds those sets that are in neither list; `false` if one has the id of another.
fn add(
    own: &[Vec<u8>],
    more: &mut Vec<Vec<u8>>,
    new: &[Vec<u8>],
    id: impl Fn(&[u8]) -> Option<u32>,
) -> bool {
    let mut fits = true;
    for set in new {
        let known = own.iter().chain(&*more);
        let known = known.clone().find(|known| id(known) == id(set));
        match known {
            Some(known) => fits &= known == set,
            None => more.push(set.clone()),
        }
    }
    fits
}

/// Whether a sample entry is that of H.265.
pub fn is_h265(entry: &[u8]) -> bool {
    matches!(entry.get(4..8), Some(b"hvc1" | b"hev1"))
}
