// SPDX-License-Identifier: MPL-2.0
//! A track that is dead, late or silent costs the others nothing: their segments close on time and
//! are complete. Real time, since how long a silent track is waited for is told by a real clock.

use std::time::Duration;

use gstsegmenter::archivesink::Container;
use gstsegmenter::utc::{SECOND_NS, UtcNs};

use crate::support::clip::{Clip, Frame};
use crate::support::feed::{Feed, play};
use crate::support::in_both_containers;
use crate::support::readback::{self, Segment};
use crate::support::rig::{Closed, Rig};

/// How long after its end a segment closes when a track has just fallen silent.
const SOON: Duration = Duration::from_millis(1_000);
/// How long after its end a segment closes when nobody is waited for: less than the grace that a
/// silent track gets.
const AT_ONCE: Duration = Duration::from_millis(400);

/// How long after the moment of its end a segment was closed.
fn delay(rig: &Rig, closed: &Closed) -> Duration {
    let end_ns = closed.end() - rig.utc(0);
    let due = rig.started + Duration::from_nanos(end_ns.unsigned_abs());
    closed.at.saturating_duration_since(due)
}

/// The segments that end between two running times close within a time of their end.
#[track_caller]
fn assert_close(rig: &Rig, from_ns: i64, to_ns: i64, within: Duration) {
    let inside = |closed: &Closed| (from_ns..to_ns).contains(&(closed.end() - rig.utc(0)));
    let closed: Vec<_> = rig.closed().into_iter().filter(inside).collect();
    let wanted = (to_ns - from_ns) / SECOND_NS - 1;
    assert!(
        closed.len() as i64 >= wanted,
        "{} closed of {wanted}",
        closed.len()
    );
    for closed in closed {
        let delay = delay(rig, &closed);
        assert!(
            delay <= within,
            "{} closed {delay:?} late",
            closed.path.display()
        );
    }
}

fn times(rig: &Rig, frames: &[Frame]) -> Vec<UtcNs> {
    frames.iter().map(|frame| rig.utc(frame.pts_ns)).collect()
}

/// What was pushed is in the archive, each frame once; each segment decodes.
#[track_caller]
fn assert_archived(rig: &Rig, video: &[Frame], audio: &[Frame]) -> Vec<Segment> {
    let segments = readback::segments(rig.root());
    readback::assert_each_decodes(&segments);
    readback::assert_same_times("video", &readback::video(&segments), &times(rig, video));
    readback::assert_same_times("audio", &readback::audio(&segments, 0), &times(rig, audio));
    segments
}

fn rig(container: Container) -> (Rig, Feed, Feed) {
    let mut rig = Rig::in_real_time(container);
    let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
    rig.play();
    (rig, video, audio)
}

#[test]
fn a_track_with_caps_and_nothing_after_them_delays_no_segment() {
    let clip = Clip::h264(6);
    let aac = Clip::aac(1);
    in_both_containers(|container| {
        let (rig, video, audio) = rig(container);
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        play(&[(&video, clip.frames.clone())]);
        rig.finish(&[&video, &audio]);
        assert_close(&rig, 0, 6 * SECOND_NS, AT_ONCE);
        let segments = assert_archived(&rig, &clip.frames, &[]);
        assert_eq!(segments.len(), 6);
    });
}

#[test]
fn a_pad_without_caps_delays_no_segment() {
    let clip = Clip::h264(6);
    in_both_containers(|container| {
        let (rig, video, audio) = rig(container);
        video.caps(&clip.caps);
        audio.greet();
        play(&[(&video, clip.frames.clone())]);
        rig.finish(&[&video, &audio]);
        assert_close(&rig, 0, 6 * SECOND_NS, AT_ONCE);
        let segments = assert_archived(&rig, &clip.frames, &[]);
        assert_eq!(segments.len(), 6);
    });
}

#[test]
fn a_pad_linked_to_nothing_delays_no_segment() {
    let clip = Clip::h264(4);
    in_both_containers(|container| {
        let mut rig = Rig::in_real_time(container);
        let video = rig.feed("video");
        let unlinked = rig.request_unlinked("audio_0");
        rig.play();
        video.caps(&clip.caps);
        play(&[(&video, clip.frames.clone())]);
        assert_close(&rig, 0, 3 * SECOND_NS + 1, AT_ONCE);
        rig.release(&unlinked);
        rig.finish(&[&video]);
        assert_archived(&rig, &clip.frames, &[]);
    });
}

/// As of a camera on a busy machine, whose first keyframe takes a while to come through.
#[test]
fn sound_that_comes_first_waits_for_its_pictures_to_share_the_first_segment() {
    const LATE_NS: i64 = 1_800_000_000;
    const SOUND_LEADS_NS: i64 = 300_000_000;
    let (clip, aac) = (Clip::h264(3), Clip::aac(3));
    let pictures: Vec<Frame> = clip
        .frames
        .iter()
        .map(|f| f.later(SOUND_LEADS_NS))
        .collect();
    let (at_once, rest): (Vec<Frame>, Vec<Frame>) = pictures
        .iter()
        .cloned()
        .partition(|frame| frame.pts_ns < LATE_NS);
    in_both_containers(|container| {
        let (rig, video, audio) = rig(container);
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        play(&[(&audio, aac.between(0, LATE_NS))]);
        at_once
            .iter()
            .for_each(|frame| video.push_at(LATE_NS, frame));
        play(&[
            (&video, rest.clone()),
            (&audio, aac.between(LATE_NS, i64::MAX)),
        ]);
        rig.finish(&[&video, &audio]);
        let segments = assert_archived(&rig, &pictures, &aac.frames);
        assert_eq!(segments.len(), 3);
    });
}

