// SPDX-License-Identifier: MPL-2.0
//! The frames of a range: which segments hold them, what belongs together, what is missing.
//!
//! File names tell which segments matter; what is really there, the frames tell. So holes are
//! found by frames: a segment that was cut off, or that cannot be read, is a hole however much its
//! name promises.
//!
//! A little more than the range is looked at on both sides: pictures are shown in another order
//! than they are stored, so the last ones before a keyframe lie after it, in the next segment.

use super::cache::{FrameCache, Indexed};
use super::error::{CutError, Hole};
use crate::archive::{Archive, Piece, best::TOLERANCE_NS};
use crate::media::assembly::SourceFile;
use crate::media::{Frame, FrameKind, FrameTrack, SegmentMark};
use crate::utc::{SECOND_NS, UtcNs};

/// How much before and after a range is looked at.
const AROUND_NS: i64 = 2 * SECOND_NS;
/// More frames than this are not held: some 15 hours of pictures with sound.
pub const MOST_FRAMES: usize = 1 << 22;

/// What there is of all ranges.
#[derive(Debug, Default)]
pub struct Footage {
    /// The segments that are used.
    pub files: Vec<SourceFile>,
    /// The tracks, pictures first.
    pub tracks: Vec<TrackFormat>,
    /// What belongs together, in the order of the cut.
    pub clips: Vec<Clip>,
    /// What is missing, likewise.
    pub holes: Vec<Hole>,
    /// What segments hold that cannot be cut: a sentence each.
    pub skipped: Vec<String>,
    frames: usize,
}

/// What a track is, over all clips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackFormat {
    /// It holds pictures.
    pub is_video: bool,
    /// Ticks per second, into which the times of all segments are turned.
    pub timescale: u32,
    /// The sample entries that its frames use.
    pub descriptions: Vec<Vec<u8>>,
}

/// Frames without a break.
#[derive(Debug, Default)]
pub struct Clip {
    /// The first moment that is wanted.
    pub from: UtcNs,
    /// The moment from which on nothing is.
    pub to: UtcNs,
    /// For each track of the footage, in decoding order.
    pub tracks: Vec<Vec<ClipFrame>>,
    /// What time each segment's frames span.
    spans: Vec<(UtcNs, UtcNs)>,
    /// UTC of the ticks' zero.
    zero: UtcNs,
    last_mark: Option<SegmentMark>,
}

/// A frame of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipFrame {
    /// Number of its file.
    pub file: u32,
    /// Its times are ticks of the track's format, from the clip's own zero; its description is a
    /// number of the format's.
    pub frame: Frame,
}

impl Footage {
    /// Adds what there is of `[from, to)`.
    ///
    /// # Errors
    /// If the archive cannot be read, has no such stream, or the range holds too many frames.
    pub fn add(
        &mut self,
        archive: &Archive,
        cache: &FrameCache,
        (stream, variant): (&str, &str),
        from: UtcNs,
        to: UtcNs,
    ) -> Result<(), CutError> {
        let best = archive.best(stream, variant, from - AROUND_NS, to + AROUND_NS)?;
        let first = self.clips.len();
        let mut unreadable = Vec::new();
        let mut is_broken = true;
        let pieces = best.pieces.len();
        for (number, piece) in best.pieces.into_iter().enumerate() {
            let Piece::Segment {
                segment,
                from,
                to,
                joins,
            } = piece
            else {
                is_broken = true;
                continue;
            };
            match cache.frames(&segment) {
                Ok(indexed) => {
                    if !joins || is_broken || self.ends_before(from) {
                        self.clips.push(Clip {
                            from,
                            ..Clip::default()
                        });
                    }
                    let nominal_end = segment.end();
                    self.append(&indexed, to, nominal_end, pieces - number)?;
                    is_broken = false;
                }
                Err(error) => {
                    unreadable.push((from, to, error.to_string()));
                    is_broken = true;
                }
            }
        }
        self.find_holes(first, from, to, &unreadable);
        for clip in self.clips.get_mut(first..).unwrap_or_default() {
            clip.from = clip.from.max(from);
            clip.to = clip.to.min(to);
        }
        let wanted = |clip: &Clip| clip.from < clip.to;
        let mut number = 0;
        self.clips.retain(|clip| {
            number += 1;
            number <= first || wanted(clip)
        });
        Ok(())
    }

