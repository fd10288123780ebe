// SPDX-License-Identifier: MPL-2.0
//! The line of pictures: pieces copied and encoded, put one behind the other in the time of the cut.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::compose::Builder;
use super::edges::{EncodedBytes, EncodedPiece, EncodedPieces};
use super::pictures::Planned;
use super::plan::Piece;
use super::reader::Reader;
use super::recipes::{Recipe, Recipes};
use super::request::Type;
use super::sample_entries::{SampleEntries, is_h265};
use super::stretch::ns_ticks;
use crate::media::assembly::{AssemblySample, AssemblyTrack, Edit, Part, settle_decoding_times};
use crate::media::nal::{self, h264, h265};
use crate::media::{Frame, Place};

/// Parameter sets stand before a picture's slices; so much of it is looked at for them.
const SETS_WITHIN_BYTES: u32 = 512;

/// The track of pictures, as far as it is done.
pub struct Line<'b, 'f, 'e> {
    builder: &'b mut Builder<'f>,
    number: usize,
    encoded: &'e EncodedPieces,
    recipes: &'e Recipes,
    /// What is done.
    pub track: AssemblyTrack,
    /// The track's descriptions, and which of them stands for which of the source's.
    entries: SampleEntries,
    /// The source's description of the picture added last, if that was copied.
    copied: Option<u16>,
    /// What was copied last of one file in one go, as long as more may be copied behind it.
    last_copied: Vec<Frame>,
    /// Parameter sets in front of samples, by the source's description and whether of a keyframe.
    in_front: HashMap<(u16, bool), Part>,
}

impl<'b, 'f, 'e> Line<'b, 'f, 'e> {
    /// A line with nothing on it.
    pub fn new(
        builder: &'b mut Builder<'f>,
        number: usize,
        encoded: &'e EncodedPieces,
        recipes: &'e Recipes,
        mut entries: SampleEntries,
    ) -> Self {
        let format = builder.footage.tracks.get(number);
        let timescale = format.map_or(1, |format| format.timescale);
        for piece in encoded.pieces() {
            entries.add_encoded(piece.description, &piece.sets);
        }
        Self {
            number,
            track: AssemblyTrack {
                is_video: true,
                timescale,
                descriptions: entries.written(),
                orientation: format.map(|format| format.orientation).unwrap_or_default(),
                ..AssemblyTrack::default()
            },
            entries,
            copied: None,
            last_copied: Vec::new(),
            in_front: HashMap::new(),
            builder,
            encoded,
            recipes,
        }
    }

    /// Adds a clip whose first picture is shown at `at`.
    pub fn add(&mut self, planned: &Planned<'_>, at: i64, kind: Type) {
        let footage = self.builder.footage;
        let Some(clip) = footage.clips.get(planned.clip) else {
            return;
        };
        let held = &*clip.pictures;
        let first = self.track.samples.len();
        let shift = match kind {
            Type::Copy => {
                self.stand_until(at);
                self.after(planned)
            }
            _ => at.saturating_sub(planned.plan.first_pts),
        };
        let frames = planned.plan.pieces.iter().map(Piece::frames).sum();
        self.track.samples.reserve(frames);
        self.builder.assembly.parts.reserve(frames);
        for (number, piece) in planned.plan.pieces.iter().enumerate() {
            match piece {
                Piece::Copy { frames, .. } => {
                    let at = self.track.samples.len();
                    let mut needs_sets = self.sets_are_left_behind();
                    for frame in frames {
                        let recipe = self.recipes.get(planned.clip, *frame);
                        if let Some(held) = held.get(*frame as usize) {
                            let needs_sets = std::mem::take(&mut needs_sets);
                            self.copy(held, recipe, shift, needs_sets);
                        }
                    }
                    self.last_copied = of_last_file(held, frames);
                    if let (Some(first), Some(dts)) = (
                        self.track.samples.get_mut(at),
                        first_decoding_time(planned.frames, frames),
                    ) {
                        first.dts = dts.saturating_add(shift);
                    }
                }
                Piece::Encode { keep, .. } => {
                    let delay = delay(planned, number);
                    if let Some(encoded) = self.encoded.get(planned.clip, number) {
                        self.add_encoded(held, keep, encoded, shift, delay);
                    }
                }
            }
        }
        if kind == Type::Copy {
            let start = planned.plan.first_pts.saturating_add(shift);
            let shown = start..planned.plan.end_pts.saturating_add(shift);
            let gap = gap(self.track.timescale);
            let samples = self.track.samples.get_mut(first..).unwrap_or_default();
            squeeze(samples, &shown, gap);
            self.edit(planned, shift);
        }
    }