#[test]
fn sound_that_stops_delays_the_segment_it_stops_in_by_a_second_at_most_and_later_ones_not_at_all() {
    let (clip, aac) = (Clip::h264(8), Clip::aac(8));
    in_both_containers(|container| {
        let (rig, video, audio) = rig(container);
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        let heard = aac.between(0, 3_300_000_000);
        play(&[(&video, clip.frames.clone()), (&audio, heard.clone())]);
        rig.finish(&[&video, &audio]);
        assert_close(&rig, 0, 4_500_000_000, SOON);
        assert_close(&rig, 4_500_000_000, 8 * SECOND_NS, AT_ONCE);
        let segments = assert_archived(&rig, &clip.frames, &heard);
        assert_eq!(segments.len(), 8);
    });
}

#[test]
fn sound_that_comes_back_is_recorded_from_the_next_segment_on_at_the_latest() {
    let (clip, aac) = (Clip::h264(9), Clip::aac(9));
    in_both_containers(|container| {
        let (rig, video, audio) = rig(container);
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        let mut heard = aac.between(0, 2_300_000_000);
        heard.extend(aac.between(6_600_000_000, 9_000_000_000));
        play(&[(&video, clip.frames.clone()), (&audio, heard.clone())]);
        rig.finish(&[&video, &audio]);
        assert_close(&rig, 0, 9 * SECOND_NS, SOON);
        let segments = readback::segments(rig.root());
        readback::assert_each_decodes(&segments);
        let pictures = readback::video(&segments);
        readback::assert_same_times("video", &pictures, &times(&rig, &clip.frames));
        let sound = readback::audio(&segments, 0);
        let between = (rig.utc(2_400_000_000), rig.utc(7 * SECOND_NS));
        let sure = |utc: &UtcNs| *utc < between.0 || *utc >= between.1;
        let found: Vec<_> = sound.iter().copied().filter(sure).collect();
        let expected: Vec<_> = times(&rig, &heard).into_iter().filter(sure).collect();
        readback::assert_same_times("audio", &found, &expected);
    });
}

#[test]
fn sound_that_starts_five_seconds_late_is_recorded_from_the_next_segment_on() {
    let (clip, aac) = (Clip::h264(9), Clip::aac(9));
    in_both_containers(|container| {
        let (rig, video, audio) = rig(container);
        video.caps(&clip.caps);
        let late = aac.between(5_200_000_000, 9_000_000_000);
        play(&[(&video, clip.between(0, 5_190_000_000))]);
        audio.caps(&aac.caps);
        let rest = clip.between(5_190_000_000, 9_000_000_000);
        play(&[(&video, rest), (&audio, late.clone())]);
        rig.finish(&[&video, &audio]);
        assert_close(&rig, 0, 9 * SECOND_NS, SOON);
        let segments = readback::segments(rig.root());
        readback::assert_each_decodes(&segments);
        let pictures = readback::video(&segments);
        readback::assert_same_times("video", &pictures, &times(&rig, &clip.frames));
        // The segment that was open when it came has no track for it; the next one may keep what
        // was held, from before its start.
        let sound = readback::audio(&segments, 0);
        let first = sound.first().expect("some sound");
        let border = rig.utc(6 * SECOND_NS);
        assert!(*first - border < 40_000_000, "{first} is after {border}");
        let later: Vec<_> = times(&rig, &late)
            .into_iter()
            .filter(|utc| *utc >= *first - 1_000_000)
            .collect();
        readback::assert_same_times("audio", &sound, &later);
    });
}

#[test]
fn pictures_that_end_early_leave_the_sound_to_make_the_segments() {
    let (clip, aac) = (Clip::h264(3), Clip::aac(8));
    in_both_containers(|container| {
        let (rig, video, audio) = rig(container);
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        play(&[
            (&video, clip.frames.clone()),
            (&audio, aac.between(0, 3 * SECOND_NS)),
        ]);
        video.end();
        play(&[(&audio, aac.between(3 * SECOND_NS, i64::MAX))]);
        rig.finish(&[&audio]);
        assert_close(&rig, 4 * SECOND_NS, 8 * SECOND_NS, AT_ONCE);
        let segments = assert_archived(&rig, &clip.frames, &aac.frames);
        assert!(segments.len() >= 7, "{}", segments.len());
    });
}

#[test]
fn pictures_that_fall_silent_leave_the_sound_to_make_the_segments() {
    let (clip, aac) = (Clip::h264(2), Clip::aac(9));
    in_both_containers(|container| {
        let (rig, video, audio) = rig(container);
        video.caps(&clip.caps);
        audio.caps(&aac.caps);
        // Not to the end: a file of one frame is too short for ffmpeg to be sure of it.
        let heard = aac.between(0, 8_500_000_000);
        play(&[(&video, clip.frames.clone()), (&audio, heard.clone())]);
        rig.finish(&[&video, &audio]);
        // After three seconds of silence the sound takes over.
        assert_close(&rig, 5 * SECOND_NS, 8_400_000_000, SOON);
        assert_archived(&rig, &clip.frames, &heard);
    });
}
