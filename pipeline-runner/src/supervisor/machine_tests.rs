// SPDX-License-Identifier: MPL-2.0
//! What the state machine promises, with time and randomness handed in.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn rules(policy: Policy) -> Rules {
    Rules {
        restart: Restart {
            policy,
            initial: SECOND,
            max: 30 * SECOND,
            reset_after: 60 * SECOND,
        },
        stall_timeout: 10 * SECOND,
        start_timeout: 20 * SECOND,
    }
}

/// A pipeline that has just been started, at the given time.
fn started(policy: Policy, now: Duration) -> Machine {
    let mut machine = Machine::new(rules(policy), now);
    assert_eq!(
        machine.step(now, Input::Tick, 0.5),
        Some(Action::Start),
        "a pipeline starts when its time has come"
    );
    machine
}

fn running(policy: Policy, now: Duration) -> Machine {
    let mut machine = started(policy, now);
    flow(&mut machine, now, 0);
    assert_eq!(machine.state(), &State::Running);
    machine
}

fn flow(machine: &mut Machine, now: Duration, quiet_ms: u64) {
    let flow = Flow {
        quiet_ms,
        buffers: 1,
        ..Flow::default()
    };
    assert_eq!(machine.step(now, Input::Flow(&flow), 0.5), None);
}

fn fail(machine: &mut Machine, now: Duration, jitter: f64) {
    let exit = Exit::Failed(Failure::passing("no route to host"));
    machine.step(now, Input::Exited(exit), jitter);
}

/// The wait for the next attempt.
fn wait(machine: &Machine, now: Duration) -> Duration {
    match machine.state() {
        State::BackingOff { next, .. } => *next - now,
        other => panic!("not backing off but {other:?}"),
    }
}

#[test]
fn nothing_starts_before_its_time() {
    let mut machine = Machine::new(rules(Policy::Always), SECOND);
    assert_eq!(machine.step(SECOND / 2, Input::Tick, 0.5), None);
    assert_eq!(machine.deadline(), Some(SECOND));
    assert_eq!(machine.step(SECOND, Input::Tick, 0.5), Some(Action::Start));
    assert_eq!(machine.state(), &State::Starting);
}

#[test]
fn a_source_that_never_comes_is_tried_for_ever_at_growing_and_then_steady_intervals() {
    let mut now = Duration::ZERO;
    let mut machine = started(Policy::Always, now);
    let mut waits = Vec::new();
    for _ in 0..1000 {
        fail(&mut machine, now, 1.0);
        let wait = wait(&machine, now);
        waits.push(wait.as_secs());
        now += wait;
        assert_eq!(machine.step(now, Input::Tick, 1.0), Some(Action::Start));
    }
    assert_eq!(waits[..7], [1, 2, 4, 8, 16, 30, 30]);
    assert!(waits[7..].iter().all(|wait| *wait == 30));
}

#[test]
fn only_a_minute_of_flowing_buffers_makes_the_next_wait_short_again() {
    let mut machine = started(Policy::Always, Duration::ZERO);
    let mut now = Duration::ZERO;
    for _ in 0..5 {
        fail(&mut machine, now, 1.0);
        now += wait(&machine, now);
        machine.step(now, Input::Tick, 1.0);
    }
    // 59 s of flow are not enough.
    flow(&mut machine, now, 0);
    now += 59 * SECOND;
    flow(&mut machine, now, 0);
    fail(&mut machine, now, 1.0);
    assert_eq!(wait(&machine, now), 30 * SECOND);

    // A stall in the middle starts the minute anew.
    now += 30 * SECOND;
    machine.step(now, Input::Tick, 1.0);
    flow(&mut machine, now, 0);
    flow(&mut machine, now + 40 * SECOND, 6_000);
    assert_eq!(machine.state(), &State::Stalled);
    flow(&mut machine, now + 41 * SECOND, 0);
    assert_eq!(machine.state(), &State::Running);
    now += 70 * SECOND;
    flow(&mut machine, now, 0);
    fail(&mut machine, now, 1.0);
    assert_eq!(wait(&machine, now), 30 * SECOND);

    // A whole minute is.
    now += 30 * SECOND;
    machine.step(now, Input::Tick, 1.0);
    flow(&mut machine, now, 0);
    now += 60 * SECOND;
    flow(&mut machine, now, 0);
    fail(&mut machine, now, 1.0);
    assert_eq!(wait(&machine, now), SECOND);
}

