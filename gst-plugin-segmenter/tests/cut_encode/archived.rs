// SPDX-License-Identifier: MPL-2.0
//! Whole cuts of a stream of 25 pictures a second, held against what was recorded: by ffmpeg picture
//! by picture, and GStreamer has to see the same.

use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use gst::prelude::*;
use gstsegmenter::archive::Archive;
use gstsegmenter::archivesink::{ArchiveSink, WallClock};
use gstsegmenter::cut::{self, FrameCache, Gaps, Request, Type};
use gstsegmenter::media::VirtualMp4;
use gstsegmenter::utc::UtcNs;

use crate::support::{ALIKE_DB, silent, text};

const START: &str = "2026-11-20T10:31:06Z";
const FRAME_NS: i64 = 40_000_000;
pub const WIDTH: usize = 320;
pub const HEIGHT: usize = 176;
/// Moving shapes with noise on top, as `ffmpeg -i` takes it; the rest is its length in seconds.
pub const NOISY: &str = "testsrc2=size=320x176:rate=25,noise=alls=12:allf=t,trim=duration=";

/// An archive of one stream.
pub struct Archived {
    folder: tempfile::TempDir,
    archive: Archive,
    /// As ffmpeg calls the form of its pictures.
    form: String,
    /// The pictures as they are decoded.
    pictures: Vec<Vec<u8>>,
}

impl Archived {
    /// A file that somebody else made, as the one segment of its stream.
    pub fn foreign(file: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let pictures = Self::in_folder(folder, file);
        let hour = pictures.folder.path().join("cam/source/2026-11-20T10");
        fs::create_dir_all(&hour).expect("a folder");
        let seconds = pictures.pictures.len() as f64 / 25.0;
        let extension = file.extension().and_then(|name| name.to_str());
        let extension = extension.expect("a name that tells the container");
        let hash = "A".repeat(43);
        let name = format!("31:06.0-{seconds}-full-{hash}.{extension}");
        fs::copy(file, hour.join(name)).expect("copied");
        pictures
    }

