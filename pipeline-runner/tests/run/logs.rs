// SPDX-License-Identifier: MPL-2.0
//! The log's reader has no say in recording: one that is gone or does not read stops nothing, and
//! Ctrl-C ends a run in time.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::runner::{await_that, files_below};

/// A runner that records, and whose workers say more than a pipe holds.
fn talkative(folder: &tempfile::TempDir) -> (Child, ChildStderr) {
    let file = folder.path().join("definition.yaml");
    let yaml = format!(
        "archive: {{ root: {}/archive }}\npipelines:\n  cam:\n    source:\n      \
         test: {{ width: 160, height: 120, keyframe_interval: 500ms }}\n    \
         outputs: [ archive: {{ target_duration: 1s }} ]\n",
        folder.path().display()
    );
    std::fs::write(&file, yaml).expect("the definition is written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_pipeline-runner"))
        .args(["run", "--log", "debug"])
        .arg(&file)
        .env("GST_DEBUG", "*:5")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("the runner starts");
    let stderr = child.stderr.take().expect("a pipe");
    (child, stderr)
}

/// It records on, and one Ctrl-C ends it in good order.
fn assert_unimpressed(mut child: Child, folder: &tempfile::TempDir) {
    let segments = || {
        let files = files_below(&folder.path().join("archive"));
        files
            .iter()
            .filter(|file| file.to_string_lossy().contains("-full-"))
            .count()
    };
    let before = segments();
    await_that("three more segments", || segments() >= before + 3);
    assert_eq!(child.try_wait().expect("it is our child"), None);
    let asked = Instant::now();
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("a process id"), Signal::INT).expect("it runs");
    let mut status = None;
    await_that("the runner ends", || {
        status = child.try_wait().expect("it is our child");
        status.is_some()
    });
    assert!(
        asked.elapsed() < Duration::from_secs(20),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

#[test]
fn a_log_whose_reader_is_gone_is_nobodys_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let (child, mut stderr) = talkative(&folder);
    stderr.read_exact(&mut [0; 100]).expect("it says something");
    drop(stderr);
    assert_unimpressed(child, &folder);
}

#[test]
fn a_log_that_nobody_reads_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (child, stderr) = talkative(&folder);
    assert_unimpressed(child, &folder);
    drop(stderr);
}
