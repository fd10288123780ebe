// SPDX-License-Identifier: MPL-2.0
//! Counts what is recorded, and what reaches the sinks: the proof of life, the frame rate and the
//! bit rate.
//!
//! What arrives is not what is recorded: `archivesink` may have to drop all of it. So where there
//! is one, the totals are its own account of what is in segments, and what arrives is counted
//! beside that; for other sinks the two are the same.
//!
//! A camera that goes silent without an error is the commonest fault there is, and PLAYING says
//! nothing about it; only buffers do. Probes sit on the pads of the outermost sinks, so a bin that
//! hides its sinks (`archivesink`, `autovideosink`) is counted once. Per buffer this costs three
//! relaxed additions; the clock is read by the watchdog's tick, not here.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use gst::glib;
use gst::prelude::*;

use super::view;

/// Totals over all sinks.
#[derive(Default)]
pub struct Counters {
    arrived: AtomicU64,
    fed: AtomicU64,
    buffers: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    pads: Mutex<Vec<(gst::Pad, Arc<PadState>)>>,
    archives: Mutex<Vec<glib::WeakRef<gst::Element>>>,
    passes_views_over: bool,
}

/// What is known of one pad.
#[derive(Default)]
struct PadState {
    /// Its buffers are pictures.
    pictures: AtomicBool,
    /// It has seen EOS.
    ended: AtomicBool,
    /// It is an archive's.
    is_archives: bool,
}

/// A reading of the [`Counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Buffers that came, on all pads.
    pub arrived: u64,
    /// Of those, what came to archives.
    pub fed: u64,
    /// Buffers in segments; where nothing is archived, on all pads.
    pub buffers: u64,
    /// Of those: pictures.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What archives could not record.
    pub dropped: u64,
    /// Of those: pictures that came before a keyframe.
    pub awaiting_keyframe: u64,
}

impl Counters {
    /// Counts at every sink the pipeline has or will have, unless it is to pass over the views
    /// beside a recording.
    pub fn watch(pipeline: &gst::Pipeline, passes_views_over: bool) -> Arc<Self> {
        let counters = Arc::new(Self {
            passes_views_over,
            ..Self::default()
        });
        counters.walk(pipeline.upcast_ref());
        let weak = Arc::downgrade(&counters);
        pipeline.connect_deep_element_added(move |pipeline, _, _| {
            if let Some(counters) = weak.upgrade() {
                counters.walk(pipeline.upcast_ref());
            }
        });
        counters
    }

