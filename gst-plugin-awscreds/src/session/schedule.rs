// SPDX-License-Identifier: MPL-2.0
//! When to renew, and when to try again. Pure: time and chance are arguments.
//!
//! A renewal that waits for the last minute leaves no room for a fault, and other readers of a
//! shared session (botocore) start to ask on their own from 15 minutes before the expiry. So a
//! session renews after two thirds of a lifetime, at most 20 minutes and at least 2 minutes early.

use std::time::{Duration, SystemTime};

const MINUTE: Duration = Duration::from_secs(60);
/// Never sooner than this after an attempt, whatever is asked.
pub const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// How long before its expiry a lease of this lifetime is renewed.
#[must_use]
pub fn margin(lifetime: Duration) -> Duration {
    (lifetime / 3).min(20 * MINUTE).max(2 * MINUTE)
}

/// When to renew, at `now`, what expires at `expires_at` and is to be renewed `margin` earlier,
/// given `jitter` in `0.0..=1.0`.
///
/// Jitter makes it earlier by up to a tenth of the margin, never later: two hundred cameras that
/// started together do not come back together. Some sources hand out the same credentials until
/// shortly before they expire, and some credentials live shorter than any margin; so a sixth of
/// what is left always passes before the next question.
#[must_use]
pub fn renewal_at(
    now: SystemTime,
    expires_at: SystemTime,
    margin: Duration,
    jitter: f64,
) -> SystemTime {
    let left = expires_at.duration_since(now).unwrap_or_default();
    let early = margin + (margin / 10).mul_f64(jitter.clamp(0.0, 1.0));
    let wait = left.saturating_sub(early).max(left / 6).max(SHORTEST_PAUSE);
    now + wait
}

/// How long to wait after failure number `failures` (0 is the first) that time will heal: equal
/// jitter, 1 s to 30 s.
#[must_use]
pub fn retry_soon(failures: u32, jitter: f64) -> Duration {
    backoff(
        Duration::from_secs(1),
        Duration::from_secs(30),
        failures,
        jitter,
    )
}

/// How long to wait where somebody has to act first: equal jitter, 1 min to 5 min.
#[must_use]
pub fn retry_slowly(failures: u32, jitter: f64) -> Duration {
    backoff(MINUTE, 5 * MINUTE, failures, jitter)
}

/// Evenly from the upper half of `min(longest, initial · 2ⁿ)`.
fn backoff(initial: Duration, longest: Duration, failures: u32, jitter: f64) -> Duration {
    let factor = 2_u32.saturating_pow(failures);
    let half = initial.saturating_mul(factor).min(longest) / 2;
    half + half.mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// After how long a lease of `lifetime` is renewed.
    fn wait(lifetime: Duration, asked: Option<Duration>, jitter: f64) -> Duration {
        let now = SystemTime::UNIX_EPOCH + 20_000 * HOUR;
        let margin = asked.unwrap_or_else(|| margin(lifetime));
        renewal_at(now, now + lifetime, margin, jitter)
            .duration_since(now)
            .unwrap()
    }

    #[test]
    fn a_third_of_the_lifetime_is_left_at_most_twenty_minutes_at_least_two() {
        assert_eq!(wait(12 * HOUR, None, 0.0), 12 * HOUR - 20 * MINUTE);
        assert_eq!(wait(HOUR, None, 0.0), 40 * MINUTE);
        assert_eq!(wait(15 * MINUTE, None, 0.0), 10 * MINUTE);
        assert_eq!(wait(5 * MINUTE, None, 0.0), 3 * MINUTE);
    }

    #[test]
    fn jitter_makes_a_renewal_earlier_by_up_to_a_tenth_of_the_margin_never_later() {
        assert_eq!(wait(HOUR, None, 1.0), 38 * MINUTE);
        assert_eq!(wait(HOUR, None, 7.0), 38 * MINUTE);
        assert_eq!(wait(HOUR, None, -7.0), 40 * MINUTE);
    }

    #[test]
    fn what_is_asked_for_is_done() {
        assert_eq!(wait(HOUR, Some(5 * MINUTE), 0.0), 55 * MINUTE);
        assert_eq!(wait(HOUR, Some(50 * MINUTE), 0.0), 10 * MINUTE);
    }

    #[test]
    fn a_margin_longer_than_the_lifetime_does_not_renew_without_pause() {
        assert_eq!(wait(HOUR, Some(2 * HOUR), 0.0), 10 * MINUTE);
        assert_eq!(wait(MINUTE, None, 1.0), Duration::from_secs(10));
        assert_eq!(wait(Duration::ZERO, None, 0.0), SHORTEST_PAUSE);
    }

    #[test]
    fn retries_double_up_to_their_limit_and_never_fall_below_half_of_it() {
        let longest = |n| retry_soon(n, 1.0).as_secs();
        assert_eq!(
            (0..8).map(longest).collect::<Vec<_>>(),
            [1, 2, 4, 8, 16, 30, 30, 30]
        );
        assert_eq!(longest(u32::MAX), 30);
        for n in 0..40 {
            assert_eq!(
                retry_soon(n, 0.0) * 2,
                retry_soon(n, 1.0),
                "after {n} failures"
            );
            assert!(retry_slowly(n, 0.0) >= MINUTE / 2 && retry_slowly(n, 1.0) <= 5 * MINUTE);
        }
    }
}
