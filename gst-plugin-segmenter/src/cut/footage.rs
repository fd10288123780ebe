// SPDX-License-Identifier: MPL-2.0
//! The frames of a range: which segments hold them, what belongs together, what is missing.
//!
//! File names tell which segments matter and from when to when each goes: a frame lasts until the
//! next one, and of the last frame of a segment only the name knows when that came. So a whole
//! segment is there as long as its name says, whatever its frames claim to last, and what coverage
//! says of a range is what a cut finds. Of a segment that is not whole the frames tell, and one
//! that cannot be read, or whose pictures cannot be decoded, is a hole with its reason.
//!
//! A little more than the range is looked at on both sides: pictures are shown in another order
//! than they are stored, so the last ones before a keyframe lie after it, in the next segment; and
//! where decoding cannot begin in the first segment, it begins in one before.

use super::cache::{FrameCache, Indexed};
use super::error::{CutError, Hole};
use super::span::Promise;
use super::stretch::{Stretch, ns_ticks, zero_of};
use crate::archive::{Archive, Best, Piece, best::TOLERANCE_NS};
use crate::media::assembly::SourceFile;
use crate::media::{
    Frame, FrameTrack, Orientation, SegmentFrames, SegmentMark, Skipped, beginning,
};
use crate::utc::{HOUR_NS, SECOND_NS, UtcNs};

/// How much before and after a range is looked at.
const AROUND_NS: i64 = 2 * SECOND_NS;
/// How far before a range decoding may begin at most: a stream without keyframes has one in an hour.
const MOST_BEFORE_NS: i64 = 2 * HOUR_NS;
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
    /// The tracks of segments that cannot be cut.
    pub skipped: Vec<Skipped>,
    frames: usize,
}

/// What a track is, over all clips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackFormat {
    /// It holds pictures.
    pub is_video: bool,
    /// Ticks per second, into which the times of all segments are turned.
    pub timescale: u32,
    /// How its pictures are turned to be shown: as those of the first segment.
    pub orientation: Orientation,
    /// The sample entries that its frames use.
    pub descriptions: Vec<Vec<u8>>,
}

/// Why pictures are not there though their segment is.
const CANNOT_BEGIN: &str =
    "decoding cannot begin there: the pictures refer to ones that are missing";

/// A part of a range that cannot be used, and why.
type Unusable = (UtcNs, UtcNs, String);

