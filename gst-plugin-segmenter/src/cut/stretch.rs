// SPDX-License-Identifier: MPL-2.0
//! One track of one segment in the terms of a cut: its times, its file, its descriptions.
//!
//! Frames are told when they are asked for. Those of the segment are remembered anyway, and most
//! frames of a cut are sound, which is gone through once: a table of them would be most of the
//! memory that a cut touches.

use std::sync::Arc;

use super::footage::TrackFormat;
use crate::media::{Frame, FrameTrack, SegmentFrames, beginning};
use crate::utc::UtcNs;

/// One track of one segment.
#[derive(Debug)]
pub struct Stretch {
    segment: Arc<SegmentFrames>,
    /// Its number in the segment.
    track: usize,
    file: u32,
    /// Ticks per second of the cut's track.
    timescale: u32,
    shift: i64,
    /// For each of the segment's descriptions the number of the cut's.
    descriptions: Vec<u16>,
    /// Frames before this one lean on what is not there.
    skip: usize,
    /// And what is shown before this does: nothing can decode it.
    decodable: Option<i64>,
}

impl Stretch {
    /// Track `track` of a segment whose file has number `file`, as one of `format`; its times are
    /// counted from `zero`. `follows`: what comes before it in decoding order is there.
    pub fn new(
        segment: &Arc<SegmentFrames>,
        track: usize,
        format: &mut TrackFormat,
        (zero, file): (UtcNs, u32),
        follows: bool,
    ) -> Self {
        let held = segment.tracks.get(track);
        let entries = held.map_or(&[][..], |held| &held.descriptions);
        let descriptions = entries.iter();
        let frames = held.map_or(&[][..], |held| &held.frames);
        let leans = !follows && held.is_some_and(|held| held.is_video);
        let may_begin = |frame: &Frame| beginning::may_be_at(frame.kind);
        let skip = match leans {
            true => frames.iter().position(may_begin).unwrap_or(frames.len()),
            false => 0,
        };
        let open = frames.get(skip).filter(|_| leans);
        Self {
            descriptions: descriptions
                .map(|entry| number_of(&mut format.descriptions, entry))
                .collect(),
            shift: ns_ticks(held.map_or(zero, zero_of) - zero, format.timescale),
            skip,
            decodable: open.map(|first| first.pts),
            timescale: format.timescale,
            segment: Arc::clone(segment),
            track,
            file,
        }
    }

    /// Its frames in decoding order.
    pub fn frames(&self) -> impl Iterator<Item = Frame> {
        let track = self.segment.tracks.get(self.track);
        let from = track.map_or(1, |track| track.timescale);
        let scale = move |ticks: i64| rescale(ticks, from, self.timescale);
        let frames = track.map_or(&[][..], |track| &track.frames);
        let frames = frames.get(self.skip..).unwrap_or_default();
        let is_decodable = |frame: &&Frame| self.decodable.is_none_or(|first| frame.pts >= first);
        frames.iter().filter(is_decodable).map(move |frame| Frame {
            pts: scale(frame.pts).saturating_add(self.shift),
            dts: scale(frame.dts).saturating_add(self.shift),
            duration: u32::try_from(scale(frame.duration.into())).unwrap_or(u32::MAX),
            file: self.file,
            description: self.description(frame.description),
            ..*frame
        })
    }

    /// As many frames as there are, or a few more.
    pub fn most(&self) -> usize {
        let track = self.segment.tracks.get(self.track);
        track.map_or(0, |track| track.frames.len().saturating_sub(self.skip))
    }

    fn description(&self, of_segment: u16) -> u16 {
        let number = self.descriptions.get(usize::from(of_segment));
        number.copied().unwrap_or(0)
    }
}

/// UTC at which a track's ticks are zero.
pub fn zero_of(track: &FrameTrack) -> UtcNs {
    let first = track.frames.first();
    first.map_or(UtcNs::default(), |frame| {
        frame.utc - ticks_ns(frame.pts, track.timescale)
    })
}

fn number_of(descriptions: &mut Vec<Vec<u8>>, entry: &[u8]) -> u16 {
    let found = descriptions.iter().position(|held| held == entry);
    let number = found.unwrap_or_else(|| {
        descriptions.push(entry.to_vec());
        descriptions.len() - 1
    });
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// Ticks as nanoseconds, to the nearest.
pub fn ticks_ns(ticks: i64, timescale: u32) -> i64 {
    rescale(ticks, timescale, 1_000_000_000)
}

/// Nanoseconds as ticks, to the nearest.
pub fn ns_ticks(ns: i64, timescale: u32) -> i64 {
    rescale(ns, 1_000_000_000, timescale)
}

/// Ticks of one scale as ticks of another, to the nearest.
pub fn rescale(ticks: i64, from: u32, to: u32) -> i64 {
    if from == to {
        return ticks;
    }
    let from = i64::from(from.max(1));
    // Hours fit into 64 bits, whose division costs a tenth.
    let doubled = ticks.checked_mul(2 * i64::from(to));
    if let Some(doubled) = doubled.and_then(|doubled| doubled.checked_add(from)) {
        return doubled.div_euclid(2 * from);
    }
    let from = i128::from(from);
    let scaled = (i128::from(ticks) * i128::from(to) * 2 + from).div_euclid(2 * from);
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::utc::SECOND_NS;

    #[test]
    fn ticks_of_hours_and_of_ages_are_rescaled_alike() {
        for (ticks, scaled) in [(0, 0), (1, 11_111), (-1, -11_111), (90_001, 1_000_011_111)] {
            assert_eq!(rescale(ticks, 90_000, 1_000_000_000), scaled);
        }
        // Beyond what 64 bits hold on the way.
        let age: i64 = 90_000 * 3600 * 24 * 365;
        assert_eq!(ticks_ns(age, 90_000), 3600 * 24 * 365 * SECOND_NS);
        assert_eq!(ns_ticks(3600 * 24 * 365 * SECOND_NS, 90_000), age);
        assert_eq!(ticks_ns(i64::MAX, 1), i64::MAX);
    }
}
