// SPDX-License-Identifier: MPL-2.0
//! Which tracks there are, and what they are, may change while recording: each segment has the
//! configuration its frames need, and no frame is lost over the change.

use gstsegmenter::archivesink::{ArchiveSink, Container};
use gstsegmenter::utc::{SECOND_NS, UtcNs};

use gst::prelude::*;

use crate::support::clip::{Clip, Frame};
use crate::support::feed::play;
use crate::support::in_both_containers;
use crate::support::readback::{self, STREAM, Segment};
use crate::support::rig::Rig;

fn times(rig: &Rig, frames: &[Frame]) -> Vec<UtcNs> {
    frames.iter().map(|frame| rig.utc(frame.pts_ns)).collect()
}

fn later(clip: &Clip, ns: i64) -> Vec<Frame> {
    clip.frames.iter().map(|frame| frame.later(ns)).collect()
}

fn decoded(rig: &Rig) -> Vec<Segment> {
    let segments = readback::segments(rig.root());
    readback::assert_each_decodes(&segments);
    segments
}

/// Width of the pictures and sample rate of the sound, where there are any.
fn shape(segment: &Segment) -> (Option<u64>, Option<u64>) {
    let found = readback::probe(
        &segment.path,
        &["-show_entries", "stream=width,sample_rate"],
    );
    let streams = found["streams"].as_array().expect("streams");
    let width = streams.iter().find_map(|stream| stream["width"].as_u64());
    let rate = streams
        .iter()
        .find_map(|stream| stream["sample_rate"].as_str());
    (width, rate.and_then(|rate| rate.parse().ok()))
}

/// While frames wait for tracks that may still come: they are of the configuration so far.
#[test]
fn another_resolution_right_after_the_start_is_a_segment_of_its_own_as_well() {
    let (small, large) = (Clip::h264_sized(3, 160, 96), Clip::h264_sized(3, 320, 192));
    in_both_containers(|container| {
        let mut rig = Rig::in_real_time(container);
        rig.play();
        let video = rig.feed("video").live().one_of_several();
        video.caps(&small.caps);
        let change_ns = 400_000_000;
        let first = small.between(0, change_ns);
        play(&[(&video, first.clone())]);
        video.caps(&large.caps);
        let second = later(&large, change_ns);
        play(&[(&video, second.clone())]);
        rig.finish(&[&video]);

        let segments = decoded(&rig);
        let shapes: Vec<_> = segments
            .iter()
            .map(|segment| (shape(segment).0, segment.video.len()))
            .collect();
        assert_eq!(shapes[0], (Some(160), first.len()), "{shapes:?}");
        assert!(
            shapes[1..].iter().all(|shape| shape.0 == Some(320)),
            "{shapes:?}"
        );
        let count: usize = shapes[1..].iter().map(|shape| shape.1).sum();
        assert_eq!(count, second.len());
    });
}

/// A camera that is set to another size sends a keyframe of it at once, wherever it was.
#[test]
fn another_resolution_begins_a_new_segment_with_its_own_configuration() {
    let (small, large) = (Clip::h264_sized(3, 160, 96), Clip::h264_sized(3, 320, 192));
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let video = rig.feed("video");
        rig.play();
        video.caps(&small.caps);
        let change_ns = 2_400_000_000;
        let first = small.between(0, change_ns);
        play(&[(&video, first.clone())]);
        video.caps(&large.caps);
        let second = later(&large, change_ns);
        play(&[(&video, second.clone())]);
        rig.finish(&[&video]);

        let segments = decoded(&rig);
        let all = [first, second].concat();
        readback::assert_same_times("video", &readback::video(&segments), &times(&rig, &all));
        for segment in &segments {
            let width = if segment.name.start < rig.utc(change_ns) - 1_000 {
                160
            } else {
                320
            };
            assert_eq!(shape(segment).0, Some(width), "{}", segment.path.display());
        }
        let coverage = readback::coverage(rig.root(), rig.utc(0), rig.utc(5_400_000_000));
        assert_eq!(coverage.holes, []);
    });
}

#[test]
fn the_same_caps_again_change_nothing() {
    let clip = Clip::h264(3);
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let video = rig.feed("video");
        rig.play();
        for frame in &clip.frames {
            video.caps(&clip.caps);
            video.push(frame);
        }
        rig.finish(&[&video]);
        assert_eq!(decoded(&rig).len(), 3);
        assert_eq!(
            rig.closed()
                .iter()
                .filter(|closed| closed.discontinuity)
                .count(),
            1
        );
    });
}

