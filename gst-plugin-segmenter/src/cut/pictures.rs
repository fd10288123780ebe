// SPDX-License-Identifier: MPL-2.0
//! The pictures of a cut: each clip planned, its pieces copied or encoded, its times settled.

use super::compose::{Builder, place};
use super::edges::{self, Options};
use super::error::CutError;
use super::footage::{Clip, Footage};
use super::line::Line;
use super::names;
use super::plan::{self, Abilities, Piece, Plan, Start};
use super::recipes::{RecipeError, Recipes};
use super::request::{Request, Type};
use super::sample_entries::SampleEntries;
use super::sound::Placement;
use crate::media::{Frame, FrameKind};
use crate::utc::UtcNs;

/// What became of the pictures.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Where the clips stand.
    pub placements: Vec<Placement>,
    pub copied: usize,
    pub encoded: usize,
}

/// A clip with its plan.
pub(super) struct Planned<'a> {
    pub clip: usize,
    pub frames: &'a [Frame],
    pub plan: Plan,
}

/// Adds the track of pictures, if there are any.
pub(super) fn compose(
    builder: &mut Builder<'_>,
    request: &Request,
    options: &Options,
) -> Result<Shown, CutError> {
    let footage = builder.footage;
    let Some(number) = footage.tracks.iter().position(|format| format.is_video) else {
        return Ok(Shown::default());
    };
    let (planned, recipes) = plan_with_recipes(footage, number, request)?;
    check_codec(footage, number, &planned)?;
    let entries = SampleEntries::of(footage, number, &planned);
    let track = (number, &entries);
    let encoded = edges::encode(footage, track, &planned, request.kind, options)?;
    builder.assembly.spool.clone_from(&encoded.spool);
    let mut line = Line::new(builder, number, &encoded, &recipes, entries);
    let mut shown = Shown::default();
    for planned in &planned {
        let ticks = planned.plan.end_pts.saturating_sub(planned.plan.first_pts);
        let timescale = line.track.timescale;
        let (before, gaps) = (&shown.placements, request.gaps);
        let from = planned.first_utc();
        let (placement, at) = place(before, gaps, planned.clip, from, ticks, timescale);
        line.add(planned, at, request.kind);
        shown.placements.push(placement);
        let is_encoded = |piece: &&Piece| matches!(piece, Piece::Encode { .. });
        let encoded = planned.plan.pieces.iter().filter(is_encoded);
        let encoded: usize = encoded.map(Piece::frames).sum();
        shown.encoded += encoded;
        shown.copied += planned.plan.shown - encoded;
    }
    let end_ns = shown.placements.last().map_or(0, |last| last.end_ns);
    let track = line.finish(request.kind, end_ns);
    builder.assembly.tracks.push(track);
    Ok(shown)
}

/// Refuses pictures of several codecs: a track of MP4 may have them, but players decode those of the
/// first only, and leave out the rest without a word.
fn check_codec(footage: &Footage, number: usize, planned: &[Planned<'_>]) -> Result<(), CutError> {
    let entry = |description: u16| {
        let format = footage.tracks.get(number);
        let entries = format.map_or(&[][..], |format| &format.descriptions);
        let entry = entries.get(usize::from(description));
        entry.map_or(&[][..], Vec::as_slice)
    };
    let codec = |entry: &[u8]| names::codec(entry.get(4..8).unwrap_or_default());
    let mut first = None;
    for frame in planned.iter().flat_map(Planned::used) {
        let first = *first.get_or_insert(frame.description);
        if frame.description == first {
            continue;
        }
        let (from, to) = (entry(first), entry(frame.description));
        if codec(from) != codec(to) {
            return Err(CutError::Changes {
                what: "the codec of the pictures",
                at: frame.utc,
                from: names::of_entry(from),
                to: names::of_entry(to),
                remedy: "cut the parts before and after by themselves",
            });
        }
    }
    Ok(())
}

/// Plans all clips, and how decoders are brought to start at keyframes that lean on what was
/// before. Where that cannot be done, the plan does without.
fn plan_with_recipes<'a>(
    footage: &'a Footage,
    number: usize,
    request: &Request,
) -> Result<(Vec<Planned<'a>>, Recipes), CutError> {
    let able = Abilities {
        restarts_open_gop: true,
    };
    let planned = plan_all(footage, request, able)?;
    match Recipes::of(footage, number, &planned) {
        Ok(recipes) => Ok((planned, recipes)),
        Err(RecipeError::Io(error)) => Err(error.into()),
        Err(RecipeError::Unsupported) => {
            let unable = Abilities {
                restarts_open_gop: false,
            };
            let mut planned = plan_all(footage, request, unable)?;
            // Where nothing better is near, decoders have to cope with a recovery point.
            planned.iter_mut().for_each(Planned::leave_recovery_points);
            match Recipes::of(footage, number, &planned) {
                Ok(recipes) => Ok((planned, recipes)),
                Err(RecipeError::Io(error)) => Err(error.into()),
                Err(RecipeError::Unsupported) => Ok((planned, Recipes::default())),
            }
        }
    }
}

