// SPDX-License-Identifier: MPL-2.0
//! `archivesink`: the recording element.
//!
//! A buffer comes in at a pad ([`imp`]), gets a time in UTC ([`timeline`], [`stamps`]), and is
//! given to a segment ([`recorder`]), which is one of the open segments of a container
//! ([`mp4_output`] with [`mp4`], or [`ts_output`] with [`mpegts`]) and at last a file
//! ([`growing`]).

/**
 * SECTION:element-archivesink
 *
 * `archivesink` records streams into segment files that are indexed by wall-clock time:
 * `<location>/<stream>/<variant>/<YYYY-MM-DDTHH>/<MM:SS.ffffff>-<duration>-<type>-<hash>.<ext>`.
 *
 * Each segment begins with a keyframe, holds its own codec configuration and plays alone. A
 * growing segment gains a whole chunk every `chunk-duration`; that is the most a crash loses.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 -e videotestsrc is-live=true ! x264enc tune=zerolatency ! h264parse ! archivesink location=archive stream=test
 * ]|
 *
 * Since: 0.1
 */
mod access_units;
mod arrival;
pub(crate) mod av1;
pub(crate) mod caps;
mod clock;
mod clock_judge;
mod clocks;
mod continuity;
mod element_messages;
mod growing;
mod health;
mod imp;
mod incoming;
pub(crate) mod incomplete;
mod mp4;
mod mp4_output;
mod mpegts;
mod notice;
mod output;
mod properties;
mod provisional;
mod recorder;
mod refusal;
mod retime;
mod segments;
mod settings;
mod stamps;
mod start;
mod strays;
mod stream;
mod timeline;
mod ts_output;
mod upstream;

pub use clock::WallClock;
pub use refusal::{codec, parser_wanted, refusal};
pub use settings::{Container, Fsync, TimeSource};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

glib::wrapper! {
    /// Records streams into segment files indexed by wall-clock time.
    pub struct ArchiveSink(ObjectSubclass<imp::ArchiveSink>) @extends gst::Element, gst::Object;
}

impl ArchiveSink {
    /// Sets the clock that tells the time of day; for tests, which set it instead of waiting.
    pub fn set_wall_clock(&self, clock: WallClock) {
        self.imp().set_wall_clock(clock);
    }
}

/// Registers the element with the plugin.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "archivesink",
        gst::Rank::NONE,
        ArchiveSink::static_type(),
    )
}
