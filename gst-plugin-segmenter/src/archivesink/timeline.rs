// SPDX-License-Identifier: MPL-2.0
//! From running time to UTC: which wall-clock moment a frame was captured at.
//!
//! The pipeline counts in running time, which starts at zero; the archive counts in UTC. Between
//! them lies one number, `offset = UTC - running time`, and this module decides how it may change:
//!
//! * *The camera's clock.* A frame that carries a reference time (RTCP sender reports through
//!   `GstReferenceTimestampMeta`) was captured at that moment, and the jitter buffer's guess, the
//!   running time, is not asked. A frame without one borrows the offset of the frame before, or
//!   of another track: all tracks share one running time.
//! * *The machine's clock*, where there is no camera's: the offset between two clock readings
//!   taken together, so that a late or an early buffer does not move it. A small error is slewed
//!   by at most 500 ppm of the time that passed, so that no frame's time jumps and neighbouring
//!   segments stay within the archive's 10 ms tolerance.
//! * *Steps.* A clock that was set, by a second or more, is not smeared over half an hour: frames
//!   keep the old offset until a new segment begins, and that one is marked discontinuous. So it
//!   goes, whatever the error, when the camera's clock takes over from the machine's, or the
//!   machine's from a camera's that is believed no more.
//! * *A camera's clock on probation* already tells how frames lie to each other: they get its times,
//!   moved to where the machine's clock puts the first of them. When it is believed, all that was
//!   recorded so far is off by that one number.
//!
//! Whatever a clock says, no time leaves here that a segment cannot hold. Whether a camera's clock
//! is one is the [judge's](super::clock_judge) to say.
//!
//! Pure: it is told the time and never asks for it.

use crate::utc::{HOUR_NS, UtcNs};

/// An error of this size is a clock that was set, not one that drifts.
pub const STEP_NS: i64 = 1_000_000_000;
/// Slewing corrects at most one part in this many: 500 ppm.
const SLEW_DIVISOR: i64 = 2_000;
/// A jump no larger than this is no discontinuity: the archive's tolerance between segments.
const CONTINUOUS_NS: i64 = 10_000_000;
/// Times on probation are not believed farther from the machine's than this.
const PROBATION_NS: i64 = 100_000_000;
/// Nor where they do not go from frame to frame as the stamps do, but for this much.
const PROBATION_STEP_NS: i64 = 25_000_000;
/// What a segment can hold in both containers: from the first hour of 1970, so that no time near it
/// is negative, to the end of the years that `prft` knows, 2104.
const REPRESENTABLE_NS: std::ops::RangeInclusive<i64> = HOUR_NS..=4_228_000_000_000_000_000;

/// Where a stream's time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The machine's clock.
    Clock,
    /// The frames' own reference times: the camera's clock.
    Reference,
}

/// The mapping, and how far it is from what was last observed.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    anchor: Option<Anchor>,
    /// The machine's clock, also while the camera's is in force.
    clock: Option<Anchor>,
    /// A jump that waits for the next segment to begin.
    pending: Option<Anchor>,
    /// The camera's offset as each stream last saw it; `None` while stepping.
    stream_offsets_ns: Vec<Option<i64>>,
    /// What is added to the times of a camera on probation.
    probation_ns: Option<i64>,
    drift_ns: i64,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    offset_ns: i64,
    source: Source,
    /// Running time of the last observation: slewing is paid out of the time since then.
    observed_ns: i64,
}