#[test]
fn a_wrong_definition_is_never_tried_again() {
    let mut machine = started(Policy::Always, Duration::ZERO);
    let failure = Failure::definition("no element \"x264en\"");
    machine.step(SECOND, Input::Exited(Exit::Failed(failure.clone())), 0.5);
    assert_eq!(machine.state(), &State::Failed(failure));
    assert_eq!(machine.deadline(), None);
    assert_eq!(machine.step(900 * SECOND, Input::Tick, 0.5), None);
}

#[test]
fn a_camera_that_refuses_the_password_is_asked_rarely_from_the_start() {
    let mut machine = started(Policy::Always, Duration::ZERO);
    let failure = Failure {
        class: Class::Refused,
        message: "401".into(),
    };
    machine.step(SECOND, Input::Exited(Exit::Failed(failure)), 0.0);
    assert_eq!(wait(&machine, SECOND), 15 * SECOND);
}

#[test]
fn the_end_of_a_file_completes_and_the_end_of_a_live_source_is_a_fault() {
    for policy in [Policy::OnFailure, Policy::Never] {
        let mut machine = running(policy, Duration::ZERO);
        machine.step(SECOND, Input::Exited(Exit::Eos { live: false }), 0.5);
        assert_eq!(machine.state(), &State::Completed);
    }
    let mut machine = running(Policy::OnFailure, Duration::ZERO);
    machine.step(SECOND, Input::Exited(Exit::Eos { live: true }), 0.5);
    assert!(matches!(
        machine.state(),
        State::BackingOff { attempt: 1, .. }
    ));
}

#[test]
fn a_file_that_runs_always_starts_again_after_the_first_delay_every_time() {
    let mut machine = running(Policy::Always, Duration::ZERO);
    for round in 0..10 {
        let now = 100 * SECOND * round;
        machine.step(now, Input::Exited(Exit::Eos { live: false }), 1.0);
        assert_eq!(wait(&machine, now), SECOND);
        assert_eq!(
            machine.step(now + SECOND, Input::Tick, 1.0),
            Some(Action::Start)
        );
    }
}

#[test]
fn the_restart_policy_decides_what_follows_a_fault_and_what_a_polite_end() {
    let after = |policy, exit| {
        let mut machine = running(policy, Duration::ZERO);
        machine.step(SECOND, Input::Exited(exit), 0.5);
        machine.state().clone()
    };
    let fault = || Exit::Failed(Failure::passing("gone"));
    assert!(matches!(
        after(Policy::Always, fault()),
        State::BackingOff { .. }
    ));
    assert!(matches!(
        after(Policy::OnFailure, fault()),
        State::BackingOff { .. }
    ));
    assert!(matches!(after(Policy::Never, fault()), State::Failed(_)));
    assert!(matches!(
        after(Policy::Always, Exit::Closed),
        State::BackingOff { .. }
    ));
    assert_eq!(
        after(Policy::OnFailure, Exit::Closed),
        State::Stopped { clean: true }
    );
    assert_eq!(
        after(Policy::Never, Exit::Closed),
        State::Stopped { clean: true }
    );
}

