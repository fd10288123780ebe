// SPDX-License-Identifier: MPL-2.0
//! The machine's clock is set while recording: nothing is overwritten, nothing is lost, and the
//! step can be seen in the file, in the message and in coverage.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use gstsegmenter::archive::Span;
use gstsegmenter::archivesink::Container;
use gstsegmenter::media::{Index, SegmentMark};
use gstsegmenter::utc::{HOUR_NS, SECOND_NS, UtcNs};

use crate::support::clip::{Clip, Frame};
use crate::support::feed::{Asked, Feed, play};
use crate::support::in_both_containers;
use crate::support::readback::{self, Segment};
use crate::support::rig::{Closed, Rig};

/// Between a second's border and the next keyframe.
const STEP_AT_NS: i64 = 3_420_000_000;
/// The first keyframe after the step.
const BORDER_NS: i64 = 4 * SECOND_NS;

struct Recording {
    rig: Rig,
    video: Feed,
    audio: Feed,
    clip: Clip,
    aac: Clip,
}

impl Recording {
    fn new(container: Container, seconds: u32) -> Self {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        let (clip, aac) = (Clip::h264(seconds), Clip::aac(seconds));
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        Self {
            rig,
            video,
            audio,
            clip,
            aac,
        }
    }

    fn play(&self, from_ns: i64, to_ns: i64) {
        play(&[
            (&self.video, self.clip.between(from_ns, to_ns)),
            (&self.audio, self.aac.between(from_ns, to_ns)),
        ]);
    }

    fn finish(&self) -> Vec<Segment> {
        self.rig.finish(&[&self.video, &self.audio]);
        let segments = readback::segments(self.rig.root());
        readback::assert_each_decodes(&segments);
        segments
    }

    /// The one segment that says that it does not follow on the one before, the first excepted.
    #[track_caller]
    fn discontinuous(&self) -> Closed {
        let closed = self.rig.closed();
        assert!(closed[0].discontinuity, "nothing comes before the first");
        let mut broken = closed.iter().skip(1).filter(|closed| closed.discontinuity);
        let only = broken.next().expect("one is marked").clone();
        assert_eq!(broken.count(), 0, "only one is");
        only
    }

    /// Every frame is there once, at its time before the step or after it.
    #[track_caller]
    fn assert_complete(&self, segments: &[Segment], step_ns: i64) {
        let times = |frames: &[Frame]| -> Vec<UtcNs> {
            let stepped = |pts_ns| if pts_ns < BORDER_NS { 0 } else { step_ns };
            let frames = frames.iter();
            frames
                .map(|frame| self.rig.utc(frame.pts_ns) + stepped(frame.pts_ns))
                .collect()
        };
        let (video, audio) = (readback::video(segments), readback::audio(segments, 0));
        readback::assert_same_times("video", &video, &times(&self.clip.frames));
        readback::assert_same_times("audio", &audio, &times(&self.aac.frames));
    }
}

/// The mark in the file, which MP4 has.
fn mark(closed: &Closed) -> Option<SegmentMark> {
    let file = fs::File::open(&closed.path).expect("it was closed");
    Index::read(file).expect("readable").mark
}

/// Every file of the archive and what is in it.
fn files(rig: &Rig) -> BTreeMap<PathBuf, Vec<u8>> {
    let segments = readback::segments(rig.root()).into_iter();
    segments
        .map(|segment| (segment.path.clone(), fs::read(segment.path).expect("there")))
        .collect()
}

fn near(one: UtcNs, other: UtcNs) -> bool {
    (one - other).abs() <= 1_000_000
}

#[test]
fn a_clock_set_forward_by_an_hour_leaves_a_hole_of_an_hour_and_loses_nothing() {
    in_both_containers(|container| {
        let recording = Recording::new(container, 8);
        let rig = &recording.rig;
        recording.play(0, STEP_AT_NS);
        rig.time.set_wall_clock(HOUR_NS);
        recording.play(STEP_AT_NS, i64::MAX);
        let segments = recording.finish();
        recording.assert_complete(&segments, HOUR_NS);

        let border = rig.utc(BORDER_NS);
        let closed = recording.discontinuous();
        assert!(near(closed.start, border + HOUR_NS), "{}", closed.start);
        if container == Container::Mp4 {
            assert!(mark(&closed).expect("ours have one").discontinuity);
        }

        let end = rig.utc(8 * SECOND_NS) + HOUR_NS;
        let coverage = readback::coverage(rig.root(), rig.utc(0), end);
        let [hole] = coverage.holes[..] else {
            panic!("{:?}", coverage.holes);
        };
        assert!(
            near(hole.from, border) && near(hole.to, border + HOUR_NS),
            "{hole:?}"
        );
        assert_eq!(coverage.discontinuities, [hole.to]);
        assert_eq!(coverage.overlaps, []);
    });
}

