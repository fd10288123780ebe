// SPDX-License-Identifier: MPL-2.0
//! What the recorder hands its decisions to: the segments of one container or the other.

use super::mp4::Frame;
use super::mp4_output::Mp4Output;
use super::notice::Outbox;
use super::segments::{Ending, Plan, Progress};
use super::ts_output::TsOutput;

/// The segments that are open.
#[derive(Debug)]
pub enum Output {
    /// Fragmented MP4, muxed here.
    Mp4(Mp4Output),
    /// MPEG transport stream, muxed by `mpegtsmux`.
    Ts(Box<TsOutput>),
}

impl Output {
    /// Whether a segment is being recorded.
    pub fn recording(&self) -> bool {
        match self {
            Self::Mp4(output) => output.recording(),
            Self::Ts(output) => output.recording(),
        }
    }

    /// Whether the source is to wait, outside of all locks, until it is no longer so.
    pub fn congested(&self) -> bool {
        match self {
            Self::Mp4(_) => false,
            Self::Ts(output) => output.congested(),
        }
    }

    /// Ends the segment being recorded, if one is, and begins another.
    pub fn begin(
        &mut self,
        plan: Plan,
        previous: Option<Ending>,
        now_ns: i64,
        outbox: &mut Outbox,
    ) {
        match self {
            Self::Mp4(output) => output.begin(plan, previous),
            Self::Ts(output) => output.begin(plan, previous, now_ns, outbox),
        }
    }

    /// Takes a frame, or gives it back if no open segment has a track for it.
    ///
    /// # Errors
    /// The frame.
    pub fn push(
        &mut self,
        stream: usize,
        frame: Frame,
        now_ns: i64,
        outbox: &mut Outbox,
    ) -> Result<(), Frame> {
        match self {
            Self::Mp4(output) => output.push(stream, frame, now_ns, outbox),
            Self::Ts(output) => output.push(stream, frame, outbox),
        }
    }

    /// Writes what has waited long enough and closes what is complete.
    pub fn settle(&mut self, progress: &[Progress], now_ns: i64, outbox: &mut Outbox) {
        match self {
            Self::Mp4(output) => output.settle(progress, now_ns, outbox),
            Self::Ts(output) => output.settle(progress, now_ns, outbox),
        }
    }

    /// Closes everything, complete or not.
    pub fn finish(&mut self, last: Option<Ending>, now_ns: i64, outbox: &mut Outbox) {
        match self {
            Self::Mp4(output) => output.finish(last, now_ns, outbox),
            Self::Ts(output) => output.finish(last, now_ns, outbox),
        }
    }
}
