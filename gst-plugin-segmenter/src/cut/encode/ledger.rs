// SPDX-License-Identifier: MPL-2.0
//! Keeps account of every frame between feed and result: none may be lost, doubled or moved.
//!
//! Frames travel through GStreamer under a time in nanoseconds from which their presentation time
//! is looked up again; rounding it back would be off by a tick now and then.

use std::collections::{BTreeMap, VecDeque};

use super::{EncodeError, Moment};

/// The time of the first frame, in nanoseconds. Frames shown before it must have one too, and
/// encoders that shift streams to make room for B-frames (by 1000 hours) find it late enough.
const ORIGIN_NS: i128 = 2000 * 3600 * 1_000_000_000;
const SECOND_NS: u32 = 1_000_000_000;
/// Frames of one presentation time go a nanosecond apart; more than this is no video.
const MOST_ALIKE: u64 = 64;

/// The account.
#[derive(Debug)]
pub struct Ledger {
    timescale: u32,
    /// Presentation time of the first frame.
    origin: Option<i64>,
    /// Presentation time of the latest frame from which decoding could start; without one, pictures
    /// become right only by and by, and those wanted are the ones that are.
    entry: Option<i64>,
    /// What the decoder has, by the time under which it travels.
    decoding: BTreeMap<u64, Fed>,
    /// What the encoder has, in the order in which it got it.
    encoding: VecDeque<(u64, i64)>,
}

#[derive(Clone, Copy, Debug)]
struct Fed {
    pts: i64,
    keep: bool,
    /// Shown before the frame at which decoding could start, so that it may refer to frames before.
    is_leading: bool,
}

impl Ledger {
    pub fn new(timescale: u32) -> Self {
        Self {
            timescale,
            origin: None,
            entry: None,
            decoding: BTreeMap::new(),
            encoding: VecDeque::new(),
        }
    }

    /// A frame goes to the decoder; returns the times, presentation then decoding, under which.
    pub fn feed(
        &mut self,
        (pts, dts): (i64, i64),
        is_entry: bool,
        keep: bool,
    ) -> Result<(u64, u64), EncodeError> {
        let moment = self.moment(pts);
        let time_ns = self.time_ns(pts).ok_or(EncodeError::Time(moment))?;
        let mut alike = time_ns..time_ns.saturating_add(MOST_ALIKE);
        let time_ns = alike
            .find(|time_ns| !self.decoding.contains_key(time_ns))
            .ok_or(EncodeError::Time(moment))?;
        if is_entry {
            self.entry = Some(pts);
        }
        let fed = Fed {
            pts,
            keep,
            is_leading: self.entry.is_none_or(|entry| pts < entry),
        };
        self.decoding.insert(time_ns, fed);
        let decoding_ns = self.time_ns(dts).map_or(time_ns, |dts| dts.min(time_ns));
        Ok((time_ns, decoding_ns))
    }

    /// A frame came out of the decoder; `true` if it goes to the encoder.
    pub fn decoded(&mut self, time_ns: u64, is_corrupt: bool) -> Result<bool, EncodeError> {
        let later = self.decoding.split_off(&time_ns);
        let passed_over = std::mem::replace(&mut self.decoding, later);
        self.lost(passed_over.values().filter(|fed| !fed.may_be_lost()))?;
        let Some(fed) = self.decoding.remove(&time_ns) else {
            return Err(self.unknown(time_ns));
        };
        if is_corrupt && !fed.may_be_lost() {
            return Err(EncodeError::Corrupt(self.moment(fed.pts)));
        }
        if fed.keep {
            self.encoding.push_back((time_ns, fed.pts));
        }
        Ok(fed.keep)
    }

    /// A frame came out of the encoder; returns its presentation time.
    pub fn encoded(&mut self, time_ns: u64) -> Result<i64, EncodeError> {
        match self.encoding.pop_front() {
            Some((expected_ns, pts)) if expected_ns == time_ns => Ok(pts),
            Some((_, pts)) => Err(self.missing(pts, 1)),
            None => Err(self.unknown(time_ns)),
        }
    }

    /// Nothing more will come.
    pub fn end(&self) -> Result<(), EncodeError> {
        if let Some((_, pts)) = self.encoding.front() {
            return Err(self.missing(*pts, self.encoding.len()));
        }
        self.lost(self.decoding.values().filter(|fed| fed.keep))
    }

    /// Frames under way.
    #[cfg(test)]
    pub fn under_way(&self) -> usize {
        self.decoding.len() + self.encoding.len()
    }

