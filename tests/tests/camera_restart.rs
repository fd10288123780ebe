// SPDX-License-Identifier: MPL-2.0
//! A camera is started anew within a range, and its pictures have another size from then on: the cut
//! has all of them, each in its own size, in every player. Where the codec is another one, players
//! would fail, and the error says when that is.

use std::path::Path;

use gstsegmenter::archive::Archive;
use gstsegmenter::cut::{self, Cut, CutError, FrameCache, Type};
use gstsegmenter::utc::UtcNs;
use tests::clips::Clip;
use tests::cutting::archived::{Container, record};
use tests::cutting::browsed::{Expected, assert_chromium_shows};
use tests::cutting::judge::{Output, psnr_db};
use tests::cutting::played::{self, Played};
use tests::cutting::proof::{request, write};
use tests::cutting::ranges::Wanted;
use tests::cutting::source::Source;

const START: &str = "2026-11-20T10:59:49.517003Z";
const LEAST_PSNR_DB: f64 = 45.0;
/// A tick of 90 kHz, and a nanosecond.
const ROUNDING_NS: i64 = 11_112;
/// How many pictures before the restart a range begins, and after it ends: within GOPs, at
/// keyframes, and with a few pictures on each side.
const RANGES: [(usize, usize); 3] = [(42, 34), (25, 50), (3, 3)];

/// Two clips, one right after the other.
struct Restarted {
    folder: tempfile::TempDir,
    archive: Archive,
    before: Source,
    after: Source,
    at: UtcNs,
}

impl Restarted {
    fn new(before: Clip, after: Clip, container: Container) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let start = UtcNs::parse(START).expect("a time");
        let (before_source, after_source) = (Source::of(before), Source::of(after));
        let at = start + before_source.time_ns(before_source.pictures());
        record(before, container, folder.path(), start);
        record(after, container, folder.path(), at);
        Self {
            archive: Archive::open(folder.path()).expect("an archive"),
            folder,
            before: before_source,
            after: after_source,
            at,
        }
    }

    fn wanted(&self, before: usize, after: usize) -> Wanted {
        let start = self.at - self.before.time_ns(before);
        Wanted::new("a restart", start, self.at + self.after.time_ns(after))
    }

    fn cut(&self, (before, after): (usize, usize), kind: Type) -> Result<Cut, CutError> {
        let request = request(&self.wanted(before, after), kind);
        let cache = FrameCache::default();
        cut::compose(&self.archive, &cache, &request, &Default::default())
    }

    /// The clip and number of each picture of a range.
    fn expected(&self, (before, after): (usize, usize)) -> Vec<(&Source, usize)> {
        let all = self.before.pictures();
        let first = (all - before..all).map(|number| (&self.before, number));
        first
            .chain((0..after).map(|number| (&self.after, number)))
            .collect()
    }
}

/// Asserts that these pictures were shown, each 40 ms after the one before; of those at the edges
/// what encoding leaves.
#[track_caller]
fn assert_shown(played: &Played, expected: &[(&Source, usize)], encoded: usize, what: &str) {
    assert_eq!(played.said, "", "{what}");
    let times = &played.picture_times_ns;
    assert_eq!(times.len(), expected.len(), "{what}");
    let (mut at, mut equal) = (0, 0);
    for (number, (source, picture)) in expected.iter().enumerate() {
        let right_ns = times[0] + source.time_ns(number);
        assert!(
            (times[number] - right_ns).abs() <= ROUNDING_NS,
            "{what}: picture {number} at {} ns, not {right_ns}",
            times[number]
        );
        let right = source.picture(*picture);
        let shown = played.pictures.get(at..at + right.len());
        let shown = shown.unwrap_or_default();
        at += right.len();
        if shown == right {
            equal += 1;
        } else {
            let like_db = psnr_db(shown, right);
            assert!(like_db >= LEAST_PSNR_DB, "{what}: {number}: {like_db} dB");
        }
    }
    assert_eq!(at, played.pictures.len(), "{what}: each in its own size");
    assert!(
        equal + encoded >= expected.len(),
        "{what}: {equal} are equal, {encoded} were encoded"
    );
}

