// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner run`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::HumanBytes;

use super::log_queue::Queue;
use super::progress::{Progress, counted};
use super::{EXIT_DEFINITION, EXIT_FAILED, logging};
use crate::config::{self, Definitions};
use crate::credentials::folder::Kind;
use crate::credentials::{Place, Service};
use crate::gstreamer;
use crate::supervisor::machine::State;
use crate::supervisor::{self, View};
use crate::worker::protocol::Class;

/// Arguments of `run`.
#[derive(clap::Args)]
pub struct Args {
    /// The definition; `-` is standard input
    file: PathBuf,
    /// Which log lines to show, as in RUST_LOG: `debug`, `warn`, …
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// The folder in which the definition's credentials are offered to other programs; else
    /// $RUNTIME_DIRECTORY, or pipeline-runner in $XDG_RUNTIME_DIR
    #[arg(long, value_name = "FOLDER")]
    runtime_dir: Option<PathBuf>,
    /// Log lines only, even on a terminal
    #[arg(long)]
    plain: bool,
}

/// Runs the subcommand.
pub fn main(args: &Args) -> ExitCode {
    let Ok(queue) = Queue::to_stderr() else {
        return ExitCode::from(EXIT_FAILED);
    };
    let lines = queue.clone();
    gstreamer::log_to(move |line| {
        lines.push(Box::new(move |out| drop(out.write_all(line.as_bytes()))));
    });
    let definitions = match prepare(args) {
        Ok(definitions) => definitions,
        Err(report) => {
            queue.flush();
            super::validate::complain(&report);
            return ExitCode::from(EXIT_DEFINITION);
        }
    };
    let code = run(args, &definitions, &queue);
    queue.flush();
    code
}

/// Runs the pipelines of checked definitions; logs into `queue`.
fn run(args: &Args, definitions: &Definitions, queue: &Queue) -> ExitCode {
    let mut progress = Progress::new(definitions.pipelines.keys(), args.plain, queue);
    let colour = !args.plain && std::io::stderr().is_terminal();
    if let Err(report) = logging::start(args.log.as_deref(), queue, progress.live(), colour) {
        eprintln!("{report:?}");
        return ExitCode::from(super::EXIT_USAGE);
    }
    announce(definitions);
    let place = Place {
        listen: None,
        runtime_dir: args.runtime_dir.clone(),
    };
    let service = match Service::start(definitions, &place, Kind::Run) {
        Ok(service) => service,
        Err(why) => {
            progress.clear();
            tracing::error!("{why}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let told = service.as_ref().map(super::credentials::announce);
    let views = supervisor::run(definitions, service.as_ref(), &mut |view| {
        progress.show(view)
    });
    drop(told);
    drop(service);
    progress.clear();
    match views {
        Ok(views) => conclude(&views),
        Err(error) => {
            tracing::error!("cannot start: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Checks everything before anything starts.
fn prepare(args: &Args) -> miette::Result<Definitions> {
    let definitions = config::load(&args.file)?;
    if definitions.pipelines.is_empty() {
        return Err(miette::miette!(
            help = "`pipeline-runner credentials serve` serves the `credentials` of such a file",
            "{} has no `pipelines`",
            args.file.display()
        ));
    }
    gstreamer::start()?;
    config::check_elements(&definitions)?;
    Ok(definitions)
}

fn announce(definitions: &Definitions) {
    let names: Vec<&str> = definitions.pipelines.keys().map(String::as_str).collect();
    let count = counted(names.len() as u64, "pipeline");
    let file = definitions.path.display();
    tracing::info!("{file}: running {count}: {}", names.join(", "));
    if let Some(archive) = &definitions.archive {
        let root = std::path::absolute(&archive.root).unwrap_or_else(|_| archive.root.clone());
        tracing::info!("the archive grows in {}", root.display());
    }
}

/// Says what became of each pipeline, and chooses the exit code.
fn conclude(views: &[View]) -> ExitCode {
    for view in views {
        tracing::info!(
            "{}: {}, {}, {}",
            view.name,
            counted(view.segments, "segment"),
            HumanBytes(view.bytes),
            counted(view.restarts, "restart")
        );
    }
    exit_code(views.iter().map(|view| &view.state))
}

/// 78 where a definition was wrong, 1 where a pipeline failed or was cut off, else 0.
fn exit_code<'a>(states: impl Iterator<Item = &'a State>) -> ExitCode {
    let code = states.map(|state| match state {
        State::Failed(failure) if failure.class == Class::Definition => EXIT_DEFINITION,
        State::Failed(_) | State::Stopped { clean: false } => EXIT_FAILED,
        _ => 0,
    });
    ExitCode::from(code.max().unwrap_or(0))
}
