// SPDX-License-Identifier: MPL-2.0
//! What is in an archive, as ffmpeg, ffprobe and the archive's own index see it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use gstsegmenter::archive::{Archive, Container, Coverage, SegmentName};
use gstsegmenter::media::Index;
use gstsegmenter::utc::UtcNs;

use super::rig::STREAM;

/// Times are kept to a tick of 90 kHz (MPEG-TS) or of the sample rate, and NTP time in `prft`.
const TOLERANCE_NS: i64 = 1_000_000;

/// One segment of the archive and the UTC of its frames, in the order of their tracks.
#[derive(Clone, Debug)]
pub struct Segment {
    pub name: SegmentName,
    pub path: PathBuf,
    /// Of the pictures, in the order shown; empty where there are none.
    pub video: Vec<UtcNs>,
    /// Of each track of sound.
    pub audio: Vec<Vec<UtcNs>>,
}

/// The segments of an archive, in the order of their starts, each opened.
pub fn segments(root: &Path) -> Vec<Segment> {
    let archive = Archive::open(root).expect("an archive");
    let hours = archive.hours(STREAM, "source").expect("a stream");
    let in_hour = |hour| archive.segments(STREAM, "source", hour).expect("an hour");
    let segments = hours.into_iter().flat_map(in_hour);
    segments
        .map(|segment| open(segment.name, segment.path()))
        .collect()
}

fn open(name: SegmentName, path: PathBuf) -> Segment {
    let (mut video, mut audio) = match name.container {
        Container::Mp4 => mp4_times(&path),
        Container::Ts => ts_times(&name, &path),
    };
    video.sort_unstable();
    audio.iter_mut().for_each(|track| track.sort_unstable());
    Segment {
        name,
        path,
        video,
        audio,
    }
}

fn mp4_times(path: &Path) -> (Vec<UtcNs>, Vec<Vec<UtcNs>>) {
    let index = Index::read(File::open(path).expect("a segment")).expect("readable");
    let (mut video, mut audio) = (Vec::new(), Vec::new());
    for track in &index.tracks {
        let samples = track.samples.iter();
        let times = samples
            .map(|sample| sample.utc.expect("our files say when"))
            .collect();
        match track.is_video {
            true => video = times,
            false => audio.push(times),
        }
    }
    (video, audio)
}

/// PTS is UTC in ticks of 90 kHz, modulo 2^33, and an hour of the muxer's own.
fn ts_times(name: &SegmentName, path: &Path) -> (Vec<UtcNs>, Vec<Vec<UtcNs>>) {
    const MUXER_TICKS: i128 = 3600 * 90_000;
    const WRAP: i128 = 1 << 33;
    let start_ticks = i128::from(name.start.0) * 9 / 100_000;
    let utc = |pts: i64| {
        let ahead = (i128::from(pts) - MUXER_TICKS - start_ticks).rem_euclid(WRAP);
        let ahead = if ahead > WRAP / 2 {
            ahead - WRAP
        } else {
            ahead
        };
        let ns = (start_ticks + ahead) * 100_000 / 9;
        UtcNs(i64::try_from(ns).expect("near the start"))
    };
    let mut tracks: Vec<(bool, Vec<UtcNs>)> = Vec::new();
    let found = probe(
        path,
        &["-show_entries", "stream=codec_type:packet=stream_index,pts"],
    );
    for stream in found["streams"].as_array().expect("streams") {
        tracks.push((stream["codec_type"] == "video", Vec::new()));
    }
    for packet in found["packets"].as_array().expect("packets") {
        let stream = packet["stream_index"].as_u64().expect("a number") as usize;
        let pts = packet["pts"].as_i64();
        tracks[stream].1.extend(pts.map(utc));
    }
    let video = tracks.iter().find(|(video, _)| *video);
    let video = video.map_or(Vec::new(), |(_, times)| times.clone());
    let audio = tracks.into_iter().filter(|(video, _)| !video);
    (video, audio.map(|(_, times)| times).collect())
}

/// What ffprobe says.
pub fn probe(path: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json"])
        .args(arguments)
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}", path.display());
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Decodes a file and gives back what ffmpeg had to complain about.
pub fn complaints(path: &Path) -> String {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "warning", "-xerror", "-i"])
        .arg(path)
        // Else the null muxer counts in frames of the average rate, and complains of a variable one.
        .args([
            "-map",
            "0",
            "-fps_mode",
            "passthrough",
            "-enc_time_base:v",
            "-1",
        ])
        .args(["-f", "null", "-"])
        .output()
        .expect("ffmpeg is installed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => said,
        false => format!("{}: {said}", output.status),
    }
}

/// Every segment decodes alone, in silence.
#[track_caller]
pub fn assert_each_decodes(segments: &[Segment]) {
    for segment in segments {
        let complaints = complaints(&segment.path);
        assert!(
            complaints.is_empty(),
            "{}: {complaints}",
            segment.path.display()
        );
    }
}

/// The pictures of all segments, in the order shown.
pub fn video(segments: &[Segment]) -> Vec<UtcNs> {
    sorted(segments.iter().flat_map(|segment| &segment.video))
}

/// A track of sound of all segments.
pub fn audio(segments: &[Segment], track: usize) -> Vec<UtcNs> {
    sorted(
        segments
            .iter()
            .flat_map(|segment| segment.audio.get(track).into_iter().flatten()),
    )
}

fn sorted<'a>(times: impl Iterator<Item = &'a UtcNs>) -> Vec<UtcNs> {
    let mut times: Vec<_> = times.copied().collect();
    times.sort_unstable();
    times
}

/// Each expected frame is there once, at its time, and no other.
#[track_caller]
pub fn assert_same_times(what: &str, found: &[UtcNs], expected: &[UtcNs]) {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let near = |one: &UtcNs, other: &UtcNs| (*one - *other).abs() <= TOLERANCE_NS;
    let at = found
        .iter()
        .zip(&expected)
        .position(|(one, other)| !near(one, other));
    if let Some(at) = at {
        panic!(
            "{what}: {} found, {} expected; number {at} is at {} and should be at {}",
            found.len(),
            expected.len(),
            found[at],
            expected[at]
        );
    }
    assert_eq!(
        found.len(),
        expected.len(),
        "{what}: all before are where they should be"
    );
}

/// Coverage of the archive in a range.
pub fn coverage(root: &Path, from: UtcNs, to: UtcNs) -> Coverage {
    let archive = Archive::open(root).expect("an archive");
    archive
        .coverage(STREAM, "source", from, to)
        .expect("a stream")
}
