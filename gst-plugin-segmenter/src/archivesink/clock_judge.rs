// SPDX-License-Identifier: MPL-2.0
//! Whether a source's reference times can be believed.
//!
//! A camera says in its sender reports what its clock shows (RFC 3550 §6.4.1). Most clocks are
//! right, many are honestly off by minutes or hours, and some are no clocks: zero, a date from
//! before this project, one that stands still, runs backward or at another speed, or jumps to and
//! fro. A frame's *reference time* is judged by three things:
//!
//! * the machine's clock, from which it may be no farther than a limit, unless that clock is
//!   itself none;
//! * the frame's *arrival* on a clock that nobody sets. A frame arrives late, never early, so a
//!   reference time that gains on the arrivals is too fast for certain, while one that falls behind
//!   may be a network's backlog: that it is the clock must show in a steady rate over
//!   [`STEADY_NS`];
//! * the frame's *stamp*, which counts from nowhere. A reference time that falls behind both arrival
//!   and stamps is no backlog but a clock that is slow, stands still or runs backward.
//!
//! A live source's clock is believed when it was sane for [`PROBATION_NS`], and judged all the time
//! after. A jump is believed when it was the only one and lasted for [`DOUBT_NS`], which is longer
//! than reports are apart (RFC 3550 §6.2: some 5 s); until then times go on as they were. A clock
//! that was refused is believed again after [`PATIENCE_NS`] of sanity, twice as much each time.
//! Where nothing is live there are no arrivals to judge by: stamps take their place, a date near the
//! machine's clock cannot be asked for, and jumps are what the source wants.
//!
//! Pure: it is told the time and never asks for it.

mod fault;
mod trail;

use crate::utc::{SECOND_NS, UtcNs};

pub use fault::Fault;
use trail::{Point, Trail};

/// Nothing was recorded with this project before: 2020-01-01T00:00:00Z.
const BEGINNING: UtcNs = UtcNs(1_577_836_800 * SECOND_NS);
/// How long a clock must be sane at first.
pub const PROBATION_NS: i64 = 3 * SECOND_NS;
/// How much it may gain or lose in that time: the jitter of arrivals.
const PROBATION_DRIFT_NS: i64 = 80_000_000;
/// A clock that was not believed yet is not refused for its speed before so much time: a server may
/// catch up with what it has kept.
const FIRST_NS: i64 = 10 * SECOND_NS;
/// How long a jump must last.
const DOUBT_NS: i64 = 8 * SECOND_NS;
/// How long a slow rate must be steady that may be a network's backlog.
const STEADY_NS: i64 = 12 * SECOND_NS;
/// A clock that was refused is watched for this long, at first.
const PATIENCE_NS: i64 = 30 * SECOND_NS;
/// And for no longer than this.
const MOST_PATIENCE_NS: i64 = 3600 * SECOND_NS;
/// A change of this size from one frame to the next is a jump.
const JUMP_NS: i64 = 250_000_000;
/// A jump that only arrivals show, not stamps, is at least this large.
const ARRIVAL_JUMP_NS: i64 = SECOND_NS;
/// So many jumps within [`JUMPS_WITHIN_NS`] are a clock that jumps to and fro.
const MOST_JUMPS: usize = 3;
const JUMPS_WITHIN_NS: i64 = 300 * SECOND_NS;

/// A frame's reference time and what it is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The reference time.
    pub camera: UtcNs,
    /// The machine's clock when it arrived.
    pub machine: UtcNs,
    /// When it arrived, on a clock that nobody sets.
    pub arrived_ns: i64,
    /// Its stamp, as it came.
    pub stamp_ns: i64,
}

/// What to do with a frame's reference time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is when the frame was captured.
    Believe,
    /// It will be, if the clock goes on like this.
    Probation,
    /// It was believed, and jumped: times go on as before until that is explained.
    Doubt,
    /// It is not to be used.
    Refuse,
}

