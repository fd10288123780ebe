// SPDX-License-Identifier: MPL-2.0
//! The sound of a cut: cut once over the whole of it, never encoded anew.
//!
//! Frames of sound are some 20 ms long and begin where they like. The first is the one that sounds
//! when the cut begins, with one more before it: decoders of AAC and Opus need what was before to
//! make sense of a frame (ISO/IEC 14496-3 §4.5.2, RFC 7845 §4.2), and an edit list hides it to the
//! sample. Where clips meet, the frames nearest to the seam meet, so that the sound is never off
//! by more than half a frame however many seams there are, and always follows without a gap.

use super::footage::{Clip, ClipFrame, Footage, ns_ticks};
use crate::media::assembly::Edit;
use crate::utc::UtcNs;

/// What rounding makes of times, at most: a fraction of a second, as its denominator.
const ROUNDING_PER_SECOND: i64 = 500;

/// Where a clip stands in the presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Number of the clip.
    pub clip: usize,
    /// The moment that is presented first.
    pub from: UtcNs,
    /// When it is presented, in nanoseconds.
    pub at_ns: i64,
    /// When the clip's presentation ends.
    pub end_ns: i64,
}

/// A frame of sound in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sounding<'a> {
    /// Number of its clip.
    pub clip: usize,
    /// The frame, as the clip has it.
    pub held: &'a ClipFrame,
    /// When it is presented, in ticks; below zero it is hidden.
    pub pts: i64,
}

/// The frames of track `number`, in order.
pub fn frames<'a>(
    footage: &'a Footage,
    number: usize,
    placements: &[Placement],
) -> Vec<Sounding<'a>> {
    let Some(format) = footage.tracks.get(number) else {
        return Vec::new();
    };
    let mut line = Line {
        timescale: format.timescale,
        frames: Vec::new(),
        end: i64::MIN,
    };
    for (nth, placement) in placements.iter().enumerate() {
        let Some(clip) = footage.clips.get(placement.clip) else {
            continue;
        };
        let is_last = nth + 1 == placements.len();
        line.add(clip, number, placement, nth == 0, is_last);
    }
    line.frames
}

/// The sound so far.
struct Line<'a> {
    timescale: u32,
    frames: Vec<Sounding<'a>>,
    end: i64,
}

impl<'a> Line<'a> {
    fn add(
        &mut self,
        clip: &'a Clip,
        number: usize,
        placement: &Placement,
        is_first: bool,
        is_last: bool,
    ) {
        let start = ns_ticks(placement.at_ns, self.timescale);
        let end = ns_ticks(placement.end_ns, self.timescale);
        let held = clip.tracks.get(number).map_or(&[][..], Vec::as_slice);
        let timescale = self.timescale;
        let place = |held: &ClipFrame| {
            start.saturating_add(ns_ticks(held.frame.utc - placement.from, timescale))
        };
        let middle = |held: &ClipFrame| place(held) + i64::from(held.frame.duration) / 2;
        let follows = |held: &ClipFrame| match is_first {
            true => place(held) + i64::from(held.frame.duration) > start,
            false => middle(held) >= self.meeting(start, held),
        };
        let mut first = held.iter().position(follows).unwrap_or(held.len());
        if is_first && first > 0 {
            first -= 1;
        }
        let held = held.get(first..).unwrap_or_default();
        let shift = held.first().map_or(0, |held| self.seam(held, place(held)));
        let is_wanted = |held: &&ClipFrame| match is_last {
            true => place(held) + shift < end,
            false => middle(held) + shift < end,
        };
        self.frames.reserve(held.len());
        for held in held.iter().take_while(is_wanted) {
            self.push(placement.clip, held, place(held) + shift);
        }
    }

    /// Where the sound of a clip that starts at `start` begins: where the sound before it ends, if
    /// that is as near as frames come.
    fn meeting(&self, start: i64, held: &ClipFrame) -> i64 {
        match self.end.saturating_add(self.most_off(held)) < start {
            true => start,
            false => self.end,
        }
    }

    /// Half a frame, and what rounding makes of it: how far sound may be from its time at a seam.
    fn most_off(&self, held: &ClipFrame) -> i64 {
        i64::from(held.frame.duration) / 2 + i64::from(self.timescale) / ROUNDING_PER_SECOND
    }

    /// By how much the frames of a clip move so that the first, at `pts`, follows without a gap: by
    /// no more than half a frame, else there is something missing.
    fn seam(&self, held: &ClipFrame, pts: i64) -> i64 {
        let gap = self.end.saturating_sub(pts);
        if gap.saturating_abs() <= self.most_off(held) {
            gap
        } else {
            0
        }
    }

    /// Adds a frame at its time, or where the one before ends if that is as good as the same.
    fn push(&mut self, clip: usize, held: &'a ClipFrame, pts: i64) {
        let ticks = i64::from(held.frame.duration);
        let rounding = i64::from(self.timescale) / ROUNDING_PER_SECOND;
        let pts = if self.end != i64::MIN && pts - self.end <= rounding {
            // What would overlap by more than half of it was already there.
            if self.end - pts > ticks / 2 + rounding {
                return;
            }
            self.end
        } else {
            pts
        };
        self.end = pts.saturating_add(ticks);
        self.frames.push(Sounding { clip, held, pts });
    }
}

/// What of the sound is presented, if the cut ends at `end_ns`.
pub fn edits(frames: &[Sounding<'_>], timescale: u32, end_ns: i64) -> Vec<Edit> {
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
        return Vec::new();
    };
    let limit = ns_ticks(end_ns, timescale);
    let end = last
        .pts
        .saturating_add(last.held.frame.duration.into())
        .min(limit);
    let start = first.pts.max(0).min(end);
    let ticks = |ticks: i64| u64::try_from(ticks).unwrap_or(0);
    let mut edits = Vec::new();
    if start > 0 {
        edits.push(Edit {
            pts: None,
            ticks: ticks(start),
        });
    }
    edits.push(Edit {
        pts: Some(start),
        ticks: ticks(end - start),
    });
    edits
}