    /// What was counted so far.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            arrived: self.arrived.load(Relaxed),
            fed: self.fed.load(Relaxed),
            ..Totals::default()
        };
        let archives = self.archives.lock().unwrap_or_else(PoisonError::into_inner);
        if archives.is_empty() {
            totals.buffers = self.buffers.load(Relaxed);
            totals.frames = self.frames.load(Relaxed);
            totals.bytes = self.bytes.load(Relaxed);
        }
        for archive in archives.iter().filter_map(glib::WeakRef::upgrade) {
            let Ok(stats) = archive.property_value("stats").get::<gst::Structure>() else {
                continue;
            };
            let count = |field| stats.get::<u64>(field).unwrap_or_default();
            totals.buffers += count("recorded-buffers");
            totals.frames += count("recorded-frames");
            totals.bytes += count("recorded-bytes");
            totals.dropped += count("dropped");
            totals.awaiting_keyframe += count("awaiting-keyframe");
        }
        totals
    }

    /// Every pad has seen EOS: silence is no fault any more.
    pub fn all_ended(&self) -> bool {
        let pads = self.pads.lock().unwrap_or_else(PoisonError::into_inner);
        !pads.is_empty() && pads.iter().all(|(_, state)| state.ended.load(Relaxed))
    }

    /// The pads that have not seen EOS.
    pub fn open_pads(&self) -> Vec<gst::Pad> {
        let pads = self.pads.lock().unwrap_or_else(PoisonError::into_inner);
        let open = pads.iter().filter(|(_, state)| !state.ended.load(Relaxed));
        open.map(|(pad, _)| pad.clone()).collect()
    }

    fn walk(self: &Arc<Self>, bin: &gst::Bin) {
        for element in bin.children() {
            let is_view = || self.passes_views_over && view::is_view(&element);
            if !element.element_flags().contains(gst::ElementFlags::SINK) || is_view() {
                continue;
            }
            let takes_input = element
                .pad_template_list()
                .iter()
                .any(|template| template.direction() == gst::PadDirection::Sink)
                || !element.sink_pads().is_empty();
            match element.downcast_ref::<gst::Bin>() {
                Some(inner) if !takes_input => self.walk(inner),
                _ => self.sink(&element),
            }
        }
    }

    fn sink(self: &Arc<Self>, sink: &gst::Element) {
        let is_archive = is_archivesink(sink);
        if is_archive {
            let mut archives = self.archives.lock().unwrap_or_else(PoisonError::into_inner);
            if !archives
                .iter()
                .any(|known| known.upgrade().as_ref() == Some(sink))
            {
                archives.push(sink.downgrade());
            }
        }
        let weak = Arc::downgrade(self);
        sink.connect_pad_added(move |_, pad| {
            if let Some(counters) = weak.upgrade() {
                counters.pad(pad, is_archive);
            }
        });
        for pad in sink.sink_pads() {
            self.pad(&pad, is_archive);
        }
    }

    /// Counts at this pad; a pad that is counted already is left alone.
    fn pad(self: &Arc<Self>, pad: &gst::Pad, is_archives: bool) {
        if pad.direction() != gst::PadDirection::Sink {
            return;
        }
        let state = Arc::new(PadState {
            is_archives,
            ..PadState::default()
        });
        {
            let mut pads = self.pads.lock().unwrap_or_else(PoisonError::into_inner);
            if pads.iter().any(|(known, _)| known == pad) {
                return;
            }
            pads.push((pad.clone(), Arc::clone(&state)));
        }
        if let Some(caps) = pad.current_caps() {
            state.pictures.store(are_pictures(&caps), Relaxed);
        }
        let counters = Arc::clone(self);
        let what = gst::PadProbeType::BUFFER
            | gst::PadProbeType::BUFFER_LIST
            | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(what, move |_, info| {
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => {
                    counters.count(&state, 1, buffer.size());
                }
                Some(gst::PadProbeData::BufferList(list)) => {
                    counters.count(&state, list.len(), list.calculate_size());
                }
                Some(gst::PadProbeData::Event(event)) => state.event(event),
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
    }

    fn count(&self, pad: &PadState, buffers: usize, bytes: usize) {
        self.arrived.fetch_add(buffers as u64, Relaxed);
        if pad.is_archives {
            self.fed.fetch_add(buffers as u64, Relaxed);
            return;
        }
        self.buffers.fetch_add(buffers as u64, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        if pad.pictures.load(Relaxed) {
            self.frames.fetch_add(buffers as u64, Relaxed);
        }
    }
}

impl PadState {
    fn event(&self, event: &gst::Event) {
        match event.view() {
            gst::EventView::Caps(caps) => {
                self.pictures.store(are_pictures(caps.caps()), Relaxed);
            }
            gst::EventView::Eos(_) => self.ended.store(true, Relaxed),
            gst::EventView::StreamStart(_) => self.ended.store(false, Relaxed),
            _ => {}
        }
    }
}

/// Whether a buffer of these caps is a picture, and not a piece of a container.
fn are_pictures(caps: &gst::CapsRef) -> bool {
    caps.structure(0).is_some_and(|structure| {
        let name = structure.name();
        (name.starts_with("video/") || name.starts_with("image/")) && structure.has_field("width")
    })
}

/// The folders of the variants that a pipeline's `archivesink`s record into.
pub fn archive_folders(pipeline: &gst::Pipeline) -> Vec<PathBuf> {
    let folder = |sink: gst::Element| {
        let text = |name| sink.property_value(name).get::<Option<String>>().ok()?;
        let root = PathBuf::from(text("location")?);
        Some(root.join(text("stream")?).join(text("variant")?))
    };
    let sinks = pipeline.children().into_iter().filter(is_archivesink);
    sinks.filter_map(folder).collect()
}

/// Whether an element is an archive's sink, and tells what it records.
pub fn is_archivesink(element: &gst::Element) -> bool {
    element
        .factory()
        .is_some_and(|factory| factory.name() == "archivesink")
        && element.has_property("stats")
}
