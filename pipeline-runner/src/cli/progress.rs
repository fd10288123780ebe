// SPDX-License-Identifier: MPL-2.0
//! What `run` shows: one live line per pipeline on a terminal, log lines anywhere else.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::log_queue::Queue;
use crate::supervisor::View;
use crate::supervisor::machine::State;

/// Where there is no terminal, each pipeline gets a log line so often.
const LINE_INTERVAL: Duration = Duration::from_secs(30);

/// The live lines, or the times of the last log lines.
pub struct Progress {
    /// Draws, too: a terminal may be as deaf as any other reader.
    queue: Queue,
    live: MultiProgress,
    lines: Vec<Line>,
}

struct Line {
    bar: Option<ProgressBar>,
    logged: Duration,
}

impl Progress {
    /// For these pipelines; `plain` forgoes the live lines.
    pub fn new<'a>(names: impl Iterator<Item = &'a String>, plain: bool, queue: &Queue) -> Self {
        let live = MultiProgress::new();
        let terminal = !plain && std::io::stderr().is_terminal();
        if !terminal {
            live.set_draw_target(ProgressDrawTarget::hidden());
        }
        let line = |name: &String| Line {
            bar: terminal.then(|| bar(&live, name)),
            logged: Duration::ZERO,
        };
        let lines = names.map(line).collect();
        let queue = queue.clone();
        Self { queue, live, lines }
    }

    /// What log lines have to be written above of.
    pub fn live(&self) -> &MultiProgress {
        &self.live
    }

    /// Brings a pipeline's line up to date.
    pub fn show(&mut self, view: &View) {
        let Some(line) = self.lines.get_mut(view.index) else {
            return;
        };
        match &line.bar {
            Some(bar) => {
                let (bar, text) = (bar.clone(), describe(view));
                self.queue.push(Box::new(move |_| bar.set_message(text)));
            }
            None if view.now >= line.logged + LINE_INTERVAL => {
                line.logged = view.now;
                tracing::info!("{}: {}", view.name, describe(view));
            }
            None => {}
        }
    }

    /// Takes the live lines off the terminal, for good.
    pub fn clear(&self) {
        for bar in self.lines.iter().filter_map(|line| line.bar.clone()) {
            self.queue.push(Box::new(move |_| bar.finish_and_clear()));
        }
    }
}

fn bar(live: &MultiProgress, name: &str) -> ProgressBar {
    let bar = live.add(ProgressBar::no_length());
    if let Ok(style) = ProgressStyle::with_template("{prefix:>16.bold}  {wide_msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(name.to_owned());
    bar
}

/// A pipeline in one line: state, frame rate, bit rate, last segment.
fn describe(view: &View) -> String {
    let mut words = vec![state(view)];
    if matches!(
        view.state,
        State::Running | State::Stalled | State::Draining
    ) {
        words.extend(view.frames_per_second().map(|fps| format!("{fps:.1} fps")));
        words.extend(view.bits_per_second().map(bit_rate));
    }
    if let (State::Starting, Some(came)) = (&view.state, view.unrecorded()) {
        words.push(format!("{came} buffers came, none is recorded yet"));
    }
    if view.paused {
        words.push("RECORDING PAUSED".to_owned());
    }
    if let Some((segment, at)) = &view.last_segment {
        let seconds = Duration::from_nanos(segment.duration_ns).as_secs_f64();
        let ago = view.now.saturating_sub(*at).as_secs();
        let (count, bytes) = (view.segments, HumanBytes(view.bytes));
        let time = clock(&segment.start);
        words.push(format!("segment {time} {seconds:.1} s, {ago} s ago"));
        words.push(format!("{}, {bytes}", counted(count, "segment")));
    }
    if let Some(archive) = &view.archive {
        let lost = archive.dropped.saturating_add(archive.late);
        if lost > 0 {
            words.push(format!("{lost} buffers lost"));
        }
    }
    if view.restarts > 0 {
        words.push(format!("restarts: {}", view.restarts));
    }
    words.join(" · ")
}

fn state(view: &View) -> String {
    match &view.state {
        State::Pending { .. } => "pending".to_owned(),
        State::Starting => "starting".to_owned(),
        State::Running => "running".to_owned(),
        State::Stalled => "stalled".to_owned(),
        State::BackingOff {
            attempt,
            next,
            error,
        } => {
            let wait = next.saturating_sub(view.now).as_secs();
            let error = crate::config::redact(error);
            match attempt {
                0 => format!("starts again in {wait} s"),
                _ => format!("waiting {wait} s after {attempt} failed attempts ({error})"),
            }
        }
        State::Draining => "closing".to_owned(),
        State::Stopped { .. } => "stopped".to_owned(),
        State::Completed => "completed".to_owned(),
        State::Failed(failure) => format!("failed: {}", crate::config::redact(&failure.message)),
    }
}

/// `1 segment`, `2 segments`.
pub fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn bit_rate(bits: f64) -> String {
    if bits >= 1e6 {
        format!("{:.1} Mbit/s", bits / 1e6)
    } else {
        format!("{:.0} kbit/s", bits / 1e3)
    }
}

/// The time of day in an RFC 3339 time, to the second.
fn clock(start: &str) -> &str {
    start
        .split_once('T')
        .and_then(|(_, time)| time.get(..8))
        .unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::protocol::Segment;

    #[test]
    fn a_line_tells_the_state_and_the_last_segment() {
        let mut view = View::new(0, "cam");
        view.state = State::Running;
        let segment = Segment {
            path: "a.mp4".to_owned(),
            start: "2026-11-20T10:31:06.25Z".to_owned(),
            duration_ns: 2_000_000_000,
            kind: "full".to_owned(),
            bytes: 1024,
            discontinuity: false,
        };
        view.segment(segment, Duration::from_secs(10));
        view.now = Duration::from_secs(11);
        assert_eq!(
            describe(&view),
            "running · segment 10:31:06 2.0 s, 1 s ago · 1 segment, 1.00 KiB"
        );
    }

    #[test]
    fn the_reason_of_a_wait_is_shown_without_the_password_in_it() {
        let mut view = View::new(0, "cam");
        view.state = State::BackingOff {
            attempt: 2,
            next: Duration::from_secs(4),
            error: "cannot reach rtsp://admin:hunter2@10.0.0.1/".to_owned(),
        };
        let line = describe(&view);
        assert!(line.starts_with("waiting 4 s after 2 failed attempts (cannot reach"));
        assert!(!line.contains("hunter2"), "{line}");
    }
}
