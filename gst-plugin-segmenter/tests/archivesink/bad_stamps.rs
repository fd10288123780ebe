// SPDX-License-Identifier: MPL-2.0
//! Times as bad sources send them: missing, running backward, with holes, near the 33-bit wrap.
//! One bad buffer never ends a recording, and every frame has its time.

use gstsegmenter::archivesink::Container;
use gstsegmenter::utc::{SECOND_NS, UtcNs};

use crate::support::clip::{Clip, Frame};
use crate::support::decode::{self, What};
use crate::support::feed::{Feed, play};
use crate::support::in_both_containers;
use crate::support::readback::{self, Segment};
use crate::support::rig::Rig;
use crate::support::time::ZERO;

fn rig(container: Container, clip: &Clip) -> (Rig, Feed) {
    let mut rig = Rig::new(container);
    let video = rig.feed("video");
    rig.play();
    video.caps(&clip.caps);
    (rig, video)
}

/// Finishes; each segment decodes.
#[track_caller]
fn finish(rig: &Rig, feed: &Feed) -> Vec<Segment> {
    rig.finish(&[feed]);
    let segments = readback::segments(rig.root());
    readback::assert_each_decodes(&segments);
    segments
}

#[track_caller]
fn assert_times(rig: &Rig, segments: &[Segment], frames: &[Frame]) {
    let times: Vec<_> = frames.iter().map(|frame| rig.utc(frame.pts_ns)).collect();
    readback::assert_same_times("video", &readback::video(segments), &times);
}

/// A frame without the stamps it had.
fn bare(frame: &Frame) -> gst::Buffer {
    let mut buffer = frame.buffer.copy();
    let stamps = buffer.make_mut();
    stamps.set_pts(None);
    stamps.set_dts(None);
    stamps.set_duration(None);
    buffer
}

/// H.264 of a profile that may have B-frames, but has none.
fn h264_high(seconds: u32) -> Clip {
    let encoder = "x264enc key-int-max=25 bframes=0 speed-preset=veryfast option-string=scenecut=0";
    let caps = "video/x-h264,stream-format=avc,alignment=au";
    Clip::pictures(seconds, &format!("{encoder} ! h264parse ! {caps}"))
}

#[test]
fn a_frame_without_any_stamp_goes_where_the_stream_would_go_on() {
    for clip in [Clip::h264(3), h264_high(3)] {
        without_any_stamp(&clip);
    }
}

fn without_any_stamp(clip: &Clip) {
    in_both_containers(|container| {
        let (rig, video) = rig(container, clip);
        for (n, frame) in clip.frames.iter().enumerate() {
            match n % 5 {
                3 => video.push_buffer(frame.pts_ns, bare(frame)),
                _ => video.push(frame),
            }
        }
        assert_times(&rig, &finish(&rig, &video), &clip.frames);
    });
}

#[test]
fn a_frame_with_nothing_but_a_decoding_time_is_shown_then() {
    let clip = Clip::h264(2);
    in_both_containers(|container| {
        let (rig, video) = rig(container, &clip);
        for frame in &clip.frames {
            let mut buffer = bare(frame);
            let dts = gst::ClockTime::from_nseconds(frame.pts_ns.unsigned_abs());
            buffer.make_mut().set_dts(dts);
            video.push_buffer(frame.pts_ns, buffer);
        }
        assert_times(&rig, &finish(&rig, &video), &clip.frames);
    });
}

#[test]
fn b_frames_without_decoding_times_decode_to_the_same_pictures_at_the_same_times() {
    let clip = Clip::h264_pyramid(4);
    let source = tempfile::Builder::new().suffix(".mkv").tempfile();
    let source = source.expect("a temporary file").into_temp_path();
    clip.write_matroska(&source);
    let pictures = decode::frames(&source, What::Video);
    in_both_containers(|container| {
        let (rig, video) = rig(container, &clip);
        for frame in &clip.frames {
            let frame = Frame {
                dts_ns: None,
                ..frame.clone()
            };
            video.push(&frame);
        }
        let segments = finish(&rig, &video);
        assert_times(&rig, &segments, &clip.frames);
        let found: Vec<_> = segments
            .iter()
            .flat_map(|segment| decode::frames(&segment.path, What::Video))
            .collect();
        assert!(found == pictures, "{} of {}", found.len(), pictures.len());
        for segment in &segments {
            assert_decoding_times_grow(segment);
        }
    });
}

