// SPDX-License-Identifier: MPL-2.0
//! GStreamer plays segments of every codec: as many pictures as were encoded, as much sound.

use std::path::Path;

use super::material::{Stream, encode, streams, write_segment};
use super::tools::{output, text};

const PICTURE: &str = "testsrc2=size=160x120:rate=25:duration=2";
const TONE: &str = "sine=frequency=440:sample_rate=48000:duration=2";

/// Encodes, writes anew, and checks that decodebin decodes it all.
#[track_caller]
fn decodes_all(name: &str, inputs: &[&str], options: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), name, inputs, options);
    let streams = streams(&source);
    let segment = write_segment(&source, &streams);
    let (mut videos, mut audios) = (0, 0);
    for stream in &streams {
        if stream.track.codec.video().is_some() {
            let buffers = decode(&segment, &format!("video_{videos}"));
            assert_eq!(buffers.len(), stream.packets.len(), "pictures");
            videos += 1;
        } else {
            let seconds: f64 = decode(&segment, &format!("audio_{audios}")).iter().sum();
            let off_s = seconds - seconds_of(stream);
            assert!(
                off_s.abs() < 0.06,
                "{seconds} s of sound is off by {off_s} s"
            );
            audios += 1;
        }
    }
}

fn seconds_of(stream: &Stream) -> f64 {
    let ticks: u32 = stream.packets.iter().map(|packet| packet.duration).sum();
    f64::from(ticks) / f64::from(stream.track.timescale)
}

/// The durations, in seconds, of the buffers that come out of decoding one pad of the demuxer.
#[track_caller]
fn decode(segment: &Path, pad: &str) -> Vec<f64> {
    let pipeline = format!(
        "filesrc location={} ! qtdemux name=d d.{pad} ! queue ! decodebin ! fakesink silent=false sync=false",
        text(segment)
    );
    let mut arguments = vec!["-v"];
    arguments.extend(pipeline.split_whitespace());
    let output = output("gst-launch-1.0", &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!listing.contains("WARNING"), "{listing}");
    listing
        .lines()
        .filter(|line| line.contains("last-message = chain"))
        .map(|line| seconds(line.split("duration: ").nth(1).expect("a duration")))
        .collect()
}

/// `0:00:00.040000000, …` in seconds.
fn seconds(text: &str) -> f64 {
    let time = text.split([',', ' ']).next().expect("a time");
    time.split(':').fold(0.0, |seconds, part| {
        seconds * 60.0 + part.parse::<f64>().unwrap_or(0.0)
    })
}

#[test]
fn gstreamer_decodes_h264_with_b_frames_and_two_tracks_of_aac() {
    let options = "-c:v libx264 -bf 3 -g 25 -c:a aac";
    decodes_all("source.mp4", &[PICTURE, TONE, TONE], options);
}

#[test]
fn gstreamer_decodes_h265_and_mp3() {
    let x265 = "log-level=none:bframes=3:keyint=25";
    let options = format!("-c:v libx265 -preset ultrafast -x265-params {x265} -c:a libmp3lame");
    decodes_all("source.mp4", &[PICTURE, TONE], &options);
}

#[test]
fn gstreamer_decodes_av1_and_opus() {
    let options = "-c:v libaom-av1 -cpu-used 8 -usage realtime -c:a libopus";
    decodes_all("source.mp4", &[PICTURE, TONE], options);
}

#[test]
fn gstreamer_decodes_vp9_and_flac() {
    let options = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a flac";
    decodes_all("source.mp4", &[PICTURE, TONE], options);
}

#[test]
fn gstreamer_decodes_a_law_and_mu_law() {
    let tone = "sine=frequency=440:sample_rate=8000:duration=2";
    for codec in ["pcm_alaw", "pcm_mulaw"] {
        decodes_all("source.mov", &[tone], &format!("-c:a {codec}"));
    }
}
