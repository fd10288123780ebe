// SPDX-License-Identifier: MPL-2.0
//! A segment of type `full` decodes alone to the frames that were encoded, and ffmpeg is silent.

use std::collections::HashMap;

use gstsegmenter::archive::Kind;

use super::Case;
use crate::frames::Hash;
use crate::scenario::seen::Segment;
use crate::scripted_camera::access_units::Entry;

impl Case<'_> {
    /// The place in the order shown of each frame that was sent.
    pub(super) fn places(&self) -> HashMap<Hash, usize> {
        let video = self.video.iter();
        let place = |index: usize| self.clip.pictures[index].place;
        video
            .map(|sent| (sent.note.picture, place(sent.note.index)))
            .collect()
    }

    /// Segments that do not decode to what was encoded.
    pub(super) fn decoding(&self) -> Vec<String> {
        let places = self.places();
        let full = self.segments.iter();
        let full = full.filter(|segment| segment.recorded.kind == Kind::Full);
        let fault = |segment: &Segment| {
            let name = segment.recorded.path.file_name().unwrap_or_default();
            let fault = self.segment_fault(segment, &places)?;
            Some(format!("{}: {fault}", name.to_string_lossy()))
        };
        full.filter_map(fault).collect()
    }

    fn segment_fault(&self, segment: &Segment, places: &HashMap<Hash, usize>) -> Option<String> {
        let stored = segment.stored.iter();
        let known = stored.filter_map(|frame| places.get(&frame.picture).copied());
        let known: Vec<usize> = known.collect();
        // Pictures that lead the first keyframe need what is before the segment.
        let first = known.first().copied().unwrap_or(0);
        let leading = known.iter().filter(|place| **place < first).count();
        // ffmpeg complains of what they let it do to pictures that are not there.
        if !segment.played.said.is_empty() && !self.begins_open(first) {
            let said = segment.played.said.lines().next().unwrap_or_default();
            return Some(format!("ffmpeg says: {said}"));
        }
        let mut expected: Vec<usize> = known.into_iter().filter(|place| *place >= first).collect();
        expected.sort_unstable();
        let is = split(&segment.played.pictures, &expected, &self.shown);
        let shown = segment.played.picture_times_ns.len();
        let count = segment.stored.len() - leading;
        if shown != count {
            return Some(format!("{shown} pictures are shown of {count} frames"));
        }
        let wrong: Vec<usize> = is
            .iter()
            .zip(&expected)
            .filter(|(picture, place)| **picture != self.shown[**place].as_slice())
            .map(|(_, place)| *place)
            .collect();
        let first = wrong.first()?;
        let (wrong, all) = (wrong.len(), expected.len());
        Some(format!(
            "{wrong} of {all} pictures are not the camera's, from {first} on"
        ))
    }
}

impl Case<'_> {
    /// Whether the picture that is shown at this place is a keyframe that others may lead.
    pub(super) fn begins_open(&self, place: usize) -> bool {
        let mut pictures = self.clip.pictures.iter();
        pictures.any(|picture| picture.place == place && picture.entry == Entry::Open)
    }
}

/// Pictures one after the other, each of the size of the one that is expected.
pub(super) fn split<'a>(
    mut pictures: &'a [u8],
    expected: &[usize],
    shown: &[Vec<u8>],
) -> Vec<&'a [u8]> {
    let mut all = Vec::new();
    for place in expected {
        let bytes = shown[*place].len().min(pictures.len());
        let (picture, rest) = pictures.split_at(bytes);
        all.push(picture);
        pictures = rest;
    }
    all
}
