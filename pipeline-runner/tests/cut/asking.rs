// SPDX-License-Identifier: MPL-2.0
//! What cannot be asked for: each is one clear line, and nothing is written.

use std::os::unix::fs::FileTypeExt;
use std::process::Command;

use gstsegmenter::archive::Container;

use crate::material::{Answer, TestArchive, pipeline_runner};
use crate::support::{Cutting, WHOLE, on_a_terminal};

const USAGE: i32 = 2;

/// A range and where to, and some arguments more.
fn with<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&WHOLE, arguments].concat()
}

#[test]
fn a_range_that_is_none_is_bad_usage() {
    let cutting = Cutting::of(TestArchive::new());
    let to = ["--output", "a.mp4"];
    for (arguments, words) in [
        (&[][..], &["--start and --end", "--range"][..]),
        (&["--start", "2026-11-20T10:31"], &["--start and --end"]),
        (&["--end", "now"], &["--start and --end"]),
        (&["--start", "-1h", "--end", "-2h"], &["is not after"]),
        (&["--start", "now", "--end", "now"], &["is not after"]),
        (&["--start", "soon", "--end", "now"], &["\"soon\"", "-1h"]),
        (&["--range", "now"], &["a comma"]),
        (&["--range", "now,-1h"], &["is not after"]),
        (&["--range", "-1h,then"], &["\"then\""]),
        (
            &["--range", "-2h,-1h", "--start", "-1h"],
            &["--range", "cannot be used"],
        ),
    ] {
        cutting.refuses(USAGE, &[arguments, &to].concat(), words);
    }
}

#[test]
fn what_contradicts_itself_is_bad_usage() {
    let cutting = Cutting::of(TestArchive::new());
    for (arguments, words) in [
        (&["--output", "a.avi"][..], &[".mp4", ".ts"][..]),
        (&["--output", "a"], &[".mp4", ".ts"]),
        (&["--output", ".mp4"], &[".mp4", ".ts"]),
        (&["--output", "a.avi", "--format", "avi"], &["avi"]),
        (
            &["--output", "a.mp4", "--type", "best"],
            &["smart", "rough"],
        ),
        (&["--output", "a.mp4", "--gaps", "fill"], &["fill"]),
        (&["--output", "a.ts", "--type", "copy"], &["edit list"]),
        (
            &[
                "--output",
                "a.mp4",
                "--type",
                "copy",
                "--encoder",
                "x264enc",
            ],
            &["x264enc", "does not encode"],
        ),
        (&["--output", "-", "--json"], &["standard output"]),
        (&["--output", "a.mp4", "--variant", "../x"], &["../x"]),
        (&["--output", "a.mp4", "--stream", "cam"], &["--stream"]),
        (&[], &["required"]),
    ] {
        cutting.refuses(USAGE, &with(arguments), words);
    }
    let mut command = pipeline_runner(&["cut", "--stream", "../cam", "--output", "a.mp4"]);
    let answer = Answer::of(command.args(WHOLE).output().expect("it runs"));
    assert_eq!(answer.with_code(USAGE), "");
}

#[test]
fn video_is_not_written_to_a_terminal() {
    let cutting = Cutting::new(Container::Mp4);
    let answer = on_a_terminal(&cutting.command(&with(&["--output", "-", "--type", "copy"])));
    let said = answer.with_code(USAGE);
    assert!(said.contains("a terminal shows no video"), "{answer:?}");
    assert_eq!(said.lines().count(), 1, "{answer:?}");
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let cutting = Cutting::new(Container::Mp4);
    let to = ["--output", "a.mp4"];
    let variant = [&to[..], &["--variant", "sauce"]].concat();
    cutting.refuses(1, &with(&variant), &["did you mean `source`?"]);
    let run = |stream: &str, root: &std::path::Path| {
        let mut command = pipeline_runner(&["cut", "--stream", stream, "--archive"]);
        command.arg(root).args(with(&to));
        command.current_dir(cutting.folder());
        Answer::of(command.output().expect("it runs"))
    };
    let answer = run("cab", &cutting.archive.root());
    let error = answer.error_with_code(1);
    assert!(error.contains("did you mean `cam`?"), "{error}");
    let answer = run("cam", &cutting.path("nowhere"));
    let error = answer.error_with_code(1);
    assert!(error.contains("no such folder"), "{error}");
    assert_eq!(cutting.names(), [""; 0]);
}

#[test]
fn a_range_in_which_nothing_is_recorded_is_told_what_is() {
    let cutting = Cutting::new(Container::Mp4);
    for (start, end) in [
        ("2226-01-01", "2226-01-02"),
        ("1999-01-01", "1999-01-02"),
        ("2026-11-20T10:31:20", "2026-11-20T10:31:30"),
    ] {
        for allow in [&[][..], &["--allow-holes"]] {
            let arguments = ["--start", start, "--end", end, "--output", "a.mp4"];
            cutting.refuses(
                1,
                &[&arguments, allow].concat(),
                &[
                    "nothing is recorded of cam/source",
                    "from 2026-11-20T10:31:06.25Z to 2026-11-20T10:31:12.25Z",
                ],
            );
        }
    }
}

#[test]
fn an_output_that_cannot_be_is_told_before_any_work() {
    let cutting = Cutting::of(TestArchive::recorded(Container::Mp4));
    std::fs::create_dir(cutting.path("folder.mp4")).expect("a folder");
    std::fs::write(cutting.path("file"), "").expect("a file");
    let fifo = cutting.path("pipe.mp4");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo is there").success());
    let long = format!("{}.mp4", "a".repeat(252));
    for (output, words) in [
        (
            "nowhere/a.mp4",
            &["nowhere/a.mp4", "folder is not there"][..],
        ),
        (
            "file/a.mp4",
            &["file/a.mp4", "folder is not there, or is none"],
        ),
        ("folder.mp4", &["folder.mp4", "names a folder"]),
        ("a.mp4/", &["a.mp4/", "names a folder"]),
        ("pipe.mp4", &["pipe.mp4", "no regular file", "--output -"]),
        ("/sys/a.mp4", &["cannot write /sys/a.mp4"]),
        (&long, &["too long"]),
    ] {
        for force in [&[][..], &["--force"]] {
            let arguments = [&["--type", "copy", "--output", output], force].concat();
            cutting.refuses(1, &with(&arguments), words);
        }
    }
    let metadata = fifo.metadata().expect("it is still there");
    assert!(metadata.file_type().is_fifo());
}