impl Timeline {
    /// Takes a pair of clock readings: at this running time the machine's clock said `utc`.
    pub fn observe_clock(&mut self, running_ns: i64, utc: UtcNs) {
        let seen = Anchor {
            offset_ns: representable(utc).0.saturating_sub(running_ns),
            source: Source::Clock,
            observed_ns: running_ns,
        };
        let in_force = self
            .anchor
            .is_none_or(|anchor| anchor.source == Source::Clock);
        let Some(clock) = self.clock.as_mut() else {
            self.clock = Some(seen);
            self.anchor = self.anchor.or(Some(seen));
            return;
        };
        let error_ns = seen.offset_ns.saturating_sub(clock.offset_ns);
        let stepped = error_ns.saturating_abs() >= STEP_NS;
        if !in_force {
            // Once a camera's clock is known, the machine's has no say, but may be asked again.
            match stepped {
                true => *clock = seen,
                false => clock.slew(error_ns, running_ns),
            }
            if matches!(self.pending, Some(step) if step.source == Source::Clock) {
                self.pending = self.clock;
            }
            return;
        }
        self.drift_ns = error_ns;
        if stepped {
            self.step_to(seen);
        } else {
            clock.slew(error_ns, running_ns);
            self.anchor = self.clock;
            self.pending = self
                .pending
                .take()
                .filter(|step| step.source != Source::Clock);
        }
    }

    /// Takes a frame's reference time: the frame of this running time was captured at `utc`.
    pub fn observe_reference(&mut self, stream: usize, running_ns: i64, utc: UtcNs) {
        let seen = Anchor {
            offset_ns: representable(utc).0.saturating_sub(running_ns),
            source: Source::Reference,
            observed_ns: running_ns,
        };
        let Some(anchor) = &mut self.anchor else {
            self.anchor = Some(seen);
            return self.remember(stream, Some(seen.offset_ns));
        };
        let error_ns = seen.offset_ns.saturating_sub(anchor.offset_ns);
        if anchor.source == Source::Clock || error_ns.saturating_abs() >= STEP_NS {
            self.drift_ns = error_ns;
            let clock_is_in_force = anchor.source == Source::Clock;
            self.step_to(seen);
            return match clock_is_in_force {
                // As on probation, until the step is taken.
                true => self.observe_probation(stream, running_ns, utc),
                false => self.remember(stream, None),
            };
        }
        self.drift_ns = 0;
        anchor.offset_ns = seen.offset_ns;
        self.pending = None;
        self.remember(stream, Some(seen.offset_ns));
    }

    /// Takes a reference time of a camera on probation.
    pub fn observe_probation(&mut self, stream: usize, running_ns: i64, utc: UtcNs) {
        let Some(anchor) = self.anchor.filter(|anchor| anchor.source == Source::Clock) else {
            return self.remember(stream, None);
        };
        let offset_ns = representable(utc).0.saturating_sub(running_ns);
        let first_ns = anchor.offset_ns.saturating_sub(offset_ns);
        let moved_ns = offset_ns.saturating_add(*self.probation_ns.get_or_insert(first_ns));
        let off_ns = moved_ns.saturating_sub(anchor.offset_ns);
        let last_ns = self.stream_offsets_ns.get(stream).copied().flatten();
        let step_ns = moved_ns.saturating_sub(last_ns.unwrap_or(anchor.offset_ns));
        let near = off_ns.saturating_abs() <= PROBATION_NS
            && step_ns.saturating_abs() <= PROBATION_STEP_NS;
        // What is not followed does not set the times back that were.
        self.remember(stream, if near { Some(moved_ns) } else { last_ns });
    }

    /// This stream's reference times are not used, at least for now: its frames go on as the
    /// mapping says.
    pub fn without_reference(&mut self, stream: usize) {
        self.remember(stream, None);
    }

    /// No reference time is used: the machine's clock is, from the next segment on.
    pub fn distrust(&mut self) {
        self.probation_ns = None;
        self.stream_offsets_ns.clear();
        match self.anchor {
            Some(anchor) if anchor.source == Source::Reference => {
                self.pending = self.clock.or(self.pending);
            }
            _ => {
                self.pending = self
                    .pending
                    .take()
                    .filter(|step| step.source == Source::Clock);
            }
        }
    }

    /// Nothing was observed yet.
    pub fn is_empty(&self) -> bool {
        self.anchor.is_none()
    }

