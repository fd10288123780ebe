// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner archive`.

use std::process::ExitCode;

/// Arguments of `archive`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the subcommand.
pub fn main(_args: &Args) -> ExitCode {
    ExitCode::from(super::EXIT_FAILED)
}
