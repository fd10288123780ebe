// SPDX-License-Identifier: MPL-2.0
//! MPEG-TS as ffmpeg and GStreamer write it, cut off anywhere: what is measured as whole decodes
//! without a complaint, and is all but the last frame of it.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};

use super::tools::{complaints, decode, probe, run, text};
use crate::media::{Measured, measure, measure_ts_from};

const PACKET: usize = 188;
const PICTURE: &str = "testsrc2=size=160x120:rate=25:duration=1.2";
const TONE: &str = "sine=frequency=440:sample_rate=48000:duration=1.2";

fn ffmpeg_ts(folder: &Path, options: &[&str]) -> PathBuf {
    let path = folder.join("ffmpeg.ts");
    let inputs = ["-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", TONE];
    let codecs = ["-c:v", "libx264", "-bf", "2", "-g", "10", "-c:a", "aac"];
    let arguments = [
        &["-v", "error", "-y"],
        &inputs[..],
        &codecs,
        options,
        &[text(&path)],
    ]
    .concat();
    run("ffmpeg", &arguments);
    path
}

fn gstreamer_ts(folder: &Path) -> PathBuf {
    let path = folder.join("gstreamer.ts");
    let pipeline = format!(
        "videotestsrc num-buffers=30 ! video/x-raw,width=160,height=120,framerate=25/1 \
         ! x264enc bframes=2 key-int-max=10 ! h264parse config-interval=-1 ! mux. \
         audiotestsrc num-buffers=52 samplesperbuffer=1024 ! audio/x-raw,rate=44100,channels=1 \
         ! avenc_aac ! aacparse ! mux. mpegtsmux name=mux ! filesink location={}",
        text(&path)
    );
    let mut arguments = vec!["-q"];
    arguments.extend(pipeline.split_whitespace());
    run("gst-launch-1.0", &arguments);
    path
}

/// Cuts a file off at many places and decodes every prefix that is measured as whole. Each must
/// hold all that came but the frame that was being written.
#[track_caller]
fn decodes_wherever_it_is_cut(path: &Path) {
    let file = fs::read(path).expect("the file");
    let frames = decode(path).len();
    let mut whole: Vec<Measured> = Vec::new();
    let mut most_lost = 0;
    for bytes in (0..=file.len()).step_by(47) {
        let measured = measure_ts_from(Cursor::new(&file[..bytes])).expect("memory is readable");
        assert!(measured.whole_bytes as usize <= bytes);
        assert_eq!(measured.whole_bytes as usize % PACKET, 0);
        if measured.whole_bytes > 0 {
            let lost = bytes - measured.whole_bytes as usize;
            most_lost = most_lost.max(lost);
        }
        whole.push(measured);
    }
    whole.dedup();
    assert!(
        whole
            .windows(2)
            .all(|pair| pair[0].whole_bytes < pair[1].whole_bytes)
    );
    let prefix = path.with_extension("prefix.ts");
    let mut most_frames = 0;
    for measured in whole
        .iter()
        .filter(|measured| measured.duration_ns > 200_000_000)
        .step_by(5)
    {
        fs::write(&prefix, &file[..measured.whole_bytes as usize]).expect("the prefix");
        // Until the first frame of a track that the tables announce, ffmpeg misses it.
        let audio_rate = probe(&prefix, "a:0", "sample_rate");
        if audio_rate.is_empty() || audio_rate.starts_with('0') {
            continue;
        }
        assert_eq!(complaints(&prefix), "", "{measured:?}");
        let decoded = decode(&prefix).len();
        assert!(
            decoded >= most_frames,
            "a longer prefix has no fewer frames"
        );
        most_frames = decoded;
    }
    let one_frame = largest_frame_bytes(path) * PACKET / 180 + 8 * PACKET;
    assert!(
        most_lost <= one_frame,
        "{most_lost} bytes lost, more than {one_frame}"
    );
    assert!(most_frames > frames * 3 / 4, "{most_frames} of {frames}");
}

fn largest_frame_bytes(path: &Path) -> usize {
    let arguments = [
        "-v",
        "error",
        "-show_entries",
        "packet=size",
        "-of",
        "csv=p=0",
        text(path),
    ];
    let sizes = run("ffprobe", &arguments);
    let size = |line: &str| {
        line.split(',')
            .next()
            .and_then(|size| size.trim().parse().ok())
    };
    sizes.lines().filter_map(size).max().expect("a frame")
}

#[test]
fn what_ffmpeg_muxes_decodes_wherever_it_is_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = ffmpeg_ts(folder.path(), &[]);
    decodes_wherever_it_is_cut(&path);
}

#[test]
fn what_gstreamer_muxes_decodes_wherever_it_is_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = gstreamer_ts(folder.path());
    decodes_wherever_it_is_cut(&path);
}

#[test]
fn a_closed_file_is_whole_to_its_last_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in [ffmpeg_ts(folder.path(), &[]), gstreamer_ts(folder.path())] {
        let file = File::open(&path).expect("the file");
        let measured = measure(&file, true).expect("a measure");
        assert_eq!(
            measured.whole_bytes,
            file.metadata().expect("its size").len(),
            "{path:?}"
        );
        let off_ns = measured.duration_ns - 1_200_000_000;
        assert!(off_ns.abs() < 60_000_000, "{path:?} is off by {off_ns} ns");
        assert_eq!(measured.start, None);
    }
}
