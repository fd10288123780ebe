// SPDX-License-Identifier: MPL-2.0
//! The words in which the recorder tells an output where segments begin and end, and how long
//! either waits.

use crate::archive::Kind as SegmentKind;
use crate::media::{SegmentMark, Track};
use crate::utc::UtcNs;

use super::caps::Kind;

/// A track that was silent for this long, in real time, is not waited for.
pub const GRACE_NS: i64 = 500_000_000;
/// Frames of this much time wait for a disk that refuses them.
pub const MOST_WAITING_NS: i64 = 10_000_000_000;
/// Frames of this many bytes wait for a disk that refuses them.
pub const MOST_WAITING_BYTES: u64 = 32 << 20;

/// A stream in a segment that is to begin.
#[derive(Clone, Debug)]
pub struct PlannedTrack {
    /// The stream's number.
    pub stream: usize,
    /// Pictures or sound.
    pub kind: Kind,
    /// Its configuration, where the container is MP4.
    pub track: Option<Track>,
    /// Its caps.
    pub caps: gst::Caps,
    /// Its configuration is not that of the segment before.
    pub changed: bool,
}

/// A segment that is to begin.
#[derive(Debug)]
pub struct Plan {
    /// What its mark says, its start among it.
    pub mark: SegmentMark,
    /// Full, unless its pictures do not begin where decoding can.
    pub kind: SegmentKind,
    /// The streams that are in it, by number, each with its configuration.
    pub tracks: Vec<PlannedTrack>,
    /// By how much the clock stepped as it begins, in nanoseconds.
    pub jump_ns: i64,
}

/// Where a segment ends.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// Its end: where sound belongs to the next one.
    pub end: UtcNs,
    /// What its name will say.
    pub duration_ns: i64,
}

/// How far a stream has come, for segments that wait for it.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// UTC up to which it was heard; far in the future after its end.
    pub heard: UtcNs,
    /// When a frame last came, on the monotonic clock.
    pub heard_at_ns: i64,
}