    fn copy(&mut self, held: &Frame, recipe: Option<&Recipe>, shift: i64, needs_sets: bool) {
        let sets = self.sets_in_front(held, needs_sets);
        let whole = self.builder.part(self.number, held);
        let (parts, bytes) = match (sets, recipe) {
            // All but a few: not worth a list.
            (None, None) => self.builder.parts(&[whole]),
            (sets, recipe) => {
                let mut parts = Vec::from_iter(sets);
                match recipe {
                    None => parts.push(whole),
                    Some(recipe) => parts.extend(recipe.iter().map(|piece| match piece {
                        crate::media::restart::Part::Bytes(bytes) => self.builder.memory(bytes),
                        crate::media::restart::Part::Source(range) => within(whole, range),
                    })),
                }
                self.builder.parts(&parts)
            }
        };
        self.track.samples.push(AssemblySample {
            pts: held.pts.saturating_add(shift),
            dts: held.dts.saturating_add(shift),
            duration: held.duration,
            bytes,
            description: self.entries.number(held.description),
            is_entry: held.kind.is_entry(),
            parts,
        });
    }

    /// Adds pictures that were encoded, in the order of showing, each decoded `delay` before it is
    /// shown.
    fn add_encoded(
        &mut self,
        held: &[Frame],
        keep: &[u32],
        encoded: &EncodedPiece,
        shift: i64,
        delay: i64,
    ) {
        self.copied = None;
        let description = self.entries.number(encoded.description);
        for (number, frame) in keep.iter().zip(&encoded.frames) {
            let Some(held) = held.get(*number as usize) else {
                continue;
            };
            let mut parts = Vec::with_capacity(2);
            if self.entries.is_in_band() && frame.is_entry {
                parts.push(self.builder.memory(&encoded.sets.as_sample()));
            }
            parts.push(match &frame.bytes {
                EncodedBytes::Held(sample) => self.builder.memory(sample),
                EncodedBytes::Spooled(part) => *part,
            });
            let (parts, bytes) = self.builder.parts(&parts);
            let pts = held.pts.saturating_add(shift);
            self.track.samples.push(AssemblySample {
                pts,
                dts: pts.saturating_sub(delay),
                duration: held.duration,
                bytes,
                description,
                is_entry: frame.is_entry,
                parts,
            });
        }
    }

    /// The parameter sets that a copied picture is given in front.
    fn sets_in_front(&mut self, held: &Frame, needs_sets: bool) -> Option<Part> {
        let is_keyframe = held.kind.is_entry();
        let before = self.copied.replace(held.description);
        let mut sets = self.entries.in_front(held.description, before, is_keyframe);
        if needs_sets && sets.is_none() {
            sets = Some(self.entries.sets(held.description)?.as_sample());
        }
        let sets = sets?;
        let key = (held.description, is_keyframe);
        if let Some(part) = self.in_front.get(&key) {
            return Some(*part);
        }
        let part = self.builder.memory(&sets);
        self.in_front.insert(key, part);
        Some(part)
    }

    /// Whether what was copied before brought parameter sets of its own. They are still in force
    /// where copying begins again, and may have the ids of others that are needed there.
    fn sets_are_left_behind(&self) -> bool {
        let mut reader = Reader::new(Arc::from(&*self.builder.footage.files));
        let mut brings_sets = |held: &Frame| {
            let entry = self.builder.entry(self.number, held.description);
            let length_bytes = self.entries.sets(held.description)?.length_bytes;
            // Who reads the samples tells of what cannot be read.
            let start = reader.start(held, &entry, SETS_WITHIN_BYTES).ok()?;
            Some(brings_sets(&entry, &start, length_bytes))
        };
        let mut copied = self.last_copied.iter();
        copied.any(|held| brings_sets(held) == Some(true))
    }

