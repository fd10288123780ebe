// SPDX-License-Identifier: MPL-2.0
//! Players that are given a URI.

use gst::prelude::*;

use crate::support::archive::{Archive, FRAME_NS, SECOND_NS};
use crate::support::player::{Player, digests};

const FROM_NS: i64 = SECOND_NS + 7 * FRAME_NS;
const TO_NS: i64 = 4 * SECOND_NS + 3 * FRAME_NS;

/// Plays by URI and expects the pictures of the range, and sound.
#[track_caller]
fn assert_plays(archive: &Archive, player: &Player, what: &str) {
    player.play();
    let found = digests(&player.pictures());
    let expected = archive.shown(FROM_NS, TO_NS);
    assert!(
        found == expected,
        "{what}: {} of {}",
        found.len(),
        expected.len()
    );
    assert!(!player.sounds().is_empty(), "{what}");
}

#[test]
fn uridecodebins_play_exactly_the_range() {
    let archive = Archive::pyramid(5);
    let uri = archive.uri(FROM_NS, TO_NS, "copy");
    for element in ["uridecodebin", "uridecodebin3"] {
        let player = Player::launch(&format!(
            "{element} name=src uri={uri} src. ! video/x-raw ! queue ! fakesink name=video \
             src. ! audio/x-raw ! queue ! fakesink name=audio"
        ));
        assert_plays(&archive, &player, element);
    }
}

#[test]
fn playbins_play_exactly_the_range() {
    let archive = Archive::pyramid(5);
    let uri = archive.uri(FROM_NS, TO_NS, "copy");
    for element in ["playbin", "playbin3"] {
        let player = Player::playbin(element, &uri);
        assert_plays(&archive, &player, element);
        let duration = player.pipeline.query_duration::<gst::ClockTime>();
        let expected = archive.shown(FROM_NS, TO_NS).len() as i64 * FRAME_NS;
        let duration = duration.expect("it is known").nseconds().cast_signed();
        assert!((duration - expected).abs() < 20_000, "{duration}");
    }
}

#[test]
fn a_uri_is_what_it_was_set_to() {
    let archive = Archive::plain(2);
    let uri = archive.uri(0, SECOND_NS, "copy");
    let element = gst::Element::make_from_uri(gst::URIType::Src, &uri, None);
    let element = element.expect("archivesrc handles it");
    let handler = element
        .dynamic_cast_ref::<gst::URIHandler>()
        .expect("it is one");
    assert_eq!(handler.uri().as_deref(), Some(uri.as_str()));
    assert_eq!(
        element.property::<String>("start"),
        archive.utc(0).to_string()
    );
}
