// SPDX-License-Identifier: MPL-2.0
//! The planner: whatever the order of pictures and wherever the range begins and ends, no picture is
//! lost or there twice, and each can be decoded from what is there.
#![no_main]

use fuzz::cut::Type;
use fuzz::cut::plan::{Abilities, Piece, Plan, Start, plan};
use fuzz::media::{Frame, FrameKind, Place};
use fuzz::utc::UtcNs;
use libfuzzer_sys::fuzz_target;

const TICKS: i64 = 10;
const FRAME_NS: i64 = 10_000_000;

// Type and ability, the range's start and length in pictures, then a byte each picture: its kind in
// the lower half, and in the upper how many places later than its turn it is shown.
fuzz_target!(|input: &[u8]| {
    let Some(([how, from, pictures], structure)) = input.split_first_chunk::<3>() else {
        return;
    };
    let kind = [Type::Smart, Type::Copy, Type::Full, Type::Rough][usize::from(how & 3)];
    let abilities = Abilities {
        restarts_open_gop: how & 4 != 0,
    };
    let frames = frames(structure);
    let start = UtcNs(i64::from(*from) * FRAME_NS - i64::from(how >> 4));
    let range = (start, start + i64::from(*pictures) * FRAME_NS);
    let wanted = wanted(&frames, range);
    let Some(plan) = plan(&frames, range, kind, abilities) else {
        assert!(wanted.is_empty(), "{wanted:?} are wanted");
        return;
    };
    assert!(!wanted.is_empty());
    let of = Of {
        frames: &frames,
        plan: &plan,
        abilities,
    };
    of.check_times(&wanted);
    for piece in &plan.pieces {
        of.check_piece(piece);
    }
    match kind {
        Type::Smart | Type::Full => of.check_each_once(&wanted),
        Type::Copy | Type::Rough => of.check_all_there(&wanted),
    }
    let is_encode = |piece: &Piece| matches!(piece, Piece::Encode { .. });
    assert!(kind != Type::Full || plan.pieces.iter().all(is_encode));
});

/// Pictures that differ in their places, and are shown in the order of those.
fn frames(structure: &[u8]) -> Vec<Frame> {
    let turns = structure.iter().zip(0_i64..);
    let mut places: Vec<(i64, usize)> = turns
        .map(|(byte, turn)| turn + i64::from(byte >> 4))
        .zip(0..)
        .collect();
    places.sort_unstable();
    let mut ranks = vec![0; structure.len()];
    for (rank, (_, number)) in (0_i64..).zip(&places) {
        ranks[*number] = rank;
    }
    let frame = |((byte, rank), turn): ((&u8, i64), i64)| Frame {
        pts: rank * TICKS,
        dts: (turn - 16) * TICKS,
        duration: 10,
        bytes: 1,
        file: 0,
        description: u16::from(byte & 8 != 0),
        kind: match byte & 7 {
            0 => FrameKind::Sync,
            1 => FrameKind::OpenGop,
            2 => FrameKind::Cra,
            3 => FrameKind::Delta {
                is_disposable: true,
            },
            _ => FrameKind::Delta {
                is_disposable: false,
            },
        },
        utc: UtcNs(rank * FRAME_NS),
        place: Place::Plain { offset: 0 },
    };
    let frames = structure.iter().zip(ranks).zip(0_i64..);
    frames.map(frame).collect()
}

/// The pictures of the range that can be decoded: not before the first keyframe, in either order.
fn wanted(frames: &[Frame], (from, to): (UtcNs, UtcNs)) -> Vec<u32> {
    let Some(first) = frames.iter().position(|frame| frame.kind.is_entry()) else {
        return Vec::new();
    };
    let is_wanted = |number: &u32| {
        let frame = &frames[*number as usize];
        let can_be = *number as usize >= first && frame.pts >= frames[first].pts;
        can_be && (from..to).contains(&frame.utc)
    };
    let mut wanted: Vec<u32> = (0..frames.len() as u32).filter(is_wanted).collect();
    wanted.sort_by_key(|number| frames[*number as usize].pts);
    wanted
}

struct Of<'a> {
    frames: &'a [Frame],
    plan: &'a Plan,
    abilities: Abilities,
}

impl Of<'_> {
    fn frame(&self, number: u32) -> &Frame {
        &self.frames[number as usize]
    }

    fn check_times(&self, wanted: &[u32]) {
        let (first, last) = (wanted[0], wanted[wanted.len() - 1]);
        assert_eq!(self.plan.shown, wanted.len());
        assert_eq!(self.plan.first_pts, self.frame(first).pts);
        assert_eq!(self.plan.end_pts, self.frame(last).pts + TICKS);
    }

    /// A piece can be decoded by itself: it begins with a keyframe, and nothing that is shown from
    /// there on is left out but what nothing leans on.
    fn check_piece(&self, piece: &Piece) {
        let (decoded, is_copy) = match piece {
            Piece::Copy { frames, .. } => (frames, true),
            Piece::Encode { feed, keep } => {
                assert!(!keep.is_empty() && keep.iter().all(|number| feed.contains(number)));
                (feed, false)
            }
        };
        assert!(decoded.is_sorted_by(|one, other| one < other));
        let (first, last) = (decoded[0], decoded[decoded.len() - 1]);
        let entry = self.frame(first);
        assert!(entry.kind.is_entry(), "{piece:?}");
        for number in first..=last {
            let frame = self.frame(number);
            let is_disposable = frame.kind
                == FrameKind::Delta {
                    is_disposable: true,
                };
            let may_lack = frame.pts < entry.pts || (is_disposable && !is_copy);
            assert!(decoded.contains(&number) || may_lack, "{number}: {piece:?}");
            assert!(
                !decoded.contains(&number) || frame.pts >= entry.pts,
                "{piece:?}"
            );
        }
        if let Piece::Copy { start, .. } = piece {
            let leans = matches!(entry.kind, FrameKind::OpenGop | FrameKind::Cra);
            assert_eq!(*start == Start::Restart, leans);
        }
    }

    /// The pieces are in the order of showing, and hold each picture once.
    fn check_each_once(&self, wanted: &[u32]) {
        let mut shown = Vec::new();
        for piece in &self.plan.pieces {
            let numbers = match piece {
                Piece::Copy { frames, .. } => {
                    let able = self.abilities.restarts_open_gop;
                    let kind = self.frame(frames[0]).kind;
                    assert!(able || kind != FrameKind::OpenGop, "{:?}", self.plan);
                    frames
                }
                Piece::Encode { keep, .. } => {
                    let description = self.frame(keep[0]).description;
                    let is_same = |number: &u32| self.frame(*number).description == description;
                    assert!(keep.iter().all(is_same), "{:?}", self.plan);
                    keep
                }
            };
            let mut numbers = numbers.clone();
            numbers.sort_by_key(|number| self.frame(*number).pts);
            shown.extend(numbers);
        }
        assert_eq!(shown, wanted, "{:?}", self.plan);
    }

    /// One piece, copied, which holds every picture: what is too much is hidden or wanted.
    fn check_all_there(&self, wanted: &[u32]) {
        let [Piece::Copy { frames, .. }] = &self.plan.pieces[..] else {
            panic!("{:?}", self.plan);
        };
        assert!(
            wanted.iter().all(|number| frames.contains(number)),
            "{:?}",
            self.plan
        );
    }
}
