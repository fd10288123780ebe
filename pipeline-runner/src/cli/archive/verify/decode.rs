// SPDX-License-Identifier: MPL-2.0
//! Decoding a whole segment into nothing, listening for every complaint.
//!
//! `decodebin` chooses the decoders, software ones only, so that the answer does not depend on the
//! machine. Decoders like to go on silently: they conceal damage and drop frames. So they are made
//! to fail at their first error, what goes in and comes out of them is counted, flags of damage are
//! looked at, and the errors that libav only logs are caught: it logs on the thread that decodes
//! (each decoder has but one), and that thread is known by the frame it was given last.
//!
//! On one thread, `avdec_h264` of GStreamer 1.22 fails where it would not on two (a gap in the
//! frame numbers makes it ask for a buffer of a frame it does not have). So what looks bad is
//! decoded again on two threads, and that counts. They are libav's own and nobody knows what for,
//! so nothing else is decoded meanwhile.

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;

use super::check::{Check, Problem, Times};
use super::tally::Tally;
use crate::cli::failure::Failure;
use crate::cli::text;

/// The category that `gst-libav` logs libav's messages in.
const LIBAV: &str = "libav";

/// What decoding a segment told.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) problems: Vec<Problem>,
    /// If it came to the end.
    pub(super) times: Option<Times>,
    /// How many access units of video there were.
    pub(super) pictures: u64,
}

/// Held for reading while a segment is decoded beside others, for writing while one is alone.
static TURNS: RwLock<()> = RwLock::new(());
/// What is decoded alone, for complaints from threads that nobody knows.
static ALONE: Mutex<Option<Arc<Decoding>>> = Mutex::new(None);

/// Starts GStreamer and catches what libav logs.
///
/// # Errors
/// If GStreamer does not start.
pub(super) fn start() -> Result<(), Failure> {
    static STARTED: OnceLock<()> = OnceLock::new();
    gst::init().map_err(|error| Failure::Message(format!("GStreamer does not start: {error}")))?;
    STARTED.get_or_init(|| {
        let wanted = std::env::var("GST_DEBUG").unwrap_or_default();
        if wanted.is_empty() {
            // Nothing on the terminal that nobody asked for.
            gst::log::remove_default_log_function();
        }
        if !wanted.contains(LIBAV) {
            gst::log::set_threshold_for_name(LIBAV, gst::DebugLevel::Error);
        }
        gst::log::add_log_function(|category, level, _, _, _, _, message| {
            if level == gst::DebugLevel::Error && category.name() == LIBAV {
                let text = message.get();
                blame(text.as_ref().map_or("it failed", |text| text.as_str()));
            }
        });
    });
    Ok(())
}

thread_local! {
    /// What this thread decodes.
    static DECODING: RefCell<Option<Arc<Decoding>>> = const { RefCell::new(None) };
}

