// SPDX-License-Identifier: MPL-2.0
//! `archive ls`, and what all the commands have in common.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use gstsegmenter::archive::Container;
use serde_json::json;

use crate::material::{Answer, HOUR, TestArchive, pipeline_runner};

/// 1500 segments in an hour, by name only, and as many strays.
fn many() -> TestArchive {
    let archive = TestArchive::new();
    let folder = archive.hour_folder("cam", "source");
    fs::create_dir_all(&folder).expect("a folder");
    for number in 0..1500 {
        let (minute, second) = (number / 60, number % 60);
        let name = format!("{minute:02}:{second:02}.0-1.0-full-{}.ts", "A".repeat(43));
        fs::write(folder.join(name), "").expect("a file");
        fs::write(folder.join(format!("stray {number}")), "").expect("a file");
    }
    archive
}

#[test]
fn each_level_lists_what_is_below_it_in_both_containers() {
    let archive = TestArchive::recorded(Container::Mp4);
    archive.add_recording("cam", "copy", Container::Ts);
    let size = |variant| {
        let files = fs::read_dir(archive.hour_folder("cam", variant)).expect("a folder");
        let sizes = files.map(|file| file.expect("a file").metadata().expect("metadata").len());
        sizes.sum::<u64>()
    };

    let streams = archive.run("ls", &["--json"]).json_with_code(0);
    let stream = &streams["streams"][0];
    assert_eq!(stream["name"], "cam");
    assert_eq!(stream["variants"], 2);
    assert_eq!(stream["segments"], 6);
    assert_eq!(stream["bytes"], size("source") + size("copy"));

    let variants = archive.run("ls", &["cam", "--json"]).json_with_code(0);
    let names = [
        &variants["variants"][0]["name"],
        &variants["variants"][1]["name"],
    ];
    assert_eq!(names, ["copy", "source"]);
    let source = &variants["variants"][1];
    assert_eq!(source["start"], "2026-11-20T10:31:06.25Z");
    assert_eq!(source["end"], "2026-11-20T10:31:12.25Z");
    assert_eq!(source["covered_ns"], 6_000_000_000_i64);

    let hours = archive.run("ls", &["cam", "source", "--json"]);
    let hour = &hours.json_with_code(0)["hours"][0];
    assert_eq!(hour["name"], HOUR);
    assert_eq!(hour["full"], 3);
    assert_eq!(hour["bytes"], size("source"));

    for (variant, container) in [("source", "mp4"), ("copy", "ts")] {
        let answer = archive.run("ls", &["cam", variant, HOUR, "--json"]);
        let segments = answer.json_with_code(0);
        let segments = segments["segments"].as_array().expect("a list");
        assert_eq!(segments.len(), 3);
        for segment in segments {
            assert_eq!(segment["type"], "full");
            assert_eq!(segment["container"], container);
            let path = segment["path"].as_str().expect("a path");
            let bytes = fs::metadata(path).expect("the path is right").len();
            assert_eq!(segment["bytes"], bytes);
        }
    }
}

#[test]
fn tables_have_a_head_and_a_line_for_each() {
    let archive = TestArchive::recorded(Container::Mp4);
    for (arguments, head, lines) in [
        (&[][..], "STREAM", 1),
        (&["cam"], "VARIANT", 1),
        (&["cam", "source"], "HOUR", 1),
        (&["cam", "source", HOUR], "START", 3),
    ] {
        let answer = archive.run("ls", arguments);
        let table = answer.with_code(0);
        assert!(table.starts_with(head), "{table}");
        assert_eq!(table.lines().count(), 1 + lines, "{table}");
    }
}

#[test]
fn an_empty_archive_says_so() {
    let archive = TestArchive::new();
    assert_eq!(
        archive.run("ls", &[]).with_code(0),
        "nothing is recorded here\n"
    );
    let json = archive.run("ls", &["--json"]).json_with_code(0);
    assert_eq!(json["streams"], json!([]));
}

