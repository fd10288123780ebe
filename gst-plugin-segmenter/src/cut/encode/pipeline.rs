// SPDX-License-Identifier: MPL-2.0
//! The pipeline that decodes and encodes.
//!
//! The thread of `appsrc` asks the feed for the next frame when the decoder has taken the last;
//! results wait in a short channel, and when it is full the encoder waits, the decoder behind it,
//! and so the feed. Errors travel through the same channel. Whoever drops the [`Encoder`] closes
//! the channel, which lets every thread go that waits for it, and stops the pipeline.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gst::prelude::*;

use super::form::{first_form, with_matrix};
use super::information::{Carried, Information};
use super::ledger::Ledger;
use super::output::Output;
use super::source::Source;
use super::{EncodeError, Encoded, Feed, Job, Options, Sets, WATCHDOG, elements};
use crate::media::nal;

/// Encoded frames that may wait to be taken.
const MOST_WAITING: usize = 4;

enum Event {
    Frame(gst::Sample),
    End,
    Failed(EncodeError),
}

/// What the threads of the pipeline have in common.
struct Shared {
    ledger: Mutex<Ledger>,
    /// What goes with the pictures under way that are wanted, by their presentation times.
    carried: Mutex<HashMap<i64, Carried>>,
    events: SyncSender<Event>,
    /// Nothing more needs to be done.
    failed: AtomicBool,
    /// Changes with every frame that gets anywhere.
    progress: AtomicU64,
}

/// Decodes frames and encodes those that are wanted.
pub struct Encoder {
    pipeline: gst::Pipeline,
    shared: Arc<Shared>,
    /// Gone once nothing more will come.
    events: Option<Receiver<Event>>,
    output: Output,
    is_done: bool,
}

