// SPDX-License-Identifier: MPL-2.0
//! What the recorder knows of one pad's stream.

use std::collections::VecDeque;

use crate::media::nal::h264;
use crate::media::{Codec, Track};
use crate::utc::UtcNs;

use super::av1;
use super::caps::{Kind, nominal_duration_ns, reorder_depth};
use super::mp4::Frame;
use super::notice::Outbox;
use super::recorder::Incoming;
use super::segments::Progress;
use super::stamps::Stamper;

/// A stream that is silent for this long, in real time, decides nothing any more.
pub const SILENCE_NS: i64 = 3_000_000_000;
/// Frames of this many bytes wait for a segment that has a track for them.
const MOST_HELD_BYTES: usize = 16 << 20;

/// One pad's stream.
#[derive(Debug)]
pub struct Stream {
    /// Pictures or sound.
    pub kind: Kind,
    /// Its caps; `None` until they came.
    pub caps: Option<gst::Caps>,
    /// Caps that wait for a keyframe to bring the configuration they lack.
    pub incomplete: Option<gst::Caps>,
    /// What they mean, where the container is MP4.
    pub track: Option<Track>,
    /// Its configuration changed since the current segment began.
    pub changed: bool,
    /// The segment being recorded has a track for it.
    pub included: bool,
    /// Its end came, or its pad was released.
    pub ended: bool,
    /// A keyframe came since it began, or since its configuration changed.
    pub has_keyframe: bool,
    /// Repairs its stamps.
    pub stamper: Stamper,
    /// Frames that wait for a segment with a track for them, in order.
    pub held: VecDeque<Frame>,
    held_bytes: usize,
    /// Frames that came before recording started and are to be recorded still.
    pub waiting: usize,
    /// When a frame last came, on the monotonic clock.
    pub heard_at_ns: Option<i64>,
}

impl Stream {
    /// A stream nothing is known of yet.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            caps: None,
            incomplete: None,
            track: None,
            changed: false,
            included: false,
            ended: false,
            has_keyframe: false,
            stamper: Stamper::new(40_000_000, None),
            held: VecDeque::new(),
            held_bytes: 0,
            waiting: 0,
            heard_at_ns: None,
        }
    }

    /// Frames can be expected of it.
    pub fn live(&self) -> bool {
        self.caps.is_some() && !self.ended
    }

    /// Takes new caps and tells whether they mean another configuration.
    pub fn configure(&mut self, caps: &gst::Caps, track: Option<Track>) -> bool {
        let same = match &track {
            Some(_) => self.track == track,
            None => self.caps.as_ref() == Some(caps),
        };
        if self.caps.is_none() {
            self.stamper = Stamper::new(nominal_duration_ns(caps), reorder_depth(caps));
        }
        self.caps = Some(caps.clone());
        self.track = track;
        !same
    }

    /// Whether a buffer that is marked as a keyframe is one. Of H.264 that is looked at where its
    /// samples have lengths: GStreamer 1.22's h264parse marks more.
    pub fn is_keyframe(&self, buffer: &gst::BufferRef) -> bool {
        let Some(Codec::H264 { avcc, .. }) = self.track.as_ref().map(|track| &track.codec) else {
            return true;
        };
        let length_bytes = avcc.get(4).map_or(4, |length| usize::from(length & 3) + 1);
        let map = buffer.map_readable();
        map.is_ok_and(|map| h264::is_keyframe(&map, length_bytes))
    }

    /// Prepares a buffer of a codec that wants it, and completes caps that wait for it. `None` if
    /// it cannot be used yet; caps if they are complete now.
    pub fn prepare(&mut self, incoming: &mut Incoming) -> Option<Option<gst::Caps>> {
        let incomplete = self.incomplete.take();
        let new = match &incomplete {
            Some(caps) if incoming.sync => av1::configured(caps, &incoming.buffer),
            _ => None,
        };
        if incomplete.is_some() && new.is_none() {
            self.incomplete = incomplete;
            return None;
        }
        let is_av1 = matches!(
            self.track,
            Some(Track {
                codec: Codec::Av1 { .. },
                ..
            })
        );
        if is_av1 || new.is_some() {
            let buffer = std::mem::take(&mut incoming.buffer);
            incoming.buffer = av1::without_delimiter(buffer);
        }
        Some(new)
    }

    /// A frame came less than `silence_ns` of real time ago.
    pub fn heard_within(&self, silence_ns: i64, now_ns: i64) -> bool {
        self.heard_at_ns
            .is_some_and(|at_ns| now_ns.saturating_sub(at_ns) < silence_ns)
    }

    /// Its next frame is to be expected soon: it is live and was not silent for long, or its frames
    /// have waited for the start, even if its end did as well.
    pub fn expected(&self, now_ns: i64) -> bool {
        self.waiting > 0 || (self.live() && self.heard_within(SILENCE_NS, now_ns))
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let end_ns = self.stamper.end_ns().unwrap_or(i64::MIN);
        Progress {
            heard: UtcNs(if self.ended { i64::MAX } else { end_ns }),
            heard_at_ns: self.heard_at_ns.unwrap_or(i64::MIN),
        }
    }

    /// Keeps a frame until a segment has a track for it; the oldest go when it gets too much.
    pub fn hold(&mut self, frame: Frame, outbox: &mut Outbox) {
        self.held_bytes += frame.buffer.size();
        self.held.push_back(frame);
        while self.held_bytes > MOST_HELD_BYTES && self.take_held().is_some() {
            outbox.stats.dropped += 1;
        }
    }

    /// Much more cannot be kept.
    pub fn is_full(&self) -> bool {
        self.held_bytes > MOST_HELD_BYTES / 2
    }

    /// The oldest frame that is kept.
    pub fn take_held(&mut self) -> Option<Frame> {
        let frame = self.held.pop_front()?;
        self.held_bytes = self.held_bytes.saturating_sub(frame.buffer.size());
        Some(frame)
    }

    /// Keeps a frame that was taken a little longer.
    pub fn put_back(&mut self, frame: Frame) {
        self.held_bytes += frame.buffer.size();
        self.held.push_front(frame);
    }

    /// The clock stepped.
    pub fn shift(&mut self, ns: i64) {
        self.stamper.shift(ns);
        for frame in &mut self.held {
            frame.stamps.shift(ns);
        }
    }
}
