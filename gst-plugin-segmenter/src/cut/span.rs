// SPDX-License-Identifier: MPL-2.0
//! From when to when a segment goes, for what is there and what is missing: its frames say when it
//! begins; when it ends, its name, as long as that can be believed.
//!
//! A frame lasts until the next one is shown. The last one's successor is in the next segment, and
//! what a stream claims its frames to last (VUI, sample durations) is a guess that cameras do not
//! keep to: at night they send eight a second under a claim of 25. So the name of a whole segment
//! counts, which was given when the next frame was there.

use crate::archive::{Kind, Segment, best::TOLERANCE_NS};
use crate::media::Frame;
use crate::utc::UtcNs;

use super::stretch::ticks_ns;

/// What a segment promises, and whether to believe it.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// Its end by its name.
    pub end: UtcNs,
    /// Nothing of it is missing.
    pub is_kept: bool,
}

impl Promise {
    /// The promise of a segment whose file is whole or not. The name of a partial one may tell what
    /// was to come.
    pub fn of(segment: &Segment, is_whole: bool) -> Self {
        Self {
            end: segment.end(),
            is_kept: is_whole && segment.name.kind != Kind::Partial,
        }
    }

    /// From the first of these frames to the end of the last, as far as they are to be used: up to
    /// `to`. `None` without frames.
    pub fn span(
        self,
        frames: impl Iterator<Item = Frame>,
        timescale: u32,
        to: UtcNs,
    ) -> Option<(UtcNs, UtcNs)> {
        let mut times: Vec<(UtcNs, u32)> =
            frames.map(|frame| (frame.utc, frame.duration)).collect();
        times.sort_unstable();
        let ((start, _), (last, duration)) = (*times.first()?, *times.last()?);
        let own_ns = ticks_ns(duration.into(), timescale);
        let end = last + own_ns;
        // A frame or so the name may know better even of what is not whole.
        let pairs = times.array_windows();
        let longest_ns = pairs.map(|[(one, _), (next, _)]| *next - *one).max();
        let reach = end + longest_ns.unwrap_or(0).max(own_ns).max(TOLERANCE_NS);
        let end = match self.is_kept || self.end <= reach {
            true => end.max(self.end),
            false => end,
        };
        Some((start, end.min(to.max(start))))
    }
}
