// SPDX-License-Identifier: MPL-2.0
//! What is missing of a range: refused with its exact times, or left out and listed; never passed
//! over in silence.

use std::fs;

use gstsegmenter::archive::{Container, name};
use gstsegmenter::utc::UtcNs;
use serde_json::{Value, json};

use crate::material::{START, TestArchive, alter, parse};
use crate::support::{Cutting, FRAMES, WHOLE, at, cut, pictures, range};

const BOTH: [Container; 2] = [Container::Mp4, Container::Ts];
const SECOND_NS: i64 = 1_000_000_000;
const FRAME_NS: i64 = 40_000_000;
/// Every kind of cut, and where to.
const WAYS: [[&str; 4]; 7] = [
    ["--type", "copy", "--output", "a.mp4"],
    ["--type", "smart", "--output", "a.mp4"],
    ["--type", "rough", "--output", "a.mp4"],
    ["--type", "full", "--output", "a.mp4"],
    ["--type", "smart", "--output", "a.ts"],
    ["--type", "rough", "--output", "a.ts"],
    ["--type", "full", "--output", "a.ts"],
];

/// How long all holes are together.
fn missing_ns(json: &Value) -> i64 {
    let holes = json["holes"].as_array().expect("a list").iter();
    holes.filter_map(|hole| hole["duration_ns"].as_i64()).sum()
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
fn holes_at_the_start_in_the_middle_and_at_the_end_are_all_told() {
    for container in BOTH {
        let archive = TestArchive::recorded(container);
        fs::remove_file(&archive.segments()[1]).expect("it is removed");
        let cutting = Cutting::of(archive);
        let [option, value] = range("05.000001", "13.5");
        let holes = [
            ("05.000001", "06.25"),
            ("08.25", "10.25"),
            ("12.25", "13.5"),
        ];
        let told = holes.map(|(from, to)| format!("{} to {}", at(from), at(to)));
        let words: Vec<&str> = told.iter().map(String::as_str).collect();
        for way in WAYS {
            let arguments = [&[&*option, &*value][..], &way].concat();
            cutting.refuses(1, &arguments, &[&["3 holes"][..], &words].concat());
        }
        let json = cut(&cutting, &[&option, &value, "--allow-holes"]);
        let listed: Vec<_> = json["holes"].as_array().expect("a list").iter().collect();
        for (hole, (from, to)) in listed.iter().zip(holes) {
            assert_eq!(hole["start"], at(from));
            assert_eq!(hole["end"], at(to));
        }
        assert_eq!(
            (listed.len(), json["duration_ns"].as_i64()),
            (3, Some(4 * SECOND_NS))
        );
        assert_eq!(pictures(&cutting.path("a.mp4")).len(), 100);
    }
}

/// A recording whose hour ends 0.75 s into its second segment. In transport streams the names say
/// when it was.
fn over_the_end_of_an_hour() -> TestArchive {
    let archive = TestArchive::recorded(Container::Ts);
    let hour_end = START.hour() + 3600 * SECOND_NS;
    for segment in archive.segments() {
        let mut named = parse(&segment);
        named.start = hour_end + (named.start - START) - 2_750_000_000;
        let folder = archive.root().join("cam/source");
        let folder = folder.join(name::hour_folder(named.start.hour()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::rename(&segment, folder.join(named.to_string())).expect("it is renamed");
    }
    archive
}

#[test]
fn a_range_over_the_end_of_an_hour_has_no_hole_but_those_there_are() {
    let around: [&str; 2] = ["--range", "2026-11-20T10:59:58Z,2026-11-20T11:00:02.25Z"];
    let cutting = Cutting::of(over_the_end_of_an_hour());
    for kind in ["copy", "smart"] {
        let json = cut(&cutting, &[&around[..], &["--type", kind]].concat());
        assert_eq!(json["holes"], json!([]));
        let frames = &json["frames"];
        let count = |what: &str| frames[what].as_u64().expect("a number");
        assert_eq!(count("copied") + count("encoded"), 106, "{json}");
        assert_eq!(pictures(&cutting.path("a.mp4")).len(), 106);
    }
    let archive = over_the_end_of_an_hour();
    fs::remove_file(&archive.segments()[1]).expect("it is removed");
    let cutting = Cutting::of(archive);
    let hole = "2026-11-20T10:59:59.25Z to 2026-11-20T11:00:01.25Z";
    for way in WAYS {
        cutting.refuses(1, &[&around[..], &way].concat(), &["a hole", hole]);
    }
}

/// Whatever a crash or a bad disk took: what is shown and what is said to be missing are all there
/// was.
#[test]
fn what_a_cut_off_segment_lacks_is_a_hole_to_the_frame() {
    let whole_ns = i64::try_from(FRAMES).expect("few") * FRAME_NS;
    for container in BOTH {
        for (segment, percent) in [(0, 55), (1, 20), (1, 90), (2, 70)] {
            let archive = TestArchive::recorded(container);
            let path = &archive.segments()[segment];
            let end = UtcNs(START.0 + (segment as i64 + 1) * 2 * SECOND_NS);
            alter(path, |bytes| bytes.truncate(bytes.len() * percent / 100));
            let cutting = Cutting::of(archive);
            for way in WAYS {
                let arguments = [&WHOLE[..], &way].concat();
                cutting.refuses(1, &arguments, &["a hole", &format!("to {end}")]);
            }
            for kind in ["copy", "smart"] {
                let arguments = [&WHOLE[..], &["--allow-holes", "--type", kind]].concat();
                let json = cut(&cutting, &arguments);
                let shown = pictures(&cutting.path("a.mp4")).len();
                let shown_ns = i64::try_from(shown).expect("few") * FRAME_NS;
                assert_eq!(json["duration_ns"], shown_ns, "{json}");
                assert_eq!(shown_ns + missing_ns(&json), whole_ns, "{json}");
            }
        }
    }
}
