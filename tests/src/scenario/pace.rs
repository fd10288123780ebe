// SPDX-License-Identifier: MPL-2.0
//! When frames are captured, what timestamps they bear, and what clocks sender reports tell of.

use super::kinds::{Regularity, Reports, Scenario, Stamps};
use crate::scripted_camera::script::Clock;

const SECOND_NS: i64 = 1_000_000_000;
/// A clock that is ahead, but not so far that it cannot be believed.
pub const AHEAD_NS: i64 = 1_200_000_000;

/// When frames are captured, since PLAY, in the order shown; the next is always later.
pub fn captures_ns(scenario: &Scenario, random: &mut fastrand::Rng, until_ns: i64) -> Vec<i64> {
    let period_ns = SECOND_NS / scenario.frames_per_second();
    let jitter_ns = (period_ns / 2 - 1).min(18_000_000);
    let pause_from = until_ns / 2;
    let mut has_paused = false;
    let (mut times, mut next_ns) = (Vec::new(), 0);
    while next_ns < until_ns {
        let off_ns = match scenario.regularity {
            Regularity::Jitter => random.i64(-jitter_ns..=jitter_ns),
            _ => 0,
        };
        times.push((next_ns + off_ns).max(0));
        next_ns += match scenario.regularity {
            Regularity::Irregular => period_ns * random.i64(1..=4),
            Regularity::Pause if next_ns >= pause_from && !has_paused => {
                has_paused = true;
                3 * SECOND_NS / 2
            }
            _ => period_ns,
        };
    }
    times
}

/// A track's RTP timestamps.
#[derive(Clone, Copy, Debug)]
pub struct Stamper {
    kind: Stamps,
    rate: i64,
    first: u32,
    /// Where it goes on, and from when.
    other: u32,
    reset_ns: i64,
}

impl Stamper {
    /// Timestamps of `rate` a second for a session of `until_ns`.
    pub fn new(scenario: &Scenario, rate: i64, random: &mut fastrand::Rng, until_ns: i64) -> Self {
        let first = match scenario.stamps {
            Stamps::Wrap => ((-2 * rate) & 0xffff_ffff) as u32,
            _ => random.u32(..1 << 31),
        };
        Self {
            kind: scenario.stamps,
            rate,
            first,
            other: random.u32(..),
            reset_ns: until_ns / 2,
        }
    }

    /// The timestamp of a moment, since PLAY.
    pub fn at(&self, ns: i64) -> u32 {
        let (base, since_ns) = match self.kind {
            Stamps::Zero => return self.first,
            Stamps::Slow => (self.first, ns * 81 / 100),
            Stamps::Reset if ns >= self.reset_ns => (self.other, ns - self.reset_ns),
            _ => (self.first, ns),
        };
        let ticks = (since_ns * self.rate + SECOND_NS / 2).div_euclid(SECOND_NS);
        base.wrapping_add((ticks & 0xffff_ffff) as u32)
    }
}

/// When sender reports leave, and what clock each tells of.
pub fn reports(scenario: &Scenario, until_ns: i64) -> Vec<(i64, Clock)> {
    let from_s = match scenario.reports {
        Reports::Late => 4,
        _ => 0,
    };
    let seconds = from_s..until_ns / SECOND_NS + 1;
    let clock = |at_ns: i64| {
        Some(match scenario.reports {
            Reports::None => return None,
            Reports::Sane | Reports::Late => Clock::SincePlay(at_ns),
            Reports::Ahead => Clock::SincePlay(at_ns + AHEAD_NS),
            Reports::Zero => Clock::Raw(0),
            // 2100-01-01, in the next era of NTP.
            Reports::Future => Clock::Raw(ntp_s(4_102_444_800, at_ns)),
            Reports::Past => Clock::Raw(ntp_s(60, at_ns)),
            Reports::Stuck => Clock::SincePlay(0),
            Reports::Fast => Clock::SincePlay(at_ns * 6 / 5),
            Reports::Jump if at_ns > until_ns / 2 => Clock::SincePlay(at_ns + 3600 * SECOND_NS),
            Reports::Jump => Clock::SincePlay(at_ns),
        })
    };
    let times = seconds.map(|second| second * SECOND_NS);
    times
        .filter_map(|at_ns| Some((at_ns, clock(at_ns)?)))
        .collect()
}

fn ntp_s(unix_s: i64, and_ns: i64) -> u64 {
    crate::scripted_camera::packets::ntp(unix_s * SECOND_NS + and_ns)
}

/// How far the camera's own clock is ahead of this machine's, where it is to be believed.
pub fn clock_ahead_ns(scenario: &Scenario) -> i64 {
    match scenario.reports {
        Reports::Ahead => AHEAD_NS,
        _ => 0,
    }
}
