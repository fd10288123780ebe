// SPDX-License-Identifier: MPL-2.0
//! How a run ends when it is asked to, and when nobody asks.

use rustix::process::{Signal, kill_process};

use crate::runner::{Runner, await_that, decodable_frames, is_alive, launches};

const RECORD: &str = "videotestsrc is-live=true ! x264enc tune=zerolatency ! h264parse \
                      ! mp4mux ! filesink location=FOLDER/a.mp4";
/// Flows, but the second branch holds everything up for a minute: neither EOS nor NULL passes it.
const STUBBORN: &str = "videotestsrc is-live=true ! fakesink \
                        fakesrc is-live=true ! identity sleep-time=60000000 ! fakesink async=false";

#[test]
fn ctrl_c_lets_the_files_be_finished_and_exits_with_0() {
    let mut runner = Runner::start(&launches(&[("cam", RECORD)], &[]));
    runner.await_line("cam: running");
    runner.ctrl_c();
    assert_eq!(runner.await_code(), 0, "{}", runner.said());
    assert_eq!(runner.count("cam: stopped"), 1, "{}", runner.said());
    assert!(decodable_frames(&runner.file("a.mp4")) > 0);
}

#[test]
fn sigterm_closes_like_ctrl_c() {
    let mut runner = Runner::start(&launches(&[("cam", RECORD)], &[]));
    runner.await_line("cam: running");
    kill_process(runner.pid(), Signal::TERM).expect("it runs");
    assert_eq!(runner.await_code(), 0, "{}", runner.said());
    assert!(decodable_frames(&runner.file("a.mp4")) > 0);
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_what_hangs() {
    let mut runner = Runner::start(&launches(&[("cam", STUBBORN)], &[]));
    runner.await_line("cam: running");
    let worker = runner.worker("cam");
    runner.ctrl_c();
    runner.await_line("cam: closing");
    await_that("the second Ctrl-C counts", || {
        runner.ctrl_c();
        runner.count("stopping at once: cam") > 0
    });
    assert_eq!(runner.await_code(), 1, "{}", runner.said());
    assert_eq!(runner.count("stopped before its files were finished"), 1);
    assert!(!is_alive(worker));
}

#[test]
fn one_ctrl_c_that_arrives_twice_is_one() {
    let mut runner = Runner::start(&launches(&[("cam", RECORD)], &[]));
    runner.await_line("cam: running");
    runner.ctrl_c();
    kill_process(runner.pid(), Signal::TERM).expect("it runs");
    assert_eq!(runner.await_code(), 0, "{}", runner.said());
    assert!(decodable_frames(&runner.file("a.mp4")) > 0);
}

#[test]
fn a_pipeline_that_hangs_while_closing_does_not_hang_the_runner() {
    let mut runner = Runner::start(&launches(&[("cam", STUBBORN)], &[]));
    runner.await_line("cam: running");
    let worker = runner.worker("cam");
    runner.ctrl_c();
    runner.await_exit();
    assert_eq!(
        runner.count("an element hung while closing"),
        1,
        "{}",
        runner.said()
    );
    assert!(!is_alive(worker));
}

#[test]
fn workers_do_not_outlive_a_runner_that_is_killed() {
    let two = [
        ("one", RECORD),
        ("two", "videotestsrc is-live=true ! fakesink"),
    ];
    let mut runner = Runner::start(&launches(&two, &[]));
    runner.await_line("one: running");
    runner.await_line("two: running");
    let workers = [runner.worker("one"), runner.worker("two")];
    assert!(workers.into_iter().all(is_alive));
    kill_process(runner.pid(), Signal::KILL).expect("it runs");
    runner.await_exit();
    await_that("the workers are gone", || {
        !workers.into_iter().any(is_alive)
    });
}

#[test]
fn the_end_of_a_file_completes_its_pipeline_and_the_run() {
    let text = "videotestsrc num-buffers=30 ! x264enc ! h264parse ! mp4mux \
                ! filesink location=FOLDER/a.mp4";
    let mut runner = Runner::start(&launches(&[("file", text)], &[]));
    assert_eq!(runner.await_code(), 0, "{}", runner.said());
    assert_eq!(runner.count("file: completed"), 1);
    assert_eq!(decodable_frames(&runner.file("a.mp4")), 30);
}

#[test]
fn a_definition_that_cannot_work_exits_with_78_before_anything_starts() {
    let good = "videotestsrc is-live=true ! filesink location=FOLDER/started";
    let bad = [("good", good), ("bad", "nosuchsource ! fakesink")];
    let mut runner = Runner::start(&launches(&bad, &[]));
    assert_eq!(runner.await_code(), 78, "{}", runner.said());
    // Its end may be seen before its last words are read.
    runner.await_line("nosuchsource");
    assert!(!runner.file("started").exists());
    assert_eq!(runner.count("worker is process"), 0);
}

#[test]
fn ctrl_c_during_a_wait_ends_the_run_at_once() {
    let gone = "filesrc location=FOLDER/gone ! fakesink";
    let settings = ["restart: { policy: always, initial: 1h, max: 1h }"];
    let mut runner = Runner::start(&launches(&[("gone", gone)], &settings));
    runner.await_line("attempt 1 failed");
    runner.ctrl_c();
    assert_eq!(runner.await_code(), 0, "{}", runner.said());
}
