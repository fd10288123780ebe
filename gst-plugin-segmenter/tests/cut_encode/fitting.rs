// SPDX-License-Identifier: MPL-2.0
//! Re-encoded pictures fit beside copied ones: profile, level, looks, form of the samples.

use gstsegmenter::cut::encode::Options;
use gstsegmenter::media::nal::{h264, h265};

use crate::support::{Edge, NOISY, Video, run, silent, text, units};

/// What ffprobe must say of the source and of the re-encoded pictures alike.
const LOOKS: &str = "profile,level,pix_fmt,width,height,sample_aspect_ratio,color_range,\
    color_space,color_transfer,color_primaries,chroma_location,field_order,r_frame_rate";

/// What ffprobe says of a file.
#[track_caller]
fn looks(path: &std::path::Path, format: &str) -> Vec<String> {
    let entries = format!("stream={LOOKS}");
    let input = ["-v", "error", "-f", format, "-select_streams", "v:0"];
    let output = ["-show_entries", &entries, "-of", "default=nw=1", text(path)];
    let answer = silent("ffprobe", &[&input[..], &output[..]].concat());
    let answer = String::from_utf8(answer).expect("text");
    answer.lines().map(str::to_owned).collect()
}

/// Encodes material with the options, some of it anew, and compares what ffprobe says of either
/// as a stream without a container, whose word would count more.
#[track_caller]
fn looks_alike(picture: &str, options: &str) -> (Video, Edge) {
    let video = Video::encoded(picture, options);
    let edge = video.check(10..20);
    let (format, filter) = if video.is_h265() {
        ("hevc", "hevc_mp4toannexb")
    } else {
        ("h264", "h264_mp4toannexb")
    };
    let source = video.folder.path().join("source.annexb");
    let arguments = [
        "-v",
        "error",
        "-i",
        text(&video.path),
        "-c",
        "copy",
        "-bsf:v",
        filter,
    ];
    silent(
        "ffmpeg",
        &[&arguments[..], &["-f", format, text(&source)]].concat(),
    );
    let again = video.folder.path().join("edge");
    assert_eq!(looks(&again, format), looks(&source, format));
    (video, edge)
}

const H265: &str = "libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=none";

/// A second is enough here.
const SHORT: &str = "testsrc2=size=320x176:rate=25:duration=1,noise=alls=12:allf=t";

#[test]
fn baseline_main_and_high_stay_what_they_are() {
    for profile in ["baseline", "main", "high"] {
        let options =
            format!("-c:v libx264 -preset veryfast -pix_fmt yuv420p -profile:v {profile}");
        looks_alike(SHORT, &options);
    }
}

#[test]
fn a_level_above_what_the_pictures_need_stays() {
    looks_alike(
        SHORT,
        "-c:v libx264 -preset veryfast -pix_fmt yuv420p -level 5.1",
    );
    let x265 = "-x265-params log-level=none:level-idc=51";
    looks_alike(
        SHORT,
        &format!("-c:v libx265 -preset ultrafast -tag:v hvc1 {x265}"),
    );
}

#[test]
fn deeper_samples_and_finer_chroma_stay() {
    for format in ["yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le"] {
        eprintln!("{format}");
        looks_alike(
            SHORT,
            &format!("-c:v libx264 -preset veryfast -pix_fmt {format}"),
        );
    }
}

#[test]
fn deeper_samples_and_finer_chroma_of_h265_stay() {
    for format in ["yuv422p", "yuv444p", "yuv420p10le"] {
        let options = "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=none";
        looks_alike(SHORT, &format!("{options} -pix_fmt {format}"));
    }
}

#[test]
fn colours_pixel_aspect_and_frame_rate_stay() {
    let odd = "-vf setsar=12/11,fps=30000/1001 -colorspace bt2020nc -color_trc smpte2084 \
               -color_primaries bt2020 -color_range pc -chroma_sample_location topleft";
    let x265 = "-tag:v hvc1 -x265-params log-level=none";
    looks_alike(
        SHORT,
        &format!("-c:v libx264 -preset veryfast -pix_fmt yuv420p {odd}"),
    );
    looks_alike(
        SHORT,
        &format!("-c:v libx265 -preset ultrafast {x265} {odd}"),
    );
}

