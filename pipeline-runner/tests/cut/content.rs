// SPDX-License-Identifier: MPL-2.0
//! What is in a cut, and what is said of it.

use std::fs;

use gstsegmenter::archive::Container;
use serde_json::json;

use crate::support::{
    Cutting, FRAMES, WHOLE, cut, on_a_terminal, pictures, range, source_pictures,
};

const BOTH: [Container; 2] = [Container::Mp4, Container::Ts];
const SECOND_NS: i64 = 1_000_000_000;

/// Asserts that these ranges of frames, and nothing else, are seen.
#[track_caller]
fn assert_seen(cutting: &Cutting, frames: impl IntoIterator<Item = usize>) {
    let source = source_pictures(&cutting.archive);
    assert_eq!(source.len(), FRAMES);
    let wanted: Vec<usize> = frames.into_iter().collect();
    let seen = pictures(&cutting.path("a.mp4"));
    let number = |seen: &String| source.iter().position(|held| held == seen);
    let seen: Vec<usize> = seen.iter().filter_map(number).collect();
    assert_eq!(seen, wanted);
}

#[test]
fn a_copy_shows_the_frames_of_its_range_and_no_other() {
    for container in BOTH {
        let cutting = Cutting::new(container);
        let [option, value] = range("07.00", "11.13");
        // The first at or after 0.75 s is at 0.76 s, and the last before 4.88 s at 4.84 s.
        let json = cut(&cutting, &[&option, &value, "--type", "copy"]);
        assert_seen(&cutting, 19..122);
        let bytes = fs::metadata(cutting.path("a.mp4")).expect("a file").len();
        let etag = json["etag"].as_str().expect("a validator");
        assert_eq!(
            json,
            json!({
                "output": "a.mp4",
                "bytes": bytes,
                "start": "2026-11-20T10:31:07.01Z",
                "end": "2026-11-20T10:31:11.13Z",
                "duration_ns": 4_120_000_000_i64,
                "frames": { "copied": 103, "encoded": 0 },
                "holes": [],
                "skipped": [],
                "etag": etag,
            })
        );
        assert!(etag.len() >= 16, "{etag}");
    }
}

#[test]
fn what_begins_with_a_segment_is_copied_whatever_its_type() {
    for container in BOTH {
        let cutting = Cutting::new(container);
        for kind in ["smart", "fast", "copy"] {
            let [option, value] = range("08.25", "11.25");
            let json = cut(&cutting, &[&option, &value, "--type", kind]);
            assert_seen(&cutting, 50..125);
            assert_eq!(json["frames"], json!({ "copied": 75, "encoded": 0 }));
            assert_eq!(json["duration_ns"], 3 * SECOND_NS);
        }
    }
}

#[test]
fn what_begins_between_keyframes_is_encoded_up_to_the_next() {
    for container in BOTH {
        let cutting = Cutting::new(container);
        let [option, value] = range("07.00", "11.13");
        let json = cut(&cutting, &[&option, &value]);
        assert_eq!(json["start"], "2026-11-20T10:31:07.01Z");
        assert_eq!(json["end"], "2026-11-20T10:31:11.13Z");
        let copied = json["frames"]["copied"].as_u64().expect("a number");
        let encoded = json["frames"]["encoded"].as_u64().expect("a number");
        assert_eq!(copied + encoded, 103, "{json}");
        // A keyframe comes each second.
        assert!((1..25).contains(&encoded), "{json}");
        let source = source_pictures(&cutting.archive);
        let seen = pictures(&cutting.path("a.mp4"));
        assert_eq!(seen.len(), 103);
        let encoded = usize::try_from(encoded).expect("few");
        assert_eq!(seen[encoded..], source[19 + encoded..122], "bit-exact");

        let json = cut(&cutting, &[&option, &value, "--type", "full"]);
        assert_eq!(json["frames"], json!({ "copied": 0, "encoded": 103 }));
        assert_eq!(pictures(&cutting.path("a.mp4")).len(), 103);
    }
}

#[test]
fn an_encoder_can_be_chosen_and_one_that_is_none_is_told() {
    let cutting = Cutting::new(Container::Mp4);
    let arguments = ["--type", "full", "--output", "a.mp4", "--encoder"];
    let with = |encoder| [&WHOLE[..], &arguments, &[encoder]].concat();
    cutting.run(&with("x264enc")).with_code(0);
    fs::remove_file(cutting.path("a.mp4")).expect("it is removed");
    for encoder in ["no-such-element", "fakesink", "x265enc"] {
        cutting.refuses(1, &with(encoder), &[encoder]);
    }
}

#[test]
fn a_rough_cut_is_of_whole_segments() {
    for container in BOTH {
        let cutting = Cutting::new(container);
        let [option, value] = range("07.00", "09.00");
        let json = cut(&cutting, &[&option, &value, "--type", "rough"]);
        assert_seen(&cutting, 0..100);
        assert_eq!(json["start"], "2026-11-20T10:31:06.25Z");
        assert_eq!(json["end"], "2026-11-20T10:31:10.25Z");
    }
}

#[test]
fn several_ranges_are_joined_in_the_order_given() {
    for container in BOTH {
        let cutting = Cutting::new(container);
        let ranges = [
            range("10.25", "11.25"),
            range("06.25", "07.25"),
            range("08.25", "09.25"),
        ];
        let ranges: Vec<&str> = ranges.iter().flatten().map(String::as_str).collect();
        for kind in ["copy", "smart"] {
            let json = cut(&cutting, &[&ranges[..], &["--type", kind]].concat());
            assert_eq!(json["frames"]["copied"], 75, "{kind}");
            assert_seen(&cutting, (100..125).chain(0..25).chain(50..75));
            assert_eq!(json["duration_ns"], 3 * SECOND_NS, "{kind}");
        }
    }
}

#[test]
fn progress_is_shown_on_a_terminal_unless_quiet() {
    let cutting = Cutting::new(Container::Mp4);
    let arguments = ["--type", "full", "--output", "a.mp4", "--force"];
    let on_a_terminal = |option: &[&str]| {
        let arguments = [&WHOLE[..], &arguments, option].concat();
        let answer = on_a_terminal(&cutting.command(&arguments));
        answer.with_code(0).to_owned()
    };
    let said = on_a_terminal(&[]);
    for part in ["encoding", " left", "150 frames (150 encoded)"] {
        assert!(said.contains(part), "{part}: {said:?}");
    }
    assert_eq!(on_a_terminal(&["--quiet"]), "");
    let json = on_a_terminal(&["--json"]);
    assert!(json.starts_with('{') && json.ends_with("}\r\n"), "{json:?}");
}

/// What is said on standard error with GStreamer's log switched on.
fn said_with_log(kind: &str) -> String {
    let cutting = Cutting::new(Container::Mp4);
    let arguments = ["--type", kind, "--output", "a.mp4"];
    let mut command = cutting.command(&[&WHOLE[..], &arguments].concat());
    let output = command.env("GST_DEBUG", "4").output().expect("it runs");
    assert!(output.status.success());
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn a_copy_does_not_start_gstreamer() {
    let said = said_with_log("copy");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn where_gstreamer_is_started_its_log_is_the_one_without_secrets() {
    let said = said_with_log("full");
    let lines = said.lines().filter(|line| line.contains("GST_INIT"));
    let lines: Vec<&str> = lines.collect();
    assert!(lines.len() > 1, "{said}");
    for line in lines {
        // GStreamer's own lines begin with the time since it started.
        assert!(line.starts_with("INFO    GST_INIT"), "{line}");
    }
}
