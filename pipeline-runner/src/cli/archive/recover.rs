// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner archive recover`: makes segments of what a crash left. The files of writers
//! that live are left alone, so it may run at any time.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use gstsegmenter::archive::{self, Container, Measured, Outcome, Recovered};
use gstsegmenter::media;
use indicatif::HumanBytes;
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{Out, Time};
use crate::cli::place::Place;
use crate::cli::{EXIT_FAILED, text};

/// Arguments of `archive recover`.
#[derive(clap::Args)]
#[command(after_help = "Exits with 1 if a file could not be recovered because of the disk.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// Writes JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Out) -> Result<ExitCode, Failure> {
    let root = &args.place.root;
    let recovered =
        archive::recover(root, &measure).map_err(|error| args.place.not_there(&error))?;
    let failed = recovered
        .iter()
        .any(|recovered| matches!(recovered.outcome, Outcome::Failed(_)));
    if args.json {
        let files = recovered.iter().map(Json::from).collect();
        let archive = root.to_string_lossy().into_owned();
        out.json(&JsonReport { archive, files })?;
    } else {
        for recovered in &recovered {
            out.line(line(recovered))?;
        }
        if recovered.is_empty() {
            out.line("nothing to recover")?;
        }
    }
    Ok(match failed {
        true => ExitCode::from(EXIT_FAILED),
        false => ExitCode::SUCCESS,
    })
}

/// What of a growing file is whole, for [`archive::recover`].
fn measure(file: &File, container: Container) -> io::Result<Measured> {
    let measured = media::measure(file, container == Container::Ts)?;
    Ok(Measured {
        whole_bytes: measured.whole_bytes,
        duration_ns: measured.duration_ns,
        start: measured.start,
    })
}

fn line(recovered: &Recovered) -> String {
    let from = text::path(&recovered.from);
    match &recovered.outcome {
        Outcome::Partial {
            path,
            name,
            bytes,
            cut_bytes,
        } => format!(
            "{from}: recovered {} ({}), {cut_bytes} bytes cut off: now {}",
            text::duration(name.duration_ns),
            HumanBytes(*bytes),
            text::path(path)
        ),
        Outcome::Quarantined { path, reason } => format!(
            "{from}: nothing to recover, {reason}: put aside as {}",
            text::path(path)
        ),
        Outcome::RemovedEmpty => format!("{from}: was empty, removed"),
        Outcome::Failed(error) => format!("{from}: failed, {}", text::clean(&error.to_string())),
    }
}

#[derive(Serialize)]
struct JsonReport {
    archive: String,
    files: Vec<Json>,
}

#[derive(Serialize)]
struct Json {
    from: String,
    #[serde(flatten)]
    outcome: JsonOutcome,
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
enum JsonOutcome {
    Partial {
        to: String,
        start: Time,
        duration_ns: i64,
        bytes: u64,
        cut_bytes: u64,
    },
    Quarantined {
        to: String,
        reason: String,
    },
    RemovedEmpty,
    Failed {
        reason: String,
    },
}

impl From<&Recovered> for Json {
    fn from(recovered: &Recovered) -> Self {
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        let outcome = match &recovered.outcome {
            Outcome::Partial {
                path,
                name,
                bytes,
                cut_bytes,
            } => JsonOutcome::Partial {
                to: shown(path),
                start: Time(name.start),
                duration_ns: name.duration_ns,
                bytes: *bytes,
                cut_bytes: *cut_bytes,
            },
            Outcome::Quarantined { path, reason } => JsonOutcome::Quarantined {
                to: shown(path),
                reason: reason.clone(),
            },
            Outcome::RemovedEmpty => JsonOutcome::RemovedEmpty,
            Outcome::Failed(error) => JsonOutcome::Failed {
                reason: error.to_string(),
            },
        };
        Self {
            from: shown(&recovered.from),
            outcome,
        }
    }
}
