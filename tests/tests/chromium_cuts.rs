// SPDX-License-Identifier: MPL-2.0
//! Chromium plays cuts of H.264 from their first to their last picture, and no other: whatever the
//! order of the pictures, the container they come from, and the kind of cut.

use gstsegmenter::cut::{self, FrameCache, Type};
use tests::clips::Clip;
use tests::cutting::archived::{Archived, Container};
use tests::cutting::browsed::{Expected, assert_chromium_shows};
use tests::cutting::judge::Output;
use tests::cutting::proof::{request, write};
use tests::cutting::ranges::Wanted;

const SIZE: (u64, u64) = (192, 80);
/// The first picture and the one after the last: within GOPs and over the start of a segment, from
/// one keyframe to another, and within one GOP.
const RANGES: [(usize, usize); 3] = [(58, 112), (75, 125), (103, 109)];

fn shows_the_pictures_of_its_ranges(clip: Clip, container: Container) {
    let archived = Archived::new(clip, container);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = FrameCache::default();
    for kind in [Type::Smart, Type::Copy, Type::Full] {
        for (first, end) in RANGES {
            let wanted = Wanted::new("a range", archived.time(first), archived.time(end));
            let cut = cut::compose(
                &archived.archive,
                &cache,
                &request(&wanted, kind),
                &Default::default(),
            );
            let path = folder.path().join(format!("{kind}-{first}-{end}.mp4"));
            write(cut.expect("a cut"), Output::Mp4, &path).expect("a file");
            let expected: Vec<Expected> = (first..end)
                .map(|number| Expected {
                    size: SIZE,
                    number: number as u64,
                })
                .collect();
            assert_chromium_shows(&path, &expected);
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
