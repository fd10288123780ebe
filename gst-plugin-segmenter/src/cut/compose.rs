// SPDX-License-Identifier: MPL-2.0
//! Making a cut: from what is asked for to the table of samples that is the answer.

use std::sync::Arc;

use super::cache::FrameCache;
use super::error::{CutError, Hole};
use super::footage::Footage;
use super::request::{Gaps, Request, Type};
use super::sound::{self, Placement};
use super::stretch::{ns_ticks, ticks_ns};
use super::{edges, pictures};
use crate::archive::Archive;
use crate::media::assembly::{Assembly, AssemblySample, AssemblyTrack, Part, PesSample};
use crate::media::{Frame, Place, Skipped};
use crate::utc::UtcNs;

/// A cut: its samples, and what is to be said of it.
#[derive(Debug)]
pub struct Cut {
    /// The samples.
    pub assembly: Assembly,
    /// What it holds.
    pub summary: Summary,
}

/// What a cut holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The first moment shown.
    pub start: UtcNs,
    /// The end of the last.
    pub end: UtcNs,
    /// How long it plays, in nanoseconds.
    pub duration_ns: i64,
    /// Pictures shown that are the source's own.
    pub copied: usize,
    /// Pictures that were encoded anew.
    pub encoded: usize,
    /// What is missing.
    pub holes: Vec<Hole>,
    /// The tracks that were recorded besides and cannot be cut.
    pub skipped: Vec<Skipped>,
}

/// Makes a cut. Pictures that have to be are encoded before this returns.
///
/// # Errors
/// What is wrong with the request, what is missing of the range, what cannot be read or encoded.
pub fn compose(
    archive: &Archive,
    cache: &FrameCache,
    request: &Request,
    options: &edges::Options,
) -> Result<Cut, CutError> {
    let footage = footage(archive, cache, request)?;
    let mut builder = Builder::new(&footage);
    let shown = pictures::compose(&mut builder, request, options)?;
    let placements = match shown.placements.is_empty() {
        true => sound_alone(&footage, request)?,
        false => shown.placements,
    };
    let end_ns = placements.last().map_or(0, |last| last.end_ns);
    builder.add_sound(&placements, end_ns)?;
    let summary = Summary {
        start: placements
            .first()
            .map_or(UtcNs::default(), |first| first.from),
        end: placements.last().map_or(UtcNs::default(), |last| {
            last.from + (last.end_ns - last.at_ns)
        }),
        duration_ns: end_ns,
        copied: shown.copied,
        encoded: shown.encoded,
        holes: footage.holes.clone(),
        skipped: footage.skipped.clone(),
    };
    let mut assembly = builder.assembly;
    assembly.files = footage.files;
    Ok(Cut { assembly, summary })
}

/// What there is of the ranges; holes only if they are allowed.
pub(super) fn footage(
    archive: &Archive,
    cache: &FrameCache,
    request: &Request,
) -> Result<Footage, CutError> {
    request.check()?;
    let mut footage = Footage::default();
    let name = (request.stream.as_str(), request.variant.as_str());
    let is_rough = request.kind == Type::Rough;
    for (from, to) in &request.ranges {
        footage.add(archive, cache, name, *from, *to, is_rough)?;
    }
    if footage.clips.is_empty() && footage.holes.iter().all(|hole| hole.reason.is_none()) {
        return Err(CutError::Nothing {
            stream: request.stream.clone(),
            variant: request.variant.clone(),
            start: request
                .ranges
                .first()
                .map_or(UtcNs::default(), |range| range.0),
            end: request
                .ranges
                .last()
                .map_or(UtcNs::default(), |range| range.1),
        });
    }
    if (!footage.holes.is_empty() && !request.allow_holes) || footage.clips.is_empty() {
        return Err(CutError::Holes(footage.holes));
    }
    Ok(footage)
}

/// Where clips without pictures stand: each from its first moment to its last.
fn sound_alone(footage: &Footage, request: &Request) -> Result<Vec<Placement>, CutError> {
    let mut placements: Vec<Placement> = Vec::new();
    for (number, clip) in footage.clips.iter().enumerate() {
        let tracks = footage.tracks.iter().enumerate();
        let times = tracks.flat_map(|(track, format)| {
            let ends = move |frame: &Frame| ticks_ns(frame.duration.into(), format.timescale);
            let frames = clip.sounds(track);
            frames.map(move |frame| (frame.utc, frame.utc + ends(&frame)))
        });
        let sounding = times.filter(|(start, end)| *start < clip.to && *end > clip.from);
        let (first, last) = sounding.fold((None, None), |(first, last), (start, end)| {
            (
                Some(first.map_or(start, |first: UtcNs| first.min(start))),
                Some(last.map_or(end, |last: UtcNs| last.max(end))),
            )
        });
        let (Some(first), Some(last)) = (first, last) else {
            continue;
        };
        let (from, to) = (first.max(clip.from), last.min(clip.to));
        let at_ns = match (placements.first(), placements.last(), request.gaps) {
            (Some(zero), _, Gaps::Keep) => from - zero.from,
            (_, Some(before), _) => before.end_ns,
            _ => 0,
        };
        placements.push(Placement {
            clip: number,
            from,
            at_ns,
            end_ns: at_ns + (to - from),
        });
    }
    match placements.is_empty() {
        true => Err(pictures::no_frame(footage, request)),
        false => Ok(placements),
    }
}

