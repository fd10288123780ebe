// SPDX-License-Identifier: MPL-2.0
//! Cameras whose clocks, stamps, or both are no clocks: every frame is recorded, at a time near its
//! arrival, whatever the camera says; and what it says is said once.

use gstsegmenter::archivesink::Container;
use gstsegmenter::utc::{HOUR_NS, SECOND_NS, UtcNs};

use gst::prelude::*;

use crate::support::clip::{Clip, Frame};
use crate::support::feed::{Feed, play};
use crate::support::in_both_containers;
use crate::support::readback::{self, Segment};
use crate::support::rig::Rig;

/// From 1900, where NTP counts from, to 1970 (RFC 5905, figure 4).
const NTP_TO_UNIX_NS: i64 = 2_208_988_800 * SECOND_NS;
/// No time may be farther from the arrival.
const BOUND_NS: i64 = SECOND_NS / 2;

/// A camera that says when it captured a frame.
struct Camera {
    name: &'static str,
    /// Nanoseconds since 1900 by the camera's clock, where they were `.0` by a right one, so many
    /// nanoseconds after the start.
    says_ns: fn(i64, i64) -> i64,
    said: &'static str,
}

const WRONG: &[Camera] = &[
    Camera {
        name: "reports without a wall clock",
        says_ns: |_, ns| ns % (2 * SECOND_NS),
        said: "says 1900-01-01T00:00:00Z, which cannot be",
    },
    Camera {
        name: "1970",
        says_ns: |_, ns| NTP_TO_UNIX_NS + ns,
        said: "says 1970-01-01T00:00:00Z, which cannot be",
    },
    Camera {
        name: "2100",
        says_ns: |_, ns| NTP_TO_UNIX_NS + 4_102_444_800 * SECOND_NS + ns,
        said: "says 2100-01-01T00:00:00Z, ",
    },
    Camera {
        name: "the same in every frame",
        says_ns: |right, ns| right - ns,
        said: "stands still",
    },
    Camera {
        name: "the same in every report",
        says_ns: |right, ns| right - ns + ns % (2 * SECOND_NS),
        said: "stands still",
    },
    Camera {
        name: "stops after seven seconds",
        says_ns: |right, ns| right - (ns - 7 * SECOND_NS).max(0),
        said: "stands still",
    },
    Camera {
        name: "backward",
        says_ns: |right, ns| right - 2 * ns,
        said: "runs backward",
    },
    Camera {
        name: "19 % fast",
        says_ns: |right, ns| right + ns / 100 * 19,
        said: "runs at 119 % of the right speed",
    },
];

fn live_rig(container: Container, clip: &Clip) -> (Rig, Feed) {
    let mut rig = Rig::new(container);
    rig.sink.set_property("target-duration", 3_000_000_000_u64);
    let video = rig.feed_of_camera("video").live();
    rig.play();
    video.caps(&clip.caps);
    (rig, video)
}

fn push(rig: &Rig, feed: &Feed, frame: &Frame, camera: &Camera) {
    let right_ns = rig.utc(frame.pts_ns).0 + NTP_TO_UNIX_NS;
    let says_ns = (camera.says_ns)(right_ns, frame.pts_ns);
    let ntp = gst::Caps::new_empty_simple("timestamp/x-ntp");
    let says = gst::ClockTime::from_nseconds(says_ns.unsigned_abs());
    let mut frame = frame.clone();
    gst::ReferenceTimestampMeta::add(frame.buffer.make_mut(), &ntp, says, None);
    feed.push(&frame);
}

fn stat(rig: &Rig, field: &str) -> String {
    let stats: gst::Structure = rig.sink.property("stats");
    stats.get(field).expect("stats says")
}