#[test]
fn another_sample_rate_begins_a_new_segment_and_costs_no_picture() {
    let (clip, first, second) = (
        Clip::h264(6),
        Clip::aac_at(3, 48_000),
        Clip::aac_at(3, 32_000),
    );
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        video.caps(&clip.caps);
        audio.caps(&first.caps);
        let change_ns = 2_900_000_000;
        let before = first.between(0, change_ns);
        let after: Vec<_> = later(&second, change_ns);
        play(&[
            (&video, clip.between(0, change_ns)),
            (&audio, before.clone()),
        ]);
        audio.caps(&second.caps);
        play(&[
            (&video, clip.between(change_ns, i64::MAX)),
            (&audio, after.clone()),
        ]);
        rig.finish(&[&video, &audio]);

        let segments = decoded(&rig);
        let pictures = readback::video(&segments);
        readback::assert_same_times("video", &pictures, &times(&rig, &clip.frames));
        // The rest of the segment in which it changes has no place for it.
        let border = rig.utc(3 * SECOND_NS);
        let sure = |utc: &UtcNs| *utc < rig.utc(change_ns) - 1_000_000 || *utc >= border;
        let found = readback::audio(&segments, 0);
        let found: Vec<_> = found.into_iter().filter(sure).collect();
        let expected = times(&rig, &[before, after].concat());
        let expected: Vec<_> = expected.into_iter().filter(sure).collect();
        readback::assert_same_times("audio", &found, &expected);
        for segment in &segments {
            let rate = if segment.name.start < border - 1_000 {
                48_000
            } else {
                32_000
            };
            assert_eq!(shape(segment).1, Some(rate), "{}", segment.path.display());
        }
    });
}

#[test]
fn sound_alone_is_recorded_in_segments_of_the_target_duration() {
    let aac = Clip::aac(6);
    // Up to the middle of a segment: a file of one frame is too short for ffmpeg to be sure of it.
    let frames = aac.between(0, 5_500_000_000);
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let audio = rig.feed("audio_0");
        rig.play();
        audio.caps(&aac.caps);
        play(&[(&audio, frames.clone())]);
        rig.finish(&[&audio]);
        let segments = decoded(&rig);
        let heard = readback::audio(&segments, 0);
        readback::assert_same_times("audio", &heard, &times(&rig, &frames));
        let short = |segment: &&Segment| (segment.name.duration_ns - SECOND_NS).abs() < 30_000_000;
        assert!(
            segments.iter().filter(short).count() >= 5,
            "{}",
            segments.len()
        );
        let coverage = readback::coverage(rig.root(), rig.utc(0), rig.utc(5_500_000_000));
        assert_eq!(coverage.holes, []);
    });
}

#[test]
fn two_tracks_of_sound_are_two_tracks_in_every_segment() {
    let (clip, one, other) = (Clip::h264(4), Clip::aac(4), Clip::aac_at(4, 32_000));
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let video = rig.feed("video");
        let (first, second) = (rig.feed("audio_0"), rig.feed("audio_1"));
        rig.play();
        video.caps(&clip.caps);
        first.caps(&one.caps);
        second.caps(&other.caps);
        play(&[
            (&video, clip.frames.clone()),
            (&first, one.frames.clone()),
            (&second, other.frames.clone()),
        ]);
        rig.finish(&[&video, &first, &second]);
        let segments = decoded(&rig);
        assert_eq!(segments.len(), 4);
        let audio = |track| readback::audio(&segments, track);
        readback::assert_same_times("first", &audio(0), &times(&rig, &one.frames));
        readback::assert_same_times("second", &audio(1), &times(&rig, &other.frames));
        let pictures = readback::video(&segments);
        readback::assert_same_times("video", &pictures, &times(&rig, &clip.frames));
    });
}

#[test]
fn a_track_whose_pad_is_released_ends_and_the_others_go_on() {
    let (clip, aac) = (Clip::h264(6), Clip::aac(3));
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        let sound = aac.between(0, 2_500_000_000);
        play(&[
            (&video, clip.between(0, 2_500_000_000)),
            (&audio, sound.clone()),
        ]);
        rig.release(&audio.sink_pad());
        play(&[(&video, clip.between(2_500_000_000, i64::MAX))]);
        rig.finish(&[&video]);
        let segments = decoded(&rig);
        let pictures = readback::video(&segments);
        readback::assert_same_times("video", &pictures, &times(&rig, &clip.frames));
        let heard = readback::audio(&segments, 0);
        readback::assert_same_times("audio", &heard, &times(&rig, &sound));
    });
}

#[test]
fn stopping_without_an_end_closes_what_is_open_and_starting_again_goes_on_beside_it() {
    let clip = Clip::h264(3);
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let video = rig.feed("video");
        rig.play();
        video.caps(&clip.caps);
        play(&[(&video, clip.between(0, 2_500_000_000))]);
        rig.stop();
        let first = decoded(&rig);
        assert_eq!(first.len(), 3);
        assert!(
            first
                .iter()
                .all(|segment| segment.name.kind.as_str() == "full")
        );
        assert_eq!(readback::video(&first).len(), 63);

        rig.time.set_wall_clock(60 * SECOND_NS);
        video.revive();
        rig.play();
        video.caps(&clip.caps);
        play(&[(&video, clip.frames.clone())]);
        rig.finish(&[&video]);
        let both = decoded(&rig);
        assert_eq!(both.len(), 6);
        assert_eq!(readback::video(&both).len(), 63 + 75);
        for segment in first {
            assert!(segment.path.exists(), "{}", segment.path.display());
        }
    });
}

