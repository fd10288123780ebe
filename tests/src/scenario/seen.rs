// SPDX-License-Identifier: MPL-2.0
//! What is in an archive, by ffmpeg: each segment's frames as they are stored and as they are shown.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cutting::played::{self, Played};
use crate::frames::{Codec, Hash};
use crate::recording::{self, Recorded};

/// A frame of video in a segment.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Its slices.
    pub picture: Hash,
    /// When it is shown, in the segment's own time.
    pub pts_ns: i64,
    /// When it was, by the segment's name and its own time.
    pub utc_ns: i64,
}

/// A segment.
pub struct Segment {
    /// Its file and what its name says.
    pub recorded: Recorded,
    /// Its video, in the order stored.
    pub stored: Vec<Stored>,
    /// As it is played.
    pub played: Played,
    /// Its audio, as bytes: without ADTS headers.
    pub audio: Vec<u8>,
}

/// Reads all segments of an archive, oldest first.
pub fn segments(root: &Path, stream: &str, variant: &str, codec: Codec) -> Vec<Segment> {
    if !root.join(stream).join(variant).exists() {
        return Vec::new();
    }
    let recorded = recording::segments(root, stream, variant);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths: Vec<PathBuf> = recorded
        .iter()
        .map(|segment| segment.path.clone())
        .collect();
    let mut all = Vec::new();
    for (recorded, path) in recorded.into_iter().zip(&paths) {
        let played = played::what_there_is(path, folder.path());
        let mut stored = stored(path, codec, folder.path());
        // By the keyframe that it begins with, which is what its name tells of.
        let first_ns = stored.first().map_or(0, |first| first.pts_ns);
        for frame in &mut stored {
            frame.utc_ns = recorded.start_ns + frame.pts_ns - first_ns;
        }
        let audio = audio(path, folder.path());
        all.push(Segment {
            recorded,
            stored,
            played,
            audio,
        });
    }
    all
}

fn ffmpeg(path: &Path, arguments: &str, output: &Path) -> Vec<u8> {
    let _ = Command::new("ffmpeg")
        .args("-nostdin -v quiet -y -copyts -i".split(' '))
        .arg(path)
        .args(arguments.split(' '))
        .arg(output)
        .output();
    let bytes = std::fs::read(output).unwrap_or_default();
    let _ = std::fs::remove_file(output);
    bytes
}

/// The frames of a file's video, as access units of a byte stream and their times.
fn stored(path: &Path, codec: Codec, folder: &Path) -> Vec<Stored> {
    let (filter, format) = match codec {
        Codec::H264 => ("h264_mp4toannexb", "h264"),
        _ => ("hevc_mp4toannexb", "hevc"),
    };
    let copy = format!("-map 0:v:0 -c copy -bsf:v {filter} -f");
    let stream = ffmpeg(path, &format!("{copy} {format}"), &folder.join("stream"));
    let packets = ffmpeg(path, &format!("{copy} framecrc"), &folder.join("packets"));
    let packets = played::packets(&String::from_utf8_lossy(&packets));
    let mut rest = stream.as_slice();
    let mut frames = Vec::new();
    for packet in packets {
        let (unit, others) = rest.split_at(packet.bytes.min(rest.len()));
        rest = others;
        frames.push(Stored {
            picture: codec.picture(unit),
            pts_ns: packet.pts_ns,
            utc_ns: 0,
        });
    }
    frames
}

/// The bytes of a file's audio, frame after frame.
fn audio(path: &Path, folder: &Path) -> Vec<u8> {
    let is_ts = path.extension().is_some_and(|extension| extension == "ts");
    let filter = if is_ts { " -bsf:a aac_adtstoasc" } else { "" };
    let arguments = format!("-map 0:a:0? -c copy{filter} -f data");
    ffmpeg(path, &arguments, &folder.join("audio"))
}
