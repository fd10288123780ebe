// SPDX-License-Identifier: MPL-2.0
//! A cut holds exactly the frames of its range: whatever the codec, the order of its pictures, the
//! container and the kind of cut, at every border and at hundreds of places by chance.

use std::ops::Range;

use gstsegmenter::cut::{self, FrameCache, Gaps, Type};
use tests::clips::Clip;
use tests::cutting::archived::{Archived, Container};
use tests::cutting::judge::Output;
use tests::cutting::played::{by_ffmpeg, by_gstreamer};
use tests::cutting::proof::{every_cut_is_exact, request, write};
use tests::cutting::ranges::Wanted;

macro_rules! exact {
    ($($name:ident: $clip:ident in $container:ident, $kind:ident to $output:ident;)*) => {
        $(
            #[test]
            fn $name() {
                every_cut_is_exact(Clip::$clip, Container::$container, Type::$kind, Output::$output);
            }
        )*
    };
}

exact! {
    h264_without_b_frames_in_mp4_smart_to_mp4: SmallH264NoB in Mp4, Smart to Mp4;
    h264_with_a_pyramid_in_mp4_smart_to_mp4: SmallH264B in Mp4, Smart to Mp4;
    h264_with_open_gops_in_mp4_smart_to_mp4: SmallH264Open in Mp4, Smart to Mp4;
    h265_in_mp4_smart_to_mp4: SmallH265 in Mp4, Smart to Mp4;
    h265_with_open_gops_in_mp4_smart_to_mp4: SmallH265Open in Mp4, Smart to Mp4;
    h264_without_b_frames_in_ts_smart_to_mp4: SmallH264NoB in Ts, Smart to Mp4;
    h264_with_a_pyramid_in_ts_smart_to_mp4: SmallH264B in Ts, Smart to Mp4;
    h264_with_open_gops_in_ts_smart_to_mp4: SmallH264Open in Ts, Smart to Mp4;
    h265_in_ts_smart_to_mp4: SmallH265 in Ts, Smart to Mp4;
    h265_with_open_gops_in_ts_smart_to_mp4: SmallH265Open in Ts, Smart to Mp4;
    h264_without_b_frames_in_mp4_full_to_mp4: SmallH264NoB in Mp4, Full to Mp4;
    h264_with_a_pyramid_in_mp4_full_to_mp4: SmallH264B in Mp4, Full to Mp4;
    h264_with_open_gops_in_mp4_full_to_mp4: SmallH264Open in Mp4, Full to Mp4;
    h265_in_mp4_full_to_mp4: SmallH265 in Mp4, Full to Mp4;
    h265_with_open_gops_in_mp4_full_to_mp4: SmallH265Open in Mp4, Full to Mp4;
    h264_without_b_frames_in_ts_full_to_mp4: SmallH264NoB in Ts, Full to Mp4;
    h264_with_a_pyramid_in_ts_full_to_mp4: SmallH264B in Ts, Full to Mp4;
    h264_with_open_gops_in_ts_full_to_mp4: SmallH264Open in Ts, Full to Mp4;
    h265_in_ts_full_to_mp4: SmallH265 in Ts, Full to Mp4;
    h265_with_open_gops_in_ts_full_to_mp4: SmallH265Open in Ts, Full to Mp4;
    h264_without_b_frames_in_mp4_copy_to_mp4: SmallH264NoB in Mp4, Copy to Mp4;
    h264_with_a_pyramid_in_mp4_copy_to_mp4: SmallH264B in Mp4, Copy to Mp4;
    h264_with_open_gops_in_mp4_copy_to_mp4: SmallH264Open in Mp4, Copy to Mp4;
    h265_in_mp4_copy_to_mp4: SmallH265 in Mp4, Copy to Mp4;
    h265_with_open_gops_in_mp4_copy_to_mp4: SmallH265Open in Mp4, Copy to Mp4;
    h264_without_b_frames_in_ts_copy_to_mp4: SmallH264NoB in Ts, Copy to Mp4;
    h264_with_a_pyramid_in_ts_copy_to_mp4: SmallH264B in Ts, Copy to Mp4;
    h264_with_open_gops_in_ts_copy_to_mp4: SmallH264Open in Ts, Copy to Mp4;
    h265_in_ts_copy_to_mp4: SmallH265 in Ts, Copy to Mp4;
    h265_with_open_gops_in_ts_copy_to_mp4: SmallH265Open in Ts, Copy to Mp4;
    h264_without_b_frames_in_mp4_rough_to_mp4: SmallH264NoB in Mp4, Rough to Mp4;
    h264_with_a_pyramid_in_mp4_rough_to_mp4: SmallH264B in Mp4, Rough to Mp4;
    h264_with_open_gops_in_mp4_rough_to_mp4: SmallH264Open in Mp4, Rough to Mp4;
    h265_in_mp4_rough_to_mp4: SmallH265 in Mp4, Rough to Mp4;
    h265_with_open_gops_in_mp4_rough_to_mp4: SmallH265Open in Mp4, Rough to Mp4;
    h264_without_b_frames_in_ts_rough_to_mp4: SmallH264NoB in Ts, Rough to Mp4;
    h264_with_a_pyramid_in_ts_rough_to_mp4: SmallH264B in Ts, Rough to Mp4;
    h264_with_open_gops_in_ts_rough_to_mp4: SmallH264Open in Ts, Rough to Mp4;
    h265_in_ts_rough_to_mp4: SmallH265 in Ts, Rough to Mp4;
    h265_with_open_gops_in_ts_rough_to_mp4: SmallH265Open in Ts, Rough to Mp4;
    h264_without_b_frames_in_mp4_smart_to_ts: SmallH264NoB in Mp4, Smart to Ts;
    h264_with_a_pyramid_in_mp4_smart_to_ts: SmallH264B in Mp4, Smart to Ts;
    h264_with_open_gops_in_mp4_smart_to_ts: SmallH264Open in Mp4, Smart to Ts;
    h265_in_mp4_smart_to_ts: SmallH265 in Mp4, Smart to Ts;
    h265_with_open_gops_in_mp4_smart_to_ts: SmallH265Open in Mp4, Smart to Ts;
    h264_without_b_frames_in_ts_smart_to_ts: SmallH264NoB in Ts, Smart to Ts;
    h264_with_a_pyramid_in_ts_smart_to_ts: SmallH264B in Ts, Smart to Ts;
    h264_with_open_gops_in_ts_smart_to_ts: SmallH264Open in Ts, Smart to Ts;
    h265_in_ts_smart_to_ts: SmallH265 in Ts, Smart to Ts;
    h265_with_open_gops_in_ts_smart_to_ts: SmallH265Open in Ts, Smart to Ts;
    h264_without_b_frames_in_mp4_full_to_ts: SmallH264NoB in Mp4, Full to Ts;
    h264_with_a_pyramid_in_mp4_full_to_ts: SmallH264B in Mp4, Full to Ts;
    h264_with_open_gops_in_mp4_full_to_ts: SmallH264Open in Mp4, Full to Ts;
    h265_in_mp4_full_to_ts: SmallH265 in Mp4, Full to Ts;
    h265_with_open_gops_in_mp4_full_to_ts: SmallH265Open in Mp4, Full to Ts;
    h264_without_b_frames_in_ts_full_to_ts: SmallH264NoB in Ts, Full to Ts;
    h264_with_a_pyramid_in_ts_full_to_ts: SmallH264B in Ts, Full to Ts;
    h264_with_open_gops_in_ts_full_to_ts: SmallH264Open in Ts, Full to Ts;
    h265_in_ts_full_to_ts: SmallH265 in Ts, Full to Ts;
    h265_with_open_gops_in_ts_full_to_ts: SmallH265Open in Ts, Full to Ts;
    h264_without_b_frames_in_mp4_rough_to_ts: SmallH264NoB in Mp4, Rough to Ts;
    h264_with_a_pyramid_in_mp4_rough_to_ts: SmallH264B in Mp4, Rough to Ts;
    h264_with_open_gops_in_mp4_rough_to_ts: SmallH264Open in Mp4, Rough to Ts;
    h265_in_mp4_rough_to_ts: SmallH265 in Mp4, Rough to Ts;
    h265_with_open_gops_in_mp4_rough_to_ts: SmallH265Open in Mp4, Rough to Ts;
    h264_without_b_frames_in_ts_rough_to_ts: SmallH264NoB in Ts, Rough to Ts;
    h264_with_a_pyramid_in_ts_rough_to_ts: SmallH264B in Ts, Rough to Ts;
    h264_with_open_gops_in_ts_rough_to_ts: SmallH264Open in Ts, Rough to Ts;
    h265_in_ts_rough_to_ts: SmallH265 in Ts, Rough to Ts;
    h265_with_open_gops_in_ts_rough_to_ts: SmallH265Open in Ts, Rough to Ts;
}

