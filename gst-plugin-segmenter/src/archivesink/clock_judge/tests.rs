// SPDX-License-Identifier: MPL-2.0
use super::*;

/// 2026-11-30.
const NOW: UtcNs = UtcNs(1_796_000_000 * SECOND_NS);
const HOUR_NS: i64 = 3600 * SECOND_NS;
const DAY_NS: i64 = 24 * HOUR_NS;
const FRAME_NS: i64 = 40_000_000;

/// A camera's clock: what it says of a frame captured so many nanoseconds after the start, and
/// with which stamp; and what is to become of it.
struct Case {
    name: &'static str,
    camera: fn(i64) -> i64,
    stamp_ns: fn(i64) -> i64,
    /// What the verdict is after a minute, in words.
    then: &'static str,
    /// It is never to be believed for longer than this, in all; `None` for a sane one.
    most_believed_ns: Option<i64>,
}

fn utc(ahead_ns: i64, passed_ns: i64) -> i64 {
    NOW.0 + ahead_ns + passed_ns
}

fn times(ns: i64, factor: f64) -> i64 {
    (ns as f64 * factor) as i64
}

/// Time since the latest report, where there is one every so many seconds.
fn since_report(ns: i64, every_s: i64) -> i64 {
    ns % (every_s * SECOND_NS)
}

const CASES: &[Case] = &[
    Case {
        name: "sane",
        camera: |ns| utc(0, ns),
        stamp_ns: |ns| ns,
        then: "believed",
        most_believed_ns: None,
    },
    Case {
        name: "an hour ahead",
        camera: |ns| utc(HOUR_NS, ns),
        stamp_ns: |ns| ns,
        then: "believed",
        most_believed_ns: None,
    },
    Case {
        name: "ten hours behind",
        camera: |ns| utc(-10 * HOUR_NS, ns),
        stamp_ns: |ns| ns,
        then: "believed",
        most_believed_ns: None,
    },
    Case {
        name: "a crystal 100 ppm fast",
        camera: |ns| utc(0, times(ns, 1.0001)),
        stamp_ns: |ns| ns,
        then: "believed",
        most_believed_ns: None,
    },
    Case {
        name: "sane, with stamps that run 19 % slow and reports every frame",
        camera: |ns| utc(0, ns),
        stamp_ns: |ns| times(ns, 0.81),
        then: "believed",
        most_believed_ns: None,
    },
    Case {
        name: "NTP zero",
        camera: |ns| -2_208_988_800 * SECOND_NS + since_report(ns, 2),
        stamp_ns: |ns| ns,
        then: "says 1900-01-01T00:00:00Z, which cannot be",
        most_believed_ns: Some(0),
    },
    Case {
        name: "1970",
        camera: |ns| 77 * SECOND_NS + ns,
        stamp_ns: |ns| ns,
        then: "says 1970-01-01T00:01:17Z, which cannot be",
        most_believed_ns: Some(0),
    },
    Case {
        name: "2100",
        camera: |ns| 4_102_444_800 * SECOND_NS + ns,
        stamp_ns: |ns| ns,
        then: "says 2100-01-01T00:00:00Z, 26694 d 23 h ahead of this machine's, and max-clock-offset allows 1 d",
        most_believed_ns: Some(0),
    },
    Case {
        name: "the same in every frame",
        camera: |_| utc(0, 0),
        stamp_ns: |ns| ns,
        then: "stands still",
        most_believed_ns: Some(0),
    },
    Case {
        name: "the same in every report, two seconds apart",
        camera: |ns| utc(0, since_report(ns, 2)),
        stamp_ns: |ns| ns,
        then: "stands still",
        most_believed_ns: Some(0),
    },
    Case {
        name: "the same in every report, five seconds apart",
        camera: |ns| utc(0, since_report(ns, 5)),
        stamp_ns: |ns| ns,
        then: "stands still",
        // Till the first report that is the same as the one before; nothing is wrong before it.
        most_believed_ns: Some(2_500_000_000),
    },
    Case {
        name: "stops after 20 s",
        camera: |ns| utc(0, ns.min(20 * SECOND_NS)),
        stamp_ns: |ns| ns,
        then: "stands still",
        most_believed_ns: Some(18_100_000_000),
    },
    Case {
        name: "backward",
        camera: |ns| utc(0, -ns),
        stamp_ns: |ns| ns,
        then: "runs backward",
        most_believed_ns: Some(0),
    },
    Case {
        name: "19 % slow, and so are the stamps",
        camera: |ns| utc(0, times(ns, 0.81)),
        stamp_ns: |ns| times(ns, 0.81),
        then: "runs at 81 % of the right speed",
        most_believed_ns: Some(0),
    },
    Case {
        name: "19 % slow, with right stamps",
        camera: |ns| utc(0, times(ns, 0.81)),
        stamp_ns: |ns| ns,
        then: "runs at 81 % of the right speed",
        most_believed_ns: Some(0),
    },
    Case {
        name: "19 % fast",
        camera: |ns| utc(0, times(ns, 1.19)),
        stamp_ns: |ns| times(ns, 1.19),
        then: "runs at 119 % of the right speed",
        most_believed_ns: Some(0),
    },
    Case {
        name: "2 % fast",
        camera: |ns| utc(0, times(ns, 1.02)),
        stamp_ns: |ns| times(ns, 1.02),
        then: "runs at 102 % of the right speed",
        most_believed_ns: Some(20 * SECOND_NS),
    },
    Case {
        name: "2 % slow",
        camera: |ns| utc(0, times(ns, 0.98)),
        stamp_ns: |ns| times(ns, 0.98),
        then: "runs at 98 % of the right speed",
        most_believed_ns: Some(20 * SECOND_NS),
    },
    Case {
        name: "jumps to and fro every five seconds",
        camera: |ns| {
            utc(
                if ns / SECOND_NS / 5 % 2 == 0 {
                    0
                } else {
                    HOUR_NS
                },
                ns,
            )
        },
        stamp_ns: |ns| ns,
        then: "jumps to and fro",
        most_believed_ns: Some(15 * SECOND_NS),
    },
    Case {
        name: "a new place every two seconds",
        camera: |ns| utc(ns / SECOND_NS / 2 * 7 % 11 * HOUR_NS, ns),
        stamp_ns: |ns| ns,
        then: "jumps to and fro",
        most_believed_ns: Some(0),
    },
    Case {
        name: "stamps slow, so that each report jumps",
        camera: |ns| utc(0, ns - times(since_report(ns, 5), 0.19)),
        stamp_ns: |ns| times(ns, 0.81),
        then: "jumps to and fro",
        most_believed_ns: Some(0),
    },
];

