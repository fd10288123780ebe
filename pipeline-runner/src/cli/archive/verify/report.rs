// SPDX-License-Identifier: MPL-2.0
//! What was found, while it is found: a line per finding, a live line on a terminal, a summary.

use std::io;
use std::path::Path;
use std::time::Duration;

use gstsegmenter::archive::{Archive, Segment};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::check::{Check, Checked, Problem};
use crate::cli::output::{Out, Time};
use crate::cli::text;

/// Collects findings, and writes them as they come unless JSON is wanted.
pub(super) struct Report {
    found: Json,
    as_json: bool,
    live: ProgressBar,
}

#[derive(Debug, Default, Serialize)]
struct Json {
    archive: String,
    /// Segments checked, good and bad.
    segments: u64,
    bytes: u64,
    duration_ns: i64,
    good: u64,
    /// Segments that somebody is writing, and so not checked.
    growing: u64,
    bad: Vec<Bad>,
    /// Segments with which nothing is wrong, but which nothing here decodes.
    unchecked: Vec<Bad>,
    /// What a crash left, to be recovered.
    abandoned: Vec<String>,
    strays: Vec<Stray>,
    /// What could not be looked at.
    unreadable: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Bad {
    path: String,
    start: Time,
    duration_ns: i64,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Stray {
    path: String,
    reason: String,
}

impl Report {
    /// Of `total` segments.
    pub(super) fn new(archive: &Archive, total: u64, as_json: bool) -> Self {
        // Hidden by itself where standard error is no terminal.
        let live = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let template = "{pos} of {len} segments · {msg} · {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            live.set_style(style);
        }
        live.set_message("0 bad");
        live.enable_steady_tick(Duration::from_millis(500));
        let found = Json {
            archive: archive.root().to_string_lossy().into_owned(),
            ..Json::default()
        };
        Self {
            found,
            as_json,
            live,
        }
    }

    /// Takes what was found.
    pub(super) fn add(&mut self, checked: Checked, out: &mut Out) -> io::Result<()> {
        match checked {
            Checked::Segment {
                segment,
                bytes,
                problems,
            } => self.add_segment(&segment, bytes, problems, out),
            Checked::Gone => Ok(()),
            Checked::Growing => {
                self.found.growing += 1;
                Ok(())
            }
            Checked::Abandoned(path) => {
                let line = format!(
                    "{}: left by a crash, for `archive recover`",
                    text::path(&path)
                );
                self.found.abandoned.push(lossy(&path));
                self.say(&line, out)
            }
            Checked::Stray(stray) => {
                let reason = text::clean(&stray.error.to_string());
                let line = format!("{}: stray, {reason}", text::path(&stray.path));
                self.found.strays.push(Stray {
                    path: lossy(&stray.path),
                    reason,
                });
                self.say(&line, out)
            }
            Checked::Unreadable(error) => {
                let message = text::clean(&error.to_string());
                let line = format!("cannot be read: {message}");
                self.found.unreadable.push(message);
                self.say(&line, out)
            }
        }
    }

    fn add_segment(
        &mut self,
        segment: &Segment,
        bytes: u64,
        problems: Vec<Problem>,
        out: &mut Out,
    ) -> io::Result<()> {
        let found = &mut self.found;
        found.segments += 1;
        found.bytes = found.bytes.saturating_add(bytes);
        found.duration_ns = found.duration_ns.saturating_add(segment.name.duration_ns);
        self.live.inc(1);
        if problems.is_empty() {
            found.good += 1;
            return Ok(());
        }
        let path = segment.path();
        let messages: Vec<&str> = problems
            .iter()
            .map(|problem| problem.message.as_str())
            .collect();
        let messages = messages.join("; ");
        let is_known = problems
            .iter()
            .any(|problem| problem.check != Check::Decoder);
        let (list, word) = match is_known {
            true => (&mut found.bad, "bad"),
            false => (&mut found.unchecked, "not checked"),
        };
        list.push(Bad {
            path: lossy(&path),
            start: Time(segment.name.start),
            duration_ns: segment.name.duration_ns,
            problems,
        });
        self.live.set_message(format!("{} bad", found.bad.len()));
        self.say(&format!("{}: {word}, {messages}", text::path(&path)), out)
    }

    /// Writes a line above the live one.
    fn say(&self, line: &str, out: &mut Out) -> io::Result<()> {
        if self.as_json {
            return Ok(());
        }
        self.live.suspend(|| {
            out.line(line)?;
            out.flush()
        })
    }

    /// Writes the summary, or all of it as JSON.
    pub(super) fn finish(&mut self, out: &mut Out) -> io::Result<()> {
        self.live.finish_and_clear();
        let found = &mut self.found;
        found.bad.sort_by(|a, b| a.path.cmp(&b.path));
        found.unchecked.sort_by(|a, b| a.path.cmp(&b.path));
        found.strays.sort_by(|a, b| a.path.cmp(&b.path));
        found.abandoned.sort();
        match self.as_json {
            true => out.json(found),
            false => out.line(found.summary()),
        }
    }

    /// Whether every segment was checked and is what its name says.
    pub(super) fn is_good(&self) -> bool {
        let found = &self.found;
        found.bad.is_empty() && found.unchecked.is_empty() && found.unreadable.is_empty()
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.live.finish_and_clear();
    }
}

impl Json {
    fn summary(&self) -> String {
        let mut words = vec![
            format!(
                "{} ({}, {})",
                text::count(self.segments, "segment"),
                text::duration(self.duration_ns),
                HumanBytes(self.bytes)
            ),
            format!("{} good", self.good),
            format!("{} bad", self.bad.len()),
        ];
        let others = [
            (self.unchecked.len() as u64, "not checked"),
            (self.growing, "growing"),
            (self.abandoned.len() as u64, "left by a crash"),
            (self.strays.len() as u64, "stray"),
            (self.unreadable.len() as u64, "not readable"),
        ];
        let others = others.iter().filter(|(number, _)| *number > 0);
        words.extend(others.map(|(number, what)| format!("{number} {what}")));
        words.join(", ")
    }
}

fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
