// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner credentials …`.

mod get;
mod serve;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

pub(super) use serve::announce;

/// Arguments of `credentials`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the sessions of a definition until stopped
    Serve(serve::Args),
    /// Writes what a running server has for a session
    Get(get::Args),
    /// Shows the sessions of all running servers
    Status(status::Args),
}

/// Where servers leave word of themselves.
#[derive(clap::Args)]
struct Folder {
    /// The folder in which servers and clients find each other; else $RUNTIME_DIRECTORY, or
    /// pipeline-runner in $XDG_RUNTIME_DIR
    #[arg(long, value_name = "FOLDER")]
    runtime_dir: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn main(args: &Args) -> ExitCode {
    match &args.command {
        Command::Serve(args) => serve::main(args),
        Command::Get(args) => get::main(args),
        Command::Status(args) => status::main(args),
    }
}
