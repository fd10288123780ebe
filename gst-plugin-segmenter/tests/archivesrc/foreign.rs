// SPDX-License-Identifier: MPL-2.0
//! Segments that somebody else made: what cannot be played of them is said, the rest plays.

use std::path::Path;
use std::process::Command;

use gst::prelude::*;

/// An archive of one segment of two seconds, made by ffmpeg.
fn archive(extension: &str, options: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let hour = folder.path().join("cam/source/2026-11-20T10");
    std::fs::create_dir_all(&hour).expect("a folder");
    let hash = "A".repeat(43);
    let path = hour.join(format!("31:00.0-2.0-full-{hash}.{extension}"));
    encode(&path, options);
    folder
}

fn encode(path: &Path, options: &str) {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error"]);
    ffmpeg.args([
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x120:rate=25:duration=2",
    ]);
    ffmpeg.args(["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=2"]);
    ffmpeg.args(options.split_whitespace()).arg(path);
    assert!(ffmpeg.status().expect("ffmpeg is installed").success());
}

/// What was said on the bus, and what each pad gave.
struct Played {
    skipped: Vec<[String; 3]>,
    warnings: usize,
    caps: Vec<gst::Caps>,
    turned: Vec<String>,
}

fn play(archive: &Path) -> Played {
    gst::init().expect("GStreamer starts");
    gstsegmenter::plugin_register_static().expect("the plugin registers");
    let pipeline = gst::Pipeline::new();
    let source = gst::ElementFactory::make("archivesrc")
        .property("location", archive.to_str().expect("UTF-8"))
        .property("stream", "cam")
        .property("start", "2026-11-20T10:31:00.2Z")
        .property("stop", "2026-11-20T10:31:01.8Z")
        .build()
        .expect("registered above");
    pipeline.add(&source).expect("a new pipeline");
    let weak = pipeline.downgrade();
    source.connect_pad_added(move |_, pad| {
        let pipeline = weak.upgrade().expect("it is playing");
        let sink = gst::ElementFactory::make("fakesink").build();
        let sink = sink.expect("a core element");
        pipeline.add(&sink).expect("a new element");
        sink.sync_state_with_parent().expect("it starts");
        let to = sink.static_pad("sink").expect("a sink has one");
        pad.link(&to).expect("it takes anything");
    });
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let mut played = Played {
        skipped: Vec::new(),
        warnings: 0,
        caps: Vec::new(),
        turned: Vec::new(),
    };
    for message in bus.iter_timed(gst::ClockTime::from_seconds(30)) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => panic!("{error:?}"),
            gst::MessageView::Warning(_) => played.warnings += 1,
            gst::MessageView::Element(element) => {
                let s = element.structure().expect("it has one");
                if s.name() == "archive-skipped" {
                    let field = |name: &str| s.get::<String>(name).expect("a text");
                    let fields = ["track", "codec", "reason"].map(field);
                    played.skipped.push(fields);
                }
            }
            _ => {}
        }
    }
    for pad in source.src_pads() {
        played.caps.extend(pad.current_caps());
        if let Some(event) = pad.sticky_event::<gst::event::Tag>(0) {
            let name = event.tag().get::<gst::tags::ImageOrientation>();
            played.turned.extend(name.map(|name| name.get().to_owned()));
        }
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    played
}

#[test]
fn a_track_that_cannot_be_played_is_said_and_the_others_play() {
    let options = "-map 0 -map 1 -map 1 -c:v libx264 -c:a:0 mp2 -c:a:1 dca -ac 2 -strict -2";
    let archive = archive("ts", options);
    let played = play(archive.path());
    let [[track, codec, reason]] = &played.skipped[..] else {
        panic!("one is left out: {:?}", played.skipped);
    };
    assert_eq!((&**track, &**codec), ("PID 258", "DTS (stream type 0x82)"));
    assert!(reason.contains("can be cut"), "{reason}");
    assert_eq!(played.warnings, 1);
    let [_, sound] = &played.caps[..] else {
        panic!("pictures and one sound: {:?}", played.caps);
    };
    let sound = sound.structure(0).expect("one");
    assert_eq!(sound.get("layer"), Ok(2), "the first frame says so");
}

#[test]
fn how_pictures_are_turned_is_told_by_a_tag() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = folder.path().join("plain.mp4");
    encode(&plain, "-c:v libx264 -c:a aac");
    let plain = plain.to_str().expect("UTF-8");
    let turn = format!("-i {plain} -map 2 -c copy -metadata:s:v:0 rotate=270");
    let played = play(archive("mp4", &turn).path());
    assert_eq!(played.skipped, Vec::<[String; 3]>::new());
    // ffmpeg 5.1 counts this option the other way round: ffprobe calls it -90, a quarter clockwise.
    assert_eq!(played.turned, ["rotate-90"]);
    let played = play(archive("mp4", "-c:v libx264 -c:a aac").path());
    assert_eq!(played.turned, Vec::<String>::new());
}
