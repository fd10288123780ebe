// SPDX-License-Identifier: MPL-2.0
//! `archive coverage`.

use std::fs;
use std::io::IoSlice;

use gstsegmenter::archive::{Container, Kind, SegmentFile};
use gstsegmenter::media::Index;
use gstsegmenter::utc::SECOND_NS;
use serde_json::{Value, json};

use crate::material::{START, TestArchive, parse, rename};

const BOTH: [Container; 2] = [Container::Mp4, Container::Ts];

fn coverage(archive: &TestArchive, arguments: &[&str]) -> Value {
    let arguments = [&["cam", "--json"], arguments].concat();
    let mut json = archive.run("coverage", &arguments).json_with_code(0);
    json["variants"][0]["coverage"].take()
}

fn span(start: &str, end: &str, duration_ns: i64) -> Value {
    let time = |time| format!("2026-11-20T10:31:{time}Z");
    json!({ "start": time(start), "end": time(end), "duration_ns": duration_ns })
}

#[test]
fn an_unbroken_recording_is_covered_from_its_first_frame_to_its_last() {
    for container in BOTH {
        let archive = TestArchive::recorded(container);
        let coverage = coverage(&archive, &[]);
        assert_eq!(coverage["start"], "2026-11-20T10:31:06.25Z");
        assert_eq!(coverage["end"], "2026-11-20T10:31:12.25Z");
        assert_eq!(coverage["covered_ns"], 6 * SECOND_NS);
        assert_eq!(coverage["missing_ns"], 0);
        assert_eq!(coverage["covered_percent"], 100.0);
        assert_eq!(coverage["full_ns"], 6 * SECOND_NS);
        assert_eq!(coverage["holes"], json!([]));
        assert_eq!(coverage["overlaps"], json!([]));
        assert_eq!(coverage["discontinuities"], json!([]));
        assert_eq!(coverage["ranges"][0]["segments"], 3);
    }
}

#[test]
fn a_hole_is_told_exactly_and_what_follows_it_does_not_carry_on() {
    for container in BOTH {
        let archive = TestArchive::recorded(container);
        fs::remove_file(&archive.segments()[1]).expect("it is removed");
        let coverage = coverage(&archive, &[]);
        let hole = span("08.25", "10.25", 2 * SECOND_NS);
        assert_eq!(coverage["holes"], json!([hole]));
        assert_eq!(coverage["missing_ns"], 2 * SECOND_NS);
        assert_eq!(coverage["covered_percent"], 66.66);
        assert_eq!(
            coverage["discontinuities"],
            json!(["2026-11-20T10:31:10.25Z"])
        );
        let answer = archive.run("coverage", &["cam"]);
        let text = answer.with_code(0);
        let hole = "2026-11-20T10:31:08.250000Z  2026-11-20T10:31:10.250000Z      2s  MISSING";
        assert!(text.contains(hole), "{text}");
        assert!(text.contains("missing 2s (33.33 %) in 1 hole\n"), "{text}");
    }
}

#[test]
fn a_tombstone_makes_a_hole() {
    let archive = TestArchive::recorded(Container::Mp4);
    let buried = &archive.segments()[0];
    fs::write(buried.with_extension("tombstone"), "").expect("a tombstone");
    let coverage = coverage(&archive, &["--start", "2026-11-20T10:31:06.25"]);
    assert_eq!(
        coverage["holes"],
        json!([span("06.25", "08.25", 2 * SECOND_NS)])
    );
}

#[test]
fn what_was_recorded_twice_is_told() {
    let archive = TestArchive::recorded(Container::Mp4);
    let second = &archive.segments()[1];
    let mut name = parse(second);
    name.start = name.start - SECOND_NS;
    fs::copy(second, second.with_file_name(name.to_string())).expect("a copy");
    let coverage = coverage(&archive, &[]);
    assert_eq!(
        coverage["overlaps"],
        json!([span("07.25", "09.25", 2 * SECOND_NS)])
    );
    assert_eq!(coverage["missing_ns"], 0);
    let answer = archive.run("coverage", &["cam"]);
    assert!(answer.with_code(0).contains("OVERLAP FROM"), "{answer:?}");
}

