// SPDX-License-Identifier: MPL-2.0
use proptest::prelude::*;

use super::super::test_archive::{MS, TEN, TestArchive};
use super::*;
use Kind::{Full, Partial, Suspect, Temp};

/// What a test adds and expects: kind, from and to in milliseconds.
type Given = (Kind, i64, i64);

/// Pieces as text: `0+2000 full(0)` is the segment that starts at 0, `|` joins, `/` does not.
fn best_of(archive: &TestArchive, from_ms: i64, to_ms: i64) -> String {
    let at_ms = |moment: UtcNs| (moment - TEN) / MS;
    let best = archive
        .open()
        .best("s", "v", TEN + from_ms * MS, TEN + to_ms * MS)
        .unwrap();
    let pieces = best.pieces.iter().map(|piece| match piece {
        Piece::Hole { from, to } => format!("hole {}-{}", at_ms(*from), at_ms(*to)),
        Piece::Segment {
            segment,
            from,
            to,
            joins,
        } => format!(
            "{}{}@{} {}-{}",
            if *joins { "+" } else { "" },
            segment.name.kind,
            at_ms(segment.name.start),
            at_ms(*from),
            at_ms(*to)
        ),
    });
    pieces.collect::<Vec<_>>().join(", ")
}

fn given(segments: &[Given]) -> TestArchive {
    let archive = TestArchive::new();
    for (salt, (kind, from_ms, to_ms)) in segments.iter().enumerate() {
        archive.add(*kind, *from_ms, *to_ms, salt as u8);
    }
    archive
}

#[track_caller]
fn check(segments: &[Given], range: (i64, i64), expected: &str) {
    assert_eq!(best_of(&given(segments), range.0, range.1), expected);
}

#[test]
fn neighbours_join_and_the_range_cuts_the_first_and_the_last() {
    check(
        &[(Full, 0, 2000), (Full, 2000, 4000), (Full, 4000, 6000)],
        (500, 4500),
        "full@0 500-2000, +full@2000 2000-4000, +full@4000 4000-4500",
    );
}

#[test]
fn ten_milliseconds_either_way_join_and_eleven_do_not() {
    check(
        &[(Full, 0, 2000), (Full, 2010, 4000), (Full, 3990, 6000)],
        (0, 6000),
        "full@0 0-2010, +full@2010 2010-3990, +full@3990 3990-6000",
    );
    check(
        &[(Full, 0, 2000), (Full, 2011, 4000), (Full, 3989, 6000)],
        (0, 6000),
        "full@0 0-2000, hole 2000-2011, full@2011 2011-4000, full@3989 4000-6000",
    );
}

#[test]
fn nothing_at_all_is_one_hole() {
    check(&[], (0, 5000), "hole 0-5000");
    check(
        &[(Full, 5000, 6000), (Full, -3000, -1000)],
        (0, 5000),
        "hole 0-5000",
    );
}

#[test]
fn the_edges_of_a_recording_are_exact() {
    check(
        &[(Full, 5, 2000)],
        (0, 2005),
        "hole 0-5, full@5 5-2000, hole 2000-2005",
    );
}

#[test]
fn an_edge_between_two_that_join_is_no_hole() {
    let segments = [(Full, 0, 2000), (Full, 2006, 4000), (Full, 4005, 6000)];
    check(&segments, (2003, 4002), "full@2006 2003-4002");
    check(&segments, (2000, 2006), "full@2006 2000-2006");
}

#[test]
fn an_overlap_does_not_hide_what_reaches_further() {
    check(
        &[(Full, 0, 2000), (Full, 1000, 3000), (Full, 3000, 5000)],
        (0, 5000),
        "full@0 0-2000, full@1000 2000-3000, +full@3000 3000-5000",
    );
}

#[test]
fn the_better_kind_wins_and_the_longer_of_one_kind() {
    check(
        &[
            (Partial, 0, 2000),
            (Suspect, 0, 2000),
            (Full, 0, 1900),
            (Full, 0, 2000),
        ],
        (0, 2000),
        "full@0 0-2000",
    );
    check(
        &[(Partial, 0, 9000), (Suspect, 0, 2000), (Suspect, 0, 1900)],
        (0, 2000),
        "suspect@0 0-2000",
    );
}

