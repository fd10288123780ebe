// SPDX-License-Identifier: MPL-2.0
//! A real camera recorded with `gst-launch-1.0`: nothing missing, nothing twice, every frame at
//! the time of the camera's own clock, every segment playable alone.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gstsegmenter::archive::Kind;
use tests::camera::{Camera, Media, Sent};
use tests::clips::{self, Clip};
use tests::frames::{self, Hash, Track};
use tests::recording::{self, Launch, Recorded};
use tests::{browser, decode};

const SECOND_NS: i64 = 1_000_000_000;
/// All clips have 25 frames per second.
const FRAME_NS: i64 = SECOND_NS / 25;

/// A clip shown once by a camera, and what `archivesink` made of it.
struct Recording {
    sent: Vec<Sent>,
    segments: Vec<Recorded>,
    /// Keeps the archive until the test ends.
    _archive: tempfile::TempDir,
}

/// Over TCP, which loses nothing, and with frames' times as the camera sent them: unless told,
/// `rtspsrc` bends the first second's to its estimate of the camera's clock.
const EXACT: &str = "protocols=tcp buffer-mode=synced";

/// Records the picture of a clip; `options` go to `rtspsrc`, `sink` to `archivesink`.
fn record(clip: Clip, ahead_ns: i64, options: &str, sink: &str) -> Recording {
    let archive = tempfile::tempdir().expect("a temporary folder");
    let camera = Camera::start(Media::clip(clips::get(clip)).clock_ahead_ns(ahead_ns));
    let (url, root) = (&camera.url, archive.path().display());
    let codec = if clip == Clip::H265Aac {
        "h265"
    } else {
        "h264"
    };
    let mut launch = Launch::start(&format!(
        "rtspsrc location={url} add-reference-timestamp-meta=true {options} ! rtp{codec}depay \
         ! {codec}parse ! archivesink location={root} stream=cam {sink}"
    ));
    // RTCP BYE, which ends the recording, may be lost over UDP: then Ctrl-C.
    while !camera.has_played() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let status = launch.wait_for(Duration::from_secs(4)).or_else(|| {
        launch.interrupt();
        launch.wait_for(Duration::from_secs(20))
    });
    // Not its status: a camera that has hung up by then makes rtspsrc end with an error, and what
    // was recorded must be whole all the same.
    assert!(status.is_some(), "gst-launch-1.0 does not end");
    let segments = recording::segments(archive.path(), "cam", "source");
    Recording {
        sent: camera.video_sent(),
        segments,
        _archive: archive,
    }
}

/// The video track of a segment, as GStreamer's own demuxers read it.
fn video(segment: &Recorded) -> Track {
    let tracks = frames::read(&segment.path);
    tracks
        .into_iter()
        .find(|track| track.codec.is_video())
        .expect("a picture")
}

/// Every frame recorded, with the time its segment gives it, in the order stored.
fn recorded(recording: &Recording) -> Vec<(Hash, i64)> {
    let of_segment = |segment: &Recorded| -> Vec<(Hash, i64)> {
        let track = video(segment);
        let times = track
            .frames
            .iter()
            .map(|frame| segment.start_ns + frame.pts_ns);
        track.pictures().into_iter().zip(times).collect()
    };
    recording.segments.iter().flat_map(of_segment).collect()
}

/// Every frame sent is there, once, in order, at its time.
fn assert_complete(case: &str, recording: &Recording) {
    let recorded = recorded(recording);
    let pictures: Vec<Hash> = recorded.iter().map(|(picture, _)| *picture).collect();
    let sent: Vec<Hash> = recording.sent.iter().map(|frame| frame.picture).collect();
    assert_eq!(
        sent.len(),
        pictures.len(),
        "{case}: frames sent and recorded"
    );
    assert!(
        sent == pictures,
        "{case}: the same number of frames, but not the same"
    );
    let distances = recording
        .sent
        .iter()
        .zip(&recorded)
        .map(|(sent, (_, utc))| utc - sent.utc_ns);
    let worst_ns = distances.max_by_key(|ns| ns.abs()).expect("some frames");
    assert!(
        worst_ns.abs() < FRAME_NS,
        "{case}: {worst_ns} ns from the camera's clock"
    );
    assert!(
        recording.segments.len() >= 4,
        "{case}: {} segments of 10 s",
        recording.segments.len()
    );
    for segment in &recording.segments {
        assert_eq!(segment.kind, Kind::Full, "{case}: {segment:?}");
    }
}

/// Each segment alone is decoded without a complaint, and all of them to what the clip shows.
fn assert_decodes_to_the_same(case: &str, recording: &Recording, clip: Clip) {
    for segment in &recording.segments {
        decode::assert_ffmpeg_is_silent(&segment.path);
    }
    let alone = decoded(recording.segments.iter().map(|segment| &segment.path));
    let original = decoded([&clips::get(clip)]);
    assert_eq!(original.len(), alone.len(), "{case}: pictures decoded");
    assert!(original == alone, "{case}: decoded pictures differ");
}

