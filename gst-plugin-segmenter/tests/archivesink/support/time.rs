// SPDX-License-Identifier: MPL-2.0
//! A pipeline's clock and a wall clock that a test sets, and never waits for unless it wants to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gst::prelude::*;
use gstsegmenter::archivesink::WallClock;
use gstsegmenter::utc::{SECOND_NS, UtcNs};

/// The wall clock when the pipeline's clock is at zero: a few seconds before a new hour.
pub const ZERO: UtcNs = UtcNs(1_795_172_400 * SECOND_NS - 4_321_234_000);

/// What passes for time in a test.
#[derive(Clone, Debug)]
pub struct Time {
    pub clock: gst::Clock,
    /// What the clock said when this was made.
    pub zero_ns: i64,
    wall_ahead_ns: Arc<AtomicI64>,
}

impl Time {
    /// Stands still until it is set.
    pub fn by_hand() -> Self {
        gst::init().expect("GStreamer starts");
        let clock = gst_check::TestClock::with_start_time(gst::ClockTime::ZERO);
        Self::of(clock.upcast())
    }

    pub fn real() -> Self {
        gst::init().expect("GStreamer starts");
        Self::of(gst::SystemClock::obtain())
    }

    fn of(clock: gst::Clock) -> Self {
        let zero_ns = clock.time().nseconds().cast_signed();
        Self {
            clock,
            zero_ns,
            wall_ahead_ns: Arc::default(),
        }
    }

    fn passed_ns(&self) -> i64 {
        self.clock.time().nseconds().cast_signed() - self.zero_ns
    }

    pub fn wall_clock(&self) -> WallClock {
        let time = self.clone();
        WallClock::new(move || ZERO + time.passed_ns() + time.wall_ahead_ns.load(Ordering::Relaxed))
    }

    /// Sets the wall clock, and nothing else, forward or back.
    pub fn set_wall_clock(&self, by_ns: i64) {
        self.wall_ahead_ns.fetch_add(by_ns, Ordering::Relaxed);
    }

    /// Waits until the clock is there, or sets it.
    pub fn reach(&self, passed_ns: i64) {
        let missing_ns = passed_ns - self.passed_ns();
        if missing_ns <= 0 {
            return;
        }
        let missing = gst::ClockTime::from_nseconds(missing_ns.unsigned_abs());
        match self.clock.downcast_ref::<gst_check::TestClock>() {
            Some(clock) => clock.set_time(clock.time() + missing),
            None => std::thread::sleep(missing.into()),
        }
    }
}
