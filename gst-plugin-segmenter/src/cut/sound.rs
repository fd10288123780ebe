// SPDX-License-Identifier: MPL-2.0
//! The sound of a cut: cut once over the whole of it, never encoded anew.
//!
//! Frames of sound are some 20 ms long and begin where they like. The first is the one that sounds
//! when the cut begins, with one more before it: decoders of AAC and Opus need what was before to
//! make sense of a frame (ISO/IEC 14496-3 §4.5.2, RFC 7845 §4.2), and an edit list hides it to the
//! sample. Where clips meet, the frames nearest to the seam meet, so that the sound is never off
//! by more than half a frame however many seams there are, and always follows without a gap.

use std::ops::ControlFlow;

use super::footage::{Clip, Footage};
use super::stretch::ns_ticks;
use crate::media::Frame;
use crate::media::assembly::{AssemblySample, Edit};
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

/// Gives the frames of track `number` to `add`, in order, each with the time in ticks when it is
/// presented; below zero it is hidden.
pub fn place(
    footage: &Footage,
    number: usize,
    placements: &[Placement],
    add: impl FnMut(&Frame, i64),
) {
    let Some(format) = footage.tracks.get(number) else {
        return;
    };
    let mut line = Line {
        timescale: format.timescale,
        add,
        end: i64::MIN,
    };
    for (nth, placement) in placements.iter().enumerate() {
        let Some(clip) = footage.clips.get(placement.clip) else {
            continue;
        };
        let is_last = nth + 1 == placements.len();
        line.add(clip, number, placement, nth == 0, is_last);
    }
}

/// The sound so far.
struct Line<F> {
    timescale: u32,
    add: F,
    end: i64,
}

impl<F: FnMut(&Frame, i64)> Line<F> {
    fn add(
        &mut self,
        clip: &Clip,
        number: usize,
        placement: &Placement,
        is_first: bool,
        is_last: bool,
    ) {
        let start = ns_ticks(placement.at_ns, self.timescale);
        let end = ns_ticks(placement.end_ns, self.timescale);
        let timescale = self.timescale;
        let place =
            |frame: &Frame| start.saturating_add(ns_ticks(frame.utc - placement.from, timescale));
        let (mut before, mut shift) = (None, None);
        let _ = clip.sounds(number).try_for_each(|frame| {
            let pts = place(&frame);
            let shift = match shift {
                Some(shift) => shift,
                None if !self.begins(&frame, pts, start, is_first) => {
                    before = Some((frame, pts)).filter(|_| is_first);
                    return ControlFlow::Continue(());
                }
                None => {
                    let (first, first_pts) = before.unwrap_or((frame, pts));
                    let by = self.seam(&first, first_pts);
                    if let Some((before, pts)) = before {
                        self.push(&before, pts.saturating_add(by));
                    }
                    *shift.insert(by)
                }
            };
            let counts = if is_last { 0 } else { middle(&frame) };
            if pts.saturating_add(counts).saturating_add(shift) >= end {
                return ControlFlow::Break(());
            }
            self.push(&frame, pts.saturating_add(shift));
            ControlFlow::Continue(())
        });
    }

    /// Whether the sound of a clip that starts at `start` begins with this frame, or with the one
    /// before it if it is the first clip.
    fn begins(&self, frame: &Frame, pts: i64, start: i64, is_first: bool) -> bool {
        match is_first {
            true => pts.saturating_add(frame.duration.into()) > start,
            false => pts.saturating_add(middle(frame)) >= self.meeting(start, frame),
        }
    }

    /// Where the sound of a clip that starts at `start` begins: where the sound before it ends, if
    /// that is as near as frames come.
    fn meeting(&self, start: i64, held: &Frame) -> i64 {
        match self.end.saturating_add(self.most_off(held)) < start {
            true => start,
            false => self.end,
        }
    }

    /// Half a frame, and what rounding makes of it: how far sound may be from its time at a seam.
    fn most_off(&self, held: &Frame) -> i64 {
        middle(held) + i64::from(self.timescale) / ROUNDING_PER_SECOND
    }

    /// By how much the frames of a clip move so that the first, at `pts`, follows without a gap: by
    /// no more than half a frame, else there is something missing.
    fn seam(&self, held: &Frame, pts: i64) -> i64 {
        let gap = self.end.saturating_sub(pts);
        if gap.saturating_abs() <= self.most_off(held) {
            gap
        } else {
            0
        }
    }

    /// Adds a frame at its time, or where the one before ends if that is as good as the same.
    fn push(&mut self, held: &Frame, pts: i64) {
        let ticks = i64::from(held.duration);
        let rounding = i64::from(self.timescale) / ROUNDING_PER_SECOND;
        let pts = if self.end != i64::MIN && pts.saturating_sub(self.end) <= rounding {
            // What would overlap by more than half of it was already there.
            if self.end - pts > ticks / 2 + rounding {
                return;
            }
            self.end
        } else {
            pts
        };
        self.end = pts.saturating_add(ticks);
        (self.add)(held, pts);
    }
}

/// From a frame's start to its middle.
fn middle(frame: &Frame) -> i64 {
    i64::from(frame.duration) / 2
}

/// What of the sound is presented, if the cut ends at `end_ns`.
pub fn edits(samples: &[AssemblySample], timescale: u32, end_ns: i64) -> Vec<Edit> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return Vec::new();
    };
    let limit = ns_ticks(end_ns, timescale);
    let end = last.pts.saturating_add(last.duration.into()).min(limit);
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
