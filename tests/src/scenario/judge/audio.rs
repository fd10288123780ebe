// SPDX-License-Identifier: MPL-2.0
//! The audio that was sent beside recorded video is there, once and in order.

use super::Case;
use crate::frames::Codec;
use crate::scenario::kinds::Audio;

/// Audio around the first and the last frame of video need not be there.
const AROUND_NS: i64 = 300_000_000;

impl Case<'_> {
    /// What is missing of the audio, or wrong with it.
    pub(super) fn audio(&self) -> Vec<String> {
        let codec = match self.scenario.audio {
            Audio::None | Audio::AlawSilent => return Vec::new(),
            Audio::Alaw | Audio::AlawLate => Codec::Alaw,
            Audio::Aac | Audio::AacLate | Audio::AacStops => Codec::Aac,
        };
        // A transport stream has no A-law.
        let is_ts = self.scenario.container() == "mpegts";
        if !self.scenario.is_by_runner() || (is_ts && codec == Codec::Alaw) {
            return Vec::new();
        }
        let sent = self.recording.sent.iter();
        let wanted = sent.filter(|sent| {
            let same = self
                .video
                .iter()
                .filter(|video| video.session == sent.session);
            let recorded = same.filter(|video| self.is_recorded(video));
            let times: Vec<i64> = recorded.map(|video| video.note.captured_ns).collect();
            let (Some(first), Some(last)) = (times.first(), times.last()) else {
                return false;
            };
            let within = first + AROUND_NS..last - AROUND_NS;
            sent.note.codec == codec && within.contains(&sent.note.captured_ns)
        });
        let wanted: Vec<_> = wanted.collect();
        let heard: usize = self
            .segments
            .iter()
            .map(|segment| segment.audio.len())
            .sum();
        let heard_frames: Vec<_> = self.heard(codec);
        let missing = wanted
            .iter()
            .filter(|sent| !heard_frames.contains(&sent.note.picture));
        let missing: Vec<usize> = missing.map(|sent| sent.note.index).collect();
        let mut faults = Vec::new();
        if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
            faults.push(format!(
                "{} of {} frames are missing, from {first} to {last}; {heard} bytes are there",
                missing.len(),
                wanted.len()
            ));
        }
        let mut once = heard_frames.clone();
        once.sort_unstable();
        once.dedup();
        if once.len() < heard_frames.len() {
            let twice = heard_frames.len() - once.len();
            faults.push(format!("{twice} frames are there twice"));
        }
        faults
    }

    fn is_recorded(&self, sent: &crate::scripted_camera::script::Sent) -> bool {
        let mut stored = self.segments.iter().flat_map(|segment| &segment.stored);
        stored.any(|stored| stored.picture == sent.note.picture)
    }

    /// The frames of audio in the archive.
    fn heard(&self, codec: Codec) -> Vec<crate::frames::Hash> {
        let mut all = Vec::new();
        for segment in &self.segments {
            match codec {
                // As many bytes as the camera puts into a packet.
                Codec::Alaw => {
                    all.extend(segment.audio.chunks(160).map(|frame| codec.picture(frame)))
                }
                _ => {
                    let mut rest = segment.audio.as_slice();
                    for packet in &segment.played.sound_packets {
                        let (frame, others) = rest.split_at(packet.bytes.min(rest.len()));
                        rest = others;
                        all.push(codec.picture(frame));
                    }
                }
            }
        }
        all
    }
}
