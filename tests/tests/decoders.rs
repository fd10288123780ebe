// SPDX-License-Identifier: MPL-2.0
//! The decoders that other tests trust: they agree with each other, and they do complain.

use std::fs;
use std::process::Command;

use tests::clips::{self, Clip};
use tests::{browser, decode, frames};

/// One second of a clip as fragmented MP4, by ffmpeg.
fn segment(clip: Clip, folder: &tempfile::TempDir) -> std::path::PathBuf {
    let path = folder.path().join("segment.mp4");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(clips::get(clip))
        .args([
            "-t",
            "2",
            "-c",
            "copy",
            "-movflags",
            "frag_keyframe+empty_moov+default_base_moof",
        ])
        .arg(&path)
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    path
}

#[test]
fn all_decoders_count_the_same_pictures() {
    for clip in [
        Clip::H264BAac,
        Clip::H264OpenAac,
        Clip::H265Aac,
        Clip::H264VfrAac,
        Clip::Bikes,
    ] {
        let path = clips::get(clip);
        let read = frames::read(&path)[0].frames.len();
        assert_eq!(read, decode::frame_hashes(&path, "v:0").len(), "{clip:?}");
        assert_eq!(read as u64, decode::gstreamer_pictures(&path), "{clip:?}");
        let probed = decode::probe(&path);
        assert_eq!(
            read,
            decode::packet_times_s(&probed, "video").len(),
            "{clip:?}"
        );
        decode::assert_ffmpeg_is_silent(&path);
    }
}

#[test]
fn chromium_plays_a_segment_to_its_end_and_counts_its_pictures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = segment(Clip::H264BAac, &folder);
    let played = browser::chromium_plays(&path);
    assert_eq!(played.error, None, "{played:?}");
    assert_eq!(
        played.decoded,
        decode::gstreamer_pictures(&path),
        "{played:?}"
    );
    assert!(played.painted > 0 && played.audio_bytes > 0, "{played:?}");
    assert!((played.duration_s - 2.0).abs() < 0.3, "{played:?}");
    assert_eq!(played.size, (640, 272), "{played:?}");
}

#[test]
fn a_damaged_segment_is_not_passed_over_in_silence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = segment(Clip::H264BAac, &folder);
    let whole = fs::read(&path).expect("just written");
    fs::write(&path, &whole[..whole.len() - 5000]).expect("it can be cut short");
    assert!(!decode::ffmpeg_complaints(&path).is_empty());
    fs::write(&path, &whole[..100]).expect("it can be cut shorter");
    assert!(browser::chromium_plays(&path).error.is_some());
}
