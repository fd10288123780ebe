// SPDX-License-Identifier: MPL-2.0
//! What the recorder wants said or asked, collected while its lock is held and carried out after.

use crate::archive::Finished;
use crate::media::SegmentMark;

/// Something for the element to do once no lock is held.
#[derive(Debug)]
pub enum Notice {
    /// A segment was closed: post `archive-segment`.
    Segment {
        /// The file.
        finished: Finished,
        /// What its mark says.
        mark: SegmentMark,
    },
    /// A segment was closed whose times are to be moved before it is told of.
    Retime {
        /// The file.
        finished: Finished,
        /// What its mark says.
        mark: SegmentMark,
        /// By how much, in nanoseconds.
        shift_ns: i64,
    },
    /// Ask upstream for a keyframe at this running time (nanoseconds), or at once.
    KeyframeAt(Option<i64>),
    /// Writing failed and is tried again: post `archive-paused`.
    Paused {
        /// What the file system said.
        reason: String,
    },
    /// Writing works again: post `archive-resumed`.
    Resumed {
        /// Frames that were given up in between.
        lost_frames: u64,
    },
    /// Something was not as it should be, and recording went on.
    Warning(String),
    /// Something is as it should be again.
    Info(String),
}

/// Counters since the element started; the property `stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Segments closed.
    pub segments: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Frames given up because their segment was closed before they came.
    pub late: u64,
    /// Frames given up for another reason: no keyframe before them, disk full, damaged.
    pub dropped: u64,
    /// Of those dropped: the pictures that came before a keyframe.
    pub awaiting_keyframe: u64,
    /// What is in segments.
    pub recorded: Recorded,
}

/// Frames of all tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// How many.
    pub buffers: u64,
    /// Of those: pictures.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Recorded {
    /// One more frame.
    pub fn frame(&mut self, is_picture: bool, bytes: usize) {
        self.buffers += 1;
        self.frames += u64::from(is_picture);
        self.bytes += bytes as u64;
    }

    /// Takes over what was counted elsewhere.
    pub fn append(&mut self, other: &mut Self) {
        let theirs = std::mem::take(other);
        self.buffers += theirs.buffers;
        self.frames += theirs.frames;
        self.bytes += theirs.bytes;
    }
}

/// What is collected on the way: notices in order, and counters.
#[derive(Debug, Default)]
pub struct Outbox {
    /// In the order they came about.
    pub notices: Vec<Notice>,
    /// Counters since the start.
    pub stats: Stats,
    /// What was said of single frames, not to be said of each.
    said: Vec<String>,
}

/// So many different sentences of single frames are said at most.
const MOST_SAID: usize = 64;

impl Outbox {
    /// A segment was closed, or failed to be.
    pub fn closed(&mut self, result: std::io::Result<Option<Finished>>, mark: SegmentMark) {
        match result {
            Ok(Some(finished)) => {
                self.stats.segments += 1;
                self.stats.bytes += finished.bytes;
                self.notices.push(Notice::Segment { finished, mark });
            }
            Ok(None) => {}
            Err(error) => self.warn(format!(
                "a segment could not get its final name ({error}); it stays as a temp file for recovery"
            )),
        }
    }

    /// Takes over what another thread collected.
    pub fn append(&mut self, other: &mut Self) {
        self.notices.append(&mut other.notices);
        let mut theirs = std::mem::take(&mut other.stats);
        self.stats.segments += theirs.segments;
        self.stats.bytes += theirs.bytes;
        self.stats.late += theirs.late;
        self.stats.dropped += theirs.dropped;
        self.stats.awaiting_keyframe += theirs.awaiting_keyframe;
        self.stats.recorded.append(&mut theirs.recorded);
    }

    /// Something is as it should be again.
    pub fn inform(&mut self, text: String) {
        self.notices.push(Notice::Info(text));
    }

    /// Something of a frame was not as it should be. It may be so of all that follow: the counters
    /// count them, and the sentence is said once.
    pub fn warn_once(&mut self, text: String) {
        if self.said.len() < MOST_SAID && !self.said.contains(&text) {
            self.said.push(text.clone());
            self.warn(text);
        }
    }

    /// Something was not as it should be.
    pub fn warn(&mut self, text: String) {
        self.notices.push(Notice::Warning(text));
    }
}
