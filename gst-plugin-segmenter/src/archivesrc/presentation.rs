// SPDX-License-Identifier: MPL-2.0
//! What of a track is played when: from edits (ISO/IEC 14496-12 §8.6.6) to the legs that a pad
//! goes through, each of which is a segment event and some samples.
//!
//! Three times are in play, all in nanoseconds. The *presentation* begins at zero with the first
//! frame shown; seeks and positions are in it. *Samples* have times of their own, which in a copy
//! begin before zero with what is decoded and not shown. *Stamps*, those of buffers, are the
//! samples' times moved by an offset so that none is below zero, as GStreamer wants it.

use std::ops::Range;

use crate::cut::stretch::ticks_ns;
use crate::media::assembly::{Assembly, AssemblySample, AssemblyTrack};

/// Decoders of sound need what was before: two frames of AAC (ISO/IEC 14496-3 §4.5.2), 80 ms of
/// Opus (RFC 7845 §4.2).
const SOUND_LEAD_IN_NS: i64 = 80_000_000;

/// The tracks' times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presentation {
    /// What stamps are more than samples' times.
    pub offset_ns: i64,
    /// How long it all is.
    pub duration_ns: i64,
    tracks: Vec<Vec<Stretch>>,
}

/// An edit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stretch {
    shown_ns: i64,
    length_ns: i64,
    /// The samples' time at its start; `None` if nothing is shown.
    from_ns: Option<i64>,
    /// From the first sample that is decoded for it.
    samples: Range<usize>,
}

/// A part of a track that is played in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// When it is shown.
    pub shown_ns: i64,
    /// For how long.
    pub length_ns: i64,
    /// The stamp of its first moment.
    pub stamp_ns: i64,
    /// The stamp before which no picture is ever shown: samples that begin before it are there to
    /// be decoded.
    pub hidden_before_ns: i64,
    /// In decoding order; none if there is nothing to show.
    pub samples: Range<usize>,
}

/// Where the picture is that a seek moves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snap {
    /// The last one from which decoding can start, at or before the time asked for.
    Before,
    /// The first one at or after it.
    After,
    /// The nearer of the two.
    Nearest,
}

impl Presentation {
    /// That of an assembly.
    pub fn new(assembly: &Assembly) -> Self {
        let tracks: Vec<_> = assembly.tracks.iter().map(stretches).collect();
        let ends = tracks.iter().flat_map(|track| track.last());
        Self {
            offset_ns: -assembly
                .tracks
                .iter()
                .map(earliest_ns)
                .min()
                .unwrap_or(0)
                .min(0),
            duration_ns: ends.map(Stretch::end_ns).max().unwrap_or(0),
            tracks,
        }
    }

    /// The legs of track `number` in `[from, to)` of the presentation: at least one.
    pub fn legs(&self, track: &AssemblyTrack, number: usize, wanted: Range<i64>) -> Vec<Leg> {
        let stretches = self.tracks.get(number).map_or(&[][..], Vec::as_slice);
        let touches =
            |stretch: &&Stretch| stretch.shown_ns < wanted.end && wanted.start < stretch.end_ns();
        let legs = stretches.iter().filter(touches);
        let mut legs: Vec<Leg> = legs
            .map(|stretch| self.leg(track, stretch, &wanted))
            .collect();
        if legs.is_empty() {
            legs.push(self.silence(wanted));
        }
        legs
    }

    fn silence(&self, wanted: Range<i64>) -> Leg {
        let stamp_ns = wanted.start.saturating_add(self.offset_ns);
        Leg {
            shown_ns: wanted.start,
            length_ns: wanted.end.saturating_sub(wanted.start),
            stamp_ns,
            hidden_before_ns: stamp_ns,
            samples: 0..0,
        }
    }

