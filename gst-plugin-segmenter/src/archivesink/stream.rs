// SPDX-License-Identifier: MPL-2.0
//! What the recorder knows of one pad's stream.

use std::collections::VecDeque;

use crate::media::{Codec, Orientation, Track};
use crate::utc::UtcNs;

use super::access_units::{AccessUnits, append, parameter_sets};
use super::av1;
use super::caps::{Kind, nominal_duration_ns, reorder_depth};
use super::incomplete;
use super::mp4::Frame;
use super::notice::Outbox;
use super::recorder::Incoming;
use super::segments::Progress;
use super::stamps::Stamper;

/// A stream that is silent for this long, in real time, decides nothing any more.
pub const SILENCE_NS: i64 = 3_000_000_000;
/// A stream without a place to begin decoding at for this long, of its own time, begins where it can.
const KEYFRAME_WAIT_NS: i64 = 10_000_000_000;
/// Frames of this many bytes wait for a segment that has a track for them.
const MOST_HELD_BYTES: usize = 16 << 20;

/// What new caps mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Other parameter sets beside the same sequence, or other words about it: frames decode on.
    Sets,
    /// Frames do not decode from the keyframes before.
    Configuration,
}

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
    /// How its pictures are turned, as tags say.
    pub orientation: Orientation,
    /// Its configuration changed since the current segment began.
    pub changed: bool,
    /// The segment being recorded has a track for it.
    pub included: bool,
    /// Its end came, or its pad was released.
    pub ended: bool,
    /// A keyframe came since it began, or since its configuration changed.
    pub has_keyframe: bool,
    /// The first frame without one: what cannot be decoded from a keyframe is not waited for for
    /// ever.
    pub without_keyframe_since_ns: Option<i64>,
    /// Decoding never really can begin in it, so it does where it may.
    pub makes_do: bool,
    /// Puts its pictures together.
    pub units: AccessUnits,
    /// Parameter sets that changed between keyframes, in the form of its samples: its next frame
    /// brings them along.
    new_sets: Option<gst::Buffer>,
    /// The same for its next keyframe: a copy that goes on from one segment to the next does not
    /// look at the next one's configuration if that is the one it began with.
    sets_again: Option<gst::Buffer>,
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
            orientation: Orientation::default(),
            changed: false,
            included: false,
            ended: false,
            has_keyframe: false,
            without_keyframe_since_ns: None,
            makes_do: false,
            units: AccessUnits::default(),
            new_sets: None,
            sets_again: None,
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

    /// Whether frames that are held decode under these caps no longer, or not all.
    pub fn outdates_held(&self, caps: &gst::Caps, track: Option<&Track>) -> bool {
        let Some(before) = self.caps.as_ref().filter(|_| !self.held.is_empty()) else {
            return false;
        };
        !self.is_as(caps, track) && !matches!(in_band_sets(before, caps), Some(None))
    }

    /// Whether it is configured so already.
    fn is_as(&self, caps: &gst::Caps, track: Option<&Track>) -> bool {
        match track {
            Some(_) => self.track.as_ref() == track,
            None => self.caps.as_ref() == Some(caps),
        }
    }

    /// Takes new caps and tells whether they mean another configuration.
    pub fn configure(&mut self, caps: &gst::Caps, track: Option<Track>) -> Change {
        let same = self.is_as(caps, track.as_ref());
        if self.caps.is_none() {
            self.stamper = Stamper::new(nominal_duration_ns(caps), reorder_depth(caps));
        }
        let before = self.caps.replace(caps.clone());
        self.track = track;
        self.units.configure(caps);
        if same {
            return Change::None;
        }
        match before.and_then(|before| in_band_sets(&before, caps)) {
            Some(sets) => {
                self.sets_again = sets.clone().or(self.sets_again.take());
                self.new_sets = sets.or(self.new_sets.take());
                Change::Sets
            }
            None => Change::Configuration,
        }
    }

    /// A frame, with the parameter sets in front that came with its caps.
    pub fn with_new_sets(&mut self, buffer: gst::Buffer, is_keyframe: bool) -> gst::Buffer {
        let again = self.sets_again.take_if(|_| is_keyframe);
        let Some(mut whole) = self.new_sets.take().or(again) else {
            return buffer;
        };
        append(&mut whole, &buffer);
        if let Some(parts) = whole.get_mut() {
            let _ = buffer.copy_into(parts, gst::BufferCopyFlags::FLAGS, ..0);
        }
        whole
    }

    /// A keyframe came, or one that has to do: from here on frames can be recorded.
    pub fn begins_with(&mut self, frame: &Frame) -> bool {
        if frame.sync {
            self.has_keyframe = true;
            self.makes_do = false;
            self.without_keyframe_since_ns = None;
        } else if !self.has_keyframe {
            let now_ns = frame.stamps.pts_ns;
            let since_ns = *self.without_keyframe_since_ns.get_or_insert(now_ns);
            let is_late = self.makes_do || now_ns.saturating_sub(since_ns) >= KEYFRAME_WAIT_NS;
            if is_late && frame.is_makeshift {
                self.has_keyframe = true;
                self.makes_do = true;
            }
        }
        self.has_keyframe
    }

    /// Prepares a buffer of a codec that wants it, and completes caps that wait for it. `None` if
    /// it cannot be used yet; caps if they are complete now.
    pub fn prepare(&mut self, incoming: &mut Incoming) -> Option<Option<gst::Caps>> {
        let incomplete = self.incomplete.take();
        let new = match &incomplete {
            Some(caps) if incoming.sync => incomplete::configured(caps, &incoming.buffer),
            _ => None,
        };
        if incomplete.is_some() && new.is_none() {
            self.incomplete = incomplete;
            return None;
        }
        let is_av1 =
            |caps: &gst::Caps| caps.structure(0).is_some_and(|s| s.name() == "video/x-av1");
        let becomes_av1 = new.as_ref().is_some_and(is_av1);
        let is_av1 = matches!(
            self.track,
            Some(Track {
                codec: Codec::Av1 { .. },
                ..
            })
        );
        if is_av1 || becomes_av1 {
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
        self.units.shift(ns);
        for frame in &mut self.held {
            frame.stamps.shift(ns);
        }
    }
}

/// The sets that frames need to go on under new caps, in the form of samples, if they can go on at
/// all: the sequence is the same (H.264 §7.4.1.2.1, H.265 §7.4.2.4.2: only a picture that everything
/// begins at may change it). Where the sets stand in the stream anyway there are none to add.
fn in_band_sets(before: &gst::CapsRef, caps: &gst::CapsRef) -> Option<Option<gst::Buffer>> {
    let form = |caps: &gst::CapsRef| {
        let s = caps.structure(0)?;
        let format = s.get::<String>("stream-format").ok();
        Some((s.name().to_string(), format))
    };
    if form(before)? != form(caps)? {
        return None;
    }
    let (old, mut new) = (parameter_sets(before)?, parameter_sets(caps)?);
    let is_same = old.sps == new.sps && old.vps == new.vps && old.length_bytes == new.length_bytes;
    if !is_same {
        return None;
    }
    new.sps.clear();
    new.vps.clear();
    new.pps.retain(|set| !old.pps.contains(set));
    let sets = (!new.pps.is_empty()).then(|| gst::Buffer::from_mut_slice(new.as_sample()));
    Some(sets)
}