impl Encoder {
    /// Starts to encode what a feed gives. The feed is read in another thread, a frame at a time.
    ///
    /// # Errors
    /// If the sample entry is none that can be decoded or an element is missing.
    pub fn start(
        job: Job,
        feed: impl Iterator<Item = io::Result<Feed>> + Send + 'static,
    ) -> Result<Self, EncodeError> {
        gst::init()?;
        let source = Source::parse(&job.entry)?;
        let (sender, events) = sync_channel(MOST_WAITING);
        let shared = Arc::new(Shared {
            ledger: Mutex::new(Ledger::new(job.timescale)),
            carried: Mutex::default(),
            events: sender,
            failed: AtomicBool::new(false),
            progress: AtomicU64::new(0),
        });
        let encoder = Self {
            pipeline: build(&source, &job, &shared, feed)?,
            shared,
            events: Some(events),
            output: Output::new(source),
            is_done: false,
        };
        match encoder.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(encoder),
            Err(_) => Err(encoder.why_it_does_not_start()),
        }
    }

    /// The next encoded frame, in the order in which they are shown; `None` after the last.
    ///
    /// # Errors
    /// If a frame is damaged or lost, an element fails, the feed cannot be read, or nothing has
    /// moved for 30 seconds.
    #[allow(clippy::should_implement_trait)] // an iterator's next cannot fail
    pub fn next(&mut self) -> Result<Option<Encoded>, EncodeError> {
        if self.is_done {
            return Ok(None);
        }
        let result = self.event().and_then(|event| self.take(event));
        match &result {
            Ok(Some(_)) => {}
            Ok(None) => self.is_done = true,
            Err(_) => self.events = None,
        }
        result
    }

    /// The parameter sets of the encoded frames, known once the first is out.
    pub fn sets(&self) -> Option<&Sets> {
        self.output.sets()
    }

    /// Waits for what comes next, as long as anything moves.
    fn event(&self) -> Result<Event, EncodeError> {
        let events = self.events.as_ref().ok_or(EncodeError::Stopped)?;
        loop {
            let before = self.shared.progress.load(Ordering::Relaxed);
            match events.recv_timeout(WATCHDOG) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Disconnected) => return Err(EncodeError::Stopped),
                Err(RecvTimeoutError::Timeout) => {
                    if self.shared.progress.load(Ordering::Relaxed) == before {
                        return Err(EncodeError::Stalled);
                    }
                }
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<Option<Encoded>, EncodeError> {
        let sample = match event {
            Event::Failed(error) => return Err(error),
            Event::End => {
                return self
                    .shared
                    .with_ledger(|ledger| ledger.end())
                    .map(|()| None);
            }
            Event::Frame(sample) => sample,
        };
        let buffer = sample.buffer().ok_or(EncodeError::NoStart)?;
        let time_ns = buffer.pts().map_or(0, gst::ClockTime::nseconds);
        let (pts, moment) = self.shared.with_ledger(|ledger| {
            let pts = ledger.encoded(time_ns);
            pts.map(|pts| (pts, ledger.moment(pts)))
        })?;
        let stream = buffer.map_readable().map_err(|_| EncodeError::NoStart)?;
        let carried = self.shared.carried().remove(&pts).unwrap_or_default();
        let (sample, is_entry) = self.output.sample(&stream, carried, moment)?;
        Ok(Some(Encoded {
            pts,
            is_entry,
            sample,
        }))
    }

    fn why_it_does_not_start(&self) -> EncodeError {
        let event = self
            .events
            .as_ref()
            .and_then(|events| events.try_recv().ok());
        match event {
            Some(Event::Failed(error)) => error,
            _ => EncodeError::Stopped,
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.shared.failed.store(true, Ordering::Relaxed);
        self.events = None;
        // Going to Null does not fail, and there is nobody to tell.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Shared {
    fn with_ledger<T>(&self, work: impl FnOnce(&mut Ledger) -> T) -> T {
        self.progress.fetch_add(1, Ordering::Relaxed);
        work(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn carried(&self) -> MutexGuard<'_, HashMap<i64, Carried>> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Says why nothing more will come; the first reason counts.
    fn fail(&self, error: EncodeError) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            // Else nobody waits for it any more.
            let _ = self.events.send(Event::Failed(error));
        }
    }
}

fn build(
    source: &Source,
    job: &Job,
    shared: &Arc<Shared>,
    feed: impl Iterator<Item = io::Result<Feed>> + Send + 'static,
) -> Result<gst::Pipeline, EncodeError> {
    let any_rate = source.caps(gst::Fraction::new(25, 1), &[]);
    let decoder = elements::decoder(source, &any_rate, &job.options)?;
    let encoder = elements::encoder(source, &job.options)?;
    let form = elements::make("capsfilter")?;
    let scale = elements::make("videoscale")?;
    scale.set_property("add-borders", true);
    let mut chain = vec![input(source, job, shared, feed)?];
    chain.extend(decoder);
    if let Some(pad) = chain.last().and_then(|decoder| decoder.static_pad("src")) {
        watch_decoder(&pad, &encoder, &form, shared);
    }
    let convert = elements::make("videoconvert")?;
    chain.extend([scale, convert, form, encoder, result(source, shared)?]);
    let pipeline = gst::Pipeline::new();
    let cannot = |error: gst::glib::BoolError| EncodeError::Element {
        element: "pipeline".into(),
        text: error.to_string(),
    };
    pipeline.add_many(&chain).map_err(cannot)?;
    gst::Element::link_many(&chain).map_err(cannot)?;
    if let Some(bus) = pipeline.bus() {
        let shared = shared.clone();
        bus.set_sync_handler(move |_, message| {
            if let gst::MessageView::Error(error) = message.view() {
                shared.fail(element_error(error));
            }
            gst::BusSyncReply::Drop
        });
    }
    Ok(pipeline)
}

fn element_error(error: &gst::message::Error) -> EncodeError {
    let source = error.src().map(|source| source.name());
    let details = error.debug().unwrap_or_default();
    // The last line says what happened; those before are places in source code.
    let details = details.lines().last().unwrap_or_default();
    EncodeError::Element {
        element: source.map_or_else(|| "pipeline".into(), Into::into),
        text: format!("{} ({details})", error.error()),
    }
}

/// Where frames go in.
fn input(
    source: &Source,
    job: &Job,
    shared: &Arc<Shared>,
    feed: impl Iterator<Item = io::Result<Feed>> + Send + 'static,
) -> Result<gst::Element, EncodeError> {
    let element = elements::make("appsrc")?;
    let missing = || EncodeError::ElementMissing {
        element: "appsrc".into(),
        package: None,
    };
    let appsrc = element
        .downcast_ref::<gst_app::AppSrc>()
        .ok_or_else(missing)?;
    appsrc.set_format(gst::Format::Time);
    let mut feeder = Feeder {
        shared: shared.clone(),
        source: source.clone(),
        options: job.options.clone(),
        timescale: job.timescale,
        frame_rate: None,
        information: Information::default(),
        feed,
    };
    let callbacks = gst_app::AppSrcCallbacks::builder();
    let callbacks = callbacks.need_data(move |appsrc, _| feeder.next(appsrc));
    appsrc.set_callbacks(callbacks.build());
    Ok(element)
}

/// Gives the decoder one frame after the other.
struct Feeder<I> {
    shared: Arc<Shared>,
    source: Source,
    options: Options,
    timescale: u32,
    /// Settled by the first frame.
    frame_rate: Option<gst::Fraction>,
    information: Information,
    feed: I,
}

impl<I: Iterator<Item = io::Result<Feed>>> Feeder<I> {
    fn next(&mut self, appsrc: &gst_app::AppSrc) {
        let next = if self.shared.has_failed() {
            None
        } else {
            self.feed.next()
        };
        let pushed = match next {
            Some(Ok(frame)) => self.push(appsrc, frame),
            Some(Err(error)) => Err(EncodeError::Feed(error)),
            None => {
                // Refused only by a pipeline that stops.
                let _ = appsrc.end_of_stream();
                Ok(())
            }
        };
        if let Err(error) = pushed {
            self.shared.fail(error);
            let _ = appsrc.end_of_stream();
        }
    }

    fn push(&mut self, appsrc: &gst_app::AppSrc, frame: Feed) -> Result<(), EncodeError> {
        if let Some(entry) = &frame.entry {
            self.source = Source::parse(entry)?;
        }
        if self.frame_rate.is_none() || frame.entry.is_some() {
            let rate = self.frame_rate(frame.duration);
            appsrc.set_caps(Some(&self.source.caps(rate, &frame.sample)));
        }
        let times = self.shared.with_ledger(|ledger| {
            if !is_whole(&frame.sample, self.source.sets.length_bytes) {
                return Err(EncodeError::Truncated(ledger.moment(frame.pts)));
            }
            ledger.feed((frame.pts, frame.dts), frame.is_entry, frame.keep)
        });
        let (pts_ns, dts_ns) = times?;
        let units = nal::in_sample(&frame.sample, self.source.sets.length_bytes);
        let carried = (self.information).take(self.source.codec, units, frame.is_entry);
        if frame.keep && carried != Carried::default() {
            self.shared.carried().insert(frame.pts, carried);
        }
        let mut buffer = gst::Buffer::from_mut_slice(frame.sample);
        if let Some(stamps) = buffer.get_mut() {
            stamps.set_pts(gst::ClockTime::from_nseconds(pts_ns));
            stamps.set_dts(gst::ClockTime::from_nseconds(dts_ns));
            if !frame.is_entry {
                stamps.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        // Refused only by a pipeline that stops or has failed.
        let _ = appsrc.push_buffer(buffer);
        Ok(())
    }

    fn frame_rate(&mut self, duration: u32) -> gst::Fraction {
        let said = self.source.sps.as_ref().and_then(|sps| sps.frame_rate());
        let measured = (self.timescale, duration);
        let rate = self.options.frame_rate.or(said).unwrap_or(measured);
        *self.frame_rate.get_or_insert_with(|| fraction(rate))
    }
}

/// A frame rate, or the most usual one where it is none.
fn fraction((frames, seconds): (u32, u32)) -> gst::Fraction {
    match (i32::try_from(frames), i32::try_from(seconds)) {
        (Ok(frames @ 1..), Ok(seconds @ 1..)) => gst::Fraction::new(frames, seconds),
        _ => gst::Fraction::new(25, 1),
    }
}

/// Whether every NAL unit of a sample is as long as its length says.
fn is_whole(mut sample: &[u8], length_bytes: usize) -> bool {
    let mut units = 0;
    // What is too short for a length is padding.
    while let Some((length, rest)) = sample.split_at_checked(length_bytes) {
        let length = length
            .iter()
            .fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        let Some((_, next)) = rest.split_at_checked(length) else {
            return false;
        };
        sample = next;
        units += 1;
    }
    units > 0
}

/// Where encoded frames come out.
fn result(source: &Source, shared: &Arc<Shared>) -> Result<gst::Element, EncodeError> {
    let element = elements::make("appsink")?;
    let missing = || EncodeError::ElementMissing {
        element: "appsink".into(),
        package: None,
    };
    let appsink = element
        .downcast_ref::<gst_app::AppSink>()
        .ok_or_else(missing)?;
    let caps = gst::Caps::builder(source.codec.media_type())
        .field("stream-format", "byte-stream")
        .field("alignment", "au");
    appsink.set_caps(Some(&caps.build()));
    appsink.set_sync(false);
    appsink.set_async(false);
    appsink.set_enable_last_sample(false);
    let (frames, end) = (shared.clone(), shared.clone());
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |appsink| {
            let sample = appsink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let sent = frames.events.send(Event::Frame(sample));
            sent.map_err(|_| gst::FlowError::Eos)?;
            Ok(gst::FlowSuccess::Ok)
        })
        .eos(move |_| {
            if !end.has_failed() {
                let _ = end.events.send(Event::End);
            }
        });
    appsink.set_callbacks(callbacks.build());
    Ok(element)
}

/// Lets only wanted pictures through to the encoder, and keeps them in one form.
fn watch_decoder(
    pad: &gst::Pad,
    encoder: &gst::Element,
    form: &gst::Element,
    shared: &Arc<Shared>,
) {
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    let takes = encoder
        .static_pad("sink")
        .map(|pad| pad.pad_template_caps());
    let is_settled = AtomicBool::new(false);
    let (form, shared) = (form.downgrade(), shared.clone());
    pad.add_probe(kinds, move |_, info| match &info.data {
        Some(gst::PadProbeData::Buffer(picture)) => decoded(&shared, picture),
        Some(gst::PadProbeData::Event(event)) => {
            if let gst::EventView::Caps(caps) = event.view() {
                let caps = with_matrix(caps.caps_owned());
                if let Some(form) = form.upgrade()
                    && !is_settled.swap(true, Ordering::Relaxed)
                {
                    form.set_property("caps", first_form(&caps, takes.as_ref()));
                }
                info.data = Some(gst::PadProbeData::Event(gst::event::Caps::new(&caps)));
            }
            gst::PadProbeReturn::Ok
        }
        _ => gst::PadProbeReturn::Ok,
    });
}

fn decoded(shared: &Shared, picture: &gst::Buffer) -> gst::PadProbeReturn {
    let time_ns = picture.pts().map_or(0, gst::ClockTime::nseconds);
    let is_corrupt = picture.flags().contains(gst::BufferFlags::CORRUPTED);
    match shared.with_ledger(|ledger| ledger.decoded(time_ns, is_corrupt)) {
        Ok(true) if !shared.has_failed() => gst::PadProbeReturn::Ok,
        Ok(_) => gst::PadProbeReturn::Drop,
        Err(error) => {
            shared.fail(error);
            gst::PadProbeReturn::Drop
        }
    }
}
