// SPDX-License-Identifier: MPL-2.0
//! A cut holds exactly the frames of its range: whatever the codec, the order of its pictures, the
//! container and the kind of cut, at every border and at hundreds of places by chance.

use gstsegmenter::cut::Type;
use tests::clips::Clip;
use tests::cutting::archived::Container;
use tests::cutting::judge::Output;
use tests::cutting::proof::every_cut_is_exact;

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
