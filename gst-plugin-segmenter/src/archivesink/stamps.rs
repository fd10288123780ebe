// SPDX-License-Identifier: MPL-2.0
//! Timestamps a muxer can rely on, whatever the source sent.
//!
//! Cameras, parsers and depayloaders leave out PTS, leave out DTS, or set DTS to the arrival time,
//! which overtakes the PTS; and one bad buffer must not end a recording. What leaves here has a
//! PTS, a DTS that only ever grows, and a duration.
//!
//! DTS is trusted while it is there and not later than the PTS; a few that are not are put between
//! their neighbours. In a stream without any it is rebuilt: in a
//! stream that is reordered over `depth` pictures, the DTS of a picture is the smallest PTS among
//! the last `depth + 1` pictures that no earlier picture has taken (H.264 C.4.5.2, bumping, seen
//! from the other side). The depth starts from what the profile allows and grows when the stream
//! proves it too small.
//!
//! Pure: times in, times out, in nanoseconds of one axis (UTC, when the recorder calls).

use std::collections::VecDeque;

/// A backward step of DTS larger than this is a restart of the source, not a bad stamp.
pub const BACKWARD_JUMP_NS: i64 = 500_000_000;
/// Of sound this much: two frames cannot be heard at once, so what comes too early is heard a
/// little closer together until it has its own time again, as when a camera's clock takes over.
const BACKWARD_SOUND_NS: i64 = 5_000_000_000;
/// How close together that is: nine tenths of a frame's duration.
const CLOSE: (i64, i64) = (9, 10);
/// A forward step of PTS larger than this, at a picture that does not need the ones before it,
/// is a hole in the recording; unless the stream's usual step is as large.
pub const FORWARD_GAP_NS: i64 = 1_000_000_000;
/// What DTS grows by where nothing better is known: one tick of the 90 kHz clock, rounded up.
const TICK_NS: i64 = 11_112;
/// No codec reorders over more pictures (H.264 A.3.1, H.265 A.4.2: a DPB holds at most 16).
const MOST_DEPTH: usize = 16;
/// What is usual is told by so many steps,
const USUAL_STEPS: usize = 8;
/// and a hole is so many times as long.
const UNUSUAL: i64 = 4;
/// So many pictures in a row without a DTS are a stream without DTS.
const MOST_UNTRUSTED: u32 = 8;

/// The stamps of one buffer as it came, on one axis; each may be missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawStamps {
    /// Presentation time.
    pub pts_ns: Option<i64>,
    /// Decoding time.
    pub dts_ns: Option<i64>,
    /// How long the frame lasts.
    pub duration_ns: Option<i64>,
}

/// The stamps of one frame, complete and in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamps {
    /// Presentation time.
    pub pts_ns: i64,
    /// Decoding time: larger than that of the frame before.
    pub dts_ns: i64,
    /// How long the frame lasts; more than zero.
    pub duration_ns: i64,
    /// What lies between this frame and the one before.
    pub step: Step,
}

impl Stamps {
    /// Moves the frame in time.
    pub fn shift(&mut self, ns: i64) {
        self.pts_ns = self.pts_ns.saturating_add(ns);
        self.dts_ns = self.dts_ns.saturating_add(ns);
    }

    /// Where the frame ends.
    pub fn end_ns(&self) -> i64 {
        self.pts_ns.saturating_add(self.duration_ns)
    }
}

/// How a frame's time follows on the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It follows on.
    Next,
    /// Time is missing between the two.
    Gap,
    /// The source began again at an earlier time.
    Backward,
}

/// Repairs the stamps of one stream.
#[derive(Clone, Debug)]
pub struct Stamper {
    nominal_ns: i64,
    last: Option<Stamps>,
    highest_end_ns: i64,
    reordered: bool,
    rebuild: Option<Rebuild>,
    /// How many pictures in a row had no DTS to be trusted.
    untrusted: u32,
    depth: usize,
    /// The last frame's own time: of sound before it was moved, of pictures when it is decoded.
    own_ns: Option<i64>,
    /// The last steps from one frame's own time to the next, the oldest first.
    steps_ns: VecDeque<i64>,
}

/// PTS that no picture has taken as its DTS yet, smallest first.
#[derive(Clone, Debug, Default)]
struct Rebuild {
    waiting_ns: Vec<i64>,
    started: usize,
}

