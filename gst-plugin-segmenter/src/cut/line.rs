// SPDX-License-Identifier: MPL-2.0
//! The line of pictures: pieces copied and encoded, put one behind the other in the time of the cut.

use std::collections::HashMap;
use std::ops::Range;

use super::compose::Builder;
use super::edges::{EncodedBytes, EncodedPiece, EncodedPieces};
use super::pictures::Planned;
use super::plan::Piece;
use super::recipes::{Recipe, Recipes};
use super::request::Type;
use super::stretch::ns_ticks;
use crate::media::Frame;
use crate::media::assembly::{AssemblySample, AssemblyTrack, Edit, Part, settle_decoding_times};
use crate::media::configuration::{with_h264_sets, with_h265_sets_in_band};
use crate::media::nal::Sets;

/// The track of pictures, as far as it is done.
pub struct Line<'b, 'f, 'e> {
    builder: &'b mut Builder<'f>,
    number: usize,
    encoded: &'e EncodedPieces,
    recipes: &'e Recipes,
    /// What is done.
    pub track: AssemblyTrack,
    /// The track's description for each of the source's, and for what was encoded with which sets.
    descriptions: HashMap<(u16, Option<Sets>), u16>,
    /// The last of the source's descriptions that was copied, and the track's for it.
    copied_as: Option<(u16, u16)>,
    /// For each of the source's descriptions, the parameter sets that keyframes are given.
    in_band: HashMap<u16, Part>,
    /// Keyframes are given their parameter sets, whatever their descriptions hold: H.265 has no
    /// room for two encoders' sets in one, and where there are several, Chromium takes the first
    /// for all there is and stops at what the second is of.
    sets_in_band: bool,
}

impl<'b, 'f, 'e> Line<'b, 'f, 'e> {
    /// A line with nothing on it.
    pub fn new(
        builder: &'b mut Builder<'f>,
        number: usize,
        encoded: &'e EncodedPieces,
        recipes: &'e Recipes,
        planned: &[Planned<'_>],
    ) -> Self {
        let format = builder.footage.tracks.get(number);
        let entries = format.map_or(&[][..], |format| &format.descriptions);
        let is_h265 = entries.iter().any(|entry| is_h265(entry));
        let is_mixed_h265 = is_h265 && encoded.pieces().next().is_some();
        Self {
            number,
            track: AssemblyTrack {
                is_video: true,
                timescale: format.map_or(1, |format| format.timescale),
                ..AssemblyTrack::default()
            },
            descriptions: HashMap::new(),
            copied_as: None,
            in_band: HashMap::new(),
            sets_in_band: is_mixed_h265 || has_several_descriptions(planned, encoded),
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
                    for frame in frames {
                        let recipe = self.recipes.get(planned.clip, *frame);
                        if let Some(held) = held.get(*frame as usize) {
                            self.copy(held, recipe, shift);
                        }
                    }
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

    fn copy(&mut self, held: &Frame, recipe: Option<&Recipe>, shift: i64) {
        let sets = match self.sets_in_band && held.kind.is_entry() {
            true => self.source_sets(held.description),
            false => None,
        };
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
        let description = self.copied_description(held.description);
        self.track.samples.push(AssemblySample {
            pts: held.pts.saturating_add(shift),
            dts: held.dts.saturating_add(shift),
            duration: held.duration,
            bytes,
            description,
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
        for (number, frame) in keep.iter().zip(&encoded.frames) {
            let Some(held) = held.get(*number as usize) else {
                continue;
            };
            let mut parts = Vec::with_capacity(2);
            if self.sets_in_band && frame.is_entry {
                parts.push(self.builder.memory(&encoded.sets.as_sample()));
            }
            parts.push(match &frame.bytes {
                EncodedBytes::Held(sample) => self.builder.memory(sample),
                EncodedBytes::Spooled(part) => *part,
            });
            let description = self.description(held.description, Some(&encoded.sets));
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

    /// The parameter sets of one of the source's descriptions, in the form of a sample.
    fn source_sets(&mut self, description: u16) -> Option<Part> {
        if let Some(part) = self.in_band.get(&description) {
            return Some(*part);
        }
        let entry = self.builder.entry(self.number, description);
        let sets = sets_of(&entry)?;
        let part = self.builder.memory(&sets.as_sample());
        self.in_band.insert(description, part);
        Some(part)
    }

    /// The number of the description for pictures of the source.
    fn copied_description(&mut self, source: u16) -> u16 {
        match self.copied_as {
            Some((of, number)) if of == source => number,
            _ => {
                let number = self.description(source, None);
                self.copied_as = Some((source, number));
                number
            }
        }
    }

    /// The number of the description for pictures of the source, or for some that were encoded.
    ///
    /// H.264 holds the sets of both in one description, as their ids differ; a further one is only
    /// needed where an encoder chose other sets the second time.
    fn description(&mut self, source: u16, sets: Option<&Sets>) -> u16 {
        let entry = self.builder.entry(self.number, source);
        let sets = sets.or_else(|| first_sets(self.encoded, source));
        let key = (source, sets.filter(|_| !is_h265(&entry)).cloned());
        if let Some(number) = self.descriptions.get(&key) {
            return *number;
        }
        let changed = match &key.1 {
            Some(sets) => with_h264_sets(&entry, &sets.sps, &sets.pps),
            None if self.sets_in_band && is_h265(&entry) => with_h265_sets_in_band(&entry),
            None => None,
        };
        let number = u16::try_from(self.track.descriptions.len()).unwrap_or(u16::MAX);
        self.track
            .descriptions
            .push(changed.unwrap_or_else(|| entry.to_vec()));
        self.descriptions.insert(key, number);
        number
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

/// Whether not all pictures have the same description.
fn has_several_descriptions(planned: &[Planned<'_>], encoded: &EncodedPieces) -> bool {
    let mut first = None;
    let mut is_another = |source: u16, sets: Option<&Sets>| {
        let sets = sets.or_else(|| first_sets(encoded, source)).cloned();
        let this = (source, sets);
        first.get_or_insert_with(|| this.clone()) != &this
    };
    planned.iter().any(|planned| {
        let description = |number: &u32| {
            let frame = planned.frames.get(*number as usize);
            frame.map_or(0, |frame| frame.description)
        };
        let mut pieces = planned.plan.pieces.iter().enumerate();
        pieces.any(|(number, piece)| match piece {
            Piece::Copy { frames, .. } => {
                let mut descriptions: Vec<u16> = frames.iter().map(description).collect();
                descriptions.dedup();
                let mut descriptions = descriptions.into_iter();
                descriptions.any(|source| is_another(source, None))
            }
            Piece::Encode { keep, .. } => {
                let piece = encoded.get(planned.clip, number);
                let source = keep.first().map_or(0, description);
                is_another(source, piece.map(|piece| &piece.sets))
            }
        })
    })
}

/// The sets of the first piece that was encoded of a description.
fn first_sets(encoded: &EncodedPieces, description: u16) -> Option<&Sets> {
    let mut pieces = encoded.pieces();
    let piece = pieces.find(|piece| piece.description == description);
    piece.map(|piece| &piece.sets)
}

fn is_h265(entry: &[u8]) -> bool {
    matches!(entry.get(4..8), Some(b"hvc1" | b"hev1"))
}

/// The sets of a visual sample entry.
pub fn sets_of(entry: &[u8]) -> Option<Sets> {
    let (kind, record) = crate::media::configuration::of(entry)?;
    match &kind {
        b"avcC" => Sets::from_avcc(record),
        b"hvcC" => Sets::from_hvcc(record),
        _ => None,
    }
}
