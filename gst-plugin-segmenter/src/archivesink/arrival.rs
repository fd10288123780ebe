// SPDX-License-Identifier: MPL-2.0
//! Whether a stream's stamps keep up with its frames' arrival, and what is added to them so that
//! they do.
//!
//! A frame that comes from another machine is stamped by that machine: where no reference time
//! says what its stamps mean, they are good for the distance between two frames and for nothing
//! else. Their rate may be wrong, they may begin anew at any number, and two streams' first stamps
//! mean two different moments. What is sure is when a frame arrived.
//!
//! * *Lateness* is the running time at which a frame arrived less its stamp. The network, the
//!   decoder, a busy machine only ever make a frame later, so the least lateness of some tenths of
//!   a second is the honest one, and a frame that is early is proof that its stamp is ahead.
//! * *At the start* what upstream says of its latency tells stamps that mean the moment of capture
//!   from those that do not, which are replaced by the arrival. While frames are still held, each
//!   that is early moves them all: a server that sends what it has kept at once ends now.
//!   Streams of one source whose lateness differs begin at different moments with stamps that say
//!   they do not: the later ones are moved to where the first is.
//! * *Later* stamps that leave the band around the lateness of the start are slewed back into it,
//!   by as much a second as they are outside of it, and by the rate at which they have left it so
//!   far: a wrong rate settles at the band's edge, within half a second of the arrival. The band is
//!   as wide as that allows, for a machine that is busy makes frames late and not their stamps
//!   wrong. What is added is a function of the stamp, so that pictures keep their order.
//! * *A jump* (the sender began anew, or went on after a pause that its stamps do not count) is not
//!   slewed: the frame gets the time of its arrival, and nothing follows on.
//!
//! Only for live sources whose stamps are another machine's (see [`upstream`](super::upstream)).
//! A file read as fast as it can be arrives at any time, and a camera at this machine's own bus is
//! stamped by the pipeline's own clock, which a busy encoder behind it does not make wrong: the
//! stamps of both are taken as they are.
//!
//! Pure: it is told the time and never asks for it.

use std::collections::VecDeque;

use crate::utc::SECOND_NS;

/// At the start, lateness up to this much above what upstream says of itself is believed.
const START_TOLERANCE_NS: i64 = 400_000_000;
/// Streams of one source may differ in lateness by this much: sound is encoded faster.
const APART_NS: i64 = 100_000_000;
/// Lateness may grow by this much before anything is done.
const LATE_NS: i64 = 200_000_000;
/// Frames may be early by this much before anything is done.
const EARLY_NS: i64 = 200_000_000;
/// An error of this size is a jump.
const JUMP_NS: i64 = SECOND_NS;
/// A step of this size is no pause: stamps began anew.
const ANEW_NS: i64 = 5 * SECOND_NS;
/// The least lateness is taken of so much time.
const WINDOW_NS: i64 = 400_000_000;
/// So many windows in a row must be late by a jump: a backlog that is caught up with is not one.
const JUMP_WINDOWS: u32 = 8;
/// The most that slewing adds to what it has learnt of the rate: a third of a second in a second.
const MOST_SLEW_PPM: i64 = 330_000;
/// So many stamps are remembered: no codec reorders over more pictures (H.264 A.3.1, H.265 A.4.2).
const MOST_KNOTS: usize = 17;
/// The most it learns: stamps that stand still.
const MOST_RATE_PPM: i64 = 1_000_000;

/// What is known of one stream's stamps.
#[derive(Clone, Debug, Default)]
pub struct Arrival {
    /// The latency that upstream says it has; `None` where stamps are taken as they are.
    latency_ns: Option<i64>,
    /// What is added to the latest stamp, and to those after it.
    correction_ns: i64,
    /// What was added to the latest stamps, in their order: pictures that are shown before one that
    /// came before them get what is due at their stamp.
    knots: VecDeque<Knot>,
    /// The lateness that is honest: what was there at the start.
    honest_ns: i64,
    last: Option<Seen>,
    window: Option<Window>,
    /// The rate at which stamps run away, as far as it is learnt, in parts per million.
    rate_ppm: i64,
    /// By what the correction grows until the next window is full.
    slew_ppm: i64,
    /// Windows in a row that were late by a jump.
    late_windows: u32,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    stamp_ns: i64,
    arrived_ns: i64,
}