impl Stamper {
    /// For a stream whose frames usually last `nominal_ns`. `reorder_depth` is `None` where
    /// decoding order is presentation order (audio), else the first guess.
    pub fn new(nominal_ns: i64, reorder_depth: Option<usize>) -> Self {
        Self {
            nominal_ns: nominal_ns.max(TICK_NS),
            last: None,
            highest_end_ns: i64::MIN,
            reordered: reorder_depth.is_some(),
            rebuild: None,
            untrusted: 0,
            depth: reorder_depth.unwrap_or(0).min(MOST_DEPTH),
            own_ns: None,
            steps_ns: VecDeque::with_capacity(USUAL_STEPS),
        }
    }

    /// Repairs one buffer's stamps. `now_ns` is the time now, for a first buffer that has
    /// no time at all.
    pub fn repair(&mut self, raw: RawStamps, now_ns: i64) -> Stamps {
        let pts_ns = raw.pts_ns.or(raw.dts_ns).unwrap_or(match self.last {
            Some(_) => self.highest_end_ns,
            None => now_ns,
        });
        let step = self.step(pts_ns);
        if step == Step::Backward {
            self.last = None;
            self.own_ns = None;
            self.highest_end_ns = i64::MIN;
            self.rebuild = self.rebuild.take().map(|_| Rebuild::default());
        }
        let dts_ns = self.decoding_time(pts_ns, raw.dts_ns.filter(|_| raw.pts_ns.is_some()));
        self.learn(if self.reordered { dts_ns } else { pts_ns });
        let pts_ns = if self.reordered { pts_ns } else { dts_ns };
        let duration_ns = self.duration(raw.duration_ns);
        let stamps = Stamps {
            pts_ns,
            dts_ns,
            duration_ns,
            step,
        };
        self.highest_end_ns = self.highest_end_ns.max(stamps.end_ns());
        self.last = Some(stamps);
        stamps
    }

    /// Where the stream would go on if nothing were missing: the latest end seen.
    pub fn end_ns(&self) -> Option<i64> {
        self.last.map(|_| self.highest_end_ns)
    }

    /// Time was set: what came before is now this much later.
    pub fn shift(&mut self, ns: i64) {
        self.highest_end_ns = self.highest_end_ns.saturating_add(ns);
        if let Some(last) = &mut self.last {
            last.shift(ns);
        }
        self.own_ns = self.own_ns.map(|own_ns| own_ns.saturating_add(ns));
        if let Some(rebuild) = &mut self.rebuild {
            for waiting_ns in &mut rebuild.waiting_ns {
                *waiting_ns = waiting_ns.saturating_add(ns);
            }
        }
    }

    /// The stream says that it has nothing up to here.
    pub fn silent_until(&mut self, end_ns: i64) {
        self.highest_end_ns = self.highest_end_ns.max(end_ns);
    }

    fn step(&self, pts_ns: i64) -> Step {
        let Some(last) = self.last else {
            return Step::Next;
        };
        // A picture may be shown before its predecessor, but not by this much.
        let most_ns = match self.reordered {
            true => BACKWARD_JUMP_NS,
            false => BACKWARD_SOUND_NS,
        };
        if pts_ns < last.dts_ns.saturating_sub(most_ns) {
            Step::Backward
        } else if pts_ns > self.highest_end_ns.saturating_add(self.gap_ns()) {
            Step::Gap
        } else {
            Step::Next
        }
    }

    /// A step longer than this is none of the stream's own.
    fn gap_ns(&self) -> i64 {
        FORWARD_GAP_NS.max(self.usual_step_ns().unwrap_or(0).saturating_mul(UNUSUAL))
    }

    /// The median of the last steps: a hole or a jump among them does not count.
    fn usual_step_ns(&self) -> Option<i64> {
        let mut steps_ns: Vec<i64> = self.steps_ns.iter().copied().collect();
        steps_ns.sort_unstable();
        steps_ns.get(steps_ns.len() / 2).copied()
    }

    fn learn(&mut self, own_ns: i64) {
        let Some(before_ns) = self.own_ns.replace(own_ns) else {
            return;
        };
        let step_ns = own_ns.saturating_sub(before_ns);
        if step_ns < TICK_NS {
            return;
        }
        if self.steps_ns.len() == USUAL_STEPS {
            self.steps_ns.pop_front();
        }
        self.steps_ns.push_back(step_ns);
    }

