// SPDX-License-Identifier: MPL-2.0
//! Times, lengths and names as people read them. Exact: nothing that is shown is rounded but
//! percentages and sizes, and a percentage is never rounded up to all of it.

use std::path::Path;

use gstsegmenter::utc::{HOUR_NS, SECOND_NS, UtcNs};

const MINUTE_NS: i64 = 60 * SECOND_NS;
const DAY_NS: i64 = 24 * HOUR_NS;

/// A moment, in columns of one width: `2026-11-20T10:31:06.033333Z`.
pub(super) fn moment(moment: UtcNs) -> String {
    let text = moment.to_string();
    let fraction_ns = moment.0.rem_euclid(SECOND_NS);
    let seconds = text.split(['.', 'Z']).next().unwrap_or_default();
    match fraction_ns % 1_000 {
        0 => format!("{seconds}.{:06}Z", fraction_ns / 1_000),
        _ => format!("{seconds}.{fraction_ns:09}Z"),
    }
}

/// A length of time with as many digits as it needs: `2s`, `0.033333s`, `1h 02m 03.5s`.
pub(super) fn duration(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.saturating_abs();
    let (days, hours) = (ns / DAY_NS, ns % DAY_NS / HOUR_NS);
    let (minutes, rest_ns) = (ns % HOUR_NS / MINUTE_NS, ns % MINUTE_NS);
    let seconds = rest_ns / SECOND_NS;
    let mut fraction = format!(".{:09}", rest_ns % SECOND_NS);
    fraction.truncate(fraction.trim_end_matches('0').len());
    let fraction = fraction.trim_end_matches('.');
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{seconds}{fraction}s"),
        (0, 0, _) => format!("{sign}{minutes}m {seconds:02}{fraction}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes:02}m {seconds:02}{fraction}s"),
        _ => format!("{sign}{days}d {hours:02}h {minutes:02}m {seconds:02}{fraction}s"),
    }
}

/// Hundredths of a percent that `part` is of `whole`, rounded down; all of nothing.
pub(super) fn per_myriad(part_ns: i64, whole_ns: i64) -> u16 {
    if whole_ns <= 0 {
        return 10_000;
    }
    let share = i128::from(part_ns) * 10_000 / i128::from(whole_ns);
    u16::try_from(share.clamp(0, 10_000)).unwrap_or(10_000)
}

/// `99.98 %`.
pub(super) fn percent(part_ns: i64, whole_ns: i64) -> String {
    let share = per_myriad(part_ns, whole_ns);
    format!("{}.{:02} %", share / 100, share % 100)
}

/// A number with its noun: `1 hole`, `2 holes`.
pub(super) fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// A text from outside on one line, without what a terminal would obey.
pub(super) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => clean.extend(character.escape_default()),
            false => clean.push(character),
        }
    }
    clean
}

/// A path on one line.
pub(super) fn path(path: &Path) -> String {
    clean(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_exact_and_have_no_digit_too_many() {
        for (ns, expected) in [
            (0, "0s"),
            (2 * SECOND_NS, "2s"),
            (33_333_333, "0.033333333s"),
            (MINUTE_NS + 500_000_000, "1m 00.5s"),
            (HOUR_NS + 2 * MINUTE_NS + 3 * SECOND_NS, "1h 02m 03s"),
            (30 * DAY_NS, "30d 00h 00m 00s"),
            (-SECOND_NS, "-1s"),
        ] {
            assert_eq!(duration(ns), expected);
        }
    }

    #[test]
    fn moments_line_up_and_keep_their_nanoseconds() {
        let second = 1_795_170_666 * SECOND_NS;
        assert_eq!(moment(UtcNs(second)), "2026-11-20T10:31:06.000000Z");
        assert_eq!(
            moment(UtcNs(second + 33_333_000)),
            "2026-11-20T10:31:06.033333Z"
        );
        assert_eq!(moment(UtcNs(second + 1)), "2026-11-20T10:31:06.000000001Z");
        assert_eq!(moment(UtcNs(-1)), "1969-12-31T23:59:59.999999999Z");
        for extreme in [i64::MIN, i64::MAX] {
            assert!(moment(UtcNs(extreme)).ends_with('Z'));
        }
    }

    #[test]
    fn almost_all_is_not_all() {
        assert_eq!(percent(HOUR_NS - 1, HOUR_NS), "99.99 %");
        assert_eq!(percent(HOUR_NS, HOUR_NS), "100.00 %");
        assert_eq!(percent(0, HOUR_NS), "0.00 %");
        assert_eq!(percent(i64::MAX - 1, i64::MAX), "99.99 %");
    }

    #[test]
    fn a_hostile_name_cannot_move_the_cursor_or_fake_a_line() {
        assert_eq!(clean("a\n\u{1b}[2Jb é"), "a\\n\\u{1b}[2Jb é");
    }
}
