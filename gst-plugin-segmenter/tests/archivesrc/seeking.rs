// SPDX-License-Identifier: MPL-2.0
//! Seeks within the range: the picture that is shown first is the one asked for.

use gst::prelude::*;

use crate::support::archive::{Archive, FRAME_NS, SECOND_NS};
use crate::support::player::{DECODED, Player, digests};

/// What is played: not from a keyframe on, with seconds before and after it in the archive.
const FROM_NS: i64 = SECOND_NS + 7 * FRAME_NS;
const TO_NS: i64 = 6 * SECOND_NS + 3 * FRAME_NS;

fn time(ns: i64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(ns.unsigned_abs())
}

/// A player that is paused at its first picture.
fn paused(archive: &Archive) -> Player {
    let player = archive.player(FROM_NS, TO_NS, "copy", DECODED);
    player.reach(gst::State::Paused);
    player
}

#[track_caller]
fn seek(player: &Player, rate: f64, flags: gst::SeekFlags, from_ns: i64, to_ns: Option<i64>) {
    let to = to_ns.map(time);
    let (start, stop) = (
        gst::SeekType::Set,
        to.map_or(gst::SeekType::None, |_| gst::SeekType::Set),
    );
    let done = player
        .pipeline
        .seek(rate, flags, start, time(from_ns), stop, to);
    done.unwrap_or_else(|error| panic!("{error}: {:?}", player.error()));
}

/// Seeks while paused, looks where that is, and plays on to the end.
#[track_caller]
fn seek_and_play(player: &Player, flags: gst::SeekFlags, at_ns: i64, to_ns: Option<i64>) {
    player.reach(gst::State::Paused);
    player.pictures();
    player.sounds();
    seek(player, 1.0, flags | gst::SeekFlags::FLUSH, at_ns, to_ns);
    player.reach(gst::State::Paused);
    player.play();
}

#[test]
fn an_accurate_seek_shows_the_picture_of_that_time_first() {
    let archive = Archive::pyramid(7);
    let player = paused(&archive);
    let mut random = fastrand::Rng::with_seed(5);
    let length = TO_NS - FROM_NS;
    let numbers = (0..15).map(|_| random.i64(0..length / FRAME_NS - 1));
    for number in [0, 1, 3, 18, 17, 19].into_iter().chain(numbers) {
        let at_ns = number * FRAME_NS;
        // A frame of 40 ms, in ticks of 90 kHz and a start that is none.
        for at_ns in [at_ns, at_ns + FRAME_NS / 2] {
            seek_and_play(&player, gst::SeekFlags::ACCURATE, at_ns, None);
            let found = player.pictures();
            let first = FROM_NS + number * FRAME_NS;
            let expected = archive.shown(first, TO_NS);
            assert!(
                digests(&found) == expected,
                "{at_ns}: {} of {}",
                found.len(),
                expected.len()
            );
            let shown_ns = found.first().and_then(|seen| seen.stream_ns);
            assert!(
                (shown_ns.expect("within") - at_ns).abs() < 20_000,
                "{at_ns}: {shown_ns:?}"
            );
            let sounds = player.sounds();
            let heard_ns = sounds
                .first()
                .and_then(|seen| seen.stream_ns)
                .expect("within");
            assert!((heard_ns - at_ns).abs() < 20_000, "{at_ns}: {heard_ns}");
        }
    }
}

#[test]
fn a_position_is_what_was_sought() {
    let archive = Archive::pyramid(7);
    let player = paused(&archive);
    let length_ns = archive.shown(FROM_NS, TO_NS).len() as i64 * FRAME_NS;
    for at_ns in [0, FRAME_NS, 2 * SECOND_NS, length_ns - FRAME_NS] {
        seek(
            &player,
            1.0,
            gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE,
            at_ns,
            None,
        );
        player.reach(gst::State::Paused);
        let position = player.pipeline.query_position::<gst::ClockTime>();
        assert_eq!(position, Some(time(at_ns)));
        let source = player.pipeline.by_name("src").expect("it is in the line");
        let pad = source.static_pad("video").expect("it has one");
        let own = pad.query_position::<gst::ClockTime>().expect("it answers");
        assert!(own >= time(at_ns), "{own}");
        let duration = pad.query_duration::<gst::ClockTime>().expect("it answers");
        assert!(
            (duration.nseconds().cast_signed() - length_ns).abs() < 20_000,
            "{duration}"
        );
        let mut seeking = gst::query::Seeking::new(gst::Format::Time);
        assert!(pad.query(&mut seeking));
        let (is_seekable, start, end) = seeking.result();
        assert!(is_seekable);
        assert_eq!((start, end), (gst::ClockTime::ZERO.into(), duration.into()));
    }
}