#[test]
fn a_partial_hides_no_full_one_that_starts_within_what_its_name_promises() {
    check(
        &[(Partial, 0, 2000), (Full, 1000, 3000)],
        (0, 3000),
        "partial@0 0-1000, full@1000 1000-3000",
    );
    check(
        &[(Suspect, 0, 9000), (Full, 1000, 3000), (Full, 3000, 5000)],
        (0, 9000),
        "suspect@0 0-1000, full@1000 1000-3000, +full@3000 3000-5000, suspect@0 5000-9000",
    );
}

#[test]
fn two_writers_segments_are_not_mixed_without_need() {
    let mut segments = Vec::new();
    for number in 0..4 {
        segments.push((Full, number * 2000, number * 2000 + 2000));
        segments.push((Full, number * 2000 + 1000, number * 2000 + 3000));
    }
    check(
        &segments,
        (0, 8000),
        "full@0 0-2000, +full@2000 2000-4000, +full@4000 4000-6000, +full@6000 6000-8000",
    );
    // One of them dies at 4 s: the other takes over in the midst of its segment.
    segments.retain(|(_, from_ms, _)| from_ms % 2000 != 0 || *from_ms < 4000);
    check(
        &segments,
        (0, 9000),
        "full@0 0-2000, +full@2000 2000-4000, full@3000 4000-5000, +full@5000 5000-7000, \
         +full@7000 7000-9000",
    );
}

#[test]
fn a_sliver_of_a_lesser_kind_does_not_part_two_that_join() {
    check(
        &[(Full, 0, 2000), (Full, 2005, 4000), (Partial, 0, 4000)],
        (0, 4000),
        "full@0 0-2005, +full@2005 2005-4000",
    );
}

#[test]
fn a_segment_that_began_hours_ago_is_found() {
    check(
        &[(Full, -5 * 3_600_000, 1000), (Full, 1000, 2000)],
        (0, 2000),
        "full@-18000000 0-1000, +full@1000 1000-2000",
    );
}

#[test]
fn a_name_that_claims_days_counts_for_its_first_day() {
    let day = 24 * 3_600_000;
    check(
        &[(Full, 0, 30 * day)],
        (day - 1000, day + 1000),
        &format!("full@0 {}-{day}, hole {day}-{}", day - 1000, day + 1000),
    );
}

#[test]
fn growing_files_are_not_chosen() {
    check(
        &[(Temp, 0, 2000), (Full, 2000, 3000)],
        (0, 3000),
        "hole 0-2000, full@2000 2000-3000",
    );
}

#[test]
fn small_gaps_do_not_follow_one_another_for_ever() {
    let each_8_ms: Vec<Given> = (0..10)
        .map(|number| (Full, number * 2000, number * 2000 + 1992))
        .collect();
    let best = given(&each_8_ms)
        .open()
        .best("s", "v", TEN, TEN + 19_992 * MS)
        .unwrap();
    assert!(best.holes().count() >= 3, "{best:?}");

    let rounded: Vec<Given> = (0..200)
        .map(|number| (Full, number * 2000 + number % 2, number * 2000 + 1999))
        .collect();
    let best = given(&rounded)
        .open()
        .best("s", "v", TEN, TEN + 399_999 * MS)
        .unwrap();
    assert!(
        !best.has_holes() && best.is_complete(),
        "rounding is no loss"
    );
}

#[test]
fn of_broken_downloads_that_promise_the_same_the_bigger_is_chosen() {
    let archive = TestArchive::new();
    archive.add_bytes(Partial, 0, 2000, 9, b"little");
    let bigger = archive.add_bytes(Partial, 0, 2000, 1, b"a little more").0;
    let best = archive.open().best("s", "v", TEN, TEN + 2000 * MS).unwrap();
    assert_eq!(
        best.segments()
            .map(|segment| segment.name)
            .collect::<Vec<_>>(),
        [bigger]
    );
    assert!(!best.has_holes() && !best.is_complete());
}

