// SPDX-License-Identifier: MPL-2.0
//! Which pictures of a clip are copied, which are encoded anew, which are hidden: a pure function.
//!
//! Pictures are stored in decoding order and shown in another. A cut begins and ends in the order
//! of showing, and what it copies has to begin where decoding can. So a `smart` cut is, in the
//! order of showing:
//!
//! - the *head*: what is shown before the first picture that decoding can start at. It is decoded
//!   from the keyframe before, and encoded anew;
//! - the *body*: copied from that picture on. Pictures after it in decoding order but shown before
//!   it (leading pictures of an open GOP) lean on what is not copied, so they belong to the head;
//! - the *tail*: where the end falls between pictures that refer to one another, the body ends at
//!   the last place where what is decoded so far is just what is shown so far, and the rest, a few
//!   pictures, is encoded anew. Without B-frames that place is the end itself.
//!
//! A keyframe that is no IDR can begin the body if it is made to look like one
//! ([`Start::Restart`]); where that cannot be done ([`Abilities`]), the head goes on to one that
//! is.

mod smart;

use crate::cut::Type;
use crate::media::{Frame, FrameKind, beginning, sort_by_showing};
use crate::utc::UtcNs;

/// What can be done to start copying at a keyframe that leans on what was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// H.264 pictures after a recovery point can be rewritten to follow an IDR.
    pub restarts_open_gop: bool,
}

/// What becomes of the pictures of a clip. Frames are named by their number in the clip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of decoding, which between pieces is that of showing.
    pub pieces: Vec<Piece>,
    /// The time of the first picture shown, in ticks.
    pub first_pts: i64,
    /// The end of the last one.
    pub end_pts: i64,
    /// How many are shown.
    pub shown: usize,
}

/// Pictures that are treated alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Taken as they are.
    Copy {
        /// In decoding order.
        frames: Vec<u32>,
        /// How a decoder is brought to start at the first.
        start: Start,
    },
    /// Decoded, and encoded anew.
    Encode {
        /// What the decoder needs, in decoding order.
        feed: Vec<u32>,
        /// Those of them that are encoded, in the order of showing.
        keep: Vec<u32>,
    },
}

impl Piece {
    /// How many pictures it yields.
    pub fn frames(&self) -> usize {
        match self {
            Self::Copy { frames, .. } => frames.len(),
            Self::Encode { keep, .. } => keep.len(),
        }
    }
}

/// How a decoder is brought to start at a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It does so by itself.
    AsIs,
    /// The picture is made to look like one that nothing came before: IDR or BLA.
    Restart,
}

/// Plans the pictures of a clip, given in decoding order, that are shown in `[from, to)`; `None` if
/// there is none. For a [`Rough`](Type::Rough) cut the range is that of whole segments.
pub fn plan(
    frames: &[Frame],
    (from, to): (UtcNs, UtcNs),
    kind: Type,
    abilities: Abilities,
) -> Option<Plan> {
    let shot = Shot::new(frames, from, to)?;
    let pieces = match kind {
        Type::Smart => smart::pieces(&shot, abilities),
        Type::Copy => vec![shot.copy_with_lead_in(abilities)],
        Type::Full => shot.encode_all(),
        Type::Rough => vec![shot.copy_all()],
    };
    Some(Plan {
        pieces,
        first_pts: shot.pts(shot.first()),
        end_pts: shot.end_pts(),
        shown: shot.shown.len(),
    })
}

/// What copying from such a keyframe takes, if what was before it is not there.
fn start_at(kind: FrameKind) -> Start {
    match kind {
        FrameKind::OpenGop | FrameKind::Cra => Start::Restart,
        _ => Start::AsIs,
    }
}

/// The pictures of a clip, and which of them are wanted.
struct Shot<'a> {
    frames: &'a [Frame],
    /// Numbers of those wanted, in the order of showing.
    shown: Vec<u32>,
}

impl<'a> Shot<'a> {
    fn new(frames: &'a [Frame], from: UtcNs, to: UtcNs) -> Option<Self> {
        // What is before the first keyframe, in either order, cannot be decoded.
        let right = beginning::first(frames)?.right;
        let decodable = frames.get(right)?.pts;
        let numbered = frames.iter().zip(0_u32..).skip(right);
        let wanted =
            numbered.filter(|(frame, _)| (from..to).contains(&frame.utc) && frame.pts >= decodable);
        let mut shown: Vec<u32> = wanted.map(|(_, number)| number).collect();
        let pts = |number: &u32| frames.get(*number as usize).map_or(0, |frame| frame.pts);
        sort_by_showing(&mut shown, pts);
        (!shown.is_empty()).then_some(Self { frames, shown })
    }

    fn frame(&self, number: u32) -> Option<&Frame> {
        self.frames.get(number as usize)
    }

