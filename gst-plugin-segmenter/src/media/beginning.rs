// SPDX-License-Identifier: MPL-2.0
//! Where a decoder can begin in a row of frames, and from which frame on what it shows is right.
//!
//! At an entry ([`FrameKind::is_entry`]) both are the same frame. At a recovery point that takes a
//! while ([`FrameKind::Gradual`]) the decoder begins with pictures that are partly wrong; the count
//! that the stream gives is of frames that others refer to, and containers do not always tell which
//! those are. So such a place is only believed once the next one has come as well: encoders begin a
//! new refresh when the last one is through.

use super::frames::{Frame, FrameKind};

/// A place to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The frame that is decoded first, by its number.
    pub start: usize,
    /// The first that is right. So are those decoded after it and not shown before it.
    pub right: usize,
}

/// The first place to begin in frames that stand in decoding order.
pub fn first(frames: &[Frame]) -> Option<Beginning> {
    (0..frames.len()).find_map(|start| at(frames, start))
}

/// The last place to begin from which a frame, and what is decoded after it, comes out right: the
/// frame has number `earliest`, and nothing shown before `pts` is wanted.
pub fn last_for(frames: &[Frame], earliest: usize, pts: i64) -> Option<Beginning> {
    let is_in_time = |begin: &Beginning| {
        let right = frames.get(begin.right);
        begin.right <= earliest && right.is_some_and(|right| right.pts <= pts)
    };
    let starts = (0..=earliest).rev();
    starts
        .filter_map(|start| at(frames, start))
        .find(is_in_time)
}

/// Whether decoding may begin at a frame of this kind, going by nothing else.
pub fn may_be_at(kind: FrameKind) -> bool {
    kind.is_entry() || matches!(kind, FrameKind::Gradual { .. })
}

fn at(frames: &[Frame], start: usize) -> Option<Beginning> {
    match frames.get(start)?.kind {
        kind if kind.is_entry() => Some(Beginning {
            start,
            right: start,
        }),
        FrameKind::Gradual { frames: count } => {
            let right = recovered(frames.get(start + 1..)?, count.into())?;
            Some(Beginning {
                start,
                right: start + 1 + right,
            })
        }
        _ => None,
    }
}

/// The first frame that is right after a recovery point, of those behind it: the next entry, or the
/// first recovery point once `count` frames have passed.
fn recovered(behind: &[Frame], count: usize) -> Option<usize> {
    let mut referred = 0;
    for (number, frame) in behind.iter().enumerate() {
        match frame.kind {
            kind if kind.is_entry() => return Some(number),
            FrameKind::Gradual { .. } if referred >= count => return Some(number),
            FrameKind::Delta {
                is_disposable: true,
            } => {}
            _ => referred += 1,
        }
    }
    None
}

/// Where a stream has no place to begin at all, its I pictures are taken for such: decoders do so,
/// too, and most broadcasts of this kind are right from there on.
pub fn make_do_with_intra(frames: &mut [Frame]) {
    if frames.iter().any(|frame| may_be_at(frame.kind)) {
        return;
    }
    for frame in frames {
        if frame.kind == FrameKind::Intra {
            frame.kind = FrameKind::OpenGop;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::Place;
    use super::*;
    use crate::utc::UtcNs;

    const P: FrameKind = FrameKind::Delta {
        is_disposable: false,
    };
    const B: FrameKind = FrameKind::Delta {
        is_disposable: true,
    };
    const REFRESH: FrameKind = FrameKind::Gradual { frames: 2 };

    fn row(kinds: &[FrameKind]) -> Vec<Frame> {
        let frames = kinds.iter().zip(0..).map(|(kind, number)| Frame {
            pts: number,
            dts: number,
            duration: 1,
            bytes: 1,
            file: 0,
            description: 0,
            kind: *kind,
            utc: UtcNs(number),
            place: Place::Plain { offset: 0 },
        });
        frames.collect()
    }

    #[test]
    fn a_refresh_is_right_from_the_next_one_on_that_comes_after_its_count() {
        let frames = row(&[P, REFRESH, P, B, REFRESH, P, P, REFRESH, P]);
        let begin = |start, right| Some(Beginning { start, right });
        assert_eq!(first(&frames), begin(1, 7), "one P and a B are not two");
        assert_eq!(last_for(&frames, 8, 8), begin(4, 7));
        assert_eq!(last_for(&frames, 6, 6), None);
        assert_eq!(first(&row(&[P, REFRESH, P, P])), None);
    }

    #[test]
    fn an_entry_is_right_at_once_and_beats_what_is_before() {
        let frames = row(&[REFRESH, P, FrameKind::Sync, P, P]);
        let begin = |start, right| Some(Beginning { start, right });
        assert_eq!(first(&frames), begin(0, 2));
        assert_eq!(last_for(&frames, 4, 4), begin(2, 2));
    }

    #[test]
    fn only_a_stream_without_anything_better_begins_at_its_i_pictures() {
        let mut frames = row(&[FrameKind::Intra, P]);
        make_do_with_intra(&mut frames);
        assert_eq!(first(&frames), Some(Beginning { start: 0, right: 0 }));
        let mut frames = row(&[FrameKind::Intra, FrameKind::Sync]);
        make_do_with_intra(&mut frames);
        assert_eq!(first(&frames), Some(Beginning { start: 1, right: 1 }));
    }
}