    fn leg(&self, track: &AssemblyTrack, stretch: &Stretch, wanted: &Range<i64>) -> Leg {
        let shown = stretch.shown_ns.max(wanted.start)..stretch.end_ns().min(wanted.end);
        let Some(from_ns) = stretch.from_ns else {
            return self.silence(shown);
        };
        let sample_ns = |shown_ns: i64| from_ns + (shown_ns - stretch.shown_ns);
        let first = match shown.start == stretch.shown_ns {
            true => stretch.samples.start,
            false => decoding_start(track, sample_ns(shown.start)).max(stretch.samples.start),
        };
        let end = match shown.end == stretch.end_ns() {
            true => stretch.samples.end,
            false => decoding_end(track, sample_ns(shown.end)).min(stretch.samples.end),
        };
        Leg {
            shown_ns: shown.start,
            length_ns: shown.end - shown.start,
            stamp_ns: sample_ns(shown.start).saturating_add(self.offset_ns),
            hidden_before_ns: from_ns.saturating_add(self.offset_ns),
            samples: first..end.max(first),
        }
    }

    /// The time of a picture of track `number` that decoding can start at, near `at_ns`.
    pub fn entry_near(
        &self,
        track: &AssemblyTrack,
        number: usize,
        at_ns: i64,
        snap: Snap,
    ) -> Option<i64> {
        let stretches = self.tracks.get(number)?.iter();
        let shown = stretches.flat_map(|stretch| {
            let samples = track.samples.get(stretch.samples.clone());
            let entries = samples.unwrap_or_default().iter().filter(|s| s.is_entry);
            entries.filter_map(|sample| stretch.shown_at(pts_ns(track, sample)))
        });
        // What is shown first can be shown, whatever its decoding starts at.
        let shown: Vec<i64> = shown.chain([0]).collect();
        let before = shown.iter().copied().filter(|ns| *ns <= at_ns).max();
        let after = shown.iter().copied().filter(|ns| *ns >= at_ns).min();
        match (snap, before, after) {
            (Snap::Before, before, _) => before,
            (Snap::After, before, after) => after.or(before),
            (Snap::Nearest, Some(before), Some(after)) => {
                Some(if at_ns - before <= after - at_ns {
                    before
                } else {
                    after
                })
            }
            (Snap::Nearest, before, after) => before.or(after),
        }
    }
}

impl Stretch {
    fn end_ns(&self) -> i64 {
        self.shown_ns.saturating_add(self.length_ns)
    }

    fn shown_at(&self, sample_ns: i64) -> Option<i64> {
        let into = sample_ns.saturating_sub(self.from_ns?);
        (0..self.length_ns)
            .contains(&into)
            .then(|| self.shown_ns + into)
    }
}

/// When a sample is presented, in the samples' time.
pub fn pts_ns(track: &AssemblyTrack, sample: &AssemblySample) -> i64 {
    ticks_ns(sample.pts, track.timescale)
}

fn earliest_ns(track: &AssemblyTrack) -> i64 {
    let times = track
        .samples
        .iter()
        .map(|sample| sample.pts.min(sample.dts));
    ticks_ns(times.min().unwrap_or(0), track.timescale)
}

fn stretches(track: &AssemblyTrack) -> Vec<Stretch> {
    let ns = |ticks: i64| ticks_ns(ticks, track.timescale);
    if track.edits.is_empty() {
        let ends = track
            .samples
            .iter()
            .map(|sample| sample.pts.saturating_add(sample.duration.into()));
        return vec![Stretch {
            shown_ns: 0,
            length_ns: ns(ends.max().unwrap_or(0)).max(0),
            from_ns: Some(0),
            samples: 0..track.samples.len(),
        }];
    }
    let mut ticks: i64 = 0;
    let mut decoded = 0;
    let mut stretches = Vec::with_capacity(track.edits.len());
    for edit in &track.edits {
        let length = i64::try_from(edit.ticks).unwrap_or(i64::MAX);
        let samples = match edit.pts {
            None => 0..0,
            Some(pts) => {
                let end = decoding_end(track, ns(pts.saturating_add(length)));
                first_decoded(track, decoded, ns(pts)).min(end)..end
            }
        };
        decoded = decoded.max(samples.end);
        stretches.push(Stretch {
            shown_ns: ns(ticks),
            length_ns: match edit.pts {
                Some(pts) => ns(pts.saturating_add(length)).saturating_sub(ns(pts)),
                None => ns(ticks.saturating_add(length)).saturating_sub(ns(ticks)),
            },
            from_ns: edit.pts.map(ns),
            samples,
        });
        ticks = ticks.saturating_add(length);
    }
    stretches
}