    fn lost<'a>(&self, mut frames: impl Iterator<Item = &'a Fed>) -> Result<(), EncodeError> {
        frames.next().map_or(Ok(()), |first| {
            Err(self.missing(first.pts, 1 + frames.count()))
        })
    }

    fn missing(&self, pts: i64, count: usize) -> EncodeError {
        EncodeError::Missing {
            first: self.moment(pts),
            count,
        }
    }

    fn unknown(&self, time_ns: u64) -> EncodeError {
        let since_ns = i128::from(time_ns) - ORIGIN_NS;
        let ticks = since_ns * i128::from(self.timescale) / i128::from(SECOND_NS);
        let pts = i128::from(self.origin.unwrap_or(0)) + ticks;
        EncodeError::Unknown(self.moment(i64::try_from(pts).unwrap_or(i64::MAX)))
    }

    pub fn moment(&self, pts: i64) -> Moment {
        Moment {
            pts,
            timescale: self.timescale,
        }
    }

    /// Ticks shorter than a nanosecond are taken for one, so that no two fall together.
    fn time_ns(&mut self, ticks: i64) -> Option<u64> {
        let origin = *self.origin.get_or_insert(ticks);
        let ticks = i128::from(ticks) - i128::from(origin);
        let timescale = i128::from(self.timescale.clamp(1, SECOND_NS));
        let since_ns = (ticks * i128::from(SECOND_NS)).div_euclid(timescale);
        u64::try_from(since_ns + ORIGIN_NS)
            .ok()
            .filter(|ns| *ns < u64::MAX / 2)
    }
}

impl Fed {
    /// What may be gone without harm: it is not wanted, and nothing that is refers to it.
    fn may_be_lost(self) -> bool {
        !self.keep && self.is_leading
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames of an open GOP in decoding order: those at 1 and 2 are shown before its start.
    fn open_gop() -> (Ledger, Vec<u64>) {
        let mut ledger = Ledger::new(30);
        let frames = [
            (3, true, true),
            (1, false, false),
            (2, false, true),
            (5, false, true),
        ];
        let fed = frames.map(|(pts, is_entry, keep)| {
            let times = ledger.feed((pts, pts - 3), is_entry, keep);
            times.expect("times like any").0
        });
        (ledger, fed.to_vec())
    }

    #[test]
    fn frames_come_out_in_the_order_in_which_they_are_shown_with_their_own_times() {
        let (mut ledger, fed) = open_gop();
        let [at_3, at_1, at_2, at_5] = fed[..] else {
            panic!("four frames")
        };
        let shown = [(at_1, false), (at_2, true), (at_3, true), (at_5, true)];
        for (time_ns, keep) in shown {
            assert_eq!(ledger.decoded(time_ns, false).expect("known"), keep);
        }
        let out = [at_2, at_3, at_5].map(|time_ns| ledger.encoded(time_ns).expect("known"));
        assert_eq!(out, [2, 3, 5]);
        ledger.end().expect("none is left");
        assert_eq!(ledger.under_way(), 0);
    }

    #[test]
    fn a_kept_frame_that_the_decoder_leaves_out_is_missed_at_once() {
        let (mut ledger, fed) = open_gop();
        let error = ledger.decoded(fed[0], false).expect_err("2 is not there");
        assert!(matches!(error, EncodeError::Missing { first, count: 1 } if first.pts == 2));
    }

    #[test]
    fn a_frame_that_never_comes_out_is_missed_in_the_end() {
        let (mut ledger, fed) = open_gop();
        ledger.decoded(fed[2], false).expect("known");
        assert!(matches!(ledger.end(), Err(EncodeError::Missing { first, .. }) if first.pts == 2));
        ledger.encoded(fed[2]).expect("known");
        let error = ledger.end().expect_err("two are left");
        assert!(matches!(error, EncodeError::Missing { first, count: 2 } if first.pts == 3));
    }

    #[test]
    fn a_frame_that_comes_twice_is_refused() {
        let (mut ledger, fed) = open_gop();
        ledger.decoded(fed[2], false).expect("known");
        assert!(matches!(
            ledger.decoded(fed[2], false),
            Err(EncodeError::Unknown(_))
        ));
        ledger.encoded(fed[2]).expect("known");
        assert!(matches!(
            ledger.encoded(fed[2]),
            Err(EncodeError::Unknown(_))
        ));
    }

    #[test]
    fn a_damaged_frame_is_refused_unless_nothing_wanted_refers_to_it() {
        let (mut ledger, fed) = open_gop();
        assert!(
            !ledger
                .decoded(fed[1], true)
                .expect("leads, and is not kept")
        );
        let error = ledger.decoded(fed[2], true).expect_err("it is kept");
        assert!(matches!(error, EncodeError::Corrupt(moment) if moment.pts == 2));
    }

    #[test]
    fn times_neither_overflow_nor_fall_together() {
        let mut ledger = Ledger::new(u32::MAX);
        let first = ledger.feed((0, 0), true, true).expect("a time");
        let second = ledger.feed((1, 0), false, true).expect("a time");
        let again = ledger.feed((1, 0), false, true).expect("a time");
        assert!(first.0 < second.0 && second.0 < again.0);
        for pts in [i64::MIN, i64::MAX] {
            assert!(ledger.feed((pts, pts), false, true).is_err());
        }
        assert!(Ledger::new(0).feed((7, i64::MAX), true, true).is_ok());
    }
}