/// All frames are there, and each lies near its arrival.
#[track_caller]
fn assert_near(name: &str, found: &[UtcNs], arrived: &[UtcNs]) {
    assert_eq!(found.len(), arrived.len(), "{name}: frames");
    let off = found.iter().zip(arrived).map(|(found, at)| *found - *at);
    let worst_ns = off.max_by_key(|ns| ns.abs()).expect("some");
    assert!(worst_ns.abs() < BOUND_NS, "{name}: {worst_ns} ns off");
}

fn arrivals(rig: &Rig, frames: &[Frame]) -> Vec<UtcNs> {
    frames.iter().map(|frame| rig.utc(frame.pts_ns)).collect()
}

fn starts(segments: &[Segment]) -> Vec<UtcNs> {
    let mut starts: Vec<_> = segments.iter().map(|segment| segment.name.start).collect();
    starts.dedup_by(|one, other| (*one - *other).abs() < SECOND_NS / 10);
    starts
}

#[test]
fn a_clock_that_is_none_is_found_out_said_once_and_costs_no_frame() {
    let clip = Clip::h264(12);
    in_both_containers(|container| {
        for camera in WRONG {
            let (rig, video) = live_rig(container, &clip);
            for frame in &clip.frames {
                push(&rig, &video, frame, camera);
            }
            let name = camera.name;
            assert_eq!(stat(&rig, "time-source"), "clock", "{name}");
            let reason = stat(&rig, "time-source-reason");
            assert!(reason.contains(camera.said), "{name}: {reason}");
            rig.finish_with_complaints(&[&video]);
            let said = rig.warnings();
            assert!(
                matches!(&said[..], [one] if one.contains(camera.said)),
                "{name}: {said:?}"
            );
            assert_eq!(rig.counted("dropped"), 0, "{name}");
            let segments = readback::segments(rig.root());
            let found = readback::video(&segments);
            assert_near(name, &found, &arrivals(&rig, &clip.frames));
            assert!(segments.len() <= 6, "{name}: {} segments", segments.len());
            assert_eq!(starts(&segments).len(), segments.len(), "{name}");
        }
    });
}

#[test]
fn a_sane_clock_times_every_frame_from_the_first_one_on_however_far_ahead_it_is() {
    let clip = Clip::h264(8);
    let camera = Camera {
        name: "an hour ahead",
        // The stamps wander by up to 16 ms; what the camera says does not.
        says_ns: |right, ns| right + HOUR_NS - wander_ns(ns),
        said: "",
    };
    in_both_containers(|container| {
        let (rig, video) = live_rig(container, &clip);
        for frame in &clip.frames {
            push(&rig, &video, &frame.later(wander_ns(frame.pts_ns)), &camera);
        }
        assert_eq!(stat(&rig, "time-source"), "reference");
        rig.finish(&[&video]);
        let segments = readback::segments(rig.root());
        readback::assert_each_decodes(&segments);
        let right = arrivals(&rig, &clip.frames);
        let times: Vec<_> = right.into_iter().map(|utc| utc + HOUR_NS).collect();
        readback::assert_same_times("video", &readback::video(&segments), &times);
        let to = times[0] + 8 * SECOND_NS - 1_000_000;
        let coverage = readback::coverage(rig.root(), times[0], to);
        assert_eq!(coverage.holes, []);
    });
}

/// By how much the stamp of a frame of this time, or the stamp that has wandered, is late.
fn wander_ns(ns: i64) -> i64 {
    (ns + 2_000_000) / 40_000_000 % 5 * 4_000_000
}

/// The stamp of a frame by when it is captured.
type Stamp = fn(i64) -> i64;

