// SPDX-License-Identifier: MPL-2.0
//! The pictures of a cut: each clip planned, its pieces copied or encoded, its times settled.

use super::compose::{Builder, pictures_of, place};
use super::error::CutError;
use super::footage::{ClipFrame, Footage};
use super::plan::{self, Abilities, Piece, Plan};
use super::request::{Request, Type};
use super::sound::Placement;
use crate::media::Frame;
use crate::media::assembly::{AssemblySample, AssemblyTrack, Edit, settle_decoding_times};
use crate::utc::UtcNs;

/// How pictures are encoded where they have to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The element that encodes; by default x264enc or x265enc.
    pub encoder: Option<String>,
    /// The element that decodes; by default libav's.
    pub decoder: Option<String>,
}

/// What became of the pictures.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Where the clips stand.
    pub placements: Vec<Placement>,
    pub copied: usize,
    pub encoded: usize,
}

/// A clip with its plan.
struct Planned {
    clip: usize,
    frames: Vec<Frame>,
    plan: Plan,
}

/// Adds the track of pictures, if there are any.
pub(super) fn compose(
    builder: &mut Builder<'_>,
    request: &Request,
    _options: &Options,
) -> Result<Shown, CutError> {
    let footage = builder.footage;
    let Some(number) = footage.tracks.iter().position(|format| format.is_video) else {
        return Ok(Shown::default());
    };
    let abilities = Abilities {
        restarts_open_gop: false,
    };
    let planned = plan_all(footage, request, abilities)?;
    let Some(format) = footage.tracks.get(number) else {
        return Ok(Shown::default());
    };
    let mut track = AssemblyTrack {
        is_video: true,
        timescale: format.timescale,
        descriptions: format.descriptions.clone(),
        ..AssemblyTrack::default()
    };
    let mut shown = Shown::default();
    for planned in &planned {
        let ticks = planned.plan.end_pts.saturating_sub(planned.plan.first_pts);
        let first = planned.first_utc();
        let (placement, at) = place(
            &shown.placements,
            request.gaps,
            planned.clip,
            first,
            ticks,
            format.timescale,
        );
        shown.copied += planned.plan.shown;
        add_clip(builder, number, &mut track, planned, at, request.kind);
        shown.placements.push(placement);
    }
    settle_decoding_times(&mut track.samples);
    if request.kind != Type::Copy {
        track.edits = vec![Edit {
            pts: Some(0),
            ticks: shown.placements.last().map_or(0, |last| {
                u64::try_from(super::footage::ns_ticks(last.end_ns, format.timescale)).unwrap_or(0)
            }),
        }];
    }
    builder.assembly.tracks.push(track);
    Ok(shown)
}

impl Planned {
    /// When the first picture shown is.
    fn first_utc(&self) -> UtcNs {
        let first = self
            .frames
            .iter()
            .find(|frame| frame.pts == self.plan.first_pts);
        first.map_or(UtcNs::default(), |frame| frame.utc)
    }
}

fn plan_all(
    footage: &Footage,
    request: &Request,
    abilities: Abilities,
) -> Result<Vec<Planned>, CutError> {
    let mut planned = Vec::new();
    for (number, clip) in footage.clips.iter().enumerate() {
        let frames: Vec<Frame> = pictures_of(footage, clip)
            .iter()
            .map(|held| held.frame)
            .collect();
        let range = match request.kind {
            Type::Rough => whole_segments(pictures_of(footage, clip), clip.from, clip.to),
            _ => (clip.from, clip.to),
        };
        if let Some(plan) = plan::plan(&frames, range, request.kind, abilities) {
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
/// picture of the last.
fn whole_segments(held: &[ClipFrame], from: UtcNs, to: UtcNs) -> (UtcNs, UtcNs) {
    let wanted = held
        .iter()
        .filter(|held| (from..to).contains(&held.frame.utc));
    let files: Vec<u32> = wanted.map(|held| held.file).collect();
    let (first, last) = (files.iter().min(), files.iter().max());
    let start = held.iter().find(|held| Some(&held.file) == first);
    let shown_last = held.iter().filter(|held| Some(&held.file) == last);
    let end = shown_last.map(|held| held.frame.utc).max();
    (
        start.map_or(from, |held| held.frame.utc),
        end.map_or(to, |end| end + 1),
    )
}

/// Adds the samples of a clip whose first picture is shown at `at`.
fn add_clip(
    builder: &mut Builder<'_>,
    number: usize,
    track: &mut AssemblyTrack,
    planned: &Planned,
    at: i64,
    kind: Type,
) {
    let footage = builder.footage;
    let Some(clip) = footage.clips.get(planned.clip) else {
        return;
    };
    let held = pictures_of(footage, clip);
    let shift = match kind {
        Type::Copy => after(track, planned),
        _ => at.saturating_sub(planned.plan.first_pts),
    };
    for piece in &planned.plan.pieces {
        let Piece::Copy { frames, .. } = piece else {
            continue;
        };
        for number_in_clip in frames {
            let Some(held) = held.get(*number_in_clip as usize) else {
                continue;
            };
            let part = builder.part(number, held);
            let (parts, bytes) = builder.parts(&[part]);
            track.samples.push(AssemblySample {
                pts: held.frame.pts.saturating_add(shift),
                dts: held.frame.dts.saturating_add(shift),
                duration: held.frame.duration,
                bytes,
                description: held.frame.description,
                is_entry: held.frame.kind.is_entry(),
                parts,
            });
        }
    }
    if kind == Type::Copy {
        let gap = at.saturating_sub(i64::try_from(track.presented_ticks()).unwrap_or(i64::MAX));
        if gap > 0 {
            track.edits.push(Edit {
                pts: None,
                ticks: gap.unsigned_abs(),
            });
        }
        let ticks = planned.plan.end_pts.saturating_sub(planned.plan.first_pts);
        track.edits.push(Edit {
            pts: Some(planned.plan.first_pts.saturating_add(shift)),
            ticks: u64::try_from(ticks).unwrap_or(0),
        });
    }
}

/// By how much a clip is to be moved to follow on what is there: it is hidden by edits which is
/// why it need not be where it is shown.
fn after(track: &AssemblyTrack, planned: &Planned) -> i64 {
    let ends = track
        .samples
        .iter()
        .map(|sample| sample.pts + i64::from(sample.duration));
    let Some(end) = ends.max() else {
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

/// Says that the ranges fall between frames, and where the nearest are.
pub(super) fn no_frame(footage: &Footage, request: &Request) -> CutError {
    let (start, end) = request.ranges.first().copied().unwrap_or_default();
    let utcs = || {
        let frames = footage.clips.iter().flat_map(|clip| clip.tracks.first());
        frames.flatten().map(|held| held.frame.utc)
    };
    CutError::NoFrame {
        start,
        end,
        before: utcs().filter(|utc| *utc < start).max(),
        after: utcs().filter(|utc| *utc >= end).min(),
    }
}