    fn decoding_time(&mut self, pts_ns: i64, dts_ns: Option<i64>) -> i64 {
        let after_last = self.last.map(|last| last.dts_ns.saturating_add(TICK_NS));
        if !self.reordered {
            let (close, whole) = CLOSE;
            let lasts_ns = self.nominal_ns / whole * close;
            let close_ns = self.last.map(|last| last.dts_ns.saturating_add(lasts_ns));
            return pts_ns.max(after_last.max(close_ns).unwrap_or(i64::MIN));
        }
        if self.rebuild.is_none() {
            if let Some(dts_ns) = dts_ns.filter(|dts_ns| *dts_ns <= pts_ns) {
                self.untrusted = 0;
                return dts_ns.max(after_last.unwrap_or(i64::MIN));
            }
            // One that is missing between good ones goes between them.
            self.untrusted += 1;
            if let Some(last) = self.last.filter(|_| self.untrusted <= MOST_UNTRUSTED) {
                let next_ns = last.dts_ns.saturating_add(self.nominal_ns).min(pts_ns);
                return next_ns.max(after_last.unwrap_or(i64::MIN));
            }
        }
        let (wanted_ns, certain) = self.rebuilt(pts_ns);
        match after_last {
            Some(least_ns) if wanted_ns < least_ns => {
                if certain {
                    // Deeper than guessed: from now on one more picture waits.
                    self.depth = (self.depth + 1).min(MOST_DEPTH);
                }
                least_ns
            }
            _ => wanted_ns,
        }
    }

    /// The rebuilt DTS, and whether enough pictures are there for it to be certain.
    fn rebuilt(&mut self, pts_ns: i64) -> (i64, bool) {
        let rebuild = self.rebuild.get_or_insert_default();
        let at = rebuild
            .waiting_ns
            .partition_point(|waiting| *waiting <= pts_ns);
        rebuild.waiting_ns.insert(at, pts_ns);
        if rebuild.waiting_ns.len() > self.depth {
            return (rebuild.waiting_ns.remove(0), true);
        }
        // Before `depth` pictures are there: back from the first by as many as are still to come.
        let still_to_come = self.depth.saturating_sub(rebuild.started);
        rebuild.started += 1;
        let first_ns = rebuild.waiting_ns.first().copied().unwrap_or(pts_ns);
        let back_ns = self.nominal_ns.saturating_mul(still_to_come as i64);
        (first_ns.saturating_sub(back_ns), false)
    }

