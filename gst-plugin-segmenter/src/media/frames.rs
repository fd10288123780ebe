// SPDX-License-Identifier: MPL-2.0
//! The frames of a segment, whatever the container: what cuts are planned from.
//!
//! Samples are named, never held: a [`Frame`] says where its bytes are and how many there will be
//! in the form that MP4 samples have (NAL units with their lengths, AAC without ADTS headers).
//! From MPEG-TS that form is made when the sample is read, so its size is reckoned here, and a cut
//! of either container knows its length before a byte of it is read.

use super::mark::SegmentMark;
use super::orientation::Orientation;
use crate::utc::UtcNs;

/// All frames of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentFrames {
    /// Which run of which recorder it belongs to; MPEG-TS and other people's files have none.
    pub mark: Option<SegmentMark>,
    /// Pictures first, then sound, each in the order of the container.
    pub tracks: Vec<FrameTrack>,
    /// The file ends where its container does: nothing is cut off.
    pub is_whole: bool,
}

/// One track of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameTrack {
    /// It holds pictures.
    pub is_video: bool,
    /// Ticks per second.
    pub timescale: u32,
    /// How its pictures are turned to be shown.
    pub orientation: Orientation,
    /// Sample entries (ISO/IEC 14496-12 §8.5.2), each a whole box with its codec configuration.
    /// MPEG-TS may change its parameter sets on the way; then there are several.
    pub descriptions: Vec<Vec<u8>>,
    /// In decoding order.
    pub frames: Vec<Frame>,
}

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Presentation time in ticks of the track; zero is the same moment for all tracks.
    pub pts: i64,
    /// Decoding time likewise; never decreases.
    pub dts: i64,
    /// Ticks until the next is decoded; of the last of a segment what the stream usually takes, of
    /// sound what it holds.
    pub duration: u32,
    /// Bytes of the sample, in the form of MP4.
    pub bytes: u32,
    /// Number of its file: 0 in a segment by itself, in a cut one of the cut's.
    pub file: u32,
    /// Which of the track's descriptions it is decoded with.
    pub description: u16,
    /// What a decoder can do with it.
    pub kind: FrameKind,
    /// When it is shown.
    pub utc: UtcNs,
    /// Where its bytes are.
    pub place: Place,
}

/// What a decoder can do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Decoding starts here and nothing after refers to anything before: H.264 IDR, H.265 IDR and
    /// BLA, AV1 and VP9 keyframes, every frame of sound.
    Sync,
    /// An H.264 picture of I slices with a recovery point of zero frames (H.264 §D.2.8) that is no
    /// IDR: frames after it in both orders decode from here, frames shown before it do not.
    OpenGop,
    /// An H.265 CRA picture (H.265 §3.29): likewise; what is shown before it are RASL pictures.
    Cra,
    /// A recovery point that takes a while (H.264 §D.2.8, intra refresh): decoding from here, what
    /// is shown is right once so many frames that others refer to are decoded.
    Gradual {
        /// How many.
        frames: u16,
    },
    /// A picture that refers to nothing, though later ones may refer to what is before it. Decoding
    /// begins here only where a stream has nothing better.
    Intra,
    /// Any other frame.
    Delta {
        /// No frame refers to it (`nal_ref_idc` 0, `sample_is_depended_on` 2), where that is known.
        is_disposable: bool,
    },
}

impl FrameKind {
    /// Decoding can start here, and what is shown from here on is right.
    pub fn is_entry(self) -> bool {
        matches!(self, Self::Sync | Self::OpenGop | Self::Cra)
    }
}

/// No picture is shown further from where it is decoded (H.264 §A.3.1, H.265 §A.4.2: 16 pictures wait
/// at most); what is hidden of a copy may lie a little further.
const MOST_REORDERED: usize = 32;

/// Sorts what stands in decoding order by presentation time. As nothing is far from its place, that
/// takes a fraction of what sorting does; where something is, it is sorted all the same.
pub fn sort_by_showing<T>(decoded: &mut [T], pts: impl Fn(&T) -> i64) {
    let is_later = |decoded: &[T], at: usize| match decoded.get(at.wrapping_sub(1)..=at) {
        Some([before, this]) => pts(before) > pts(this),
        _ => false,
    };
    for next in 1..decoded.len() {
        let mut at = next;
        while is_later(decoded, at) {
            decoded.swap(at - 1, at);
            at -= 1;
            if next - at > MOST_REORDERED {
                return decoded.sort_by_key(pts);
            }
        }
    }
}

/// Each frame lasts until the next is decoded; the last keeps what it has.
pub fn last_until_next(frames: &mut [Frame]) {
    for index in 1..frames.len() {
        if let Some([frame, next]) = frames.get_mut(index - 1..=index) {
            let ticks = next.dts.saturating_sub(frame.dts);
            frame.duration = u32::try_from(ticks).unwrap_or(u32::MAX);
        }
    }
}

/// Where the bytes of a sample are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// As they are, from this byte of the file on.
    Plain {
        /// The first byte.
        offset: u64,
    },
    /// In the transport packets of one PES packet, in the form of MPEG-TS.
    Pes {
        /// Where its first transport packet starts.
        start: u64,
        /// Bytes until after its last transport packet; packets of other PIDs are among them.
        span: u32,
        /// Bytes of the elementary stream in the PES packet before this frame.
        skip: u32,
        /// Bytes of the elementary stream that are this frame.
        take: u32,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_the_order_of_decoding_pictures_are_sorted_by_when_they_are_shown(
            jitter in proptest::collection::vec(-40_i64..40, 0..200),
        ) {
            let mut decoded: Vec<i64> = (0..).zip(&jitter).map(|(at, off)| at + off).collect();
            let mut sorted = decoded.clone();
            sorted.sort_unstable();
            sort_by_showing(&mut decoded, |pts| *pts);
            prop_assert_eq!(decoded, sorted);
        }
    }
}
