// SPDX-License-Identifier: MPL-2.0
//! Half an hour (SOAK_MINUTES) of a real camera under the runner: nothing missing, nothing that
//! grows.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use tests::camera::{Camera, Media};
use tests::clips::{self, Clip};
use tests::frames;
use tests::recording::segments;
use tests::runner::Runner;

/// Resident memory of a process, in KiB (proc_pid_status(5), VmRSS).
fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .expect("a number")
}

#[test]
fn after_half_an_hour_nothing_is_missing_and_neither_memory_nor_open_files_have_grown() {
    let minutes: u64 =
        std::env::var("SOAK_MINUTES").map_or(30, |text| text.parse().expect("minutes"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Repeated, since a clip's end and start are not one GOP apart in sound: what real cameras do.
    let camera = Camera::start(
        Media::clip(clips::get(Clip::H264BAac))
            .repeated()
            .clock_ahead_ns(3_000_000_000),
    );
    let definition = format!(
        "archive: {{ root: ./archive }}
pipelines:
  cam: {{ source: {{ rtsp: {{ uri: \"{}\" }} }}, outputs: [archive] }}
",
        camera.url
    );
    let runner = Runner::start(folder.path(), &definition);
    sleep(Duration::from_secs(60));
    let worker = runner.workers()[0];
    let before_kib = resident_kib(worker);
    let open_files = runner.open_files();
    sleep(Duration::from_secs(60 * minutes.saturating_sub(1)));
    assert_eq!(runner.workers(), [worker], "restarted");
    assert_eq!(runner.open_files(), open_files);
    let after_kib = resident_kib(worker);
    assert!(
        after_kib < before_kib + 8 * 1024,
        "from {before_kib} to {after_kib} KiB"
    );
    assert!(runner.close().success());
    let sent = camera.video_sent();

    let all = segments(&folder.path().join("archive"), "cam", "source");
    for pair in all.windows(2) {
        let gap_ns = pair[1].start_ns - pair[0].end_ns();
        assert!(gap_ns.abs() < 1_000_000, "{gap_ns} ns after {:?}", pair[0]);
    }
    let pictures = |path| frames::read(path)[0].pictures();
    let recorded: Vec<_> = all
        .iter()
        .flat_map(|segment| pictures(&segment.path))
        .collect();
    let unrecorded = sent.len() - recorded.len();
    assert!(
        unrecorded < 50,
        "{unrecorded} of {} not recorded; at the end at most",
        sent.len()
    );
    assert!(
        sent.iter()
            .zip(&recorded)
            .all(|(sent, recorded)| sent.picture == *recorded)
    );
}
