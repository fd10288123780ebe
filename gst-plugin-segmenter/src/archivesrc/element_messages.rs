// SPDX-License-Identifier: MPL-2.0
//! What the element says on the bus: one place for the names others rely on.

use gst::prelude::*;

use crate::cut::Summary;
use crate::media::Skipped;

/// `archive-cut`: what is about to be played.
pub fn cut(src: &impl IsA<gst::Object>, summary: &Summary) -> gst::Message {
    let holes = summary.holes.iter().map(|hole| {
        gst::Structure::builder("hole")
            .field("from", hole.from.to_string())
            .field("from-ns", hole.from.0)
            .field("to", hole.to.to_string())
            .field("to-ns", hole.to.0)
            .field("reason", hole.reason.as_deref())
            .build()
    });
    let count = |frames: usize| u64::try_from(frames).unwrap_or(u64::MAX);
    let structure = gst::Structure::builder("archive-cut")
        .field("start", summary.start.to_string())
        .field("start-ns", summary.start.0)
        .field("end", summary.end.to_string())
        .field("end-ns", summary.end.0)
        .field("duration", duration(summary.duration_ns))
        .field("copied", count(summary.copied))
        .field("encoded", count(summary.encoded))
        .field("holes", gst::Array::new(holes));
    gst::message::Element::builder(structure.build())
        .src(src)
        .build()
}

/// `archive-skipped`: a track of what is recorded that is not played.
pub fn skipped(src: &impl IsA<gst::Object>, skipped: &Skipped) -> gst::Message {
    let structure = gst::Structure::builder("archive-skipped")
        .field("track", &skipped.track)
        .field("codec", &skipped.codec)
        .field("reason", &skipped.reason);
    gst::message::Element::builder(structure.build())
        .src(src)
        .build()
}

fn duration(ns: i64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(ns).unwrap_or(0))
}