    /// Appends a segment to the last clip, which is to be used up to `to`. With it, `left` are still
    /// to come.
    fn append(
        &mut self,
        indexed: &Indexed,
        to: UtcNs,
        nominal_end: UtcNs,
        left: usize,
    ) -> Result<(), CutError> {
        let file = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.push(indexed.source.clone());
        for skipped in indexed.skipped.iter() {
            if !self.skipped.contains(skipped) {
                self.skipped.push(skipped.clone());
            }
        }
        let segment = &indexed.frames;
        let Some(clip) = self.clips.last_mut() else {
            return Ok(());
        };
        clip.to = to;
        if clip.spans.is_empty() {
            clip.zero = segment.tracks.first().map_or(to, zero_of);
        }
        let is_decodable = !clip.spans.is_empty() && follows(clip.last_mark, segment.mark);
        clip.last_mark = segment.mark;
        let mut numbers = Numbers::default();
        for (at, track) in segment.tracks.iter().enumerate() {
            let number = numbers.next(&mut self.tracks, track);
            let Some(format) = self.tracks.get_mut(number) else {
                continue;
            };
            if clip.tracks.len() <= number {
                clip.tracks.resize(number + 1, Vec::new());
            }
            let Some(held) = clip.tracks.get_mut(number) else {
                continue;
            };
            let before = held.len();
            let coming = track.frames.len();
            if held.capacity() - before < coming {
                // Growing bit by bit is most of the work otherwise: the others are likely as long.
                held.reserve(coming.max(coming.saturating_mul(left).min(MOST_FRAMES)));
            }
            held.extend(rebased(track, format, clip.zero, file, is_decodable));
            let frames = held.get(before..).unwrap_or_default();
            if at == 0 {
                clip.spans
                    .extend(span(frames, format.timescale, nominal_end, to));
            }
            self.frames += frames.len();
            if self.frames > MOST_FRAMES {
                return Err(CutError::TooLong { most: MOST_FRAMES });
            }
        }
        Ok(())
    }

    /// Whether the last segment has less than its name promises, so that what begins at `from` does
    /// not follow on it.
    fn ends_before(&self, from: UtcNs) -> bool {
        let last = self.clips.last().and_then(|clip| clip.spans.last());
        last.is_some_and(|(_, end)| from - *end > TOLERANCE_NS)
    }

    /// Notes what of `[from, to)` no frame of the clips from `first` on covers.
    fn find_holes(
        &mut self,
        first: usize,
        from: UtcNs,
        to: UtcNs,
        unreadable: &[(UtcNs, UtcNs, String)],
    ) {
        let reason = |hole: (UtcNs, UtcNs)| {
            let touches = |(from, to, _): &&(UtcNs, UtcNs, String)| *from < hole.1 && hole.0 < *to;
            unreadable
                .iter()
                .find(touches)
                .map(|(_, _, why)| why.clone())
        };
        let mut covered = from;
        let clips = self.clips.get(first..).unwrap_or_default();
        let spans = clips.iter().flat_map(|clip| &clip.spans);
        for (start, end) in spans.copied().chain([(to, to)]) {
            let start = start.min(to);
            if start - covered > TOLERANCE_NS {
                self.holes.push(Hole {
                    from: covered,
                    to: start,
                    reason: reason((covered, start)),
                });
            }
            covered = covered.max(end);
        }
    }
}

/// Finds the number of a segment's track in the footage: pictures are one track, sounds are told
/// apart by their order.
#[derive(Default)]
struct Numbers {
    sounds: usize,
}

impl Numbers {
    fn next(&mut self, formats: &mut Vec<TrackFormat>, track: &FrameTrack) -> usize {
        let nth = if track.is_video {
            0
        } else {
            self.sounds += 1;
            self.sounds - 1
        };
        let alike = formats.iter().enumerate();
        let mut alike = alike.filter(|(_, format)| format.is_video == track.is_video);
        alike.nth(nth).map(|(number, _)| number).unwrap_or_else(|| {
            formats.push(TrackFormat {
                is_video: track.is_video,
                timescale: track.timescale.max(1),
                descriptions: Vec::new(),
            });
            formats.len() - 1
        })
    }
}

/// Whether what comes first in a segment may refer to the end of the one before.
fn follows(before: Option<SegmentMark>, mark: Option<SegmentMark>) -> bool {
    match (before, mark) {
        (Some(before), Some(mark)) => {
            before.run == mark.run
                && before.sequence.checked_add(1) == Some(mark.sequence)
                && !mark.discontinuity
        }
        (None, None) => true,
        _ => false,
    }
}

/// UTC at which a track's ticks are zero.
fn zero_of(track: &FrameTrack) -> UtcNs {
    let first = track.frames.first();
    first.map_or(UtcNs::default(), |frame| {
        frame.utc - ticks_ns(frame.pts, track.timescale)
    })
}

/// The frames of a track in the footage's terms. Pictures that lean on what is not there are left
/// out: nothing can decode them.
fn rebased(
    track: &FrameTrack,
    format: &mut TrackFormat,
    zero: UtcNs,
    file: u32,
    is_decodable: bool,
) -> impl Iterator<Item = ClipFrame> {
    let numbers: Vec<u16> = track
        .descriptions
        .iter()
        .map(|entry| number_of(&mut format.descriptions, entry))
        .collect();
    let timescale = format.timescale;
    let shift = ns_ticks(zero_of(track) - zero, timescale);
    let scale = move |ticks: i64| rescale(ticks, track.timescale, timescale);
    let open = track
        .frames
        .first()
        .filter(|first| !is_decodable && matches!(first.kind, FrameKind::OpenGop | FrameKind::Cra));
    let leads = move |frame: &&Frame| open.is_none_or(|open| frame.pts >= open.pts);
    let frames = track.frames.iter().filter(leads);
    frames.map(move |frame| ClipFrame {
        file,
        frame: Frame {
            pts: scale(frame.pts).saturating_add(shift),
            dts: scale(frame.dts).saturating_add(shift),
            duration: u32::try_from(scale(frame.duration.into())).unwrap_or(u32::MAX),
            description: numbers
                .get(usize::from(frame.description))
                .copied()
                .unwrap_or(0),
            ..*frame
        },
    })
}