/// The first sample for what is shown from `at_ns` on, where those up to `decoded` are what was
/// before: whoever made the assembly may have put more before the time than need be.
fn first_decoded(track: &AssemblyTrack, decoded: usize, at_ns: i64) -> usize {
    let needed = decoding_start(track, at_ns);
    let next_is_entry = track.samples.get(decoded).is_some_and(|next| next.is_entry);
    match next_is_entry && decoded < needed {
        true => decoded,
        false => needed,
    }
}

/// The last sample from which decoding can start for what is shown from `at_ns` on.
fn decoding_start(track: &AssemblyTrack, at_ns: i64) -> usize {
    let lead_in_ns = if track.is_video { 0 } else { SOUND_LEAD_IN_NS };
    let starts = |sample: &AssemblySample| {
        sample.is_entry && pts_ns(track, sample) <= at_ns.saturating_sub(lead_in_ns)
    };
    track.samples.iter().rposition(starts).unwrap_or(0)
}

/// The end of the samples that are decoded for what is shown before `at_ns`.
fn decoding_end(track: &AssemblyTrack, at_ns: i64) -> usize {
    let shown = |sample: &AssemblySample| pts_ns(track, sample) < at_ns;
    track
        .samples
        .iter()
        .rposition(shown)
        .map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::assembly::Edit;

    const MS: i64 = 1_000_000;

    /// Times in milliseconds; an entry where the time is decoded at itself plus 0.
    fn track(
        is_video: bool,
        samples: &[(i64, bool)],
        edits: &[(Option<i64>, u64)],
    ) -> AssemblyTrack {
        AssemblyTrack {
            is_video,
            timescale: 1000,
            samples: samples
                .iter()
                .zip(0_i64..)
                .map(|((pts, is_entry), number)| AssemblySample {
                    pts: *pts,
                    dts: samples.first().map_or(0, |first| first.0) - 20 + number * 10,
                    duration: 10,
                    bytes: 1,
                    description: 0,
                    is_entry: *is_entry,
                    parts: 0..0,
                })
                .collect(),
            edits: edits
                .iter()
                .map(|(pts, ticks)| Edit {
                    pts: *pts,
                    ticks: *ticks,
                })
                .collect(),
            ..AssemblyTrack::default()
        }
    }

    fn of(track: &AssemblyTrack) -> Presentation {
        Presentation::new(&Assembly {
            tracks: vec![track.clone()],
            ..Assembly::default()
        })
    }

    #[test]
    fn no_stamp_is_below_zero_and_the_first_shown_frame_is_at_the_segments_start() {
        // I P B, of which the I is decoded only.
        let track = track(
            true,
            &[(-10, true), (10, false), (0, false)],
            &[(Some(0), 20)],
        );
        let presentation = of(&track);
        assert_eq!(presentation.offset_ns, 30 * MS);
        assert_eq!(presentation.duration_ns, 20 * MS);
        let legs = presentation.legs(&track, 0, 0..20 * MS);
        let whole = Leg {
            shown_ns: 0,
            length_ns: 20 * MS,
            stamp_ns: 30 * MS,
            hidden_before_ns: 30 * MS,
            samples: 0..3,
        };
        assert_eq!(legs, [whole]);
    }

    #[test]
    fn a_seek_starts_at_the_keyframe_before_and_ends_with_what_the_last_frame_needs() {
        let samples = [
            (0, true),
            (20, false),
            (10, false),
            (30, true),
            (50, false),
            (40, false),
        ];
        let track = track(true, &samples, &[(Some(0), 60)]);
        let presentation = of(&track);
        let leg = |wanted: Range<i64>| {
            let legs = presentation.legs(&track, 0, wanted);
            (
                legs[0].samples.clone(),
                legs[0].shown_ns / MS,
                legs[0].length_ns / MS,
            )
        };
        assert_eq!(leg(10 * MS..60 * MS), (0..6, 10, 50));
        assert_eq!(leg(30 * MS..60 * MS), (3..6, 30, 30));
        assert_eq!(leg(45 * MS..60 * MS), (3..6, 45, 15));
        // The B at 10 ms leans on the P at 20 ms, which is before it in the order of decoding.
        assert_eq!(leg(0..20 * MS), (0..3, 0, 20));
        assert_eq!(leg(0..10 * MS), (0..1, 0, 10));
    }

    #[test]
    fn every_edit_is_a_leg_with_a_lead_in_of_its_own() {
        let samples = [
            (-10, true),
            (0, false),
            (20, true),
            (30, false),
            (40, false),
        ];
        let track = track(true, &samples, &[(Some(0), 10), (None, 5), (Some(30), 20)]);
        let presentation = of(&track);
        let legs = presentation.legs(&track, 0, 0..35 * MS);
        let found: Vec<_> = legs
            .iter()
            .map(|leg| {
                (
                    leg.shown_ns / MS,
                    leg.length_ns / MS,
                    leg.stamp_ns / MS - 30,
                    leg.samples.clone(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [(0, 10, 0, 0..2), (10, 5, 10, 0..0), (15, 20, 30, 2..5)]
        );
        let late = presentation.legs(&track, 0, 25 * MS..35 * MS);
        assert_eq!(
            (late[0].shown_ns / MS, late[0].stamp_ns / MS - 30),
            (25, 40)
        );
        assert_eq!(late[0].samples, 2..5);
        assert_eq!(late[0].hidden_before_ns / MS - 30, 30);
    }

    #[test]
    fn sound_begins_some_frames_early_so_that_decoders_are_in_step() {
        let samples: Vec<_> = (0..50).map(|number| (number * 10, true)).collect();
        let track = track(false, &samples, &[(Some(5), 490)]);
        let presentation = of(&track);
        let legs = presentation.legs(&track, 0, 200 * MS..300 * MS);
        assert_eq!(legs[0].samples, 12..31);
        assert_eq!(legs[0].stamp_ns - presentation.offset_ns, 205 * MS);
    }

    #[test]
    fn a_track_that_has_nothing_in_a_range_is_silent_in_it() {
        let track = track(false, &[(0, true)], &[(Some(0), 10)]);
        let presentation = of(&track);
        let legs = presentation.legs(&track, 0, 50 * MS..80 * MS);
        assert_eq!((legs[0].shown_ns, legs[0].length_ns), (50 * MS, 30 * MS));
        assert_eq!(legs[0].samples, 0..0);
    }

    #[test]
    fn a_seek_to_a_keyframe_finds_the_one_before_after_or_nearest() {
        let samples = [
            (-10, true),
            (0, false),
            (10, true),
            (20, false),
            (30, true),
            (40, false),
        ];
        let track = track(true, &samples, &[(Some(0), 50)]);
        let presentation = of(&track);
        let near = |at: i64, snap| {
            presentation
                .entry_near(&track, 0, at * MS, snap)
                .map(|ns| ns / MS)
        };
        assert_eq!(near(25, Snap::Before), Some(10));
        assert_eq!(near(25, Snap::After), Some(30));
        assert_eq!(near(25, Snap::Nearest), Some(30));
        assert_eq!(near(12, Snap::Nearest), Some(10));
        // Nothing that is shown can be decoded by itself before 10, but the beginning is there.
        assert_eq!(near(5, Snap::Before), Some(0));
        assert_eq!(near(45, Snap::After), Some(30));
    }
}
