// SPDX-License-Identifier: MPL-2.0
//! From buffers to pictures: what parsers and depayloaders tear apart is put together again.
//!
//! A buffer should be an access unit, and mostly is. But a camera that sets RTP's marker on a
//! message alone, or on every slice, has its pictures arrive in pieces; and the two fields of a
//! frame are two access units by the standard (H.264 §3.1), though one picture to whoever counts,
//! cuts or decodes. So each buffer of H.264 and H.265 waits for the next one, which tells whether it
//! goes on ([`Head::goes_on`]); without a slice it goes with what follows. That costs a frame of
//! delay, which pays for something else as well: of each frame it is known how long it lasted.
//! And that its time is the next one's, where a depayloader has put a message with a marker of its
//! own behind a picture without one (`rtph264depay` 1.22): such a picture follows on instead.
//!
//! Whether decoding can begin at a picture is read from its slices here, and nowhere else.

use gst::BufferRef;

use crate::media::FrameKind;
use crate::media::nal::{self, Sets};
use crate::media::pictures::{Coding, Head, KnownSets};

use super::recorder::Incoming;

/// More than any picture has; what goes on beyond is no picture.
const MOST_BYTES: usize = 32 << 20;
/// Slices of a picture have one time; stamps are rounded.
const SAME_TIME_NS: i64 = 1_000_000;

/// The pictures of one stream.
#[derive(Debug, Default)]
pub struct AccessUnits {
    form: Option<Form>,
    pending: Option<Pending>,
    /// The PTS of the picture before the pending one.
    last_pts_ns: Option<i64>,
}

/// How the stream's NAL units are written.
#[derive(Debug)]
struct Form {
    coding: Coding,
    known: KnownSets,
    /// Bytes of each unit's length; `None` for a byte stream.
    length_bytes: Option<usize>,
}

#[derive(Debug)]
struct Pending {
    incoming: Incoming,
    head: Head,
    /// When it came, on the monotonic clock.
    since_ns: i64,
}

impl AccessUnits {
    /// The stream has these caps from now on.
    pub fn configure(&mut self, caps: &gst::CapsRef) {
        self.form = Form::of(caps);
    }

    /// Takes a buffer; gives back the picture that it completes, which is mostly the one before.
    pub fn push(&mut self, incoming: Incoming, now_ns: i64) -> Option<Incoming> {
        let Some(form) = &mut self.form else {
            return Some(incoming);
        };
        let Some(head) = form.head(&incoming.buffer) else {
            return Some(incoming);
        };
        let before = match self.pending.take() {
            Some(mut pending) if pending.takes(&incoming, &head) => {
                pending.join(incoming, &head);
                self.pending = Some(pending);
                return None;
            }
            before => before,
        };
        let done = before.and_then(|mut before| {
            let last_ns = self.last_pts_ns.filter(|_| head.slice.is_some());
            if let Some((last_ns, next_ns)) = last_ns.zip(incoming.raw.pts_ns)
                && before.is_at(&incoming)
            {
                before.put_between(last_ns, next_ns);
            }
            self.last_pts_ns = before.incoming.raw.pts_ns;
            before.done(Some(&incoming))
        });
        self.pending = Some(Pending {
            incoming,
            head,
            since_ns: now_ns,
        });
        done
    }

    /// What has waited since `since_ns` or longer: whatever comes, it is not held back any more.
    pub fn overdue(&mut self, since_ns: i64) -> Option<Incoming> {
        let is_due = |pending: &mut Pending| pending.since_ns <= since_ns;
        let pending = self.pending.take_if(is_due)?;
        if pending.head.slice.is_none() {
            // It has nothing to show, and may wait for ever.
            self.pending = Some(pending);
            return None;
        }
        pending.done(None)
    }

    /// The clock stepped.
    pub fn shift(&mut self, ns: i64) {
        self.last_pts_ns = self.last_pts_ns.map(|last_ns| last_ns.saturating_add(ns));
        if let Some(pending) = &mut self.pending {
            let raw = &mut pending.incoming.raw;
            for time_ns in [&mut raw.pts_ns, &mut raw.dts_ns].into_iter().flatten() {
                *time_ns = time_ns.saturating_add(ns);
            }
        }
    }

    /// Whatever waits: nothing goes on with it.
    pub fn take(&mut self) -> Option<Incoming> {
        self.pending.take()?.done(None)
    }
}