fn number_of(descriptions: &mut Vec<Vec<u8>>, entry: &[u8]) -> u16 {
    let found = descriptions.iter().position(|held| held == entry);
    let number = found.unwrap_or_else(|| {
        descriptions.push(entry.to_vec());
        descriptions.len() - 1
    });
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// From the first frame shown to the end of the last, as far as it is to be used. Nothing says how
/// long the last frame lasts but the segment's name.
fn span(
    frames: &[ClipFrame],
    timescale: u32,
    nominal_end: UtcNs,
    to: UtcNs,
) -> Option<(UtcNs, UtcNs)> {
    let start = frames.iter().map(|held| held.frame.utc).min()?;
    let last = frames.iter().max_by_key(|held| held.frame.utc)?.frame;
    let end = last.utc + ticks_ns(last.duration.into(), timescale);
    // A name may promise what a crash took; a frame or so it may know better.
    let reach = end + ticks_ns(last.duration.into(), timescale).max(TOLERANCE_NS);
    let end = if nominal_end <= reach {
        end.max(nominal_end)
    } else {
        end
    };
    Some((start, end.min(to.max(start))))
}

/// Ticks as nanoseconds, to the nearest.
pub fn ticks_ns(ticks: i64, timescale: u32) -> i64 {
    rescale(ticks, timescale, 1_000_000_000)
}

/// Nanoseconds as ticks, to the nearest.
pub fn ns_ticks(ns: i64, timescale: u32) -> i64 {
    rescale(ns, 1_000_000_000, timescale)
}

/// Ticks of one scale as ticks of another, to the nearest.
pub fn rescale(ticks: i64, from: u32, to: u32) -> i64 {
    if from == to {
        return ticks;
    }
    let from = i64::from(from.max(1));
    // Hours fit into 64 bits, whose division costs a tenth.
    let doubled = ticks.checked_mul(2 * i64::from(to));
    if let Some(doubled) = doubled.and_then(|doubled| doubled.checked_add(from)) {
        return doubled.div_euclid(2 * from);
    }
    let from = i128::from(from);
    let scaled = (i128::from(ticks) * i128::from(to) * 2 + from).div_euclid(2 * from);
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::media::{Place, SegmentFrames};

    /// A second of pictures.
    fn segment() -> Indexed {
        let frame = |number: i64| Frame {
            pts: number * 3600,
            dts: number * 3600,
            duration: 3600,
            bytes: 1,
            description: 0,
            kind: FrameKind::Sync,
            utc: UtcNs(number * 40_000_000),
            place: Place::Plain { offset: 0 },
        };
        let track = FrameTrack {
            is_video: true,
            timescale: 90_000,
            descriptions: vec![Vec::new()],
            frames: (0..25).map(frame).collect(),
        };
        Indexed {
            source: SourceFile {
                path: "second".into(),
                bytes: 25,
            },
            frames: Arc::new(SegmentFrames {
                mark: None,
                tracks: vec![track],
            }),
            skipped: Arc::from([]),
        }
    }

    #[test]
    fn a_range_of_more_frames_than_memory_should_hold_is_an_error() {
        let mut footage = Footage {
            clips: vec![Clip::default()],
            // As if so many were there.
            frames: MOST_FRAMES - 40,
            ..Footage::default()
        };
        let end = UtcNs(SECOND_NS);
        footage
            .append(&segment(), end, end, 1)
            .expect("25 more fit");
        let refused = footage.append(&segment(), end, end, 1);
        assert!(matches!(refused, Err(CutError::TooLong { .. })));
    }

    #[test]
    fn ticks_of_hours_and_of_ages_are_rescaled_alike() {
        for (ticks, scaled) in [(0, 0), (1, 11_111), (-1, -11_111), (90_001, 1_000_011_111)] {
            assert_eq!(rescale(ticks, 90_000, 1_000_000_000), scaled);
        }
        // Beyond what 64 bits hold on the way.
        let age: i64 = 90_000 * 3600 * 24 * 365;
        assert_eq!(ticks_ns(age, 90_000), 3600 * 24 * 365 * SECOND_NS);
        assert_eq!(ns_ticks(3600 * 24 * 365 * SECOND_NS, 90_000), age);
        assert_eq!(ticks_ns(i64::MAX, 1), i64::MAX);
    }
}
