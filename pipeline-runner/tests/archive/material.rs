// SPDX-License-Identifier: MPL-2.0
//! Archives to look into, and the command that does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Once, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gst::prelude::*;
use gstsegmenter::archive::{Container, Id, Kind, SegmentName, name};
use gstsegmenter::utc::{SECOND_NS, UtcNs};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// 2026-11-20T10:31:06.25Z: when everything here is recorded.
pub const START: UtcNs = UtcNs(1_795_170_666 * SECOND_NS + 250_000_000);
pub const HOUR: &str = "2026-11-20T10";

/// An archive in a folder with blanks in its name.
pub struct TestArchive {
    folder: tempfile::TempDir,
}

impl TestArchive {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("my archive")).expect("a folder");
        Self { folder }
    }

    /// With six seconds of pictures in three segments, `cam/source`.
    pub fn recorded(container: Container) -> Self {
        let archive = Self::new();
        archive.add_recording("cam", "source", container);
        archive
    }

    /// Adds such a recording.
    pub fn add_recording(&self, stream: &str, variant: &str, container: Container) {
        let folder = self.hour_folder(stream, variant);
        fs::create_dir_all(&folder).expect("a folder");
        for segment in recording(container) {
            let to = folder.join(segment.file_name().expect("a name"));
            fs::copy(segment, to).expect("a copy");
        }
    }

    /// Adds what a launch line records that says not where to.
    pub fn add_launch(&self, line: &str) {
        start_gstreamer();
        let pipeline = gst::parse::launch(line).expect("a launch line");
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several");
        let mut sinks = pipeline.iterate_sinks().into_iter().flatten();
        let sink = sinks.next().expect("archivesink");
        sink.set_property("location", self.root().to_str().expect("UTF-8"));
        play(&pipeline);
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("my archive")
    }

    pub fn hour_folder(&self, stream: &str, variant: &str) -> PathBuf {
        self.root().join(stream).join(variant).join(HOUR)
    }

    /// The segments of `cam/source` in the hour, by start.
    pub fn segments(&self) -> Vec<PathBuf> {
        files(&self.hour_folder("cam", "source"))
    }

    /// Runs `pipeline-runner archive COMMAND --archive ROOT ARGUMENTS`.
    pub fn run(&self, command: &str, arguments: &[&str]) -> Answer {
        let output = self.command(command, arguments).output();
        Answer::of(output.expect("it runs"))
    }

    pub fn command(&self, command: &str, arguments: &[&str]) -> Command {
        let mut process = pipeline_runner(&["archive", command, "--archive"]);
        process.arg(self.root()).args(arguments);
        process
    }
}

pub fn pipeline_runner(arguments: &[&str]) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_pipeline-runner"));
    process.args(arguments).env_remove("GST_DEBUG");
    process.stdin(Stdio::null());
    process
}

/// What a command said.
#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Answer {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// What it said on standard output, if it ended with this code.
    #[track_caller]
    pub fn with_code(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        &self.out
    }

    /// Likewise, as JSON.
    #[track_caller]
    pub fn json_with_code(&self, code: i32) -> Value {
        serde_json::from_str(self.with_code(code)).expect("JSON")
    }

    /// Its one line of complaint, if it failed with this code and said nothing else.
    #[track_caller]
    pub fn error_with_code(&self, code: i32) -> &str {
        assert_eq!(self.with_code(code), "");
        let mut lines = self.err.lines();
        let line = lines.next().unwrap_or_default();
        assert!(
            line.starts_with("error: ") && lines.next().is_none(),
            "{self:?}"
        );
        line
    }
}

/// The files in a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

/// Six seconds of pictures in three segments, recorded once by `archivesink` from a source that says
/// that they are of [`START`].
fn recording(container: Container) -> Vec<PathBuf> {
    static MP4: OnceLock<tempfile::TempDir> = OnceLock::new();
    static TS: OnceLock<tempfile::TempDir> = OnceLock::new();
    let once = match container {
        Container::Mp4 => &MP4,
        Container::Ts => &TS,
    };
    let root = once.get_or_init(|| {
        let root = tempfile::tempdir().expect("a folder");
        record(root.path(), container);
        root
    });
    let segments = files(&root.path().join("cam/source").join(HOUR));
    assert_eq!(segments.len(), 3, "{segments:?}");
    segments
}

