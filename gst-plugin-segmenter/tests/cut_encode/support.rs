// SPDX-License-Identifier: MPL-2.0
//! Material, what is fed of it, and what the result looks like.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gstsegmenter::cut::encode::{EncodeError, Encoded, Feed, Job, Options, Sets, reencode};
use gstsegmenter::media::{Index, IndexTrack};

/// Below this a picture counts as another one. The promise is 45 dB.
pub const ALIKE_DB: f64 = 45.0;

/// Moving shapes with noise on top.
pub const NOISY: &str = "testsrc2=size=320x176:rate=25:duration=3,noise=alls=12:allf=t";

/// A video in fragmented MP4, with its folder.
pub struct Video {
    pub folder: tempfile::TempDir,
    pub path: PathBuf,
    pub track: IndexTrack,
    bytes: Vec<u8>,
    pictures: OnceCell<Vec<Vec<f32>>>,
}

/// Runs a tool that must succeed without a word; returns what it put out.
#[track_caller]
pub fn silent(program: &str, arguments: &[&str]) -> Vec<u8> {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} did not start: {error}"));
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(
        status.success() && stderr.is_empty(),
        "{arguments:?}: {stderr}"
    );
    stdout
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

impl Video {
    /// Encodes a picture that ffmpeg makes up; options as on its command line.
    #[track_caller]
    pub fn encoded(picture: &str, options: &str) -> Self {
        Self::from_ffmpeg(&["-f", "lavfi", "-i", picture], options)
    }

    #[track_caller]
    pub fn from_ffmpeg(input: &[&str], options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("source.mp4");
        let mut arguments = vec!["-v", "error", "-y"];
        arguments.extend(input);
        arguments.extend(options.split_whitespace());
        let fragments = "+frag_keyframe+empty_moov+default_base_moof";
        arguments.extend(["-an", "-movflags", fragments, text(&path)]);
        silent("ffmpeg", &arguments);
        let index = Index::read(File::open(&path).expect("written")).expect("readable");
        let track = index.tracks.into_iter().find(|track| track.is_video);
        Self {
            track: track.expect("a video track"),
            bytes: fs::read(&path).expect("readable"),
            path,
            folder,
            pictures: OnceCell::new(),
        }
    }

    pub fn job(&self, options: Options) -> Job {
        Job {
            entry: self.track.sample_entry.clone(),
            timescale: self.track.timescale,
            options,
        }
    }

    /// All times at which a picture is shown, in order.
    pub fn shown(&self) -> Vec<i64> {
        let mut shown: Vec<i64> = self.track.samples.iter().map(|sample| sample.pts).collect();
        shown.sort_unstable();
        shown
    }

    /// What a decoder needs for the pictures that are the n-th shown: from the last keyframe that
    /// is shown no later than the first of them, to the last of them in decoding order.
    pub fn feed(&self, wanted: Range<usize>) -> Vec<Feed> {
        let shown = self.shown();
        let keep = &shown[wanted];
        let samples = &self.track.samples;
        let is_start = |at: &usize| samples[*at].sync && samples[*at].pts <= keep[0];
        let start = (0..samples.len()).rfind(is_start).expect("a keyframe");
        let is_kept = |at: &usize| keep.contains(&samples[*at].pts);
        let end = (0..samples.len()).rfind(is_kept).expect("kept") + 1;
        let feed = |at: usize| {
            let sample = &samples[at];
            let from = usize::try_from(sample.offset).expect("small");
            Feed {
                pts: sample.pts,
                dts: sample.dts,
                duration: sample.duration,
                is_entry: sample.sync,
                keep: is_kept(&at),
                sample: self.bytes[from..from + sample.bytes as usize].to_vec(),
                entry: None,
            }
        };
        (start..end).map(feed).collect()
    }