/// What is added at a stamp.
#[derive(Clone, Copy, Debug)]
struct Knot {
    stamp_ns: i64,
    correction_ns: i64,
    arrived_ns: i64,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since_ns: i64,
    least_late_ns: i64,
}

/// What a frame's arrival did to the times of its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// By how much the frames that are still held move.
    pub held_ns: i64,
    /// This frame does not follow on the one before.
    pub jumped: bool,
}

impl Arrival {
    /// From now on stamps are compared with arrivals, for a source with this latency; or not.
    pub fn compare(&mut self, latency_ns: Option<i64>) {
        self.latency_ns = latency_ns;
    }

    /// What is added to the stream's stamps from now on.
    pub fn correction_ns(&self) -> i64 {
        self.correction_ns
    }

    /// What is added to a stamp of the stream.
    pub fn at(&self, stamp_ns: i64) -> i64 {
        let after = self.knots.partition_point(|knot| knot.stamp_ns <= stamp_ns);
        let before = after.checked_sub(1).and_then(|index| self.knots.get(index));
        match (before, self.knots.get(after)) {
            (Some(before), Some(after)) => {
                let part = i128::from(stamp_ns.saturating_sub(before.stamp_ns));
                let whole = i128::from(after.stamp_ns.saturating_sub(before.stamp_ns).max(1));
                let grown = after.correction_ns.saturating_sub(before.correction_ns);
                let grown = i128::from(grown) * part / whole;
                before
                    .correction_ns
                    .saturating_add(i64::try_from(grown).unwrap_or(0))
            }
            (None, Some(first)) => first.correction_ns,
            _ => self.correction_ns,
        }
    }

    /// How late an honest frame is, once one came.
    pub fn honest_ns(&self) -> Option<i64> {
        self.last.map(|_| self.honest_ns)
    }

    /// Other streams of the source are as late as this. Returns by how much the frames that are
    /// still held move for it.
    pub fn join(&mut self, others_ns: i64) -> i64 {
        let apart_ns = self.honest_ns.saturating_sub(others_ns);
        if self.last.is_none() || apart_ns <= APART_NS {
            return 0;
        }
        self.shift(apart_ns);
        self.honest_ns = others_ns;
        self.window = None;
        apart_ns
    }

    /// Takes a frame's stamp and the running time at which it arrived. While frames are `held`,
    /// they can still be moved.
    pub fn observe(&mut self, stamp_ns: i64, arrived_ns: i64, held: bool) -> Moved {
        let Some(latency_ns) = self.latency_ns else {
            return Moved::default();
        };
        let seen = Seen {
            stamp_ns,
            arrived_ns,
        };
        let Some(last) = self.last.replace(seen) else {
            self.begin(seen.late_ns(), latency_ns);
            return Moved::default();
        };
        self.slew(seen);
        let step_ns = stamp_ns.saturating_sub(last.stamp_ns);
        let late_ns = seen.late_ns().saturating_sub(self.at(stamp_ns));
        if held && step_ns.saturating_abs() > ANEW_NS && late_ns < -JUMP_NS {
            // What is held is of the numbers before, and stays where it is.
            return self.jump(late_ns.saturating_sub(self.honest_ns));
        }
        if held {
            return self.settle(seen);
        }
        let back = stamp_ns < last.stamp_ns.saturating_sub(JUMP_NS);
        let off_ns = late_ns.saturating_sub(self.honest_ns);
        if late_ns < -JUMP_NS || (back && off_ns.saturating_abs() > JUMP_NS) {
            return self.jump(off_ns);
        }
        self.watch(arrived_ns, late_ns)
    }

    /// Takes a lateness into the window, and looks at the one before if it is full.
    fn watch(&mut self, now_ns: i64, late_ns: i64) -> Moved {
        if let Some(window) = &mut self.window
            && now_ns.saturating_sub(window.since_ns) < WINDOW_NS
        {
            window.least_late_ns = window.least_late_ns.min(late_ns);
            return Moved::default();
        }
        let full = self.window.replace(Window {
            since_ns: now_ns,
            least_late_ns: late_ns,
        });
        full.map_or_else(Moved::default, |full| self.judge(full, now_ns))
    }

