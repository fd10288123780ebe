// SPDX-License-Identifier: MPL-2.0
//! Says on the bus and asks upstream what the recorder wanted said and asked, with no lock held.

use std::path::Path;

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::super::caps::Kind;
use super::super::notice::Notice;
use super::super::settings::Settings;
use super::super::{element_messages, retime};
use super::{ArchiveSink, CAT, lock};
use crate::archive::{self, Finished};
use crate::media::SegmentMark;

/// A full disk says the same whether bytes or inodes ran out; only one of them shows in `df`.
fn with_inodes(reason: String, root: Option<&Path>) -> String {
    let free = root.and_then(|root| archive::free(root).ok());
    match free {
        Some(free) if free.files == 0 && free.bytes > 0 => {
            format!("{reason}: the file system has no inodes left, though bytes are free")
        }
        _ => reason,
    }
}

impl ArchiveSink {
    /// Says and asks what the recorder wanted, with no lock held.
    pub(super) fn carry_out(&self, notices: Vec<Notice>) {
        if notices.is_empty() {
            return;
        }
        let settings = lock(&self.settings).clone();
        for notice in notices {
            match notice {
                Notice::KeyframeAt(running_ns) => self.ask_for_keyframe(running_ns),
                Notice::Warning(text) => {
                    gst::element_imp_warning!(self, gst::StreamError::Mux, ("{text}"));
                }
                Notice::Info(text) => {
                    gst::element_imp_info!(self, gst::StreamError::Mux, ("{text}"));
                }
                Notice::Paused { reason } => {
                    let reason = with_inodes(reason, settings.location.as_deref());
                    let obj = self.obj();
                    let _ = obj.post_message(element_messages::paused(&*obj, &settings, &reason));
                    let place = settings
                        .location
                        .as_deref()
                        .unwrap_or("".as_ref())
                        .display();
                    gst::element_imp_warning!(
                        self,
                        gst::ResourceError::NoSpaceLeft,
                        ("recording to {place} is paused: {reason}; it goes on by itself when writing works again")
                    );
                }
                Notice::Resumed { lost_frames } => {
                    let obj = self.obj();
                    let _ =
                        obj.post_message(element_messages::resumed(&*obj, &settings, lost_frames));
                }
                Notice::Retime {
                    finished,
                    mark,
                    shift_ns,
                } => match retime::retime(&settings, &finished, shift_ns) {
                    Ok(moved) => self.tell_of(&settings, &moved, mark),
                    Err(error) => {
                        gst::element_imp_warning!(
                            self,
                            gst::ResourceError::Write,
                            (
                                "{} keeps the machine's time, {shift_ns} ns from the camera's: {error}",
                                finished.path.display()
                            )
                        );
                        self.tell_of(&settings, &finished, mark);
                    }
                },
                Notice::Segment { finished, mark } => self.tell_of(&settings, &finished, mark),
            }
        }
    }

    fn tell_of(&self, settings: &Settings, finished: &Finished, mark: SegmentMark) {
        gst::debug!(CAT, imp = self, "closed {}", finished.path.display());
        let obj = self.obj();
        let message = element_messages::segment(&*obj, settings, finished, mark.discontinuity);
        let _ = obj.post_message(message);
    }

    fn ask_for_keyframe(&self, running_ns: Option<i64>) {
        let pads: Vec<_> = {
            let state = lock(&self.state);
            let video = state.pads.iter().filter(|pad| pad.kind == Kind::Video);
            video.map(|pad| pad.pad.clone()).collect()
        };
        let running = running_ns.and_then(|ns| u64::try_from(ns).ok());
        let running = running.map(gst::ClockTime::from_nseconds);
        for pad in pads {
            let event = gst_video::UpstreamForceKeyUnitEvent::builder()
                .running_time(running)
                .all_headers(true)
                .build();
            pad.push_event(event);
        }
    }
}
