// SPDX-License-Identifier: MPL-2.0
//! When samples are decoded and shown, in the time of the file.
//!
//! The samples' own times become those of the file: so many need no table of their own beside.
//!
//! Where all samples are shown, media time starts at the first one's decoding, and the edit list
//! says where presentation does: composition offsets are never negative then, and every player
//! understands them.
//!
//! A cut of type `copy` hides pictures. Players have their own ways with that, and this is what
//! ffmpeg 5.1 and GStreamer 1.22's `qtdemux` both play exactly:
//!
//! - Hidden pictures are decoded in next to no time, and may be shown before zero: composition
//!   offsets are signed (ISO/IEC 14496-12 §8.6.1.3, version 1). The n-th picture shown is decoded
//!   when the n-th is shown. `qtdemux` adds the media time at which an edit starts to the time it
//!   has played; if decoding were to end after the presentation does, it would stop too early.
//! - An edit starts when the first picture of it is decoded, as ffmpeg takes that to be so.
//! - Between clips, the next one's keyframe stands twice more and is hidden. ffmpeg reads on behind
//!   an edit up to the second keyframe, then goes back for the next edit; these two it finds at
//!   once, with decoding times that are before the next edit's.
//! - Where clips are joined, an edit of no length is last, which shows nothing. `qtdemux` compares
//!   that sum, which is far too large in later edits, with the movie's end; it takes an edit of no
//!   length for one to the end of the track, the movie's end for unknown, and stops no more. Both
//!   read the keyframe before that edit: the last clip's stands there, twice as well.

use std::ops::Range;

use super::super::assembly::{AssemblySample, AssemblyTrack, Edit};
use super::super::frames::sort_by_showing;

/// How often the keyframe of the next clip stands between two, and that of the last one at the end.
const REPEATS: usize = 2;

/// For each edit the media time at which it starts; none if it is empty.
pub type Starts = Vec<Option<i64>>;

/// Samples that one edit shows, with those they need.
struct Clip {
    samples: Range<usize>,
    shown: Range<i64>,
}

/// Gives the samples of a track their media times, and the track those that it needs between clips.
pub fn settle(track: &mut AssemblyTrack) -> Starts {
    let clips = clips(track);
    match &*clips {
        [] => count_from_the_first(track),
        [clip] => {
            let moment = moment(track, &clips);
            let lead = clip.lead_in(&track.samples, moment);
            clip.time(&mut track.samples, lead, 0, moment);
            let starts = track.edits.iter().map(|edit| edit.pts.map(|_| lead));
            starts.collect()
        }
        clips => join(track, clips),
    }
}

fn count_from_the_first(track: &mut AssemblyTrack) -> Starts {
    let zero = track.samples.first().map_or(0, |sample| sample.dts);
    for sample in &mut track.samples {
        sample.pts = sample.pts.saturating_sub(zero);
        sample.dts = sample.dts.saturating_sub(zero);
    }
    let start = |pts: i64| pts.saturating_sub(zero).max(0);
    track.edits.iter().map(|edit| edit.pts.map(start)).collect()
}

fn join(track: &mut AssemblyTrack, clips: &[Clip]) -> Starts {
    let moment = moment(track, clips);
    let mut starts = Vec::with_capacity(clips.len());
    let mut samples = Vec::with_capacity(track.samples.len() + REPEATS * clips.len());
    let (mut next, mut behind) = (0, 0);
    for (number, clip) in clips.iter().enumerate() {
        let held = track.samples.get(clip.samples.clone()).unwrap_or_default();
        let lead = clip.lead_in(held, moment);
        // What is hidden of this clip comes after all that is shown of the one before.
        let first_pts = held.iter().map(|sample| sample.pts).min().unwrap_or(0);
        let hidden = clip.shown.start.saturating_sub(first_pts);
        let start = next + lead;
        let start = if number == 0 {
            start
        } else {
            start.max(behind + hidden)
        };
        let first = samples.len();
        samples.extend_from_slice(held);
        let timed = samples.get_mut(first..).unwrap_or_default();
        clip.time(timed, start, start - lead, moment);
        starts.push(start);
        next = samples.last().map_or(0, |last| last.dts) + moment;
        let length = clip.shown.end.saturating_sub(clip.shown.start);
        let ends = samples.iter();
        let ends = ends.map(|sample| sample.pts + i64::from(sample.duration));
        behind = ends.max().unwrap_or(0).max(start + length);
        let keyframe = clips.get(number + 1).unwrap_or(clip).samples.start;
        let Some(keyframe) = track.samples.get(keyframe) else {
            continue;
        };
        for _ in 0..REPEATS {
            samples.push(AssemblySample {
                dts: next,
                pts: start.saturating_add(length),
                ..keyframe.clone()
            });
            next = next.saturating_add(moment);
        }
    }
    // Late enough that nothing reaches into it, however long a decoder has pictures last.
    let longest = samples.iter().map(|sample| sample.duration).max();
    starts.push(behind + i64::from(longest.unwrap_or(0)));
    track.samples = samples;
    track.edits.push(Edit {
        pts: starts.last().copied(),
        ticks: 0,
    });
    let mut starts = starts.into_iter();
    let start = |pts: Option<i64>| pts.and_then(|_| starts.next());
    track.edits.iter().map(|edit| edit.pts).map(start).collect()
}

