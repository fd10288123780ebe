// SPDX-License-Identifier: MPL-2.0
//! GOP structures by hand. A structure is written in decoding order, one word per picture: a letter
//! for what it is (`I` IDR, `O` open-GOP keyframe, `C` CRA, `P` and `B` others, `b` disposable) and
//! its place in the order of showing. Pictures are ten ticks and ten milliseconds apart.

use super::*;
use crate::media::Place;

const TICKS: i64 = 10;
const FRAME_NS: i64 = 10_000_000;
const ABLE: Abilities = Abilities {
    restarts_open_gop: true,
};

fn frames(structure: &str) -> Vec<Frame> {
    let words = structure.split_whitespace().enumerate();
    words
        .map(|(number, word)| {
            let (kind, place) = word.split_at(1);
            let place: i64 = place.parse().expect("a number after the letter");
            Frame {
                pts: place * TICKS,
                dts: (number as i64 - 2) * TICKS,
                duration: TICKS as u32,
                bytes: 1,
                file: 0,
                description: 0,
                kind: match kind {
                    "I" => FrameKind::Sync,
                    "O" => FrameKind::OpenGop,
                    "C" => FrameKind::Cra,
                    "b" => FrameKind::Delta {
                        is_disposable: true,
                    },
                    _ => FrameKind::Delta {
                        is_disposable: false,
                    },
                },
                utc: UtcNs(place * FRAME_NS),
                place: Place::Plain { offset: 0 },
            }
        })
        .collect()
}

/// What the plan says, by places in the order of showing.
fn said(structure: &str, from: i64, to: i64, kind: Type, abilities: Abilities) -> String {
    let frames = frames(structure);
    let range = (UtcNs(from * FRAME_NS), UtcNs(to * FRAME_NS));
    let Some(plan) = plan(&frames, range, kind, abilities) else {
        return "nothing".to_owned();
    };
    let places = |numbers: &[u32]| {
        let places = numbers
            .iter()
            .map(|number| (frames[*number as usize].pts / TICKS).to_string());
        places.collect::<Vec<_>>().join(" ")
    };
    let pieces = plan.pieces.iter().map(|piece| match piece {
        Piece::Copy { frames, start } => {
            let restart = if *start == Start::Restart {
                "restart "
            } else {
                ""
            };
            format!("copy {restart}{}", places(frames))
        }
        Piece::Encode { feed, keep } => {
            format!("encode {} of {}", places(keep), places(feed))
        }
    });
    let pieces: Vec<String> = pieces.collect();
    format!(
        "{}; shows {} to {}",
        pieces.join(", "),
        plan.first_pts / TICKS,
        plan.end_pts / TICKS
    )
}

fn smart(structure: &str, from: i64, to: i64) -> String {
    said(structure, from, to, Type::Smart, ABLE)
}

const NO_B: &str = "I0 P1 P2 P3 I4 P5 P6 P7 I8 P9";
const PYRAMID: &str = "I0 P4 B2 b1 b3 I5 P9 B7 b6 b8 I10 P12 b11";
const OPEN: &str = "I0 P3 b1 b2 O6 b4 b5 P9 b7 b8 O12 b10 b11 P13";
const RASL: &str = "I0 P3 b1 b2 C6 b4 b5 P9 b7 b8 C12 b10 b11 P13";

#[test]
fn without_b_frames_only_the_head_is_encoded() {
    assert_eq!(
        smart(NO_B, 2, 7),
        "encode 2 3 of 0 1 2 3, copy 4 5 6; shows 2 to 7"
    );
    assert_eq!(smart(NO_B, 4, 8), "copy 4 5 6 7; shows 4 to 8");
    assert_eq!(
        smart(NO_B, 0, 10),
        "copy 0 1 2 3 4 5 6 7 8 9; shows 0 to 10"
    );
}

#[test]
fn the_tail_of_a_pyramid_is_copied_as_far_as_it_stands_alone() {
    // 9 is needed by 6 to 8 and not wanted: nothing of that GOP but its keyframe stands alone.
    assert_eq!(
        smart(PYRAMID, 0, 8),
        "copy 0 4 2 1 3 5, encode 6 7 of 5 9 7 6; shows 0 to 8"
    );
    assert_eq!(
        smart(PYRAMID, 0, 10),
        "copy 0 4 2 1 3 5 9 7 6 8; shows 0 to 10"
    );
    assert_eq!(
        smart(PYRAMID, 0, 11),
        "copy 0 4 2 1 3 5 9 7 6 8 10; shows 0 to 11"
    );
    assert_eq!(
        smart(PYRAMID, 3, 6),
        "encode 3 4 of 0 4 2 3, copy 5; shows 3 to 6"
    );
}

