// SPDX-License-Identifier: MPL-2.0
//! Time as a session sees it.
//!
//! A session compares its machine's wall clock with expiries that AWS wrote, so that clock, and
//! waiting, come from outside: tests play a day of renewals in a moment.

use std::fmt::Debug;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

/// A future that owns what it needs.
pub type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A wall clock, and a way to wait.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> SystemTime;
    /// Comes back when `duration` is over.
    fn sleep(&self, duration: Duration) -> Waiting;
    /// Time that only ever goes forward, from any start, to notice that [`Clock::now`] jumped.
    fn steady(&self) -> Duration;
}

/// The machine's.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> Waiting {
        Box::pin(tokio::time::sleep(duration))
    }

    /// Goes on while the machine sleeps, so that waking up is no jump.
    fn steady(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(
            time.tv_sec.try_into().unwrap_or(0),
            time.tv_nsec.try_into().unwrap_or(0),
        )
    }
}

/// Runs `factor` times as fast as the machine's: tests of other parts play hours in seconds.
#[derive(Debug)]
#[doc(hidden)]
pub struct FastClock {
    start: SystemTime,
    started: std::time::Instant,
    factor: u32,
}

impl FastClock {
    /// Starts at the machine's time of day.
    #[must_use]
    pub fn new(factor: u32) -> Self {
        FastClock {
            start: SystemTime::now(),
            started: std::time::Instant::now(),
            factor: factor.max(1),
        }
    }
}

impl Clock for FastClock {
    fn now(&self) -> SystemTime {
        self.start + self.steady()
    }

    fn sleep(&self, duration: Duration) -> Waiting {
        Box::pin(tokio::time::sleep(duration / self.factor))
    }

    fn steady(&self) -> Duration {
        self.started.elapsed() * self.factor
    }
}
