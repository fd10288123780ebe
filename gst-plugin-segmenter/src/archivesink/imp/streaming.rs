// SPDX-License-Identifier: MPL-2.0
//! What comes through the pads: buffers, events and queries, each on its streaming thread.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::super::caps;
use super::super::incoming::{incoming, running_ns};
use super::super::recorder::{Now, Recorder};
use super::super::refusal::refusal;
use super::super::settings::Container;
use super::super::upstream::Upstream;
use super::{ArchiveSink, CAT, State, lock};
use crate::media::Orientation;

impl ArchiveSink {
    pub(super) fn chain(
        &self,
        pad: &gst::Pad,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.wait_until_playing(pad)?;
        let now = self.now();
        let mut state = lock(&self.state);
        let Some(sink_pad) = state.pad(pad) else {
            return Err(gst::FlowError::Flushing);
        };
        if sink_pad.ended {
            return Err(gst::FlowError::Eos);
        }
        if sink_pad.refused {
            if let Some(recorder) = state.recorder.as_mut() {
                recorder.outbox.stats.dropped += 1;
            }
            return Ok(gst::FlowSuccess::Ok);
        }
        let (id, kind) = (sink_pad.id, sink_pad.kind);
        let Some(incoming) = incoming(buffer, kind, sink_pad.segment.as_ref()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let Some(recorder) = state.recorder.as_mut() else {
            return Err(gst::FlowError::Flushing);
        };
        recorder.push(id, incoming, now);
        let notices = state.notices();
        drop(state);
        self.carry_out(notices);
        self.wait_while_congested(pad);
        Ok(gst::FlowSuccess::Ok)
    }

    /// Holds back a source that is faster than the muxer behind; a live one never is.
    fn wait_while_congested(&self, pad: &gst::Pad) {
        const LOOK_AGAIN: Duration = Duration::from_millis(1);
        let mut state = lock(&self.state);
        while !self.stopping.load(Ordering::Acquire)
            && state.recorder.as_ref().is_some_and(Recorder::congested)
            && state.pad(pad).is_some_and(|pad| !pad.flushing)
        {
            let waited = self.gate.wait_timeout(state, LOOK_AGAIN);
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// Only while playing is there a base time, and with it a way from running time to UTC. A
    /// paused pipeline holds its sources here, as any sink does.
    fn wait_until_playing(&self, pad: &gst::Pad) -> Result<(), gst::FlowError> {
        let mut state = lock(&self.state);
        loop {
            if self.stopping.load(Ordering::Acquire)
                || state.pad(pad).is_none_or(|pad| pad.flushing)
            {
                return Err(gst::FlowError::Flushing);
            }
            if state.playing {
                return Ok(());
            }
            state = self
                .gate
                .wait(state)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    pub(super) fn event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        match event.view() {
            gst::EventView::Caps(caps) => return self.set_caps(pad, caps.caps()),
            gst::EventView::Segment(segment) => return self.set_segment(pad, segment.segment()),
            gst::EventView::Tag(tags) => self.set_tags(pad, tags.tag()),
            gst::EventView::Gap(gap) => self.gap(pad, gap),
            gst::EventView::Eos(_) => self.end(pad, event.seqnum()),
            gst::EventView::FlushStart(_) => self.set_flushing(pad, true),
            gst::EventView::FlushStop(_) => self.set_flushing(pad, false),
            _ => return gst::Pad::event_default(pad, Some(&*self.obj()), event),
        }
        true
    }

    /// A stream that cannot be recorded is left out, and said once: only where no other pad is
    /// left that can record is it an error. The event is taken either way, lest the demuxer that
    /// sent it ends the other streams, too.
    fn set_caps(&self, pad: &gst::Pad, caps: &gst::CapsRef) -> bool {
        let upstream = Upstream::of(pad);
        gst::debug!(CAT, obj = pad, "{upstream:?}");
        let now = self.now();
        let mpegts = lock(&self.settings).container == Container::MpegTs;
        let mut state = lock(&self.state);
        let id = state.pad(pad).map(|pad| (pad.id, pad.refused));
        let Some(((id, refused), recorder)) = id.zip(state.recorder.as_mut()) else {
            return false;
        };
        let refusal = refusal(caps, mpegts).or_else(|| {
            let taken = recorder.set_caps(id, &caps.to_owned(), now);
            taken.err().map(|error| error.to_string())
        });
        if let Some(why) = refusal {
            return self.leave_out(pad, state, &why);
        }
        if refused {
            recorder.resume(id);
        }
        recorder.set_source(id, upstream);
        if let Some(sink_pad) = state.pad(pad) {
            sink_pad.refused = false;
        }
        let notices = state.notices();
        drop(state);
        self.carry_out(notices);
        true
    }

    /// From here on nothing of this pad is recorded; false if no other pad is left that can be.
    fn leave_out(&self, pad: &gst::Pad, mut state: MutexGuard<'_, State>, why: &str) -> bool {
        let now = self.now();
        let id = state.pad(pad).map(|sink_pad| {
            sink_pad.refused = true;
            sink_pad.id
        });
        if let Some((id, recorder)) = id.zip(state.recorder.as_mut()) {
            recorder.end(id, now);
        }
        let others_record = state.pads.iter().any(|each| !each.refused);
        let notices = state.notices();
        drop(state);
        self.carry_out(notices);
        let text = format!("pad {} is not recorded: {why}", pad.name());
        if others_record {
            gst::element_imp_warning!(self, gst::StreamError::Format, ("{text}"));
        } else {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{text}"));
        }
        others_record
    }

    fn set_segment(&self, pad: &gst::Pad, segment: &gst::Segment) -> bool {
        let mut state = lock(&self.state);
        let Some(segment) = segment.downcast_ref::<gst::ClockTime>() else {
            let format = segment.format();
            let why =
                format!("a segment in {format:?} has no times; put a parser before archivesink");
            return self.leave_out(pad, state, &why);
        };
        if let Some(pad) = state.pad(pad) {
            pad.segment = Some(segment.clone());
        }
        true
    }

    /// How pictures are turned is in no caps.
    fn set_tags(&self, pad: &gst::Pad, tags: &gst::TagListRef) {
        let name = tags.get::<gst::tags::ImageOrientation>();
        let Some(to) = name.and_then(|name| Orientation::of_tag(name.get())) else {
            return;
        };
        let now = self.now();
        let mut state = lock(&self.state);
        let id = state.pad(pad).map(|pad| pad.id);
        if let Some((id, recorder)) = id.zip(state.recorder.as_mut()) {
            recorder.turn(id, to, now);
        }
        let notices = state.notices();
        drop(state);
        self.carry_out(notices);
    }

    fn gap(&self, pad: &gst::Pad, gap: &gst::event::Gap) {
        let (start, duration) = gap.get();
        let now = self.now();
        let mut state = lock(&self.state);
        let Some(sink_pad) = state.pad(pad) else {
            return;
        };
        let end = start + duration.unwrap_or(gst::ClockTime::ZERO);
        let end_ns = sink_pad
            .segment
            .as_ref()
            .and_then(|segment| running_ns(segment, Some(end)));
        let id = sink_pad.id;
        if let Some((end_ns, recorder)) = end_ns.zip(state.recorder.as_mut()) {
            recorder.gap(id, end_ns, now);
        }
        let notices = state.notices();
        drop(state);
        self.carry_out(notices);
    }

    fn end(&self, pad: &gst::Pad, seqnum: gst::Seqnum) {
        let now = self.now();
        let mut state = lock(&self.state);
        let Some(sink_pad) = state.pad(pad) else {
            return;
        };
        sink_pad.ended = true;
        let id = sink_pad.id;
        if let Some(recorder) = state.recorder.as_mut() {
            recorder.end(id, now);
        }
        self.finish_if_all_ended(state, seqnum, now);
    }

    pub(super) fn finish_if_all_ended(
        &self,
        mut state: MutexGuard<'_, State>,
        seqnum: gst::Seqnum,
        now: Now,
    ) {
        let finishes = state.finishes();
        if finishes && let Some(recorder) = state.recorder.as_mut() {
            recorder.finish(now);
        }
        let notices = state.notices();
        drop(state);
        self.carry_out(notices);
        if finishes {
            let obj = self.obj();
            let eos = gst::message::Eos::builder()
                .src(&*obj)
                .seqnum(seqnum)
                .build();
            let _ = obj.post_message(eos);
        }
    }

    fn set_flushing(&self, pad: &gst::Pad, flushing: bool) {
        let mut state = lock(&self.state);
        let Some(sink_pad) = state.pad(pad) else {
            return;
        };
        sink_pad.flushing = flushing;
        if !flushing {
            sink_pad.segment = None;
            sink_pad.ended = false;
            let id = sink_pad.id;
            state.finished = false;
            if let Some(recorder) = state.recorder.as_mut() {
                recorder.resume(id);
            }
        }
        self.gate.notify_all();
    }

    pub(super) fn query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        let kind = lock(&self.state).pad(pad).map(|pad| pad.kind);
        let mpegts = lock(&self.settings).container == Container::MpegTs;
        let accepted = kind.map(|kind| caps::accepted(kind, Some(mpegts)));
        match (query.view_mut(), accepted) {
            (gst::QueryViewMut::Caps(query), Some(accepted)) => {
                let result = match query.filter() {
                    Some(filter) => {
                        filter.intersect_with_mode(&accepted, gst::CapsIntersectMode::First)
                    }
                    None => accepted,
                };
                query.set_result(&result);
                true
            }
            // What it cannot record it takes all the same, see `set_caps`.
            (gst::QueryViewMut::AcceptCaps(query), Some(_)) => {
                query.set_result(true);
                true
            }
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }
}
