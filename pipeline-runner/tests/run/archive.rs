// SPDX-License-Identifier: MPL-2.0
//! What runs leave in an archive: whole files, whatever happened to the processes.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Signal, kill_process};

use crate::runner::{Runner, await_that, decodable_frames, files_below};

/// A small camera that records segments of one second.
fn camera(retention: &str) -> String {
    format!(
        "archive: {{ root: FOLDER/archive, retention: {{ {retention} }} }}\n\
         pipelines:\n\
         \x20 cam:\n\
         \x20   source:\n\
         \x20     test: {{ width: 320, height: 240, keyframe_interval: 500ms, bitrate_kbit: 500 }}\n\
         \x20   outputs: [ archive: {{ target_duration: 1s }} ]\n\
         \x20   restart: {{ initial: 100ms, max: 100ms }}\n"
    )
}

fn segments(runner: &Runner, kind: &str) -> Vec<PathBuf> {
    let mut files = files_below(&runner.file("archive"));
    let infix = format!("-{kind}-");
    files.retain(|file| file.to_string_lossy().contains(&infix));
    files
}

#[test]
fn a_recording_closed_by_ctrl_c_holds_nothing_but_whole_segments() {
    let mut runner = Runner::start(&camera(""));
    runner.await_lines("cam: segment ", 2);
    runner.ctrl_c();
    assert_eq!(runner.await_code(), 0, "{}", runner.said());
    let said = runner.said();
    assert!(said.contains("the archive grows in /"), "{said}");
    let full = segments(&runner, "full");
    assert!(full.len() >= 3, "{full:?}");
    assert_eq!(segments(&runner, "temp"), [] as [PathBuf; 0]);
    for file in full {
        assert!(decodable_frames(&file) > 0, "{}", file.display());
    }
}

#[test]
fn what_a_killed_worker_was_writing_is_recovered_while_its_successor_records() {
    let runner = Runner::start(&camera(""));
    runner.await_line("cam: first segment");
    await_that("another is growing", || {
        !segments(&runner, "temp").is_empty()
    });
    let was_growing = segments(&runner, "temp");
    kill_process(runner.worker("cam"), Signal::KILL).expect("it runs");
    runner.await_lines("cam: first segment", 2);
    await_that("what grew is a segment now", || {
        !segments(&runner, "partial").is_empty() && was_growing.iter().all(|file| !file.exists())
    });
    for file in segments(&runner, "partial") {
        assert!(decodable_frames(&file) > 0, "{}", file.display());
    }
}

#[test]
fn what_a_killed_runner_was_writing_is_recovered_at_the_next_start() {
    let mut runner = Runner::start(&camera(""));
    runner.await_line("cam: first segment");
    await_that("another is growing", || {
        !segments(&runner, "temp").is_empty()
    });
    kill_process(runner.pid(), Signal::KILL).expect("it runs");
    runner.await_exit();
    let mut next = runner.start_beside(&camera(""));
    next.await_line("cam: first segment");
    next.ctrl_c();
    assert_eq!(next.await_code(), 0, "{}", next.said());
    let said = next.said();
    let recovered = said.find("recovered ").unwrap_or_else(|| panic!("{said}"));
    assert!(said.find("cam: starting") > Some(recovered), "{said}");
    assert_eq!(segments(&next, "temp"), [] as [PathBuf; 0]);
    let partial = segments(&next, "partial");
    assert!(!partial.is_empty(), "{said}");
    for file in partial {
        assert!(decodable_frames(&file) > 0, "{}", file.display());
    }
}

#[test]
fn retention_by_bytes_deletes_the_oldest_while_recording_goes_on() {
    // About 75 kB a second come in, and a sweep comes every ten seconds.
    let runner = Runner::start(&camera("bytes: 200kB"));
    runner.await_line("cam: first segment");
    let first = segments(&runner, "full");
    runner.await_line("retention: ");
    await_that("the first segments are gone", || {
        first.iter().all(|file| !file.exists())
    });
    let closed = runner.count("cam: segment ");
    runner.await_lines("cam: segment ", closed + 2);
    assert_eq!(runner.count("cam: starting"), 1, "{}", runner.said());
}

#[test]
fn a_file_is_recorded_frame_for_frame_and_completes() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = folder.path().join("clip.mp4");
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x240:rate=25",
        ])
        .args([
            "-f", "lavfi", "-i", "sine", "-t", "3", "-c:v", "libx264", "-bf", "2",
        ])
        .args(["-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"])
        .arg(&clip)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    let yaml = format!(
        "archive: {{ root: FOLDER/archive }}\n\
         pipelines:\n\
         \x20 clip:\n\
         \x20   source: {{ file: {{ path: {} }} }}\n\
         \x20   outputs: [ archive: {{ target_duration: 1s }} ]\n",
        clip.display()
    );
    let mut runner = Runner::start(&yaml);
    assert_eq!(runner.await_code(), 0, "{}", runner.said());
    assert_eq!(runner.count("clip: completed"), 1, "{}", runner.said());
    let files = segments(&runner, "full");
    let frames: u64 = files.iter().map(|file| decodable_frames(file)).sum();
    assert_eq!(frames, 75, "{files:#?}\n{}", runner.said());
}
