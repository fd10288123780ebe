// SPDX-License-Identifier: MPL-2.0
//! The MP4 segments that are open: the one being recorded, and those that still wait for the last
//! of their sound.
//!
//! Pictures and sound reach the sink on threads of their own, so when a keyframe begins a new
//! segment, sound for the old one is often still on its way. The old segment stays open for it,
//! beside the new one, until every track that is alive has passed the border, or has been silent
//! for [`GRACE_NS`] of real time. A track that is silent already is not waited for at all.
//!
//! When the disk refuses a chunk, the frames wait in memory and are tried again, so that a disk
//! that retention frees within seconds costs nothing. Past [`MOST_WAITING_NS`] or
//! [`MOST_WAITING_BYTES`] the segment is closed as far as it got (`partial`), and recording goes
//! on with the next keyframe.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::archive::Kind;

use super::growing::Place;
use super::health::Health;
use super::mp4::{Frame, Mp4Segment, WriteError};
use super::notice::{Outbox, Recorded};
use super::segments::{Ending, GRACE_NS, MOST_WAITING_BYTES, MOST_WAITING_NS, Plan, Progress};
use crate::utc::UtcNs;

/// Segments that may be open at once, so that no stream exhausts the file descriptors.
const MOST_OPEN: usize = 64;

/// The open segments, oldest first; the last one is being recorded unless it has an ending.
#[derive(Debug)]
pub struct Mp4Output {
    place: Arc<Place>,
    chunk_duration_ns: i64,
    open: VecDeque<Open>,
    health: Health,
}

#[derive(Debug)]
struct Open {
    segment: Mp4Segment,
    /// The number of the stream each track holds; `None` once its configuration changed.
    streams: Vec<Option<usize>>,
    /// Full, unless its pictures do not begin with a keyframe.
    kind: Kind,
    has_pictures: bool,
    /// By how much the clock stepped since it began, in nanoseconds: its times are older.
    shift_ns: i64,
    ending: Option<Ending>,
    /// Since when frames wait, on the monotonic clock.
    waiting_since_ns: Option<i64>,
    /// The frames that wait: recorded once they are written.
    waiting: Recorded,
}

impl Mp4Output {
    /// An output with nothing open.
    pub fn new(place: Arc<Place>, chunk_duration_ns: i64) -> Self {
        Self {
            place,
            chunk_duration_ns,
            open: VecDeque::new(),
            health: Health::default(),
        }
    }

    /// Whether a segment is being recorded.
    pub fn recording(&self) -> bool {
        self.open.back().is_some_and(|open| open.ending.is_none())
    }

    /// Ends the segment being recorded, if one is, and begins another.
    pub fn begin(&mut self, plan: Plan, previous: Option<Ending>) {
        self.end(previous);
        for open in &mut self.open {
            open.shift_ns = open.shift_ns.saturating_add(plan.jump_ns);
        }
        for changed in plan.tracks.iter().filter(|track| track.changed) {
            for open in &mut self.open {
                open.forget(changed.stream);
            }
        }
        let tracks = plan.tracks.into_iter();
        let (streams, tracks) = tracks
            .filter_map(|planned| Some((Some(planned.stream), planned.track?)))
            .unzip();
        self.open.push_back(Open {
            segment: Mp4Segment::new(self.place.clone(), tracks, plan.mark),
            streams,
            kind: plan.kind,
            has_pictures: false,
            shift_ns: 0,
            ending: None,
            waiting_since_ns: None,
            waiting: Recorded::default(),
        });
    }

    /// Ends the segment being recorded; it closes when its sound is complete.
    pub fn end(&mut self, ending: Option<Ending>) {
        if let Some(open) = self.open.back_mut()
            && open.ending.is_none()
        {
            open.ending = ending;
        }
    }

    /// Takes a frame, or gives it back if no open segment has a track for it.
    pub fn push(
        &mut self,
        stream: usize,
        mut frame: Frame,
        now_ns: i64,
        outbox: &mut Outbox,
    ) -> Result<(), Frame> {
        let Some(index) = self.target(stream, &frame) else {
            return Err(frame);
        };
        let Some((open, track)) = self.open.get_mut(index).and_then(|open| {
            let track = open.streams.iter().position(|each| *each == Some(stream))?;
            Some((open, track))
        }) else {
            return Err(frame);
        };
        frame.stamps.shift(open.shift_ns.saturating_neg());
        if !open.has_pictures && open.segment.is_video(track) {
            open.has_pictures = true;
            if !frame.sync {
                open.kind = Kind::Suspect;
            }
        }
        let (is_picture, bytes) = (open.segment.is_video(track), frame.buffer.size());
        match open.segment.push(track, frame) {
            Ok(true) => open.waiting.frame(is_picture, bytes),
            Ok(false) => outbox.stats.late += 1,
            Err(error) => {
                outbox.stats.dropped += 1;
                outbox.warn_once(format!("frames of stream {stream} are left out: {error}"));
            }
        }
        open.waiting_since_ns.get_or_insert(now_ns);
        if open.segment.waiting_ns() >= self.chunk_duration_ns {
            self.flush(index, now_ns, outbox);
        }
        Ok(())
    }

    /// Writes what has waited long enough and closes what is complete.
    pub fn settle(&mut self, progress: &[Progress], now_ns: i64, outbox: &mut Outbox) {
        let mut index = 0;
        while let Some(open) = self.open.get(index) {
            let due = open
                .waiting_since_ns
                .is_some_and(|since_ns| now_ns.saturating_sub(since_ns) >= self.chunk_duration_ns);
            if due && !self.flush(index, now_ns, outbox) {
                continue;
            }
            index += 1;
        }
        while let Some(open) = self.open.front()
            && open.ending.is_some()
            && (open.complete(progress, now_ns) || self.open.len() > MOST_OPEN)
            && self.close_front(now_ns, outbox)
        {}
    }

