// SPDX-License-Identifier: MPL-2.0
//! A range out of `archivesrc` on a launch line is the same, frame by frame, as by the command line,
//! whatever the order of the pictures and whatever holds them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tests::clips::Clip;
use tests::cutting::archived::{Archived, Container, STREAM};
use tests::cutting::played::{self, Packet, Played};
use tests::recording::{Launch, built};

/// The first picture and the one after the last: both within GOPs, over the start of a segment.
const RANGE: (usize, usize) = (58, 134);
/// Ticks of 90 kHz and of `mp4mux`.
const ROUNDING_NS: i64 = 400_000;
const LONGEST: Duration = Duration::from_secs(60);

struct Cut {
    archived: Archived,
    start: String,
    stop: String,
    folder: tempfile::TempDir,
}

impl Cut {
    fn new(clip: Clip, container: Container) -> Self {
        let archived = Archived::new(clip, container);
        let time = |number| archived.time(number).to_string();
        Self {
            start: time(RANGE.0),
            stop: time(RANGE.1),
            archived,
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// By `gst-launch-1.0 archivesrc …`; the rest of the line writes to `FILE`.
    fn launched(&self, rest: &str, name: &str) -> PathBuf {
        let (root, path) = (self.archived.root().display(), self.path(name));
        let rest = rest.replace("FILE", &path.display().to_string());
        let line = format!(
            "archivesrc name=src location={root} stream={STREAM} start={} stop={} {rest}",
            self.start, self.stop
        );
        let status = Launch::start(&line).wait_for(LONGEST);
        let status = status.unwrap_or_else(|| panic!("{line}: not done in a minute"));
        assert!(status.success(), "{line}: {status}");
        path
    }

    /// By `pipeline-runner cut`.
    fn by_command(&self) -> PathBuf {
        let path = self.path("command.mp4");
        let status = Command::new(built().join("pipeline-runner"))
            .args(["cut", "--quiet", "--stream", STREAM, "--archive"])
            .arg(self.archived.root())
            .args(["--start", &self.start, "--end", &self.stop, "--output"])
            .arg(&path)
            .status();
        let status = status.expect("it is built: cargo build --workspace");
        assert!(status.success(), "{status}");
        path
    }

    fn play(&self, files: &[PathBuf]) -> Vec<Played> {
        played::by_ffmpeg(files, self.folder.path())
    }
}

#[track_caller]
fn assert_same_pictures(launched: &Played, command: &Played, path: &Path) {
    let path = path.display();
    assert_eq!(launched.said, "", "{path}");
    assert_eq!(command.said, "");
    let (found, expected) = (&launched.picture_times_ns, &command.picture_times_ns);
    assert_eq!(expected.len(), RANGE.1 - RANGE.0);
    assert_eq!(found.len(), expected.len(), "{path}");
    for (found_ns, expected_ns) in found.iter().zip(expected) {
        let off_ns = (found_ns - expected_ns).abs();
        assert!(off_ns <= ROUNDING_NS, "{path}: {found_ns}, {expected_ns}");
    }
    for number in 0..expected.len() {
        let is_same = launched.picture(number) == command.picture(number);
        assert!(is_same, "{path}: picture {number} of {}", expected.len());
    }
}

/// A muxer leaves out sound that begins before the first picture, where the command line has an
/// edit list that hides what is too much.
#[track_caller]
fn assert_same_sound(launched: &Played, command: &Played) {
    let is_within = |packet: &&Packet| packet.pts_ns >= 0;
    let expected: Vec<&Packet> = command.sound_packets.iter().filter(is_within).collect();
    assert!(expected.len() > 100, "{}", expected.len());
    assert_eq!(launched.sound_packets.len(), expected.len());
    for (found, expected) in launched.sound_packets.iter().zip(expected) {
        assert_eq!(found.md5, expected.md5, "{found:?}, {expected:?}");
        let off_ns = (found.pts_ns - expected.pts_ns).abs();
        assert!(off_ns <= ROUNDING_NS, "{found:?}, {expected:?}");
    }
}

fn is_the_same(clip: Clip, container: Container) {
    let parser = if clip.is_h265() {
        "h265parse"
    } else {
        "h264parse"
    };
    let cut = Cut::new(clip, container);
    let files = [
        cut.by_command(),
        cut.launched(
            &format!("! {parser} ! mp4mux ! filesink location=FILE"),
            "pictures.mp4",
        ),
        cut.launched(
            &format!(
                "mp4mux name=m ! filesink location=FILE \
                 src.video ! queue ! {parser} ! m. src.audio_0 ! queue ! aacparse ! m."
            ),
            "both.mp4",
        ),
        cut.launched(
            &format!("! {parser} ! matroskamux ! filesink location=FILE"),
            "pictures.mkv",
        ),
    ];
    let played = cut.play(&files);
    for (launched, path) in played.iter().zip(&files).skip(1) {
        assert_same_pictures(launched, &played[0], path);
    }
    assert_same_sound(&played[2], &played[0]);
}

#[test]
fn h264_without_b_frames() {
    is_the_same(Clip::SmallH264NoB, Container::Mp4);
    is_the_same(Clip::SmallH264NoB, Container::Ts);
}

#[test]
fn h264_with_a_pyramid() {
    is_the_same(Clip::SmallH264B, Container::Mp4);
    is_the_same(Clip::SmallH264B, Container::Ts);
}

#[test]
fn h264_with_open_gops() {
    is_the_same(Clip::SmallH264Open, Container::Mp4);
    is_the_same(Clip::SmallH264Open, Container::Ts);
}

#[test]
fn h265() {
    is_the_same(Clip::SmallH265, Container::Mp4);
    is_the_same(Clip::SmallH265, Container::Ts);
}

#[test]
fn h265_with_open_gops() {
    is_the_same(Clip::SmallH265Open, Container::Mp4);
    is_the_same(Clip::SmallH265Open, Container::Ts);
}
