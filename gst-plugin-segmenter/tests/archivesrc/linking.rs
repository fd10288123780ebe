// SPDX-License-Identifier: MPL-2.0
//! Pads that nobody takes, or not at first.

use std::sync::Mutex;

use gst::prelude::*;

use crate::support::archive::{Archive, SECOND_NS};
use crate::support::player::digests;

const VIDEO: &str = "src.video ! queue ! h264parse ! avdec_h264 ! fakesink name=video";

#[test]
fn sound_that_nobody_takes_does_not_stop_the_pictures() {
    let archive = Archive::pyramid(3);
    let player = archive.player(0, 3 * SECOND_NS, "smart", VIDEO);
    player.play();
    assert_eq!(digests(&player.pictures()), archive.pictures);
}

#[test]
fn pictures_that_nobody_takes_do_not_stop_the_sound() {
    let archive = Archive::pyramid(3);
    let line = "src.audio_0 ! queue ! aacparse ! fakesink name=audio";
    let player = archive.player(0, 3 * SECOND_NS, "smart", line);
    player.play();
    let last = player.sounds().pop().expect("some came");
    let end_ns = last.running_ns.expect("within") + last.duration_ns;
    assert!((end_ns - 3 * SECOND_NS).abs() < 30_000_000, "{end_ns}");
}

/// On a busy machine the pictures may be done before the first sound is tried.
#[test]
fn sound_that_nobody_takes_after_the_pictures_have_ended_is_no_error() {
    let archive = Archive::pyramid(3);
    let player = archive.player(0, 3 * SECOND_NS, "smart", VIDEO);
    let source = player.pipeline.by_name("src").expect("it is in the line");
    let blocks = gst::PadProbeType::BUFFER | gst::PadProbeType::BLOCK;
    // Nothing is pushed before both pads are there.
    source.connect_pad_added(move |source, sound| {
        if sound.name() != "audio_0" {
            return;
        }
        let held = Mutex::new(sound.add_probe(blocks, |_, _| gst::PadProbeReturn::Ok));
        let (pictures, sound) = (source.static_pad("video"), sound.downgrade());
        let pictures = pictures.expect("it is the first");
        pictures.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            let sound = sound.upgrade().expect("it is playing");
            let is_end = info
                .event()
                .is_some_and(|event| event.type_() == gst::EventType::Eos);
            let held = held.lock().expect("no panic").take_if(|_| is_end);
            if let Some(held) = held {
                sound.remove_probe(held);
                while sound.last_flow_result() != Err(gst::FlowError::NotLinked) {
                    std::thread::yield_now();
                }
            }
            gst::PadProbeReturn::Ok
        });
    });
    player.play();
    assert_eq!(digests(&player.pictures()), archive.pictures);
}

#[test]
fn where_nobody_takes_anything_it_is_an_error_that_says_so() {
    let archive = Archive::plain(2);
    let player = archive.player(
        0,
        2 * SECOND_NS,
        "smart",
        "fakesrc num-buffers=1 ! fakesink",
    );
    player.set_state(gst::State::Paused);
    player.wait_until("an error", |player| match player.error() {
        Some(error) => {
            assert!(error.contains("no pad of archivesrc is linked"), "{error}");
            true
        }
        None => false,
    });
}

#[test]
fn a_pad_that_is_linked_late_goes_on_where_the_others_are() {
    let archive = Archive::pyramid(6);
    let player = archive.player(0, 6 * SECOND_NS, "copy", VIDEO);
    player.reach(gst::State::Paused);
    let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
    let at = gst::ClockTime::from_seconds(4);
    player.pipeline.seek_simple(flags, at).expect("it seeks");
    player.reach(gst::State::Paused);
    let source = player.pipeline.by_name("src").expect("it is in the line");
    let pad = source.static_pad("audio_0").expect("it has one");
    // Until it has found that nobody is there.
    player.wait_until("the sound's task", |_| {
        pad.query_position::<gst::ClockTime>()
            .is_some_and(|position| position >= at)
    });
    let sink = gst::ElementFactory::make("fakesink").property("sync", false);
    let sink = sink
        .property("async", false)
        .build()
        .expect("a core element");
    player.pipeline.add(&sink).expect("a new element");
    sink.sync_state_with_parent().expect("it starts");
    let heard = player.listen(&sink);
    pad.link(&sink.static_pad("sink").expect("it has one"))
        .expect("they fit");
    player.play();
    let heard = heard.lock().expect("no panic");
    let first_ns = heard
        .iter()
        .find_map(|seen| seen.stream_ns)
        .expect("some came");
    assert!(first_ns >= 4 * SECOND_NS, "{first_ns}");
    let last = heard.last().expect("some came");
    let end_ns = last.stream_ns.expect("within") + last.duration_ns;
    assert!((end_ns - 6 * SECOND_NS).abs() < 30_000_000, "{end_ns}");
}
