// SPDX-License-Identifier: MPL-2.0
//! Faults of the outside world are named so that one knows what to do, and counted rightly.

use std::path::PathBuf;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::runner::{Runner, await_that, files_below};

/// A camera that makes its own pictures, and segments of a second.
const TEST: &str = "archive: { root: FOLDER/archive }\npipelines:\n  cam:\n    source:\n      \
    test: { width: 320, height: 240, keyframe_interval: 500ms }\n    \
    outputs: [ archive: { target_duration: 1s } ]\n";

fn camera_at(uri: &str) -> String {
    format!(
        "archive: {{ root: FOLDER/archive }}\npipelines:\n  cam:\n    \
         source: {{ rtsp: {{ uri: \"{uri}\" }} }}\n    outputs: [ archive: {{}} ]\n"
    )
}

#[test]
fn a_closed_port_and_a_wrong_name_are_told_apart_and_no_password_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it has one").port();
    drop(listener);
    let closed = Runner::start(&camera_at(&format!("rtsp://me:hunter2@127.0.0.1:{port}/x")));
    let wrong = Runner::start(&camera_at("rtsp://me:hunter2@camera.invalid/x"));
    closed.await_line(&format!(
        "`127.0.0.1` is there, and refuses port {port}; attempt 1"
    ));
    wrong.await_line("there is no host `camera.invalid`; attempt 1");
    for runner in [closed, wrong] {
        assert_eq!(runner.count("hunter2"), 0, "{}", runner.said());
    }
}

/// Files that a process makes may have no more bytes.
fn limit_files(process: Pid, bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(Some(process), Resource::Fsize, limit).expect("it is our child's child");
}

#[test]
fn a_limit_to_the_size_of_files_pauses_a_recording_and_kills_nobody() {
    let runner = Runner::start(TEST);
    runner.await_line("cam: first segment");
    let worker = runner.worker("cam");
    limit_files(worker, Some(2_000));
    runner.await_line("cam: recording pauses: File too large");
    limit_files(worker, None);
    runner.await_line("cam: recording goes on");
    assert_eq!(runner.worker("cam"), worker, "{}", runner.said());
}

#[test]
fn what_was_recovered_of_a_worker_that_died_counts_as_segments() {
    let mut runner = Runner::start(TEST);
    runner.await_line("cam: first segment");
    await_that("the next segment grows", || {
        let files = files_below(&runner.file("archive"));
        let grows = |file: &PathBuf| {
            let bytes = std::fs::metadata(file).map_or(0, |data| data.len());
            file.to_string_lossy().contains("-temp-") && bytes > 0
        };
        files.iter().any(grows)
    });
    kill_process(runner.worker("cam"), Signal::KILL).expect("it runs");
    runner.await_line("recovered ");
    runner.await_lines("cam: first segment", 2);
    runner.ctrl_c();
    assert_eq!(runner.await_code(), 0);
    let closed = runner.count("cam: first segment") + runner.count("cam: segment ");
    let all = closed + runner.count("recovered ");
    runner.await_line(&format!("cam: {all} segments, "));
}