    fn duration(&mut self, raw_ns: Option<i64>) -> i64 {
        // What lasts until behind a hole does not last that long.
        let most_ns = self.gap_ns();
        if let Some(duration_ns) = raw_ns.filter(|ns| (1..=most_ns).contains(ns)) {
            self.nominal_ns = duration_ns;
            return duration_ns;
        }
        let usual_ns = self.usual_step_ns().filter(|_| !self.reordered);
        if let Some(usual_ns) = usual_ns.filter(|ns| *ns <= FORWARD_GAP_NS) {
            self.nominal_ns = usual_ns;
        }
        self.nominal_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_NS: i64 = 40_000_000;

    fn pts(pts_ns: i64) -> RawStamps {
        RawStamps {
            pts_ns: Some(pts_ns),
            ..RawStamps::default()
        }
    }

    /// Display positions of a stream with B-pyramids, in decoding order.
    const PYRAMID: [i64; 13] = [0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11];

    #[test]
    fn dts_missing_with_b_frames_is_rebuilt_growing_and_never_after_the_pts() {
        let mut stamper = Stamper::new(FRAME_NS, Some(2));
        let mut last_ns = i64::MIN;
        for position in PYRAMID {
            let stamps = stamper.repair(pts(position * FRAME_NS), 0);
            assert_eq!(stamps.pts_ns, position * FRAME_NS);
            assert!(stamps.dts_ns > last_ns, "{position}");
            assert!(stamps.dts_ns <= stamps.pts_ns, "{position}");
            assert_eq!(stamps.step, Step::Next);
            last_ns = stamps.dts_ns;
        }
    }

    #[test]
    fn a_depth_guessed_too_small_is_learnt_within_a_few_frames() {
        let mut stamper = Stamper::new(FRAME_NS, Some(0));
        let mut last_ns = i64::MIN;
        let mut late = 0;
        for round in 0..10 {
            for position in PYRAMID {
                let pts_ns = (round * 13 + position) * FRAME_NS;
                let stamps = stamper.repair(pts(pts_ns), 0);
                assert!(stamps.dts_ns > last_ns);
                last_ns = stamps.dts_ns;
                late += i32::from(stamps.dts_ns > stamps.pts_ns);
            }
        }
        assert!(late <= 6, "{late} frames decoded after they are shown");
    }

    #[test]
    fn dts_that_is_the_arrival_time_and_overtakes_the_pts_is_not_believed() {
        let mut stamper = Stamper::new(FRAME_NS, Some(0));
        for n in 0..10 {
            let raw = RawStamps {
                pts_ns: Some(n * FRAME_NS),
                dts_ns: Some(n * FRAME_NS + 3_000_000),
                duration_ns: None,
            };
            let stamps = stamper.repair(raw, 0);
            assert_eq!(stamps.dts_ns, stamps.pts_ns);
        }
    }

    #[test]
    fn a_buffer_without_any_time_goes_where_the_stream_would_go_on() {
        let mut stamper = Stamper::new(FRAME_NS, None);
        assert_eq!(stamper.repair(RawStamps::default(), 7_000).pts_ns, 7_000);
        assert_eq!(
            stamper.repair(RawStamps::default(), 0).pts_ns,
            7_000 + FRAME_NS
        );
    }

    #[test]
    fn dts_stepping_back_a_little_is_pushed_forward_and_by_much_begins_again() {
        let mut stamper = Stamper::new(FRAME_NS, Some(0));
        let at = |ns| RawStamps {
            pts_ns: Some(ns),
            dts_ns: Some(ns),
            duration_ns: None,
        };
        stamper.repair(at(10 * FRAME_NS), 0);
        let little = stamper.repair(at(9 * FRAME_NS), 0);
        assert!(little.dts_ns > 10 * FRAME_NS);
        assert_eq!(little.step, Step::Next);
        stamper.repair(at(100 * FRAME_NS), 0);
        let much = stamper.repair(at(0), 0);
        assert_eq!((much.step, much.dts_ns), (Step::Backward, 0));
    }

    #[test]
    fn sound_that_comes_too_early_is_heard_closer_together_until_it_has_its_own_time() {
        let mut stamper = Stamper::new(FRAME_NS, None);
        for n in 0..10 {
            assert_eq!(stamper.repair(pts(n * FRAME_NS), 0).pts_ns, n * FRAME_NS);
        }
        // A clock took over that is a quarter of a second behind.
        let mut last_ns = 9 * FRAME_NS;
        for n in 10..100 {
            let own_ns = n * FRAME_NS - 250_000_000;
            let stamps = stamper.repair(pts(own_ns), 0);
            let step_ns = stamps.pts_ns - last_ns;
            assert!(step_ns >= FRAME_NS / 10 * 9, "{step_ns} at {n}");
            assert_eq!((stamps.step, stamps.dts_ns), (Step::Next, stamps.pts_ns));
            assert!(n < 75 || stamps.pts_ns == own_ns, "{n}");
            last_ns = stamps.pts_ns;
        }
    }

    #[test]
    fn a_jump_of_sound_is_not_how_long_a_frame_lasts() {
        let mut stamper = Stamper::new(FRAME_NS, None);
        let jumps_ns =
            |n: i64| if n < 10 { 0 } else { 230_000_000 } - if n < 30 { 0 } else { 300_000_000 };
        let mut last_ns = -FRAME_NS;
        for n in 0..120 {
            let stamps = stamper.repair(pts(n * FRAME_NS + jumps_ns(n)), 0);
            assert_eq!(
                (stamps.duration_ns, stamps.step),
                (FRAME_NS, Step::Next),
                "{n}"
            );
            let step_ns = stamps.pts_ns - last_ns;
            assert!(
                n == 10 || (FRAME_NS / 10 * 9..=FRAME_NS).contains(&step_ns),
                "{n}: {step_ns}"
            );
            last_ns = stamps.pts_ns;
        }
        assert_eq!(last_ns, 119 * FRAME_NS - 70_000_000);
    }

    #[test]
    fn a_gap_is_told_from_a_low_frame_rate_by_what_is_usual() {
        let mut stamper = Stamper::new(FRAME_NS, Some(0));
        stamper.repair(pts(0), 0);
        assert_eq!(stamper.repair(pts(5_000_000_000), 0).step, Step::Gap);
        // Five seconds a frame, whatever the caps promised.
        for n in 2..10 {
            stamper.repair(pts(n * 5_000_000_000), 0);
        }
        assert_eq!(stamper.repair(pts(50_000_000_000), 0).step, Step::Next);
        assert_eq!(stamper.repair(pts(90_000_000_000), 0).step, Step::Gap);
    }

    #[test]
    fn a_frame_before_a_hole_does_not_last_as_long_as_the_hole() {
        let mut stamper = Stamper::new(FRAME_NS, Some(0));
        let long = RawStamps {
            duration_ns: Some(30_000_000_000),
            ..pts(0)
        };
        assert_eq!(stamper.repair(long, 0).duration_ns, FRAME_NS);
        assert_eq!(stamper.repair(pts(30_000_000_000), 0).step, Step::Gap);
    }
}
