// SPDX-License-Identifier: MPL-2.0
//! What is in a cut, and what is said of it.

use std::fs;

use gstsegmenter::archive::Container;
use serde_json::{Value, json};

use crate::material::TestArchive;
use crate::support::{Cutting, FRAMES, WHOLE, pictures, range, source_pictures};

const SECOND_NS: i64 = 1_000_000_000;

/// Cuts to `a.mp4`, and returns what was said of it as JSON.
#[track_caller]
fn cut(cutting: &Cutting, arguments: &[&str]) -> Value {
    let to = ["--output", "a.mp4", "--force", "--json"];
    let answer = cutting.run(&[arguments, &to].concat());
    let json = answer.json_with_code(0);
    assert_eq!(answer.err, "");
    json
}

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
    let cutting = Cutting::new(Container::Mp4);
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
            "etag": etag,
        })
    );
    assert!(etag.len() >= 16, "{etag}");
}

#[test]
fn a_cut_at_keyframes_is_copied_whatever_its_type() {
    let cutting = Cutting::new(Container::Mp4);
    for kind in ["smart", "fast", "copy"] {
        let [option, value] = range("07.25", "11.25");
        let json = cut(&cutting, &[&option, &value, "--type", kind]);
        assert_seen(&cutting, 25..125);
        assert_eq!(json["frames"], json!({ "copied": 100, "encoded": 0 }));
        assert_eq!(json["duration_ns"], 4 * SECOND_NS);
    }
}

#[test]
fn a_rough_cut_is_of_whole_segments() {
    let cutting = Cutting::new(Container::Mp4);
    let [option, value] = range("07.00", "09.00");
    let json = cut(&cutting, &[&option, &value, "--type", "rough"]);
    assert_seen(&cutting, 0..100);
    assert_eq!(json["start"], "2026-11-20T10:31:06.25Z");
    assert_eq!(json["end"], "2026-11-20T10:31:10.25Z");
}

#[test]
fn several_ranges_are_joined_in_the_order_given() {
    let cutting = Cutting::new(Container::Mp4);
    let ranges = [
        range("10.25", "11.25"),
        range("06.25", "07.25"),
        range("08.25", "09.25"),
    ];
    let ranges: Vec<&str> = ranges.iter().flatten().map(String::as_str).collect();
    for kind in ["copy", "smart"] {
        let json = cut(&cutting, &[&ranges[..], &["--type", kind]].concat());
        assert_seen(&cutting, (100..125).chain(0..25).chain(50..75));
        assert_eq!(json["duration_ns"], 3 * SECOND_NS, "{kind}");
    }
}

/// An archive without its second segment.
fn with_a_hole() -> Cutting {
    let archive = TestArchive::recorded(Container::Mp4);
    fs::remove_file(&archive.segments()[1]).expect("it is removed");
    Cutting::of(archive)
}

#[test]
fn a_hole_is_refused_with_its_times_unless_it_is_allowed() {
    let cutting = with_a_hole();
    for kind in ["copy", "smart", "rough", "full"] {
        let arguments = [&WHOLE[..], &["--type", kind, "--output", "a.mp4"]].concat();
        let hole = "2026-11-20T10:31:08.25Z to 2026-11-20T10:31:10.25Z";
        cutting.refuses(1, &arguments, &["a hole", hole, "--allow-holes"]);
    }
    let json = cut(
        &cutting,
        &[&WHOLE[..], &["--allow-holes", "--type", "copy"]].concat(),
    );
    assert_eq!(
        json["holes"],
        json!([{
            "start": "2026-11-20T10:31:08.25Z",
            "end": "2026-11-20T10:31:10.25Z",
            "duration_ns": 2 * SECOND_NS,
        }])
    );
    assert_eq!(json["frames"]["copied"], 100);
    assert_eq!(json["duration_ns"], 4 * SECOND_NS);
    assert_eq!(pictures(&cutting.path("a.mp4")).len(), 100);
}

#[test]
fn the_time_of_a_hole_is_kept_if_asked() {
    let cutting = with_a_hole();
    let arguments = [&WHOLE[..], &["--allow-holes", "--gaps", "keep"]].concat();
    let json = cut(&cutting, &[&arguments[..], &["--type", "copy"]].concat());
    assert_eq!(json["duration_ns"], 6 * SECOND_NS);
    assert_eq!(json["frames"]["copied"], 100);
}

#[test]
fn people_are_told_what_was_written_and_what_is_missing() {
    let cutting = with_a_hole();
    let arguments = ["--allow-holes", "--type", "copy", "--output", "a.mp4"];
    let answer = cutting.run(&[&WHOLE[..], &arguments].concat());
    assert_eq!(answer.with_code(0), "");
    let lines: Vec<&str> = answer.err.lines().collect();
    let [written, missing] = lines[..] else {
        panic!("{answer:?}");
    };
    let times = "a.mp4: 2026-11-20T10:31:06.25Z to 2026-11-20T10:31:12.25Z (4s), 100 frames, ";
    assert!(written.starts_with(times), "{written}");
    assert_eq!(
        missing,
        "missing: 2026-11-20T10:31:08.25Z to 2026-11-20T10:31:10.25Z (2s)"
    );
}

#[test]
fn a_copy_does_not_start_gstreamer() {
    let cutting = Cutting::new(Container::Mp4);
    let arguments = ["--type", "copy", "--output", "a.mp4"];
    let mut command = cutting.command(&[&WHOLE[..], &arguments].concat());
    let output = command.env("GST_DEBUG", "5").output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(said.lines().count(), 1, "{said}");
}
