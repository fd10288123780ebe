// SPDX-License-Identifier: MPL-2.0
//! The worker's line to its supervisor, kept out of reach of plugins.
//!
//! Elements and the libraries behind them print to stdout and some read stdin (`fdsrc`). One stray
//! line would garble the protocol, so both are moved to descriptors of our own that no child
//! inherits; afterwards fd 0 is empty and fd 1 is stderr.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio;

use super::protocol::{Event, Level};

/// Where orders come from.
pub type Orders = BufReader<File>;

/// Reports events to the supervisor; clones share the line.
#[derive(Clone)]
pub struct Reporter(Arc<Mutex<File>>);

/// Takes stdin and stdout away from everybody else.
///
/// # Errors
/// When descriptors run out, or there is no `/dev/null`.
pub fn take() -> io::Result<(Orders, Reporter)> {
    let orders = fcntl_dupfd_cloexec(stdio::stdin(), 3)?;
    let events = fcntl_dupfd_cloexec(stdio::stdout(), 3)?;
    stdio::dup2_stdin(File::open("/dev/null")?)?;
    stdio::dup2_stdout(stdio::stderr())?;
    let reporter = Reporter(Arc::new(Mutex::new(File::from(events))));
    Ok((BufReader::new(File::from(orders)), reporter))
}

impl Reporter {
    /// Sends one event. A supervisor that no longer listens is gone, and its end is noticed on
    /// the line of orders; so a failed write is nobody's news.
    pub fn send(&self, event: &Event) {
        let Ok(mut line) = serde_json::to_vec(event) else {
            return;
        };
        line.push(b'\n');
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = events.write_all(&line);
    }

    /// Sends a log line.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.send(&Event::Log {
            level,
            message: message.into(),
        });
    }
}
