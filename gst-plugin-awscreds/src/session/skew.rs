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

    /// What tells it.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Whether anybody said what time it is there.
    pub fn is_known(&self) -> bool {
        self.lock().is_some()
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use super::*;
    use crate::session::clock::Waiting;

    /// Seconds since 1970.
    #[derive(Debug)]
    struct Seconds(AtomicU64);

    impl Clock for Seconds {
        fn now(&self) -> SystemTime {
            at(self.0.load(SeqCst))
        }

        fn sleep(&self, _: Duration) -> Waiting {
            Box::pin(std::future::pending())
        }

        fn steady(&self) -> Duration {
            Duration::ZERO
        }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// What is made of an answer that came after `took` seconds with this date.
    fn learnt(took: u64, date: &str) -> Option<i64> {
        let skew = Skew::new(Arc::new(Seconds(AtomicU64::new(1_000_000 + took))));
        skew.learn(at(1_000_000), Some(date));
        assert_eq!(skew.is_known(), skew.lock().is_some());
        skew.offset().map(|offset| offset.seconds)
    }

    #[test]
    fn a_date_is_compared_with_the_middle_of_the_exchange() {
        assert_eq!(
            learnt(0, &httpdate::fmt_http_date(at(1_000_600))),
            Some(600)
        );
        assert_eq!(
            learnt(10, &httpdate::fmt_http_date(at(1_000_605))),
            Some(600)
        );
        assert_eq!(learnt(0, &httpdate::fmt_http_date(at(999_400))), Some(-600));
    }

    #[test]
    fn half_a_minute_is_no_matter() {
        assert_eq!(learnt(0, &httpdate::fmt_http_date(at(1_000_029))), None);
        assert_eq!(learnt(0, &httpdate::fmt_http_date(at(1_000_030))), Some(30));
    }

    #[test]
    fn what_says_too_little_is_not_believed() {
        assert_eq!(learnt(60, &httpdate::fmt_http_date(at(1_000_600))), None);
        assert_eq!(learnt(0, "yesterday"), None);
        let skew = Skew::new(Arc::new(Seconds(AtomicU64::new(0))));
        skew.learn(at(0), None);
        assert!(!skew.is_known());
    }
}
