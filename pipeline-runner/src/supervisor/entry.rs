// SPDX-License-Identifier: MPL-2.0
//! What the supervisor knows of one pipeline, and of the worker that it has at present.

use std::process::ExitStatus;
use std::time::Duration;

use super::machine::{Exit, Machine, Rules};
use super::process::{self, Process};
use super::repeats::Repeats;
use super::view::View;
use crate::config::Pipeline;
use crate::credentials::Service;
use crate::worker::protocol::Failure;

/// One pipeline.
pub struct Entry {
    /// Its definition.
    pub job: Pipeline,
    /// Where it stands.
    pub machine: Machine,
    /// Its process, if it has one.
    pub worker: Option<Worker>,
    /// How many workers it has had.
    pub run: u64,
    /// The present worker has closed no segment yet.
    pub first_segment: bool,
    /// What it warned of lately.
    pub warnings: Repeats,
    /// What people are shown of it.
    pub view: View,
}

/// A worker that is running, or of which not everything is known yet.
pub struct Worker {
    /// The process.
    pub process: Process,
    /// Its exit status; it is reaped.
    pub status: Option<ExitStatus>,
    /// It has said its last word.
    pub silent: bool,
    /// How it says that it ended.
    pub reported: Option<Exit>,
}

impl Entry {
    /// A pipeline that waits to be started.
    pub fn new(index: usize, job: Pipeline) -> Self {
        Self {
            machine: machine_of(&job, Duration::MAX),
            worker: None,
            run: 0,
            first_segment: true,
            warnings: Repeats::default(),
            view: View::new(index, &job.name),
            job,
        }
    }

    /// Gives the worker the present access token of a session, if it wants that.
    pub fn hand_over(&mut self, session: &str, service: Option<&Service>) {
        let Some(worker) = self
            .worker
            .as_mut()
            .filter(|_| self.job.tokens.contains(session))
        else {
            return;
        };
        let view = service.and_then(|service| Some(service.session(session)?.view()));
        if let Some(token) = view.as_ref().and_then(|view| view.token()) {
            worker.process.token(session, token.0.expose());
        }
    }
}

/// The machine that starts a pipeline `at` this time.
pub fn machine_of(job: &Pipeline, at: Duration) -> Machine {
    let rules = Rules {
        restart: job.restart,
        stall_timeout: job.stall_timeout,
        start_timeout: job.start_timeout,
    };
    Machine::new(rules, at)
}

/// What a worker's end meant: what it said, else what its exit status says.
pub fn exit_of(worker: Worker, live: bool) -> Exit {
    match (worker.reported, worker.status) {
        (Some(Exit::Eos { .. }), _) => Exit::Eos { live },
        (Some(exit), _) => exit,
        (None, Some(status)) => Exit::Failed(Failure::passing(process::describe(status))),
        (None, None) => Exit::Failed(Failure::passing("the worker ended")),
    }
}
