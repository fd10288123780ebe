// SPDX-License-Identifier: MPL-2.0
//! Standard output that may go away (`| head`), and complaints that do not fail themselves.

use std::io::{self, BufWriter, Stdout, Write};

use gstsegmenter::utc::UtcNs;
use serde::{Serialize, Serializer};

/// Standard output, buffered, that knows whether anybody still reads it.
pub(super) struct Out {
    inner: BufWriter<Stdout>,
    is_abandoned: bool,
}

impl Out {
    /// Of this process.
    pub(super) fn new() -> Self {
        Self {
            inner: BufWriter::new(io::stdout()),
            is_abandoned: false,
        }
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: impl std::fmt::Display) -> io::Result<()> {
        let written = writeln!(self.inner, "{line}");
        self.noted(written)
    }

    /// Writes a value as JSON, indented.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let written = serde_json::to_writer_pretty(&mut self.inner, value);
        self.noted(written.map_err(io::Error::from))?;
        self.line("")
    }

    /// Lets the reader see what was written so far.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.noted(flushed)
    }

    /// Flushes at the end, if somebody still reads.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.is_abandoned {
            return Ok(());
        }
        self.flush()
    }

    /// Whether the reader has gone away.
    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    fn noted(&mut self, result: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &result {
            self.is_abandoned |= error.kind() == io::ErrorKind::BrokenPipe;
        }
        result
    }
}

/// Says on standard error what is wrong; should nobody read that either, so be it.
pub(super) fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "error: {message}");
}

/// A moment in JSON: RFC 3339 in UTC, with as many digits as it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub(super) UtcNs);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
