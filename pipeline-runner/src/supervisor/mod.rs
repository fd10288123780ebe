// SPDX-License-Identifier: MPL-2.0
//! Keeps the pipelines of a definition running: one worker process each.
//!
//! One loop on one thread owns everything and is woken by a channel: by what workers say, by
//! signals, by the housekeeper, by the next deadline. What to do is decided by a pure state
//! machine per pipeline ([`machine`]); this room only carries it out. There are no locks here, and
//! nothing in the loop waits for a worker or a disk.

pub mod backoff;
mod entry;
mod housekeeping;
pub mod machine;
mod process;
mod repeats;
mod signals;
mod surroundings;
mod view;
mod words;

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use gstawscreds::session::Subscription;
use signal_hook::consts::SIGCHLD;

use self::entry::{Entry, Worker, exit_of, machine_of};
use self::housekeeping::Housekeeper;
use self::machine::{Action, Exit, Input};
use self::process::{Process, Said};
use self::surroundings::Surroundings;
pub use self::view::View;
use crate::config::Definitions;
use crate::credentials::Service;
use crate::worker::disk::Disk;
use crate::worker::protocol::{Event, Failure, Job, Level};

/// Pipelines start so far apart, so that two hundred do not load their plugins at once.
const STAGGER: Duration = Duration::from_millis(50);
/// How often what is shown is brought up to date.
const REFRESH: Duration = Duration::from_secs(1);
/// The loop turns at least every [`REFRESH`]. Where a turn took longer than this it was not the
/// workers that were silent, but we who were deaf (stopped by Ctrl-Z, or a terminal that blocks).
const DEAF: Duration = Duration::from_secs(3);

/// Signals that come this soon after the first are the same request: `timeout`, `sudo` and others
/// pass on a Ctrl-C that the terminal has delivered already.
const SAME_REQUEST: Duration = Duration::from_millis(500);

/// What wakes the loop.
enum Wake {
    /// A worker said something; `run` tells apart the workers of one pipeline.
    Said {
        pipeline: usize,
        run: u64,
        said: Said,
    },
    /// A signal came.
    Signal(i32),
    /// What a crash left in the archive is in order: pipelines may start.
    Recovered,
    /// A segment that its worker could not close is closed.
    Closed { path: PathBuf, bytes: u64 },
    /// A session has another access token.
    Token(String),
}

/// Runs all pipelines until each is over, or a signal asks to stop. `service` has the sessions of
/// the definitions, if they have any.
///
/// `show` is called for a pipeline whenever something about it changed, and once a second.
///
/// # Errors
/// When signals cannot be received or threads not be started.
pub fn run(
    definitions: &Definitions,
    service: Option<&Service>,
    show: &mut dyn FnMut(&View),
) -> std::io::Result<Vec<View>> {
    let (wake, inbox) = mpsc::channel();
    signals::attend(wake.clone())?;
    let housekeeper = Housekeeper::start(definitions.archive.as_ref(), wake.clone())?;
    let pipelines = definitions.pipelines.values().cloned().enumerate();
    let _renewals = attend_tokens(service, &wake);
    let mut supervisor = Supervisor {
        definitions,
        service,
        started: Instant::now(),
        entries: pipelines.map(|(i, job)| Entry::new(i, job)).collect(),
        housekeeper,
        disk: definitions.archive.as_ref().map(Disk::of),
        ready: false,
        stopping: None,
        refreshed: Duration::ZERO,
        wake,
        show,
    };
    supervisor.attend(&inbox);
    Ok(supervisor.entries.into_iter().map(|e| e.view).collect())
}

/// Wakes the loop for each new access token, until what is returned is dropped.
fn attend_tokens(service: Option<&Service>, wake: &Sender<Wake>) -> Vec<Subscription> {
    let names = service.into_iter().flat_map(Service::names);
    let tokens = names.filter(|(_, gives_tokens)| *gives_tokens);
    let renewal = |(name, _): (&str, bool)| {
        let (wake, session) = (wake.clone(), name.to_owned());
        let renewed = move |_: &_| {
            let _ = wake.send(Wake::Token(session.clone()));
        };
        Some(service?.session(name)?.on_change(renewed))
    };
    tokens.filter_map(renewal).collect()
}

struct Supervisor<'a> {
    definitions: &'a Definitions,
    service: Option<&'a Service>,
    started: Instant,
    entries: Vec<Entry>,
    housekeeper: Housekeeper,
    disk: Option<Disk>,
    /// Recovery is done.
    ready: bool,
    /// When a signal first asked to stop.
    stopping: Option<Duration>,
    refreshed: Duration,
    wake: Sender<Wake>,
    show: &'a mut dyn FnMut(&View),
}

