// SPDX-License-Identifier: MPL-2.0
//! Whose clock times the frames: the camera's, where frames carry its time, else the machine's.

use gstsegmenter::archivesink::{Container, TimeSource};
use gstsegmenter::media::{Index, TimeSource as Marked};
use gstsegmenter::utc::{SECOND_NS, UtcNs};

use gst::prelude::*;

use crate::support::clip::{Clip, Frame};
use crate::support::feed::Feed;
use crate::support::in_both_containers;
use crate::support::readback::{self, Segment};
use crate::support::rig::Rig;

/// From 1900, where NTP counts from, to 1970 (RFC 5905, figure 4).
const NTP_TO_UNIX_NS: i64 = 2_208_988_800 * SECOND_NS;
/// How far the camera's clock is ahead of the machine's.
const AHEAD_NS: i64 = 7 * SECOND_NS;

/// Pushes a frame that says when it was captured.
fn push(feed: &Feed, frame: &Frame, reference: &str, captured_ns: i64) {
    let caps = gst::Caps::new_empty_simple(reference);
    let mut frame = frame.clone();
    let captured = gst::ClockTime::from_nseconds(captured_ns.unsigned_abs());
    let buffer = frame.buffer.make_mut();
    gst::ReferenceTimestampMeta::add(buffer, &caps, captured, None);
    feed.push(&frame);
}

fn rig(container: Container, time_source: TimeSource, clip: &Clip) -> (Rig, Feed) {
    let mut rig = Rig::new(container);
    rig.sink.set_property("time-source", time_source);
    let video = rig.feed_of_camera("video");
    rig.play();
    video.caps(&clip.caps);
    (rig, video)
}

fn finish(rig: &Rig, video: &Feed) -> Vec<Segment> {
    rig.finish(&[video]);
    let segments = readback::segments(rig.root());
    readback::assert_each_decodes(&segments);
    segments
}

fn source(rig: &Rig) -> String {
    let stats: gst::Structure = rig.sink.property("stats");
    stats.get("time-source").expect("stats says")
}

fn times(rig: &Rig, frames: &[Frame], ahead_ns: i64) -> Vec<UtcNs> {
    let frames = frames.iter();
    frames
        .map(|frame| rig.utc(frame.pts_ns) + ahead_ns)
        .collect()
}

#[test]
fn frames_that_say_when_they_were_captured_are_recorded_at_that_time() {
    let clip = Clip::h264(4);
    in_both_containers(|container| {
        for (reference, epoch_ns) in [("timestamp/x-unix", 0), ("timestamp/x-ntp", NTP_TO_UNIX_NS)]
        {
            let (rig, video) = rig(container, TimeSource::Auto, &clip);
            for frame in &clip.frames {
                let captured = rig.utc(frame.pts_ns) + AHEAD_NS;
                push(&video, frame, reference, captured.0 + epoch_ns);
            }
            assert_eq!(source(&rig), "reference");
            let segments = finish(&rig, &video);
            let found = readback::video(&segments);
            readback::assert_same_times(reference, &found, &times(&rig, &clip.frames, AHEAD_NS));
            if container == Container::Mp4 {
                for segment in &segments {
                    let file = std::fs::File::open(&segment.path).expect("there");
                    let mark = Index::read(file).expect("readable").mark;
                    let mark = mark.expect("ours have one");
                    assert_eq!(mark.time_source, Marked::Reference);
                }
            }
        }
    });
}

/// The jitter buffer's guess wanders; what the camera says does not.
#[test]
fn stamps_that_wander_do_not_move_frames_whose_time_is_known() {
    let clip = Clip::h264(4);
    in_both_containers(|container| {
        let (rig, video) = rig(container, TimeSource::Auto, &clip);
        for (n, frame) in clip.frames.iter().enumerate() {
            let wander_ns = i64::try_from(n % 5).expect("small") * 4_000_000;
            let captured = rig.utc(frame.pts_ns) + AHEAD_NS;
            push(
                &video,
                &frame.later(wander_ns),
                "timestamp/x-unix",
                captured.0,
            );
        }
        let segments = finish(&rig, &video);
        let found = readback::video(&segments);
        readback::assert_same_times("video", &found, &times(&rig, &clip.frames, AHEAD_NS));
    });
}

/// RTCP sender reports come a second or three after the first frame.
#[test]
fn a_camera_that_tells_its_time_late_times_what_was_recorded_before_it_did() {
    let clip = Clip::h264(6);
    in_both_containers(|container| {
        let (rig, video) = rig(container, TimeSource::Auto, &clip);
        for frame in &clip.frames {
            let captured = rig.utc(frame.pts_ns) + AHEAD_NS;
            match frame.pts_ns {
                ..2_300_000_000 => video.push(frame),
                _ => push(&video, frame, "timestamp/x-unix", captured.0),
            }
        }
        let segments = finish(&rig, &video);
        let found = readback::video(&segments);
        readback::assert_same_times("video", &found, &times(&rig, &clip.frames, AHEAD_NS));
        let from = rig.utc(0) + AHEAD_NS;
        let coverage = readback::coverage(rig.root(), from, from + 6 * SECOND_NS - 1_000_000);
        assert_eq!(coverage.holes, []);
        let told: Vec<_> = rig.closed().into_iter().map(|closed| closed.path).collect();
        let there: Vec<_> = segments.into_iter().map(|segment| segment.path).collect();
        assert_eq!(told, there, "what was told is where it is");
    });
}

#[test]
fn who_asks_for_the_machines_clock_gets_it() {
    let clip = Clip::h264(2);
    in_both_containers(|container| {
        let (rig, video) = rig(container, TimeSource::Clock, &clip);
        for frame in &clip.frames {
            let captured = rig.utc(frame.pts_ns) + AHEAD_NS;
            push(&video, frame, "timestamp/x-unix", captured.0);
        }
        assert_eq!(source(&rig), "clock");
        let segments = finish(&rig, &video);
        let found = readback::video(&segments);
        readback::assert_same_times("video", &found, &times(&rig, &clip.frames, 0));
    });
}

#[test]
fn a_camera_whose_clock_is_set_makes_a_new_segment_marked_discontinuous() {
    let clip = Clip::h264(6);
    in_both_containers(|container| {
        let (rig, video) = rig(container, TimeSource::Auto, &clip);
        for frame in &clip.frames {
            let step_ns = if frame.pts_ns < 2_300_000_000 {
                0
            } else {
                3600 * SECOND_NS
            };
            let captured = rig.utc(frame.pts_ns) + AHEAD_NS + step_ns;
            push(&video, frame, "timestamp/x-unix", captured.0);
        }
        let segments = finish(&rig, &video);
        assert_eq!(readback::video(&segments).len(), 150);
        let closed = rig.closed();
        let broken: Vec<_> = closed
            .iter()
            .filter(|closed| closed.discontinuity)
            .collect();
        let [_, second] = broken[..] else {
            panic!("{broken:?}");
        };
        // The frames up to the next keyframe keep the old offset.
        let wanted = rig.utc(3 * SECOND_NS) + AHEAD_NS + 3600 * SECOND_NS;
        assert!(
            (second.start - wanted).abs() < 1_000_000,
            "{}",
            second.start
        );
    });
}