    /// By how much a clip is moved to follow on what is there. Edits show it at its place, so here
    /// it only must not get into the way of another.
    fn after(&self, planned: &Planned<'_>) -> i64 {
        let samples = self.track.samples.iter();
        let ends = samples.map(|sample| sample.pts + i64::from(sample.duration));
        let edits = self.track.edits.iter().filter_map(Edit::end);
        let Some(end) = ends.chain(edits).max() else {
            return -planned.plan.first_pts;
        };
        let numbers = planned.plan.pieces.iter().flat_map(|piece| match piece {
            Piece::Copy { frames, .. } => frames.as_slice(),
            Piece::Encode { keep, .. } => keep.as_slice(),
        });
        let frames = numbers.filter_map(|number| planned.frames.get(*number as usize));
        let start = frames
            .map(|frame| frame.pts.min(frame.dts))
            .min()
            .unwrap_or(0);
        end.saturating_sub(start)
    }

    /// Has the last picture stand until `at`, where time is kept that is missing. An empty edit in
    /// between ffmpeg does not understand.
    fn stand_until(&mut self, at: i64) {
        let shown = i64::try_from(self.track.presented_ticks()).unwrap_or(i64::MAX);
        let gap = at.saturating_sub(shown);
        let Some(last) = self.track.edits.last_mut().filter(|_| gap > 0) else {
            return;
        };
        let end = last.end().unwrap_or(i64::MAX);
        last.ticks = last.ticks.saturating_add(gap.unsigned_abs());
        // What is hidden behind it stays there.
        for sample in &mut self.track.samples {
            if sample.pts >= end {
                sample.pts = sample.pts.saturating_add(gap);
            }
        }
    }

    /// Shows a clip.
    fn edit(&mut self, planned: &Planned<'_>, shift: i64) {
        let ticks = planned.plan.end_pts.saturating_sub(planned.plan.first_pts);
        self.track.edits.push(Edit {
            pts: Some(planned.plan.first_pts.saturating_add(shift)),
            ticks: u64::try_from(ticks).unwrap_or(0),
        });
    }

    /// The track, with times that decoders and containers accept.
    pub fn finish(mut self, kind: Type, end_ns: i64) -> AssemblyTrack {
        if self.track.edits.len() > 1 {
            // What is hidden of a later clip must not be decoded while an earlier one is shown.
            for sample in &mut self.track.samples {
                sample.dts = sample.pts;
            }
        }
        let gap = gap(self.track.timescale);
        settle_decoding_times(&mut self.track.samples, gap);
        if kind != Type::Copy {
            let ticks = ns_ticks(end_ns, self.track.timescale);
            decode_before_the_end(&mut self.track.samples, ticks, gap);
            self.track.edits = vec![Edit {
                pts: Some(0),
                ticks: u64::try_from(ticks).unwrap_or(0),
            }];
        }
        self.track
    }
}

/// Puts the pictures before and behind `shown`, which an edit hides, close together: those before a
/// little more than one picture's length before it, those behind right behind it. They take next to
/// no time then, so players that ignore edits show them for a moment only; and qtdemux 1.22 takes
/// times for damaged that are far from those of decoding. Closer than a picture's length they may
/// not come: GStreamer's decoders give each picture its usual length, and show what reaches into
/// the edit.
fn squeeze(samples: &mut [AssemblySample], shown: &Range<i64>, gap: i64) {
    let is_hidden = |pts: &i64| !shown.contains(pts);
    let times = samples.iter().map(|sample| sample.pts);
    let mut hidden: Vec<i64> = times.filter(is_hidden).collect();
    hidden.sort_unstable();
    let before = hidden.partition_point(|pts| *pts < shown.start);
    let durations = samples.iter().map(|sample| i64::from(sample.duration));
    let last = shown.start.saturating_sub(durations.max().unwrap_or(0));
    let count = |places: usize| i64::try_from(places).unwrap_or(0).saturating_mul(gap);
    for sample in samples {
        if !is_hidden(&sample.pts) {
            continue;
        }
        let place = hidden.partition_point(|pts| *pts < sample.pts);
        sample.pts = match place.checked_sub(before) {
            Some(behind) => shown.end.saturating_add(count(behind)),
            None => last.saturating_sub(count(before - place)),
        };
        // qtdemux 1.22 does not give decoders a keyframe that is not shown, though others need it.
        sample.is_entry &= place < before;
        sample.dts = sample.pts;
        sample.duration = u32::try_from(gap).unwrap_or(1);
    }
}

