// SPDX-License-Identifier: MPL-2.0
//! Chromium plays cuts of H.264 from their first to their last picture, and no other: whatever the
//! order of the pictures, the container they come from, and the kind of cut. MP4 it plays itself,
//! MPEG-TS by hls.js.

use std::path::Path;

use gstsegmenter::cut::{self, FrameCache, Type};
use tests::clips::Clip;
use tests::cutting::archived::{Archived, Container};
use tests::cutting::browsed::{Expected, assert_chromium_shows, assert_hls_shows};
use tests::cutting::judge::Output;
use tests::cutting::proof::{request, write};
use tests::cutting::ranges::Wanted;

const SIZE: (u64, u64) = (192, 80);
/// The first picture and the one after the last: within GOPs and over the start of a segment, from
/// one keyframe to another, and within one GOP.
const RANGES: [(usize, usize); 3] = [(58, 112), (75, 125), (103, 109)];

fn shows_the_pictures_of_its_ranges(clip: Clip, container: Container) {
    let kinds = [Type::Smart, Type::Copy, Type::Full];
    each_range(clip, container, Output::Mp4, &kinds, assert_chromium_shows);
}

fn shows_the_pictures_by_hls(clip: Clip, container: Container) {
    let kinds = [Type::Smart, Type::Full];
    each_range(clip, container, Output::Ts, &kinds, assert_hls_shows);
}

fn each_range(
    clip: Clip,
    container: Container,
    output: Output,
    kinds: &[Type],
    assert_shows: fn(&Path, &[Expected]),
) {
    let archived = Archived::new(clip, container);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = FrameCache::default();
    for kind in kinds {
        for (first, end) in RANGES {
            let wanted = Wanted::new("a range", archived.time(first), archived.time(end));
            let cut = cut::compose(
                &archived.archive,
                &cache,
                &request(&wanted, *kind),
                &Default::default(),
            );
            let path = folder.path().join(format!("{kind}-{first}-{end}"));
            write(cut.expect("a cut"), output, &path).expect("a file");
            let expected: Vec<Expected> = (first..end)
                .map(|number| Expected {
                    size: SIZE,
                    number: number as u64,
                })
                .collect();
            assert_shows(&path, &expected);
        }
    }
}

#[test]
fn without_b_frames_out_of_mp4() {
    shows_the_pictures_of_its_ranges(Clip::SmallH264NoB, Container::Mp4);
}

#[test]
fn with_a_pyramid_out_of_mp4() {
    shows_the_pictures_of_its_ranges(Clip::SmallH264B, Container::Mp4);
}

#[test]
fn with_a_pyramid_out_of_mpegts() {
    shows_the_pictures_of_its_ranges(Clip::SmallH264B, Container::Ts);
}

#[test]
fn with_open_gops_out_of_mp4() {
    shows_the_pictures_of_its_ranges(Clip::SmallH264Open, Container::Mp4);
}

#[test]
fn with_open_gops_out_of_mpegts() {
    shows_the_pictures_of_its_ranges(Clip::SmallH264Open, Container::Ts);
}

#[test]
fn without_b_frames_as_mpegts() {
    shows_the_pictures_by_hls(Clip::SmallH264NoB, Container::Mp4);
}

#[test]
fn with_a_pyramid_as_mpegts() {
    shows_the_pictures_by_hls(Clip::SmallH264B, Container::Mp4);
}

#[test]
fn with_open_gops_as_mpegts() {
    shows_the_pictures_by_hls(Clip::SmallH264Open, Container::Ts);
}