    fn pts(&self, number: u32) -> i64 {
        self.frame(number).map_or(0, |frame| frame.pts)
    }

    fn first(&self) -> u32 {
        self.shown.first().copied().unwrap_or(0)
    }

    /// The end of the last picture wanted: where the next one is shown, or what its duration says.
    fn end_pts(&self) -> i64 {
        let Some(last) = self.shown.last().and_then(|last| self.frame(*last)) else {
            return 0;
        };
        let later = self.frames.iter().map(|frame| frame.pts);
        let next = later.filter(|pts| *pts > last.pts).min();
        next.unwrap_or(last.pts.saturating_add(last.duration.into()))
    }

    /// The last keyframe from which these pictures can be decoded, given in the order of showing:
    /// one that is neither decoded nor shown later than any, else that one leans on what was before
    /// the keyframe.
    fn decoding_start(&self, numbers: &[u32]) -> u32 {
        let pts = numbers.first().map_or(0, |first| self.pts(*first));
        let earliest = numbers.iter().min().map_or(0, |number| *number as usize);
        let begin = beginning::last_for(self.frames, earliest, pts);
        begin.map_or(0, |begin| u32::try_from(begin.start).unwrap_or(0))
    }

    /// The pictures from keyframe `start` to before `end`, without those that are shown before it.
    fn copied(&self, start: u32, end: usize) -> Vec<u32> {
        let first = self.pts(start);
        let range = start..u32::try_from(end).unwrap_or(u32::MAX);
        range.filter(|number| self.pts(*number) >= first).collect()
    }

    /// Decodes what the pictures `from` to `to` in the order of showing need, and encodes them.
    fn encode(&self, from: usize, to: usize) -> Piece {
        let keep = self.shown.get(from..to).unwrap_or_default().to_vec();
        let start = self.decoding_start(&keep);
        let end = keep.iter().max().map_or(0, |last| *last as usize + 1);
        let mut wanted = keep.clone();
        wanted.sort_unstable();
        let is_needed = |number: &u32| {
            let is_disposable = self.frame(*number).is_some_and(|frame| {
                frame.kind
                    == FrameKind::Delta {
                        is_disposable: true,
                    }
            });
            !is_disposable || wanted.binary_search(number).is_ok()
        };
        let mut feed = self.copied(start, end);
        feed.retain(is_needed);
        Piece::Encode { feed, keep }
    }

    /// Encodes all, each configuration of the codec by itself.
    fn encode_all(&self) -> Vec<Piece> {
        self.encode_by_configuration(0, self.shown.len())
    }

    /// Encodes the pictures `from` to `to` in the order of showing; where the codec's configuration
    /// changes between them, each part by itself.
    fn encode_by_configuration(&self, from: usize, to: usize) -> Vec<Piece> {
        let description = |nth: usize| {
            let number = self.shown.get(nth)?;
            self.frame(*number).map(|frame| frame.description)
        };
        let mut pieces = Vec::new();
        let mut start = from;
        for nth in from..to {
            if nth + 1 == to || description(nth) != description(nth + 1) {
                pieces.push(self.encode(start, nth + 1));
                start = nth + 1;
            }
        }
        pieces
    }

    /// From the first picture on, which is a keyframe where the range is one of whole segments.
    fn copy_all(&self) -> Piece {
        let start = self.decoding_start(&self.shown);
        let end = self.shown.iter().max().map_or(0, |last| *last as usize + 1);
        let kind = self
            .frame(start)
            .map_or(FrameKind::Sync, |frame| frame.kind);
        Piece::Copy {
            frames: self.copied(start, end),
            start: start_at(kind),
        }
    }

    /// From the keyframe before the first picture to the last that any picture needs.
    fn copy_with_lead_in(&self, abilities: Abilities) -> Piece {
        let mut start = self.decoding_start(&self.shown);
        if !abilities.restarts_open_gop {
            // Where nothing can be made of a recovery point, decoders do best from an IDR on.
            let until = self.frames.get(..=start as usize).unwrap_or_default();
            let shown = self.pts(self.first());
            let idr = until.iter().rposition(|frame| {
                let is_idr = frame.kind.is_entry() && frame.kind != FrameKind::OpenGop;
                is_idr && frame.pts <= shown
            });
            start = idr.and_then(|idr| u32::try_from(idr).ok()).unwrap_or(start);
        }
        let end = self.shown.iter().max().map_or(0, |last| *last as usize + 1);
        let kind = self
            .frame(start)
            .map_or(FrameKind::Sync, |frame| frame.kind);
        Piece::Copy {
            frames: self.copied(start, end),
            start: start_at(kind),
        }
    }
}

#[cfg(test)]
mod tests;
