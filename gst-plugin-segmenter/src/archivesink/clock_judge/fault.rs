// SPDX-License-Identifier: MPL-2.0
//! What is wrong with a clock, in words.

use std::fmt;
use std::time::Duration;

use super::Reading;
use crate::utc::UtcNs;

/// Slower than this is standing still, in per cent.
const STILL_PERCENT: i64 = 25;

/// Why a source's clock is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It says a time before this project began.
    Unset(UtcNs),
    /// It is farther from the machine's clock than is allowed.
    Far {
        /// What it says.
        camera: UtcNs,
        /// How far it is ahead, in nanoseconds.
        off_ns: i64,
        /// How far it may be.
        limit_ns: i64,
    },
    /// It says the same time again and again.
    Still,
    /// It runs backward.
    Backward,
    /// It runs at another speed.
    Speed {
        /// How fast it runs, where 100 is right.
        percent: i64,
    },
    /// It is set to and fro.
    Jumping,
}

impl Fault {
    /// What a clock does that runs at this speed.
    pub fn of_speed(camera_ns: i64, passed_ns: i64) -> Self {
        let passed_ns = i128::from(passed_ns.max(1));
        let percent = (i128::from(camera_ns) * 100 + passed_ns / 2).div_euclid(passed_ns);
        let percent = i64::try_from(percent).unwrap_or(i64::MAX);
        if percent.saturating_abs() < STILL_PERCENT {
            Self::Still
        } else if percent < 0 {
            Self::Backward
        } else {
            Self::Speed { percent }
        }
    }

    /// What a clock does that jumped several times between two readings.
    pub fn of_jumps(before: &Reading, after: &Reading) -> Self {
        let passed_ns = after.arrived_ns.saturating_sub(before.arrived_ns);
        match Self::of_speed(after.camera - before.camera, passed_ns) {
            Self::Still => Self::Still,
            _ => Self::Jumping,
        }
    }

    /// Whether somebody who was told of one need not be told of the other.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset(camera) => write!(f, "says {camera}, which cannot be"),
            Self::Far {
                camera,
                off_ns,
                limit_ns,
            } => write!(
                f,
                "says {camera}, {} {} this machine's, and max-clock-offset allows {}",
                length(*off_ns),
                if *off_ns > 0 { "ahead of" } else { "behind" },
                length(*limit_ns)
            ),
            Self::Still => f.write_str("stands still"),
            Self::Backward => f.write_str("runs backward"),
            Self::Speed { percent } => write!(f, "runs at {percent} % of the right speed"),
            Self::Jumping => f.write_str("jumps to and fro"),
        }
    }
}

/// A length of time in the two largest units that it has.
fn length(ns: i64) -> String {
    let seconds = Duration::from_nanos(ns.unsigned_abs()).as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let largest = units.iter().position(|(_, size)| seconds >= *size);
    let units = units.iter().skip(largest.unwrap_or(3)).take(2);
    let mut rest = seconds;
    let parts = units.filter_map(|(unit, size)| {
        let count = rest / size;
        rest %= size;
        (count > 0 || seconds == 0).then(|| format!("{count} {unit}"))
    });
    parts.collect::<Vec<_>>().join(" ")
}
