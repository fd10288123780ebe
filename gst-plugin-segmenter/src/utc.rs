// SPDX-License-Identifier: MPL-2.0
//! Wall-clock time as everybody here means it: nanoseconds of UTC since 1970, in 64 bits.
//!
//! A bare integer because the archive compares, sorts and subtracts times by the million; the
//! calendar (hour folders, RFC 3339) is asked only at the edges, and there `jiff` answers.
//! Leap seconds are not counted, as in POSIX. The range (years 1678 to 2262) is jiff's and ours.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::{SystemTime, UNIX_EPOCH};

/// One second, in nanoseconds.
pub const SECOND_NS: i64 = 1_000_000_000;
/// One hour, in nanoseconds: what one folder of the archive holds.
pub const HOUR_NS: i64 = 3600 * SECOND_NS;

/// A moment of UTC: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcNs(pub i64);

impl UtcNs {
    /// The system's wall clock now.
    pub fn now() -> Self {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Self(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)),
            Err(before) => Self(-i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX)),
        }
    }

    /// The start of the hour that holds this moment.
    pub fn hour(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(HOUR_NS)))
    }

    /// Parses RFC 3339; a time without an offset is UTC, as in wubloader.
    ///
    /// # Errors
    /// Says which text was not a time, and what one looks like.
    pub fn parse(text: &str) -> Result<Self, ParseTimeError> {
        let error = || ParseTimeError(text.to_owned());
        let nanoseconds = match text.parse::<jiff::Timestamp>() {
            Ok(timestamp) => timestamp.as_nanosecond(),
            Err(_) => text
                .parse::<jiff::civil::DateTime>()
                .and_then(|civil| jiff::tz::Offset::UTC.to_timestamp(civil))
                .map_err(|_| error())?
                .as_nanosecond(),
        };
        i64::try_from(nanoseconds).map(Self).map_err(|_| error())
    }
}

/// The text was not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a time; one looks like 2026-11-20T10:31:06.25Z (RFC 3339; without an offset it is UTC)"
)]
pub struct ParseTimeError(String);

/// Adds nanoseconds, saturating.
impl Add<i64> for UtcNs {
    type Output = Self;
    fn add(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

/// Subtracts nanoseconds, saturating.
impl Sub<i64> for UtcNs {
    type Output = Self;
    fn sub(self, ns: i64) -> Self {
        Self(self.0.saturating_sub(ns))
    }
}

/// The nanoseconds between two moments, saturating.
impl Sub for UtcNs {
    type Output = i64;
    fn sub(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// RFC 3339 in UTC, with as many digits as the moment needs.
impl fmt::Display for UtcNs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_) => write!(f, "{} ns since 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_an_offset_is_utc_and_one_with_is_converted() {
        let expected = UtcNs(1_700_000_000 * SECOND_NS + 250_000_000);
        for text in [
            "2023-11-14T22:13:20.25Z",
            "2023-11-14T22:13:20.25",
            "2023-11-15T03:13:20.250+05:00",
        ] {
            assert_eq!(UtcNs::parse(text), Ok(expected), "{text}");
        }
        assert_eq!(expected.to_string(), "2023-11-14T22:13:20.25Z");
        assert!(UtcNs::parse("yesterday").is_err());
    }

    #[test]
    fn the_hour_of_a_moment_before_1970_lies_before_it() {
        assert_eq!(UtcNs(-1).hour(), UtcNs(-HOUR_NS));
        assert_eq!(UtcNs(HOUR_NS).hour(), UtcNs(HOUR_NS));
    }
}
