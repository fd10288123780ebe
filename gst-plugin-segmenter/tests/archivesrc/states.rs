// SPDX-License-Identifier: MPL-2.0
//! Going up and down the states, at any moment: nothing hangs, nothing stays behind.

use std::fs;

use gst::prelude::*;

use crate::support::archive::{Archive, SECOND_NS};
use crate::support::player::{AS_IS, DECODED, Player, digests};

/// Links pads each time they come, which a launch line does once.
fn relinked(archive: &Archive, from_ns: i64, to_ns: i64) -> Player {
    let line = "queue name=to-video ! h264parse ! avdec_h264 ! fakesink name=video \
        queue name=to-audio_0 ! aacparse ! avdec_aac ! fakesink name=audio";
    let player = archive.player(from_ns, to_ns, "copy", line);
    let pipeline = player.pipeline.downgrade();
    let source = player.pipeline.by_name("src").expect("it is in the line");
    source.connect_pad_added(move |_, pad| {
        let pipeline = pipeline.upgrade().expect("it is playing");
        let next = pipeline.by_name(&format!("to-{}", pad.name()));
        let sink = next.expect("it is in the line").static_pad("sink");
        pad.link(&sink.expect("it has one")).expect("it is free");
    });
    player
}

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).expect("Linux has it").count()
}

/// Each test is a process of its own: what is open is what it opened.
#[test]
fn starting_and_stopping_again_and_again_leaves_nothing_behind() {
    let archive = Archive::pyramid(4);
    let player = relinked(&archive, SECOND_NS, 3 * SECOND_NS);
    let source = player.pipeline.by_name("src").expect("it is in the line");
    let cycle = || {
        player.reach(gst::State::Paused);
        player.reach(gst::State::Ready);
        assert!(source.pads().is_empty());
    };
    (0..3).for_each(|_| cycle());
    let (files, threads) = (entries("/proc/self/fd"), entries("/proc/self/task"));
    (0..30).for_each(|_| cycle());
    assert!(entries("/proc/self/fd") <= files);
    player.wait_until("threads to end", |_| entries("/proc/self/task") <= threads);
    player.play();
    let pictures = digests(&player.pictures());
    assert!(pictures.ends_with(archive.shown(SECOND_NS, 3 * SECOND_NS)));
}

#[test]
fn stopping_while_it_is_still_starting_is_no_matter() {
    let archive = Archive::pyramid(4);
    let player = relinked(&archive, SECOND_NS, 3 * SECOND_NS);
    for _ in 0..50 {
        player.set_state(gst::State::Paused);
        player.reach(gst::State::Ready);
    }
    player.play();
    assert!(!player.pictures().is_empty());
}

#[test]
fn the_element_is_gone_when_nobody_holds_it() {
    let archive = Archive::pyramid(3);
    let player = archive.player(0, 3 * SECOND_NS, "copy", DECODED);
    let source = player.pipeline.by_name("src").expect("it is in the line");
    let weak = source.downgrade();
    drop(source);
    player.play();
    drop(player);
    assert!(weak.upgrade().is_none());
}

#[test]
fn what_the_cut_holds_is_told_before_its_pads_are_there() {
    let archive = Archive::pyramid(3);
    let player = archive.player(300_000_000, 2 * SECOND_NS, "copy", AS_IS);
    player.reach(gst::State::Paused);
    let bus = player.pipeline.bus().expect("a pipeline has a bus");
    let messages = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Element]));
    let told: Vec<gst::Structure> = messages
        .filter_map(|message| message.structure().map(|structure| structure.to_owned()))
        .filter(|structure| structure.name() == "archive-cut")
        .collect();
    let [told] = &told[..] else {
        panic!("once: {told:?}");
    };
    let text = |field: &str| told.get::<String>(field).expect("it is told");
    assert_eq!(text("start"), archive.utc(320_000_000).to_string());
    assert_eq!(text("end"), archive.utc(2 * SECOND_NS).to_string());
    let duration = told.get::<gst::ClockTime>("duration").expect("it is told");
    assert_eq!(duration, gst::ClockTime::from_mseconds(1680));
    assert_eq!(told.get::<u64>("copied"), Ok(42));
    assert_eq!(told.get::<u64>("encoded"), Ok(0));
    assert_eq!(told.get::<gst::Array>("holes").expect("a list").len(), 0);
}

#[test]
fn stream_ids_are_the_same_each_time_and_the_group_is_one() {
    let archive = Archive::pyramid(2);
    let ids = || {
        let player = archive.player(0, SECOND_NS, "copy", AS_IS);
        player.reach(gst::State::Paused);
        let source = player.pipeline.by_name("src").expect("it is in the line");
        let starts = ["video", "audio_0"].map(|name| {
            let pad = source.static_pad(name).expect("it has one");
            let start = pad.sticky_event::<gst::event::StreamStart>(0);
            start.expect("said first")
        });
        assert_eq!(starts[0].group_id(), starts[1].group_id());
        starts.map(|start| start.stream_id().to_owned())
    };
    let first = ids();
    assert_ne!(first[0], first[1]);
    assert_eq!(first, ids());
}
