// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner validate`.

use std::process::ExitCode;

/// Arguments of `validate`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the subcommand.
pub fn main(_args: &Args) -> ExitCode {
    ExitCode::from(super::EXIT_FAILED)
}
