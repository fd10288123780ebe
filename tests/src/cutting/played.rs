// SPDX-License-Identifier: MPL-2.0
//! Files as ffmpeg and GStreamer play them: which pictures, when, and which sound.
//!
//! ffmpeg takes longer to start than to decode a small cut, so it is given many files at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gst::prelude::*;

/// A packet as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it is to be decoded.
    pub dts_ns: i64,
    /// When it is shown or sounds.
    pub pts_ns: i64,
    /// For how long.
    pub duration_ns: i64,
    /// How many bytes it has.
    pub bytes: usize,
    /// MD5 of its bytes.
    pub md5: String,
}

impl Packet {
    /// When it is over.
    pub fn end_ns(&self) -> i64 {
        self.pts_ns + self.duration_ns
    }
}

/// What was played of a file.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// What ffmpeg complained of; empty is silence.
    pub said: String,
    /// When each picture is shown, in the order shown.
    pub picture_times_ns: Vec<i64>,
    /// All pictures, one after the other: luma, then the two of chroma, each in full.
    pub pictures: Vec<u8>,
    /// Pictures as they are stored, with what edit lists hide if the player reads it.
    pub picture_packets: Vec<Packet>,
    /// 16 bit samples, the channels in turn.
    pub sound: Vec<i16>,
    /// Packets of sound; AAC without ADTS.
    pub sound_packets: Vec<Packet>,
}

impl Played {
    /// A picture, if all are of one size.
    pub fn picture(&self, number: usize) -> &[u8] {
        let bytes = self.pictures.len() / self.picture_times_ns.len().max(1);
        self.pictures
            .get(number * bytes..(number + 1) * bytes)
            .unwrap_or_default()
    }
}

/// What each of some files is written to.
const OUTPUTS: [(&str, &str); 5] = [
    (
        "times",
        "-map :v -fps_mode passthrough -enc_time_base -1 -pix_fmt yuv420p -f framecrc",
    ),
    (
        "pictures",
        // Each picture in its own size.
        "-map :v -autoscale 0 -fps_mode passthrough -enc_time_base -1 -pix_fmt yuv420p -f rawvideo",
    ),
    ("picture-packets", "-map :v -c copy -f framemd5"),
    ("sound", "-map :a? -f s16le"),
    ("sound-packets", "-map :a? -c copy -f framemd5"),
];

/// Plays files of pictures and sound, all at once, by way of `folder`.
///
/// # Panics
/// When ffmpeg is not installed.
pub fn by_ffmpeg(files: &[PathBuf], folder: &Path) -> Vec<Played> {
    by_ffmpeg_to(&OUTPUTS, files, folder)
}

/// Plays files, each of which may have pictures, sound or both, and tells of each which it has.
///
/// # Panics
/// When ffmpeg is not installed.
pub fn what_there_is(files: &[PathBuf], folder: &Path) -> Vec<(Tracks, Played)> {
    let tracks: Vec<Tracks> = files.iter().map(|file| Tracks::of(file)).collect();
    let mut played: Vec<Option<Played>> = files.iter().map(|_| None).collect();
    for alike in [(true, false), (false, true), (true, true)] {
        let is_alike = |number: &usize| (tracks[*number].video, tracks[*number].audio) == alike;
        let numbers: Vec<usize> = (0..files.len()).filter(is_alike).collect();
        if numbers.is_empty() {
            continue;
        }
        let is_there = |name: &str| {
            if name.starts_with("sound") {
                alike.1
            } else {
                alike.0
            }
        };
        let outputs = OUTPUTS.into_iter().filter(|(name, _)| is_there(name));
        let outputs: Vec<_> = outputs.collect();
        let those: Vec<PathBuf> = numbers
            .iter()
            .map(|number| files[*number].clone())
            .collect();
        for (number, one) in numbers.iter().zip(by_ffmpeg_to(&outputs, &those, folder)) {
            played[*number] = Some(one);
        }
    }
    let nothing = || Played {
        said: "there are no tracks in it".to_owned(),
        ..Played::default()
    };
    let played = played.into_iter().map(|one| one.unwrap_or_else(nothing));
    tracks.into_iter().zip(played).collect()
}

/// Which tracks a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracks {
    /// Pictures.
    pub video: bool,
    /// Sound.
    pub audio: bool,
}

impl Tracks {
    fn of(file: &Path) -> Self {
        let probed = Command::new("ffprobe")
            .args("-v error -show_entries stream=codec_type -of csv=p=0".split(' '))
            .arg(file)
            .output();
        let probed = probed
            .expect("ffprobe is installed; run `make setup`")
            .stdout;
        let kinds = String::from_utf8_lossy(&probed).into_owned();
        Self {
            video: kinds.contains("video"),
            audio: kinds.contains("audio"),
        }
    }
}

