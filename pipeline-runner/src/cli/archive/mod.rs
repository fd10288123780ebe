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
mod recover;
mod table;
mod verify;

use std::process::ExitCode;

use super::failure::Failure;
use super::output::Out;

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
    match done {
        Ok(code) => code,
        // Whoever read has what they wanted.
        Err(Failure::Io(_)) if out.is_abandoned() => ExitCode::SUCCESS,
        Err(failure) => failure.explain(),
    }
}
