// SPDX-License-Identifier: MPL-2.0
//! How far a clock was ahead of arrivals and of stamps in the last half minute.
//!
//! Late arrivals make a clock look behind, so of each half second the reading that is farthest
//! ahead counts.

use std::collections::VecDeque;

use super::{Fault, Reading, STEADY_NS};
use crate::utc::SECOND_NS;

/// One point is kept for so much time.
const POINT_NS: i64 = SECOND_NS / 2;
/// How many are kept: half a minute.
const MOST_POINTS: usize = 60;
/// A clock may be off by so much,
const DRIFT_NS: i64 = 250_000_000;
/// and by one part in so many of the time that passed: 0.5 per cent.
const DRIFT_DIVISOR: i64 = 200;
/// A steady rate is a line from which no point is farther than this.
const STRAIGHT_NS: i64 = 80_000_000;
/// Near is within this.
const NEAR_NS: i64 = 200_000_000;

/// How far a clock is ahead, at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    at_ns: i64,
    /// Of the arrival.
    pub by_arrival_ns: i64,
    /// Of the stamp.
    pub by_stamp_ns: i64,
}

impl Point {
    pub fn of(reading: &Reading) -> Self {
        Self {
            at_ns: reading.arrived_ns,
            by_arrival_ns: reading.camera.0.saturating_sub(reading.arrived_ns),
            by_stamp_ns: reading.camera.0.saturating_sub(reading.stamp_ns),
        }
    }

    fn passed_ns(&self, earlier: &Self) -> i64 {
        self.at_ns.saturating_sub(earlier.at_ns)
    }

    fn gained_ns(&self, earlier: &Self) -> i64 {
        self.by_arrival_ns.saturating_sub(earlier.by_arrival_ns)
    }

    fn gained_on_stamps_ns(&self, earlier: &Self) -> i64 {
        self.by_stamp_ns.saturating_sub(earlier.by_stamp_ns)
    }

    fn speed(&self, earlier: &Self) -> Fault {
        let passed_ns = self.passed_ns(earlier);
        Fault::of_speed(passed_ns.saturating_add(self.gained_ns(earlier)), passed_ns)
    }
}

/// The points of the last half minute.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    points: VecDeque<Point>,
    /// How far it may be ahead of arrivals: as far as it was, and slowly farther. What comes back
    /// from a backlog is not fast.
    base_ns: Option<i64>,
    /// The point that is being made: since when, and the one farthest ahead.
    open: Option<(i64, Point)>,
}

impl Trail {
    /// Takes a point; true when one more is kept.
    pub fn take(&mut self, point: Point) -> bool {
        match &mut self.open {
            Some((since_ns, ahead)) if point.at_ns.saturating_sub(*since_ns) < POINT_NS => {
                if point.by_arrival_ns >= ahead.by_arrival_ns {
                    *ahead = point;
                }
                false
            }
            open => {
                let Some((_, ahead)) = open.replace((point.at_ns, point)) else {
                    return false;
                };
                self.follow(ahead);
                self.points.push_back(ahead);
                if self.points.len() > MOST_POINTS {
                    self.points.pop_front();
                }
                true
            }
        }
    }

    fn follow(&mut self, newest: Point) {
        let base_ns = self.base_ns.get_or_insert(newest.by_arrival_ns);
        let passed_ns = self
            .points
            .back()
            .map_or(0, |point| newest.passed_ns(point));
        let most_ns = (passed_ns / DRIFT_DIVISOR).max(0);
        let off_ns = newest.by_arrival_ns.saturating_sub(*base_ns);
        *base_ns = base_ns.saturating_add(off_ns.clamp(-most_ns, most_ns));
    }

    /// How far the clock was ahead of arrivals when that was last known well.
    pub fn latest_ns(&self) -> Option<i64> {
        let latest = self.points.back().map(|point| point.by_arrival_ns);
        latest.max(self.open.map(|(_, ahead)| ahead.by_arrival_ns))
    }

    /// Whether a clock that was here could be there now.
    pub fn is_near(&self, point: Point) -> bool {
        self.latest_ns()
            .is_some_and(|latest| point.by_arrival_ns.abs_diff(latest) < NEAR_NS as u64)
    }

    /// Whether the clock went with the arrivals for so long, but for `most_ns`.
    pub fn is_steady(&self, for_ns: i64, most_ns: i64) -> bool {
        let Some(newest) = self.points.back() else {
            return false;
        };
        let within = |point: &&Point| newest.passed_ns(point) <= for_ns;
        let recent = self.points.iter().rev().take_while(within);
        let (mut least_ns, mut largest_ns, mut span_ns) = (i64::MAX, i64::MIN, 0);
        for point in recent {
            least_ns = least_ns.min(point.by_arrival_ns);
            largest_ns = largest_ns.max(point.by_arrival_ns);
            span_ns = newest.passed_ns(point);
        }
        // Points are half a second long, and a slow camera's frames are apart.
        span_ns >= for_ns / 2 && largest_ns.saturating_sub(least_ns) <= most_ns
    }

    /// What is wrong with the clock's speed if this reading alone shows it: it has fallen behind
    /// arrivals and stamps.
    pub fn falls(&self, reading: Point) -> Option<Fault> {
        let open = self.open.map(|(_, ahead)| ahead);
        let recent = open.into_iter().chain(self.points.back().copied());
        let behind = |from: &Point| {
            reading.gained_ns(from) < -DRIFT_NS && reading.gained_on_stamps_ns(from) < -DRIFT_NS
        };
        recent
            .into_iter()
            .find(behind)
            .map(|from| reading.speed(&from))
    }

    /// What is wrong with the clock's speed, as of the newest point.
    pub fn drift(&self) -> Option<Fault> {
        let newest = self.points.back()?;
        let earlier = || self.points.iter().rev().skip(1);
        let allowed_ns = |point: &Point| DRIFT_NS + newest.passed_ns(point) / DRIFT_DIVISOR;
        let base_ns = self.base_ns.unwrap_or(newest.by_arrival_ns);
        let is_fast = newest.by_arrival_ns.saturating_sub(base_ns) > DRIFT_NS;
        let fast = earlier().find(|point| is_fast && newest.gained_ns(point) > DRIFT_NS);
        let slow = || {
            earlier().find(|point| {
                let allowed_ns = allowed_ns(point);
                newest.gained_ns(point) < -allowed_ns
                    && newest.gained_on_stamps_ns(point) < -allowed_ns
            })
        };
        let steadily_slow = || {
            earlier().find(|point| {
                newest.passed_ns(point) >= STEADY_NS
                    && newest.gained_ns(point) < -allowed_ns(point)
                    && self.is_line_from(point, newest)
            })
        };
        let from = fast.or_else(slow).or_else(steadily_slow)?;
        Some(newest.speed(from))
    }

    /// Whether all points since this one lie on one line.
    fn is_line_from(&self, from: &Point, newest: &Point) -> bool {
        let gained_ns = newest.gained_ns(from);
        let passed_ns = i128::from(newest.passed_ns(from).max(1));
        let since = |point: &&Point| point.at_ns >= from.at_ns;
        self.points.iter().filter(since).all(|point| {
            let part_ns = i128::from(gained_ns) * i128::from(point.passed_ns(from)) / passed_ns;
            let off_ns = i128::from(point.gained_ns(from)) - part_ns;
            off_ns.abs() <= i128::from(STRAIGHT_NS)
        })
    }
}