fn is_cut_as_one(before: Clip, after: Clip, container: Container) {
    let restarted = Restarted::new(before, after, container);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for kind in [Type::Smart, Type::Copy, Type::Full] {
        for range in RANGES {
            let expected = restarted.expected(range);
            let what = format!("{kind} {range:?}");
            let cut = restarted.cut(range, kind).expect("a cut");
            let encoded = cut.summary.encoded;
            let path = folder.path().join("a.mp4");
            write(cut, Output::Mp4, &path).expect("a file");
            let by_ffmpeg = played::by_ffmpeg(std::slice::from_ref(&path), folder.path());
            assert_eq!(by_ffmpeg[0].picture_times_ns.first(), Some(&0), "{what}");
            assert_shown(&by_ffmpeg[0], &expected, encoded, &what);
            let by_gstreamer = played::by_gstreamer(&path);
            assert_shown(&by_gstreamer, &expected, encoded, &what);
            if kind != Type::Copy {
                ts_is_right(&restarted, range, kind, folder.path());
            }
        }
    }
}

/// A transport stream has its parameter sets before every keyframe anyway.
fn ts_is_right(restarted: &Restarted, range: (usize, usize), kind: Type, folder: &Path) {
    let cut = restarted.cut(range, kind).expect("a cut");
    let path = folder.join("a.ts");
    let mut file = std::fs::File::create(&path).expect("a file");
    cut::write_ts(&cut, &mut file, |_| ()).expect("a file");
    let by_ffmpeg = played::by_ffmpeg(&[path], folder);
    let (expected, encoded) = (restarted.expected(range), cut.summary.encoded);
    assert_shown(&by_ffmpeg[0], &expected, encoded, &format!("{kind}.ts"));
}

#[test]
fn another_size_within_a_range_is_cut_as_one_out_of_mp4() {
    is_cut_as_one(Clip::SmallH264B, Clip::SmallH264Other, Container::Mp4);
}

#[test]
fn another_size_within_a_range_is_cut_as_one_out_of_mpegts() {
    is_cut_as_one(Clip::SmallH264B, Clip::SmallH264Other, Container::Ts);
}

#[test]
fn another_size_after_open_gops_is_cut_as_one() {
    is_cut_as_one(Clip::SmallH264Open, Clip::SmallH264Other, Container::Mp4);
}

/// Chromium takes parameter sets from the first description and from the pictures alone.
#[test]
fn chromium_shows_the_pictures_of_both_sizes() {
    for container in [Container::Mp4, Container::Ts] {
        let restarted = Restarted::new(Clip::SmallH264B, Clip::SmallH264Other, container);
        let range @ (before, after) = RANGES[0];
        let last = restarted.before.pictures();
        let sized = |size| {
            move |number: usize| Expected {
                size,
                number: number as u64,
            }
        };
        let first = (last - before..last).map(sized((192, 80)));
        let expected: Vec<_> = first.chain((0..after).map(sized((256, 112)))).collect();
        let path = restarted.folder.path().join("a.mp4");
        for kind in [Type::Smart, Type::Copy, Type::Full] {
            let cut = restarted.cut(range, kind).expect("a cut");
            write(cut, Output::Mp4, &path).expect("a file");
            assert_chromium_shows(&path, &expected);
        }
    }
}

#[test]
fn another_codec_within_a_range_is_an_error_that_says_when() {
    for (before, after) in [
        (Clip::SmallH264B, Clip::SmallH265),
        (Clip::SmallH265, Clip::SmallH264B),
    ] {
        for container in [Container::Mp4, Container::Ts] {
            let restarted = Restarted::new(before, after, container);
            for kind in [Type::Smart, Type::Copy, Type::Full, Type::Rough] {
                let error = restarted.cut(RANGES[0], kind).expect_err("no player");
                let said = error.to_string();
                let at = format!("changes at {}", restarted.at);
                for word in [&at, "H.264 192x80", "H.265 192x80", "cut the parts"] {
                    assert!(said.contains(word), "{kind}: {said}");
                }
            }
            // What is on one side of it only is no matter.
            for range in [(40, 0), (0, 40)] {
                let cut = restarted.cut(range, Type::Smart).expect("a cut");
                assert_eq!(cut.summary.copied + cut.summary.encoded, 40);
            }
        }
    }
}
