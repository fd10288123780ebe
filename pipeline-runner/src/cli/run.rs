// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner run`.

use std::process::ExitCode;

/// Arguments of `run`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the subcommand.
pub fn main(_args: &Args) -> ExitCode {
    ExitCode::from(super::EXIT_FAILED)
}