#[test]
fn the_last_sound_after_the_last_picture_is_no_segment_of_its_own() {
    let (clip, aac) = (Clip::h264(3), Clip::aac(4));
    let sounds = aac.between(0, 3_100_000_000);
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        let till_the_end = aac.between(0, 2_980_000_000);
        play(&[(&video, clip.frames.clone()), (&audio, till_the_end)]);
        video.end();
        play(&[(&audio, aac.between(2_980_000_000, 3_100_000_000))]);
        rig.finish(&[&audio]);
        let segments = decoded(&rig);
        assert_eq!(segments.len(), 3);
        let heard = readback::audio(&segments, 0);
        readback::assert_same_times("audio", &heard, &times(&rig, &sounds));
    });
}

/// As from a file that is read as fast as can be: one thread is done before the other has begun.
#[test]
fn a_track_that_ends_before_the_other_begins_is_recorded_whole() {
    let (clip, aac) = (Clip::h264_pyramid(3), Clip::aac(3));
    // A file of one frame of sound would be too short for ffmpeg to be sure of it.
    let (pictures, sounds) = (clip.frames.clone(), aac.between(0, 2_900_000_000));
    in_both_containers(|container| {
        for video_first in [true, false] {
            let mut rig = Rig::new(container);
            let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
            rig.play();
            let mut parts = [
                (&video, &clip.caps, &pictures),
                (&audio, &aac.caps, &sounds),
            ];
            if !video_first {
                parts.reverse();
            }
            for (feed, caps, frames) in parts {
                feed.caps(caps);
                play(&[(feed, frames.clone())]);
                feed.end();
            }
            rig.finish(&[]);
            let segments = decoded(&rig);
            let shown = readback::video(&segments);
            readback::assert_same_times("video", &shown, &times(&rig, &pictures));
            let heard = readback::audio(&segments, 0);
            readback::assert_same_times("audio", &heard, &times(&rig, &sounds));
        }
    });
}

/// A pipeline with a real encoder that would give a keyframe every ten seconds if not asked.
#[test]
fn an_encoder_that_takes_requests_makes_segments_of_just_the_target_duration() {
    in_both_containers(|container| {
        let root = tempfile::tempdir().expect("a temporary folder");
        let pipeline = encoder_pipeline(container, root.path(), "");
        run(&pipeline);
        let segments = readback::segments(root.path());
        readback::assert_each_decodes(&segments);
        assert_eq!(readback::video(&segments).len(), 150);
        let lengths: Vec<_> = segments.iter().map(|s| s.name.duration_ns).collect();
        assert_eq!(lengths.len(), 6, "{lengths:?}");
        for length in lengths {
            assert!((length - SECOND_NS).abs() <= 1_000_000, "{length}");
        }
    });
}

#[test]
fn aligned_segments_start_on_multiples_of_the_target_duration() {
    in_both_containers(|container| {
        let root = tempfile::tempdir().expect("a temporary folder");
        let pipeline = encoder_pipeline(container, root.path(), "align=true");
        run(&pipeline);
        let segments = readback::segments(root.path());
        readback::assert_each_decodes(&segments);
        assert_eq!(readback::video(&segments).len(), 150);
        assert!(segments.len() >= 6, "{}", segments.len());
        for segment in segments.iter().skip(1) {
            let off_ns = segment.name.start.0.rem_euclid(SECOND_NS);
            let off_ns = off_ns.min(SECOND_NS - off_ns);
            // No frame is nearer.
            assert!(off_ns <= 20_100_000, "{}", segment.path.display());
        }
    });
}

fn encoder_pipeline(container: Container, root: &std::path::Path, more: &str) -> gst::Pipeline {
    gst::init().expect("GStreamer starts");
    gstsegmenter::plugin_register_static().expect("the plugin registers");
    let line = format!(
        "videotestsrc num-buffers=150 pattern=ball \
         ! video/x-raw,format=I420,width=160,height=96,framerate=25/1 \
         ! x264enc key-int-max=250 speed-preset=ultrafast tune=zerolatency ! h264parse \
         ! archivesink name=sink stream={STREAM} target-duration=1000000000 {more}"
    );
    let pipeline = gst::parse::launch(&line).expect("the elements are installed");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("many elements");
    let sink = pipeline
        .by_name("sink")
        .and_downcast::<ArchiveSink>()
        .expect("named");
    sink.set_property("location", root.to_str().expect("UTF-8"));
    sink.set_property("container", container);
    pipeline
}

fn run(pipeline: &gst::Pipeline) {
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a pipeline has one");
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(30), &wanted);
    pipeline.set_state(gst::State::Null).expect("it stops");
    let message = message.expect("it ends");
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}