fn by_ffmpeg_to(outputs: &[(&str, &str)], files: &[PathBuf], folder: &Path) -> Vec<Played> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args("-nostdin -v warning -xerror -copyts -y".split(' '));
    for file in files {
        ffmpeg.args(["-threads", "1", "-i"]).arg(file);
    }
    let output = |number: usize, name: &str| folder.join(format!("{number}.{name}"));
    for (number, file) in files.iter().enumerate() {
        for (name, arguments) in outputs.iter().copied() {
            let map = format!("-map {number}:");
            ffmpeg.args(arguments.replace("-map :", &map).split(' '));
            if name == "sound-packets" && file.extension().is_some_and(|name| name == "ts") {
                ffmpeg.args(["-bsf:a", "aac_adtstoasc"]);
            }
            ffmpeg.arg(output(number, name));
        }
    }
    let ended = ffmpeg
        .output()
        .unwrap_or_else(|error| panic!("ffmpeg does not start ({error}); run `make setup`"));
    let mut said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if !ended.status.success() {
        said.push_str(&format!("ffmpeg ended with {}", ended.status));
    }
    if !said.is_empty() && files.len() > 1 {
        // One of them spoils it for all: which one?
        return files
            .iter()
            .flat_map(|file| by_ffmpeg_to(outputs, std::slice::from_ref(file), folder))
            .collect();
    }
    let read = |number, name| take(&output(number, name));
    let text = |number, name| String::from_utf8_lossy(&read(number, name)).into_owned();
    let played = |number| Played {
        said: said.clone(),
        picture_times_ns: packets(&text(number, "times"))
            .iter()
            .map(|frame| frame.pts_ns)
            .collect(),
        pictures: read(number, "pictures"),
        picture_packets: packets(&text(number, "picture-packets")),
        sound: samples(&read(number, "sound")),
        sound_packets: packets(&text(number, "sound-packets")),
    };
    (0..files.len()).map(played).collect()
}

/// A file's bytes, and the file is no more.
fn take(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap_or_default();
    let _ = fs::remove_file(path);
    bytes
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

/// The lines of ffmpeg's `framecrc` and `framemd5`: stream, dts, pts, duration, size, sum.
pub fn packets(text: &str) -> Vec<Packet> {
    let (mut packets, mut ticks_ns) = (Vec::new(), (1, 1));
    for line in text.lines() {
        if let Some(base) = line.strip_prefix("#tb 0: ") {
            let (numerator, denominator) = base.split_once('/').expect("a time base");
            ticks_ns = (
                numerator.parse::<i128>().expect("a number") * 1_000_000_000,
                denominator.parse::<i128>().expect("a number"),
            );
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let (Some(sum), false) = (fields.get(5), line.starts_with('#')) else {
            continue;
        };
        let ns = |field: usize| {
            let ticks: i128 = fields[field].parse().expect("ffmpeg prints numbers");
            i64::try_from((ticks * ticks_ns.0).div_euclid(ticks_ns.1)).expect("seconds")
        };
        packets.push(Packet {
            dts_ns: ns(1),
            pts_ns: ns(2),
            duration_ns: ns(3),
            bytes: fields[4].parse().expect("ffmpeg prints numbers"),
            md5: (*sum).to_owned(),
        });
    }
    packets
}

/// The pictures that GStreamer shows of a file, with their running times.
///
/// # Panics
/// When GStreamer cannot play it to its end.
pub fn by_gstreamer(file: &Path) -> Played {
    let pipeline = gst::parse::launch(
        "filesrc name=file ! decodebin name=decode force-sw-decoders=true \
         decode. ! video/x-raw ! appsink name=shown sync=false",
    );
    let pipeline = pipeline.expect("decodebin is installed");
    let pipeline = pipeline
        .downcast::<gst::Pipeline>()
        .expect("several elements");
    let named = |name| pipeline.by_name(name).expect("it is in the text");
    named("file").set_property("location", file);
    let shown = named("shown")
        .downcast::<gst_app::AppSink>()
        .expect("it is one");
    pipeline
        .set_state(gst::State::Playing)
        .expect("a file can be opened");
    let mut played = Played::default();
    while let Some(sample) = shown.try_pull_sample(gst::ClockTime::from_seconds(60)) {
        let buffer = sample.buffer().expect("a sample has one");
        let segment = sample
            .segment()
            .and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
        let time = segment.and_then(|segment| segment.to_running_time(buffer.pts()));
        let time_ns = time.map_or(-1, |time| time.nseconds().cast_signed());
        played.picture_times_ns.push(time_ns);
        let bytes = buffer.map_readable().expect("raw pictures are in memory");
        played.pictures.extend_from_slice(&bytes);
    }
    let bus = pipeline.bus().expect("a pipeline has a bus");
    if !shown.is_eos() {
        let error = bus.pop_filtered(&[gst::MessageType::Error]);
        played.said = format!("GStreamer does not play it to its end: {error:?}");
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    played
}