#[test]
fn qualities_are_told_apart() {
    let archive = TestArchive::recorded(Container::Ts);
    let segments = archive.segments();
    rename(&segments[0], |name| name.kind = Kind::Suspect);
    rename(&segments[2], |name| name.kind = Kind::Partial);
    let coverage = coverage(&archive, &[]);
    for quality in ["full_ns", "suspect_ns", "partial_ns"] {
        assert_eq!(coverage[quality], 2 * SECOND_NS, "{quality}");
    }
    let ranges = coverage["ranges"].as_array().expect("a list");
    let qualities: Vec<_> = ranges.iter().map(|range| &range["quality"]).collect();
    assert_eq!(qualities, ["suspect", "full", "partial"]);
}

#[test]
fn what_is_growing_counts_for_as_long_as_what_is_in_it() {
    let archive = TestArchive::recorded(Container::Mp4);
    let last = archive.segments()[2].clone();
    let bytes = fs::read(&last).expect("it is read");
    let index = Index::read(std::io::Cursor::new(&bytes)).expect("an index");
    // All of its chunks but the last, and the head of that.
    let chunk = index.chunks.last().expect("a chunk");
    let cut = usize::try_from(chunk.start).expect("small") + 20;
    let frames = index.tracks[0].samples.iter();
    let frames = frames.filter(|sample| sample.offset < chunk.start).count() as i64;
    fs::remove_file(&last).expect("it is removed");
    let start = parse(&last).start;
    let root = archive.root();
    let growing = SegmentFile::create(&root, "cam", "source", start, 2 * SECOND_NS, Container::Mp4);
    let mut growing = growing.expect("it grows");
    let appended = growing.append(&mut [IoSlice::new(&bytes[..cut])]);
    appended.expect("it is written");

    let coverage = coverage(&archive, &[]);
    assert_eq!(coverage["growing_ns"], frames * SECOND_NS / 25);
    assert_eq!(coverage["missing_ns"], 0);
    assert_eq!(coverage["ranges"][1]["quality"], "growing");
    drop(growing);
}

#[test]
fn a_range_without_an_offset_is_utc_and_what_lies_around_the_recording_is_missing() {
    let archive = TestArchive::recorded(Container::Mp4);
    for (start, end) in [
        ("2026-11-20T10:31:00", "2026-11-20T10:31:20"),
        ("2026-11-20T10:31:00Z", "2026-11-20T10:31:20Z"),
        ("2026-11-20T12:31:00+02:00", "2026-11-20T05:31:20-05:00"),
    ] {
        let coverage = coverage(&archive, &["--start", start, "--end", end]);
        assert_eq!(coverage["duration_ns"], 20 * SECOND_NS);
        assert_eq!(coverage["covered_ns"], 6 * SECOND_NS);
        let holes = [
            span("00", "06.25", 6_250_000_000),
            span("12.25", "20", 7_750_000_000),
        ];
        assert_eq!(coverage["holes"], json!(holes));
    }
}

#[test]
fn a_start_before_now_means_up_to_now() {
    let archive = TestArchive::recorded(Container::Mp4);
    for arguments in [&["--start", "-90m"][..], &["--start=-90m", "--end", "now"]] {
        let coverage = coverage(&archive, arguments);
        assert_eq!(coverage["duration_ns"], 5400 * SECOND_NS);
    }
}

#[test]
fn a_start_behind_all_that_is_recorded_is_told_what_is() {
    let archive = TestArchive::recorded(Container::Mp4);
    let answer = archive.run("coverage", &["cam", "--start", "2027-01-01T00:00"]);
    let error = answer.error_with_code(1);
    let end = "to 2026-11-20T10:31:12.250000Z only";
    assert!(error.contains(end), "{error}");
}

#[test]
fn every_variant_is_covered_unless_one_is_named() {
    let archive = TestArchive::recorded(Container::Mp4);
    archive.add_recording("cam", "backup", Container::Ts);
    fs::create_dir_all(archive.root().join("cam/empty")).expect("a folder");
    let all = archive
        .run("coverage", &["cam", "--json"])
        .json_with_code(0);
    let variants = all["variants"].as_array().expect("a list");
    let names: Vec<_> = variants.iter().map(|variant| &variant["variant"]).collect();
    assert_eq!(names, ["backup", "empty", "source"]);
    assert_eq!(variants[1]["coverage"], json!(null));
    let one = archive.run("coverage", &["cam", "--variant", "backup", "--json"]);
    let one = one.json_with_code(0);
    assert_eq!(one["variants"].as_array().map(Vec::len), Some(1));
    assert_eq!(START.to_string(), one["variants"][0]["coverage"]["start"]);
}