#[test]
fn a_range_inside_one_gop_is_encoded() {
    assert_eq!(smart(PYRAMID, 1, 3), "encode 1 2 of 0 4 2 1; shows 1 to 3");
    assert_eq!(smart(NO_B, 1, 3), "encode 1 2 of 0 1 2; shows 1 to 3");
    assert_eq!(smart(NO_B, 3, 4), "encode 3 of 0 1 2 3; shows 3 to 4");
}

#[test]
fn one_gop_is_copied_whole() {
    assert_eq!(smart(PYRAMID, 5, 10), "copy 5 9 7 6 8; shows 5 to 10");
    assert_eq!(smart("I0", 0, 1), "copy 0; shows 0 to 1");
}

#[test]
fn both_ends_inside_gops() {
    assert_eq!(
        smart(PYRAMID, 2, 9),
        "encode 2 3 4 of 0 4 2 3, copy 5, encode 6 7 8 of 5 9 7 6 8; shows 2 to 9"
    );
}

#[test]
fn the_start_is_in_the_range_and_the_end_is_not() {
    let frames = frames(NO_B);
    let at = |ns: i64| UtcNs(4 * FRAME_NS + ns);
    let shown = |from, to| plan(&frames, (from, to), Type::Smart, ABLE).map(|plan| plan.shown);
    assert_eq!(shown(at(0), at(1)), Some(1));
    assert_eq!(shown(at(1), at(FRAME_NS)), None);
    assert_eq!(shown(at(1), at(FRAME_NS + 1)), Some(1));
    assert_eq!(shown(at(-1), at(0)), None);
    assert_eq!(shown(UtcNs(i64::MIN), UtcNs(i64::MAX)), Some(10));
}

#[test]
fn leading_pictures_of_an_open_gop_belong_to_the_head() {
    assert_eq!(
        smart(OPEN, 5, 14),
        "encode 5 of 0 3 6 5, copy restart 6 9 7 8 12 10 11 13; shows 5 to 14"
    );
    assert_eq!(
        smart(OPEN, 6, 12),
        "copy restart 6 9 7 8, encode 10 11 of 6 9 12 10 11; shows 6 to 12"
    );
    assert_eq!(smart(OPEN, 6, 10), "copy restart 6 9 7 8; shows 6 to 10");
}

#[test]
fn rasl_pictures_are_encoded_and_their_cra_becomes_a_start() {
    assert_eq!(
        smart(RASL, 4, 14),
        "encode 4 5 of 0 3 6 4 5, copy restart 6 9 7 8 12 10 11 13; shows 4 to 14"
    );
    assert_eq!(
        smart(RASL, 2, 11),
        "encode 2 3 4 5 of 0 3 2 6 4 5, copy restart 6 9 7 8, encode 10 of 6 9 12 10; shows 2 to 11"
    );
}

#[test]
fn where_a_recovery_point_cannot_start_anything_the_head_goes_on_to_an_idr() {
    let unable = Abilities {
        restarts_open_gop: false,
    };
    let then_idr = format!("{OPEN} I14 P15");
    assert_eq!(
        said(&then_idr, 10, 16, Type::Smart, unable),
        "encode 10 11 12 13 of 6 9 12 10 11 13, copy 14 15; shows 10 to 16"
    );
    assert_eq!(
        said(OPEN, 6, 8, Type::Smart, unable),
        "encode 6 7 of 6 9 7; shows 6 to 8"
    );
    // What is decoded from a recovery point may lack nothing; what is copied begins with an IDR.
    assert_eq!(
        said(OPEN, 7, 9, Type::Copy, unable),
        "copy 0 3 1 2 6 4 5 9 7 8; shows 7 to 9"
    );
}

#[test]
fn copying_begins_at_the_keyframe_before_and_ends_with_what_is_needed() {
    let copy = |structure, from, to| said(structure, from, to, Type::Copy, ABLE);
    assert_eq!(copy(NO_B, 6, 7), "copy 4 5 6; shows 6 to 7");
    assert_eq!(copy(PYRAMID, 7, 8), "copy 5 9 7; shows 7 to 8");
    assert_eq!(copy(OPEN, 7, 9), "copy restart 6 9 7 8; shows 7 to 9");
    // Leading pictures need the GOP before.
    assert_eq!(copy(OPEN, 5, 9), "copy 0 3 1 2 6 4 5 9 7 8; shows 5 to 9");
    assert_eq!(
        copy(RASL, 10, 12),
        "copy restart 6 9 7 8 12 10 11; shows 10 to 12"
    );
}

