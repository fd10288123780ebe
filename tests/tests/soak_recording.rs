// SPDX-License-Identifier: MPL-2.0
//! What only time shows: a camera recorded for long, with memory and open files looked at all the
//! while. `make soak`; `SOAK_MINUTES` says how long (10).
#![cfg(feature = "soak")]

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tests::camera::{Camera, Media};
use tests::clips::{self, Clip};
use tests::decode;
use tests::recording::{Launch, segments};

/// Resident memory in KiB, and open files, of a process.
fn footprint(pid: i32) -> (u64, usize) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.split_whitespace().next()?.parse().ok());
    let files = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("it runs")
        .count();
    (kib.expect("a number"), files)
}

#[test]
fn a_camera_recorded_for_long_has_no_hole_and_costs_no_more_memory_than_at_first() {
    let minutes: u64 =
        std::env::var("SOAK_MINUTES").map_or(10, |text| text.parse().expect("minutes"));
    let archive = tempfile::tempdir().expect("a temporary folder");
    let camera = Camera::start(Media::clip(clips::get(Clip::H264BAac)).repeated());
    let (url, root) = (&camera.url, archive.path().display());
    let mut launch = Launch::start(&format!(
        "rtspsrc location={url} protocols=tcp add-reference-timestamp-meta=true buffer-mode=synced \
         ! rtph264depay ! h264parse ! archivesink location={root} stream=cam"
    ));
    let pid = launch.id().as_raw_nonzero().get();
    sleep(Duration::from_secs(30));
    let (first_kib, first_files) = footprint(pid);
    let until = Instant::now() + Duration::from_secs(minutes * 60);
    while Instant::now() < until {
        sleep(Duration::from_secs(10));
        let (kib, files) = footprint(pid);
        assert!(
            kib < first_kib + 16 * 1024,
            "{first_kib} KiB at first, {kib} KiB now"
        );
        assert!(
            files <= first_files + 4,
            "{first_files} open files at first, {files} now"
        );
    }
    launch.interrupt();
    let status = launch.wait_for(Duration::from_secs(20));
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    let segments = segments(archive.path(), "cam", "source");
    assert!(
        segments.len() as u64 > minutes * 60 / 4,
        "{} segments",
        segments.len()
    );
    for pair in segments.windows(2) {
        let gap_ns = pair[1].start_ns - pair[0].end_ns();
        assert!(gap_ns.abs() < 10_000_000, "{gap_ns} ns after {:?}", pair[0]);
    }
    for segment in &segments {
        decode::assert_ffmpeg_is_silent(&segment.path);
    }
}
