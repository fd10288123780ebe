// SPDX-License-Identifier: MPL-2.0
//! The life of one pipeline as a pure state machine.
//!
//! Time (since the supervisor started) and randomness are handed in, and what to do comes out as
//! an [`Action`], so that hours of failures are tested in microseconds. The machine never gives up
//! on a fault that may pass; it gives up at once on a definition that can never work.

use std::time::Duration;

use super::backoff;
use crate::config::{Policy, Restart};
use crate::worker::protocol::{Class, Failure, Flow};

/// How long a worker may take to close when asked to: its own limits, and one second more.
pub const CLOSE_LIMIT: Duration = Duration::from_secs(19);
/// A worker that has said nothing for this long beyond what its own watchdog allows is hung: it
/// may be closing after a fault, which takes it six seconds at most.
const SILENCE_GRACE: Duration = Duration::from_secs(8);

/// How long the kernel may take to end a killed worker before a stopping runner leaves without it.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Where a pipeline stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Its first start is at `at`.
    Pending {
        /// When.
        at: Duration,
    },
    /// The worker runs; nothing is recorded yet, or has reached a sink.
    Starting,
    /// Something is recorded, or buffers reach the sinks.
    Running,
    /// They have stopped doing so; the worker's watchdog has not struck yet.
    Stalled,
    /// Waiting for the next attempt.
    BackingOff {
        /// How many attempts have failed since buffers last flowed steadily; 0 after a clean end.
        attempt: u32,
        /// When the next one starts.
        next: Duration,
        /// Why the last one failed.
        error: String,
    },
    /// Asked to close; the sinks finish their files.
    Draining,
    /// Closed because the runner stops, or by somebody who asked the worker to.
    Stopped {
        /// The worker finished its files.
        clean: bool,
    },
    /// The source came to its end.
    Completed,
    /// Given up.
    Failed(Failure),
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Time passed.
    Tick,
    /// The worker said something.
    Heard,
    /// The worker's account of what flows.
    Flow(&'a Flow),
    /// The worker is gone.
    Exited(Exit),
    /// Close in good order.
    Stop,
    /// Stop at once.
    Kill,
}

/// What a worker's exit meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Exit {
    /// The source came to its end.
    Eos {
        /// A live source has no end: this one broke off.
        live: bool,
    },
    /// It closed in good order, asked by us or by a signal from outside.
    Closed,
    /// It failed, or was killed, or could not be started.
    Failed(Failure),
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a worker.
    Start,
    /// Ask it to close.
    Close,
    /// Kill it.
    Kill,
}

/// What the machine needs to know of the definition.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// When to start again.
    pub restart: Restart,
    /// The worker's own limit on silence.
    pub stall_timeout: Duration,
    /// The worker's own limit on the first buffer.
    pub start_timeout: Duration,
}

/// One pipeline.
pub struct Machine {
    rules: Rules,
    state: State,
    /// Failed attempts since buffers last flowed for `reset_after`.
    failures: u32,
    /// Buffers have flowed without a stall since then.
    flowing_since: Option<Duration>,
    /// The worker last gave a sign of life.
    heard: Duration,
    /// The worker was asked to close.
    asked: Duration,
    /// We killed the worker, then and for this reason, and wait for its exit.
    killed: Option<(Duration, String)>,
}

impl Machine {
    /// A pipeline that starts at `at`.
    pub fn new(rules: Rules, at: Duration) -> Self {
        Self {
            rules,
            state: State::Pending { at },
            failures: 0,
            flowing_since: None,
            heard: at,
            asked: Duration::ZERO,
            killed: None,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Nothing will happen any more.
    pub fn is_over(&self) -> bool {
        matches!(
            self.state,
            State::Stopped { .. } | State::Completed | State::Failed(_)
        )
    }

    /// When [`Input::Tick`] is due next.
    pub fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Pending { at } => Some(at),
            State::BackingOff { next, .. } => Some(next),
            State::Draining if let Some((at, _)) = self.killed => Some(at + KILL_LIMIT),
            _ if self.killed.is_some() => None,
            State::Starting => Some(self.heard + self.rules.start_timeout + SILENCE_GRACE),
            State::Running | State::Stalled => {
                Some(self.heard + self.rules.stall_timeout + SILENCE_GRACE)
            }
            State::Draining => Some(self.asked + CLOSE_LIMIT),
            State::Stopped { .. } | State::Completed | State::Failed(_) => None,
        }
    }

    /// Takes one step; `jitter` is a random number in `0.0..1.0`.
    pub fn step(&mut self, now: Duration, input: Input<'_>, jitter: f64) -> Option<Action> {
        match input {
            Input::Tick => self.tick(now),
            Input::Heard => {
                self.heard = now;
                None
            }
            Input::Flow(flow) => {
                self.heard = now;
                self.flow(now, flow);
                None
            }
            Input::Exited(exit) => {
                self.exited(now, exit, jitter);
                None
            }
            Input::Stop => self.stop(now),
            Input::Kill => self.stop_at_once(now),
        }
    }

