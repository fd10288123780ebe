// SPDX-License-Identifier: MPL-2.0
//! A real camera recorded by the runner: its sound too, and over outages.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use gstsegmenter::utc::UtcNs;
use tests::camera::{Camera, Media};
use tests::clips::{self, Clip};
use tests::decode;
use tests::frames::{self, Codec};
use tests::recording::{Recorded, segments};
use tests::runner::Runner;

fn definition(camera: &Camera, protocols: &str) -> String {
    format!(
        "archive: {{ root: ./archive }}
pipelines:
  cam:
    source: {{ rtsp: {{ uri: \"{}\", protocols: {protocols} }} }}
    outputs: [archive]
    restart: {{ initial: 500ms, max: 2s }}
",
        camera.url
    )
}

/// Waits until the archive holds a segment that began after a moment, and tells when it began.
fn recording_since(folder: &Path, moment: UtcNs) -> i64 {
    let until = Instant::now() + Duration::from_secs(30);
    let variant = folder.join("archive/cam/source");
    while Instant::now() < until {
        let found = if variant.exists() {
            archived(folder)
        } else {
            Vec::new()
        };
        if let Some(segment) = found.iter().find(|segment| segment.start_ns > moment.0) {
            return segment.start_ns;
        }
        sleep(Duration::from_millis(100));
    }
    let log = std::fs::read_to_string(folder.join("runner.log")).unwrap_or_default();
    panic!("nothing recorded for 30 s:\n{log}");
}

fn archived(folder: &Path) -> Vec<Recorded> {
    segments(&folder.join("archive"), "cam", "source")
}

#[test]
fn the_runner_records_the_sound_of_a_camera_beside_its_picture() {
    let cases = [
        (Clip::H264BAac, Codec::Aac, 468),
        (Clip::H264NoBOpus, Codec::Opus, 501),
        (Clip::H264NoBAlaw, Codec::Alaw, 469),
    ];
    std::thread::scope(|scope| {
        for (clip, sound, frames_in_10_s) in cases {
            scope.spawn(move || {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let camera = Camera::start(Media::clip(clips::get(clip)).repeated());
                // Over TCP the pads of a camera appear one after the other at every start.
                let runner = Runner::start(folder.path(), &definition(&camera, "tcp"));
                let started = recording_since(folder.path(), UtcNs(0));
                recording_since(folder.path(), UtcNs(started + 5_000_000_000));
                assert!(runner.close().success(), "{clip:?}");
                for segment in archived(folder.path()) {
                    let tracks = frames::read(&segment.path);
                    let heard = tracks.iter().find(|track| track.codec == sound);
                    let heard = heard.map_or(0, |track| track.frames.len());
                    let claimed = segment.duration_ns as usize * frames_in_10_s / 10_000_000_000;
                    assert!(
                        heard.abs_diff(claimed) < 40,
                        "{clip:?}: {segment:?} has {heard}"
                    );
                    decode::assert_ffmpeg_is_silent(&segment.path);
                }
            });
        }
    });
}

#[test]
fn a_camera_taken_away_three_times_leaves_three_holes_of_about_that_length_and_nothing_else() {
    const OUTAGE: Duration = Duration::from_secs(5);
    /// Until the runner tries again, connects, and a keyframe comes.
    const LATEST_RESUME: Duration = Duration::from_secs(6);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clip = clips::get(Clip::H264NoBAac);
    let mut camera = Camera::start(Media::clip(clip).repeated());
    let runner = Runner::start(folder.path(), &definition(&camera, "auto"));
    recording_since(folder.path(), UtcNs(0));
    let open_files = runner.open_files();
    for _ in 0..3 {
        recording_since(folder.path(), UtcNs::now());
        camera.stop();
        sleep(OUTAGE);
        camera.restart();
    }
    recording_since(folder.path(), UtcNs::now());
    assert_eq!(runner.workers().len(), 1, "one pipeline, one process");
    assert!(
        runner.open_files() <= open_files,
        "{} open files",
        runner.open_files()
    );
    assert!(runner.close().success());

    let all = archived(folder.path());
    let gaps = all
        .windows(2)
        .map(|pair| pair[1].start_ns - pair[0].end_ns());
    let holes: Vec<i64> = gaps.filter(|gap| gap.abs() > 200_000_000).collect();
    assert_eq!(holes.len(), 3, "{holes:?}");
    let (shortest, longest) = (
        OUTAGE.as_nanos() as i64,
        (OUTAGE + LATEST_RESUME).as_nanos() as i64,
    );
    for hole in &holes {
        assert!(
            (shortest - 1_000_000_000..longest).contains(hole),
            "{holes:?}"
        );
    }
    for segment in &all {
        decode::assert_ffmpeg_is_silent(&segment.path);
    }
}
