// SPDX-License-Identifier: MPL-2.0
//! The tools the tests ask, and what they answer.

use std::path::Path;
use std::process::{Command, Output};

/// Runs a tool and gives its output back, whatever its exit code.
pub fn output(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} did not start: {error}"))
}

/// Runs a tool that must succeed, and returns what it printed.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = output(program, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// One value that ffprobe reports, e.g. `("format", "duration")` or `("v:0", "color_space")`.
#[track_caller]
pub fn probe(path: &Path, section: &str, entry: &str) -> String {
    let entries = if section == "format" {
        format!("format={entry}")
    } else {
        format!("stream={entry}")
    };
    let mut arguments = vec!["-v", "error", "-show_entries", &entries];
    if section != "format" {
        arguments.extend(["-select_streams", section]);
    }
    arguments.extend(["-of", "default=nk=1:nw=1", text(path)]);
    run("ffprobe", &arguments).trim().to_owned()
}

/// Decodes a whole file with ffmpeg and returns what it had to complain about.
pub fn complaints(path: &Path) -> String {
    let arguments = ["-v", "warning", "-xerror", "-i", text(path), "-map", "0"];
    let output = output("ffmpeg", &[&arguments[..], &["-f", "null", "-"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        stderr
    } else {
        format!("{}: {stderr}", output.status)
    }
}

/// One decoded frame: stream, presentation time in seconds, and its digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    pub stream: usize,
    pub seconds: f64,
    pub digest: String,
}

/// Every frame of a file from time zero on, as ffmpeg decodes it.
#[track_caller]
pub fn decode(path: &Path) -> Vec<Decoded> {
    let input = ["-v", "error", "-copyts", "-i", text(path), "-map", "0"];
    // Not rounded to whole frames: the times of the container.
    let exact = ["-fps_mode", "passthrough", "-enc_time_base", "-1"];
    let output = ["-f", "framemd5", "-"];
    let listing = run("ffmpeg", &[&input[..], &exact, &output].concat());
    let mut time_bases = Vec::new();
    let mut frames = Vec::new();
    for line in listing.lines() {
        if let Some(time_base) = line.strip_prefix("#tb ") {
            let (_, fraction) = time_base.split_once(": ").expect("a time base");
            let (numerator, denominator) = fraction.split_once('/').expect("a fraction");
            time_bases.push(number(numerator) / number(denominator));
        } else if !line.starts_with('#') {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let stream: usize = fields[0].parse().expect("a stream");
            frames.push(Decoded {
                stream,
                seconds: number(fields[2]) * time_bases[stream],
                digest: fields[5].to_owned(),
            });
        }
    }
    frames.retain(|frame| frame.seconds >= 0.0);
    frames.sort_by(|a, b| {
        (a.stream, a.seconds)
            .partial_cmp(&(b.stream, b.seconds))
            .expect("no NaN")
    });
    frames
}

/// A number that a tool printed.
#[track_caller]
pub fn number(text: &str) -> f64 {
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{text:?} is not a number"))
}
