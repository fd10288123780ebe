// SPDX-License-Identifier: MPL-2.0
//! Pictures and sound come on threads of their own, in step only by chance: whichever runs ahead,
//! every frame is recorded once, in the segment it belongs to.

use gstsegmenter::archivesink::Container;
use gstsegmenter::utc::{SECOND_NS, UtcNs};

use crate::support::clip::{Clip, Frame};
use crate::support::feed::Feed;
use crate::support::in_both_containers;
use crate::support::readback::{self, Segment};
use crate::support::rig::Rig;

/// How far sound may lie outside of its segment: a transport stream is in the order of decoding
/// times, so what is heard between a keyframe's decoding and its being shown comes after it.
const OVERLAP_NS: i64 = 150_000_000;

struct Recording {
    rig: Rig,
    video: Feed,
    audio: Feed,
}

impl Recording {
    fn new(container: Container, pictures: &Clip, sound: &Clip) -> Self {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        video.caps(&pictures.caps);
        audio.caps(&sound.caps);
        Self { rig, video, audio }
    }

    /// Every frame is there once, in its segment, and each segment decodes.
    #[track_caller]
    fn assert_complete(&self, pictures: &Clip, sound: &Clip) {
        self.rig.finish(&[&self.video, &self.audio]);
        let segments = readback::segments(self.rig.root());
        readback::assert_each_decodes(&segments);
        for segment in &segments {
            assert_in_its_place(segment);
        }
        let times = |frames: &[Frame]| -> Vec<UtcNs> {
            frames
                .iter()
                .map(|frame| self.rig.utc(frame.pts_ns))
                .collect()
        };
        let video = readback::video(&segments);
        readback::assert_same_times("video", &video, &times(&pictures.frames));
        let audio = readback::audio(&segments, 0);
        readback::assert_same_times("audio", &audio, &times(&sound.frames));
    }
}

/// What a segment holds is what its name says.
#[track_caller]
fn assert_in_its_place(segment: &Segment) {
    let (from, to) = (
        segment.name.start - 1_000_000,
        segment.name.end() + 1_000_000,
    );
    let picture = |utc: &&UtcNs| **utc < from || **utc >= to;
    let sound = |utc: &&UtcNs| **utc < from - OVERLAP_NS || **utc > to + OVERLAP_NS;
    let stray = segment.video.iter().find(picture);
    let stray = stray.or(segment.audio.iter().flatten().find(sound));
    assert_eq!(stray, None, "in {}", segment.path.display());
}

/// Pushes frames in the order of their times, the sound's as if it were that much later.
fn push_with_lag(recording: &Recording, pictures: &Clip, sound: &Clip, sound_lag_ns: i64) {
    let of = |feed, clip: &Clip, lag_ns| -> Vec<(i64, &Feed, Frame)> {
        let mut at_ns = i64::MIN;
        let due = |frame: &Frame| {
            at_ns = at_ns.max(frame.dts_ns.unwrap_or(frame.pts_ns) + lag_ns);
            (at_ns, feed, frame.clone())
        };
        clip.frames.iter().map(due).collect()
    };
    let mut all = of(&recording.video, pictures, 0);
    all.extend(of(&recording.audio, sound, sound_lag_ns));
    all.sort_by_key(|(at_ns, ..)| *at_ns);
    for (at_ns, feed, frame) in all {
        feed.push_at(at_ns.max(0), &frame);
    }
}

#[test]
fn sound_may_run_ahead_of_the_pictures_or_behind_them() {
    let (pictures, sound) = (Clip::h264_pyramid(5), Clip::aac(5));
    in_both_containers(|container| {
        for lag_ms in [-1_700, -600, -100, 100, 600, 1_700] {
            let recording = Recording::new(container, &pictures, &sound);
            push_with_lag(&recording, &pictures, &sound, lag_ms * 1_000_000);
            recording.assert_complete(&pictures, &sound);
        }
    });
}

#[test]
fn all_of_one_track_may_come_before_the_first_frame_of_the_other() {
    let (pictures, sound) = (Clip::h264_pyramid(5), Clip::aac(5));
    in_both_containers(|container| {
        for lag_ns in [-10 * SECOND_NS, 10 * SECOND_NS] {
            let recording = Recording::new(container, &pictures, &sound);
            push_with_lag(&recording, &pictures, &sound, lag_ns);
            recording.assert_complete(&pictures, &sound);
        }
    });
}

#[test]
fn frames_may_come_in_bursts() {
    let (pictures, sound) = (Clip::h264_pyramid(5), Clip::aac(5));
    in_both_containers(|container| {
        for seed in 0..5 {
            let recording = Recording::new(container, &pictures, &sound);
            let mut random = fastrand::Rng::with_seed(seed);
            let mut left = [
                (&recording.video, &pictures.frames[..]),
                (&recording.audio, &sound.frames[..]),
            ];
            while left.iter().any(|(_, frames)| !frames.is_empty()) {
                let (feed, frames) = &mut left[random.usize(..2)];
                let (burst, rest) = frames.split_at(random.usize(1..40).min(frames.len()));
                burst.iter().for_each(|frame| feed.push(frame));
                *frames = rest;
            }
            recording.assert_complete(&pictures, &sound);
        }
    });
}

#[test]
fn two_threads_may_push_as_fast_as_they_can() {
    let (pictures, sound) = (Clip::h264_pyramid(5), Clip::aac(5));
    in_both_containers(|container| {
        for _ in 0..5 {
            let recording = Recording::new(container, &pictures, &sound);
            let push = |feed: &Feed, clip: &Clip| {
                for frame in &clip.frames {
                    feed.push_at(0, frame);
                }
            };
            std::thread::scope(|scope| {
                scope.spawn(|| push(&recording.video, &pictures));
                scope.spawn(|| push(&recording.audio, &sound));
            });
            recording.assert_complete(&pictures, &sound);
        }
    });
}