/// Stamps without any reference time, and how many segments they make that do not follow on.
const STAMPS: &[(&str, Stamp, usize)] = &[
    ("19 % slow", |ns| ns / 100 * 81, 1),
    ("19 % fast", |ns| ns / 100 * 119, 1),
    (
        "a frame of another hour now and then",
        |ns| {
            let far_ns = match ns / 40_000_000 % 50 {
                20 => -9_800 * SECOND_NS,
                40 => 37_600 * SECOND_NS,
                _ => 0,
            };
            ns + 10_000 * SECOND_NS + far_ns
        },
        1,
    ),
    (
        "begin anew hours later, right after the start",
        |ns| {
            if ns < 800_000_000 {
                ns
            } else {
                ns + 9_800 * SECOND_NS
            }
        },
        2,
    ),
    (
        "begin anew six hours later",
        |ns| {
            if ns < 3_400_000_000 {
                ns
            } else {
                ns + 6 * HOUR_NS
            }
        },
        2,
    ),
    (
        "begin anew at zero",
        |ns| {
            if ns < 3_400_000_000 {
                ns
            } else {
                ns - 3_400_000_000
            }
        },
        2,
    ),
];

#[test]
fn without_a_clock_every_frame_lies_near_its_arrival_however_its_stamps_run() {
    let clip = Clip::h264(12);
    in_both_containers(|container| {
        for (name, stamp_ns, discontinuous) in STAMPS {
            let (rig, video) = live_rig(container, &clip);
            for frame in &clip.frames {
                let stamped = Frame {
                    pts_ns: stamp_ns(frame.pts_ns),
                    dts_ns: None,
                    ..frame.clone()
                };
                video.push_at(frame.pts_ns, &stamped);
            }
            rig.finish(&[&video]);
            let segments = readback::segments(rig.root());
            readback::assert_each_decodes(&segments);
            let found = readback::video(&segments);
            assert_near(name, &found, &arrivals(&rig, &clip.frames));
            let closed = rig.closed();
            let broken = closed.iter().filter(|closed| closed.discontinuity);
            assert_eq!(broken.count(), *discontinuous, "{name}");
        }
    });
}

/// `rtspsrc` takes each stream's first packet for the same moment.
#[test]
fn sound_that_begins_two_seconds_late_lies_where_it_was_heard() {
    let (clip, aac) = (Clip::h264(6), Clip::aac(4));
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video").live(), rig.feed("audio_0").live());
        rig.play();
        video.caps(&clip.caps);
        play(&[(&video, clip.between(0, 2 * SECOND_NS))]);
        audio.caps(&aac.caps);
        let mut sounds = aac.frames.iter().peekable();
        for picture in clip.between(2 * SECOND_NS, i64::MAX) {
            while let Some(sound) = sounds.next_if(|s| s.pts_ns + 2 * SECOND_NS <= picture.pts_ns) {
                audio.push_at(sound.pts_ns + 2 * SECOND_NS, sound);
            }
            video.push(&picture);
        }
        sounds.for_each(|sound| audio.push_at(sound.pts_ns + 2 * SECOND_NS, sound));
        rig.finish(&[&video, &audio]);
        let segments = readback::segments(rig.root());
        let heard = readback::audio(&segments, 0);
        let late: Vec<_> = aac
            .frames
            .iter()
            .map(|sound| sound.later(2 * SECOND_NS))
            .collect();
        assert_near("sound", &heard, &arrivals(&rig, &late));
        let shown = readback::video(&segments);
        readback::assert_same_times("video", &shown, &arrivals(&rig, &clip.frames));
    });
}

/// Whatever the machine's clock says, a segment can hold it.
#[test]
fn a_machine_whose_clock_is_no_clock_either_still_records_every_frame() {
    let clip = Clip::h264(4);
    in_both_containers(|container| {
        for off_ns in [-60 * 365 * 24 * HOUR_NS, 150 * 365 * 24 * HOUR_NS] {
            let mut rig = Rig::new(container);
            rig.time.set_wall_clock(off_ns);
            let video = rig.feed("video");
            rig.play();
            video.caps(&clip.caps);
            play(&[(&video, clip.frames.clone())]);
            rig.finish(&[&video]);
            assert_eq!(rig.counted("dropped"), 0);
            let segments = readback::segments(rig.root());
            assert_eq!(readback::video(&segments).len(), clip.frames.len());
        }
    });
}