    /// What `archivesink` makes of a file.
    pub fn recorded(file: &Path, demuxer: &str, parser: &str, container: &str) -> Self {
        static INIT: Once = Once::new();
        INIT.call_once(|| {
            gst::init().expect("GStreamer starts");
            gstsegmenter::plugin_register_static().expect("the plugin registers");
        });
        let folder = tempfile::tempdir().expect("a folder");
        let line = format!(
            "filesrc name=file ! {demuxer} ! {parser} ! \
             archivesink name=archive stream=cam container={container}"
        );
        let pipeline = gst::parse::launch(&line).expect("all of it is installed");
        let pipeline = pipeline
            .downcast::<gst::Pipeline>()
            .expect("several elements");
        let named = |name| pipeline.by_name(name).expect("it is in the text");
        named("file").set_property("location", text(file));
        let sink = named("archive");
        sink.set_property("location", text(folder.path()));
        let sink = sink.downcast::<ArchiveSink>().expect("it is one");
        let start = UtcNs::parse(START).expect("a time");
        sink.set_wall_clock(WallClock::new(move || start));
        pipeline.use_clock(Some(&gst_check::TestClock::new()));
        pipeline.set_state(gst::State::Playing).expect("it starts");
        let bus = pipeline.bus().expect("a pipeline has one");
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends);
        pipeline.set_state(gst::State::Null).expect("it stops");
        let end = end.expect("an end");
        assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
        Self::in_folder(folder, file)
    }

    fn in_folder(folder: tempfile::TempDir, file: &Path) -> Self {
        let entries = ["-select_streams", "v:0", "-show_entries", "stream=pix_fmt"];
        let probe = [
            &["-v", "error"],
            &entries[..],
            &["-of", "csv=p=0", text(file)],
        ];
        let probe = String::from_utf8(silent("ffprobe", &probe.concat())).expect("text");
        let form = probe.lines().next().unwrap_or_default();
        let form = form.trim_matches(',').to_owned();
        Self {
            archive: Archive::open(folder.path()).expect("an archive"),
            pictures: pictures_of(file, &form).expect("the source is sound"),
            form,
            folder,
        }
    }

    /// Cuts pictures, by their numbers; several ranges are joined. What is wrong with the result is
    /// said.
    pub fn try_cut(&self, kind: Type, extension: &str, ranges: &[Range<usize>]) -> Option<String> {
        let path = self.path(extension);
        let encoded = match self.write(kind, &path, ranges) {
            Ok(encoded) => encoded,
            Err(error) => return Some(error),
        };
        let wanted = ranges.iter().flat_map(|range| match kind {
            // There is but one segment where this is asked for.
            Type::Rough => 0..self.pictures.len(),
            _ => range.clone(),
        });
        let wanted: Vec<usize> = wanted.collect();
        let shown = match pictures_of(&path, &self.form) {
            Ok(shown) => shown,
            Err(said) => return Some(format!("ffmpeg says: {said}")),
        };
        if shown.len() != wanted.len() {
            return Some(format!("{} pictures for {}", shown.len(), wanted.len()));
        }
        let mut others = 0;
        for (at, number) in wanted.iter().enumerate() {
            let psnr_db = self.psnr_db(&shown[at], &self.pictures[*number]);
            if psnr_db < ALIKE_DB {
                return Some(format!("picture {at}: {psnr_db:.1} dB"));
            }
            others += usize::from(shown[at] != self.pictures[*number]);
        }
        if others > encoded {
            return Some(format!("{others} pictures differ, {encoded} were encoded"));
        }
        let seen = lumas_in_gstreamer(&path, self.luma_bytes());
        if seen.len() != shown.len() {
            return Some(format!("GStreamer: {} for {}", seen.len(), shown.len()));
        }
        let lumas = shown.iter().map(|shown| &shown[..self.luma_bytes()]);
        let same = lumas.zip(&seen).position(|(shown, seen)| *seen != *shown);
        same.map(|at| format!("GStreamer: picture {at} is another"))
    }

    /// Cuts every range of a list in every way of a list; each cut must be exact.
    #[track_caller]
    pub fn is_exact(&self, ways: &[(Type, &str)], ranges: &[&[Range<usize>]]) {
        let mut faults = Vec::new();
        for ranges in ranges {
            for (kind, extension) in ways {
                if let Some(fault) = self.try_cut(*kind, extension, ranges) {
                    faults.push(format!("{kind} to {extension} of {ranges:?}: {fault}"));
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    pub fn path(&self, extension: &str) -> PathBuf {
        self.folder.path().join(format!("cut.{extension}"))
    }

    /// Writes a cut; returns how many pictures were encoded.
    pub fn write(&self, kind: Type, path: &Path, ranges: &[Range<usize>]) -> Result<usize, String> {
        let start = UtcNs::parse(START).expect("a time");
        let time = |number: usize| {
            let since_ns = i64::try_from(number).expect("few") * FRAME_NS;
            start + (since_ns - FRAME_NS / 4)
        };
        let between = |range: &Range<usize>| (time(range.start), time(range.end));
        let request = Request {
            stream: "cam".to_owned(),
            variant: "source".to_owned(),
            ranges: ranges.iter().map(between).collect(),
            kind,
            allow_holes: true,
            gaps: Gaps::Close,
        };
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let cache = FrameCache::default();
        let cut = cut::compose(&self.archive, &cache, &request, &Default::default());
        let cut = cut.map_err(|error| said(&error))?;
        let encoded = cut.summary.encoded;
        let mut file = File::create(path).map_err(|error| said(&error))?;
        if path.extension().is_some_and(|name| name == "ts") {
            cut::write_ts(&cut, &mut file, |_| ()).map_err(|error| said(&error))?;
        } else {
            let start = cut.summary.start;
            let mp4 = VirtualMp4::new(cut.assembly, start).map_err(|error| said(&error))?;
            let written = mp4.copy_to(0, mp4.bytes(), &mut file);
            written.map_err(|error| said(&error))?;
        }
        Ok(encoded)
    }

    /// Bits of a sample.
    fn depth(&self) -> u32 {
        match self.form.as_str() {
            form if form.ends_with("10le") => 10,
            form if form.ends_with("12le") => 12,
            _ => 8,
        }
    }

    fn luma_bytes(&self) -> usize {
        WIDTH * HEIGHT * if self.depth() > 8 { 2 } else { 1 }
    }

    fn psnr_db(&self, one: &[u8], other: &[u8]) -> f64 {
        if one == other {
            return f64::INFINITY;
        }
        let squares: f64 = match self.depth() {
            8 => squares(one.iter().copied(), other.iter().copied()),
            _ => squares(deep(one), deep(other)),
        };
        let most = f64::from((1_u32 << self.depth()) - 1);
        let samples = one.len() as f64 / if self.depth() > 8 { 2.0 } else { 1.0 };
        10.0 * (most * most * samples / squares).log10()
    }
}

fn deep(bytes: &[u8]) -> impl Iterator<Item = u16> {
    let pairs = bytes.as_chunks().0.iter();
    pairs.map(|pair| u16::from_le_bytes(*pair))
}

fn squares<T: Into<f64>>(one: impl Iterator<Item = T>, other: impl Iterator<Item = T>) -> f64 {
    let pairs = one.zip(other);
    pairs
        .map(|(one, other)| (one.into() - other.into()).powi(2))
        .sum()
}

/// The pictures of a file as ffmpeg decodes them, or what it says.
fn pictures_of(file: &Path, form: &str) -> Result<Vec<Vec<u8>>, String> {
    let luma = WIDTH * HEIGHT;
    let deep = if form.ends_with("le") { 2 } else { 1 };
    let samples = match form.trim_end_matches("10le").trim_end_matches("12le") {
        "gray" => luma,
        "yuv420p" | "yuvj420p" => luma * 3 / 2,
        "yuv422p" => luma * 2,
        "yuv444p" => luma * 3,
        other => panic!("{other}"),
    };
    let output = "-autoscale 0 -fps_mode passthrough -f rawvideo";
    let ended = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "warning", "-xerror", "-i", text(file)])
        .args(output.split(' '))
        .args(match form {
            // What is encoded in their place has chroma, which says nothing.
            "gray" => ["-vf", "extractplanes=y"],
            form => ["-pix_fmt", form],
        })
        .arg("-")
        .output()
        .expect("ffmpeg is installed");
    if !ended.status.success() || !ended.stderr.is_empty() {
        let said = String::from_utf8_lossy(&ended.stderr);
        return Err(said.lines().take(2).collect::<Vec<_>>().join(" / "));
    }
    let pictures = ended.stdout.chunks(samples * deep);
    Ok(pictures.map(<[u8]>::to_vec).collect())
}

/// The luma of each picture that GStreamer shows of a file.
fn lumas_in_gstreamer(file: &Path, bytes: usize) -> Vec<Vec<u8>> {
    gst::init().expect("GStreamer starts");
    let line = "filesrc name=file ! decodebin force-sw-decoders=true ! video/x-raw ! \
                appsink name=shown sync=false";
    let pipeline = gst::parse::launch(line).expect("decodebin is installed");
    let pipeline = pipeline
        .downcast::<gst::Pipeline>()
        .expect("several elements");
    let named = |name| pipeline.by_name(name).expect("it is in the text");
    named("file").set_property("location", text(file));
    let shown = named("shown")
        .downcast::<gst_app::AppSink>()
        .expect("it is one");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let mut lumas = Vec::new();
    let bus = pipeline.bus().expect("a pipeline has one");
    while !shown.is_eos() && bus.pop_filtered(&[gst::MessageType::Error]).is_none() {
        let Some(sample) = shown.try_pull_sample(gst::ClockTime::from_seconds(2)) else {
            continue;
        };
        let buffer = sample.buffer().expect("a sample has one");
        let picture = buffer.map_readable().expect("it is in memory");
        lumas.push(picture.get(..bytes).unwrap_or_default().to_vec());
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    lumas
}
