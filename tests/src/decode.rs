// SPDX-License-Identifier: MPL-2.0
//! What independent decoders make of a file: ffmpeg, ffprobe, GStreamer.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use gst::prelude::*;
use serde_json::Value;

fn run(program: &str, arguments: &[&OsStr]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} does not start ({error}); run `make setup`"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Decodes all of a file with ffmpeg and tells what it complained of; empty is silence.
pub fn ffmpeg_complaints(path: &Path) -> String {
    let fixed = "-nostdin -v warning -xerror -i".split(' ').map(OsStr::new);
    let rest = "-map 0 -f null -".split(' ').map(OsStr::new);
    let arguments: Vec<&OsStr> = fixed.chain([path.as_os_str()]).chain(rest).collect();
    let output = run("ffmpeg", &arguments);
    let mut said = text(&output.stderr);
    if !output.status.success() {
        said.push_str(&format!("ffmpeg ended with {}", output.status));
    }
    said
}

/// Asserts that ffmpeg decodes all of a file and says nothing.
///
/// # Panics
/// With what it said.
#[track_caller]
pub fn assert_ffmpeg_is_silent(path: &Path) {
    let said = ffmpeg_complaints(path);
    assert!(said.is_empty(), "{}: {said}", path.display());
}

/// One decoded frame: its time in units of the stream's time base, and the MD5 of its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Presentation time in the time base of the file's track.
    pub pts: i64,
    /// MD5 of the decoded picture or sound.
    pub md5: String,
}

/// Every decoded frame of one track, in the order shown. `stream` is ffmpeg's specifier, such as
/// `v:0` or `a:1`.
///
/// # Panics
/// When ffmpeg cannot decode the file.
pub fn frame_hashes(path: &Path, stream: &str) -> Vec<Decoded> {
    let map = format!("0:{stream}");
    let arguments = [
        OsStr::new("-nostdin"),
        OsStr::new("-v"),
        OsStr::new("error"),
        OsStr::new("-copyts"),
        OsStr::new("-i"),
        path.as_os_str(),
        OsStr::new("-map"),
        OsStr::new(&map),
        OsStr::new("-fps_mode"),
        OsStr::new("passthrough"),
        OsStr::new("-enc_time_base"),
        OsStr::new("-1"),
        OsStr::new("-f"),
        OsStr::new("framemd5"),
        OsStr::new("-"),
    ];
    let output = run("ffmpeg", &arguments);
    assert!(
        output.status.success(),
        "{}: {}",
        path.display(),
        text(&output.stderr)
    );
    let line = |line: &str| {
        let mut fields = line.split(',').map(str::trim);
        let pts = fields.nth(2)?.parse().ok()?;
        Some(Decoded {
            pts,
            md5: fields.next_back()?.to_owned(),
        })
    };
    text(&output.stdout)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(line)
        .collect()
}

/// What ffprobe says of a file, as JSON: `streams`, `format` and `packets`.
///
/// # Panics
/// When ffprobe cannot read the file.
pub fn probe(path: &Path) -> Value {
    let fixed = "-v error -show_streams -show_format -show_packets -of json";
    let arguments: Vec<&OsStr> = fixed
        .split(' ')
        .map(OsStr::new)
        .chain([path.as_os_str()])
        .collect();
    let output = run("ffprobe", &arguments);
    assert!(
        output.status.success(),
        "{}: {}",
        path.display(),
        text(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("ffprobe prints JSON")
}

/// The presentation times of a track's packets in seconds, in the order stored; `kind` is `video`
/// or `audio`.
pub fn packet_times_s(probed: &Value, kind: &str) -> Vec<f64> {
    let packets = probed["packets"].as_array().into_iter().flatten();
    let of_kind = packets.filter(|packet| packet["codec_type"] == kind);
    of_kind
        .filter_map(|packet| packet["pts_time"].as_str()?.parse().ok())
        .collect()
}

/// How many pictures GStreamer decodes from a file.
///
/// # Panics
/// When GStreamer cannot play it to its end.
pub fn gstreamer_pictures(path: &Path) -> u64 {
    gst::init().expect("GStreamer starts");
    let pipeline = gst::parse::launch(
        "filesrc name=file ! decodebin name=decode \
         decode. ! video/x-raw ! fakesink name=sink sync=false",
    )
    .expect("decodebin is installed")
    .downcast::<gst::Pipeline>()
    .expect("a launch line makes a pipeline");
    pipeline
        .by_name("file")
        .expect("named")
        .set_property("location", path);
    pipeline
        .set_state(gst::State::Playing)
        .expect("a file can be opened");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(120), &ends);
    let stats = pipeline
        .by_name("sink")
        .expect("named")
        .property::<gst::Structure>("stats");
    pipeline.set_state(gst::State::Null).expect("it stops");
    let end = end.unwrap_or_else(|| panic!("{} does not end within 120 s", path.display()));
    assert_eq!(
        end.type_(),
        gst::MessageType::Eos,
        "{}: {end:?}",
        path.display()
    );
    stats.get("rendered").expect("sinks count")
}
