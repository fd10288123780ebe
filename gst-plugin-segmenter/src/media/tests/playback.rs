// SPDX-License-Identifier: MPL-2.0
//! Segments of every codec play alone, from zero, frame for frame as they were encoded.

use super::material::{encode, streams, write_segment};
use super::tools::{complaints, decode, number, probe};

const PICTURE: &str = "testsrc2=size=320x240:rate=25:duration=3";
const TONE: &str = "sine=frequency=440:sample_rate=48000:duration=3";

/// Encodes, writes anew, and checks that the segment plays as the material does.
#[track_caller]
fn plays_as_encoded(name: &str, inputs: &[&str], options: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let source = encode(folder.path(), name, inputs, options);
    let streams = streams(&source);
    let segment = write_segment(&source, &streams);
    assert_eq!(complaints(&segment), "", "ffmpeg has something to say");
    for (index, stream) in streams.iter().enumerate() {
        let start = number(&probe(&segment, &index.to_string(), "start_time"));
        // ffmpeg does not apply the edit list of a fragmented file to audio; it shows what is
        // hidden as time before zero.
        let audio_priming = match stream.track.codec.video() {
            Some(_) => 0.0,
            None => stream.hidden() as f64 / f64::from(stream.track.timescale),
        };
        assert!(
            (start + audio_priming).abs() < 1e-6,
            "stream {index} starts at {start}"
        );
    }
    let difference = number(&probe(&segment, "format", "duration"))
        - number(&probe(&source, "format", "duration"));
    assert!(
        difference.abs() < 0.03,
        "the duration is off by {difference} s"
    );
    let (expected, decoded) = (decode(&source), decode(&segment));
    assert_eq!(decoded.len(), expected.len(), "as many frames");
    for (decoded, expected) in decoded.iter().zip(&expected) {
        assert_eq!(decoded.stream, expected.stream);
        assert!(
            (decoded.seconds - expected.seconds).abs() < 0.001,
            "{decoded:?} {expected:?}"
        );
        assert_eq!(decoded.digest, expected.digest, "at {}", decoded.seconds);
    }
}

#[test]
fn h264_with_b_frames_and_aac_play_from_zero_frame_for_frame() {
    plays_as_encoded(
        "source.mp4",
        &[PICTURE, TONE],
        &["-c:v", "libx264", "-bf", "3", "-g", "25", "-c:a", "aac"],
    );
}
