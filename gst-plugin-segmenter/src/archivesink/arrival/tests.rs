// SPDX-License-Identifier: MPL-2.0
use super::*;

const FRAME_NS: i64 = 40_000_000;
/// What `rtspsrc` says of itself with `latency=200`.
const LATENCY_NS: i64 = 200_000_000;
/// No time may be farther from the arrival.
const BOUND_NS: i64 = 500_000_000;

/// A camera: frame number to stamp and arrival.
struct Case {
    name: &'static str,
    stamp_ns: fn(i64) -> i64,
    late_ns: fn(i64) -> i64,
    jumps: std::ops::RangeInclusive<usize>,
}

/// Something between 0 and 1 that looks like chance.
fn noise(n: i64) -> f64 {
    let mixed = (n.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> 40;
    mixed as f64 / f64::from(1 << 24)
}

fn jitter(n: i64) -> i64 {
    (noise(n) * 18e6) as i64
}

fn times(stamp_ns: i64, factor: f64) -> i64 {
    (stamp_ns as f64 * factor) as i64
}

const HOUR_NS: i64 = 3600 * SECOND_NS;

const CASES: &[Case] = &[
    Case {
        name: "sane, with jitter",
        stamp_ns: |n| n * FRAME_NS,
        late_ns: jitter,
        jumps: 0..=0,
    },
    Case {
        name: "19 % slow",
        stamp_ns: |n| times(n * FRAME_NS, 0.81),
        late_ns: jitter,
        jumps: 0..=0,
    },
    Case {
        name: "19 % fast",
        stamp_ns: |n| times(n * FRAME_NS, 1.19),
        late_ns: jitter,
        jumps: 0..=0,
    },
    Case {
        name: "2 % fast",
        stamp_ns: |n| times(n * FRAME_NS, 1.02),
        late_ns: jitter,
        jumps: 0..=0,
    },
    Case {
        name: "a crystal 50 ppm slow",
        stamp_ns: |n| times(n * FRAME_NS, 0.99995),
        late_ns: jitter,
        jumps: 0..=0,
    },
    Case {
        name: "begins anew at six hours",
        stamp_ns: |n| n * FRAME_NS + if n < 500 { 0 } else { 6 * HOUR_NS },
        late_ns: jitter,
        jumps: 1..=1,
    },
    Case {
        name: "begins anew at zero",
        stamp_ns: |n| if n < 5_000 { n } else { n - 5_000 } * FRAME_NS,
        late_ns: jitter,
        jumps: 1..=1,
    },
    Case {
        name: "pauses for five seconds that its stamps do not count",
        stamp_ns: |n| n * FRAME_NS,
        late_ns: |n| jitter(n) + if n < 500 { 0 } else { 5 * SECOND_NS },
        jumps: 1..=1,
    },
    Case {
        name: "two seconds behind from the first frame on",
        stamp_ns: |n| n * FRAME_NS - 2 * SECOND_NS,
        late_ns: jitter,
        jumps: 0..=0,
    },
    Case {
        name: "two seconds ahead from the first frame on",
        stamp_ns: |n| n * FRAME_NS + 2 * SECOND_NS,
        late_ns: jitter,
        jumps: 0..=0,
    },
];

/// From when on a time must be near its arrival: a pause is one for certain only after a while.
fn excused(name: &str, n: i64) -> bool {
    name.starts_with("pauses") && (500..620).contains(&n)
}

#[test]
fn times_stay_within_half_a_second_of_the_arrival_for_ever_whatever_the_stamps_do() {
    for case in CASES {
        let mut arrival = Arrival::default();
        arrival.compare(Some(LATENCY_NS));
        let (mut jumps, mut latest_ns) = (0, i64::MIN);
        // Twenty minutes.
        for n in 0..30_000 {
            let (stamp_ns, arrived_ns) = ((case.stamp_ns)(n), n * FRAME_NS + (case.late_ns)(n));
            let moved = arrival.observe(stamp_ns, arrived_ns, n < 25);
            jumps += usize::from(moved.jumped);
            let time_ns = stamp_ns + arrival.at(stamp_ns);
            let off_ns = time_ns - arrived_ns;
            assert!(
                off_ns.abs() < BOUND_NS || excused(case.name, n),
                "{}: frame {n} is {off_ns} ns from its arrival",
                case.name
            );
            assert!(
                time_ns > latest_ns || n < 25 || moved.jumped,
                "{}: frame {n} goes back",
                case.name
            );
            latest_ns = time_ns;
        }
        assert!(case.jumps.contains(&jumps), "{}: {jumps} jumps", case.name);
    }
}

#[test]
fn a_sane_streams_stamps_are_not_touched_by_jitter_bursts_and_stalls() {
    let mut arrival = Arrival::default();
    arrival.compare(Some(LATENCY_NS));
    for n in 0..30_000 {
        // Every minute the network stands still for three seconds and then gives all at once; every
        // ten seconds frames come by the second.
        let (in_minute, in_ten) = (n % 1_500, n % 250);
        let late = match (in_minute, in_ten) {
            (700..775, _) => 775 - in_minute,
            (_, 100..125) => 125 - in_ten,
            _ => 0,
        };
        let arrived_ns = (n + late) * FRAME_NS + jitter(n);
        let moved = arrival.observe(n * FRAME_NS, arrived_ns, false);
        assert_eq!(moved, Moved::default(), "frame {n}");
        assert_eq!(arrival.correction_ns(), 0, "frame {n}");
    }
}

#[test]
fn an_encoders_latency_that_upstream_tells_is_not_taken_for_stamps_that_are_behind() {
    let mut arrival = Arrival::default();
    arrival.compare(Some(2 * SECOND_NS));
    for n in 0..3_000 {
        arrival.observe(
            n * FRAME_NS,
            n * FRAME_NS + 2 * SECOND_NS + jitter(n),
            n < 25,
        );
        assert_eq!(arrival.correction_ns(), 0, "frame {n}");
    }
}

#[test]
fn a_server_that_begins_with_what_it_has_kept_ends_its_burst_now() {
    let mut arrival = Arrival::default();
    arrival.compare(Some(LATENCY_NS));
    let mut moved_ns = 0;
    for n in 0..200 {
        // Four seconds at once, and then in time.
        let arrived_ns = (n - 100).max(0) * FRAME_NS + n * 100_000;
        let moved = arrival.observe(n * FRAME_NS, arrived_ns, n < 120);
        moved_ns += moved.held_ns;
    }
    assert_eq!(moved_ns, arrival.correction_ns());
    assert!((moved_ns + 4 * SECOND_NS).abs() < 50_000_000, "{moved_ns}");
}

#[test]
fn stamps_that_stand_still_are_replaced_by_arrivals_in_the_end_without_a_break() {
    let mut arrival = Arrival::default();
    arrival.compare(Some(LATENCY_NS));
    let mut jumps = 0;
    for n in 0..3_000 {
        let moved = arrival.observe(0, n * FRAME_NS + jitter(n), n < 25);
        jumps += usize::from(moved.jumped);
        let off_ns = arrival.at(0) - n * FRAME_NS;
        let bound_ns = if n < 1_000 { 5 * SECOND_NS } else { BOUND_NS };
        assert!(off_ns.abs() < bound_ns, "frame {n}: {off_ns}");
        assert!(n < 500 || !moved.jumped, "frame {n}");
    }
    assert!(jumps <= 3, "{jumps}");
}

/// Decoding order and presentation order differ, and a busy machine makes frames late and early.
#[test]
fn pictures_keep_their_order_and_their_distance_while_they_are_slewed() {
    for factor in [0.81, 1.0, 1.19] {
        let mut arrival = Arrival::default();
        arrival.compare(Some(LATENCY_NS));
        let mut shown = Vec::new();
        for n in 0..1_500 {
            let position = n / 4 * 4 + [3, 1, 0, 2][usize::try_from(n % 4).expect("small")];
            let busy_ns = if n / 50 % 3 == 1 { 700_000_000 } else { 0 };
            let stamp_ns = times(position * FRAME_NS, factor);
            arrival.observe(stamp_ns, (n + 3) * FRAME_NS + busy_ns + jitter(n), false);
            shown.push((position, stamp_ns + arrival.at(stamp_ns)));
        }
        shown.sort_unstable();
        for pair in shown.windows(2) {
            let apart_ns = pair[1].1 - pair[0].1;
            assert!(apart_ns > FRAME_NS / 4, "{factor}: {pair:?}");
        }
    }
}

#[test]
fn a_machine_that_is_busy_for_a_second_does_not_set_times_back() {
    let mut arrival = Arrival::default();
    arrival.compare(Some(LATENCY_NS));
    let mut last_ns = i64::MIN / 2;
    for n in 0..500 {
        let busy_ns = if (30..60).contains(&n) {
            600_000_000
        } else {
            0
        };
        let stamp_ns = n * FRAME_NS;
        arrival.observe(stamp_ns, stamp_ns + busy_ns, n < 25);
        let time_ns = stamp_ns + arrival.at(stamp_ns);
        assert!(time_ns - last_ns >= FRAME_NS * 9 / 10, "frame {n}");
        last_ns = time_ns;
    }
}

#[test]
fn where_nothing_is_live_stamps_are_taken_as_they_are() {
    let mut arrival = Arrival::default();
    for n in 0..3_000 {
        arrival.observe(n * FRAME_NS, n * 1_000_000, false);
    }
    assert_eq!(arrival.correction_ns(), 0);
}

#[test]
fn a_stream_that_begins_later_lies_to_the_others_as_it_arrived() {
    for (late_ns, moved_ns) in [(300_000_000, 290_000_000), (90_000_000, 0)] {
        let mut arrival = Arrival::default();
        arrival.compare(Some(LATENCY_NS));
        assert_eq!(arrival.join(10_000_000), 0, "nothing came yet");
        arrival.observe(0, late_ns, true);
        assert_eq!(arrival.join(10_000_000), moved_ns);
        assert_eq!(arrival.correction_ns(), moved_ns);
        arrival.observe(FRAME_NS, late_ns + FRAME_NS, false);
        assert_eq!(arrival.correction_ns(), moved_ns);
    }
}

/// As `rtspsrc` counts from another number once a frame was stamped in another hour.
#[test]
fn stamps_that_begin_anew_while_frames_are_held_do_not_move_those() {
    let mut arrival = Arrival::default();
    arrival.compare(Some(LATENCY_NS));
    for n in 0..100 {
        let arrived_ns = n * FRAME_NS;
        let stamp_ns = arrived_ns + if n < 20 { 0 } else { 3 * HOUR_NS };
        let moved = arrival.observe(stamp_ns, arrived_ns, n < 25);
        assert_eq!(moved.held_ns, 0, "{n}");
        assert_eq!(moved.jumped, n == 20, "{n}");
        assert_eq!(stamp_ns + arrival.at(stamp_ns), arrived_ns, "{n}");
    }
}