/// Something to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The clock is used from now on no more, or will not be.
    Refused(Fault),
    /// The clock that was refused is used again.
    Restored,
}

/// The judge of one stream's reference times.
#[derive(Clone, Debug)]
pub struct Judge {
    live: bool,
    limit_ns: Option<i64>,
    state: State,
    trail: Trail,
    /// What the trail was before the jump that is in doubt.
    before: Trail,
    /// When the latest jumps were, and what was read then.
    jumps: Vec<(i64, Reading)>,
    last: Option<Reading>,
    /// When the first reading was taken that was not implausible.
    first_ns: Option<i64>,
    patience_ns: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Probation { since_ns: i64 },
    Believed,
    Doubt { since_ns: i64 },
    Refused { fault: Fault, sane_since_ns: i64 },
}

impl Judge {
    /// A judge of a source that is live or not. Its clock may be as far from the machine's as
    /// `limit_ns`, or any time since this project began.
    pub fn new(live: bool, limit_ns: Option<i64>) -> Self {
        let state = match live {
            true => State::Probation { since_ns: i64::MIN },
            false => State::Believed,
        };
        Self {
            live,
            limit_ns: limit_ns.filter(|_| live),
            state,
            trail: Trail::default(),
            before: Trail::default(),
            jumps: Vec::new(),
            last: None,
            first_ns: None,
            patience_ns: PATIENCE_NS,
        }
    }

    /// Why the clock is not used, if it is not.
    pub fn fault(&self) -> Option<&Fault> {
        match &self.state {
            State::Refused { fault, .. } => Some(fault),
            _ => None,
        }
    }

    /// Judges a reading, and says what changed by it.
    pub fn judge(&mut self, mut reading: Reading) -> (Verdict, Option<Change>) {
        if !self.live {
            reading.arrived_ns = reading.stamp_ns;
        }
        let point = Point::of(&reading);
        let jumped = self.last.is_some_and(|last| self.jumps(last, reading));
        self.last = Some(reading);
        let fault = match self.implausible(reading) {
            Some(fault) => {
                self.trail = Trail::default();
                Some(fault)
            }
            None if jumped => self.jump(reading),
            None => self.drift(point, reading.arrived_ns),
        };
        let change = match fault {
            Some(fault) => self.refuse(fault, reading.arrived_ns),
            None => self.settle(reading.arrived_ns, point),
        };
        (self.verdict(), change)
    }

    fn verdict(&self) -> Verdict {
        match self.state {
            State::Probation { .. } => Verdict::Probation,
            State::Believed => Verdict::Believe,
            State::Doubt { .. } => Verdict::Doubt,
            State::Refused { .. } => Verdict::Refuse,
        }
    }

    fn implausible(&self, reading: Reading) -> Option<Fault> {
        let Reading {
            camera, machine, ..
        } = reading;
        if camera < BEGINNING {
            return Some(Fault::Unset(camera));
        }
        let limit_ns = self.limit_ns.filter(|_| machine >= BEGINNING)?;
        let off_ns = camera - machine;
        (off_ns.saturating_abs() > limit_ns).then_some(Fault::Far {
            camera,
            off_ns,
            limit_ns,
        })
    }

    fn jumps(&self, last: Reading, reading: Reading) -> bool {
        let (was, is) = (Point::of(&last), Point::of(&reading));
        let stamps_ns = is.by_stamp_ns.saturating_sub(was.by_stamp_ns);
        let early_ns = self.trail.latest_ns().unwrap_or(was.by_arrival_ns);
        let arrivals_ns = is.by_arrival_ns.saturating_sub(early_ns);
        let both = stamps_ns.saturating_abs() >= JUMP_NS
            && arrivals_ns.saturating_abs() >= JUMP_NS
            && (stamps_ns > 0) == (arrivals_ns > 0);
        let anew = reading.stamp_ns < last.stamp_ns.saturating_sub(ARRIVAL_JUMP_NS)
            && arrivals_ns < -ARRIVAL_JUMP_NS;
        both || anew || arrivals_ns > ARRIVAL_JUMP_NS
    }

