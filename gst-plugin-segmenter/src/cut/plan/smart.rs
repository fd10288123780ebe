// SPDX-License-Identifier: MPL-2.0
//! Head, body and tail of a `smart` cut.

use super::{Abilities, Piece, Shot, start_at};
use crate::media::FrameKind;

/// The pieces of a clip, in order.
pub fn pieces(shot: &Shot<'_>, abilities: Abilities) -> Vec<Piece> {
    let Some((start, head)) = body_start(shot, abilities) else {
        return shot.encode_by_configuration(0, shot.shown.len());
    };
    let (body, covered) = body(shot, start, head);
    let mut pieces = shot.encode_by_configuration(0, head);
    let kind = shot
        .frame(start)
        .map_or(FrameKind::Sync, |frame| frame.kind);
    pieces.push(Piece::Copy {
        frames: body,
        start: start_at(kind),
    });
    pieces.extend(shot.encode_by_configuration(covered, shot.shown.len()));
    pieces
}

/// The first picture wanted at which copying can start, and how many are shown before it.
fn body_start(shot: &Shot<'_>, abilities: Abilities) -> Option<(u32, usize)> {
    let numbered = shot.shown.iter().enumerate();
    let mut starts = numbered.filter(|(_, number)| {
        shot.frame(**number).is_some_and(|frame| match frame.kind {
            FrameKind::Sync | FrameKind::Cra => true,
            FrameKind::OpenGop => abilities.restarts_open_gop,
            FrameKind::Gradual { .. } | FrameKind::Intra | FrameKind::Delta { .. } => false,
        })
    });
    starts.next().map(|(head, number)| (*number, head))
}

/// What is copied from `start` on, and up to which picture in the order of showing that reaches:
/// the longest run in decoding order that is also a run in the order of showing.
fn body(shot: &Shot<'_>, start: u32, head: usize) -> (Vec<u32>, usize) {
    let wanted = shot.shown.get(head..).unwrap_or_default();
    let mut place = vec![usize::MAX; shot.frames.len()];
    for (nth, number) in wanted.iter().enumerate() {
        if let Some(place) = place.get_mut(*number as usize) {
            *place = nth;
        }
    }
    let (mut taken, mut reach, mut whole) = (0, 0, 0);
    let candidates = shot.copied(start, shot.frames.len());
    for number in &candidates {
        let nth = place.get(*number as usize).copied().unwrap_or(usize::MAX);
        if nth == usize::MAX {
            break;
        }
        taken += 1;
        reach = reach.max(nth + 1);
        if reach == taken {
            whole = taken;
        }
    }
    let copied = candidates.into_iter().take(whole).collect();
    (copied, head + whole)
}
