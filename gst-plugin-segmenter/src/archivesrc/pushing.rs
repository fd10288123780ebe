// SPDX-License-Identifier: MPL-2.0
//! What the tasks do: a step of their track, and what becomes of it.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::errors;
use super::imp::{ArchiveSrc, CAT, lock};
use super::track::{self, Step};

impl ArchiveSrc {
    /// One step of a pad's task.
    pub(super) fn iterate(&self, pad: &gst::Pad) {
        let mut state = lock(&self.state);
        let Some(playing) = state.playing.as_mut() else {
            return;
        };
        let reel = playing.reel.clone();
        let (has_failed, playback) = (playing.has_failed, playing.playback.clone());
        let Some(track) = playing.track(pad) else {
            return;
        };
        let step = match has_failed {
            true => Step::End,
            false => track.step(&reel, &playback),
        };
        drop(state);
        match step {
            Step::Event(event) => {
                gst::log!(CAT, obj = pad, "{event:?}");
                pad.push_event(event);
            }
            Step::Sample(sampled) => match reel.read(&sampled.sample) {
                Ok(bytes) => self.push(pad, track::buffer(bytes, &sampled, reel.zero())),
                Err(error) => {
                    self.fail(errors::read(&error));
                    self.end(pad);
                }
            },
            Step::End => self.end(pad),
        }
    }

    fn push(&self, pad: &gst::Pad, buffer: gst::Buffer) {
        gst::trace!(CAT, obj = pad, "{buffer:?}");
        let moment = track::moment(&buffer);
        let flow = pad.push(buffer);
        match flow {
            Ok(_) => {
                let _ = self.combine(pad, flow);
            }
            Err(gst::FlowError::Flushing) => self.rest(pad),
            Err(gst::FlowError::Eos) => self.end(pad),
            Err(gst::FlowError::NotLinked) => {
                gst::debug!(CAT, obj = pad, "is not linked: waits until it is");
                if let Some(track) = lock(&self.state).track(pad) {
                    track.is_unlinked = true;
                }
                self.rest(pad);
                // Where another pad has ended, this is one that nobody wanted.
                if self.combine(pad, flow) == Err(gst::FlowError::NotLinked) {
                    self.fail(gst::error_msg!(
                        gst::StreamError::Failed,
                        ("no pad of archivesrc is linked; link `video` or `audio_0`")
                    ));
                }
            }
            Err(gst::FlowError::NotNegotiated) => {
                self.fail(errors::not_taken(pad, moment));
                self.end(pad);
            }
            Err(error) => {
                self.fail(gst::error_msg!(
                    gst::StreamError::Failed,
                    (
                        "what follows pad {} does not take the data: {error}",
                        pad.name()
                    )
                ));
                self.end(pad);
            }
        }
    }

    /// What the flow of one pad means for all of them.
    fn combine(
        &self,
        pad: &gst::Pad,
        flow: Result<gst::FlowSuccess, gst::FlowError>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        match lock(&self.state).playing.as_mut() {
            Some(playing) => playing.flows.update_pad_flow(pad, flow),
            None => Err(gst::FlowError::Flushing),
        }
    }

    /// Lets the pad's task rest.
    fn rest(&self, pad: &gst::Pad) {
        let task = lock(&self.state).track(pad).map(|track| track.task.clone());
        if let Some(task) = task {
            let _ = task.pause();
        }
    }

    /// Says that nothing more comes on the pad.
    fn end(&self, pad: &gst::Pad) {
        let _ = self.combine(pad, Err(gst::FlowError::Eos));
        let mut state = lock(&self.state);
        let Some(playing) = state.playing.as_mut() else {
            return;
        };
        if let Some(track) = playing.track(pad) {
            track.has_ended = true;
        }
        let playback = playing.playback.clone();
        let all_ended = playing
            .tracks
            .iter()
            .all(|track| track.has_ended || track.is_unlinked);
        let is_segment_seek = playback.is_segment_seek() && !playing.has_failed;
        drop(state);
        self.rest(pad);
        let stop = playback.segment.stop();
        if !is_segment_seek {
            pad.push_event(gst::event::Eos::builder().seqnum(playback.seqnum).build());
            return;
        }
        let event = gst::event::SegmentDone::builder(stop).seqnum(playback.seqnum);
        pad.push_event(event.build());
        if all_ended {
            let obj = self.obj();
            let message = gst::message::SegmentDone::builder(stop)
                .src(&*obj)
                .seqnum(playback.seqnum);
            let _ = obj.post_message(message.build());
        }
    }

    /// Posts an error, the first one only, and lets all tracks end.
    pub(super) fn fail(&self, error: gst::ErrorMessage) {
        let mut state = lock(&self.state);
        let Some(playing) = state.playing.as_mut() else {
            return;
        };
        let is_first = !std::mem::replace(&mut playing.has_failed, true);
        drop(state);
        if is_first {
            self.post_error_message(error);
        }
    }
}
