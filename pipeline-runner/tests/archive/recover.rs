// SPDX-License-Identifier: MPL-2.0
//! `archive recover`, after a real recording was killed.

use std::fs;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gstsegmenter::archive::{Container, SegmentFile};
use gstsegmenter::media::measure;
use gstsegmenter::utc::SECOND_NS;
use serde_json::json;

use crate::material::{START, TestArchive, base64_hash, files};

const PATIENCE: Duration = Duration::from_secs(60);

/// A recording by `gst-launch-1.0` in a process of its own, of a live source.
struct Recording {
    child: Child,
    variant: PathBuf,
    /// Where the plugin is, and what GStreamer notes about it.
    _plugins: tempfile::TempDir,
}

impl Recording {
    fn start(archive: &TestArchive, container: &str) -> Self {
        let plugins = tempfile::tempdir().expect("a folder");
        let plugin = plugins.path().join("libgstsegmenter.so");
        std::os::unix::fs::symlink(built_plugin(), plugin).expect("a link");
        let root = archive.root();
        let description = format!(
            "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 \
             ! x264enc key-int-max=25 tune=zerolatency speed-preset=ultrafast ! h264parse \
             ! archivesink stream=cam target-duration=60000000000 container={container}"
        );
        let child = Command::new("gst-launch-1.0")
            .args(["-q", "-e"])
            .args(description.split_whitespace())
            .arg(format!("location={}", root.display()))
            .env("GST_PLUGIN_PATH", plugins.path())
            .env("GST_REGISTRY", plugins.path().join("registry"))
            .stdin(Stdio::null())
            .spawn()
            .expect("gst-launch-1.0 is installed");
        Self {
            child,
            variant: root.join("cam/source"),
            _plugins: plugins,
        }
    }

    /// Waits until a second of the growing file is whole; returns it.
    fn await_growth(&mut self) -> PathBuf {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "it ended: {ended:?}");
            assert!(Instant::now() < deadline, "it records nothing");
            let growing = temps(&self.variant).into_iter().next();
            if let Some(growing) = growing.filter(|path| whole_ns(path) >= SECOND_NS) {
                return growing;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The plugin as cargo built it for this test.
fn built_plugin() -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    let folders = test.ancestors().skip(1).take(2);
    let mut plugins = folders.map(|folder| folder.join("libgstsegmenter.so"));
    let plugin = plugins.find(|plugin| plugin.exists());
    plugin.expect("the plugin lies beside the test")
}

fn whole_ns(path: &Path) -> i64 {
    let is_ts = path.extension().is_some_and(|extension| extension == "ts");
    let measured = fs::File::open(path).and_then(|file| measure(&file, is_ts));
    measured.map_or(0, |measured| measured.duration_ns)
}

fn temps(variant: &Path) -> Vec<PathBuf> {
    let Ok(hours) = fs::read_dir(variant) else {
        return Vec::new();
    };
    let hours = hours.map(|hour| hour.expect("an hour").path());
    let is_temp = |path: &PathBuf| path.to_str().is_some_and(|path| path.contains("-temp-"));
    hours
        .flat_map(|hour| files(&hour))
        .filter(is_temp)
        .collect()
}

#[test]
fn what_a_killed_recording_left_becomes_a_good_segment() {
    for container in ["mp4", "mpegts"] {
        let archive = TestArchive::new();
        let mut recording = Recording::start(&archive, container);
        let growing = recording.await_growth();

        // A living writer's file is left alone.
        let answer = archive.run("recover", &[]);
        assert_eq!(answer.with_code(0), "nothing to recover\n");
        assert!(growing.exists());
        let json = archive.run("verify", &["--json"]).json_with_code(0);
        assert_eq!(json["growing"], 1);

        recording.kill();
        let json = archive.run("verify", &["--json"]).json_with_code(0);
        assert_eq!(json["abandoned"], json!([growing]));
        let before = archive
            .run("coverage", &["cam", "--json"])
            .json_with_code(0);
        let before = &before["variants"][0]["coverage"];
        assert_eq!(before["growing_ns"], before["covered_ns"]);

        let recovered = archive.run("recover", &["--json"]).json_with_code(0);
        let file = &recovered["files"][0];
        assert_eq!(file["from"], growing.to_str().expect("UTF-8"));
        assert_eq!(file["outcome"], "partial");
        let duration_ns = file["duration_ns"].as_i64().expect("a number");
        assert!(duration_ns >= SECOND_NS, "{file}");
        assert!(!growing.exists());
        let path = PathBuf::from(file["to"].as_str().expect("a path"));
        assert!(path.to_str().expect("UTF-8").contains(&base64_hash(&path)));

        // Coverage found beforehand what recovery then made of it.
        let after = archive
            .run("coverage", &["cam", "--json"])
            .json_with_code(0);
        let after = &after["variants"][0]["coverage"];
        assert_eq!(after["partial_ns"], before["growing_ns"]);
        let json = archive.run("verify", &["--json"]).json_with_code(0);
        assert_eq!(json["good"], 1, "{json}");
        let again = archive.run("recover", &[]);
        assert_eq!(again.with_code(0), "nothing to recover\n");
    }
}

#[test]
fn each_file_gets_a_line_that_says_what_became_of_it() {
    let archive = TestArchive::recorded(Container::Mp4);
    let segment = fs::read(&archive.segments()[0]).expect("it is read");
    let leave = |seconds: i64, bytes: &[u8]| {
        let start = START + seconds * SECOND_NS;
        let root = archive.root();
        let file = SegmentFile::create(&root, "cam", "source", start, SECOND_NS, Container::Mp4);
        let mut file = file.expect("it grows");
        file.append(&mut [IoSlice::new(bytes)])
            .expect("it is written");
        file.path().to_str().expect("UTF-8").to_owned()
    };
    let torn = [&segment[..], &[0, 0, 1, 0, b'm', b'o', b'o', b'f', 0]].concat();
    let lines = [
        (leave(60, b""), ": was empty, removed"),
        (leave(61, b"no media"), ": nothing to recover, "),
        (leave(62, &torn), ": recovered 2s ("),
    ];
    let answer = archive.run("recover", &[]);
    let text = answer.with_code(0);
    assert_eq!(text.lines().count(), 3, "{text}");
    for (path, outcome) in &lines {
        assert!(text.contains(&format!("{path}{outcome}")), "{text}");
    }
    assert!(text.contains("9 bytes cut off"), "{text}");
    assert!(text.contains(".unrecoverable-"), "{text}");
}

#[test]
fn a_file_that_the_disk_does_not_give_up_is_a_failure() {
    let archive = TestArchive::recorded(Container::Mp4);
    let temp = archive
        .hour_folder("cam", "source")
        .join("40:00.0-2.0-temp-aa1bd63f-0b30-4957-a0a4-d8a356b4af3b.mp4");
    // A name that leads nowhere cannot be opened, and is not missing either.
    std::os::unix::fs::symlink("/nowhere", &temp).expect("a link");
    let json = archive.run("recover", &["--json"]).json_with_code(1);
    assert_eq!(json["files"][0]["outcome"], "failed");
    assert_eq!(archive.run("verify", &["--no-decode"]).code, Some(0));
}