/// The pictures among some, copied in one go, that are in the last file and may bring parameter
/// sets: those of MPEG-TS never do.
fn of_last_file(held: &[Frame], frames: &[u32]) -> Vec<Frame> {
    let copied = || {
        let frames = frames.iter().rev();
        frames.filter_map(|frame| held.get(*frame as usize))
    };
    let Some(last) = copied().next() else {
        return Vec::new();
    };
    let is_alike = |frame: &&Frame| frame.file == last.file;
    let of_file = copied().take_while(is_alike).copied();
    let is_plain = |frame: &Frame| matches!(frame.place, Place::Plain { .. });
    of_file.filter(is_plain).collect()
}

/// Whether a sample, of which this is the start, brings parameter sets.
fn brings_sets(entry: &[u8], start: &[u8], length_bytes: usize) -> bool {
    let mut units = nal::in_sample_so_far(start, length_bytes);
    match is_h265(entry) {
        true => units.any(|unit| (h265::VPS..=h265::PPS).contains(&h265::kind(unit))),
        false => units.any(|unit| matches!(h264::kind(unit), h264::SPS | h264::PPS)),
    }
}

/// Has all pictures be decoded before what is shown ends, `end` ticks after the first is decoded:
/// qtdemux 1.22 gives out no more from there on. A single picture at the end, which waits for
/// nothing, would be decoded when it is shown, which is by the delay of all others later.
fn decode_before_the_end(samples: &mut [AssemblySample], end: i64, gap: i64) {
    let first = samples.iter().map(|sample| sample.dts).min().unwrap_or(0);
    if let Some(last) = samples.last_mut() {
        last.dts = last
            .dts
            .min(end.saturating_add(first.min(0)).saturating_sub(gap));
        settle_decoding_times(samples, gap);
    }
}

/// The least time between two pictures: some 170 microseconds, as ffmpeg takes a step of a thousand
/// times the average for a break in the times.
fn gap(timescale: u32) -> i64 {
    i64::from(timescale / 6000).max(1)
}

/// When the first of these pictures is decoded. A keyframe whose leading pictures are left out need
/// not be decoded so early that they have time after it, and one picture alone has nothing to wait for.
fn first_decoding_time(held: &[Frame], frames: &[u32]) -> Option<i64> {
    let (first, behind) = frames.split_first()?;
    let frame = held.get(*first as usize)?;
    let next = match behind.first() {
        None => return Some(frame.pts),
        Some(next) if *next == first + 1 => return Some(frame.dts),
        Some(next) => next,
    };
    let next = held.get(*next as usize)?;
    let before_next = next.dts.saturating_sub(frame.duration.into());
    Some(before_next.min(frame.pts).max(frame.dts))
}

/// How long before it is shown a picture next to what is copied is decoded.
fn delay(planned: &Planned<'_>, number: usize) -> i64 {
    let of = |frames: &[u32]| {
        let first = planned.frames.get(*frames.first()? as usize)?;
        let dts = first_decoding_time(planned.frames, frames)?;
        Some(first.pts.saturating_sub(dts).max(0))
    };
    let neighbours = planned.plan.pieces.get(number + 1).into_iter();
    let neighbours = neighbours.chain(
        number
            .checked_sub(1)
            .and_then(|at| planned.plan.pieces.get(at)),
    );
    let mut copied = neighbours.filter_map(|piece| match piece {
        Piece::Copy { frames, .. } => of(frames),
        Piece::Encode { .. } => None,
    });
    copied.next().unwrap_or(0)
}

/// A range of a part.
fn within(whole: Part, range: &Range<usize>) -> Part {
    let length = u32::try_from(range.len()).unwrap_or(u32::MAX);
    match whole {
        Part::File { file, offset, .. } => Part::File {
            file,
            offset: offset + range.start as u64,
            bytes: length,
        },
        Part::Memory { offset, .. } => Part::Memory {
            offset: offset + range.start as u64,
            bytes: length,
        },
        Part::Spool { offset, .. } => Part::Spool {
            offset: offset + range.start as u64,
            bytes: length,
        },
        Part::Pes { sample, from, .. } => Part::Pes {
            sample,
            from: from + u32::try_from(range.start).unwrap_or(u32::MAX),
            bytes: length,
        },
    }
}
