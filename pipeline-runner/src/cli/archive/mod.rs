// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner archive`: looks into an archive without changing it, checks it, and recovers
//! what a crash left.
//!
//! Each command asks the archive's own reading side ([`gstsegmenter::archive`]), the one that
//! playback and cuts ask, so what is shown here is what they get. Tables are for people; `--json`
//! is for programs and does not change (`docs/archive.md`).

mod coverage;
mod find;
mod ls;
mod output;
mod recover;
mod table;
mod text;
mod time;
mod verify;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use gstsegmenter::archive::{Archive, Container, Segment};
use gstsegmenter::media;
use gstsegmenter::utc::UtcNs;

use output::Out;

/// Arguments of `archive`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists streams, variants, hours or segments
    Ls(ls::Args),
    /// Says what of a stream is there, what is missing, and at what quality
    Coverage(coverage::Args),
    /// Checks that segments are what their names say, and decode
    Verify(verify::Args),
    /// Makes segments of what a crash left
    Recover(recover::Args),
}

/// Which archive.
#[derive(clap::Args)]
struct Place {
    /// The folder of the archive
    #[arg(
        long = "archive",
        value_name = "DIR",
        default_value = "./archive",
        hide_default_value = true
    )]
    root: PathBuf,
}

impl Place {
    fn open(&self) -> Result<Archive, Failure> {
        Archive::open(&self.root).map_err(|error| self.not_there(&error))
    }

    fn not_there(&self, error: &io::Error) -> Failure {
        let root = text::path(&self.root);
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "there is no such folder".to_owned(),
            io::ErrorKind::NotADirectory => "it is not a folder".to_owned(),
            _ => error.to_string(),
        };
        Failure::Message(format!(
            "no archive at {root}: {reason}; name the archive's folder with --archive"
        ))
    }
}

/// Why a command came to nothing.
#[derive(Debug)]
enum Failure {
    /// The command line asks for something that cannot be.
    Usage(String),
    /// What was asked for is not there.
    Message(String),
    /// The file system, or standard output.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Runs the subcommand.
pub fn main(args: &Args) -> ExitCode {
    let out = &mut Out::new();
    let done = match &args.command {
        Command::Ls(args) => ls::run(args, out),
        Command::Coverage(args) => coverage::run(args, out),
        Command::Verify(args) => verify::run(args, out),
        Command::Recover(args) => recover::run(args, out),
    };
    let done = done.and_then(|code| Ok(out.finish().map(|()| code)?));
    done.unwrap_or_else(|failure| explain(&failure, out))
}

fn explain(failure: &Failure, out: &Out) -> ExitCode {
    let (message, code) = match failure {
        // Whoever read has what they wanted.
        Failure::Io(_) if out.is_abandoned() => return ExitCode::SUCCESS,
        Failure::Io(error) => (error.to_string(), super::EXIT_FAILED),
        Failure::Message(message) => (message.clone(), super::EXIT_FAILED),
        Failure::Usage(message) => (message.clone(), super::EXIT_USAGE),
    };
    output::complain(&message);
    ExitCode::from(code)
}

/// How long what is in a growing file lasts: what recovery would make of it now.
fn growing_ns(segment: &Segment, now: UtcNs) -> i64 {
    let name = &segment.name;
    let path = segment.path();
    let is_file = std::fs::metadata(&path).is_ok_and(|metadata| metadata.is_file());
    let measured = is_file
        .then(|| std::fs::File::open(&path).ok())
        .flatten()
        .and_then(|file| media::measure(&file, name.container == Container::Ts).ok());
    match measured {
        Some(measured) => measured.duration_ns,
        // Closed, and so renamed, since its folder was read.
        None => name.duration_ns.min(now - name.start).max(0),
    }
}