/// How much there was at some point.
struct SoFar {
    clips: usize,
    files: usize,
    frames: usize,
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
    /// UTC of the ticks' zero, once a segment is there.
    zero: UtcNs,
    has_zero: bool,
    /// Parts that nothing is there to decode from.
    undecodable: Vec<Unusable>,
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
        let first = stretch.frames().next();
        if let Some((last, first)) = self.pictures.last_mut().zip(first) {
            last.duration = u32::try_from(first.dts - last.dts).unwrap_or(last.duration);
        }
        self.pictures.extend(stretch.frames());
    }

    /// Leaves out of what is there the time before the first picture that comes out right; returns
    /// that time, and why.
    fn leave_out_what_cannot_be_decoded(&mut self) -> Vec<Unusable> {
        let mut unusable = std::mem::take(&mut self.undecodable);
        if self.pictures.is_empty() {
            return unusable;
        }
        let begin = beginning::first(&self.pictures);
        let right = begin.and_then(|begin| self.pictures.get(begin.right));
        let right_from = right.map_or(self.to, |right| right.utc);
        if right.is_none() {
            self.pictures.clear();
        }
        if begin.is_none_or(|begin| begin.right > begin.start) {
            unusable.push((self.from, right_from, CANNOT_BEGIN.to_owned()));
            self.spans.retain(|(_, end)| *end > right_from);
            if let Some((start, _)) = self.spans.first_mut() {
                *start = (*start).max(right_from);
            }
        }
        unusable
    }

    /// The last picture is shown until the last segment's end.
    fn let_last_picture_last(&mut self, tracks: &[TrackFormat]) {
        let format = tracks.iter().find(|format| format.is_video);
        let last = self.pictures.iter_mut().max_by_key(|frame| frame.pts);
        if let (Some(format), Some(last), Some((_, end))) = (format, last, self.spans.last()) {
            let ticks = ns_ticks(*end - last.utc, format.timescale);
            let ticks = u32::try_from(ticks).ok().filter(|ticks| *ticks > 0);
            last.duration = ticks.unwrap_or(last.duration);
        }
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
        let look = |before_ns, to| archive.best(stream, variant, from - before_ns, to + AROUND_NS);
        let mut to_look = to;
        let best = look(AROUND_NS, to)?;
        if whole_segments && let Some(Piece::Segment { segment, .. }) = best.pieces.last() {
            // The sound of its last pictures may be in the one behind it.
            to_look = segment.end();
        }
        let kept = self.so_far();
        let mut before_ns = AROUND_NS;
        loop {
            let best = look(before_ns, to_look)?;
            let reaches_back = matches!(best.pieces.first(), Some(Piece::Segment { .. }));
            let mut unreadable = self.append_all(cache, best)?;
            for clip in self.clips.get_mut(kept.clips..).unwrap_or_default() {
                unreadable.extend(clip.leave_out_what_cannot_be_decoded());
            }
            let more = reaches_back && before_ns < MOST_BEFORE_NS;
            if !(more && self.begins_too_late(&kept, from)) {
                self.find_holes(kept.clips, from, to, &unreadable);
                break;
            }
            self.forget(&kept);
            before_ns = before_ns.saturating_mul(4).min(MOST_BEFORE_NS);
        }
        for clip in self.clips.get_mut(kept.clips..).unwrap_or_default() {
            clip.from = clip.from.max(from);
            clip.to = clip.to.min(to);
            clip.let_last_picture_last(&self.tracks);
        }
        let wanted = |clip: &Clip| clip.from < clip.to;
        let mut number = 0;
        self.clips.retain(|clip| {
            number += 1;
            number <= kept.clips || wanted(clip)
        });
        Ok(())
    }

    /// How much there is.
    fn so_far(&self) -> SoFar {
        SoFar {
            clips: self.clips.len(),
            files: self.files.len(),
            frames: self.frames,
        }
    }

    /// Forgets all clips since.
    fn forget(&mut self, kept: &SoFar) {
        self.clips.truncate(kept.clips);
        self.files.truncate(kept.files);
        self.frames = kept.frames;
    }

    /// Whether decoding cannot begin early enough for the first moment wanted, and a segment before
    /// the first one could help.
    fn begins_too_late(&self, kept: &SoFar, from: UtcNs) -> bool {
        self.clips.get(kept.clips).is_some_and(|clip| {
            let first = clip.spans.first();
            clip.from <= from && first.is_none_or(|(start, _)| *start - from > TOLERANCE_NS)
        })
    }

    /// Appends what was chosen; returns what of it cannot be used, and why.
    fn append_all(&mut self, cache: &FrameCache, best: Best) -> Result<Vec<Unusable>, CutError> {
        let mut unusable = Vec::new();
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
                    let is_new = !joins || is_broken || self.leans_on_another(&indexed.frames);
                    if is_new || self.ends_before(from, &indexed.frames) {
                        self.clips.push(Clip {
                            from,
                            ..Clip::default()
                        });
                    }
                    let promise = Promise::of(&segment, indexed.frames.is_whole);
                    let left = pieces - number;
                    self.append(&indexed, promise, (from, to), left)?;
                    is_broken = false;
                }
                Err(error) => {
                    unusable.push((from, to, error.to_string()));
                    is_broken = true;
                }
            }
        }
        Ok(unusable)
    }

    /// Appends a segment to the last clip, which is to be used between two moments. With it, `left` are still
    /// to come.
    fn append(
        &mut self,
        indexed: &Indexed,
        promise: Promise,
        (from, to): (UtcNs, UtcNs),
        left: usize,
    ) -> Result<(), CutError> {
        let file = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.push(indexed.source.clone());
        for skipped in indexed.skipped.iter() {
            if !self.skipped.contains(skipped) {
                self.skipped.push(skipped.clone());
            }
        }
        let frames = &indexed.frames;
        let Some(clip) = self.clips.last_mut() else {
            return Ok(());
        };
        clip.to = to;
        if !clip.has_zero {
            clip.has_zero = true;
            clip.zero = frames.tracks.first().map_or(to, zero_of);
        }
        let follows = !clip.spans.is_empty() && follows(clip.last_mark, frames.mark);
        clip.last_mark = frames.mark;
        let mut numbers = Numbers::default();
        for (at, track) in frames.tracks.iter().enumerate() {
            let number = numbers.next(&mut self.tracks, track);
            let Some(format) = self.tracks.get_mut(number) else {
                continue;
            };
            let stretch = Stretch::new(frames, at, format, (clip.zero, file), follows);
            if at == 0 {
                let span = promise.span(stretch.frames(), format.timescale, to);
                if track.is_video && span.is_none_or(|(start, _)| start - from > TOLERANCE_NS) {
                    let begins = span.map_or(to, |(start, _)| start);
                    clip.undecodable
                        .push((from, begins, CANNOT_BEGIN.to_owned()));
                }
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

    /// Whether a segment begins with pictures that refer to others, which are not the last clip's.
    fn leans_on_another(&self, segment: &SegmentFrames) -> bool {
        let first = segment.tracks.first().filter(|track| track.is_video);
        let first = first.and_then(|track| track.frames.first());
        let mark = self.clips.last().and_then(|clip| clip.last_mark);
        first.is_some_and(|first| !first.kind.is_entry()) && !follows(mark, segment.mark)
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
    fn find_holes(&mut self, first: usize, from: UtcNs, to: UtcNs, unreadable: &[Unusable]) {
        let reason = |hole: (UtcNs, UtcNs)| {
            let touches = |(from, to, _): &&Unusable| *from < hole.1 && hole.0 < *to;
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
                orientation: track.orientation,
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
            orientation: Default::default(),
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
                is_whole: true,
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
        let range = (UtcNs(0), UtcNs(SECOND_NS));
        let promise = Promise {
            end: range.1,
            is_kept: true,
        };
        footage
            .append(&segment(), promise, range, 1)
            .expect("25 more fit");
        let refused = footage.append(&segment(), promise, range, 1);
        assert!(matches!(refused, Err(CutError::TooLong { .. })));
    }
}