impl Planned<'_> {
    /// Copies as they are what begins with H.264 pictures that are no IDR.
    fn leave_recovery_points(&mut self) {
        for piece in &mut self.plan.pieces {
            if let Piece::Copy { frames, start } = piece
                && let Some(first) = frames.first().and_then(|at| self.frames.get(*at as usize))
                && first.kind == FrameKind::OpenGop
            {
                *start = Start::AsIs;
            }
        }
    }

    /// The pictures that are taken.
    fn used(&self) -> impl Iterator<Item = &Frame> {
        let numbers = self.plan.pieces.iter().flat_map(|piece| match piece {
            Piece::Copy { frames, .. } => frames,
            Piece::Encode { keep, .. } => keep,
        });
        numbers.filter_map(|number| self.frames.get(*number as usize))
    }

    /// When the first picture shown is.
    fn first_utc(&self) -> UtcNs {
        let first = self
            .frames
            .iter()
            .find(|frame| frame.pts == self.plan.first_pts);
        first.map_or(UtcNs::default(), |frame| frame.utc)
    }
}

fn plan_all<'a>(
    footage: &'a Footage,
    request: &Request,
    abilities: Abilities,
) -> Result<Vec<Planned<'a>>, CutError> {
    let mut planned = Vec::new();
    for (number, clip) in footage.clips.iter().enumerate() {
        let frames = &*clip.pictures;
        let range = match request.kind {
            Type::Rough => whole_segments(frames, clip.from, clip.to),
            _ => (clip.from, clip.to),
        };
        if let Some(plan) = plan::plan(frames, range, request.kind, abilities) {
            planned.push(Planned {
                clip: number,
                frames,
                plan,
            });
        }
    }
    match planned.is_empty() {
        true => Err(no_frame(footage, request)),
        false => Ok(planned),
    }
}

/// The time from the first picture of the first segment that shows something of a range to the last
/// picture of the last. What is shown before a segment's own keyframe is decoded from the segment
/// before.
fn whole_segments(held: &[Frame], from: UtcNs, to: UtcNs) -> (UtcNs, UtcNs) {
    let wanted = held.iter().filter(|held| (from..to).contains(&held.utc));
    let shown_first = wanted.clone().map(|held| held.utc).min();
    let files: Vec<u32> = wanted.map(|held| held.file).collect();
    let keyframe = |file: u32| held.iter().find(|held| held.file == file);
    let first = files.iter().min().and_then(|file| keyframe(*file));
    let leans = |first: &Frame| shown_first.is_some_and(|shown| shown < first.utc);
    let before = first.filter(|first| leans(first)).and_then(|first| {
        let earlier = held.iter().map(|held| held.file);
        keyframe(earlier.filter(|file| *file < first.file).max()?)
    });
    let last = files.iter().max();
    let shown_last = held.iter().filter(|held| Some(&held.file) == last);
    let end = shown_last.map(|held| held.utc).max();
    (
        before.or(first).map_or(from, |held| held.utc),
        end.map_or(to, |end| end + 1),
    )
}

/// Says that the ranges fall between frames, and where the nearest are.
pub(super) fn no_frame(footage: &Footage, request: &Request) -> CutError {
    let (start, end) = request.ranges.first().copied().unwrap_or_default();
    let utcs = || footage.clips.iter().flat_map(Clip::shows);
    CutError::NoFrame {
        start,
        end,
        before: utcs().filter(|utc| *utc < start).max(),
        after: utcs().filter(|utc| *utc >= end).min(),
    }
}
