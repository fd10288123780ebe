// SPDX-License-Identifier: MPL-2.0
//! How far this machine's clock is from AWS's, learnt from the `Date` of every answer.
//!
//! AWS refuses signatures that are more than five minutes off, and an expiry is AWS's time: on a
//! machine that is slow, credentials end before it looks as if they do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::clock::Clock;
use super::view::ClockOffset;

/// Below this an offset changes nothing: `Date` has whole seconds, and answers take their time.
const MATTERS_SECONDS: i64 = 30;
/// An answer that took longer says too little about when its date was true.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);

/// The offset as last seen; clones share it.
#[derive(Clone, Debug)]
pub struct Skew {
    clock: Arc<dyn Clock>,
    seconds: Arc<Mutex<Option<i64>>>,
}

impl Skew {
    /// Nothing seen yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Skew {
            clock,
            seconds: Arc::default(),
        }
    }

    /// This machine's time.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// An answer with `date` to a question asked at `asked` came now.
    pub fn learn(&self, asked: SystemTime, date: Option<&str>) {
        let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
            return;
        };
        let Ok(took) = self.clock.now().duration_since(asked) else {
            return;
        };
        if took > LONGEST_ANSWER {
            return;
        }
        // As if it was written in the middle of the way there and back. It names a second that may
        // be almost over, so that the offset is up to one more than this.
        let seen = asked + took / 2;
        let seconds = match date.duration_since(seen) {
            Ok(behind) => i64::try_from(behind.as_secs()).unwrap_or(i64::MAX),
            Err(ahead) => -i64::try_from(ahead.duration().as_secs()).unwrap_or(i64::MAX),
        };
        *self.lock() = Some(seconds);
    }

    /// The clock was set: what was learnt is no longer true.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    /// The offset, where it is far enough to matter.
    pub fn offset(&self) -> Option<ClockOffset> {
        let seconds = (*self.lock())?;
        (seconds.abs() >= MATTERS_SECONDS).then_some(ClockOffset { seconds })
    }

    fn lock(&self) -> MutexGuard<'_, Option<i64>> {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
