// SPDX-License-Identifier: MPL-2.0
//! `archive verify` on segments with which nothing is wrong, and on what is no segment.

use std::fs;
use std::io::IoSlice;
use std::process::Command;

use gstsegmenter::archive::{Container, Kind, SegmentFile};
use gstsegmenter::utc::SECOND_NS;
use serde_json::json;

use crate::material::{
    Answer, START, TestArchive, add_from_ffmpeg, alter, base64_hash, parse, rename,
};

#[test]
fn recorded_segments_of_both_containers_are_good() {
    let archive = TestArchive::recorded(Container::Mp4);
    archive.add_recording("cam", "copy", Container::Ts);
    for segment in archive.segments() {
        let hash = base64_hash(&segment);
        assert!(segment.to_str().is_some_and(|path| path.contains(&hash)));
    }
    for options in [
        &[][..],
        &["--no-decode"],
        &["--jobs", "1"],
        &["--jobs", "3"],
    ] {
        let answer = archive.run("verify", options);
        let summary = answer.with_code(0);
        assert!(summary.starts_with("6 segments (12s, "), "{summary}");
        assert!(summary.ends_with("), 6 good, 0 bad\n"), "{summary}");
        assert_eq!(answer.err, "");
    }
}

#[test]
fn segments_of_a_camera_that_is_slower_than_it_says_are_good() {
    let archive = TestArchive::new();
    for (stream, container) in [("mp4", "mp4"), ("ts", "mpegts")] {
        archive.add_launch(&format!(
            "videotestsrc num-buffers=150 ! video/x-raw,width=160,height=96,framerate=25/1 \
             ! identity drop-probability=0.7 ! x264enc tune=zerolatency key-int-max=5 ! h264parse \
             ! archivesink stream={stream} container={container}"
        ));
    }
    let json = archive.run("verify", &["--json"]).json_with_code(0);
    assert_eq!(json["bad"], json!([]));
    assert!(
        json["good"].as_u64().is_some_and(|good| good >= 4),
        "{json}"
    );
}

#[test]
fn segments_with_b_frames_and_sound_from_another_muxer_are_good() {
    let archive = TestArchive::new();
    let fragmented = "+frag_keyframe+empty_moov+default_base_moof";
    let h264 = ["-c:v", "libx264", "-bf", "2"];
    let h265 = [
        "-c:v",
        "libx265",
        "-tag:v",
        "hvc1",
        "-x265-params",
        "log-level=none",
    ];
    for (stream, codec) in [("h264", &h264[..]), ("h265", &h265)] {
        let mp4 = [codec, &["-movflags", fragmented, "-f", "mp4"]].concat();
        add_from_ffmpeg(&archive, stream, Container::Mp4, &mp4);
        let ts = [codec, &["-f", "mpegts"]].concat();
        add_from_ffmpeg(&archive, stream, Container::Ts, &ts);
    }
    for options in [&["--json"][..], &["--json", "--no-decode"]] {
        let json = archive.run("verify", options).json_with_code(0);
        assert_eq!(json["good"], 4, "{json}");
        assert_eq!(json["bad"], json!([]));
    }
}

#[test]
fn only_what_is_selected_is_checked() {
    let archive = TestArchive::recorded(Container::Mp4);
    archive.add_recording("yard", "source", Container::Ts);
    alter(&archive.segments()[0], |bytes| bytes.clear());
    let start = ["--start", "2026-11-20T10:31:08.25"];
    for (arguments, code, checked) in [
        (&[][..], 1, 6),
        (&["yard"], 0, 3),
        (&["cam"], 1, 3),
        (&["cam", "source", start[0], start[1]], 0, 2),
        (&["cam", "--end", "2026-11-20T10:31:08.25"], 1, 1),
        (&["cam", "--end", "2026-11-20T10:00:00"], 0, 0),
    ] {
        let arguments = [arguments, &["--no-decode", "--json"]].concat();
        let json = archive.run("verify", &arguments).json_with_code(code);
        assert_eq!(json["segments"], checked, "{arguments:?}");
    }
}