/// Takes a complaint of this thread.
fn blame(complaint: &str) {
    let known = DECODING.try_with(|decoding| decoding.borrow().clone());
    let alone = || lock(&ALONE).clone();
    if let Some(decoding) = known.ok().flatten().or_else(alone) {
        decoding.complain(complaint);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of a segment while it is decoded; shared by the threads that do it.
#[derive(Debug, Default)]
struct Decoding(Mutex<Tally>);

impl Decoding {
    fn state(&self) -> MutexGuard<'_, Tally> {
        lock(&self.0)
    }

    fn complain(&self, message: &str) {
        self.state().complain(message);
    }
}

/// Decodes the segment at `path`, for at most `limit`; `pictures` come out, where that is known.
pub(super) fn decode(path: &Path, limit: Duration, pictures: Option<u64>) -> Decoded {
    let decoding = Arc::new(Decoding::default());
    let ended = {
        let _beside = TURNS.read().unwrap_or_else(PoisonError::into_inner);
        attempt(path, limit, 1, &decoding)
    };
    let first = conclude(&ended, limit, pictures, &decoding.state());
    let is_doubtful = |problem: &Problem| problem.check == Check::Decode;
    if !first.problems.iter().any(is_doubtful) || ended == Ended::TooSlow {
        return first;
    }
    let decoding = Arc::new(Decoding::default());
    let _alone = TURNS.write().unwrap_or_else(PoisonError::into_inner);
    *lock(&ALONE) = Some(Arc::clone(&decoding));
    let ended = attempt(path, limit, 2, &decoding);
    *lock(&ALONE) = None;
    conclude(&ended, limit, pictures, &decoding.state())
}

fn attempt(path: &Path, limit: Duration, threads: i32, decoding: &Arc<Decoding>) -> Ended {
    match build(path, threads, decoding) {
        Ok(pipeline) => {
            let ended = play(&pipeline, limit, decoding);
            tear_down(pipeline, ended == Ended::TooSlow);
            ended
        }
        Err(message) => Ended::Failed(message),
    }
}

fn conclude(ended: &Ended, limit: Duration, pictures: Option<u64>, state: &Tally) -> Decoded {
    let mut problems = state.undecodable();
    let mut wrong = |message: String| problems.push(Problem::new(Check::Decode, message));
    match ended {
        Ended::Whole => {}
        Ended::Failed(message) => wrong(format!("decoding failed: {message}")),
        Ended::TooSlow => wrong(format!(
            "it did not decode within {}",
            text::duration(i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX))
        )),
    }
    let is_whole = *ended == Ended::Whole;
    let expected = pictures.map_or(state.coded, |pictures| pictures.min(state.coded));
    state.explain(is_whole, expected, &mut wrong);
    Decoded {
        problems,
        times: is_whole.then(|| state.times()),
        pictures: state.coded,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Whole,
    Failed(String),
    TooSlow,
}

fn build(path: &Path, threads: i32, decoding: &Arc<Decoding>) -> Result<gst::Pipeline, String> {
    let location = path.to_str().ok_or("its path is not UTF-8")?;
    let make = |factory: &str| {
        gst::ElementFactory::make(factory)
            .build()
            .map_err(|_| format!("GStreamer has no {factory}; its base plugins are missing"))
    };
    let source = make("filesrc")?;
    source.set_property("location", location);
    let decodebin = make("decodebin")?;
    decodebin.set_property("force-sw-decoders", true);
    let pipeline = gst::Pipeline::new();
    pipeline
        .add_many([&source, &decodebin])
        .and_then(|()| source.link(&decodebin))
        .map_err(|error| error.to_string())?;
    let watched = Arc::clone(decoding);
    pipeline.connect_deep_element_added(move |_, _, element| watch(element, threads, &watched));
    let bin = pipeline.downgrade();
    let watched = Arc::clone(decoding);
    decodebin.connect_pad_added(move |_, pad| {
        let joined = match bin.upgrade() {
            Some(bin) => discard(&bin, pad, &watched),
            None => return,
        };
        if let Err(error) = joined {
            watched.complain(&error.to_string());
        }
    });
    let watched = Arc::clone(decoding);
    decodebin.connect("unknown-type", false, move |values| {
        let caps = values.get(2).and_then(|caps| caps.get::<gst::Caps>().ok());
        let unknown = caps.as_ref().and_then(|caps| caps.structure(0));
        if let Some(name) = unknown.map(|structure| structure.name().to_string()) {
            watched.state().unknown.push(name);
        }
        None
    });
    Ok(pipeline)
}

/// Makes a decoder strict, and counts what goes in and what comes out.
fn watch(element: &gst::Element, threads: i32, decoding: &Arc<Decoding>) {
    let is_decoder = element
        .factory()
        .is_some_and(|factory| factory.has_type(gst::ElementFactoryType::DECODER));
    if !is_decoder {
        return;
    }
    for (property, value) in [("max-errors", 0), ("max-threads", threads)] {
        let kind = element
            .find_property(property)
            .map(|spec| spec.value_type());
        if kind == Some(i32::static_type()) {
            element.set_property(property, value);
        }
    }
    if element.find_property("output-corrupt").is_some() {
        element.set_property("output-corrupt", true);
    }
    let is_video = element
        .factory()
        .is_some_and(|factory| factory.has_type(gst::ElementFactoryType::MEDIA_VIDEO));
    for pad in element.pads() {
        let decoding = Arc::clone(decoding);
        let direction = pad.direction();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            if direction == gst::PadDirection::Sink {
                DECODING.set(Some(Arc::clone(&decoding)));
            }
            if is_video {
                let mut state = decoding.state();
                match direction {
                    gst::PadDirection::Sink => state.coded += 1,
                    _ => state.pictures += 1,
                }
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// Joins a sink to a decoded stream, and notes when its frames are.
fn discard(
    bin: &gst::Pipeline,
    pad: &gst::Pad,
    decoding: &Arc<Decoding>,
) -> Result<(), gst::glib::BoolError> {
    let sink = gst::ElementFactory::make("fakesink")
        .property("sync", false)
        .property("async", false)
        .build()?;
    bin.add(&sink)?;
    sink.sync_state_with_parent()?;
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let is_video = caps
        .structure(0)
        .is_some_and(|structure| structure.name().starts_with("video/"));
    let number = decoding.state().add_output(is_video);
    let decoding = Arc::clone(decoding);
    let mut segment = None;
    let mut note = move |info: &gst::PadProbeInfo<'_>| match &info.data {
        Some(gst::PadProbeData::Event(event)) => {
            if let gst::EventView::Segment(event) = event.view() {
                segment = event.segment().downcast_ref::<gst::ClockTime>().cloned();
            }
        }
        Some(gst::PadProbeData::Buffer(buffer)) => {
            decoding.state().note(number, buffer, segment.as_ref());
        }
        _ => {}
    };
    let note = Mutex::new(move |info: &gst::PadProbeInfo<'_>| note(info));
    let probe = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(probe, move |_, info| {
        lock(&note)(info);
        gst::PadProbeReturn::Ok
    });
    let to = sink.static_pad("sink");
    let to = to.ok_or_else(|| gst::glib::bool_error!("fakesink has no sink pad"))?;
    pad.link(&to)
        .map(|_| ())
        .map_err(|error| gst::glib::bool_error!("{error}"))
}

fn play(pipeline: &gst::Pipeline, limit: Duration, decoding: &Arc<Decoding>) -> Ended {
    let Some(bus) = pipeline.bus() else {
        return Ended::Failed("the pipeline has no bus".to_owned());
    };
    // Should it fail at once, the bus says why.
    let started = pipeline.set_state(gst::State::Playing);
    let deadline = Instant::now() + limit;
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = gst::ClockTime::try_from(left).ok();
        let Some(message) = bus.timed_pop_filtered(left, &wanted) else {
            return match started {
                Err(error) => Ended::Failed(error.to_string()),
                Ok(_) => Ended::TooSlow,
            };
        };
        match message.view() {
            gst::MessageView::Eos(_) => return Ended::Whole,
            gst::MessageView::Error(error) => {
                // What is unknown is named for itself.
                let unknown = !decoding.state().unknown.is_empty();
                return match unknown && is_missing(&error.error()) {
                    true => Ended::Whole,
                    false => Ended::Failed(error.error().to_string()),
                };
            }
            _ => {}
        }
    }
}

fn is_missing(error: &gst::glib::Error) -> bool {
    error.matches(gst::CoreError::MissingPlugin) || error.matches(gst::StreamError::CodecNotFound)
}

/// Stops a pipeline. One that hangs may not stop either, and is left to itself.
fn tear_down(pipeline: gst::Pipeline, hangs: bool) {
    let stop = move || {
        let _ = pipeline.set_state(gst::State::Null);
    };
    match hangs {
        true => drop(thread::spawn(stop)),
        false => stop(),
    }
}