#[test]
fn a_hung_worker_is_killed_once_and_then_started_again() {
    let mut machine = running(Policy::Always, Duration::ZERO);
    assert_eq!(machine.step(17 * SECOND, Input::Tick, 0.5), None);
    assert_eq!(
        machine.step(18 * SECOND, Input::Tick, 0.5),
        Some(Action::Kill)
    );
    assert_eq!(
        machine.step(19 * SECOND, Input::Tick, 0.5),
        None,
        "once is enough"
    );
    fail(&mut machine, 20 * SECOND, 0.5);
    match machine.state() {
        State::BackingOff { error, .. } => assert!(error.contains("hung"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_that_hangs_while_starting_gets_the_time_a_start_may_take() {
    let mut machine = started(Policy::Always, Duration::ZERO);
    assert_eq!(machine.step(27 * SECOND, Input::Tick, 0.5), None);
    assert_eq!(
        machine.step(28 * SECOND, Input::Tick, 0.5),
        Some(Action::Kill)
    );
}

#[test]
fn a_sign_of_life_puts_the_kill_off() {
    let mut machine = running(Policy::Always, Duration::ZERO);
    machine.step(14 * SECOND, Input::Heard, 0.5);
    assert_eq!(machine.step(18 * SECOND, Input::Tick, 0.5), None);
    assert_eq!(machine.deadline(), Some(32 * SECOND));
}

#[test]
fn stopping_asks_first_and_kills_what_does_not_answer() {
    let mut machine = running(Policy::Always, Duration::ZERO);
    assert_eq!(machine.step(SECOND, Input::Stop, 0.5), Some(Action::Close));
    assert_eq!(machine.state(), &State::Draining);
    assert_eq!(
        machine.step(2 * SECOND, Input::Stop, 0.5),
        None,
        "asked already"
    );
    let limit = SECOND + CLOSE_LIMIT;
    assert_eq!(machine.step(limit, Input::Tick, 0.5), Some(Action::Kill));
    fail(&mut machine, limit, 0.5);
    assert_eq!(machine.state(), &State::Stopped { clean: false });

    let mut machine = running(Policy::Always, Duration::ZERO);
    machine.step(SECOND, Input::Stop, 0.5);
    machine.step(2 * SECOND, Input::Exited(Exit::Closed), 0.5);
    assert_eq!(machine.state(), &State::Stopped { clean: true });
}

#[test]
fn a_worker_that_fails_while_it_closes_is_not_started_again() {
    let mut machine = running(Policy::Always, Duration::ZERO);
    machine.step(SECOND, Input::Stop, 0.5);
    fail(&mut machine, SECOND, 0.5);
    assert_eq!(machine.state(), &State::Stopped { clean: false });
    assert!(machine.is_over());
}

#[test]
fn stopping_what_does_not_run_is_done_at_once() {
    let mut waiting = started(Policy::Always, Duration::ZERO);
    fail(&mut waiting, Duration::ZERO, 0.5);
    for mut machine in [waiting, Machine::new(rules(Policy::Always), SECOND)] {
        assert_eq!(machine.step(Duration::ZERO, Input::Stop, 0.5), None);
        assert_eq!(machine.state(), &State::Stopped { clean: true });
    }
}

#[test]
fn the_second_request_to_stop_kills() {
    let mut machine = running(Policy::Always, Duration::ZERO);
    machine.step(SECOND, Input::Stop, 0.5);
    assert_eq!(machine.step(SECOND, Input::Kill, 0.5), Some(Action::Kill));
    fail(&mut machine, SECOND, 0.5);
    assert_eq!(machine.state(), &State::Stopped { clean: false });
}

#[test]
fn what_cannot_even_be_killed_does_not_keep_the_runner() {
    let mut machine = running(Policy::Always, Duration::ZERO);
    machine.step(SECOND, Input::Stop, 0.5);
    machine.step(2 * SECOND, Input::Kill, 0.5);
    assert_eq!(machine.step(6 * SECOND, Input::Tick, 0.5), None);
    assert_eq!(machine.state(), &State::Draining);
    assert_eq!(machine.step(7 * SECOND, Input::Tick, 0.5), None);
    assert_eq!(machine.state(), &State::Stopped { clean: false });
}