impl Supervisor<'_> {
    fn attend(&mut self, inbox: &Receiver<Wake>) {
        let mut turned = self.now();
        while !self.entries.iter().all(|entry| entry.machine.is_over()) {
            match inbox.recv_timeout(self.patience()) {
                Ok(wake) => self.wake(wake),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = self.now();
            if now.saturating_sub(turned) > DEAF {
                for i in 0..self.entries.len() {
                    self.step(i, Input::Heard);
                }
            }
            turned = now;
            self.tick();
        }
        for i in 0..self.entries.len() {
            self.show(i);
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long nothing is due.
    fn patience(&self) -> Duration {
        let deadlines = self.entries.iter().filter_map(|e| e.machine.deadline());
        let next = deadlines.min().unwrap_or(Duration::MAX);
        next.min(self.refreshed + REFRESH)
            .saturating_sub(self.now())
    }

    fn tick(&mut self) {
        let now = self.now();
        for i in 0..self.entries.len() {
            self.step(i, Input::Tick);
        }
        if now >= self.refreshed + REFRESH {
            self.refreshed = now;
            for i in 0..self.entries.len() {
                self.warn_of_repeats(i);
                self.show(i);
            }
        }
    }

    fn wake(&mut self, wake: Wake) {
        match wake {
            Wake::Recovered => self.start(),
            Wake::Closed { path, bytes } => {
                let owner = self.entries.iter_mut().find(|e| e.view.records(&path));
                if let Some(entry) = owner {
                    entry.view.recovered(bytes);
                }
            }
            Wake::Signal(SIGCHLD) => self.reap(),
            Wake::Signal(_) => self.stop(),
            Wake::Token(session) => {
                for entry in &mut self.entries {
                    entry.hand_over(&session, self.service);
                }
            }
            Wake::Said {
                pipeline,
                run,
                said,
            } => {
                let current = self.entries.get(pipeline).is_some_and(|e| e.run == run);
                match said {
                    _ if !current => {}
                    Said::Event(event) => self.event(pipeline, event),
                    Said::Line(line) => self.line(pipeline, &line.text),
                    Said::End => self.end(pipeline),
                }
            }
        }
    }

    /// Lets the pipelines start, one after the other.
    fn start(&mut self) {
        if self.ready || self.stopping.is_some() {
            return;
        }
        self.ready = true;
        let mut at = self.now();
        for entry in &mut self.entries {
            entry.machine = machine_of(&entry.job, at);
            at += STAGGER;
        }
    }

    /// The first request closes in good order, the second stops at once.
    fn stop(&mut self) {
        let now = self.now();
        let first = *self.stopping.get_or_insert(now);
        let again = first != now;
        if again && now < first + SAME_REQUEST {
            return;
        }
        let open: Vec<&str> = self
            .entries
            .iter()
            .filter(|entry| !entry.machine.is_over())
            .map(|entry| entry.job.name.as_str())
            .collect();
        if again {
            tracing::warn!("stopping at once: {}", open.join(", "));
        } else {
            tracing::info!("closing {}; the same again stops at once", open.join(", "));
        }
        for i in 0..self.entries.len() {
            self.step(i, if again { Input::Kill } else { Input::Stop });
        }
    }

    fn reap(&mut self) {
        for i in 0..self.entries.len() {
            if let Some(worker) = self.entries.get_mut(i).and_then(|e| e.worker.as_mut())
                && worker.status.is_none()
            {
                worker.status = worker.process.reap();
                self.settle(i);
            }
        }
    }

    fn end(&mut self, i: usize) {
        if let Some(worker) = self.entries.get_mut(i).and_then(|e| e.worker.as_mut()) {
            worker.silent = true;
            self.settle(i);
        }
    }

    /// A worker that is reaped and has said everything is over.
    fn settle(&mut self, i: usize) {
        let Some(entry) = self.entries.get_mut(i) else {
            return;
        };
        let over = |worker: &mut Worker| worker.status.is_some() && worker.silent;
        if let Some(worker) = entry.worker.take_if(over) {
            if worker
                .status
                .is_some_and(|status| status.signal().is_some())
            {
                self.housekeeper.recover();
            }
            let exit = exit_of(worker, entry.job.live);
            self.step(i, Input::Exited(exit));
        }
    }

    /// A line of a worker's stderr: its plugins' own words.
    fn line(&mut self, i: usize, line: &str) {
        if let Some(entry) = self.entries.get(i) {
            tracing::info!("{}: {line}", entry.job.name);
        }
    }

    fn event(&mut self, i: usize, event: Event) {
        let now = self.now();
        let Some(entry) = self.entries.get_mut(i) else {
            return;
        };
        let name = entry.job.name.as_str();
        let mut report = |exit| {
            if let Some(worker) = &mut entry.worker {
                worker.reported = Some(exit);
            }
        };
        match event {
            Event::Flow(flow) => {
                if let Some(source) = entry.view.flow(&flow) {
                    tracing::info!("{name}: the time of recordings comes from: {source}");
                }
                self.step(i, Input::Flow(&flow));
                return;
            }
            Event::RecordsInto { folder } => entry.view.records_into(folder),
            Event::Segment(segment) => {
                if std::mem::take(&mut entry.first_segment) {
                    tracing::info!("{name}: first segment {}", segment.path);
                } else {
                    tracing::debug!("{name}: segment {}", segment.path);
                }
                entry.view.segment(segment, now);
            }
            Event::Paused { reason, path } => {
                tracing::warn!("{name}: recording pauses: {reason} ({path})");
                entry.view.paused = true;
                self.housekeeper.make_room();
            }
            Event::Resumed { lost_frames } => {
                tracing::warn!("{name}: recording goes on; {lost_frames} frames are lost");
                entry.view.paused = false;
                self.housekeeper.recover();
            }
            Event::DiskFull => self.housekeeper.make_room(),
            Event::Log { level, message } => match level {
                Level::Warn => {
                    if let Some(message) = entry.warnings.heard(message, now) {
                        tracing::warn!("{name}: {message}");
                    }
                }
                Level::Info => tracing::info!("{name}: {message}"),
                Level::Debug => tracing::debug!("{name}: {message}"),
            },
            Event::Eos => report(Exit::Eos { live: false }),
            Event::Closed => report(Exit::Closed),
            Event::Failed(failure) => report(Exit::Failed(failure)),
        }
        self.step(i, Input::Heard);
    }

    fn step(&mut self, i: usize, input: Input<'_>) {
        let now = self.now();
        let Some(entry) = self.entries.get_mut(i) else {
            return;
        };
        let before = entry.machine.state().clone();
        let action = entry.machine.step(now, input, fastrand::f64());
        let changed = *entry.machine.state() != before;
        if changed {
            words::log_state(&entry.job.name, entry.machine.state(), now);
        }
        match (action, &mut entry.worker) {
            (Some(Action::Start), _) => self.start_worker(i),
            (Some(Action::Close), Some(worker)) => worker.process.close(),
            (Some(Action::Kill), Some(worker)) => worker.process.kill(),
            _ => {}
        }
        if changed {
            self.show(i);
        }
    }

    fn start_worker(&mut self, i: usize) {
        let Some(entry) = self.entries.get_mut(i) else {
            return;
        };
        entry.run += 1;
        entry.first_segment = true;
        entry.view.worker_started(entry.run > 1);
        let (wake, run) = (self.wake.clone(), entry.run);
        let said = move |said| {
            let _ = wake.send(Wake::Said {
                pipeline: i,
                run,
                said,
            });
        };
        let surroundings =
            Surroundings::of(&entry.job, &self.definitions.secret_variables, self.service);
        let folder = match (self.service, entry.job.views.as_slice()) {
            (Some(service), [_, ..]) => service.pipeline_folder(i).map(Some),
            _ => Ok(None),
        };
        let started = folder.and_then(|folder| {
            let pipeline = entry.job.clone();
            let disk = self.disk.clone();
            let job = Job {
                pipeline,
                folder,
                disk,
            };
            Process::start(&job, &surroundings, said)
        });
        match started {
            Ok(process) => {
                tracing::debug!("{}: worker is process {}", entry.job.name, process.id());
                entry.worker = Some(Worker {
                    process,
                    status: None,
                    silent: false,
                    reported: None,
                });
                for session in entry.job.tokens.clone() {
                    entry.hand_over(&session, self.service);
                }
            }
            Err(error) => {
                let failure = Failure::passing(format!("cannot start a worker: {error}"));
                self.step(i, Input::Exited(Exit::Failed(failure)));
            }
        }
    }

    /// Says what was kept back for a minute.
    fn warn_of_repeats(&mut self, i: usize) {
        let now = self.now();
        if let Some(entry) = self.entries.get_mut(i) {
            for message in entry.warnings.due(now) {
                tracing::warn!("{}: {message}", entry.job.name);
            }
        }
    }

    fn show(&mut self, i: usize) {
        let now = self.now();
        if let Some(entry) = self.entries.get_mut(i) {
            entry.view.now = now;
            entry.view.state = entry.machine.state().clone();
            (self.show)(&entry.view);
        }
    }
}