    fn begin(&mut self, late_ns: i64, latency_ns: i64) {
        let most_ns = latency_ns.saturating_add(START_TOLERANCE_NS);
        if (0..=most_ns).contains(&late_ns) {
            self.honest_ns = late_ns;
        } else {
            self.correction_ns = late_ns;
            self.honest_ns = 0;
        }
    }

    /// Nothing is written yet: what the least lateness says is done at once.
    fn settle(&mut self, seen: Seen) -> Moved {
        let late_ns = seen.late_ns().saturating_sub(self.at(seen.stamp_ns));
        self.honest_ns = self.honest_ns.min(late_ns.max(0));
        let held_ns = late_ns.min(0);
        self.shift(held_ns);
        if held_ns < 0 {
            self.window = None;
        }
        self.watch(seen.arrived_ns, late_ns.max(0));
        Moved {
            held_ns,
            jumped: false,
        }
    }

    /// Lets the correction grow or shrink by the time that has passed, at a stamp that is the
    /// latest so far.
    fn slew(&mut self, seen: Seen) {
        let Seen {
            stamp_ns,
            arrived_ns,
        } = seen;
        let last = self.knots.back().copied();
        if let Some(last) = last.filter(|last| stamp_ns >= last.stamp_ns) {
            let passed_ns = arrived_ns.saturating_sub(last.arrived_ns).max(0);
            let change_ns = i128::from(passed_ns) * i128::from(self.slew_ppm) / 1_000_000;
            let change_ns = i64::try_from(change_ns).unwrap_or(0);
            // No frame gets a time after its arrival for it, and none one before its predecessor's.
            let late_ns = seen.late_ns().saturating_sub(self.correction_ns);
            let least_ns = last.stamp_ns.saturating_sub(stamp_ns) / 2;
            let change_ns = change_ns.clamp(least_ns, late_ns.max(0));
            self.correction_ns = self.correction_ns.saturating_add(change_ns);
        } else if last.is_some() {
            return;
        }
        if self.knots.len() >= MOST_KNOTS {
            self.knots.pop_front();
        }
        self.knots.push_back(Knot {
            stamp_ns,
            correction_ns: self.correction_ns,
            arrived_ns,
        });
    }

    fn shift(&mut self, ns: i64) {
        self.correction_ns = self.correction_ns.saturating_add(ns);
        for knot in &mut self.knots {
            knot.correction_ns = knot.correction_ns.saturating_add(ns);
        }
    }

    /// Looks at a window that is full, and sets how the correction changes until the next one is.
    fn judge(&mut self, full: Window, now_ns: i64) -> Moved {
        let late_ns = full.least_late_ns;
        self.honest_ns = self.honest_ns.min(late_ns.max(0));
        let most_ns = self.honest_ns.saturating_add(LATE_NS);
        let outside_ns = if late_ns > most_ns {
            late_ns.saturating_sub(most_ns)
        } else {
            late_ns.saturating_add(EARLY_NS).min(0)
        };
        if outside_ns > JUMP_NS {
            self.late_windows += 1;
            if self.late_windows >= JUMP_WINDOWS {
                return self.jump(late_ns.saturating_sub(self.honest_ns));
            }
        } else {
            self.late_windows = 0;
        }
        let passed_ms = now_ns.saturating_sub(full.since_ns).clamp(0, SECOND_NS) / 1_000_000;
        let outside_ppm = (outside_ns / 1_000).clamp(-MOST_SLEW_PPM, MOST_SLEW_PPM);
        // Learnt within some five seconds, forgotten within twenty.
        let learnt_ppm = outside_ppm * passed_ms / 5_000 - self.rate_ppm * passed_ms / 20_000;
        self.rate_ppm = (self.rate_ppm + learnt_ppm).clamp(-MOST_RATE_PPM, MOST_RATE_PPM);
        self.slew_ppm = self.rate_ppm + outside_ppm;
        Moved::default()
    }

    fn jump(&mut self, off_ns: i64) -> Moved {
        self.correction_ns = self.correction_ns.saturating_add(off_ns);
        self.knots.clear();
        self.window = None;
        self.late_windows = 0;
        self.slew_ppm = self.rate_ppm;
        Moved {
            held_ns: 0,
            jumped: true,
        }
    }
}

impl Seen {
    fn late_ns(self) -> i64 {
        self.arrived_ns.saturating_sub(self.stamp_ns)
    }
}

#[cfg(test)]
mod tests;
