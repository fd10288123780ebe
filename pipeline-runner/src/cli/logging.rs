// SPDX-License-Identifier: MPL-2.0
//! Log lines on stderr, without secrets and without tearing the live lines.
//!
//! Every line of this process goes through one writer, workers' lines included, so nothing has to
//! remember to redact.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::redact;

/// Writes whole log lines above the live ones.
#[derive(Clone)]
struct Lines(MultiProgress);

/// One line on its way; `tracing-subscriber` writes each with one call.
struct Line<'a>(&'a MultiProgress);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;
    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let clean = redact(&String::from_utf8_lossy(line));
        self.0
            .suspend(|| io::stderr().lock().write_all(clean.as_bytes()))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Starts logging: `filter` in the syntax of `RUST_LOG`, which counts where none is given.
///
/// # Errors
/// What is wrong with the filter.
pub fn start(filter: Option<&str>, live: &MultiProgress, colour: bool) -> miette::Result<()> {
    let environment = std::env::var("RUST_LOG").ok();
    let text = filter.or(environment.as_deref()).unwrap_or("info");
    let filter = EnvFilter::try_new(text).map_err(|error| {
        miette::miette!("{text:?} is no log filter ({error}); one looks like info or debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(colour)
        .with_writer(Lines(live.clone()))
        .try_init()
        .map_err(|error| miette::miette!("cannot start logging: {error}"))
}