#[test]
fn a_seek_to_a_keyframe_shows_one_first() {
    let archive = Archive::pyramid(7);
    let player = paused(&archive);
    // Keyframes are at whole seconds of the clip.
    let keyframe = |number: i64| number * SECOND_NS - FROM_NS;
    let near_ns = keyframe(3) + 5 * FRAME_NS;
    for (flag, expected) in [
        (gst::SeekFlags::SNAP_BEFORE, 3),
        (gst::SeekFlags::empty(), 3),
        (gst::SeekFlags::SNAP_AFTER, 4),
        (gst::SeekFlags::SNAP_NEAREST, 3),
    ] {
        seek_and_play(&player, gst::SeekFlags::KEY_UNIT | flag, near_ns, None);
        let found = digests(&player.pictures());
        assert!(
            found == archive.shown(expected * SECOND_NS, TO_NS),
            "{flag:?}: {}",
            found.len()
        );
    }
}

#[test]
fn a_seek_ends_where_it_is_told_to() {
    let archive = Archive::pyramid(7);
    let player = paused(&archive);
    let (from_ns, to_ns) = (30 * FRAME_NS, 52 * FRAME_NS);
    seek_and_play(&player, gst::SeekFlags::ACCURATE, from_ns, Some(to_ns));
    let found = digests(&player.pictures());
    assert!(
        found == archive.shown(FROM_NS + from_ns, FROM_NS + to_ns),
        "{}",
        found.len()
    );
    // Without being told again, it stays there.
    seek_and_play(&player, gst::SeekFlags::ACCURATE, 40 * FRAME_NS, None);
    let found = digests(&player.pictures());
    assert!(
        found == archive.shown(FROM_NS + 40 * FRAME_NS, FROM_NS + to_ns),
        "{}",
        found.len()
    );
}

#[test]
fn a_seek_while_playing_goes_on_from_there() {
    let archive = Archive::pyramid(7);
    let line = "src.video ! queue ! h264parse ! avdec_h264 ! fakesink name=video";
    let player = archive.player(FROM_NS, TO_NS, "copy", line);
    for _ in 0..20 {
        player.set_state(gst::State::Playing);
        player.wait_until("pictures", |player| !player.pictures().is_empty());
        seek(
            &player,
            1.0,
            gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE,
            2 * SECOND_NS,
            None,
        );
    }
    player.wait_for(gst::MessageType::Eos);
    let found = digests(&player.pictures());
    let expected = archive.shown(FROM_NS + 2 * SECOND_NS, TO_NS);
    assert!(
        found.ends_with(expected),
        "{} of {}",
        found.len(),
        expected.len()
    );
}

#[test]
fn a_seek_without_a_flush_plays_after_what_was_played() {
    let archive = Archive::pyramid(7);
    let player = paused(&archive);
    let first = 20;
    let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE | gst::SeekFlags::SEGMENT;
    player.pictures();
    seek(&player, 1.0, flags, 0, Some(first * FRAME_NS));
    player.reach(gst::State::Paused);
    player.set_state(gst::State::Playing);
    player.wait_for(gst::MessageType::SegmentDone);
    seek(
        &player,
        1.0,
        gst::SeekFlags::ACCURATE,
        2 * SECOND_NS,
        Some(3 * SECOND_NS),
    );
    player.wait_for(gst::MessageType::Eos);
    let found = player.pictures();
    let mut expected = archive.shown(FROM_NS, FROM_NS + first * FRAME_NS).to_vec();
    expected.extend_from_slice(archive.shown(FROM_NS + 2 * SECOND_NS, FROM_NS + 3 * SECOND_NS));
    assert!(
        digests(&found) == expected,
        "{} of {}",
        found.len(),
        expected.len()
    );
    for (number, seen) in (0_i64..).zip(&found) {
        let running_ns = seen.running_ns.expect("within");
        assert!(
            (running_ns - number * FRAME_NS).abs() < 40_000,
            "{number}: {seen:?}"
        );
    }
}

#[test]
fn at_twice_the_rate_running_time_is_half_and_backwards_is_refused() {
    let archive = Archive::pyramid(7);
    let player = paused(&archive);
    player.pictures();
    let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
    seek(&player, 2.0, flags, SECOND_NS, None);
    player.reach(gst::State::Paused);
    player.play();
    let found = player.pictures();
    assert_eq!(digests(&found), archive.shown(FROM_NS + SECOND_NS, TO_NS));
    let last_ns = found
        .last()
        .and_then(|seen| seen.running_ns)
        .expect("within");
    let expected_ns = (found.len() as i64 - 1) * FRAME_NS / 2;
    assert!((last_ns - expected_ns).abs() < 20_000, "{last_ns}");

    let (start, stop) = (gst::SeekType::Set, gst::SeekType::Set);
    let backwards = player
        .pipeline
        .seek(-1.0, flags, start, time(0), stop, time(SECOND_NS));
    assert!(backwards.is_err());
}
