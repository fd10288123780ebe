// SPDX-License-Identifier: MPL-2.0
//! How long to wait before the next attempt.
//!
//! Exponential with equal jitter: the delay is drawn evenly from the upper half of
//! `min(max, initial · 2ⁿ)`. The floor keeps a camera that refuses at once from being hammered;
//! the jitter keeps two hundred cameras behind one dead switch from coming back in step. There is
//! no last attempt: a fault of the network is never a reason to stop recording for good.

use std::time::Duration;

/// The delay before attempt `failures` (0 after the first failure), given `jitter` in `0.0..=1.0`.
pub fn delay(initial: Duration, max: Duration, failures: u32, jitter: f64) -> Duration {
    let half = cap(initial, max, failures) / 2;
    half + half.mul_f64(jitter.clamp(0.0, 1.0))
}

/// The longest the delay of this attempt may be.
fn cap(initial: Duration, max: Duration, failures: u32) -> Duration {
    let factor = 2_u32.saturating_pow(failures);
    initial.saturating_mul(factor).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_delay_doubles_with_every_failure_until_it_reaches_the_maximum() {
        let longest = |failures| delay(SECOND, 30 * SECOND, failures, 1.0).as_secs();
        assert_eq!(
            (0..8).map(longest).collect::<Vec<_>>(),
            [1, 2, 4, 8, 16, 30, 30, 30]
        );
        assert_eq!(longest(u32::MAX), 30);
    }

    #[test]
    fn the_delay_never_falls_below_half_of_its_cap() {
        for failures in 0..40 {
            let shortest = delay(SECOND, 30 * SECOND, failures, 0.0);
            let longest = delay(SECOND, 30 * SECOND, failures, 1.0);
            assert_eq!(shortest * 2, longest, "after {failures} failures");
        }
    }

    #[test]
    fn a_jitter_outside_of_its_range_cannot_push_the_delay_outside_of_its_own() {
        assert_eq!(delay(SECOND, SECOND, 3, 7.0), SECOND);
        assert_eq!(delay(SECOND, SECOND, 3, -7.0), SECOND / 2);
    }
}