fn record(root: &Path, container: Container) {
    start_gstreamer();
    let pipeline = gst::parse::launch(
        "videotestsrc pattern=ball num-buffers=150 ! video/x-raw,width=320,height=240,framerate=25/1 \
         ! x264enc key-int-max=25 tune=zerolatency ! h264parse name=parse \
         ! archivesink name=sink stream=cam time-source=reference",
    );
    let pipeline = pipeline.expect("a pipeline");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let sink = pipeline.by_name("sink").expect("the sink");
    sink.set_property("location", root.to_str().expect("UTF-8"));
    let nick = match container {
        Container::Mp4 => "mp4",
        Container::Ts => "mpegts",
    };
    sink.set_property_from_str("container", nick);
    let parse = pipeline.by_name("parse").expect("the parser");
    let pad = parse.static_pad("src").expect("its source pad");
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            add_reference(buffer.make_mut());
        }
        gst::PadProbeReturn::Ok
    });
    play(&pipeline);
}

/// Says when a frame was captured. `x264enc` starts an hour or so late, to leave room for B-frames.
fn add_reference(buffer: &mut gst::BufferRef) {
    const FIRST_PTS: gst::ClockTime = gst::ClockTime::from_seconds(3600 * 1000);
    let since_start = buffer.pts().and_then(|pts| pts.checked_sub(FIRST_PTS));
    let since_start = since_start.expect("the offset of x264enc");
    let start = u64::try_from(START.0).expect("after 1970");
    let captured = gst::ClockTime::from_nseconds(start) + since_start;
    let unix = gst::Caps::new_empty_simple("timestamp/x-unix");
    gst::ReferenceTimestampMeta::add(buffer, &unix, captured, gst::ClockTime::NONE);
}

pub fn start_gstreamer() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().expect("GStreamer");
        gstsegmenter::plugin_register_static().expect("the plugin");
    });
}

fn play(pipeline: &gst::Pipeline) {
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let bus = pipeline.bus().expect("a bus");
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let patience = gst::ClockTime::from_seconds(60);
    let message = bus.timed_pop_filtered(patience, &wanted);
    let message = message.expect("it ends");
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    pipeline.set_state(gst::State::Null).expect("it stops");
}

/// What a segment's name says.
pub fn parse(path: &Path) -> SegmentName {
    let folder = path.parent().and_then(Path::file_name).expect("a folder");
    let hour = name::parse_hour_folder(folder.to_str().expect("UTF-8")).expect("an hour");
    let file_name = path.file_name().and_then(|name| name.to_str());
    SegmentName::parse(hour, file_name.expect("UTF-8")).expect("a segment")
}

/// Renames a segment.
pub fn rename(path: &Path, change: impl FnOnce(&mut SegmentName)) -> PathBuf {
    let mut name = parse(path);
    change(&mut name);
    let to = path.with_file_name(name.to_string());
    fs::rename(path, &to).expect("it is renamed");
    to
}

/// Changes a segment's bytes, and leaves its name.
pub fn alter(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("it is read");
    change(&mut bytes);
    fs::write(path, bytes).expect("it is written");
}

/// Gives a segment the hash of its bytes, as if it had been recorded like that.
pub fn rehash(path: &Path) -> PathBuf {
    let hash = Sha256::digest(fs::read(path).expect("it is read"));
    rename(path, |name| name.id = Id::Hash(hash.into()))
}

/// The hash as names have it, computed independently of the code under test.
pub fn base64_hash(path: &Path) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(fs::read(path).expect("it is read")))
}

/// Two seconds of pictures and sound that ffmpeg muxed with these options, put into the archive.
pub fn add_from_ffmpeg(archive: &TestArchive, stream: &str, container: Container, muxing: &[&str]) {
    let folder = archive.hour_folder(stream, "source");
    fs::create_dir_all(&folder).expect("a folder");
    let name = SegmentName {
        start: START,
        duration_ns: 2 * SECOND_NS,
        kind: Kind::Full,
        id: Id::Hash([0; 32]),
        container,
    };
    let path = folder.join(name.to_string());
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args([
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x240:rate=25:duration=2",
        ])
        .args(["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=2"])
        .args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-g", "50"])
        .args(muxing)
        .arg(format!("file:{}", path.display()))
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    rehash(&path);
}
