// SPDX-License-Identifier: MPL-2.0
//! What the element says on the bus, and its `stats`: one place for the names others rely on.

use gst::prelude::*;

use crate::archive::Finished;

use super::recorder::Recorder;
use super::settings::Settings;
use super::timeline::Source;

/// `archive-segment`: a segment was closed under its final name.
pub fn segment(
    src: &impl IsA<gst::Object>,
    settings: &Settings,
    finished: &Finished,
    discontinuity: bool,
) -> gst::Message {
    let name = &finished.name;
    let structure = gst::Structure::builder("archive-segment")
        .field("path", finished.path.to_string_lossy().as_ref())
        .field("stream", settings.stream.as_deref().unwrap_or_default())
        .field("variant", &settings.variant)
        .field("start-ns", name.start.0)
        .field("start", name.start.to_string())
        .field("duration-ns", name.duration_ns.unsigned_abs())
        .field("type", name.kind.to_string())
        .field("bytes", finished.bytes)
        .field("discontinuity", discontinuity);
    gst::message::Element::builder(structure.build())
        .src(src)
        .build()
}

/// `archive-paused`: the disk refuses what is recorded; it is tried again all the while.
pub fn paused(src: &impl IsA<gst::Object>, settings: &Settings, reason: &str) -> gst::Message {
    let path = settings
        .location
        .as_deref()
        .map(|path| path.to_string_lossy().into_owned());
    let structure = gst::Structure::builder("archive-paused")
        .field("path", path.unwrap_or_default())
        .field("stream", settings.stream.as_deref().unwrap_or_default())
        .field("variant", &settings.variant)
        .field("reason", reason);
    gst::message::Element::builder(structure.build())
        .src(src)
        .build()
}

/// `archive-resumed`: the disk takes what is recorded again.
pub fn resumed(src: &impl IsA<gst::Object>, settings: &Settings, lost_frames: u64) -> gst::Message {
    let structure = gst::Structure::builder("archive-resumed")
        .field("stream", settings.stream.as_deref().unwrap_or_default())
        .field("variant", &settings.variant)
        .field("lost-frames", lost_frames);
    gst::message::Element::builder(structure.build())
        .src(src)
        .build()
}

/// The property `stats`.
pub fn stats(recorder: Option<&Recorder>) -> gst::Structure {
    let counted = recorder
        .map(|recorder| recorder.outbox.stats)
        .unwrap_or_default();
    let drift_ns = recorder.map_or(0, |recorder| recorder.timeline().drift_ns());
    let source = match recorder.map(|recorder| recorder.timeline().source()) {
        Some(Source::Reference) => "reference",
        _ => "clock",
    };
    let reason = recorder.map(Recorder::time_source_reason);
    gst::Structure::builder("application/x-archivesink-stats")
        .field("segments", counted.segments)
        .field("bytes", counted.bytes)
        .field("late", counted.late)
        .field("dropped", counted.dropped)
        .field("awaiting-keyframe", counted.awaiting_keyframe)
        .field("recorded-buffers", counted.recorded.buffers)
        .field("recorded-frames", counted.recorded.frames)
        .field("recorded-bytes", counted.recorded.bytes)
        .field("drift-ns", drift_ns)
        .field("time-source", source)
        .field("time-source-reason", reason.unwrap_or_default())
        .build()
}
