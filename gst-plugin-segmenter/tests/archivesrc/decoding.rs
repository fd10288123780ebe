// SPDX-License-Identifier: MPL-2.0
//! What is decoded is what was recorded in the range, picture by picture.

use crate::support::archive::{Archive, FRAME_NS, SECOND_NS};
use crate::support::player::{DECODED, Player, Seen, digests};

/// Plays a range and expects its pictures, each at its time.
#[track_caller]
fn assert_exact(archive: &Archive, from_ns: i64, to_ns: i64, kind: &str) -> Player {
    let player = archive.player(from_ns, to_ns, kind, DECODED);
    player.play();
    let pictures = player.pictures();
    let expected = archive.shown(from_ns, to_ns);
    let found = digests(&pictures);
    assert!(
        found == expected,
        "{from_ns} to {to_ns}: {} of {}",
        found.len(),
        expected.len()
    );
    for (number, seen) in (0_i64..).zip(&pictures) {
        // The ticks of 90 kHz are 11 µs.
        let off = |time: Option<i64>| (time.expect("within") - number * FRAME_NS).abs();
        assert!(
            off(seen.running_ns) < 20_000 && off(seen.stream_ns) < 20_000,
            "{number}: {seen:?}"
        );
    }
    assert_sound_covers(&player.sounds(), pictures.len() as i64 * FRAME_NS);
    player
}

/// Sound from the first picture on to the end of the last, without a break.
#[track_caller]
fn assert_sound_covers(sounds: &[Seen], duration_ns: i64) {
    let mut at_ns = 0;
    for seen in sounds {
        let running_ns = seen.running_ns.expect("within the segment");
        assert!((running_ns - at_ns).abs() < 100_000, "{at_ns}: {seen:?}");
        at_ns = running_ns + seen.duration_ns;
    }
    assert!(
        (at_ns - duration_ns).abs() < 25_000_000,
        "{at_ns} of {duration_ns}"
    );
}

#[test]
fn a_copy_shows_exactly_the_pictures_of_the_range() {
    let archive = Archive::pyramid(6);
    let mut random = fastrand::Rng::with_seed(3);
    let mut ranges = vec![
        (0, 6 * SECOND_NS),
        (SECOND_NS, 2 * SECOND_NS),
        (SECOND_NS, SECOND_NS + 1),
        (SECOND_NS + 1, SECOND_NS + FRAME_NS + 1),
        (2 * SECOND_NS - 3 * FRAME_NS, 4 * SECOND_NS + 2 * FRAME_NS),
    ];
    ranges.extend((0..20).map(|_| {
        let from = random.i64(0..5 * SECOND_NS);
        (from, from + random.i64(2 * FRAME_NS..6 * SECOND_NS - from))
    }));
    for (from_ns, to_ns) in ranges {
        assert_exact(&archive, from_ns, to_ns, "copy");
    }
}

#[test]
fn a_smart_cut_at_keyframes_shows_exactly_the_pictures_of_the_range() {
    let archive = Archive::pyramid(5);
    assert_exact(&archive, SECOND_NS, 4 * SECOND_NS, "smart");
}

/// The pictures of whole GOPs are the source's own; those at the edges, each in its place.
#[test]
fn smart_and_full_cuts_show_exactly_the_pictures_of_the_range() {
    let archive = Archive::pyramid(6);
    let mut random = fastrand::Rng::with_seed(7);
    for kind in ["smart", "full"] {
        for _ in 0..4 {
            let from_ns = random.i64(0..2 * SECOND_NS);
            let to_ns = random.i64(4 * SECOND_NS..6 * SECOND_NS);
            let player = archive.player(from_ns, to_ns, kind, DECODED);
            player.play();
            let found = player.pictures();
            let expected = archive.shown(from_ns, to_ns);
            assert_eq!(
                found.len(),
                expected.len(),
                "{kind} from {from_ns} to {to_ns}"
            );
            for (number, seen) in (0_i64..).zip(&found) {
                let running_ns = seen.running_ns.expect("within");
                assert!(
                    (running_ns - number * FRAME_NS).abs() < 20_000,
                    "{number}: {seen:?}"
                );
            }
            if kind == "smart" {
                let whole = archive.shown(2 * SECOND_NS, 4 * SECOND_NS);
                let first = archive.shown(from_ns, 2 * SECOND_NS).len();
                assert!(
                    digests(&found)[first..].starts_with(whole),
                    "{from_ns} to {to_ns}"
                );
            }
        }
    }
}

#[test]
fn rough_shows_the_whole_segments() {
    let archive = Archive::plain(5);
    let player = archive.player(1_500_000_000, 3_200_000_000, "rough", DECODED);
    player.play();
    assert_eq!(
        digests(&player.pictures()),
        archive.shown(SECOND_NS, 4 * SECOND_NS)
    );
}
