// SPDX-License-Identifier: MPL-2.0
//! The command line: one file per subcommand.
//!
//! Exit codes: 0 ok, 1 failed at run time, 2 usage, 78 (`EX_CONFIG`) bad definition.

mod archive;
mod credentials;
mod cut;
mod failure;
mod log_queue;
mod logging;
mod moment;
mod names;
mod output;
mod place;
mod progress;
mod recorded;
mod run;
mod text;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Failed at run time.
pub const EXIT_FAILED: u8 = 1;
/// The command line is wrong (as `clap` exits).
pub const EXIT_USAGE: u8 = 2;
/// The definition is wrong; restarting will not help (`EX_CONFIG` of sysexits).
pub const EXIT_DEFINITION: u8 = 78;

#[derive(Parser)]
#[command(version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the pipelines of a definition until stopped
    Run(run::Args),
    /// Checks a definition and starts nothing
    Validate(validate::Args),
    /// Writes a range of the archive to a file
    Cut(cut::Args),
    /// Looks into an archive
    Archive(archive::Args),
    /// Shares credentials with the processes of this machine
    Credentials(credentials::Args),
    /// One pipeline, in its own process (started by `run`)
    #[command(hide = true)]
    Worker,
}

/// Parses the command line and runs the subcommand.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::main(&args),
        Command::Validate(args) => validate::main(&args),
        Command::Archive(args) => archive::main(&args),
        Command::Credentials(args) => credentials::main(&args),
        Command::Cut(args) => cut::main(&args),
        Command::Worker => crate::worker::main(),
    }
}
