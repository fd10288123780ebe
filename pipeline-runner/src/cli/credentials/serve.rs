// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner credentials serve`: the sessions of a definition, without its pipelines.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use gstawscreds::session::{Subscription, View};
use indicatif::MultiProgress;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Folder;
use crate::cli::log_queue::Queue;
use crate::cli::{EXIT_DEFINITION, EXIT_FAILED, EXIT_USAGE, logging, validate};
use crate::config::{self, Definitions};
use crate::credentials::folder::Kind;
use crate::credentials::{Place, Service};
use crate::signals::is_ignored;

/// Arguments of `credentials serve`.
#[derive(clap::Args)]
pub struct Args {
    /// The definition; its `credentials:` are served
    #[arg(value_name = "FILE.yaml")]
    file: PathBuf,
    /// Where to listen: an address of loopback. A fixed port lets clients keep their environment
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[command(flatten)]
    folder: Folder,
    /// Which log lines to show, as in RUST_LOG: `debug`, `warn`, …
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

/// Runs the subcommand.
pub fn main(args: &Args) -> ExitCode {
    let definitions = match prepare(args) {
        Ok(definitions) => definitions,
        Err(report) => {
            validate::complain(&report);
            return ExitCode::from(EXIT_DEFINITION);
        }
    };
    let colour = std::io::stderr().is_terminal();
    let Ok(queue) = Queue::to_stderr() else {
        return ExitCode::from(EXIT_FAILED);
    };
    let live = MultiProgress::new();
    if let Err(report) = logging::start(args.log.as_deref(), &queue, &live, colour) {
        eprintln!("{report:?}");
        return ExitCode::from(EXIT_USAGE);
    }
    let code = match serve(args, &definitions) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("{why}");
            ExitCode::from(EXIT_FAILED)
        }
    };
    queue.flush();
    code
}

fn prepare(args: &Args) -> miette::Result<Definitions> {
    let definitions = config::load(&args.file)?;
    if definitions.credentials.is_empty() {
        return Err(miette::miette!(
            help = "add some: `credentials: { uploader: { aws: { role_arn: … } } }`",
            "{} has no `credentials`",
            args.file.display()
        ));
    }
    Ok(definitions)
}

fn serve(args: &Args, definitions: &Definitions) -> Result<(), Box<dyn std::error::Error>> {
    // Before there is anything to take away.
    let mut wanted = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted)?;
    let place = Place {
        listen: Some(args.listen),
        runtime_dir: args.folder.runtime_dir.clone(),
    };
    let Some(service) = Service::start(definitions, &place, Kind::Serve)? else {
        return Ok(());
    };
    let _told = announce(&service);
    signals.forever().next();
    tracing::info!("credentials: the endpoint closes");
    Ok(())
}

/// Says where the sessions are to be had, and from then on how it stands with them.
pub(in crate::cli) fn announce(service: &Service) -> Vec<Subscription> {
    let mut told = Vec::new();
    let names: Vec<(String, bool)> = service
        .names()
        .map(|(name, gives_tokens)| (name.to_owned(), gives_tokens))
        .collect();
    for (name, gives_tokens) in names {
        let address = service.address();
        let what = if gives_tokens { "tokens" } else { "sessions" };
        let file = service
            .token_file(&name)
            .map(|file| file.display().to_string());
        tracing::info!(
            "credentials: {name} at http://{address}/v1/{what}/{name}, its token in {}",
            file.unwrap_or_default()
        );
        if let Some(session) = service.session(&name) {
            let last = std::sync::Mutex::new(String::new());
            let tell = move |view: &View| tell(&name, view, &last);
            tell(&session.view());
            told.push(session.on_change(tell));
        }
    }
    told
}

/// One line for each change that a person would want to know of.
fn tell(name: &str, view: &View, last: &std::sync::Mutex<String>) {
    let expiry = view.lease.as_deref().and_then(|lease| lease.expires_at);
    let expiry = expiry.map_or_else(String::new, |time| {
        let time = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::MAX);
        format!(", good until {time:.0}")
    });
    let who = view.identity.as_ref().map(|who| format!(" as {}", who.arn));
    let error = view.error.as_ref().map(|error| format!(": {error}"));
    let line = format!(
        "credentials: {name} is {}{}{expiry}{}",
        view.status,
        who.unwrap_or_default(),
        error.as_deref().unwrap_or_default()
    );
    let mut last = last
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if *last == line {
        return;
    }
    match error {
        Some(_) => tracing::warn!("{line}"),
        None => tracing::info!("{line}"),
    }
    *last = line;
}