#[test]
fn colours_that_the_source_does_not_name_are_not_named() {
    let picture = "testsrc2=size=1280x720:rate=25:duration=1";
    let (_, edge) = looks_alike(picture, "-c:v libx264 -preset veryfast -pix_fmt yuv420p");
    assert!(!edge.frames.is_empty());
}

#[test]
fn interlaced_pictures_stay_interlaced() {
    for order in ["tff=1", "bff=1"] {
        let options =
            format!("-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params {order}");
        looks_alike(SHORT, &format!("{options} -flags +ildct+ilme"));
    }
}

/// What parameter sets of an edge say, read with other code than is tested.
fn numbers_of_sets(video: &Video, edge: &Edge, kind: &str) -> Vec<String> {
    let file = video.folder.path().join("sets");
    std::fs::write(&file, edge.byte_stream()).expect("written");
    let format = if video.is_h265() { "hevc" } else { "h264" };
    numbers_in(&["-f", format, "-i", text(&file)], kind)
}

fn numbers_in(input: &[&str], kind: &str) -> Vec<String> {
    let input = [&["-v", "verbose"], input, &["-c", "copy"]].concat();
    let output = ["-bsf:v", "trace_headers", "-f", "null", "-"];
    let trace = std::process::Command::new("ffmpeg")
        .args([&input[..], &output[..]].concat())
        .output()
        .expect("ffmpeg runs");
    let trace = String::from_utf8_lossy(&trace.stderr).into_owned();
    let lines = trace.lines().filter(|line| line.contains(kind));
    let last = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
    let mut numbers: Vec<String> = lines.map(last).collect();
    numbers.sort();
    numbers.dedup();
    numbers
}

#[test]
fn parameter_sets_have_numbers_that_those_of_the_source_have_not() {
    for (taken, free) in [(0, "31"), (31, "30")] {
        let options = format!("-c:v libx264 -preset veryfast -x264-params sps-id={taken}");
        let video = Video::encoded(SHORT, &options);
        let edge = video.check(10..20);
        for kind in ["seq_parameter_set_id", "pic_parameter_set_id"] {
            assert_eq!(numbers_of_sets(&video, &edge, kind), [free], "{kind}");
        }
    }
}

#[test]
fn decoders_know_from_the_edge_on_how_far_pictures_are_reordered() {
    let x265 = format!("{H265}:bframes=4:b-pyramid=1:rc-lookahead=10:b-adapt=0");
    for options in ["libx264 -preset veryfast -bf 3 -b_strategy 0", &x265] {
        let video = Video::encoded(SHORT, &format!("-c:v {options}"));
        let edge = video.check(10..20);
        let kinds = match video.is_h265() {
            true => ["sps_max_num_reorder_pics[0]", "vps_max_num_reorder_pics[0]"],
            false => ["max_num_reorder_frames", "max_num_reorder_frames"],
        };
        for kind in kinds {
            let source = numbers_in(&["-i", text(&video.path)], kind);
            assert_ne!(source, ["0"], "{options}");
            assert_eq!(numbers_of_sets(&video, &edge, kind), source, "{kind}");
        }
    }
}

#[test]
fn samples_hold_pictures_and_nothing_of_the_encoder() {
    for codec in ["libx264 -preset veryfast", H265] {
        let video = Video::encoded(SHORT, &format!("-c:v {codec}"));
        let edge = video.check(10..20);
        for (at, frame) in edge.frames.iter().enumerate() {
            assert_eq!(frame.is_entry, at == 0, "only the first is a keyframe");
            for unit in units(&frame.sample, 4) {
                let is_picture = if video.is_h265() {
                    h265::kind(unit) < h265::VPS
                } else {
                    (h264::SLICE..=h264::IDR).contains(&h264::kind(unit))
                };
                assert!(is_picture, "{unit:?}");
            }
        }
    }
}

#[test]
fn keyframes_come_as_often_as_asked_for() {
    for codec in ["libx264 -preset veryfast", H265] {
        let video = Video::encoded(NOISY, &format!("-c:v {codec}"));
        let options = Options {
            keyframe_interval: Some(10),
            ..Options::default()
        };
        let (_, frames) = run(video.job(options), video.feed(5..40)).expect("sound");
        let entries = frames
            .iter()
            .enumerate()
            .filter(|(_, frame)| frame.is_entry);
        let entries: Vec<usize> = entries.map(|(at, _)| at).collect();
        assert_eq!(entries, [0, 10, 20, 30]);
    }
}
