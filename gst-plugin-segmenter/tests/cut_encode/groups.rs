// SPDX-License-Identifier: MPL-2.0
//! Of whatever group of pictures a range is cut, exactly its pictures come out.

use crate::support::{NOISY, Video};

const CLOSED: &str = "keyint=25:min-keyint=25:scenecut=0:open-gop=0";

/// Encodes ranges at the start, in the middle, at the end of and across groups.
#[track_caller]
fn check_ranges(video: &Video) {
    for wanted in [0..3, 10..25, 30..31, 40..60, 70..75] {
        video.check(wanted);
    }
}

#[test]
fn of_groups_without_b_frames() {
    let options = format!("-c:v libx264 -preset veryfast -bf 0 -x264-params {CLOSED}");
    check_ranges(&Video::encoded(NOISY, &options));
}

#[test]
fn of_groups_with_a_pyramid_of_b_frames() {
    let options = format!(
        "-c:v libx264 -preset veryfast -bf 3 -b_strategy 0 -x264-params {CLOSED}:b-pyramid=normal"
    );
    check_ranges(&Video::encoded(NOISY, &options));
}

#[test]
fn of_open_groups() {
    let options = "-c:v libx264 -preset veryfast -bf 3 -b_strategy 0 \
         -x264-params keyint=25:min-keyint=25:scenecut=0:open-gop=1";
    check_ranges(&Video::encoded(NOISY, options));
}

#[test]
fn of_open_groups_of_h265() {
    let options = "-c:v libx265 -preset ultrafast -tag:v hvc1 \
         -x265-params log-level=none:keyint=25:min-keyint=25:scenecut=0:open-gop=1:bframes=3";
    check_ranges(&Video::encoded(NOISY, options));
}