#[test]
fn a_mistyped_name_is_answered_with_the_nearest_and_with_what_there_is() {
    let archive = TestArchive::recorded(Container::Mp4);
    archive.add_recording("yard", "source", Container::Mp4);
    for command in ["ls", "coverage", "verify"] {
        let answer = archive.run(command, &["yarn"]);
        let error = answer.error_with_code(1);
        for part in [
            "no stream `yarn`",
            "did you mean `yard`?",
            "are `cam` and `yard`",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
    for arguments in [
        &["ls", "cam", "sauce"][..],
        &["verify", "cam", "sauce"],
        &["coverage", "cam", "--variant", "sauce"],
    ] {
        let answer = archive.run(arguments[0], &arguments[1..]);
        let error = answer.error_with_code(1);
        for part in ["no variant `sauce`", "did you mean `source`?"] {
            assert!(error.contains(part), "{error}");
        }
    }
    let answer = archive.run("ls", &["cam", "source", "2026-11-19T23"]);
    let error = answer.error_with_code(1);
    assert!(error.contains("the nearest is 2026-11-20T10"), "{error}");
}

#[test]
fn what_cannot_be_a_name_is_bad_usage_and_nothing_outside_is_read() {
    let archive = TestArchive::recorded(Container::Mp4);
    for arguments in [
        &["ls", ".."][..],
        &["ls", "cam/source"],
        &["ls", "cam", ".hidden"],
        &["ls", "cam", "source", "today"],
        &["verify", "../other"],
        &["coverage", ".."],
        &["coverage"],
        &["coverage", "cam", "--start", "soon"],
        &["coverage", "cam", "--start", "now", "--end", "-1h"],
        &["verify", "--jobs", "0"],
        &["recover", "cam"],
    ] {
        let answer = archive.run(arguments[0], &arguments[1..]);
        assert_eq!(answer.with_code(2), "", "{arguments:?}");
        assert!(answer.err.starts_with("error: "), "{answer:?}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named_in_one_line() {
    for arguments in [&["ls"][..], &["coverage", "cam"], &["verify"], &["recover"]] {
        for place in ["/nowhere/my archive", "/dev/null"] {
            let mut command = pipeline_runner(&["archive"]);
            command.args(arguments).args(["--archive", place]);
            let answer = Answer::of(command.output().expect("it runs"));
            let error = answer.error_with_code(1);
            assert!(
                error.contains(place) && error.contains("--archive"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_folder_within_an_archive_is_told_from_one_and_the_archive_named() {
    let archive = TestArchive::new();
    fs::create_dir_all(archive.hour_folder("cam", "source")).expect("a folder");
    let root = archive.root();
    let hour = format!("cam/source/{HOUR}");
    let places = [
        ("cam", "stream"),
        ("cam/source", "variant"),
        (&*hour, "variant's hour"),
    ];
    for (within, what) in places {
        for arguments in [
            &["ls"][..],
            &["ls", "cam"],
            &["coverage", "cam"],
            &["verify"],
        ] {
            let mut command = pipeline_runner(&["archive"]);
            command
                .args(arguments)
                .arg("--archive")
                .arg(root.join(within));
            let answer = Answer::of(command.output().expect("it runs"));
            let error = answer.error_with_code(1);
            assert!(
                error.contains(&format!("the folder of a {what}")),
                "{error}"
            );
            assert!(
                error.contains(&format!("that is {}:", root.display())),
                "{error}"
            );
        }
    }
}

#[test]
fn an_archive_may_be_named_like_an_hour() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("2026-11-30T03");
    fs::create_dir_all(root.join("cam/source").join(HOUR)).expect("a folder");
    let mut command = pipeline_runner(&["archive", "ls", "--archive"]);
    let answer = Answer::of(command.arg(&root).output().expect("it runs"));
    assert!(answer.with_code(0).contains("cam"), "{answer:?}");
}

#[test]
fn the_archive_is_in_the_folder_archive_unless_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("archive/cam/source")).expect("a folder");
    let mut command = pipeline_runner(&["archive", "ls"]);
    let answer = command.current_dir(folder.path()).output();
    let answer = Answer::of(answer.expect("it runs"));
    assert!(answer.with_code(0).contains("cam"), "{answer:?}");
}

#[test]
fn what_has_a_tombstone_is_not_there() {
    let archive = TestArchive::recorded(Container::Ts);
    let buried = &archive.segments()[1];
    fs::write(buried.with_extension("tombstone"), "").expect("a tombstone");
    let json = archive.run("ls", &["cam", "--json"]).json_with_code(0);
    assert_eq!(json["variants"][0]["segments"], 2);
    assert_eq!(json["variants"][0]["covered_ns"], 4_000_000_000_i64);
}

#[test]
fn sizes_can_be_left_out() {
    let archive = TestArchive::recorded(Container::Mp4);
    let json = archive
        .run("ls", &["--no-bytes", "--json"])
        .json_with_code(0);
    assert_eq!(json["streams"][0]["bytes"], json!(null));
    assert_eq!(json["streams"][0]["segments"], 3);
}

/// Reads one line and goes away, as `head -1` does.
fn read_one_line(archive: &TestArchive, command: &str, arguments: &[&str]) -> Option<i32> {
    let mut process = archive.command(command, arguments);
    process.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process.spawn().expect("it runs");
    let mut out = BufReader::with_capacity(64, child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert!(!line.is_empty());
    drop(out);
    let mut said = String::new();
    let mut err = child.stderr.take().expect("a pipe");
    err.read_to_string(&mut said).expect("UTF-8");
    assert_eq!(said, "", "nothing to complain about");
    child.wait().expect("it ends").code()
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let archive = many();
    let arguments = &["cam", "source", HOUR];
    assert_eq!(read_one_line(&archive, "ls", arguments), Some(0));
    assert_eq!(
        read_one_line(&archive, "ls", &["cam", "source", HOUR, "--json"]),
        Some(0)
    );
}

#[test]
fn a_reader_that_goes_away_does_not_make_an_unfinished_check_a_success() {
    let archive = many();
    assert_eq!(read_one_line(&archive, "verify", &["--no-decode"]), Some(1));
}
