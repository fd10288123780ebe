// SPDX-License-Identifier: MPL-2.0
//! What the element asks for and tells of itself: keyframes, segments, numbers.

use std::fs;

use gst::prelude::*;
use gstsegmenter::archivesink::Fsync;
use gstsegmenter::utc::SECOND_NS;

use crate::support::clip::Clip;
use crate::support::feed::{Asked, play};
use crate::support::in_both_containers;
use crate::support::readback;
use crate::support::rig::Rig;

#[test]
fn a_keyframe_is_asked_for_where_each_segment_is_to_end() {
    let clip = Clip::h264(4);
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let video = rig.feed("video");
        rig.play();
        video.caps(&clip.caps);
        play(&[(&video, clip.frames.clone())]);
        let asked = video.asked();
        for second in 1..=4 {
            let at = Asked(Some(gst::ClockTime::from_seconds(second)));
            let near = |one: &&Asked| {
                let (Some(one), Some(at)) = (one.0, at.0) else {
                    return false;
                };
                // Half a frame early, as the next frame is as near as can be.
                one.nseconds().abs_diff(at.nseconds()) <= 20_000_000
            };
            assert_eq!(asked.iter().filter(near).count(), 1, "{second}: {asked:?}");
        }
    });
}

#[test]
fn each_segment_is_told_of_once_with_what_its_name_says() {
    let clip = Clip::h264(4);
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let video = rig.feed("video");
        rig.play();
        video.caps(&clip.caps);
        play(&[(&video, clip.frames.clone())]);
        rig.finish(&[&video]);
        let segments = readback::segments(rig.root());
        let closed = rig.closed();
        assert_eq!(closed.len(), segments.len());
        for (told, there) in closed.iter().zip(&segments) {
            assert_eq!(told.path, there.path);
            assert_eq!(told.start, there.name.start);
            assert_eq!(told.duration_ns, there.name.duration_ns);
            assert_eq!(told.kind, there.name.kind.to_string());
        }
    });
}

#[test]
fn stats_count_segments_bytes_and_frames_that_were_dropped() {
    let clip = Clip::h264(4);
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let video = rig.feed("video");
        rig.play();
        video.caps(&clip.caps);
        // Ten frames before the first keyframe.
        play(&[(&video, clip.between(600_000_000, 3_990_000_000))]);
        video.end();
        rig.wait_until("three segments", |rig| rig.closed().len() == 3);
        let bytes = rig.closed().into_iter().map(|closed| {
            let metadata = fs::metadata(closed.path).expect("it is there");
            metadata.len()
        });
        assert_eq!(rig.counted("segments"), 3);
        assert_eq!(rig.counted("bytes"), bytes.sum::<u64>());
        assert_eq!(rig.counted("dropped"), 10);
        assert_eq!(rig.counted("late"), 0);
        assert_eq!(rig.counted("awaiting-keyframe"), 10);
        let recorded = clip.between(1_000_000_000, 3_990_000_000);
        assert_eq!(rig.counted("recorded-frames"), recorded.len() as u64);
        let bytes: usize = recorded.iter().map(|frame| frame.buffer.size()).sum();
        assert_eq!(rig.counted("recorded-bytes"), bytes as u64);
    });
}

#[test]
fn however_hard_it_is_pressed_onto_the_disk_it_is_the_same_recording() {
    let clip = Clip::h264(2);
    in_both_containers(|container| {
        for fsync in [Fsync::Never, Fsync::Segment, Fsync::Chunk] {
            let mut rig = Rig::new(container);
            rig.sink.set_property("fsync", fsync);
            let video = rig.feed("video");
            rig.play();
            video.caps(&clip.caps);
            play(&[(&video, clip.frames.clone())]);
            rig.finish(&[&video]);
            let segments = readback::segments(rig.root());
            readback::assert_each_decodes(&segments);
            assert_eq!(readback::video(&segments).len(), 50);
        }
    });
}

#[test]
fn a_gap_event_says_that_nothing_is_missing() {
    let (clip, aac) = (Clip::h264(4), Clip::aac(1));
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        play(&[
            (&video, clip.between(0, SECOND_NS)),
            (&audio, aac.frames.clone()),
        ]);
        for second in 1..4 {
            let start = gst::ClockTime::from_seconds(second);
            let gap = gst::event::Gap::builder(start).duration(gst::ClockTime::SECOND);
            assert!(audio.event(gap.build()));
            let from_ns = i64::try_from(start.nseconds()).expect("small");
            play(&[(&video, clip.between(from_ns, from_ns + SECOND_NS))]);
        }
        rig.finish(&[&video, &audio]);
        let segments = readback::segments(rig.root());
        assert_eq!(segments.len(), 4);
        assert_eq!(readback::video(&segments).len(), 100);
        assert_eq!(readback::audio(&segments, 0).len(), aac.frames.len());
    });
}
