// SPDX-License-Identifier: MPL-2.0
//! Video for the tests: real clips and what is encoded from them.
//!
//! None of it is in the repository. `tests/setup/clips.sh` (part of `make setup`) fetches and
//! encodes it once into `.cache/clips`; [`get`] runs that script when it has not been run.

use std::path::PathBuf;
use std::process::Command;

/// A file in `.cache/clips`. The encoded ones are 10 s of 640x272 at 25 frames per second with one
/// keyframe per second and stereo sound at 48 kHz, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clip {
    /// As found: H.264 High 640x272, 250 frames, B-frames, 6 keyframes, no sound.
    Bikes,
    /// As found: H.264 Main 1280x720, 132 frames, no B-frames, 1 keyframe, AAC 5.1.
    BigBuckBunny,
    /// As found: H.264 176x144, 120 frames, 1 keyframe, no sound.
    Carphone,
    /// H.264 with a pyramid of 3 B-frames, closed GOPs; AAC.
    H264BAac,
    /// H.264 without B-frames, as most cameras send it; AAC.
    H264NoBAac,
    /// H.264 with B-frames and open GOPs; AAC.
    H264OpenAac,
    /// H.264 without B-frames; Opus; Matroska.
    H264NoBOpus,
    /// H.264 without B-frames; A-law, 8 kHz, mono; Matroska.
    H264NoBAlaw,
    /// H.265 with B-frames; AAC.
    H265Aac,
    /// H.264 of variable frame rate with a hole of one second; AAC.
    H264VfrAac,
    /// 192x80, every picture marked with its number; H.264 without B-frames; AAC.
    SmallH264NoB,
    /// Likewise; H.264 with a pyramid of 3 B-frames, closed GOPs.
    SmallH264B,
    /// Likewise; H.264 with B-frames and open GOPs.
    SmallH264Open,
    /// Likewise, but of 256x112; as [`SmallH264B`](Self::SmallH264B).
    SmallH264Other,
    /// Likewise; H.265 with B-frames, closed GOPs.
    SmallH265,
    /// Likewise; H.265 with B-frames and open GOPs, as x265 makes them unless told otherwise.
    SmallH265Open,
}

impl Clip {
    /// Its pictures are H.265, not H.264.
    pub fn is_h265(self) -> bool {
        matches!(self, Self::H265Aac | Self::SmallH265 | Self::SmallH265Open)
    }

    fn file(self) -> &'static str {
        match self {
            Self::Bikes => "bikes.mp4",
            Self::BigBuckBunny => "bigbuckbunny.mp4",
            Self::Carphone => "carphone_pristine.mp4",
            Self::H264BAac => "h264-b-aac.mp4",
            Self::H264NoBAac => "h264-nob-aac.mp4",
            Self::H264OpenAac => "h264-open-aac.mp4",
            Self::H264NoBOpus => "h264-nob-opus.mkv",
            Self::H264NoBAlaw => "h264-nob-alaw.mkv",
            Self::H265Aac => "h265-aac.mp4",
            Self::H264VfrAac => "h264-vfr-aac.mp4",
            Self::SmallH264NoB => "small-h264-nob.mp4",
            Self::SmallH264B => "small-h264-b.mp4",
            Self::SmallH264Open => "small-h264-open.mp4",
            Self::SmallH264Other => "small-h264-other.mp4",
            Self::SmallH265 => "small-h265.mp4",
            Self::SmallH265Open => "small-h265-open.mp4",
        }
    }
}

/// The folder that holds the workspace.
pub fn workspace() -> PathBuf {
    let mut folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.pop();
    folder
}

/// The clip's path, made first when it is not there.
///
/// # Panics
/// When it cannot be made; `make setup` tells more.
pub fn get(clip: Clip) -> PathBuf {
    let root = workspace();
    let folder = root.join(".cache/clips");
    let path = folder.join(clip.file());
    if !folder.join("recipe").exists() {
        let made = Command::new(root.join("tests/setup/clips.sh")).status();
        let made = made.is_ok_and(|status| status.success());
        assert!(
            made && path.exists(),
            "{} is not there; run `make setup`",
            path.display()
        );
    }
    path
}