    fn drift(&mut self, point: Point, now_ns: i64) -> Option<Fault> {
        let first_ns = *self.first_ns.get_or_insert(now_ns);
        let by_half_second = match self.trail.take(point) {
            true => self.trail.drift(),
            false => None,
        };
        let fault = by_half_second.or_else(|| self.trail.falls(point))?;
        let early = now_ns.saturating_sub(first_ns) < FIRST_NS;
        if early && let State::Probation { since_ns } = &mut self.state {
            *since_ns = now_ns;
            self.trail = Trail::default();
            return None;
        }
        Some(fault)
    }

    fn jump(&mut self, reading: Reading) -> Option<Fault> {
        let now_ns = reading.arrived_ns;
        let point = Point::of(&reading);
        let old = std::mem::take(&mut self.trail);
        self.trail.take(point);
        if !self.live {
            return None;
        }
        self.jumps
            .retain(|(at_ns, _)| now_ns.saturating_sub(*at_ns) < JUMPS_WITHIN_NS);
        self.jumps.push((now_ns, reading));
        match self.state {
            State::Believed => {
                self.before = old;
                self.state = State::Doubt { since_ns: now_ns };
            }
            State::Doubt { .. } if self.before.is_near(point) => {
                self.trail = std::mem::take(&mut self.before);
                self.state = State::Believed;
            }
            State::Doubt { .. } => self.state = State::Doubt { since_ns: now_ns },
            State::Probation { .. } => self.state = State::Probation { since_ns: now_ns },
            State::Refused { .. } => {}
        }
        let first = self
            .jumps
            .first()
            .filter(|_| self.jumps.len() >= MOST_JUMPS);
        first.map(|(_, first)| Fault::of_jumps(first, &reading))
    }

    fn refuse(&mut self, fault: Fault, now_ns: i64) -> Option<Change> {
        let was = std::mem::replace(
            &mut self.state,
            State::Refused {
                fault: fault.clone(),
                sane_since_ns: now_ns,
            },
        );
        if let State::Refused { fault: known, .. } = was {
            // What was said first stays said.
            self.state = State::Refused {
                fault: known,
                sane_since_ns: now_ns,
            };
            return None;
        }
        Some(Change::Refused(fault))
    }

    /// Nothing is wrong with this reading: what was waited for may be over.
    fn settle(&mut self, now_ns: i64, point: Point) -> Option<Change> {
        match &mut self.state {
            State::Probation { since_ns } => {
                let since_ns = *if *since_ns == i64::MIN {
                    *since_ns = now_ns;
                    since_ns
                } else {
                    since_ns
                };
                let watched = now_ns.saturating_sub(since_ns) >= PROBATION_NS;
                if watched && self.trail.is_steady(PROBATION_NS, PROBATION_DRIFT_NS) {
                    self.state = State::Believed;
                }
                None
            }
            State::Doubt { since_ns } => {
                if now_ns.saturating_sub(*since_ns) >= DOUBT_NS {
                    self.before = Trail::default();
                    self.state = State::Believed;
                } else if self.before.is_near(point) {
                    // It crept back.
                    self.trail = std::mem::take(&mut self.before);
                    self.state = State::Believed;
                }
                None
            }
            State::Refused { sane_since_ns, .. } => {
                let sane_ns = now_ns.saturating_sub(*sane_since_ns);
                let steady = self.trail.is_steady(PROBATION_NS, PROBATION_DRIFT_NS);
                if sane_ns < self.patience_ns || !steady {
                    return None;
                }
                self.patience_ns = self.patience_ns.saturating_mul(2).min(MOST_PATIENCE_NS);
                self.jumps.clear();
                self.state = State::Believed;
                Some(Change::Restored)
            }
            State::Believed => None,
        }
    }
}

#[cfg(test)]
mod tests;
