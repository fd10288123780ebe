// SPDX-License-Identifier: MPL-2.0
//! `pipeline-runner validate`: says everything that is wrong with a definition and starts nothing.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::counted;
use crate::config;
use crate::gstreamer;

/// Reports for files and journals are not wrapped: they are searched.
const UNWRAPPED_COLUMNS: usize = 400;

/// Arguments of `validate`.
#[derive(clap::Args)]
pub struct Args {
    /// The definition (`-`: standard input)
    #[arg(value_name = "FILE.yaml")]
    file: PathBuf,
    /// Leaves out elements, properties and their values: for machines without the plugins
    #[arg(long)]
    no_plugins: bool,
}

/// Runs the subcommand.
pub fn main(args: &Args) -> ExitCode {
    match validate(args) {
        Ok(found) => {
            println!("{}: ok, {found}", args.file.display());
            ExitCode::SUCCESS
        }
        Err(report) => {
            complain(&report);
            ExitCode::from(super::EXIT_DEFINITION)
        }
    }
}

/// What there is in a definition that is right.
fn validate(args: &Args) -> miette::Result<String> {
    let definitions = config::load(&args.file)?;
    if !args.no_plugins {
        gstreamer::start()?;
        config::check_elements(&definitions)?;
    }
    let pipelines = counted(definitions.pipelines.len() as u64, "pipeline");
    Ok(match definitions.credentials.len() as u64 {
        0 => pipelines,
        sessions => format!("{pipelines}, {}", counted(sessions, "session")),
    })
}

/// Says on standard error what is wrong with a definition.
pub fn complain(report: &miette::Report) {
    let terminal = std::io::stderr().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none();
    let columns = if terminal { 100 } else { UNWRAPPED_COLUMNS };
    eprint!("{}", config::explain(report, colour, columns));
}
