// SPDX-License-Identifier: MPL-2.0
//! One error each, of the kind that fits, that says what is wrong and what would be right.

use std::fs;

use gst::prelude::*;

use crate::recording::readback;
use crate::support::archive::{Archive, SECOND_NS};
use crate::support::player::Player;

/// Starts, and gives back the only error.
#[track_caller]
fn only_error(player: &Player) -> (gst::glib::Error, String) {
    let _ = player.pipeline.set_state(gst::State::Playing);
    let bus = player.pipeline.bus().expect("a pipeline has a bus");
    let wanted = [gst::MessageType::Error, gst::MessageType::Eos];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &wanted);
    let message = message.expect("it is said within 20 s");
    let gst::MessageView::Error(error) = message.view() else {
        panic!("{message:?}");
    };
    // Nothing is said after the stop, so what is there now is all.
    player
        .pipeline
        .set_state(gst::State::Null)
        .expect("it stops");
    let more = bus.pop_filtered(&[gst::MessageType::Error]);
    assert!(more.is_none(), "{more:?}");
    (error.error(), error.error().message().to_owned())
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

fn refusal(properties: &str) -> String {
    gst::init().expect("GStreamer starts");
    gstsegmenter::plugin_register_static().expect("the plugin registers");
    let player = Player::launch(&format!("archivesrc {properties} ! fakesink"));
    let (error, text) = only_error(&player);
    assert!(error.matches(gst::ResourceError::Settings), "{error:?}");
    text
}

#[test]
fn a_property_that_is_missing_or_wrong_is_named_with_what_would_be_right() {
    let times = "start=2026-11-20T10:31:06Z stop=2026-11-20T10:33:41Z";
    assert_says(
        &refusal(&format!("stream=cam {times}")),
        &["`location`", "archive"],
    );
    assert_says(
        &refusal(&format!("location=/tmp {times}")),
        &["`stream`", "front-door"],
    );
    let text = refusal(&format!("location=/tmp stream=../up {times}"));
    assert_says(&text, &["stream", "../up"]);
    let text = refusal("location=/tmp stream=cam stop=2026-11-20T10:33:41Z");
    assert_says(&text, &["`start`", "2026-"]);
    let text = refusal("location=/tmp stream=cam start=yesterday stop=2026-11-20T10:33:41Z");
    assert_says(&text, &["`start`", "yesterday", "2026-"]);
    let text =
        refusal("location=/tmp stream=cam start=2026-11-20T10:33:41Z stop=2026-11-20T10:31:06Z");
    assert_says(
        &text,
        &["2026-11-20T10:31:06Z is not after", "2026-11-20T10:33:41Z"],
    );
}

#[test]
fn a_stream_that_is_not_there_is_not_found() {
    let archive = Archive::plain(1);
    let line = archive
        .source(0, SECOND_NS, "smart")
        .replace("stream=cam", "stream=other");
    let (error, text) = only_error(&Player::launch(&format!("{line} ! fakesink")));
    assert!(error.matches(gst::ResourceError::NotFound), "{error:?}");
    assert_says(&text, &["nothing is recorded", "other"]);
}

#[test]
fn a_range_of_which_nothing_is_there_is_not_found() {
    let archive = Archive::plain(1);
    let (from_ns, to_ns) = (3600 * SECOND_NS, 3700 * SECOND_NS);
    let player = archive.player(from_ns, to_ns, "smart", "! fakesink");
    let (error, text) = only_error(&player);
    assert!(error.matches(gst::ResourceError::NotFound), "{error:?}");
    assert_says(
        &text,
        &["nothing is recorded", &archive.utc(from_ns).to_string()],
    );
}

#[test]
fn a_hole_is_told_with_its_exact_times() {
    let archive = Archive::plain(2);
    let player = archive.player(SECOND_NS, 4 * SECOND_NS, "smart", "! fakesink");
    let (error, text) = only_error(&player);
    assert!(error.matches(gst::ResourceError::NotFound), "{error:?}");
    assert_says(
        &text,
        &[&format!(
            "{} to {}",
            archive.utc(2 * SECOND_NS),
            archive.utc(4 * SECOND_NS)
        )],
    );
}

#[test]
fn a_segment_that_is_no_segment_is_named() {
    let archive = Archive::plain(3);
    let segments = readback::segments(archive.root());
    let broken = &segments.get(1).expect("one a second").path;
    fs::write(broken, b"not a segment").expect("writable");
    let (_, text) = only_error(&archive.player(0, 3 * SECOND_NS, "copy", "! fakesink"));
    assert_says(
        &text,
        &[
            &archive.utc(SECOND_NS).to_string(),
            "neither MP4 nor MPEG-TS",
        ],
    );
}

/// It was whole when the cut was planned.
#[test]
fn a_segment_that_goes_while_it_is_played_is_one_error() {
    let archive = Archive::plain(4);
    let line = "src.video ! queue max-size-buffers=1 ! fakesink name=video \
        src.audio_0 ! queue max-size-buffers=1 ! fakesink name=audio";
    let player = archive.player(0, 4 * SECOND_NS, "copy", line);
    player.reach(gst::State::Paused);
    let segments = readback::segments(archive.root());
    let last = &segments.last().expect("one a second").path;
    fs::remove_file(last).expect("it is there");
    let (error, text) = only_error(&player);
    assert!(error.matches(gst::ResourceError::NotFound), "{error:?}");
    assert_says(&text, &[last.to_str().expect("UTF-8")]);
}

#[test]
fn a_bad_uri_is_refused_with_the_reason() {
    gst::init().expect("GStreamer starts");
    gstsegmenter::plugin_register_static().expect("the plugin registers");
    let uri = "archive:///srv/archive/cam/source?start=2026-11-20T10:31:06Z";
    let made = gst::Element::make_from_uri(gst::URIType::Src, uri, None);
    let error = made.expect_err("it has no end");
    assert!(error.matches(gst::URIError::BadUri), "{error:?}");
    assert_says(error.message(), &["no stop"]);
}
