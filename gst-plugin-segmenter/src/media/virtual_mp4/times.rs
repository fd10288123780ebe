// SPDX-License-Identifier: MPL-2.0
//! When samples are decoded and shown, in the time of the file.
//!
//! Where all samples are shown, media time starts at the first one's decoding, and the edit list
//! says where presentation does: composition offsets are never negative then, and every player
//! understands them.
//!
//! Where pictures before the first one shown are hidden (a cut of type `copy`), they are decoded in
//! next to no time, and shown before zero: composition offsets may be negative (ISO/IEC 14496-12
//! §8.6.1.3, version 1). By the standard, media time could go on as it did, and the edit start
//! later in it. But GStreamer 1.22's `qtdemux` adds the media time at which an edit starts to the
//! time it has played, and would stop so much too early: decoding times have to end before the
//! presentation does. So the n-th picture shown is decoded when the n-th is shown, and
//! what is hidden behind the end a moment after the one before it.

use std::ops::Range;

use super::super::assembly::AssemblyTrack;

/// The time of one sample, in ticks of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleTime {
    /// When it is decoded.
    pub dts: u64,
    /// From then until it is shown (§8.6.1.3).
    pub offset: i64,
}

/// The times of a track's samples.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// Of each sample.
    pub samples: Vec<SampleTime>,
    /// The presentation time of the track at which media time is zero.
    pub zero: i64,
}

impl Times {
    /// Those of a track.
    pub fn of(track: &AssemblyTrack) -> Self {
        if let Some(shown) = shown_behind_hidden(track) {
            return Self::squeezed(track, &shown);
        }
        let zero = track.samples.first().map_or(0, |sample| sample.dts);
        let dts = track.samples.iter().map(|sample| sample.dts - zero);
        Self::new(track, zero, dts.collect())
    }

    fn new(track: &AssemblyTrack, zero: i64, dts: Vec<i64>) -> Self {
        let times = track.samples.iter().zip(dts);
        let samples = times.map(|(sample, dts)| SampleTime {
            dts: u64::try_from(dts).unwrap_or(0),
            offset: sample.pts.saturating_sub(zero).saturating_sub(dts),
        });
        Self {
            samples: samples.collect(),
            zero,
        }
    }

    /// Hidden samples a moment apart; each other one when as many are shown as were decoded before
    /// it, or a moment after the one before. ffmpeg takes the decoding of the first one shown for
    /// the start of the edit, so there it is.
    fn squeezed(track: &AssemblyTrack, shown: &Range<i64>) -> Self {
        let all = || track.samples.iter().map(|sample| sample.pts);
        let mut shows: Vec<i64> = all().filter(|pts| shown.contains(pts)).collect();
        shows.sort_unstable();
        let moment = moment(track, track.samples.len() - shows.len());
        let before = all().take_while(|pts| !shown.contains(pts)).count();
        let start = moment.saturating_mul(i64::try_from(before).unwrap_or(0));
        let mut dues = shows.iter().map(|pts| pts - shown.start + start);
        let mut next = 0;
        let dts = all().map(|pts| {
            let due = shown.contains(&pts).then(|| dues.next()).flatten();
            let dts = due.unwrap_or(0).max(next);
            next = dts.saturating_add(moment);
            dts
        });
        let dts = dts.collect();
        Self::new(track, shown.start.saturating_sub(start), dts)
    }

    /// By how much the most negative offset is: so much later is what they are counted from
    /// (`compositionToDTSShift` of §8.6.1.4).
    pub fn shift(&self) -> i64 {
        let least = self.samples.iter().map(|time| time.offset).min();
        least.unwrap_or(0).min(0).saturating_neg()
    }
}

/// The time that is shown, if it is one edit with hidden pictures before it.
fn shown_behind_hidden(track: &AssemblyTrack) -> Option<Range<i64>> {
    let [edit] = track.edits.as_slice() else {
        return None;
    };
    let start = edit.pts?;
    let end = start.saturating_add_unsigned(edit.ticks);
    let hides = track.samples.iter().any(|sample| sample.pts < start);
    (track.is_video && hides).then_some(start..end)
}

/// The time between hidden samples: all of them fit into the shortest time that a picture is
/// shown.
fn moment(track: &AssemblyTrack, hidden: usize) -> i64 {
    let most = i64::from(track.timescale / 6000);
    let presented = i64::try_from(track.presented_ticks()).unwrap_or(i64::MAX);
    let shortest = track
        .samples
        .iter()
        .map(|sample| i64::from(sample.duration));
    let shortest = shortest.filter(|ticks| *ticks > most).min();
    let room = shortest.unwrap_or(presented).min(presented);
    let places = i64::try_from(hidden).unwrap_or(i64::MAX).saturating_add(2);
    (room / places).clamp(1, most.max(1))
}
