// SPDX-License-Identifier: MPL-2.0
//! What is shown elsewhere beside the recording: a stream of Kinesis Video Streams.
//!
//! A view that dies must cost no video. So it is a pipeline of its own, with its own bus, state
//! and thread, fed from an `appsink` in the recording pipeline that takes no time, never waits and
//! never fails ([`feed`]). Starting, failing, hanging and starting again happen on the view's
//! thread; the recording does not notice. Only where there is no recording beside it, the failure
//! of a view is the failure of the pipeline, whose supervisor then does what it always does.

mod feed;
mod kvs;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;

use self::feed::Feed;
use super::protocol::{Class, Failure, Job, Level};
use super::session::Input;
use super::stdio::Reporter;
use crate::config::{self, view_sink};
use crate::supervisor::backoff;

/// How long views may take to finish after the recording has, before the worker leaves without
/// them. They learn of the end when it does.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// The views of a pipeline.
pub struct Views(Vec<Running>);

struct Running {
    /// Dropped, it stops the view.
    stop: Sender<()>,
    stopped: Receiver<()>,
}

/// Whether an element of the recording pipeline is where a view begins.
pub fn is_view(element: &gst::Element) -> bool {
    element.name().starts_with(VIEW)
}

/// How the names of views begin.
const VIEW: &str = "view_";

impl Views {
    /// Starts the views of a job whose pipeline is built and does not play yet.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub fn start(
        job: &Job,
        pipeline: &gst::Pipeline,
        reporter: &Reporter,
        wake: &Sender<Input>,
    ) -> Result<Self, Failure> {
        let mut running = Vec::new();
        for (index, kvs) in job.pipeline.views.iter().enumerate() {
            let feed = Arc::new(Feed::default());
            attend(pipeline, &view_sink(index), &feed);
            let (stop, asked) = mpsc::channel();
            let (done, stopped) = mpsc::channel();
            let view = View {
                kvs: kvs.clone(),
                folder: job.folder.clone().unwrap_or_default(),
                index,
                feed,
                main: pipeline.downgrade(),
                restart: job.pipeline.restart,
                is_alone: !job.pipeline.is_shown_beside(),
                reporter: reporter.clone(),
                wake: wake.clone(),
                asked,
            };
            thread::Builder::new()
                .name(format!("view {index}"))
                .spawn(move || {
                    view.run();
                    let _ = done.send(());
                })
                .map_err(|error| Failure::passing(format!("cannot start a view: {error}")))?;
            running.push(Running { stop, stopped });
        }
        Ok(Self(running))
    }

    /// Lets the views finish, within a limit.
    pub fn stop(self) {
        let deadline = Instant::now() + STOP_LIMIT;
        let stopped: Vec<Receiver<()>> = (self.0.into_iter())
            .map(|running| {
                drop(running.stop);
                running.stopped
            })
            .collect();
        for stopped in stopped {
            let _ = stopped.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

/// Feeds from the `appsink` of this name, which is there or will be.
fn attend(pipeline: &gst::Pipeline, name: &str, feed: &Arc<Feed>) {
    if let Some(sink) = pipeline.by_name(name) {
        feed.take_from(&sink);
        return;
    }
    let (name, feed) = (name.to_owned(), Arc::clone(feed));
    pipeline.connect_deep_element_added(move |_, _, element| {
        if element.name() == name {
            feed.take_from(element);
        }
    });
}

/// One view, on its thread.
struct View {
    kvs: config::Kvs,
    /// For its files.
    folder: PathBuf,
    index: usize,
    feed: Arc<Feed>,
    /// The recording pipeline, whose time the view keeps.
    main: gst::glib::WeakRef<gst::Pipeline>,
    restart: config::Restart,
    /// There is nothing beside it that must go on.
    is_alone: bool,
    reporter: Reporter,
    wake: Sender<Input>,
    /// Ends when the view is to stop.
    asked: Receiver<()>,
}

impl View {
    fn run(&self) {
        let mut failures = 0;
        loop {
            let Some(caps) = self.await_caps() else {
                return;
            };
            let started = Instant::now();
            let Err(failure) = self.play(&caps) else {
                return;
            };
            let message = format!("kvs {}: {}", self.kvs.stream, failure.message);
            if self.is_alone {
                let failure = Failure { message, ..failure };
                let _ = self.wake.send(Input::ViewFailed(failure));
                return;
            }
            if started.elapsed() >= self.restart.reset_after {
                failures = 0;
            }
            let delay = self.delay(&failure, failures);
            failures += 1;
            let wait = delay.as_secs_f64();
            let message =
                format!("{message}; the recording goes on, the next attempt in {wait:.1} s");
            self.reporter.log(Level::Warn, message);
            if !self.pause(delay) {
                return;
            }
        }
    }

    /// Where somebody has to act first, asking often is no use.
    fn delay(&self, failure: &Failure, failures: u32) -> Duration {
        let failures = match failure.class {
            Class::Passing => failures,
            Class::Refused | Class::Definition => u32::MAX,
        };
        backoff::delay(
            self.restart.initial,
            self.restart.max,
            failures,
            fastrand::f64(),
        )
    }

    /// What the stream is, once it is there; nothing if the view is to stop.
    fn await_caps(&self) -> Option<gst::Caps> {
        loop {
            if let Some(caps) = self.feed.caps() {
                return Some(caps);
            }
            if !self.pause(Duration::from_millis(100)) {
                return None;
            }
        }
    }

    /// Waits; false if the view is to stop.
    fn pause(&self, time: Duration) -> bool {
        matches!(
            self.asked.recv_timeout(time),
            Err(RecvTimeoutError::Timeout)
        )
    }

    fn is_to_stop(&self) -> bool {
        !self.pause(Duration::ZERO)
    }
}
