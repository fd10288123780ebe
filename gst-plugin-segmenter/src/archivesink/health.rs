// SPDX-License-Identifier: MPL-2.0
//! Whether the disk takes what is written: when to try again, and what to say, once each way.

use std::io;

use super::notice::{Notice, Outbox};

/// A disk that refused is tried again this often.
const RETRY_NS: i64 = 250_000_000;

/// How writing goes.
#[derive(Debug, Default)]
pub struct Health {
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    retry_ns: i64,
    lost_frames: u64,
}

impl Health {
    /// Whether to write at all: always while it works, now and then while it does not.
    pub fn may_try(&self, now_ns: i64) -> bool {
        self.failing
            .as_ref()
            .is_none_or(|failing| now_ns >= failing.retry_ns)
    }

    /// The next write is the last chance: try it whenever it comes.
    pub fn try_now(&mut self) {
        if let Some(failing) = &mut self.failing {
            failing.retry_ns = i64::MIN;
        }
    }

    /// A write worked.
    pub fn worked(&mut self, outbox: &mut Outbox) {
        if let Some(failing) = self.failing.take() {
            let lost_frames = failing.lost_frames;
            outbox.notices.push(Notice::Resumed { lost_frames });
        }
    }

    /// A write failed.
    pub fn failed(&mut self, error: &io::Error, now_ns: i64, outbox: &mut Outbox) {
        let retry_ns = now_ns.saturating_add(RETRY_NS);
        match &mut self.failing {
            Some(failing) => failing.retry_ns = retry_ns,
            None => {
                self.failing = Some(Failing {
                    retry_ns,
                    lost_frames: 0,
                });
                outbox.notices.push(Notice::Paused {
                    reason: error.to_string(),
                });
            }
        }
    }

    /// Frames were given up meanwhile.
    pub fn lost(&mut self, frames: u64) {
        if let Some(failing) = &mut self.failing {
            failing.lost_frames += frames;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_refuses_is_reported_once_and_once_more_when_it_takes_again() {
        let mut health = Health::default();
        let mut outbox = Outbox::default();
        let full = io::Error::from(io::ErrorKind::StorageFull);
        for now_ns in 0..5 {
            health.failed(&full, now_ns * RETRY_NS, &mut outbox);
            assert!(!health.may_try(now_ns * RETRY_NS));
            assert!(health.may_try((now_ns + 1) * RETRY_NS));
        }
        health.lost(7);
        health.worked(&mut outbox);
        health.worked(&mut outbox);
        assert!(matches!(
            outbox.notices.as_slice(),
            [Notice::Paused { .. }, Notice::Resumed { lost_frames: 7 }]
        ));
    }
}
