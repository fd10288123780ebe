// SPDX-License-Identifier: MPL-2.0
//! An archive of one stream whose frames are known: what was recorded is the measure.

use std::path::Path;

use gstsegmenter::archivesink::Container;
use gstsegmenter::utc::UtcNs;

use crate::recording::clip::{Clip, Frame};
use crate::recording::feed::play;
use crate::recording::readback::STREAM;
use crate::recording::rig::Rig;
use crate::support::player::{Player, digests};

pub const SECOND_NS: i64 = 1_000_000_000;
/// 25 frames per second.
pub const FRAME_NS: i64 = SECOND_NS / 25;

/// A recording.
pub struct Archive {
    rig: Rig,
    zero: UtcNs,
    /// What was recorded.
    pub video: Clip,
    /// A digest of each picture as it is decoded, in the order shown.
    pub pictures: Vec<String>,
}

impl Archive {
    /// Records a clip, and sound with it.
    pub fn new(video: Clip, audio: &Clip) -> Self {
        Self::without(video, audio, 0..0)
    }

    /// Records a clip and sound, except what is within these seconds.
    pub fn without(video: Clip, audio: &Clip, hole: std::ops::Range<i64>) -> Self {
        Self::recorded(Container::Mp4, video, audio, hole)
    }

    /// Records a clip and sound into segments of this container.
    pub fn in_container(container: Container, video: Clip, audio: &Clip) -> Self {
        Self::recorded(container, video, audio, 0..0)
    }

    fn recorded(
        container: Container,
        video: Clip,
        audio: &Clip,
        hole: std::ops::Range<i64>,
    ) -> Self {
        let mut rig = Rig::new(container);
        let (pictures, sounds) = (rig.feed("video"), rig.feed("audio_0"));
        rig.play();
        pictures.caps(&video.caps);
        sounds.caps(&audio.caps);
        let zero = rig.utc(0);
        let hole = hole.start * SECOND_NS..hole.end * SECOND_NS;
        let kept = |clip: &Clip| -> Vec<Frame> {
            let frames = clip.frames.iter();
            frames
                .filter(|frame| !hole.contains(&frame.pts_ns))
                .cloned()
                .collect()
        };
        play(&[(&pictures, kept(&video)), (&sounds, kept(audio))]);
        rig.finish_with_complaints(&[&pictures, &sounds]);
        let file = tempfile::Builder::new().suffix(".mkv").tempfile();
        let file = file.expect("a temporary file").into_temp_path();
        video.write_matroska(&file);
        let pictures = decoded(&file);
        assert_eq!(pictures.len(), video.frames.len(), "the source is whole");
        Self {
            rig,
            zero,
            video,
            pictures,
        }
    }

    /// H.264 with a pyramid of B-frames, and AAC.
    pub fn pyramid(seconds: u32) -> Self {
        Self::new(Clip::h264_pyramid(seconds), &Clip::aac(seconds))
    }

    /// H.264 without B-frames, and AAC.
    pub fn plain(seconds: u32) -> Self {
        Self::new(Clip::h264(seconds), &Clip::aac(seconds))
    }

    pub fn root(&self) -> &Path {
        self.rig.root()
    }

    /// UTC of a time of the clip.
    pub fn utc(&self, ns: i64) -> UtcNs {
        self.zero + ns
    }

    /// The pictures shown in a range of the clip's time.
    pub fn shown(&self, from_ns: i64, to_ns: i64) -> &[String] {
        let mut times: Vec<i64> = self.video.frames.iter().map(|frame| frame.pts_ns).collect();
        times.sort_unstable();
        let first = times.partition_point(|ns| *ns < from_ns);
        let end = times.partition_point(|ns| *ns < to_ns);
        &self.pictures[first..end]
    }

    /// An `archivesrc` named `src`, as part of a launch line, for a range of the clip's time.
    pub fn source(&self, from_ns: i64, to_ns: i64, kind: &str) -> String {
        let (root, start, stop) = (self.root().display(), self.utc(from_ns), self.utc(to_ns));
        format!(
            "archivesrc name=src location={root} stream={STREAM} start={start} stop={stop} type={kind}"
        )
    }

    /// Plays a range of the clip's time; the rest of the line begins at `src`'s pads.
    pub fn player(&self, from_ns: i64, to_ns: i64, kind: &str, rest: &str) -> Player {
        Player::launch(&format!("{} {rest}", self.source(from_ns, to_ns, kind)))
    }

    /// A range of the clip's time as a URI.
    pub fn uri(&self, from_ns: i64, to_ns: i64, kind: &str) -> String {
        let (root, start, stop) = (self.root().display(), self.utc(from_ns), self.utc(to_ns));
        format!("archive://{root}/{STREAM}/source?start={start}&stop={stop}&type={kind}")
    }
}

fn decoded(file: &Path) -> Vec<String> {
    let player = Player::launch(&format!(
        "filesrc location={} ! matroskademux ! decodebin ! video/x-raw ! fakesink name=video",
        file.display()
    ));
    player.play();
    digests(&player.pictures())
}