    /// Closes everything, complete or not; what the disk still refuses is given up.
    pub fn finish(&mut self, last: Option<Ending>, now_ns: i64, outbox: &mut Outbox) {
        self.end(last);
        self.health.try_now();
        while !self.open.is_empty() {
            if !self.close_front(now_ns, outbox) {
                self.give_up(0, outbox);
            }
        }
    }

    /// The segment a frame belongs to: the one being recorded for pictures (leading pictures of
    /// an open GOP go with their keyframe), for sound the latest with a track for it that started
    /// before it, else the oldest.
    fn target(&self, stream: usize, frame: &Frame) -> Option<usize> {
        let newest = self.open.len().checked_sub(1)?;
        if self.is_video(newest, stream) {
            return self.recording().then_some(newest);
        }
        let has = |open: &Open| open.streams.contains(&Some(stream));
        let pts = UtcNs(frame.stamps.pts_ns);
        let started = |open: &Open| has(open) && open.segment.origin() + open.shift_ns <= pts;
        let index = self
            .open
            .iter()
            .rposition(started)
            .or_else(|| self.open.iter().position(has))?;
        // Sound after the end of the last segment waits for the next one.
        let over = self
            .open
            .get(index)?
            .ending
            .is_some_and(|ending| ending.end <= pts);
        (index < newest || !over).then_some(index)
    }

    fn is_video(&self, index: usize, stream: usize) -> bool {
        self.open.get(index).is_some_and(|open| {
            let track = open.streams.iter().position(|each| *each == Some(stream));
            track.is_some_and(|track| open.segment.is_video(track))
        })
    }

    /// Writes one segment's chunk. False if the segment had to be closed.
    fn flush(&mut self, index: usize, now_ns: i64, outbox: &mut Outbox) -> bool {
        let Some(open) = self.open.get_mut(index) else {
            return false;
        };
        if !self.health.may_try(now_ns) && !open.overfull() {
            return true;
        }
        match open.segment.flush() {
            Ok(()) => {
                open.waiting_since_ns = None;
                outbox.stats.recorded.append(&mut open.waiting);
                self.health.worked(outbox);
                true
            }
            Err(WriteError::Io(error)) => {
                self.health.failed(&error, now_ns, outbox);
                let overfull = open.overfull();
                if overfull {
                    self.give_up(index, outbox);
                }
                !overfull
            }
            Err(WriteError::Media(error)) => {
                outbox.warn_once(format!("frames are left out: {error}"));
                self.give_up(index, outbox);
                false
            }
        }
    }

    /// Gives up what waits in a segment and closes it as far as it got.
    fn give_up(&mut self, index: usize, outbox: &mut Outbox) {
        let Some(mut open) = self.open.remove(index) else {
            return;
        };
        let lost_frames = open.segment.waiting_frames();
        self.health.lost(lost_frames);
        outbox.stats.dropped += lost_frames;
        open.segment.discard();
        let duration_ns = open.segment.written() - open.segment.origin();
        let mark = open.segment.mark();
        outbox.closed(open.segment.finish(duration_ns, Kind::Partial), mark);
    }

    /// Closes the oldest segment; false if the disk refuses what waits, but may still take it.
    fn close_front(&mut self, now_ns: i64, outbox: &mut Outbox) -> bool {
        let waits = |open: &Open| open.segment.waiting_frames() > 0;
        if self.open.front().is_some_and(waits) {
            if !self.flush(0, now_ns, outbox) {
                return true;
            }
            if self.open.front().is_some_and(waits) {
                if !self.hopeless(now_ns) {
                    return false;
                }
                self.give_up(0, outbox);
                return true;
            }
        }
        let Some(open) = self.open.pop_front() else {
            return true;
        };
        let written_ns = open.segment.written() - open.segment.origin();
        let duration_ns = open.ending.map_or(written_ns, |ending| ending.duration_ns);
        let mark = open.segment.mark();
        outbox.closed(open.segment.finish(duration_ns, open.kind), mark);
        true
    }

    /// Too much has waited for the disk, or for too long.
    fn hopeless(&self, now_ns: i64) -> bool {
        let bytes: u64 = self
            .open
            .iter()
            .map(|open| open.segment.waiting_bytes())
            .sum();
        let since_ns = self.open.front().and_then(|open| open.waiting_since_ns);
        let waited_ns = since_ns.map_or(0, |since_ns| now_ns.saturating_sub(since_ns));
        bytes > MOST_WAITING_BYTES || waited_ns > MOST_WAITING_NS || self.open.len() > MOST_OPEN
    }
}

impl Open {
    /// Every stream of the segment has passed its end, or is silent.
    fn complete(&self, progress: &[Progress], now_ns: i64) -> bool {
        let Some(ending) = self.ending else {
            return false;
        };
        self.streams
            .iter()
            .filter_map(|stream| progress.get((*stream)?))
            .all(|stream| {
                stream.heard >= ending.end + self.shift_ns
                    || now_ns.saturating_sub(stream.heard_at_ns) >= GRACE_NS
            })
    }

    /// Frames of a stream are another configuration's from now on.
    fn forget(&mut self, stream: usize) {
        for each in &mut self.streams {
            *each = each.filter(|each| *each != stream);
        }
    }

    fn overfull(&self) -> bool {
        self.segment.waiting_ns() > MOST_WAITING_NS
            || self.segment.waiting_bytes() > MOST_WAITING_BYTES
    }
}