#[track_caller]
fn assert_decoding_times_grow(segment: &Segment) {
    let found = readback::probe(&segment.path, &["-show_entries", "packet=dts,pts"]);
    let packets = found["packets"].as_array().expect("packets");
    let stamps = packets.iter().map(|packet| {
        let of = |field: &str| packet[field].as_i64().expect("every packet has both");
        (of("dts"), of("pts"))
    });
    let stamps: Vec<_> = stamps.collect();
    assert!(stamps.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(stamps.iter().all(|(dts, pts)| dts <= pts));
}

#[test]
fn b_frames_some_without_decoding_times_are_shown_at_their_times() {
    let clip = Clip::h264_pyramid(4);
    in_both_containers(|container| {
        let (rig, video) = rig(container, &clip);
        for (n, frame) in clip.frames.iter().enumerate() {
            let frame = Frame {
                dts_ns: frame.dts_ns.filter(|_| n % 7 != 5),
                ..frame.clone()
            };
            video.push(&frame);
        }
        let segments = finish(&rig, &video);
        assert_times(&rig, &segments, &clip.frames);
        segments.iter().for_each(assert_decoding_times_grow);
    });
}

#[test]
fn decoding_times_that_run_backward_harm_nobody() {
    let clip = Clip::h264(3);
    in_both_containers(|container| {
        let (rig, video) = rig(container, &clip);
        for (n, frame) in clip.frames.iter().enumerate() {
            let back_ns = if n % 10 == 7 { 130_000_000 } else { 0 };
            let frame = Frame {
                dts_ns: frame.dts_ns.map(|dts_ns| (dts_ns - back_ns).max(0)),
                ..frame.clone()
            };
            video.push_at(frame.pts_ns, &frame);
        }
        let segments = finish(&rig, &video);
        assert_times(&rig, &segments, &clip.frames);
        segments.iter().for_each(assert_decoding_times_grow);
    });
}

#[test]
fn a_source_that_begins_again_at_zero_gets_a_new_segment_and_no_frame_is_lost() {
    let (clip, other) = (Clip::h264(3), Clip::h264_sized(3, 192, 96));
    in_both_containers(|container| {
        let (rig, video) = rig(container, &clip);
        play(&[(&video, clip.frames.clone())]);
        video.caps(&other.caps);
        // Three more seconds pass on the clock; the stamps are those of the first three.
        for frame in &other.frames {
            video.push_at(frame.pts_ns + 3 * SECOND_NS, frame);
        }
        let segments = finish(&rig, &video);
        assert_eq!(readback::video(&segments).len(), 150);
        let closed = rig.closed();
        let broken = closed.iter().filter(|closed| closed.discontinuity);
        assert_eq!(broken.count(), 2, "the first and the one at the restart");
    });
}

#[test]
fn an_empty_buffer_is_no_frame_and_no_fault() {
    let clip = Clip::h264(3);
    in_both_containers(|container| {
        let (rig, video) = rig(container, &clip);
        for (n, frame) in clip.frames.iter().enumerate() {
            if n == 30 {
                let mut empty = gst::Buffer::new();
                let pts = gst::ClockTime::from_nseconds(frame.pts_ns.unsigned_abs());
                empty.make_mut().set_pts(pts);
                video.push_buffer(frame.pts_ns, empty);
            }
            video.push(frame);
        }
        assert_times(&rig, &finish(&rig, &video), &clip.frames);
    });
}

#[test]
fn a_damaged_frame_harms_at_most_its_own_segment() {
    let clip = Clip::h264(4);
    in_both_containers(|container| {
        let (rig, video) = rig(container, &clip);
        for (n, frame) in clip.frames.iter().enumerate() {
            let mut frame = frame.clone();
            if n == 35 {
                let mut garbage = gst::Buffer::from_slice([0xa5_u8; 300]);
                let flags = gst::BufferFlags::DELTA_UNIT | gst::BufferFlags::CORRUPTED;
                garbage.make_mut().set_flags(flags);
                frame.buffer = garbage;
            }
            video.push(&frame);
        }
        rig.finish_with_complaints(&[&video]);
        let segments = readback::segments(rig.root());
        assert_eq!(segments.len(), 4);
        let damaged = (rig.utc(SECOND_NS), rig.utc(2 * SECOND_NS));
        let sound =
            |segment: &&Segment| segment.name.end() <= damaged.0 || segment.name.start >= damaged.1;
        let sound: Vec<_> = segments.iter().filter(sound).cloned().collect();
        assert_eq!(sound.len(), 3);
        readback::assert_each_decodes(&sound);
        let kept = clip.frames.iter().map(|frame| rig.utc(frame.pts_ns));
        let kept: Vec<_> = kept
            .filter(|utc| *utc < damaged.0 || *utc >= damaged.1)
            .collect();
        readback::assert_same_times("video", &readback::video(&sound), &kept);
        // Whatever becomes of the damaged one, the frames around it are there.
        assert!(readback::video(&segments).len() >= 99);
    });
}

#[test]
fn five_seconds_without_a_frame_are_a_hole_of_five_seconds() {
    let clip = Clip::h264(6);
    in_both_containers(|container| {
        let (rig, video) = rig(container, &clip);
        let late = |frame: Frame| match frame.pts_ns {
            ..3_000_000_000 => frame,
            _ => frame.later(5 * SECOND_NS),
        };
        let frames: Vec<_> = clip.frames.iter().cloned().map(late).collect();
        play(&[(&video, frames.clone())]);
        let segments = finish(&rig, &video);
        assert_times(&rig, &segments, &frames);
        let (from, to) = (rig.utc(0), rig.utc(11 * SECOND_NS));
        let coverage = readback::coverage(rig.root(), from, to);
        let [hole] = coverage.holes[..] else {
            panic!("{:?}", coverage.holes);
        };
        assert!(
            (hole.from - rig.utc(3 * SECOND_NS)).abs() < 1_000_000,
            "{hole:?}"
        );
        assert!(
            (hole.to - rig.utc(8 * SECOND_NS)).abs() < 1_000_000,
            "{hole:?}"
        );
        let after = rig
            .closed()
            .into_iter()
            .find(|closed| closed.start >= hole.to - 1_000);
        assert!(after.expect("there is one").discontinuity);
    });
}

#[test]
fn five_seconds_without_a_frame_but_with_sound_are_five_seconds_of_sound() {
    let (clip, aac) = (Clip::h264(6), Clip::aac(11));
    in_both_containers(|container| {
        let mut rig = Rig::new(container);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        let late = |frame: Frame| match frame.pts_ns {
            ..3_000_000_000 => frame,
            _ => frame.later(5 * SECOND_NS),
        };
        let frames: Vec<_> = clip.frames.iter().cloned().map(late).collect();
        play(&[(&video, frames.clone()), (&audio, aac.frames.clone())]);
        rig.finish(&[&video, &audio]);
        let segments = readback::segments(rig.root());
        readback::assert_each_decodes(&segments);
        assert_times(&rig, &segments, &frames);
        let times: Vec<_> = aac
            .frames
            .iter()
            .map(|frame| rig.utc(frame.pts_ns))
            .collect();
        readback::assert_same_times("audio", &readback::audio(&segments, 0), &times);
        let coverage = readback::coverage(rig.root(), rig.utc(0), rig.utc(11 * SECOND_NS));
        assert_eq!(coverage.holes, []);
    });
}

#[test]
fn a_variable_frame_rate_is_kept_to_the_frame() {
    let clip = Clip::h264(4);
    in_both_containers(|container| {
        let (rig, video) = rig(container, &clip);
        let mut at_ns = 0;
        let mut frames = Vec::new();
        for (n, frame) in clip.frames.iter().enumerate() {
            frames.push(Frame {
                pts_ns: at_ns,
                dts_ns: None,
                duration_ns: None,
                ..frame.clone()
            });
            // 120 frames a second, 10, 30 and 2.5.
            at_ns += [8_333_333, 100_000_000, 33_366_667, 400_000_000][n / 4 % 4];
        }
        play(&[(&video, frames.clone())]);
        let segments = finish(&rig, &video);
        assert_times(&rig, &segments, &frames);
        let last = rig.utc(frames.last().expect("many").pts_ns);
        let coverage = readback::coverage(rig.root(), rig.utc(0), last);
        assert_eq!(coverage.holes, []);
    });
}

/// Records eight seconds that begin at a running time, with the wall clock set ahead.
#[track_caller]
fn eight_seconds(container: Container, from_ns: i64, wall_ahead_ns: i64) {
    let (clip, aac) = (Clip::h264_pyramid(8), Clip::aac(8));
    let mut rig = Rig::new(container);
    let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
    rig.time.set_wall_clock(wall_ahead_ns);
    rig.play();
    video.caps(&clip.caps);
    audio.caps(&aac.caps);
    let later = |clip: &Clip| -> Vec<Frame> {
        clip.frames
            .iter()
            .map(|frame| frame.later(from_ns))
            .collect()
    };
    let (pictures, sound) = (later(&clip), later(&aac));
    play(&[(&video, pictures.clone()), (&audio, sound.clone())]);
    rig.finish(&[&video, &audio]);
    let segments = readback::segments(rig.root());
    readback::assert_each_decodes(&segments);
    let times = |frames: &[Frame]| -> Vec<UtcNs> {
        let utc = |frame: &Frame| rig.utc(frame.pts_ns) + wall_ahead_ns;
        frames.iter().map(utc).collect()
    };
    readback::assert_same_times("video", &readback::video(&segments), &times(&pictures));
    readback::assert_same_times("audio", &readback::audio(&segments, 0), &times(&sound));
    let from = rig.utc(from_ns) + wall_ahead_ns;
    let coverage = readback::coverage(rig.root(), from, from + 8 * SECOND_NS - 1_000);
    assert_eq!(coverage.holes, []);
    assert_eq!(coverage.discontinuities, []);
}

/// 2^33 ticks of 90 kHz, 26.5 hours.
const WRAP_NS: i64 = (1 << 33) * 100_000 / 9;

#[test]
fn running_for_more_than_26_hours_changes_nothing() {
    in_both_containers(|container| eight_seconds(container, WRAP_NS - 3 * SECOND_NS, 0));
}

#[test]
fn running_for_thirty_days_changes_nothing() {
    in_both_containers(|container| eight_seconds(container, 30 * 24 * 3600 * SECOND_NS, 0));
}

#[test]
fn a_transport_stream_goes_on_over_the_wrap_of_its_33_bits() {
    // PTS is UTC and the muxer's hour; three and a half seconds later it begins again at zero.
    let pts_ns = (ZERO.0 + 3600 * SECOND_NS).rem_euclid(WRAP_NS);
    eight_seconds(Container::MpegTs, 0, WRAP_NS - pts_ns - 3_500_000_000);
}

#[test]
fn a_stream_that_begins_between_keyframes_is_recorded_from_the_first_keyframe_on() {
    let clip = Clip::h264(4);
    in_both_containers(|container| {
        let (rig, video) = rig(container, &clip);
        play(&[(&video, clip.between(500_000_000, i64::MAX))]);
        let segments = finish(&rig, &video);
        assert_times(&rig, &segments, &clip.between(SECOND_NS, i64::MAX));
    });
}
