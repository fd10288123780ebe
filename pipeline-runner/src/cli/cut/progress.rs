// SPDX-License-Identifier: MPL-2.0
//! What is seen on a terminal while a cut is made; nothing anywhere else.

use std::io::{self, IsTerminal};
use std::time::Duration;

use gstsegmenter::cut::Type;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// A spinner, then a bar.
#[derive(Clone)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(is_silent: bool) -> Self {
        let is_shown = !is_silent && io::stderr().is_terminal();
        let bar = || ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self {
            bar: is_shown.then(bar),
        }
    }

    /// The frames are looked up, and encoded where they have to be.
    pub(super) fn compose(&self, kind: Type) {
        let Some(bar) = &self.bar else { return };
        set_style(bar, "{spinner} {msg} · {elapsed}");
        bar.set_message(match kind {
            Type::Smart => "encoding the edges",
            Type::Full => "encoding",
            Type::Copy | Type::Rough => "looking up the frames",
        });
        bar.enable_steady_tick(TICK);
    }

    /// So many bytes are about to be written.
    pub(super) fn write(&self, bytes: u64) {
        let Some(bar) = &self.bar else { return };
        set_style(
            bar,
            "{wide_bar} {bytes} of {total_bytes} · {bytes_per_sec} · {eta} left",
        );
        bar.set_length(bytes);
        // Time is counted from here.
        bar.reset();
    }

    /// So many have been.
    pub(super) fn written(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }

    /// Takes it off the terminal.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn set_style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}