#[test]
fn where_recovery_points_start_nothing_copying_begins_with_what_is_shown_first() {
    let unable = Abilities {
        restarts_open_gop: false,
    };
    let copied = |structure| said(structure, 4, 5, Type::Copy, unable);
    assert_eq!(copied("I0 P1 O3 b2 P4"), "copy 0 1 3 2 4; shows 4 to 5");
    // That IDR is shown last: what is shown from it on is not what is asked for.
    assert_eq!(copied("O2 P3 I6 O4 P5"), "copy restart 4; shows 4 to 5");
}

#[test]
fn a_full_cut_encodes_everything_and_decodes_no_more_than_it_needs() {
    assert_eq!(
        said(PYRAMID, 6, 9, Type::Full, ABLE),
        "encode 6 7 8 of 5 9 7 6 8; shows 6 to 9"
    );
}

#[test]
fn a_rough_cut_is_all_of_its_segments() {
    assert_eq!(
        said(PYRAMID, 5, 10, Type::Rough, ABLE),
        "copy 5 9 7 6 8; shows 5 to 10"
    );
}

#[test]
fn a_change_of_configuration_parts_what_is_encoded() {
    let mut frames = frames("I0 P1 O2 P3 O4 P5");
    for frame in &mut frames[2..] {
        frame.description = 1;
    }
    let unable = Abilities {
        restarts_open_gop: false,
    };
    let range = (UtcNs(FRAME_NS), UtcNs(4 * FRAME_NS));
    let plan = plan(&frames, range, Type::Smart, unable).expect("frames are shown");
    let kept: Vec<_> = plan
        .pieces
        .iter()
        .map(|piece| match piece {
            Piece::Encode { keep, .. } => keep.clone(),
            Piece::Copy { .. } => Vec::new(),
        })
        .collect();
    assert_eq!(kept, [vec![1], vec![2, 3]]);
}

#[test]
fn pictures_before_the_first_keyframe_are_nobodys() {
    assert_eq!(smart("P0 P1 I2 P3", 0, 4), "copy 2 3; shows 2 to 4");
    assert_eq!(smart("P0 P1", 0, 2), "nothing");
    assert_eq!(smart("", 0, 2), "nothing");
}

/// Whatever the structure and the range: each picture wanted is in the plan once, each body is
/// decodable by itself, and what is fed decodes what is kept.
#[test]
fn every_picture_once_and_nothing_leans_on_what_is_not_there() {
    for structure in [NO_B, PYRAMID, OPEN, RASL] {
        for (from, to) in (0..14).flat_map(|from| (from + 1..15).map(move |to| (from, to))) {
            for able in [true, false] {
                let abilities = Abilities {
                    restarts_open_gop: able,
                };
                let frames = frames(structure);
                let range = (UtcNs(from * FRAME_NS), UtcNs(to * FRAME_NS));
                let Some(plan) = plan(&frames, range, Type::Smart, abilities) else {
                    continue;
                };
                let mut shown: Vec<i64> = Vec::new();
                for piece in &plan.pieces {
                    let (numbers, feed) = match piece {
                        Piece::Copy { frames, .. } => (frames, frames),
                        Piece::Encode { feed, keep } => (keep, feed),
                    };
                    let first = &frames[feed[0] as usize];
                    assert!(first.kind.is_entry(), "{structure} {from} {to}");
                    assert!(numbers.iter().all(|number| feed.contains(number)));
                    assert!(
                        feed.iter()
                            .all(|number| frames[*number as usize].pts >= first.pts)
                    );
                    let mut places: Vec<i64> = numbers
                        .iter()
                        .map(|number| frames[*number as usize].pts / TICKS)
                        .collect();
                    places.sort_unstable();
                    shown.extend(places);
                }
                let all = frames.iter().map(|frame| frame.pts / TICKS);
                let mut wanted: Vec<i64> = all.filter(|at| (from..to).contains(at)).collect();
                wanted.sort_unstable();
                assert_eq!(shown, wanted, "{structure} {from} {to}");
            }
        }
    }
}
