// SPDX-License-Identifier: MPL-2.0
//! What happens to a pipeline that fails, and what does not happen to the others.

use rustix::process::{Pid, Signal, kill_process};

use crate::runner::{Runner, await_that, is_alive, launches};

const FLOWING: &str = "videotestsrc is-live=true ! fakesink";
/// One picture, and nothing for a minute.
const STALLING: &str = "videotestsrc is-live=true \
                        ! video/x-raw,framerate=1/60 ! fakesink sync=false";
const QUICK: &str = "restart: { initial: 100ms, max: 400ms }";

/// Two pipelines; one is harmed, the other must not notice.
fn harm(settings: &[&str], how: impl Fn(Pid)) -> Runner {
    let two = [("harmed", FLOWING), ("other", FLOWING)];
    let runner = Runner::start(&launches(&two, settings));
    runner.await_line("harmed: running");
    runner.await_line("other: running");
    let (harmed, other) = (runner.worker("harmed"), runner.worker("other"));
    how(harmed);
    runner.await_lines("harmed: running", 2);
    assert!(!is_alive(harmed));
    assert_ne!(runner.worker("harmed"), harmed);
    assert_eq!(runner.worker("other"), other);
    assert!(is_alive(other));
    assert_eq!(runner.count("other: starting"), 1, "{}", runner.said());
    runner
}

#[test]
fn a_worker_that_is_killed_is_started_again_and_no_other() {
    let runner = harm(&[QUICK], |worker| {
        kill_process(worker, Signal::KILL).expect("it runs");
    });
    assert_eq!(runner.count("died of SIGKILL"), 1, "{}", runner.said());
}

#[test]
fn a_worker_that_crashes_is_started_again_and_no_other() {
    let runner = harm(&[QUICK], |worker| {
        // The first one only takes away the handler of whoever handles stack overflows.
        await_that("it is dead", || {
            let _ = kill_process(worker, Signal::SEGV);
            !is_alive(worker)
        });
    });
    assert_eq!(runner.count("died of SIGSEGV"), 1, "{}", runner.said());
}

#[test]
fn a_worker_that_hangs_is_killed_and_started_again_and_no_other() {
    let runner = harm(&[QUICK, "stall_timeout: 1s"], |worker| {
        kill_process(worker, Signal::STOP).expect("it runs");
    });
    assert_eq!(
        runner.count("hung: no sign of life"),
        1,
        "{}",
        runner.said()
    );
}

#[test]
fn workers_are_not_blamed_for_the_time_the_runner_itself_was_stopped() {
    let runner = Runner::start(&launches(&[("cam", FLOWING)], &["stall_timeout: 500ms"]));
    runner.await_line("cam: running");
    let worker = runner.worker("cam");
    kill_process(runner.pid(), Signal::STOP).expect("it runs");
    // Longer than a worker may be silent: only time itself can make this so.
    std::thread::sleep(std::time::Duration::from_secs(10));
    kill_process(runner.pid(), Signal::CONT).expect("it is stopped");
    await_that("it has gone on", || runner.count("cam: running · ") > 0);
    assert!(is_alive(worker), "{}", runner.said());
    assert_eq!(runner.count("cam: starting"), 1, "{}", runner.said());
}

#[test]
fn a_source_that_goes_silent_is_restarted_with_growing_delays() {
    let settings = [
        "restart: { initial: 200ms, max: 800ms }",
        "stall_timeout: 500ms",
    ];
    let runner = Runner::start(&launches(&[("cam", STALLING)], &settings));
    runner.await_lines("stalled: no buffer for 500ms", 5);
    runner.await_line("attempt 5 failed");
    let said = runner.said();
    let delays: Vec<f64> = said
        .lines()
        .filter_map(|line| {
            line.split_once(" failed, the next in ")?
                .1
                .strip_suffix(" s")
        })
        .filter_map(|seconds| seconds.parse().ok())
        .collect();
    let caps = [0.2, 0.4, 0.8, 0.8, 0.8];
    assert!(delays.len() >= caps.len(), "{said}");
    for (delay, cap) in delays.iter().zip(caps) {
        // What is said is rounded to a tenth.
        let allowed = cap / 2.0 - 0.051..=cap + 0.051;
        assert!(allowed.contains(delay), "{delays:?} against {caps:?}");
    }
}

#[test]
fn a_source_that_never_delivers_is_not_waited_for_longer_than_told() {
    let text = "videotestsrc is-live=true ! valve drop=true ! fakesink async=false";
    let settings = [QUICK, "start_timeout: 500ms"];
    let runner = Runner::start(&launches(&[("cam", text)], &settings));
    runner.await_lines("no buffer within 500ms of the start", 2);
    assert_eq!(runner.count("cam: running"), 0, "{}", runner.said());
}

#[test]
fn a_policy_of_never_gives_up_at_once_and_exits_with_1() {
    let gone = "filesrc location=FOLDER/gone ! fakesink";
    let settings = ["restart: { policy: never }"];
    let mut runner = Runner::start(&launches(&[("gone", gone)], &settings));
    assert_eq!(runner.await_code(), 1, "{}", runner.said());
    assert_eq!(runner.count("gone: starting"), 1);
    assert_eq!(runner.count("gone: failed"), 1);
}

#[test]
fn the_end_of_a_live_source_is_a_fault() {
    let text = "videotestsrc is-live=true num-buffers=3 ! fakesink";
    let runner = Runner::start(&launches(&[("cam", text)], &[QUICK, "live: true"]));
    runner.await_lines("the live source ended (EOS)", 2);
    runner.await_lines("cam: starting", 3);
}

#[test]
fn many_restarts_leave_neither_process_nor_descriptor_nor_thread() {
    let text = "fakesrc num-buffers=3 ! fakesink";
    let settings = ["restart: { initial: 200ms, max: 200ms }", "live: true"];
    let runner = Runner::start(&launches(&[("cam", text)], &settings));
    let holdings_after = |attempts: usize| {
        // While it waits for the next attempt it holds nothing of the last.
        runner.await_line(&format!("attempt {attempts} failed"));
        runner.holdings()
    };
    let before = holdings_after(2);
    holdings_after(10);
    let mut workers = Vec::new();
    for attempt in 11.. {
        workers.push(runner.worker("cam"));
        if holdings_after(attempt) == before {
            break;
        }
        assert!(attempt < 30, "{:?}, once {before:?}", runner.holdings());
    }
    assert!(!workers.into_iter().any(is_alive));
}

#[test]
fn a_password_in_a_uri_is_nowhere_to_be_seen() {
    let text = "rtspsrc location=rtsp://admin:hunter2@127.0.0.1:1/cam user-pw=hunter2 ! fakesink";
    let mut runner = Runner::start_with(
        &launches(&[("cam", text)], &[QUICK]),
        &[("GST_DEBUG", "rtspsrc:7,rtspconnection:7,GST_PIPELINE:5")],
    );
    runner.await_line("cam: worker is process");
    let worker = runner.worker("cam").as_raw_pid();
    for file in ["cmdline", "environ"] {
        // The worker may be gone by now; then there is nothing to be seen either.
        let seen = std::fs::read(format!("/proc/{worker}/{file}")).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&seen).contains("hunter2"),
            "{file}"
        );
    }
    runner.await_line("attempt 2 failed");
    runner.ctrl_c();
    runner.await_exit();
    let said = runner.said();
    assert!(
        said.contains("***@127.0.0.1"),
        "GStreamer's own log is passed on"
    );
    let leaks: Vec<&str> = said.lines().filter(|l| l.contains("hunter2")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