impl Clip {
    /// How long what is hidden before the first picture shown takes to decode.
    fn lead_in(&self, samples: &[AssemblySample], moment: i64) -> i64 {
        let is_hidden = |sample: &&AssemblySample| !self.shown.contains(&sample.pts);
        let hidden = samples.iter().take_while(is_hidden).count();
        moment.saturating_mul(i64::try_from(hidden).unwrap_or(i64::MAX))
    }

    /// Sets the times of its samples, if it is presented from `start` on, and decoded from `first`
    /// on: hidden ones a moment apart, each other one when as many are shown as were decoded before
    /// it, or a moment after the one before.
    fn time(&self, samples: &mut [AssemblySample], start: i64, first: i64, moment: i64) {
        let placed = |pts: i64| pts.saturating_sub(self.shown.start).saturating_add(start);
        let shown = samples.iter().map(|sample| sample.pts);
        let mut shows: Vec<i64> = shown.filter(|pts| self.shown.contains(pts)).collect();
        sort_by_showing(&mut shows, |pts| *pts);
        let mut dues = shows.into_iter().map(placed);
        let mut next = first;
        for sample in samples {
            let is_shown = self.shown.contains(&sample.pts);
            let due = is_shown.then(|| dues.next()).flatten();
            sample.dts = due.unwrap_or(first).max(next);
            sample.pts = placed(sample.pts);
            next = sample.dts.saturating_add(moment);
        }
    }
}

/// What each edit shows, if pictures are hidden; nothing if all are shown.
fn clips(track: &AssemblyTrack) -> Vec<Clip> {
    let edits = track.edits.iter();
    let shown: Vec<Range<i64>> = edits
        .filter_map(|edit| Some(edit.pts?..edit.end()?))
        .collect();
    let is_shown = |sample: &AssemblySample| shown.iter().any(|shown| shown.contains(&sample.pts));
    let hides = !shown.is_empty() && !track.samples.iter().all(is_shown);
    if !track.is_video || (shown.len() < 2 && !hides) {
        return Vec::new();
    }
    // Each begins with the last keyframe that is not shown later than it.
    let keyframe = |shown: &Range<i64>| {
        let is_before = |sample: &AssemblySample| sample.is_entry && sample.pts <= shown.start;
        track.samples.iter().rposition(is_before).unwrap_or(0)
    };
    let behind_first = shown.iter().skip(1).map(keyframe);
    let starts: Vec<usize> = std::iter::once(0).chain(behind_first).collect();
    let ends = starts.iter().skip(1).copied().chain([track.samples.len()]);
    let ranges = starts.iter().zip(ends).map(|(start, end)| *start..end);
    let clips = ranges.zip(shown);
    clips
        .map(|(samples, shown)| Clip { samples, shown })
        .collect()
}

