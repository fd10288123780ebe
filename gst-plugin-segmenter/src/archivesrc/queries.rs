// SPDX-License-Identifier: MPL-2.0
//! What a pad answers.

use gst::subclass::prelude::*;

use super::imp::{ArchiveSrc, lock};
use super::track::time;
use super::uri;

impl ArchiveSrc {
    /// Answers a query on a pad.
    pub(super) fn query_pad(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Position(query) if query.format() == gst::Format::Time => {
                let position_ns = lock(&self.state).track(pad).map(|track| track.position_ns);
                let Some(position_ns) = position_ns else {
                    return false;
                };
                query.set(time(position_ns));
                true
            }
            gst::QueryViewMut::Duration(query) if query.format() == gst::Format::Time => {
                let Some(duration) = self.duration() else {
                    return false;
                };
                query.set(duration);
                true
            }
            gst::QueryViewMut::Seeking(query) if query.format() == gst::Format::Time => {
                let Some(duration) = self.duration() else {
                    return false;
                };
                query.set(true, gst::ClockTime::ZERO, duration);
                true
            }
            gst::QueryViewMut::Segment(query) => {
                let state = lock(&self.state);
                let Some(playing) = state.playing.as_ref() else {
                    return false;
                };
                let segment = &playing.playback.segment;
                query.set(segment.rate(), segment.start(), segment.stop());
                true
            }
            gst::QueryViewMut::Latency(query) => {
                query.set(false, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                true
            }
            gst::QueryViewMut::Scheduling(query) => {
                query.set(gst::SchedulingFlags::SEQUENTIAL, 1, -1, 0);
                query.add_scheduling_modes([gst::PadMode::Push]);
                true
            }
            gst::QueryViewMut::Uri(query) => self.answer_uri(query),
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }

    /// Says what is played.
    pub(super) fn answer_uri(&self, query: &mut gst::query::Uri) -> bool {
        let uri = uri::of(&lock(&self.settings));
        query.set_uri(uri.as_deref());
        uri.is_some()
    }

    fn duration(&self) -> Option<gst::ClockTime> {
        let state = lock(&self.state);
        let playing = state.playing.as_ref()?;
        Some(time(playing.reel.presentation.duration_ns))
    }
}