#[test]
fn what_has_a_tombstone_is_not_checked() {
    let archive = TestArchive::recorded(Container::Mp4);
    let buried = &archive.segments()[1];
    alter(buried, |bytes| bytes.truncate(1000));
    fs::write(buried.with_extension("tombstone"), "").expect("a tombstone");
    let json = archive.run("verify", &["--json"]).json_with_code(0);
    assert_eq!(json["segments"], 2);
    assert_eq!(json["strays"], json!([]));
}

#[test]
fn strays_are_listed_and_are_no_failure() {
    let archive = TestArchive::recorded(Container::Ts);
    let stray = archive.hour_folder("cam", "source").join("notes\n.txt");
    fs::write(&stray, "hello").expect("a file");
    let answer = archive.run("verify", &[]);
    let text = answer.with_code(0);
    assert!(text.contains("notes\\n.txt: stray, "), "{text}");
    assert!(text.contains("3 good, 0 bad, 1 stray"), "{text}");
    let json = archive.run("verify", &["--json"]).json_with_code(0);
    assert_eq!(json["strays"][0]["path"], stray.to_str().expect("UTF-8"));
}

#[test]
fn a_growing_segment_is_passed_over_and_one_that_a_crash_left_is_listed() {
    let archive = TestArchive::recorded(Container::Mp4);
    let root = archive.root();
    let create = || {
        let start = START + 60 * SECOND_NS;
        let file =
            SegmentFile::create(&root, "cam", "source", start, 2 * SECOND_NS, Container::Mp4);
        let mut file = file.expect("it grows");
        file.append(&mut [IoSlice::new(b"a beginning")])
            .expect("it is written");
        file
    };
    let left = create();
    let path = left.path().to_owned();
    drop(left);
    let growing = create();
    let json = archive.run("verify", &["--json"]).json_with_code(0);
    assert_eq!(json["growing"], 1);
    assert_eq!(json["abandoned"], json!([path]));
    assert_eq!(json["good"], 3);
    drop(growing);
}

#[test]
fn the_kind_of_a_segment_does_not_excuse_it() {
    let archive = TestArchive::recorded(Container::Mp4);
    let path = rename(&archive.segments()[1], |name| name.kind = Kind::Partial);
    assert_eq!(archive.run("verify", &["--json"]).code, Some(0));
    alter(&path, |bytes| bytes.truncate(bytes.len() / 2));
    let json = archive.run("verify", &["--json"]).json_with_code(1);
    assert_eq!(json["bad"][0]["path"], path.to_str().expect("UTF-8"));
}

#[test]
fn nothing_but_a_file_is_read() {
    let archive = TestArchive::recorded(Container::Mp4);
    let mut name = parse(&archive.segments()[2]);
    name.start = name.start + 2 * SECOND_NS;
    let pipe = archive.segments()[2].with_file_name(name.to_string());
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let json = archive.run("verify", &["--json"]).json_with_code(1);
    assert_eq!(json["good"], 3);
    assert_eq!(json["bad"][0]["problems"][0]["check"], "readable");
    assert_eq!(archive.run("ls", &["cam"]).code, Some(0));
    assert_eq!(archive.run("coverage", &["cam"]).code, Some(0));
}

#[test]
fn what_nothing_here_decodes_is_not_called_bad_and_no_success_either() {
    let archive = TestArchive::recorded(Container::Mp4);
    let mut command = archive.command("verify", &["--json"]);
    let decoders = "avdec_h264:NONE,openh264dec:NONE";
    command.env("GST_PLUGIN_FEATURE_RANK", decoders);
    let json = Answer::of(command.output().expect("it runs")).json_with_code(1);
    assert_eq!(json["bad"], json!([]));
    assert_eq!(json["unchecked"].as_array().map(Vec::len), Some(3));
    let problem = &json["unchecked"][0]["problems"][0];
    assert_eq!(problem["check"], "decoder");
    let message = problem["message"].as_str().expect("words");
    assert!(message.contains("video/x-h264"), "{message}");
}
