// SPDX-License-Identifier: MPL-2.0
//! A range over a hole, where that is allowed: what there is, without a pause.

use gst::prelude::*;

use crate::recording::clip::Clip;
use crate::support::archive::{Archive, FRAME_NS, SECOND_NS};
use crate::support::player::{DECODED, Player, digests};

const FROM_NS: i64 = SECOND_NS + 5 * FRAME_NS;
const TO_NS: i64 = 6 * SECOND_NS + 5 * FRAME_NS;

/// Recorded but for the seconds 3 to 5.
fn archive() -> Archive {
    Archive::without(Clip::h264_pyramid(7), &Clip::aac(7), 3..5)
}

fn player(archive: &Archive) -> Player {
    let kind = "copy allow-holes=true";
    archive.player(FROM_NS, TO_NS, kind, DECODED)
}

fn expected(archive: &Archive) -> Vec<String> {
    let before = archive.shown(FROM_NS, 3 * SECOND_NS);
    [before, archive.shown(5 * SECOND_NS, TO_NS)].concat()
}

#[test]
fn a_hole_is_closed_up_to_the_picture() {
    let archive = archive();
    let player = player(&archive);
    player.play();
    let pictures = player.pictures();
    let expected = expected(&archive);
    assert!(
        digests(&pictures) == expected,
        "{} of {}",
        pictures.len(),
        expected.len()
    );
    for (number, seen) in (0_i64..).zip(&pictures) {
        let off = |time: Option<i64>| (time.expect("within") - number * FRAME_NS).abs();
        assert!(
            off(seen.running_ns) < 20_000 && off(seen.stream_ns) < 20_000,
            "{number}: {seen:?}"
        );
    }
}

#[test]
fn seeks_go_to_both_sides_of_it() {
    let archive = archive();
    let player = player(&archive);
    player.reach(gst::State::Paused);
    let expected = expected(&archive);
    let before = archive.shown(FROM_NS, 3 * SECOND_NS).len();
    for first in [3, before - 1, before, before + 1, expected.len() - 2] {
        player.reach(gst::State::Paused);
        player.pictures();
        let at = gst::ClockTime::from_nseconds(first as u64 * FRAME_NS.unsigned_abs());
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        player.pipeline.seek_simple(flags, at).expect("it seeks");
        player.reach(gst::State::Paused);
        player.play();
        let found = digests(&player.pictures());
        assert!(
            found == expected[first..],
            "{first}: {} of {}",
            found.len(),
            expected.len()
        );
    }
}

#[test]
fn its_times_are_told() {
    let archive = archive();
    let player = player(&archive);
    player.reach(gst::State::Paused);
    let bus = player.pipeline.bus().expect("a pipeline has a bus");
    let told = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]))
        .find(|message| message.has_name("archive-cut"))
        .and_then(|message| message.structure().map(|structure| structure.to_owned()));
    let holes = told
        .expect("it is told")
        .get::<gst::Array>("holes")
        .expect("a list");
    let holes: Vec<gst::Structure> = holes.iter().map(|hole| hole.get().expect("told")).collect();
    let [hole] = &holes[..] else {
        panic!("there is one: {holes:?}");
    };
    let text = |field: &str| hole.get::<String>(field).expect("it is told");
    assert_eq!(text("from"), archive.utc(3 * SECOND_NS).to_string());
    assert_eq!(text("to"), archive.utc(5 * SECOND_NS).to_string());
}
