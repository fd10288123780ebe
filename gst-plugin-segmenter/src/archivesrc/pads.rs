// SPDX-License-Identifier: MPL-2.0
//! Pads: made when a cut is there, one for each of its tracks, and gone when it is stopped.

use std::sync::Arc;

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::element_messages;
use super::imp::{ArchiveSrc, lock};
use super::reel::Reel;
use super::track::{Playback, Playing, Track};
use crate::caps::{caps_of_entry, is_mpeg_audio, set_layer};
use crate::cut::names;
use crate::media::assembly::AssemblyTrack;
use crate::media::{MpegAudioHeader, Skipped};

/// What is pushed on a pad, before it has one.
struct Prepared {
    number: usize,
    name: String,
    caps: Vec<gst::Caps>,
    stream: gst::Stream,
    /// How its pictures are turned, if they are.
    tags: Option<gst::TagList>,
}

impl ArchiveSrc {
    /// Shows a reel on pads and lets it play. [`ArchiveSrc::control`] is held.
    ///
    /// # Errors
    /// If nothing of it can be pushed.
    pub(super) fn expose(&self, reel: Reel) -> Result<(), gst::ErrorMessage> {
        let obj = self.obj();
        for skipped in &reel.summary.skipped {
            self.leave_out(skipped);
        }
        let prepared = self.prepare(&reel)?;
        let _ = obj.post_message(element_messages::cut(&*obj, &reel.summary));
        let collection = gst::StreamCollection::builder(None)
            .streams(prepared.iter().map(|prepared| prepared.stream.clone()))
            .build();
        let message = gst::message::StreamCollection::builder(&collection).src(&*obj);
        let _ = obj.post_message(message.build());
        let group = gst::GroupId::next();
        let mut flows = gst_base::UniqueFlowCombiner::new();
        let mut tracks = Vec::with_capacity(prepared.len());
        for prepared in prepared {
            let pad = self.pad(&prepared);
            flows.add_pad(&pad);
            let greeting = vec![
                gst::event::StreamStart::builder(&prepared.stream.stream_id().unwrap_or_default())
                    .group_id(group)
                    .stream(prepared.stream.clone())
                    .build(),
                gst::event::StreamCollection::new(&collection),
            ];
            let task = self.task(&pad);
            tracks.push(Track::new(
                prepared.number,
                pad,
                task,
                prepared.caps,
                greeting,
                prepared.tags,
            ));
        }
        let playback = Playback::all(&reel);
        let mut playing = Playing {
            reel: Arc::new(reel),
            playback: playback.clone(),
            tracks,
            flows,
            has_failed: false,
        };
        playing.play(playback);
        for track in &mut playing.tracks {
            let _ = track.pad.set_active(true);
            track.greet(&playing.reel);
        }
        let tasks = playing.tracks.iter();
        let tasks: Vec<_> = tasks
            .map(|track| (track.pad.clone(), track.task.clone()))
            .collect();
        lock(&self.state).playing = Some(playing);
        for (pad, _) in &tasks {
            let _ = obj.add_pad(pad);
        }
        obj.no_more_pads();
        for (_, task) in &tasks {
            let _ = task.start();
        }
        Ok(())
    }

    fn prepare(&self, reel: &Reel) -> Result<Vec<Prepared>, gst::ErrorMessage> {
        let obj = self.obj();
        let uri = super::uri::of(&lock(&self.settings)).unwrap_or_default();
        let mut sounds = 0;
        let mut prepared = Vec::new();
        for (number, track) in reel.tracks().iter().enumerate() {
            let (name, kind) = match track.is_video {
                true => ("video".to_owned(), gst::StreamType::VIDEO),
                false => {
                    sounds += 1;
                    (format!("audio_{}", sounds - 1), gst::StreamType::AUDIO)
                }
            };
            let rate = reel.frame_rate(number);
            let entries = track.descriptions.iter();
            let caps = entries.map(|entry| caps_of_entry(entry).map(|caps| with_rate(caps, rate)));
            let caps: Result<Vec<_>, _> = caps.collect();
            match caps {
                Ok(mut caps) => {
                    if !track.is_video {
                        tell_layer(reel, track, &mut caps);
                    }
                    let id = stream_id(&uri, &name);
                    let first = caps.first();
                    let flags = gst::StreamFlags::empty();
                    let stream = gst::Stream::new(Some(&id), first, kind, flags);
                    let tags = track.orientation.tag().map(orientation_tags);
                    stream.set_tags(tags.as_ref());
                    prepared.push(Prepared {
                        number,
                        name,
                        caps,
                        stream,
                        tags,
                    });
                }
                Err(reason) => {
                    let entry = track.descriptions.first();
                    self.leave_out(&Skipped {
                        track: name,
                        codec: entry.map_or_else(String::new, |entry| names::of_entry(entry)),
                        reason: reason.to_string(),
                    });
                }
            }
        }
        if prepared.is_empty() {
            return Err(gst::error_msg!(
                gst::StreamError::Format,
                ("{} finds nothing that it can play in the range", obj.name())
            ));
        }
        Ok(prepared)
    }

