// SPDX-License-Identifier: MPL-2.0
//! What a clip looks and sounds like, frame by frame, by ffmpeg.

use super::played::{self, Played};
use crate::clips::{self, Clip};

/// Pictures per second of all clips used here.
pub const PICTURES_PER_SECOND: usize = 25;
/// Pictures from one keyframe to the next.
pub const GOP: usize = 25;
/// Samples of sound per second.
pub const SAMPLES_PER_SECOND: usize = 48_000;
/// Samples per frame of AAC.
pub const SAMPLES_PER_PACKET: usize = 1024;
/// Of stereo.
pub const CHANNELS: usize = 2;
const NS: usize = 1_000_000_000;

/// A clip, decoded.
pub struct Source {
    played: Played,
    /// Which clip.
    pub clip: Clip,
}

impl Source {
    /// Decodes a clip.
    ///
    /// # Panics
    /// When ffmpeg says anything about it, or its frames are not as regular as they should be.
    pub fn of(clip: Clip) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = clips::get(clip);
        let played = played::by_ffmpeg(&[path], folder.path())
            .pop()
            .expect("one file");
        let source = Self { played, clip };
        assert_eq!(source.played.said, "", "{clip:?}");
        for (number, time_ns) in source.played.picture_times_ns.iter().enumerate() {
            assert_eq!(
                *time_ns,
                source.time_ns(number),
                "{clip:?}, picture {number}"
            );
        }
        source
    }

    /// How many pictures it has.
    pub fn pictures(&self) -> usize {
        self.played.picture_times_ns.len()
    }

    /// Picture `number`: luma, then the two of chroma.
    pub fn picture(&self, number: usize) -> &[u8] {
        self.played.picture(number)
    }

    /// The numbers of its pictures in the order of decoding.
    pub fn stored_order(&self) -> Vec<usize> {
        let packets = self.played.picture_packets.iter();
        let number = |pts_ns: i64| {
            let pts_ns = usize::try_from(pts_ns).expect("not negative");
            (pts_ns * PICTURES_PER_SECOND + NS / 2) / NS
        };
        packets.map(|packet| number(packet.pts_ns)).collect()
    }

    /// When picture `number` is shown, from the first one on.
    pub fn time_ns(&self, number: usize) -> i64 {
        i64::try_from(number * NS / PICTURES_PER_SECOND).expect("seconds")
    }

    /// The samples that sound from picture `number` on, channel by channel in turn.
    pub fn sound_from(&self, number: usize) -> &[i16] {
        let sample = number * SAMPLES_PER_SECOND / PICTURES_PER_SECOND * CHANNELS;
        self.played.sound.get(sample..).unwrap_or_default()
    }

    /// The packets of sound.
    pub fn sound_packets(&self) -> &[played::Packet] {
        &self.played.sound_packets
    }

    /// The moment at which its sound ends, as far as it is recorded: `qtdemux` leaves out the last
    /// packet of a clip whose sound begins with a hidden one.
    pub fn sound_end_ns(&self) -> i64 {
        let last = self.played.sound_packets.last();
        last.map_or(0, |packet| packet.pts_ns)
    }
}
