// SPDX-License-Identifier: MPL-2.0
//! Records a scenario as a user would: by the runner, or with a launch line.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::clip::Clip;
use super::compile;
use super::kinds::{Scenario, Transport};
use crate::frames::Codec;
use crate::recording::Launch;
use crate::runner::Runner;
use crate::scripted_camera::ScriptedCamera;
use crate::scripted_camera::script::Sent;

/// The stream that everything is recorded to.
pub const STREAM: &str = "cam";
/// Its variant.
pub const VARIANT: &str = "source";
/// Until what was sent last has been recorded.
const SETTLING: Duration = Duration::from_millis(1500);
/// Until the camera has been asked as often as it wants to be.
const LONGEST: Duration = Duration::from_secs(45);

/// What was recorded, and what was sent.
pub struct Recording {
    /// The archive.
    pub root: PathBuf,
    /// What the recorder said.
    pub log: PathBuf,
    /// All frames of all tracks.
    pub sent: Vec<Sent>,
    /// What went wrong on the way, in a sentence.
    pub faults: Vec<String>,
}

/// Records a scenario into `folder`.
pub fn record(scenario: &Scenario, clip: &Clip, folder: &Path) -> Recording {
    let camera = ScriptedCamera::start(compile::scripts(scenario, clip));
    let root = folder.join("archive");
    let mut faults = if scenario.is_by_runner() {
        by_runner(scenario, &camera, folder)
    } else {
        by_launch(scenario, clip, &camera, &root)
    };
    let sent = camera.sent();
    if !camera.has_played() {
        let sessions = camera.sessions();
        faults.push(format!(
            "the camera was not played to its end; {sessions} sessions"
        ));
    }
    Recording {
        root,
        log: folder.join("runner.log"),
        sent,
        faults,
    }
}

fn wait_for(camera: &ScriptedCamera) {
    let until = Instant::now() + LONGEST;
    while !camera.has_played() && Instant::now() < until {
        sleep(Duration::from_millis(50));
    }
    sleep(SETTLING);
}

fn transport(scenario: &Scenario) -> &'static str {
    match scenario.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    }
}

fn by_runner(scenario: &Scenario, camera: &ScriptedCamera, folder: &Path) -> Vec<String> {
    let definition = format!(
        "archive: {{ root: ./archive }}
pipelines:
  {STREAM}:
    source: {{ rtsp: {{ uri: \"{}\", protocols: {} }} }}
    outputs: [ archive: {{ container: {} }} ]
    restart: {{ initial: 200ms, max: 1s }}
",
        camera.url,
        transport(scenario),
        scenario.container()
    );
    let runner = Runner::start(folder, &definition);
    wait_for(camera);
    let status = runner.close();
    let log = fs::read_to_string(folder.join("runner.log")).unwrap_or_default();
    let mut faults = Vec::new();
    if !status.success() {
        faults.push(format!("the runner ended with {status}"));
    }
    let mut lines = log.lines();
    if let Some(line) = lines.find(|line| line.contains("panicked") || line.contains("CRITICAL")) {
        faults.push(format!("the runner says: {line}"));
    }
    faults
}

fn by_launch(
    scenario: &Scenario,
    clip: &Clip,
    camera: &ScriptedCamera,
    root: &Path,
) -> Vec<String> {
    let (depayloader, parser) = match clip.codec {
        Codec::H264 => ("rtph264depay", "h264parse"),
        _ => ("rtph265depay", "h265parse"),
    };
    // Only the video, whatever else the camera offers.
    // As README has it: in its own mode rtspsrc bends the times of pictures that are reordered.
    let line = format!(
        "rtspsrc location={} protocols={} latency=200 add-reference-timestamp-meta=true \
         buffer-mode=synced \
         ! application/x-rtp,media=video ! {depayloader} ! {parser} \
         ! archivesink location={} stream={STREAM} variant={VARIANT} container={}",
        camera.url,
        transport(scenario),
        root.display(),
        scenario.container()
    );
    let mut launch = Launch::start(&line);
    wait_for(camera);
    launch.interrupt();
    match launch.wait_for(Duration::from_secs(15)) {
        Some(status) if status.success() => Vec::new(),
        Some(status) => vec![format!("gst-launch-1.0 ended with {status}")],
        None => vec!["gst-launch-1.0 did not end within 15 s".to_owned()],
    }
}