    /// Says that a track is not played.
    fn leave_out(&self, skipped: &Skipped) {
        let obj = self.obj();
        let _ = obj.post_message(element_messages::skipped(&*obj, skipped));
        gst::element_imp_warning!(self, gst::StreamError::Format, ("{skipped}"));
    }

    fn pad(&self, prepared: &Prepared) -> gst::Pad {
        let wanted = if prepared.name == "video" {
            "video"
        } else {
            "audio_%u"
        };
        let template = self.obj().pad_template(wanted).expect("of this class");
        let pad = gst::Pad::builder_from_template(&template)
            .name(prepared.name.as_str())
            .event_function(|pad, parent, event| {
                ArchiveSrc::catch_panic_pad_function(parent, || false, |src| src.event(pad, event))
            })
            .query_function(|pad, parent, query| {
                ArchiveSrc::catch_panic_pad_function(
                    parent,
                    || false,
                    |src| src.query_pad(pad, query),
                )
            })
            .build();
        pad.use_fixed_caps();
        pad
    }

    /// A task that pushes on a pad, not yet started.
    fn task(&self, pad: &gst::Pad) -> (gst::Task, gst::TaskLock) {
        let (src, pad) = (self.obj().downgrade(), pad.downgrade());
        let lock = gst::TaskLock::new();
        let task = gst::Task::builder(move |task| {
            let Some((src, pad)) = src.upgrade().zip(pad.upgrade()) else {
                let _ = task.pause();
                return;
            };
            src.imp().iterate(&pad);
        });
        (task.lock(&lock).build(), lock)
    }

    fn event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Seek(seek) => self.seek(seek),
            gst::EventView::Reconfigure(_) => {
                self.resume(pad);
                true
            }
            gst::EventView::Qos(_) | gst::EventView::Latency(_) => true,
            _ => gst::Pad::event_default(pad, Some(&*self.obj()), event),
        }
    }

    /// Ends the tasks and removes the pads.
    pub(super) fn conceal(&self) {
        let _control = self.control.lock();
        let playing = lock(&self.state).playing.take();
        for track in playing.iter().flat_map(|playing| &playing.tracks) {
            let _ = track.pad.set_active(false);
            let _ = track.task.stop();
            drop(track.lock.lock());
            let _ = track.task.join();
            let _ = self.obj().remove_pad(&track.pad);
        }
    }
}

/// The caps of pictures of this rate: a parser knows none where the stream does not tell, or tells
/// another, and then pictures that are only decoded reach into what is shown.
fn with_rate(mut caps: gst::Caps, rate: Option<gst::Fraction>) -> gst::Caps {
    if let Some(rate) = rate {
        caps.make_mut().set("framerate", rate);
    }
    caps
}

fn orientation_tags(name: &str) -> gst::TagList {
    let mut tags = gst::TagList::new();
    if let Some(tags) = tags.get_mut() {
        tags.add::<gst::tags::ImageOrientation>(&name, gst::TagMergeMode::Replace);
    }
    tags
}

/// Puts the layer of MPEG audio into its caps: the first sample says it.
fn tell_layer(reel: &Reel, track: &AssemblyTrack, caps: &mut [gst::Caps]) {
    for (description, caps) in caps.iter_mut().enumerate() {
        let mut samples = track.samples.iter();
        let first = samples.find(|sample| usize::from(sample.description) == description);
        let bytes = first
            .filter(|_| is_mpeg_audio(caps))
            .map(|first| reel.read(first));
        // What cannot be read is told when it is played.
        let header = bytes.and_then(|bytes| MpegAudioHeader::parse(&bytes.ok()?));
        if let Some(header) = header {
            set_layer(caps, header.layer);
        }
    }
}

/// The same for the same track of the same range, whenever it is played.
fn stream_id(uri: &str, pad: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(uri);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{digest}/{pad}")
}