/// Something between 0 and 18 ms that looks like chance.
fn jitter(n: i64) -> i64 {
    let mixed = (n.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> 40;
    (mixed as f64 / f64::from(1 << 24) * 18e6) as i64
}

fn words(judge: &Judge, verdict: Verdict) -> String {
    match (judge.fault(), verdict) {
        (Some(fault), _) => fault.to_string(),
        (None, Verdict::Believe) => "believed".into(),
        (None, verdict) => format!("{verdict:?}"),
    }
}

#[test]
fn a_clock_is_believed_when_it_is_sane_and_only_then() {
    for case in CASES {
        let mut judge = Judge::new(true, Some(DAY_NS));
        let mut said = Vec::new();
        let (mut believed_ns, mut last) = (0, Verdict::Probation);
        for n in 0..1_500 {
            let ns = n * FRAME_NS;
            let (verdict, change) = judge.judge(Reading {
                camera: UtcNs((case.camera)(ns)),
                machine: NOW + ns,
                arrived_ns: ns + jitter(n),
                stamp_ns: (case.stamp_ns)(ns),
            });
            believed_ns += if verdict == Verdict::Believe {
                FRAME_NS
            } else {
                0
            };
            said.extend(change);
            last = verdict;
        }
        assert_eq!(words(&judge, last), case.then, "{}", case.name);
        let most_ns = case.most_believed_ns.unwrap_or(i64::MAX);
        assert!(believed_ns <= most_ns, "{}: {believed_ns} ns", case.name);
        if case.most_believed_ns.is_none() {
            assert!(
                believed_ns > 55 * SECOND_NS,
                "{}: {believed_ns} ns",
                case.name
            );
            assert_eq!(said, [], "{}", case.name);
        } else {
            assert_eq!(said.len(), 1, "{}: said once: {said:?}", case.name);
        }
    }
}

/// Feeds a clock for so long, from a second on, and tells the last verdict and what was said.
fn run(
    judge: &mut Judge,
    seconds: std::ops::Range<i64>,
    reading: impl Fn(i64) -> Reading,
) -> (Verdict, Vec<Change>) {
    let mut said = Vec::new();
    let mut last = Verdict::Refuse;
    for n in seconds.start * 25..seconds.end * 25 {
        let (verdict, change) = judge.judge(reading(n * FRAME_NS));
        said.extend(change);
        last = verdict;
    }
    (last, said)
}

fn sane(ns: i64) -> Reading {
    Reading {
        camera: UtcNs(utc(0, ns)),
        machine: NOW + ns,
        arrived_ns: ns,
        stamp_ns: ns,
    }
}

fn ahead(ahead_ns: i64) -> impl Fn(i64) -> Reading {
    move |ns| Reading {
        camera: UtcNs(utc(ahead_ns, ns)),
        ..sane(ns)
    }
}

#[test]
fn a_clock_that_becomes_sane_is_believed_after_a_while_each_time_a_longer_one() {
    let mut judge = Judge::new(true, Some(DAY_NS));
    let zero = |ns| Reading {
        camera: UtcNs(ns),
        ..sane(ns)
    };
    let (_, said) = run(&mut judge, 0..10, zero);
    assert!(matches!(said[..], [Change::Refused(Fault::Unset(_))]));
    let (last, said) = run(&mut judge, 10..39, sane);
    assert_eq!((last, said), (Verdict::Refuse, Vec::new()));
    let (last, said) = run(&mut judge, 39..42, sane);
    assert_eq!((last, said), (Verdict::Believe, vec![Change::Restored]));
    run(&mut judge, 42..45, zero);
    let (last, said) = run(&mut judge, 45..100, sane);
    assert_eq!((last, said), (Verdict::Refuse, Vec::new()));
    let (last, said) = run(&mut judge, 100..110, sane);
    assert_eq!((last, said), (Verdict::Believe, vec![Change::Restored]));
}

#[test]
fn a_clock_that_is_set_once_is_followed_when_that_has_lasted() {
    for step_ns in [HOUR_NS, -HOUR_NS] {
        let mut judge = Judge::new(true, Some(DAY_NS));
        assert_eq!(run(&mut judge, 0..20, sane).0, Verdict::Believe);
        let set = ahead(step_ns);
        assert_eq!(run(&mut judge, 20..27, &set), (Verdict::Doubt, Vec::new()));
        assert_eq!(
            run(&mut judge, 27..30, &set),
            (Verdict::Believe, Vec::new())
        );
    }
}

/// The stamps begin anew, and the next report comes seconds later: until then the client reckons
/// with the old one.
#[test]
fn a_clock_that_is_misread_for_seconds_is_not_followed_and_not_refused() {
    let mut judge = Judge::new(true, Some(DAY_NS));
    run(&mut judge, 0..20, sane);
    let misread = |ns| Reading {
        stamp_ns: ns + 5 * HOUR_NS,
        ..ahead(5 * HOUR_NS)(ns)
    };
    assert_eq!(
        run(&mut judge, 20..25, misread),
        (Verdict::Doubt, Vec::new())
    );
    let right = |ns| Reading {
        stamp_ns: ns + 5 * HOUR_NS,
        ..sane(ns)
    };
    assert_eq!(
        run(&mut judge, 25..26, right),
        (Verdict::Believe, Vec::new())
    );
}

#[test]
fn a_clock_that_is_set_each_minute_is_refused_and_stays_so() {
    let mut judge = Judge::new(true, Some(DAY_NS));
    let mut said = Vec::new();
    for minute in 0..60 {
        let set = ahead(minute % 3 * HOUR_NS);
        said.extend(run(&mut judge, minute * 60..(minute + 1) * 60, set).1);
    }
    assert!(said.contains(&Change::Refused(Fault::Jumping)), "{said:?}");
    assert!(said.len() <= 4, "{said:?}");
    assert!(judge.fault().is_some());
}

#[test]
fn a_networks_stalls_bursts_and_backlogs_are_not_the_clocks_fault() {
    let mut judge = Judge::new(true, Some(DAY_NS));
    let mut said = Vec::new();
    for n in 0..45_000_i64 {
        let ns = n * FRAME_NS;
        // Each minute three seconds at once; each five minutes a backlog that grows to four seconds,
        // lumpy as keyframes are, and goes.
        let (minute, five) = (n % 1_500, n % 7_500);
        let stall = if (200..275).contains(&minute) {
            275 - minute
        } else {
            0
        };
        let lump = five / 50 * 13 % 10;
        let backlog = match five {
            3_000..3_500 => (five - 3_000) / 5 + lump,
            3_500..3_600 => 3_600 - five,
            _ => 0,
        };
        let late_ns = stall.max(backlog) * FRAME_NS + jitter(n);
        let reading = Reading {
            arrived_ns: ns + late_ns,
            ..sane(ns)
        };
        said.extend(judge.judge(reading).1);
    }
    assert_eq!(said, []);
}

#[test]
fn a_machine_whose_own_clock_was_never_set_does_not_judge_how_far_a_cameras_is_off() {
    let mut judge = Judge::new(true, Some(DAY_NS));
    let unset = |ns| Reading {
        machine: UtcNs(ns),
        ..sane(ns)
    };
    assert_eq!(run(&mut judge, 0..10, unset).0, Verdict::Believe);
}

#[test]
fn where_nothing_is_live_old_times_and_jumps_are_what_the_source_wants() {
    let mut judge = Judge::new(false, Some(DAY_NS));
    let old = |ns| Reading {
        camera: UtcNs(NOW.0 - 400 * DAY_NS + ns + ns / (2 * SECOND_NS) * HOUR_NS),
        arrived_ns: 0,
        ..sane(ns)
    };
    assert_eq!(run(&mut judge, 0..60, old), (Verdict::Believe, Vec::new()));
    let still = |ns| Reading {
        camera: NOW,
        arrived_ns: 0,
        ..sane(ns)
    };
    let mut judge = Judge::new(false, Some(DAY_NS));
    let (last, said) = run(&mut judge, 0..60, still);
    assert_eq!(last, Verdict::Refuse);
    assert_eq!(said, [Change::Refused(Fault::Still)]);
}