    /// Whether a new segment is wanted, because the clock was set or its source changed.
    pub fn step_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Takes the step that is pending, if one is, as a new segment begins. Returns by how many
    /// nanoseconds time jumped, or `None` if it did not.
    pub fn take_step(&mut self) -> Option<i64> {
        let new = self.pending.take()?;
        let old = self.anchor.replace(new);
        if new.source == Source::Clock {
            self.clock = Some(new);
        }
        let on_probation = self.stream_offsets_ns.iter().any(Option::is_some);
        self.stream_offsets_ns.clear();
        self.drift_ns = 0;
        // The frames so far are all off by the same.
        let by_camera = matches!(old, Some(old) if old.source == Source::Clock)
            && new.source == Source::Reference
            && on_probation;
        let probation_ns = self.probation_ns.take().filter(|_| by_camera);
        let between_ns = || old.map_or(0, |old| new.offset_ns.saturating_sub(old.offset_ns));
        Some(probation_ns.map_or_else(between_ns, i64::saturating_neg))
    }

    /// Whether a jump of this size is more than the archive tolerates between neighbours.
    pub fn is_discontinuity(jump_ns: i64) -> bool {
        jump_ns.saturating_abs() > CONTINUOUS_NS
    }

    /// The wall-clock moment of a running time in a stream; `None` before the first observation.
    pub fn utc(&self, stream: usize, running_ns: i64) -> Option<UtcNs> {
        let anchor = self.anchor?;
        let own = self.stream_offsets_ns.get(stream).copied().flatten();
        let offset_ns = own.unwrap_or(anchor.offset_ns);
        Some(representable(UtcNs(running_ns.saturating_add(offset_ns))))
    }

    /// The running time of a moment; `None` before the first observation.
    pub fn running_ns(&self, utc: UtcNs) -> Option<i64> {
        self.anchor
            .map(|anchor| utc.0.saturating_sub(anchor.offset_ns))
    }

    /// How far the mapping is from the last observation, in nanoseconds; positive when the
    /// observed clock is ahead.
    pub fn drift_ns(&self) -> i64 {
        self.drift_ns
    }

    /// Where the mapping in force comes from.
    pub fn source(&self) -> Source {
        self.anchor.map_or(Source::Clock, |anchor| anchor.source)
    }

    fn step_to(&mut self, seen: Anchor) {
        // A camera's clock, once seen, is not put off again by the machine's being set.
        let camera_waits = matches!(self.pending, Some(step) if step.source == Source::Reference);
        if seen.source == Source::Reference || !camera_waits {
            self.pending = Some(seen);
        }
    }

    fn remember(&mut self, stream: usize, offset_ns: Option<i64>) {
        if self.stream_offsets_ns.len() <= stream {
            self.stream_offsets_ns.resize(stream + 1, None);
        }
        if let Some(slot) = self.stream_offsets_ns.get_mut(stream) {
            *slot = offset_ns;
        }
    }
}

/// The nearest time that a segment can hold.
fn representable(utc: UtcNs) -> UtcNs {
    UtcNs(
        utc.0
            .clamp(*REPRESENTABLE_NS.start(), *REPRESENTABLE_NS.end()),
    )
}

