// SPDX-License-Identifier: MPL-2.0
//! Runs one built pipeline from PLAYING to its end, and watches that buffers flow.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use gst::prelude::*;

use super::bus::{self, Meaning};
use super::closing;
use super::flow::{Counters, Totals, is_archivesink};
use super::protocol::{ArchiveStats, Class, Event, Failure, Flow, Token};
use super::reach;
use super::stdio::Reporter;
use super::tokens::Tokens;
use crate::config;

/// How often the watchdog looks.
const TICK: Duration = Duration::from_millis(200);
/// How often the supervisor is told what flows.
const REPORT: Duration = Duration::from_secs(1);
/// How long EOS may take where no buffer has come, or where the pipeline has failed already.
const SHORT_EOS_LIMIT: Duration = Duration::from_secs(1);
/// A keyframe is waited for this many times as long as anything else: there are cameras that send
/// one in a minute and a half, and starting again would bring none sooner.
const KEYFRAME_PATIENCE: u32 = 12;

/// What a session is woken by.
pub enum Input {
    /// A message of the pipeline.
    Message(gst::Message),
    /// Close in good order.
    Close,
    /// A session has this access token now.
    Token(String, Token),
    /// A view cannot go on, and there is nothing beside it.
    ViewFailed(Failure),
}

/// How a session ended.
#[derive(Debug)]
pub enum End {
    /// The source came to its end.
    Eos,
    /// Closed as asked.
    Closed,
    /// It failed.
    Failed(Failure),
}

/// One run of one pipeline.
pub struct Session<'a> {
    job: &'a config::Pipeline,
    pipeline: gst::Pipeline,
    tokens: Tokens,
    inputs: Receiver<Input>,
    reporter: Reporter,
    counters: Arc<Counters>,
    started: Instant,
    /// What the last tick read.
    totals: Totals,
    /// When something last came.
    fed: Instant,
    /// When something was last recorded, and what had been read by then.
    changed: Instant,
    at_change: Totals,
    /// The disk takes nothing for the time being.
    paused: bool,
    reported: Option<Instant>,
    /// Asked to close, and when.
    closing: Option<Closing>,
}

struct Closing {
    asked: Instant,
    deadline: Instant,
    /// EOS went straight to the sinks.
    passed_over: bool,
}

impl<'a> Session<'a> {
    /// A session of `pipeline`, whose messages arrive among `inputs`.
    pub fn new(
        job: &'a config::Pipeline,
        pipeline: gst::Pipeline,
        tokens: Tokens,
        inputs: Receiver<Input>,
        reporter: Reporter,
    ) -> Self {
        let counters = Counters::watch(&pipeline, job.is_shown_beside());
        let now = Instant::now();
        Self {
            job,
            pipeline,
            tokens,
            inputs,
            reporter,
            counters,
            started: now,
            totals: Totals::default(),
            fed: now,
            changed: now,
            at_change: Totals::default(),
            paused: false,
            reported: None,
            closing: None,
        }
    }

    /// Plays until the end, and leaves the pipeline in NULL; false when it could not be got there.
    pub fn run(mut self) -> (End, bool) {
        let end = match self.play() {
            Ok(()) => self.watch(),
            Err(failure) => End::Failed(failure),
        };
        if let End::Failed(failure) = &end {
            // Said before closing, which may hang.
            self.reporter.send(&Event::Failed(failure.clone()));
            self.finish_files();
        }
        let closed = closing::to_null(&self.pipeline, closing::NULL_LIMIT);
        while let Ok(input) = self.inputs.try_recv() {
            self.report_only(&input);
        }
        self.totals = self.counters.totals();
        self.report(Instant::now(), None);
        (end, closed)
    }