    fn tick(&mut self, now: Duration) -> Option<Action> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        match self.state {
            State::Pending { .. } | State::BackingOff { .. } => {
                self.state = State::Starting;
                self.heard = now;
                Some(Action::Start)
            }
            State::Draining if self.killed.is_some() => {
                // It sleeps in the kernel, on a dead disk perhaps; it dies when it wakes.
                self.state = State::Stopped { clean: false };
                None
            }
            State::Draining => self.kill(now, "did not close in time".to_owned()),
            _ => {
                let silence = now.saturating_sub(self.heard).as_secs();
                self.kill(now, format!("hung: no sign of life for {silence} s"))
            }
        }
    }

    fn kill(&mut self, now: Duration, why: String) -> Option<Action> {
        self.killed = Some((now, why));
        Some(Action::Kill)
    }

    fn stop_at_once(&mut self, now: Duration) -> Option<Action> {
        match self.state {
            State::Pending { .. } | State::BackingOff { .. } => {
                self.state = State::Stopped { clean: true };
                None
            }
            State::Starting | State::Running | State::Stalled | State::Draining => {
                self.state = State::Draining;
                self.kill(now, "stopped at once".to_owned())
            }
            _ => None,
        }
    }

    fn stop(&mut self, now: Duration) -> Option<Action> {
        match self.state {
            State::Pending { .. } | State::BackingOff { .. } => {
                self.state = State::Stopped { clean: true };
                None
            }
            State::Starting | State::Running | State::Stalled => {
                self.state = State::Draining;
                self.asked = now;
                Some(Action::Close)
            }
            _ => None,
        }
    }

    fn flow(&mut self, now: Duration, flow: &Flow) {
        let quiet = Duration::from_millis(flow.quiet_ms);
        let stalled = quiet >= self.rules.stall_timeout / 2;
        match self.state {
            State::Starting if flow.buffers > 0 => {
                self.state = State::Running;
                self.flowing_since = Some(now);
            }
            State::Running if stalled => {
                self.state = State::Stalled;
                self.flowing_since = None;
            }
            State::Stalled if !stalled => {
                self.state = State::Running;
                self.flowing_since = Some(now);
            }
            _ => {}
        }
        let steady = self
            .flowing_since
            .is_some_and(|since| now.saturating_sub(since) >= self.rules.restart.reset_after);
        if steady {
            self.failures = 0;
        }
    }

    fn exited(&mut self, now: Duration, exit: Exit, jitter: f64) {
        self.flowing_since = None;
        let killed = self.killed.take();
        if self.state == State::Draining {
            let clean = killed.is_none() && matches!(exit, Exit::Closed | Exit::Eos { .. });
            self.state = State::Stopped { clean };
            return;
        }
        let failure = match (killed, exit) {
            (Some(_), Exit::Failed(failure)) if failure.class == Class::Definition => failure,
            (Some((_, why)), _) => Failure::passing(why),
            (None, Exit::Eos { live: false }) => {
                self.after_clean_end(now, State::Completed, jitter);
                return;
            }
            (None, Exit::Eos { live: true }) => Failure::passing("the live source ended (EOS)"),
            (None, Exit::Closed) => {
                self.after_clean_end(now, State::Stopped { clean: true }, jitter);
                return;
            }
            (None, Exit::Failed(failure)) => failure,
        };
        self.after_failure(now, failure, jitter);
    }

    /// The source ended, or somebody asked the worker to close: over, unless it runs always.
    fn after_clean_end(&mut self, now: Duration, over: State, jitter: f64) {
        let restart = self.rules.restart;
        if restart.policy != Policy::Always {
            self.state = over;
            return;
        }
        self.failures = 0;
        self.state = State::BackingOff {
            attempt: 0,
            next: now + backoff::delay(restart.initial, restart.max, 0, jitter),
            error: "ended and runs always".to_owned(),
        };
    }

    fn after_failure(&mut self, now: Duration, failure: Failure, jitter: f64) {
        let Restart {
            policy,
            initial,
            max,
            ..
        } = self.rules.restart;
        if policy == Policy::Never || failure.class == Class::Definition {
            self.state = State::Failed(failure);
            return;
        }
        let delay = match failure.class {
            Class::Refused => backoff::delay(max, max, 0, jitter),
            _ => backoff::delay(initial, max, self.failures, jitter),
        };
        self.failures = self.failures.saturating_add(1);
        self.state = State::BackingOff {
            attempt: self.failures,
            next: now + delay,
            error: failure.message,
        };
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