    /// Encodes the pictures anew that are the n-th shown, and holds them against the source.
    #[track_caller]
    pub fn check(&self, wanted: Range<usize>) -> Edge {
        let (sets, frames) = run(self.job(Options::default()), self.feed(wanted.clone()))
            .expect("the source is sound");
        let times: Vec<i64> = frames.iter().map(|frame| frame.pts).collect();
        assert_eq!(
            times,
            self.shown()[wanted.clone()],
            "the times of the pictures"
        );
        let edge = Edge { sets, frames };
        let source = self.pictures.get_or_init(|| pictures(&self.path, "mp4"));
        let file = self.folder.path().join("edge");
        fs::write(&file, edge.byte_stream()).expect("written");
        let again = pictures(&file, if self.is_h265() { "hevc" } else { "h264" });
        assert_eq!(again.len(), wanted.len(), "pictures that ffmpeg decodes");
        for (at, (again, source)) in again.iter().zip(&source[wanted]).enumerate() {
            let psnr_db = psnr_db(again, source);
            assert!(
                psnr_db >= ALIKE_DB,
                "picture {at}: {psnr_db} dB ({})",
                text(&self.path)
            );
        }
        edge
    }

    pub fn is_h265(&self) -> bool {
        self.track.codec() == *b"hvc1"
    }
}

/// Encodes a feed anew.
pub fn run(job: Job, feed: Vec<Feed>) -> Result<(Sets, Vec<Encoded>), EncodeError> {
    reencode(job, feed.into_iter().map(io::Result::Ok))
}

/// Pictures that were encoded anew.
pub struct Edge {
    pub sets: Sets,
    pub frames: Vec<Encoded>,
}

impl Edge {
    /// As a stream of H.264 or H.265 Annex B.
    pub fn byte_stream(&self) -> Vec<u8> {
        let mut stream = Vec::new();
        let frames = self.frames.iter();
        let units = frames.flat_map(|frame| units(&frame.sample, self.sets.length_bytes));
        for unit in self.sets.all().chain(units) {
            stream.extend([0, 0, 0, 1]);
            stream.extend(unit);
        }
        stream
    }
}

/// The NAL units of a sample.
pub fn units(sample: &[u8], length_bytes: usize) -> impl Iterator<Item = &[u8]> {
    gstsegmenter::media::nal::in_sample(sample, length_bytes)
}

/// The samples of each picture of a file, as ffmpeg decodes them.
#[track_caller]
pub fn pictures(path: &Path, format: &str) -> Vec<Vec<f32>> {
    let input = ["-v", "warning", "-xerror", "-f", format, "-i", text(path)];
    let output = ["-fps_mode", "passthrough", "-f", "rawvideo", "-"];
    let samples = silent("ffmpeg", &[&input[..], &output[..]].concat());
    let entries = ["-select_streams", "v:0", "-show_entries"];
    let entries = [
        &entries[..],
        &["stream=width,height,pix_fmt", "-of", "csv=p=0"],
    ]
    .concat();
    let probe = [&["-v", "error", "-f", format][..], &entries, &[text(path)]].concat();
    let probe = String::from_utf8(silent("ffprobe", &probe)).expect("text");
    let fields: Vec<&str> = probe.trim().split(',').collect();
    let number = |at: usize| fields[at].parse::<usize>().expect("a size");
    let pixels = number(0) * number(1);
    let (planar, is_deep) = match fields[2].strip_suffix("10le") {
        Some(planar) => (planar, true),
        None => (fields[2], false),
    };
    let count = match planar {
        "yuv420p" | "yuvj420p" => pixels * 3 / 2,
        "yuv422p" => pixels * 2,
        "yuv444p" => pixels * 3,
        other => panic!("{other}"),
    };
    let samples: Vec<f32> = if is_deep {
        let pairs = samples.as_chunks().0.iter();
        pairs
            .map(|pair| f32::from(u16::from_le_bytes(*pair)) / 1023.0)
            .collect()
    } else {
        samples
            .iter()
            .map(|sample| f32::from(*sample) / 255.0)
            .collect()
    };
    let pictures: Vec<Vec<f32>> = samples.chunks(count).map(<[f32]>::to_vec).collect();
    assert!(pictures.iter().all(|picture| picture.len() == count));
    pictures
}

/// Peak signal to noise of two pictures, over all their samples, which run from 0 to 1.
pub fn psnr_db(one: &[f32], other: &[f32]) -> f64 {
    let squares = one.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2));
    let error = squares.sum::<f64>() / one.len() as f64;
    -10.0 * error.max(1e-12).log10()
}