/// The decoded pictures of files, one after the other.
fn decoded<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Vec<String> {
    let hashes = paths
        .into_iter()
        .flat_map(|path| decode::frame_hashes(path, "v:0"));
    hashes.map(|frame| frame.md5).collect()
}

#[test]
fn every_frame_a_camera_sent_is_in_the_archive_once_at_the_time_of_the_cameras_clock() {
    // A camera whose clock is right, ahead, and behind.
    let cases = [
        (Clip::H264NoBAac, 0, "mp4"),
        (Clip::H264NoBAac, 0, "mpegts"),
        (Clip::H264BAac, 7 * SECOND_NS, "mp4"),
        (Clip::H264BAac, 7 * SECOND_NS, "mpegts"),
        (Clip::H265Aac, -3600 * SECOND_NS, "mp4"),
        (Clip::H265Aac, -3600 * SECOND_NS, "mpegts"),
        (Clip::H264OpenAac, 7 * SECOND_NS, "mp4"),
        (Clip::H264OpenAac, 7 * SECOND_NS, "mpegts"),
    ];
    std::thread::scope(|scope| {
        for (clip, ahead_ns, container) in cases {
            scope.spawn(move || {
                let case = format!("{clip:?} as {container}");
                let recording = record(clip, ahead_ns, EXACT, &format!("container={container}"));
                assert_complete(&case, &recording);
                // Pictures shown before the keyframe of an open GOP need the segment before.
                if clip != Clip::H264OpenAac {
                    assert_decodes_to_the_same(&case, &recording, clip);
                }
            });
        }
    });
}

#[test]
fn a_camera_whose_clock_was_never_set_is_recorded_whole_at_this_machines_time() {
    const YEARS_NS: i64 = 50 * 365 * 86_400 * SECOND_NS;
    std::thread::scope(|scope| {
        for container in ["mp4", "mpegts"] {
            scope.spawn(move || {
                let sink = format!("container={container}");
                let recording = record(Clip::H264NoBAac, -YEARS_NS, EXACT, &sink);
                let recorded = recorded(&recording);
                assert_eq!(recorded.len(), recording.sent.len(), "{container}");
                for ((picture, utc_ns), sent) in recorded.iter().zip(&recording.sent) {
                    assert!(*picture == sent.picture, "{container}: another frame");
                    let off_ns = utc_ns - (sent.utc_ns + YEARS_NS);
                    assert!(off_ns.abs() < SECOND_NS / 2, "{container}: {off_ns} ns off");
                }
            });
        }
    });
}

#[test]
fn unasked_rtspsrc_bends_the_first_seconds_times_and_may_lose_a_frame_over_udp() {
    let recording = record(Clip::H264NoBAac, 7 * SECOND_NS, "", "");
    let recorded = recorded(&recording);
    assert!(
        recorded.len() + 3 >= recording.sent.len(),
        "{} recorded",
        recorded.len()
    );
    let mut rest = recording.sent.iter();
    for (picture, utc_ns) in &recorded {
        let sent = rest
            .find(|sent| sent.picture == *picture)
            .expect("sent, once, in this order");
        let off_ns = utc_ns - sent.utc_ns;
        let settled = utc_ns - recording.sent[0].utc_ns > 3 * SECOND_NS;
        let allowed_ns = if settled { FRAME_NS } else { 3 * FRAME_NS };
        assert!(
            off_ns.abs() < allowed_ns,
            "frame {}: {off_ns} ns off",
            sent.index
        );
    }
}

#[test]
fn neighbouring_mpegts_segments_joined_by_cat_are_one_clean_stream() {
    // Of open GOPs too: joined, each has the pictures that its first ones refer to.
    for clip in [Clip::H264BAac, Clip::H264OpenAac] {
        let recording = record(clip, 0, EXACT, "container=mpegts");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let joined = folder.path().join("hour.ts");
        let read = |segment: &Recorded| fs::read(&segment.path).expect("a segment can be read");
        let all: Vec<u8> = recording.segments.iter().flat_map(read).collect();
        fs::write(&joined, all).expect("it can be written");
        decode::assert_ffmpeg_is_silent(&joined);
        assert!(
            decoded([&joined]) == decoded([&clips::get(clip)]),
            "{clip:?}: pictures differ"
        );
    }
}

#[test]
fn chromium_plays_a_segment_of_a_camera() {
    for clip in [Clip::H264NoBAac, Clip::H264BAac] {
        let recording = record(clip, 0, EXACT, "");
        let segment = &recording.segments[1];
        let pictures = video(segment).frames.len() as u64;
        let played = browser::chromium_plays(&segment.path);
        assert_eq!(played.error, None, "{clip:?}: {played:?}");
        assert_eq!(played.decoded, pictures, "{clip:?}: {played:?}");
        let claimed_s = segment.duration_ns as f64 / 1e9;
        assert!(
            (played.duration_s - claimed_s).abs() < 0.05,
            "{clip:?}: {played:?}"
        );
        assert_eq!(played.size, (640, 272), "{clip:?}: {played:?}");
    }
}