#[test]
fn a_clock_set_back_by_an_hour_goes_on_an_hour_earlier_and_overwrites_nothing() {
    in_both_containers(|container| {
        let recording = Recording::new(container, 8);
        let rig = &recording.rig;
        recording.play(0, STEP_AT_NS);
        let before = files(rig);
        rig.time.set_wall_clock(-HOUR_NS);
        recording.play(STEP_AT_NS, i64::MAX);
        let segments = recording.finish();
        recording.assert_complete(&segments, -HOUR_NS);

        let after = files(rig);
        let closed = rig.closed().len();
        assert_eq!(after.len(), closed, "each segment has a file of its own");
        let kept = before.iter().filter(|(_, bytes)| !bytes.is_empty());
        for (path, bytes) in kept.filter(|(path, _)| !is_temp(path)) {
            assert_eq!(after.get(path), Some(bytes), "{}", path.display());
        }

        let border = rig.utc(BORDER_NS);
        let closed = recording.discontinuous();
        assert!(near(closed.start, border - HOUR_NS), "{}", closed.start);

        let coverage =
            readback::coverage(rig.root(), border - HOUR_NS + SECOND_NS, rig.utc(BORDER_NS));
        let [hole] = coverage.holes[..] else {
            panic!("{:?}", coverage.holes);
        };
        let end = rig.utc(8 * SECOND_NS) - HOUR_NS;
        assert!((hole.from - end).abs() < 50_000_000, "{hole:?} and {end}");
        assert!(near(hole.to, rig.utc(0)), "{hole:?}");
    });
}

fn is_temp(path: &std::path::Path) -> bool {
    path.to_string_lossy().contains("-temp-")
}

#[test]
fn a_moment_that_comes_twice_is_recorded_twice() {
    in_both_containers(|container| {
        let recording = Recording::new(container, 8);
        let rig = &recording.rig;
        recording.play(0, STEP_AT_NS);
        // The segment that starts at 4 s gets the very start of the one at 1 s.
        rig.time.set_wall_clock(-3 * SECOND_NS);
        recording.play(STEP_AT_NS, i64::MAX);
        let segments = recording.finish();
        recording.assert_complete(&segments, -3 * SECOND_NS);
        assert_eq!(segments.len(), rig.closed().len());
        let starts = segments
            .iter()
            .filter(|s| near(s.name.start, rig.utc(SECOND_NS)));
        assert_eq!(starts.count(), 2);

        let coverage = readback::coverage(rig.root(), rig.utc(0), rig.utc(5 * SECOND_NS));
        assert_eq!(coverage.holes, []);
        let [twice] = coverage.overlaps[..] else {
            panic!("{:?}", coverage.overlaps);
        };
        let wanted = Span {
            from: rig.utc(SECOND_NS),
            to: rig.utc(4 * SECOND_NS),
        };
        assert!(
            near(twice.from, wanted.from) && near(twice.to, wanted.to),
            "{twice:?}"
        );
    });
}

#[test]
fn a_step_asks_for_a_keyframe_at_once() {
    in_both_containers(|container| {
        let recording = Recording::new(container, 4);
        recording.play(0, STEP_AT_NS);
        let at_once = |asked: &&Asked| **asked == Asked(None);
        let asked = || recording.video.asked().iter().filter(at_once).count();
        assert_eq!(asked(), 0);
        recording.rig.time.set_wall_clock(HOUR_NS);
        recording.play(STEP_AT_NS, STEP_AT_NS + 50_000_000);
        assert_eq!(asked(), 1);
    });
}

#[test]
fn a_clock_that_is_half_a_second_off_is_followed_gently_without_a_break() {
    in_both_containers(|container| {
        let recording = Recording::new(container, 8);
        let rig = &recording.rig;
        recording.play(0, STEP_AT_NS);
        rig.time.set_wall_clock(SECOND_NS / 2);
        recording.play(STEP_AT_NS, i64::MAX);
        let segments = recording.finish();
        let closed = rig.closed();
        assert!(closed.iter().skip(1).all(|closed| !closed.discontinuity));

        let pictures = readback::video(&segments);
        assert_eq!(pictures.len(), 200);
        for pair in pictures.windows(2) {
            // 500 ppm of a frame are 20 us; a tick of 90 kHz is 11.
            assert!(
                ((pair[1] - pair[0]) - 40_000_000).abs() < 50_000,
                "{pair:?}"
            );
        }
        let coverage = readback::coverage(rig.root(), rig.utc(0), rig.utc(8 * SECOND_NS));
        assert_eq!(coverage.holes, []);
        assert_eq!(coverage.discontinuities, []);
    });
}
