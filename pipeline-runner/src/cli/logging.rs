// SPDX-License-Identifier: MPL-2.0
//! Log lines on stderr, without secrets and without tearing the live lines.
//!
//! Every line of this process goes through one writer, workers' lines included, so nothing has to
//! remember to redact.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::log_queue::Queue;
use crate::config::redact;

/// Writes whole log lines above the live ones.
#[derive(Clone)]
struct Lines {
    queue: Queue,
    live: MultiProgress,
}

/// One line on its way; `tracing-subscriber` writes each with one call.
struct Line<'a>(&'a Lines);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;
    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let clean = redact(&String::from_utf8_lossy(line));
        let live = self.0.live.clone();
        self.0.queue.push(Box::new(move |out| {
            // Whoever does not read it any more does not want it.
            let _ = live.suspend(|| out.write_all(clean.as_bytes()));
        }));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts logging: `filter` in the syntax of `RUST_LOG`, which counts where none is given.
///
/// # Errors
/// What is wrong with the filter.
pub fn start(
    filter: Option<&str>,
    queue: &Queue,
    live: &MultiProgress,
    colour: bool,
) -> miette::Result<()> {
    let environment = std::env::var("RUST_LOG").ok();
    let text = filter.or(environment.as_deref()).unwrap_or("info");
    let filter = EnvFilter::try_new(text).map_err(|error| {
        miette::miette!("{text:?} is no log filter ({error}); one looks like info or debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(colour)
        .with_writer(Lines {
            queue: queue.clone(),
            live: live.clone(),
        })
        .try_init()
        .map_err(|error| miette::miette!("cannot start logging: {error}"))
}
