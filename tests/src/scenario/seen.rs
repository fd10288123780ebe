// SPDX-License-Identifier: MPL-2.0
//! What is in an archive, by ffmpeg: each segment's frames as they are stored and as they are shown.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cutting::played::{self, Packet, Played, Tracks};
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
    let played = played::what_there_is(&paths, folder.path());
    let tracks: Vec<Tracks> = played.iter().map(|(tracks, _)| *tracks).collect();
    let copied = copy(&paths, &tracks, codec, folder.path());
    let mut all = Vec::new();
    for ((recorded, (_, played)), (mut stored, audio)) in
        recorded.into_iter().zip(played).zip(copied)
    {
        // By the keyframe that it begins with, which is what its name tells of.
        let first_ns = stored.first().map_or(0, |first| first.pts_ns);
        for frame in &mut stored {
            frame.utc_ns = recorded.start_ns + frame.pts_ns - first_ns;
        }
        all.push(Segment {
            recorded,
            stored,
            played,
            audio,
        });
    }
    all
}

/// The frames of each file's video, and the bytes of its audio.
fn copy(
    paths: &[PathBuf],
    tracks: &[Tracks],
    codec: Codec,
    folder: &Path,
) -> Vec<(Vec<Stored>, Vec<u8>)> {
    let (filter, format) = match codec {
        Codec::H264 => ("h264_mp4toannexb", "h264"),
        _ => ("hevc_mp4toannexb", "hevc"),
    };
    // ffmpeg takes longer to start than to copy a segment: all at once.
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args("-nostdin -v quiet -y -copyts".split(' '));
    for path in paths {
        ffmpeg.arg("-i").arg(path);
    }
    for (number, (path, tracks)) in paths.iter().zip(tracks).enumerate() {
        let copy = format!("-map {number}:v:0 -c copy -bsf:v {filter} -f");
        for (what, format) in [("stream", format), ("packets", "framecrc")] {
            if tracks.video {
                ffmpeg.args(format!("{copy} {format}").split(' '));
                ffmpeg.arg(folder.join(format!("{number}.{what}")));
            }
        }
        if tracks.audio {
            ffmpeg.args(format!("-map {number}:a:0 -c copy").split(' '));
            if path.extension().is_some_and(|extension| extension == "ts") {
                ffmpeg.args(["-bsf:a", "aac_adtstoasc"]);
            }
            ffmpeg.args(["-f", "data"]);
            ffmpeg.arg(folder.join(format!("{number}.audio")));
        }
    }
    let _ = ffmpeg.output();
    let read = |number: usize, what: &str| {
        std::fs::read(folder.join(format!("{number}.{what}"))).unwrap_or_default()
    };
    let one = |number| {
        let packets = read(number, "packets");
        let packets = played::packets(&String::from_utf8_lossy(&packets));
        let stream = read(number, "stream");
        (stored(codec, &stream, &packets), read(number, "audio"))
    };
    (0..paths.len()).map(one).collect()
}

/// The frames of a byte stream of which the packets are known.
fn stored(codec: Codec, stream: &[u8], packets: &[Packet]) -> Vec<Stored> {
    let mut rest = stream;
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