impl Anchor {
    fn slew(&mut self, error_ns: i64, running_ns: i64) {
        let passed_ns = running_ns.saturating_sub(self.observed_ns).max(0);
        let most_ns = passed_ns / SLEW_DIVISOR;
        if most_ns > 0 {
            self.offset_ns = self
                .offset_ns
                .saturating_add(error_ns.clamp(-most_ns, most_ns));
            self.observed_ns = running_ns;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::utc::SECOND_NS;

    const NOON: UtcNs = UtcNs(1_790_000_000 * SECOND_NS);

    #[test]
    fn a_small_error_is_slewed_by_at_most_500_ppm_and_then_gone() {
        let mut timeline = Timeline::default();
        timeline.observe_clock(0, NOON);
        let error_ns = 20_000_000;
        let mut previous = timeline.utc(0, 0).expect("observed");
        for second in 1..=60 {
            let running_ns = second * SECOND_NS;
            timeline.observe_clock(running_ns, NOON + running_ns + error_ns);
            let utc = timeline.utc(0, running_ns).expect("observed");
            let extra_ns = (utc - previous) - SECOND_NS;
            assert!(
                (0..=500_000).contains(&extra_ns),
                "{extra_ns} ns in one second"
            );
            previous = utc;
        }
        assert!(!timeline.step_pending());
        assert_eq!(previous, NOON + 60 * SECOND_NS + error_ns);
    }

    #[test]
    fn many_small_observations_slew_as_much_as_few_large_ones() {
        let mut timeline = Timeline::default();
        timeline.observe_clock(0, NOON);
        for microsecond in 1..=1_000_000 {
            let running_ns = microsecond * 1_000;
            timeline.observe_clock(running_ns, NOON + running_ns + SECOND_NS / 2);
        }
        let moved_ns = timeline.utc(0, 0).expect("observed") - NOON;
        assert!(
            (499_000..=500_000).contains(&moved_ns),
            "{moved_ns}: 500 ppm of one second"
        );
    }

    #[test]
    fn a_clock_set_by_an_hour_waits_for_a_new_segment_and_then_jumps() {
        for hour_ns in [3600 * SECOND_NS, -3600 * SECOND_NS] {
            let mut timeline = Timeline::default();
            timeline.observe_clock(0, NOON);
            timeline.observe_clock(SECOND_NS, NOON + SECOND_NS + hour_ns);
            assert!(timeline.step_pending());
            assert_eq!(timeline.utc(0, SECOND_NS), Some(NOON + SECOND_NS));
            let jump_ns = timeline.take_step().expect("a step");
            assert_eq!(jump_ns, hour_ns);
            assert!(Timeline::is_discontinuity(jump_ns));
            assert_eq!(timeline.utc(0, SECOND_NS), Some(NOON + SECOND_NS + hour_ns));
            assert_eq!(timeline.take_step(), None, "once");
        }
    }

    #[test]
    fn a_clock_set_and_set_back_before_the_segment_ends_changes_nothing() {
        let mut timeline = Timeline::default();
        timeline.observe_clock(0, NOON);
        timeline.observe_clock(SECOND_NS, NOON + 3601 * SECOND_NS);
        timeline.observe_clock(2 * SECOND_NS, NOON + 2 * SECOND_NS);
        assert!(!timeline.step_pending());
    }

    #[test]
    fn the_cameras_clock_takes_over_and_the_machines_is_then_ignored() {
        let mut timeline = Timeline::default();
        timeline.observe_clock(0, NOON);
        timeline.observe_reference(0, SECOND_NS, NOON + 1_005_000_000);
        assert!(
            timeline.step_pending(),
            "exact from the next segment on, not slewed for 10 s"
        );
        timeline.observe_clock(SECOND_NS, NOON + SECOND_NS);
        assert!(
            timeline.step_pending(),
            "the machine's clock does not call it off"
        );
        let jump_ns = timeline.take_step().expect("a step");
        assert!(
            !Timeline::is_discontinuity(jump_ns),
            "5 ms are within the archive's tolerance"
        );
        timeline.observe_clock(2 * SECOND_NS, NOON + 900 * SECOND_NS);
        assert!(!timeline.step_pending());
        assert_eq!(timeline.source(), Source::Reference);
        assert_eq!(timeline.utc(0, 2 * SECOND_NS), Some(NOON + 2_005_000_000));
    }

    #[test]
    fn every_frame_has_the_cameras_time_however_the_jitter_buffer_wanders() {
        let mut timeline = Timeline::default();
        timeline.observe_reference(0, 0, NOON);
        for frame in 1..100 {
            let wander_ns = (frame % 7) * 20_000_000;
            let running_ns = frame * 40_000_000 + wander_ns;
            timeline.observe_reference(0, running_ns, NOON + frame * 40_000_000);
            assert_eq!(timeline.utc(0, running_ns), Some(NOON + frame * 40_000_000));
        }
    }

    #[test]
    fn a_track_without_a_reference_of_its_own_borrows_the_others() {
        let mut timeline = Timeline::default();
        timeline.observe_reference(0, 0, NOON);
        assert_eq!(timeline.utc(1, SECOND_NS), Some(NOON + SECOND_NS));
        timeline.observe_reference(1, SECOND_NS, NOON + SECOND_NS + 3_000_000);
        timeline.observe_reference(0, SECOND_NS, NOON + SECOND_NS);
        assert_eq!(
            timeline.utc(1, 2 * SECOND_NS),
            Some(NOON + 2 * SECOND_NS + 3_000_000)
        );
        assert_eq!(timeline.utc(0, 2 * SECOND_NS), Some(NOON + 2 * SECOND_NS));
    }

    #[test]
    fn a_camera_on_probation_places_frames_and_moves_them_all_by_one_number_when_believed() {
        let ahead_ns = 3600 * SECOND_NS;
        let mut timeline = Timeline::default();
        timeline.observe_clock(0, NOON);
        for frame in 0..100 {
            let captured = NOON + frame * 40_000_000 + ahead_ns;
            let running_ns = frame * 40_000_000 + frame % 5 * 4_000_000;
            if frame < 75 {
                timeline.observe_probation(0, running_ns, captured);
                assert!(!timeline.step_pending());
            } else {
                timeline.observe_reference(0, running_ns, captured);
                assert!(timeline.step_pending());
            }
            assert_eq!(timeline.utc(0, running_ns), Some(captured - ahead_ns));
            assert_eq!(timeline.source(), Source::Clock);
        }
        assert_eq!(timeline.take_step(), Some(ahead_ns));
        assert_eq!(timeline.source(), Source::Reference);
    }

    #[test]
    fn a_camera_on_probation_that_stands_still_holds_no_frame_back() {
        let mut timeline = Timeline::default();
        timeline.observe_clock(0, NOON);
        for frame in 0..100 {
            let running_ns = frame * 40_000_000;
            timeline.observe_probation(0, running_ns, NOON);
            assert_eq!(timeline.utc(0, running_ns), Some(NOON + running_ns));
        }
        timeline.distrust();
        assert!(!timeline.step_pending());
    }

    #[test]
    fn a_camera_that_is_believed_no_more_gives_way_to_the_machine_at_the_next_segment() {
        let mut timeline = Timeline::default();
        timeline.observe_reference(0, 0, NOON + 3600 * SECOND_NS);
        timeline.observe_clock(0, NOON);
        timeline.observe_clock(SECOND_NS, NOON + SECOND_NS);
        timeline.distrust();
        assert!(timeline.step_pending());
        let before = timeline.utc(0, SECOND_NS);
        assert_eq!(before, Some(NOON + 3601 * SECOND_NS));
        assert_eq!(timeline.take_step(), Some(-3600 * SECOND_NS));
        assert_eq!(timeline.source(), Source::Clock);
        assert_eq!(timeline.utc(0, SECOND_NS), Some(NOON + SECOND_NS));
    }

    #[test]
    fn no_time_leaves_that_a_segment_cannot_hold() {
        for utc in [i64::MIN, -2_208_988_800 * SECOND_NS, 0, i64::MAX] {
            let mut timeline = Timeline::default();
            timeline.observe_clock(0, UtcNs(utc));
            timeline.observe_reference(0, SECOND_NS, UtcNs(utc));
            timeline.take_step();
            for running_ns in [i64::MIN, 0, i64::MAX] {
                let utc = timeline.utc(0, running_ns).expect("observed");
                assert!(REPRESENTABLE_NS.contains(&utc.0), "{utc}");
            }
        }
    }
}