impl Form {
    fn of(caps: &gst::CapsRef) -> Option<Self> {
        let s = caps.structure(0)?;
        let coding = match s.name().as_str() {
            "video/x-h264" => Coding::H264,
            "video/x-h265" => Coding::H265,
            _ => return None,
        };
        let mut known = KnownSets::default();
        let sets = parameter_sets(caps);
        if let Some(sets) = &sets {
            coding.learn(sets, &mut known);
        }
        let length_bytes = match s.get::<&str>("stream-format") {
            Ok("byte-stream") => None,
            _ => Some(sets.map_or(4, |sets| sets.length_bytes)),
        };
        Some(Self {
            coding,
            known,
            length_bytes,
        })
    }

    /// What the units of a buffer say; `None` if it cannot be read.
    fn head(&mut self, buffer: &BufferRef) -> Option<Head> {
        let map = buffer.map_readable().ok()?;
        let mut head = Head::default();
        let mut add = |unit: &[u8]| head.add(self.coding.read(unit, &mut self.known));
        match self.length_bytes {
            Some(bytes) => nal::in_sample_so_far(&map, bytes).for_each(&mut add),
            None => nal::in_byte_stream(&map).for_each(&mut add),
        }
        Some(head)
    }
}

impl Pending {
    /// Whether the next goes on with this one, or this one is nothing by itself.
    fn takes(&self, next: &Incoming, head: &Head) -> bool {
        let fits = self.incoming.buffer.size() + next.buffer.size() <= MOST_BYTES;
        let goes_on = || self.head.goes_on(head) && (is_second_field(head) || self.is_at(next));
        fits && (self.head.slice.is_none() || goes_on())
    }

    fn join(&mut self, mut next: Incoming, head: &Head) {
        if self.head.slice.is_some() {
            append(&mut self.incoming.buffer, &next.buffer);
        } else {
            // Messages before a picture: its times are the picture's.
            let mut buffer = std::mem::take(&mut self.incoming.buffer);
            append(&mut buffer, &next.buffer);
            let parts = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::META;
            let _ = next.buffer.copy_into(buffer.make_mut(), parts, ..0);
            next.buffer = buffer;
            next.raw.pts_ns = next.raw.pts_ns.or(self.incoming.raw.pts_ns);
            next.reference = next.reference.or(self.incoming.reference);
            self.incoming = next;
        }
        self.head.join(head);
    }

    /// Two pictures are not shown at once: this one's time is the other's.
    fn put_between(&mut self, last_ns: i64, next_ns: i64) {
        let raw = &mut self.incoming.raw;
        let between_ns = last_ns + next_ns.saturating_sub(last_ns).max(0) / 2;
        raw.dts_ns = raw.dts_ns.filter(|dts_ns| *dts_ns < between_ns);
        raw.pts_ns = Some(between_ns);
    }

    /// Whether the next has the same time, or one of the two has none.
    fn is_at(&self, next: &Incoming) -> bool {
        let times = self.incoming.raw.pts_ns.zip(next.raw.pts_ns);
        times.is_none_or(|(pts, next)| pts.abs_diff(next) <= SAME_TIME_NS as u64)
    }

    /// The picture; it lasts until `next` is decoded. `None` if there is none in it.
    fn done(mut self, next: Option<&Incoming>) -> Option<Incoming> {
        let kind = self.head.kind()?;
        self.incoming.sync = kind.is_entry();
        self.incoming.is_makeshift = matches!(kind, FrameKind::Gradual { .. } | FrameKind::Intra);
        // Without decoding times the next one may be shown anywhere.
        let lasts_ns = next
            .and_then(|next| next.raw.dts_ns)
            .zip(self.incoming.raw.dts_ns)
            .map(|(next_ns, own_ns)| next_ns.saturating_sub(own_ns));
        if let Some(lasts_ns) = lasts_ns.filter(|lasts_ns| *lasts_ns > 0) {
            self.incoming.raw.duration_ns = Some(lasts_ns);
        }
        Some(self.incoming)
    }
}

fn is_second_field(head: &Head) -> bool {
    head.slice
        .is_some_and(|slice| slice.is_first && slice.field.is_some())
}

/// The parameter sets of caps with a decoder configuration record.
pub fn parameter_sets(caps: &gst::CapsRef) -> Option<Sets> {
    let s = caps.structure(0)?;
    let record = s.get::<gst::Buffer>("codec_data").ok()?;
    let record = record.map_readable().ok()?;
    match s.name().as_str() {
        "video/x-h264" => Sets::from_avcc(&record),
        "video/x-h265" => Sets::from_hvcc(&record),
        _ => None,
    }
}

/// Puts the memories of one buffer behind those of another; no byte is copied.
pub fn append(buffer: &mut gst::Buffer, more: &BufferRef) {
    let buffer = buffer.make_mut();
    for memory in more.iter_memories_owned() {
        buffer.append_memory(memory);
    }
}
