// SPDX-License-Identifier: MPL-2.0
//! What `cat` makes of neighbouring transport stream segments is one clean transport stream.

use std::fs;
use std::io::Write;

use gstsegmenter::archivesink::Container;
use gstsegmenter::utc::{HOUR_NS, SECOND_NS};

use crate::support::clip::Clip;
use crate::support::decode::{self, What};
use crate::support::feed::{Feed, play};
use crate::support::readback;
use crate::support::rig::Rig;

struct Recording {
    rig: Rig,
    video: Feed,
    audio: Feed,
}

impl Recording {
    fn new(pictures: &Clip, sound: &Clip) -> Self {
        let mut rig = Rig::new(Container::MpegTs);
        let (video, audio) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        video.caps(&pictures.caps);
        audio.caps(&sound.caps);
        Self { rig, video, audio }
    }

    /// Joins the segments in the order in which they were recorded; every picture is in there.
    #[track_caller]
    fn assert_joins(&self, feeds: &[&Feed], pictures: usize) {
        self.rig.finish(feeds);
        let joined = tempfile::Builder::new().suffix(".ts").tempfile();
        let mut joined = joined.expect("a temporary file");
        for closed in self.rig.closed() {
            let bytes = fs::read(closed.path).expect("it is there");
            joined.write_all(&bytes).expect("there is room");
        }
        let complaints = readback::complaints(joined.path());
        assert!(complaints.is_empty(), "{complaints}");
        assert_eq!(decode::frames(joined.path(), What::Video).len(), pictures);
        assert_counters_go_on(&fs::read(joined.path()).expect("just written"));
    }
}

/// Each packet with payload counts one on from the one before of its PID (ISO/IEC 13818-1
/// §2.4.3.3).
#[track_caller]
fn assert_counters_go_on(bytes: &[u8]) {
    let mut counters = std::collections::HashMap::new();
    for (n, packet) in bytes.chunks_exact(188).enumerate() {
        assert_eq!(packet[0], 0x47, "packet {n} has no sync byte");
        let pid = u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2]);
        let (has_payload, counter) = (packet[3] & 0x10 != 0, packet[3] & 0x0f);
        if let Some(before) = counters.insert(pid, counter) {
            let wanted = (before + u8::from(has_payload)) & 0x0f;
            assert_eq!(counter, wanted, "packet {n} of PID {pid}");
        }
    }
    assert!(bytes.len().is_multiple_of(188) && !counters.is_empty());
}

#[test]
fn neighbours_are_one_clean_stream() {
    let (pictures, sound) = (Clip::h264_pyramid(5), Clip::aac(5));
    let recording = Recording::new(&pictures, &sound);
    let (video, audio) = (&recording.video, &recording.audio);
    play(&[
        (video, pictures.frames.clone()),
        (audio, sound.frames.clone()),
    ]);
    recording.assert_joins(&[video, audio], 125);
}

#[test]
fn neighbours_of_a_clock_that_was_set_are_one_clean_stream() {
    let (pictures, sound) = (Clip::h264_pyramid(6), Clip::aac(6));
    for step_ns in [HOUR_NS, -HOUR_NS] {
        let recording = Recording::new(&pictures, &sound);
        let (video, audio) = (&recording.video, &recording.audio);
        let step_at_ns = 2_500_000_000;
        let part = |from_ns, to_ns| {
            play(&[
                (video, pictures.between(from_ns, to_ns)),
                (audio, sound.between(from_ns, to_ns)),
            ]);
        };
        part(i64::MIN, step_at_ns);
        recording.rig.time.set_wall_clock(step_ns);
        part(step_at_ns, i64::MAX);
        recording.assert_joins(&[video, audio], 150);
    }
}

#[test]
fn neighbours_of_which_one_lost_its_sound_are_one_clean_stream() {
    let (pictures, sound) = (Clip::h264(6), Clip::aac(3));
    let recording = Recording::new(&pictures, &sound);
    let (video, audio) = (&recording.video, &recording.audio);
    play(&[
        (video, pictures.between(0, 3 * SECOND_NS)),
        (audio, sound.frames.clone()),
    ]);
    audio.end();
    play(&[(video, pictures.between(3 * SECOND_NS, i64::MAX))]);
    recording.assert_joins(&[video], 150);
}