/// The time between hidden samples: all of them fit into the shortest time that a picture is
/// shown.
fn moment(track: &AssemblyTrack, clips: &[Clip]) -> i64 {
    let most = i64::from(track.timescale / 6000);
    let presented = i64::try_from(track.presented_ticks()).unwrap_or(i64::MAX);
    let durations = track
        .samples
        .iter()
        .map(|sample| i64::from(sample.duration));
    let shortest = durations.filter(|ticks| *ticks > most).min();
    let room = shortest.unwrap_or(presented).min(presented);
    let is_shown = |sample: &&AssemblySample| {
        let mut clips = clips.iter();
        clips.any(|clip| clip.shown.contains(&sample.pts))
    };
    let shown = track.samples.iter().filter(is_shown).count();
    let hidden = track.samples.len() - shown + (REPEATS + 2) * clips.len();
    let places = i64::try_from(hidden).unwrap_or(i64::MAX);
    (room / places).clamp(1, most.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a picture is shown.
    const PICTURE: i64 = 3600;
    /// Decoding order of a pyramid from a keyframe on: numbers in the order of showing.
    const PYRAMID: [i64; 9] = [0, 4, 2, 1, 3, 8, 6, 5, 7];

    /// A track whose clips are pyramids, one behind the other, each shown from one picture to
    /// before another.
    fn track(shown: &[(i64, i64)]) -> AssemblyTrack {
        let mut track = AssemblyTrack {
            is_video: true,
            timescale: 90_000,
            ..AssemblyTrack::default()
        };
        for (clip, (from, to)) in (0..).zip(shown) {
            let first = 20 * clip;
            for (at, number) in (0..).zip(PYRAMID) {
                track.samples.push(AssemblySample {
                    pts: (first + number) * PICTURE,
                    dts: (first + at - 2) * PICTURE,
                    duration: 3600,
                    bytes: 1,
                    description: 0,
                    is_entry: number == 0,
                    // Tells it from the others.
                    parts: track.samples.len() as u32..0,
                });
            }
            track.edits.push(Edit {
                pts: Some((first + from) * PICTURE),
                ticks: ((to - from) * PICTURE).unsigned_abs(),
            });
        }
        track
    }

    fn decoding_increases(track: &AssemblyTrack) {
        for pair in track.samples.windows(2) {
            assert!(pair[0].dts < pair[1].dts, "{pair:?}");
        }
    }

    #[test]
    fn where_all_is_shown_media_time_starts_with_decoding() {
        let mut whole = track(&[(0, 9)]);
        let starts = settle(&mut whole);
        let first = &whole.samples[0];
        assert_eq!((first.dts, first.pts), (0, 2 * PICTURE));
        assert_eq!(starts, [Some(2 * PICTURE)]);
        assert!(whole.samples.iter().all(|sample| sample.pts >= sample.dts));
    }

    #[test]
    fn hidden_pictures_are_decoded_in_no_time_and_the_last_one_before_the_end() {
        for (from, to) in (0..9).flat_map(|from| (from + 1..=9).map(move |to| (from, to))) {
            let mut cut = track(&[(from, to)]);
            let all: Vec<i64> = cut.samples.iter().map(|sample| sample.pts).collect();
            let starts = settle(&mut cut);
            if (from, to) == (0, 9) {
                continue;
            }
            decoding_increases(&cut);
            let start = starts[0].expect("an edit");
            let end = start + (to - from) * PICTURE;
            let shown = |pts: &i64| (from * PICTURE..to * PICTURE).contains(pts);
            for (pts, sample) in all.iter().zip(&cut.samples) {
                assert_eq!(sample.pts - start, pts - from * PICTURE);
                assert_eq!((start..end).contains(&sample.pts), shown(pts));
            }
            let first = all.iter().position(shown).expect("one is shown");
            assert_eq!(cut.samples[first].dts, start, "{from}..{to}");
            let last = cut.samples.last().expect("some").dts;
            assert!(last < end - start, "{from}..{to} decodes until {last}");
        }
    }

    #[test]
    fn the_next_keyframe_is_read_twice_before_the_next_edit_and_an_edit_of_no_length_is_last() {
        let mut cut = track(&[(3, 6), (2, 9)]);
        let keyframe = cut.samples[PYRAMID.len()].parts.clone();
        let starts = settle(&mut cut);
        decoding_increases(&cut);
        assert_eq!(cut.samples.len(), 2 * (PYRAMID.len() + REPEATS));
        let starts: Vec<i64> = starts.iter().flatten().copied().collect();
        let last = cut.edits.last().expect("an edit");
        assert_eq!((cut.edits.len(), last.ticks, starts.len()), (3, 0, 3));
        let shown = &cut.samples[..cut.samples.len() - REPEATS];
        let ends = shown.iter().map(|sample| sample.pts + PICTURE);
        assert!(ends.max() <= Some(starts[2]), "nothing reaches into it");
        let end = starts[0] + 3 * PICTURE;
        for repeat in &cut.samples[PYRAMID.len()..PYRAMID.len() + REPEATS] {
            assert!(repeat.is_entry && repeat.parts == keyframe);
            assert!(repeat.dts < end && repeat.pts >= end);
        }
        // Nothing of one clip is shown in the time of the other.
        let behind = &cut.samples[PYRAMID.len() + REPEATS..];
        assert!(behind.iter().all(|sample| sample.pts >= end));
        let before = &cut.samples[..PYRAMID.len()];
        assert!(before.iter().all(|sample| sample.pts < starts[1]));
    }
}