/// Puts an assembly together.
pub struct Builder<'a> {
    /// What there is.
    pub footage: &'a Footage,
    /// What is done.
    pub assembly: Assembly,
    /// For each track of the footage, its sample entries to share.
    entries: Vec<Vec<Arc<[u8]>>>,
}

impl<'a> Builder<'a> {
    fn new(footage: &'a Footage) -> Self {
        let shared =
            |entries: &Vec<Vec<u8>>| entries.iter().map(|entry| Arc::from(&**entry)).collect();
        Self {
            footage,
            assembly: Assembly::default(),
            entries: footage
                .tracks
                .iter()
                .map(|format| shared(&format.descriptions))
                .collect(),
        }
    }

    /// A sample entry of a track of the footage.
    pub fn entry(&self, track: usize, description: u16) -> Arc<[u8]> {
        let entries = self.entries.get(track);
        let entry = entries.and_then(|entries| entries.get(usize::from(description)));
        entry.map_or_else(|| Arc::from(&[][..]), Arc::clone)
    }

    /// The part that is a frame as it is.
    pub fn part(&mut self, track: usize, held: &Frame) -> Part {
        let bytes = held.bytes;
        match held.place {
            Place::Plain { offset } => Part::File {
                file: held.file,
                offset,
                bytes,
            },
            Place::Pes { .. } => {
                let sample = u32::try_from(self.assembly.pes.len()).unwrap_or(u32::MAX);
                let entry = self.entry(track, held.description);
                self.assembly.pes.push(PesSample {
                    frame: *held,
                    entry,
                });
                Part::Pes {
                    sample,
                    from: 0,
                    bytes,
                }
            }
        }
    }

    /// The part that is new bytes.
    pub fn memory(&mut self, bytes: &[u8]) -> Part {
        let offset = self.assembly.memory.len() as u64;
        self.assembly.memory.extend_from_slice(bytes);
        Part::Memory {
            offset,
            bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        }
    }

    /// Takes the parts of one sample: their range, and how many bytes they are.
    pub fn parts(&mut self, parts: &[Part]) -> (std::ops::Range<u32>, u32) {
        let start = u32::try_from(self.assembly.parts.len()).unwrap_or(u32::MAX);
        self.assembly.parts.extend_from_slice(parts);
        let end = start.saturating_add(u32::try_from(parts.len()).unwrap_or(u32::MAX));
        let bytes = parts.iter().map(Part::bytes).fold(0, u32::saturating_add);
        (start..end, bytes)
    }

    fn add_sound(&mut self, placements: &[Placement], end_ns: i64) -> Result<(), CutError> {
        for (number, format) in self.footage.tracks.iter().enumerate() {
            if format.is_video {
                continue;
            }
            let footage = self.footage;
            let clips = placements
                .iter()
                .filter_map(|at| footage.clips.get(at.clip));
            let most = clips.map(|clip| clip.most_sounds(number)).sum();
            let mut samples = Vec::with_capacity(most);
            self.assembly.parts.reserve(most);
            let (mut first, mut other) = (None, None);
            sound::place(footage, number, placements, |frame, pts| {
                let description = *first.get_or_insert(frame.description);
                if frame.description != description {
                    other.get_or_insert(*frame);
                }
                let part = self.part(number, frame);
                let (parts, bytes) = self.parts(&[part]);
                samples.push(AssemblySample {
                    pts,
                    dts: pts,
                    duration: frame.duration,
                    bytes,
                    description: 0,
                    is_entry: true,
                    parts,
                });
            });
            let Some(description) = first else {
                continue;
            };
            let entry = self.entry(number, description).to_vec();
            if let Some(other) = other {
                return Err(CutError::Changes {
                    what: "the sound",
                    at: other.utc,
                    from: super::names::of_entry(&entry),
                    to: super::names::of_entry(&self.entry(number, other.description)),
                    remedy: "cut the parts before and after by themselves",
                });
            }
            self.assembly.tracks.push(AssemblyTrack {
                is_video: false,
                timescale: format.timescale,
                orientation: Default::default(),
                descriptions: vec![entry],
                edits: sound::edits(&samples, format.timescale, end_ns),
                samples,
            });
        }
        Ok(())
    }
}

/// Where a clip is presented, given those before: moved up to them, or as far from the first as it
/// was.
pub(super) fn place(
    before: &[Placement],
    gaps: Gaps,
    clip: usize,
    from: UtcNs,
    ticks: i64,
    timescale: u32,
) -> (Placement, i64) {
    let at = match (before.first(), before.last(), gaps) {
        (Some(zero), Some(last), Gaps::Keep) => {
            let kept = ns_ticks(from - zero.from, timescale);
            kept.max(ns_ticks(last.end_ns, timescale))
        }
        (_, Some(last), _) => ns_ticks(last.end_ns, timescale),
        _ => 0,
    };
    let placement = Placement {
        clip,
        from,
        at_ns: ticks_ns(at, timescale),
        end_ns: ticks_ns(at.saturating_add(ticks), timescale),
    };
    (placement, at)
}
