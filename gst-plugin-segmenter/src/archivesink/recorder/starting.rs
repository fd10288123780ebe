// SPDX-License-Identifier: MPL-2.0
//! When recording starts: as soon as the first segment can have all tracks.
//!
//! Frames wait in memory for each pad's first one, at most [`START_WAIT_NS`] of real time; sound
//! waits for pictures a little longer ([`PICTURES_WAIT_NS`]). The pads of a camera come one after
//! the other, as its streams' first packets do, and nothing says which is the last: where upstream
//! is live and can bring more, the whole time is waited.

use super::super::caps::Kind;
use super::super::mp4::Frame;
use super::super::stream::{SILENCE_NS, Stream};
use super::Recorder;

/// How long, in real time, frames wait at the start for pads that have none yet, or may still come.
const START_WAIT_NS: i64 = 1_000_000_000;
/// How long sound alone waits for pictures. A busy machine has a camera's sound a second before its
/// first keyframe is through; a segment of that sound would lie beside the one of the pictures, which
/// begins as early, and readers choose one of the two.
const PICTURES_WAIT_NS: i64 = SILENCE_NS;

impl Recorder {
    /// Whether the wait is over.
    pub(super) fn ready(&self, now_ns: i64) -> bool {
        let Some(since_ns) = self.waiting_since_ns else {
            return false;
        };
        let there = |stream: &Stream| stream.ended || !stream.held.is_empty();
        let has_pictures = |stream: &Stream| stream.kind == Kind::Video && there(stream);
        let lacks_pictures = |stream: &Stream| stream.kind == Kind::Video && !there(stream);
        let may_grow = self.clocks.may_grow();
        let pictures_may_come = self.streams.iter().any(lacks_pictures)
            || (may_grow && !self.streams.iter().any(has_pictures));
        let wait_ns = match pictures_may_come {
            true => PICTURES_WAIT_NS,
            false => START_WAIT_NS,
        };
        let complete = !may_grow && self.streams.iter().all(there);
        let ended = self.streams.iter().all(|stream| stream.ended);
        complete
            || ended
            || self.streams.iter().any(Stream::is_full)
            || now_ns.saturating_sub(since_ns) >= wait_ns
    }

    /// Takes the frames that waited, in the order of their decoding times.
    pub(super) fn start(&mut self, now_ns: i64) {
        self.started = true;
        for (stream, ns) in self.streams.iter_mut().zip(self.clocks.start()) {
            stream.shift(ns);
        }
        let mut waiting: Vec<(usize, Frame)> = Vec::new();
        for (id, stream) in self.streams.iter_mut().enumerate() {
            stream.changed = false;
            stream.waiting = stream.held.len();
            while let Some(frame) = stream.take_held() {
                waiting.push((id, frame));
            }
        }
        waiting.sort_by_key(|(_, frame)| frame.stamps.dts_ns);
        // Sound from before the first keyframe is held, and so keeps its place.
        for (id, frame) in waiting {
            self.accept(id, frame, now_ns);
            if let Some(stream) = self.streams.get_mut(id) {
                stream.waiting -= 1;
            }
        }
    }
}
