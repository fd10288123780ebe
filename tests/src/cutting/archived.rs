// SPDX-License-Identifier: MPL-2.0
//! Archives of clips, recorded by `archivesink` as fast as the machine can.
//!
//! The wall clock is the test's, and stands still: a frame was seen at its time in the clip,
//! counted from a moment of the test's choice. So times are exact, and recordings cross the
//! borders of hours and days.

use std::path::Path;
use std::sync::Once;

use gst::prelude::*;
use gstsegmenter::archive::Archive;
use gstsegmenter::archivesink::{ArchiveSink, WallClock};
use gstsegmenter::utc::UtcNs;

use super::source::Source;
use crate::clips::{self, Clip};
use crate::recording::{self, Recorded};

/// What segments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// Fragmented MP4.
    Mp4,
    /// MPEG transport stream.
    Ts,
}

impl Container {
    /// As `archivesink` calls it.
    pub fn nick(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Ts => "mpegts",
        }
    }
}

/// The stream that everything is recorded to.
pub const STREAM: &str = "cam";
/// Its variant.
pub const VARIANT: &str = "source";
/// Five and a half seconds before a day ends, a month ends, and between two milliseconds.
pub const BEFORE_MIDNIGHT: &str = "2026-02-28T23:59:54.517003Z";

/// A clip as it was recorded.
pub struct Archived {
    /// The archive.
    pub archive: Archive,
    /// When the clip's first frame was.
    pub start: UtcNs,
    /// What was recorded.
    pub source: Source,
    folder: tempfile::TempDir,
}

impl Archived {
    /// Records a clip of which every frame is known.
    ///
    /// # Panics
    /// When it cannot be recorded, or the archive's names do not tell the time it was recorded at.
    pub fn new(clip: Clip, container: Container) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let start = UtcNs::parse(BEFORE_MIDNIGHT).expect("a time");
        record(clip, container, folder.path(), start);
        let archived = Self {
            archive: Archive::open(folder.path()).expect("an archive"),
            start,
            source: Source::of(clip),
            folder,
        };
        let segments = archived.segments();
        assert_eq!(segments[0].start_ns, start.0, "{segments:?}");
        let end_ns = segments.last().map(Recorded::end_ns);
        assert_eq!(end_ns, Some(archived.end().0), "{segments:?}");
        archived
    }

    /// The folder that the archive is.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// When frame `number` is shown; that after the last one ends the recording.
    pub fn time(&self, number: usize) -> UtcNs {
        self.start + self.source.time_ns(number)
    }

    /// The moment after the last frame.
    pub fn end(&self) -> UtcNs {
        self.time(self.source.pictures())
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> Vec<Recorded> {
        recording::segments(self.root(), STREAM, VARIANT)
    }

    /// Leaves the archive on the disk, for whoever looks into a failure.
    pub fn keep(self) -> std::path::PathBuf {
        self.folder.keep()
    }
}

/// Records a clip into `root` as if its first picture had been seen at `start`.
///
/// # Panics
/// When GStreamer cannot.
pub fn record(clip: Clip, container: Container, root: &Path, start: UtcNs) {
    static START: Once = Once::new();
    START.call_once(|| {
        gst::init().expect("GStreamer starts");
        gstsegmenter::plugin_register_static().expect("the plugin registers");
    });
    let parser = if clip.is_h265() {
        "h265parse"
    } else {
        "h264parse"
    };
    let line = format!(
        "filesrc name=file ! qtdemux name=clip \
         clip.video_0 ! queue ! {parser} ! archive.video \
         clip.audio_0 ! queue ! aacparse ! archive.audio_0 \
         archivesink name=archive stream={STREAM} variant={VARIANT} container={}",
        container.nick()
    );
    let pipeline = gst::parse::launch(&line).expect("all of it is installed");
    let pipeline = pipeline
        .downcast::<gst::Pipeline>()
        .expect("several elements");
    let named = |name| pipeline.by_name(name).expect("it is in the text");
    named("file").set_property("location", clips::get(clip));
    named("archive").set_property("location", root);
    let sink = named("archive")
        .downcast::<ArchiveSink>()
        .expect("it is one");
    sink.set_wall_clock(WallClock::new(move || start));
    pipeline.use_clock(Some(&gst_check::TestClock::new()));
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends);
    pipeline.set_state(gst::State::Null).expect("it stops");
    let end = end.unwrap_or_else(|| panic!("{clip:?} is not recorded within 60 s"));
    assert_eq!(end.type_(), gst::MessageType::Eos, "{clip:?}: {end:?}");
}
