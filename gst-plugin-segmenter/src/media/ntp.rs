// SPDX-License-Identifier: MPL-2.0
//! NTP time (RFC 5905 §6): 32 bits of seconds since 1900 and 32 bits of fraction, as `prft` holds it.
//!
//! The seconds overflow on 2036-02-07. RFC 4330 §3 says how to read on: a top bit that is set
//! means the era that began in 1900, a clear one the era that began in 2036. That covers
//! 1968-01-20 to 2104-02-26. A fraction counts quarters of a nanosecond, so nanoseconds survive
//! the way there and back.

use super::MediaError;
use crate::utc::{SECOND_NS, UtcNs};

/// Seconds from 1900-01-01 to 1970-01-01.
const NTP_TO_UNIX_S: i64 = 2_208_988_800;
/// Seconds in one NTP era.
const ERA_S: i64 = 1 << 32;

/// The moment as NTP time.
///
/// # Errors
/// If the moment lies outside 1968-01-20 to 2104-02-26.
pub fn from_utc(utc: UtcNs) -> Result<u64, MediaError> {
    let seconds = utc.0.div_euclid(SECOND_NS).saturating_add(NTP_TO_UNIX_S);
    let half_era = ERA_S / 2;
    if !(half_era..ERA_S + half_era).contains(&seconds) {
        return Err(MediaError::TimeOutOfRange(utc));
    }
    let nanoseconds = utc.0.rem_euclid(SECOND_NS).unsigned_abs();
    let fraction = (nanoseconds << 32) / SECOND_NS.unsigned_abs();
    Ok(((seconds.rem_euclid(ERA_S)).unsigned_abs() << 32) | fraction)
}

/// The moment that NTP time means, to the nearest nanosecond.
pub fn to_utc(ntp: u64) -> UtcNs {
    let era_seconds = i64::from((ntp >> 32) as u32);
    let seconds = if ntp >> 63 == 1 {
        era_seconds
    } else {
        era_seconds + ERA_S
    };
    let fraction = u64::from(ntp as u32);
    let nanoseconds = (fraction * SECOND_NS.unsigned_abs() + (1 << 31)) >> 32;
    UtcNs((seconds - NTP_TO_UNIX_S) * SECOND_NS) + i64::try_from(nanoseconds).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nanosecond_survives_the_way_there_and_back() {
        for text in [
            "1968-01-20T03:14:08Z",
            "1970-01-01T00:00:00.000000001Z",
            "2026-11-20T10:31:07.999999999Z",
            "2036-02-07T06:28:15.999999999Z",
            "2036-02-07T06:28:16Z",
            "2104-02-26T09:42:23.999999999Z",
        ] {
            let utc = UtcNs::parse(text).expect("a time");
            assert_eq!(to_utc(from_utc(utc).expect("in range")), utc, "{text}");
        }
        let base = UtcNs::parse("2026-11-20T10:31:07Z").expect("a time");
        for ns in (0..SECOND_NS).step_by(99_991) {
            assert_eq!(to_utc(from_utc(base + ns).expect("in range")), base + ns);
        }
    }

    #[test]
    fn the_seconds_start_again_at_zero_in_2036() {
        let utc = UtcNs::parse("2036-02-07T06:28:16Z").expect("a time");
        assert_eq!(from_utc(utc).expect("in range"), 0);
    }

    #[test]
    fn a_moment_that_ntp_cannot_hold_is_refused() {
        for text in ["1968-01-20T03:14:07Z", "2104-02-26T09:42:24Z"] {
            let utc = UtcNs::parse(text).expect("a time");
            assert!(from_utc(utc).is_err(), "{text}");
        }
    }
}
