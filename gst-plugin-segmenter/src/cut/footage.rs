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
use super::stretch::{Stretch, ticks_ns, zero_of};
use crate::archive::{Archive, Piece, best::TOLERANCE_NS};
use crate::media::assembly::SourceFile;
use crate::media::{Frame, FrameTrack, SegmentFrames, SegmentMark};
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
    /// In decoding order. Times are ticks of the track's format, from the clip's own zero;
    /// descriptions are numbers of the format's.
    pub pictures: Vec<Frame>,
    /// With the number of their track, in order.
    sounds: Vec<(usize, Stretch)>,
    /// What time each segment's frames span.
    spans: Vec<(UtcNs, UtcNs)>,
    /// UTC of the ticks' zero.
    zero: UtcNs,
    last_mark: Option<SegmentMark>,
}

impl Clip {
    /// The frames of a track of sound, in order.
    pub fn sounds(&self, track: usize) -> impl Iterator<Item = Frame> {
        let stretches = self.sounds.iter().filter(move |(of, _)| *of == track);
        stretches.flat_map(|(_, stretch)| stretch.frames())
    }

    /// As many as a track of sound has, or a few more.
    pub fn most_sounds(&self, track: usize) -> usize {
        let stretches = self.sounds.iter().filter(|(of, _)| *of == track);
        stretches.map(|(_, stretch)| stretch.most()).sum()
    }

    /// When its pictures are shown, or its sound is heard if it has none.
    pub fn shows(&self) -> impl Iterator<Item = UtcNs> {
        let sounds = self.sounds.iter().filter(|_| self.pictures.is_empty());
        let sounds = sounds.flat_map(|(_, stretch)| stretch.frames());
        let pictures = self.pictures.iter().copied();
        pictures.chain(sounds).map(|frame| frame.utc)
    }

    /// Adds the pictures of a segment; with it, `left` segments are still to come.
    fn add_pictures(&mut self, stretch: &Stretch, left: usize) {
        let coming = stretch.most();
        if self.pictures.capacity() - self.pictures.len() < coming {
            // Growing bit by bit is most of the work otherwise: the others are likely as long.
            let likely = coming.saturating_mul(left).min(MOST_FRAMES);
            self.pictures.reserve(coming.max(likely));
        }
        self.pictures.extend(stretch.frames());
    }
}

impl Footage {
    /// Adds what there is of `[from, to)`, and with `whole_segments` of the rest of the segments that
    /// hold it.
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
        whole_segments: bool,
    ) -> Result<(), CutError> {
        let look = |to| archive.best(stream, variant, from - AROUND_NS, to + AROUND_NS);
        let mut best = look(to)?;
        if whole_segments && let Some(Piece::Segment { segment, .. }) = best.pieces.last() {
            // The sound of its last pictures may be in the one behind it.
            best = look(segment.end())?;
        }
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
                    if !joins || is_broken || self.ends_before(from, &indexed.frames) {
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
            let stretch = Stretch::new(segment, at, format, (clip.zero, file), is_decodable);
            if at == 0 {
                let frames = stretch.frames();
                let span = span(frames, format.timescale, nominal_end, to);
                clip.spans.extend(span);
            }
            self.frames += stretch.most();
            if self.frames > MOST_FRAMES {
                return Err(CutError::TooLong { most: MOST_FRAMES });
            }
            if track.is_video {
                clip.add_pictures(&stretch, left);
            } else {
                clip.sounds.push((number, stretch));
            }
        }
        Ok(())
    }

    /// Whether the last segment has less than its name promises, so that the next one, which begins
    /// at `from`, does not follow on it. What is shown last of an open GOP before a segment's
    /// keyframe is in the segment.
    fn ends_before(&self, from: UtcNs, next: &SegmentFrames) -> bool {
        let last = self.clips.last().and_then(|clip| clip.spans.last());
        last.is_some_and(|(_, end)| {
            let is_missing = |shown: UtcNs| shown - *end > TOLERANCE_NS;
            is_missing(from) && first_shown(next).is_none_or(is_missing)
        })
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

/// When the first frame of a segment is shown: of its pictures, if it has any.
fn first_shown(segment: &SegmentFrames) -> Option<UtcNs> {
    let frames = segment.tracks.first().map(|track| track.frames.iter());
    frames?.map(|frame| frame.utc).min()
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

/// From the first frame shown to the end of the last, as far as it is to be used. Nothing says how
/// long the last frame lasts but the segment's name.
fn span(
    frames: impl Iterator<Item = Frame>,
    timescale: u32,
    nominal_end: UtcNs,
    to: UtcNs,
) -> Option<(UtcNs, UtcNs)> {
    let ends = frames.fold(None, |ends: Option<(UtcNs, Frame)>, frame| {
        Some(ends.map_or((frame.utc, frame), |(start, last)| {
            let last = if frame.utc >= last.utc { frame } else { last };
            (start.min(frame.utc), last)
        }))
    });
    let (start, last) = ends?;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::media::{FrameKind, Place};

    /// A second of pictures.
    fn segment() -> Indexed {
        let frame = |number: i64| Frame {
            pts: number * 3600,
            dts: number * 3600,
            duration: 3600,
            bytes: 1,
            file: 0,
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
}
