// SPDX-License-Identifier: MPL-2.0
//! One pipeline, in its own process.
//!
//! A plugin that crashes, hangs or leaks takes only this process with it, and the supervisor can
//! always get rid of it by SIGKILL. The worker knows how to build a pipeline, to notice that it no
//! longer flows, and to close it so that its files are whole; whether and when to try again is the
//! supervisor's business ([`crate::supervisor`]). It does not outlive the supervisor.

mod build;
mod bus;
mod closing;
pub mod disk;
mod dynamic;
mod flow;
pub mod protocol;
mod reach;
mod rtp;
mod session;
mod stdio;
mod tokens;
mod track;
mod view;

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use gst::prelude::*;
use rustix::process::Signal;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use self::disk::Disk;
use self::protocol::{Event, Failure, Job, Level, Order};
use self::session::{End, Input, Session};
use self::stdio::{Orders, Reporter};
use self::tokens::Tokens;
use self::view::Views;
use crate::cli::{EXIT_DEFINITION, EXIT_FAILED};
use crate::{config, gstreamer};

/// One pipeline, in its own process.
pub fn main() -> ExitCode {
    // First of all: from here on this process cannot be left over.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    // A file that may not grow further (`ulimit -f`) is an error of its writer, not our end.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let Ok((orders, reporter)) = stdio::take() else {
        return ExitCode::from(EXIT_FAILED);
    };
    match work(orders, &reporter) {
        Ok(End::Eos) => {
            reporter.send(&Event::Eos);
            ExitCode::SUCCESS
        }
        Ok(End::Closed) => {
            reporter.send(&Event::Closed);
            ExitCode::SUCCESS
        }
        Ok(End::Failed(failure)) => exit_code(&failure),
        Err(failure) => {
            reporter.send(&Event::Failed(failure.clone()));
            exit_code(&failure)
        }
    }
}

fn work(mut orders: Orders, reporter: &Reporter) -> Result<End, Failure> {
    let job = read_job(&mut orders)?;
    let (wake, inputs) = mpsc::channel();
    listen(orders, wake.clone())
        .and_then(|()| attend_signals(wake.clone()))
        .map_err(|error| Failure::passing(format!("cannot start: {error}")))?;
    gstreamer::start().map_err(|error| Failure::passing(format!("cannot start: {error}")))?;
    let Some(tokens) = Tokens::await_all(&job.pipeline, &inputs)? else {
        return Ok(End::Closed);
    };
    let pipeline = build::build(&job.pipeline, &tokens, reporter)?;
    let folders = flow::archive_folders(&pipeline);
    let disk = job.disk.as_ref().filter(|_| !folders.is_empty());
    if let Some(why) = disk.and_then(Disk::complaint) {
        return Err(Failure::passing(why));
    }
    for folder in folders {
        reporter.send(&Event::RecordsInto { folder });
    }
    forward_messages(&pipeline, wake.clone())?;
    let views = Views::start(&job, &pipeline, reporter, &wake)?;
    let end = run(&job.pipeline, pipeline, tokens, inputs, reporter);
    // Where the recording has failed, nothing may keep it from starting again.
    if !matches!(end, End::Failed(_)) {
        views.stop();
    }
    Ok(end)
}

fn run(
    job: &config::Pipeline,
    pipeline: gst::Pipeline,
    tokens: Tokens,
    inputs: Receiver<Input>,
    reporter: &Reporter,
) -> End {
    let session = Session::new(job, pipeline.clone(), tokens, inputs, reporter.clone());
    let (end, closed) = session.run();
    if !closed {
        // Its destructors would hang as well: leave it to the kernel.
        reporter.log(Level::Warn, "an element hung while closing");
        std::mem::forget(pipeline);
    }
    end
}

fn exit_code(failure: &Failure) -> ExitCode {
    ExitCode::from(match failure.class {
        protocol::Class::Definition => EXIT_DEFINITION,
        _ => EXIT_FAILED,
    })
}

fn read_job(orders: &mut Orders) -> Result<Job, Failure> {
    let mut line = String::new();
    orders
        .read_line(&mut line)
        .map_err(|error| Failure::passing(format!("cannot read the definition: {error}")))?;
    serde_json::from_str(&line).map_err(|_| {
        Failure::definition("a worker is started by `pipeline-runner run`, not by hand")
    })
}

/// Takes orders on a thread of its own; when their line ends, so does this process.
fn listen(orders: Orders, wake: Sender<Input>) -> io::Result<()> {
    thread::Builder::new()
        .name("orders".to_owned())
        .spawn(move || {
            for line in orders.lines().map_while(Result::ok) {
                let _ = match serde_json::from_str(&line) {
                    Ok(Order::Close) => wake.send(Input::Close),
                    Ok(Order::Token { session, token }) => wake.send(Input::Token(session, token)),
                    Err(_) => Ok(()),
                };
            }
            let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
        })
        .map(|_| ())
}

/// A polite signal from outside (`systemctl stop` signals every process of a unit) closes.
fn attend_signals(wake: Sender<Input>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                let _ = wake.send(Input::Close);
            }
        })
        .map(|_| ())
}

/// Hands the pipeline's messages on without ever making a streaming thread wait.
fn forward_messages(pipeline: &gst::Pipeline, wake: Sender<Input>) -> Result<(), Failure> {
    let bus = pipeline
        .bus()
        .ok_or_else(|| Failure::passing("the pipeline has no bus"))?;
    bus.set_sync_handler(move |_, message| {
        let _ = wake.send(Input::Message(message.clone()));
        gst::BusSyncReply::Drop
    });
    Ok(())
}
