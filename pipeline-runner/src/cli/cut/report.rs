// SPDX-License-Identifier: MPL-2.0
//! What is said of a cut that was made: a line for people, or JSON (`docs/cut.md`).

use std::io::{self, Write};
use std::path::Path;

use gstsegmenter::cut::{Summary, error::Hole};
use gstsegmenter::media::Skipped;
use indicatif::HumanBytes;
use serde::Serialize;

use super::Written;
use super::arguments::Args;
use crate::cli::failure::Failure;
use crate::cli::output::{Out, Time};
use crate::cli::text;

/// What `--json` writes.
#[derive(Serialize)]
pub(super) struct Report {
    output: String,
    bytes: u64,
    start: Time,
    end: Time,
    duration_ns: i64,
    frames: Frames,
    holes: Vec<JsonHole>,
    skipped: Vec<JsonSkipped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

#[derive(Serialize)]
struct Frames {
    copied: usize,
    encoded: usize,
}

#[derive(Serialize)]
struct JsonHole {
    start: Time,
    end: Time,
    duration_ns: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A track that is left out.
#[derive(Serialize)]
struct JsonSkipped {
    track: String,
    codec: String,
    reason: String,
}

impl Report {
    pub(super) fn new(output: &Path, summary: &Summary, written: Written) -> Self {
        Self {
            output: output.to_string_lossy().into_owned(),
            bytes: written.bytes,
            start: Time(summary.start),
            end: Time(summary.end),
            duration_ns: summary.duration_ns,
            frames: Frames {
                copied: summary.copied,
                encoded: summary.encoded,
            },
            holes: summary.holes.iter().map(JsonHole::from).collect(),
            skipped: summary.skipped.iter().map(JsonSkipped::from).collect(),
            etag: written.etag,
        }
    }

    /// Says it as was asked for.
    ///
    /// # Errors
    /// If standard output cannot be written to; that its reader went away is none.
    pub(super) fn say(&self, args: &Args) -> Result<(), Failure> {
        if args.json {
            let mut out = Out::new();
            let said = out.json(self).and_then(|()| out.finish());
            return match said {
                Err(_) if out.is_abandoned() => Ok(()),
                said => Ok(said?),
            };
        }
        if !args.is_silent() {
            // Should nobody read this, so be it.
            let _ = self.write(&mut io::stderr().lock());
        }
        Ok(())
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let name = match self.output.as_str() {
            "-" => "standard output".to_owned(),
            output => text::clean(output),
        };
        writeln!(
            out,
            "{name}: {} to {} ({}), {}, {}",
            self.start.0,
            self.end.0,
            text::duration(self.duration_ns),
            self.frames,
            HumanBytes(self.bytes)
        )?;
        for hole in &self.holes {
            writeln!(out, "{hole}")?;
        }
        for skipped in &self.skipped {
            writeln!(out, "{skipped}")?;
        }
        Ok(())
    }
}

/// `4640 frames (62 encoded)`.
impl std::fmt::Display for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.copied.saturating_add(self.encoded), self.encoded) {
            (0, _) => f.write_str("sound only"),
            (all, 0) => f.write_str(&text::count(all as u64, "frame")),
            (all, encoded) => {
                let all = text::count(all as u64, "frame");
                write!(f, "{all} ({encoded} encoded)")
            }
        }
    }
}

impl From<&Hole> for JsonHole {
    fn from(hole: &Hole) -> Self {
        Self {
            start: Time(hole.from),
            end: Time(hole.to),
            duration_ns: hole.to - hole.from,
            reason: hole.reason.clone(),
        }
    }
}

impl From<&Skipped> for JsonSkipped {
    fn from(skipped: &Skipped) -> Self {
        Self {
            track: skipped.track.clone(),
            codec: skipped.codec.clone(),
            reason: skipped.reason.clone(),
        }
    }
}

/// `warning: DTS (stream type 0x82) on PID 257 is left out: …`.
impl std::fmt::Display for JsonSkipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sentence = Skipped {
            track: self.track.clone(),
            codec: self.codec.clone(),
            reason: self.reason.clone(),
        };
        write!(f, "warning: {}", text::clean(&sentence.to_string()))
    }
}

/// `missing: 2026-11-20T10:31:08.25Z to 2026-11-20T10:31:10.25Z (2s)`.
impl std::fmt::Display for JsonHole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = text::duration(self.duration_ns);
        write!(f, "missing: {} to {} ({length})", self.start.0, self.end.0)?;
        match &self.reason {
            Some(reason) => write!(f, ": {}", text::clean(reason)),
            None => Ok(()),
        }
    }
}