#[test]
fn equal_segments_are_chosen_alike_whatever_the_order_of_the_folder() {
    for salts in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        let archive = TestArchive::new();
        for salt in salts {
            archive.add(Full, 0, 2000, salt);
        }
        let best = archive.open().best("s", "v", TEN, TEN + 2000 * MS).unwrap();
        let ids: Vec<_> = best.segments().map(|segment| segment.name.id).collect();
        assert_eq!(ids, [super::super::Id::Hash([3; 32])]);
    }
}

#[test]
fn an_empty_or_turned_range_has_no_pieces() {
    check(&[(Full, 0, 2000)], (1000, 1000), "");
    check(&[(Full, 0, 2000)], (1500, 1000), "");
}

#[test]
fn a_stream_that_is_not_there_is_not_found() {
    let archive = TestArchive::new().open();
    let kind = |stream, variant| {
        archive
            .best(stream, variant, TEN, TEN + 1)
            .unwrap_err()
            .kind()
    };
    assert_eq!(kind("s", "other"), io::ErrorKind::NotFound);
    assert_eq!(kind("..", "v"), io::ErrorKind::InvalidInput);
}

/// Segments on a grid of `unit_ms`, so that tolerances matter or do not.
fn segments(unit_ms: i64) -> impl Strategy<Value = Vec<Given>> {
    let kind = prop::sample::select(vec![Full, Full, Suspect, Partial, Temp]);
    let one = (kind, 0..60_i64, 1..12_i64)
        .prop_map(move |(kind, from, length)| (kind, from * unit_ms, (from + length) * unit_ms));
    prop::collection::vec(one, 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_moment_gets_the_best_kind_there_is(segments in segments(100)) {
        let archive = given(&segments);
        let best = archive.open().best("s", "v", TEN, TEN + 7000 * MS).unwrap();
        let mut chosen = Vec::new();
        for piece in &best.pieces {
            let (from, to, kind) = match piece {
                Piece::Hole { from, to } => (from, to, None),
                Piece::Segment { segment, from, to, .. } => {
                    prop_assert!(segment.name.start <= *from && *to <= segment.end());
                    (from, to, Some(segment.name.kind))
                }
            };
            prop_assert_eq!((*to - *from) % (100 * MS), 0);
            chosen.extend((0..(*to - *from) / (100 * MS)).map(|_| kind));
        }
        let oracle: Vec<Option<Kind>> = (0..70)
            .map(|moment| {
                let holds = |(_, from_ms, to_ms): &&Given| {
                    *from_ms <= moment * 100 && moment * 100 < *to_ms
                };
                let kinds = segments.iter().filter(holds).map(|(kind, ..)| *kind);
                kinds.filter(|kind| *kind != Temp).max()
            })
            .collect();
        prop_assert_eq!(chosen, oracle);
    }

    #[test]
    fn the_pieces_are_the_range_and_holes_hold_nothing(
        segments in segments(3), from_ms in -5..100_i64, length_ms in 1..100_i64,
    ) {
        let archive = given(&segments);
        let (from, to) = (TEN + from_ms * MS, TEN + (from_ms + length_ms) * MS);
        let best = archive.open().best("s", "v", from, to).unwrap();
        let mut at = from;
        for piece in &best.pieces {
            let (piece_from, piece_to) = match piece {
                Piece::Hole { from, to } => {
                    for (kind, start_ms, end_ms) in &segments {
                        let (start, end) = (TEN + start_ms * MS, TEN + end_ms * MS);
                        prop_assert!(*kind == Temp || end <= *from || start >= *to);
                    }
                    (*from, *to)
                }
                Piece::Segment { segment, from, to, .. } => {
                    prop_assert!(segment.name.start - TOLERANCE_NS <= *from);
                    prop_assert!(*to <= segment.end() + TOLERANCE_NS);
                    (*from, *to)
                }
            };
            prop_assert_eq!(piece_from, at);
            prop_assert!(piece_to > piece_from);
            at = piece_to;
        }
        prop_assert_eq!(at, to);
    }
}