const PICTURE_NS: i64 = 40_000_000;

#[test]
fn time_between_ranges_stays_if_it_is_to_be_kept() {
    let archived = Archived::new(Clip::SmallH264B, Container::Mp4);
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The first one ends between pictures that need one that is shown later.
    let (first, second) = (32..90, 110..170);
    let between = |range: &Range<usize>| (archived.time(range.start), archived.time(range.end));
    let cache = FrameCache::default();
    for kind in [Type::Smart, Type::Copy, Type::Full] {
        let wanted = Wanted {
            name: "two ranges".to_owned(),
            ranges: vec![between(&first), between(&second)],
        };
        let mut request = request(&wanted, kind);
        request.gaps = Gaps::Keep;
        let cut = cut::compose(&archived.archive, &cache, &request, &Default::default());
        let path = folder.path().join(format!("{kind}.mp4"));
        write(cut.expect("a cut"), Output::Mp4, &path).expect("a file");
        let in_ffmpeg = by_ffmpeg(std::slice::from_ref(&path), folder.path()).remove(0);
        let numbers = first.clone().chain(second.clone());
        let times = numbers.map(|number| i64::try_from(number - first.start).expect("few"));
        let times: Vec<i64> = times.map(|number| number * PICTURE_NS).collect();
        for played in [in_ffmpeg, by_gstreamer(&path)] {
            assert_eq!(played.said, "", "{kind}");
            assert_eq!(played.picture_times_ns.len(), times.len(), "{kind}");
            let mut shown = played.picture_times_ns.iter().zip(&times);
            assert!(
                shown.all(|(shown, time)| (shown - time).abs() < 20_000),
                "{kind}"
            );
        }
    }
}