    fn play(&mut self) -> Result<(), Failure> {
        match self.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.first_error()),
        }
    }

    /// Why the state change failed: an element has said so on the bus.
    fn first_error(&self) -> Failure {
        while let Ok(input) = self.inputs.recv_timeout(TICK) {
            if let Input::Message(message) = &input
                && let Meaning::Failed(failure) = bus::meaning(&self.pipeline, message)
            {
                return failure;
            }
        }
        Failure::passing("the pipeline refused to start, and no element said why")
    }

    fn watch(&mut self) -> End {
        let mut next_tick = Instant::now();
        loop {
            let now = Instant::now();
            if now >= next_tick {
                if let Some(end) = self.tick(now) {
                    return end;
                }
                next_tick = now + TICK;
            }
            let input = self
                .inputs
                .recv_timeout(next_tick.saturating_duration_since(now));
            let end = match input {
                Ok(Input::Message(message)) => self.message(&message),
                Ok(Input::Close) => {
                    self.close();
                    None
                }
                Ok(Input::Token(session, token)) => {
                    self.tokens.renewed(session, &token);
                    None
                }
                Ok(Input::ViewFailed(failure)) => Some(End::Failed(failure)),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    Some(End::Failed(Failure::passing("the pipeline's bus is gone")))
                }
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    fn message(&mut self, message: &gst::MessageRef) -> Option<End> {
        match bus::meaning(&self.pipeline, message) {
            Meaning::Nothing => None,
            Meaning::Report(event) => {
                match &event {
                    Event::Paused { .. } => self.paused = true,
                    Event::Resumed { .. } => self.paused = false,
                    _ => {}
                }
                self.reporter.send(&event);
                None
            }
            Meaning::Eos if self.closing.is_some() => Some(End::Closed),
            Meaning::Eos => Some(End::Eos),
            Meaning::Failed(failure) => {
                if is_disk_full(message) {
                    self.reporter.send(&Event::DiskFull);
                }
                let failure = explained(failure, message);
                Some(End::Failed(self.reconsidered(failure)))
            }
            Meaning::Latency => {
                let _ = self.pipeline.recalculate_latency();
                None
            }
            Meaning::ClockLost => {
                let _ = self.pipeline.set_state(gst::State::Paused);
                let _ = self.pipeline.set_state(gst::State::Playing);
                None
            }
            Meaning::State(state) => {
                let _ = self.pipeline.set_state(state);
                None
            }
        }
    }

    /// A refusal where there is a token that is renewed means that its time was over: the next
    /// attempt has another, and need not wait.
    fn reconsidered(&self, failure: Failure) -> Failure {
        match failure.class {
            Class::Refused if !self.job.tokens.is_empty() => Failure::passing(failure.message),
            _ => failure,
        }
    }

    fn tick(&mut self, now: Instant) -> Option<End> {
        let totals = self.counters.totals();
        let first = self.totals.buffers == 0 && totals.buffers > 0;
        if totals.arrived != self.totals.arrived {
            self.fed = now;
        }
        // Where nothing comes to an archive there is nothing that could be recorded.
        let is_idle = totals.fed == self.at_change.fed && totals.arrived != self.totals.arrived;
        if totals.buffers != self.totals.buffers || is_idle {
            self.changed = now;
            self.at_change = totals;
        }
        self.totals = totals;
        if first || self.reported.is_none_or(|last| now >= last + REPORT) {
            // Before there is anything to record, the sink would only tell defaults.
            let archive = (self.totals.arrived > 0).then(|| archive_stats(&self.pipeline));
            self.report(now, archive.flatten());
        }
        match &mut self.closing {
            Some(closing) => {
                let quiet = now.saturating_duration_since(self.fed.max(closing.asked));
                if !closing.passed_over && quiet >= closing::EOS_PATIENCE {
                    closing.passed_over = true;
                    closing::send_eos_to(self.counters.open_pads());
                }
                let late = now >= closing.deadline;
                late.then(|| self.closed_late())
            }
            None => self.watchdog(now),
        }
    }

    /// EOS did not come through. Where nothing has flowed there was nothing to finish.
    fn closed_late(&self) -> End {
        if self.totals.arrived == 0 {
            return End::Closed;
        }
        End::Failed(Failure::passing(
            "the sinks did not finish their files in time after EOS",
        ))
    }

    fn watchdog(&self, now: Instant) -> Option<End> {
        if self.counters.all_ended() {
            return None;
        }
        let quiet = now.saturating_duration_since(self.fed);
        let message = if self.totals.arrived == 0 {
            let limit = self.job.start_timeout;
            let waited = now.saturating_duration_since(self.started);
            (waited >= limit).then(|| format!("no buffer within {limit:?} of the start"))
        } else if quiet >= self.job.stall_timeout {
            let limit = self.job.stall_timeout;
            Some(format!("stalled: no buffer for {limit:?}"))
        } else {
            self.unrecorded(now)
        };
        message.map(|message| End::Failed(Failure::passing(message)))
    }

    /// What is wrong where buffers come and none is recorded, for too long.
    fn unrecorded(&self, now: Instant) -> Option<String> {
        let quiet = now.saturating_duration_since(self.changed);
        let since =
            |count: fn(&Totals) -> u64| count(&self.totals).saturating_sub(count(&self.at_change));
        let awaits_keyframe = since(|totals| totals.awaiting_keyframe) > 0;
        let limit = match awaits_keyframe {
            true => self.job.stall_timeout * KEYFRAME_PATIENCE,
            false if self.totals.buffers == 0 => self.job.start_timeout.max(self.job.stall_timeout),
            false => self.job.stall_timeout,
        };
        if self.paused || quiet < limit {
            return None;
        }
        let (came, dropped) = (since(|totals| totals.fed), since(|totals| totals.dropped));
        let why = if awaits_keyframe {
            "no keyframe came, and nothing can be decoded without one"
        } else if dropped > 0 {
            "the recorder could not use them"
        } else {
            "none of them belongs to a segment"
        };
        Some(format!(
            "nothing was recorded for {limit:?}: {came} buffers came, {dropped} were dropped; {why}"
        ))
    }

    fn close(&mut self) {
        if self.closing.is_some() {
            return;
        }
        let now = Instant::now();
        let flowed = self.counters.totals().arrived > 0;
        let limit = if flowed {
            closing::EOS_LIMIT
        } else {
            SHORT_EOS_LIMIT
        };
        self.closing = Some(Closing {
            asked: now,
            deadline: now + limit,
            passed_over: false,
        });
        closing::send_eos(&self.pipeline);
    }

    /// After a fault: lets muxers write their ends, where they still can.
    fn finish_files(&self) {
        if self.totals.arrived == 0 {
            return;
        }
        closing::send_eos(&self.pipeline);
        let deadline = Instant::now() + SHORT_EOS_LIMIT;
        let left = || deadline.saturating_duration_since(Instant::now());
        while let Ok(input) = self.inputs.recv_timeout(left()) {
            if self.report_only(&input) == Meaning::Eos {
                return;
            }
        }
    }

    /// Passes reports on; nothing else matters any more.
    fn report_only(&self, input: &Input) -> Meaning {
        let Input::Message(message) = input else {
            return Meaning::Nothing;
        };
        let meaning = bus::meaning(&self.pipeline, message);
        if let Meaning::Report(event) = &meaning {
            self.reporter.send(event);
        }
        meaning
    }

    fn report(&mut self, now: Instant, archive: Option<ArchiveStats>) {
        self.reported = Some(now);
        let ms = |from| now.saturating_duration_since(from).as_millis() as u64;
        self.reporter.send(&Event::Flow(Flow {
            uptime_ms: ms(self.started),
            quiet_ms: ms(if self.paused { self.fed } else { self.changed }),
            arrived: self.totals.arrived,
            buffers: self.totals.buffers,
            frames: self.totals.frames,
            bytes: self.totals.bytes,
            archive,
        }));
    }
}

/// A failure to connect with its reason, in place of a "Generic error".
fn explained(failure: Failure, message: &gst::MessageRef) -> Failure {
    let Some(why) = reach::obstacle(message) else {
        return failure;
    };
    let from = message
        .src()
        .map_or_else(String::new, |src| src.name().into());
    Failure {
        message: format!("{from}: {why}"),
        ..failure
    }
}

/// Whether an error says that the disk is full.
fn is_disk_full(message: &gst::MessageRef) -> bool {
    match message.view() {
        gst::MessageView::Error(error) => error.error().matches(gst::ResourceError::NoSpaceLeft),
        _ => false,
    }
}

/// The `stats` of the pipeline's `archivesink`; of several, the first.
fn archive_stats(pipeline: &gst::Pipeline) -> Option<ArchiveStats> {
    let sink = pipeline.children().into_iter().find(is_archivesink)?;
    let stats = sink.property_value("stats").get::<gst::Structure>().ok()?;
    Some(ArchiveStats {
        late: stats.get("late").unwrap_or_default(),
        dropped: stats.get("dropped").unwrap_or_default(),
        drift_ns: stats.get("drift-ns").unwrap_or_default(),
        time_source: stats.get("time-source").unwrap_or_default(),
        time_source_reason: stats.get("time-source-reason").unwrap_or_default(),
    })
}
