// SPDX-License-Identifier: MPL-2.0
//! The element's GObject side: properties, pads, state, and the way from a buffer to the
//! [`Recorder`].
//!
//! One mutex guards the recorder; whatever it wants said or asked comes back in its outbox and is
//! carried out after the mutex is free. A thread of its own ticks, so that a chunk goes to disk in
//! time even when no further buffer comes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::caps::{self, Kind};
use super::clock::WallClock;
use super::incoming::{incoming, running_ns};
use super::notice::Notice;
use super::recorder::{Now, Recorder};
use super::settings::{Container, Settings};
use super::{element_messages, properties, retime, start, upstream};
use crate::archive::Finished;
use crate::media::SegmentMark;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "archivesink",
        gst::DebugColorFlags::empty(),
        Some("Archive sink"),
    )
});

/// The element.
#[derive(Default)]
pub struct ArchiveSink {
    settings: Mutex<Settings>,
    wall_clock: Mutex<WallClock>,
    state: Mutex<State>,
    /// Signalled when `playing` or `stopping` changes.
    gate: Condvar,
    stopping: AtomicBool,
    ticker: Mutex<Option<Ticker>>,
}

#[derive(Default)]
struct State {
    /// There from READY to PAUSED on.
    recorder: Option<Recorder>,
    pads: Vec<SinkPad>,
    playing: bool,
    /// The end was posted.
    finished: bool,
}

struct SinkPad {
    pad: gst::Pad,
    kind: Kind,
    /// The stream's number in the recorder.
    id: usize,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    ended: bool,
    flushing: bool,
}

struct Ticker {
    stop: std::sync::mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere was reported on the bus already; the data is still what it was.
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A clock that nobody sets, in nanoseconds since the first call.
pub(super) fn monotonic_ns() -> i64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    i64::try_from(START.elapsed().as_nanos()).unwrap_or(i64::MAX)
}

impl State {
    fn pad(&mut self, pad: &gst::Pad) -> Option<&mut SinkPad> {
        self.pads.iter_mut().find(|each| each.pad == *pad)
    }

    /// Takes what the recorder wants said or asked.
    fn notices(&mut self) -> Vec<Notice> {
        let recorder = self.recorder.as_mut();
        recorder
            .map(|recorder| std::mem::take(&mut recorder.outbox.notices))
            .unwrap_or_default()
    }

    /// Whether every pad has ended, for the first time.
    fn finishes(&mut self) -> bool {
        let ended =
            !self.finished && !self.pads.is_empty() && self.pads.iter().all(|pad| pad.ended);
        self.finished |= ended;
        ended
    }
}

impl ArchiveSink {
    pub(super) fn set_wall_clock(&self, clock: WallClock) {
        *lock(&self.wall_clock) = clock;
    }

    /// The pipeline's running time, the wall clock read together with it, and a monotonic clock.
    fn now(&self) -> Now {
        let obj = self.obj();
        let running = obj.clock().zip(obj.base_time());
        let utc = lock(&self.wall_clock).now();
        Now {
            running_ns: running.map(|(clock, base)| {
                i64::try_from(clock.time().nseconds()).unwrap_or(i64::MAX)
                    - i64::try_from(base.nseconds()).unwrap_or(i64::MAX)
            }),
            utc,
            monotonic_ns: monotonic_ns(),
        }
    }

    fn chain(
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

    fn event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        match event.view() {
            gst::EventView::Caps(caps) => return self.set_caps(pad, caps.caps()),
            gst::EventView::Segment(segment) => return self.set_segment(pad, segment.segment()),
            gst::EventView::Gap(gap) => self.gap(pad, gap),
            gst::EventView::Eos(_) => self.end(pad, event.seqnum()),
            gst::EventView::FlushStart(_) => self.set_flushing(pad, true),
            gst::EventView::FlushStop(_) => self.set_flushing(pad, false),
            _ => return gst::Pad::event_default(pad, Some(&*self.obj()), event),
        }
        true
    }

    fn set_caps(&self, pad: &gst::Pad, caps: &gst::CapsRef) -> bool {
        let sends_reference = upstream::sends_reference_times(pad);
        let mut state = lock(&self.state);
        let id = state.pad(pad).map(|pad| pad.id);
        let Some((id, recorder)) = id.zip(state.recorder.as_mut()) else {
            return false;
        };
        let result = recorder.set_caps(id, &caps.to_owned());
        if sends_reference {
            recorder.expect_reference();
        }
        let notices = state.notices();
        drop(state);
        self.carry_out(notices);
        if let Err(error) = &result {
            gst::element_imp_error!(
                self,
                gst::StreamError::Format,
                ("pad {}: {error}", pad.name())
            );
        }
        result.is_ok()
    }

    fn set_segment(&self, pad: &gst::Pad, segment: &gst::Segment) -> bool {
        let Some(segment) = segment.downcast_ref::<gst::ClockTime>() else {
            let format = segment.format();
            gst::element_imp_error!(
                self,
                gst::StreamError::Format,
                (
                    "pad {}: a segment in {format:?} has no times; put a parser before archivesink",
                    pad.name()
                )
            );
            return false;
        };
        if let Some(pad) = lock(&self.state).pad(pad) {
            pad.segment = Some(segment.clone());
        }
        true
    }

    fn gap(&self, pad: &gst::Pad, gap: &gst::event::Gap) {
        let (start, duration) = gap.get();
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
            recorder.gap(id, end_ns, monotonic_ns());
        }
        let notices = state.notices();
        drop(state);
        self.carry_out(notices);
    }

    fn end(&self, pad: &gst::Pad, seqnum: gst::Seqnum) {
        let mut state = lock(&self.state);
        let Some(sink_pad) = state.pad(pad) else {
            return;
        };
        sink_pad.ended = true;
        let id = sink_pad.id;
        if let Some(recorder) = state.recorder.as_mut() {
            recorder.end(id, monotonic_ns());
        }
        self.finish_if_all_ended(state, seqnum);
    }

    fn finish_if_all_ended(&self, mut state: MutexGuard<'_, State>, seqnum: gst::Seqnum) {
        let finishes = state.finishes();
        if finishes && let Some(recorder) = state.recorder.as_mut() {
            recorder.finish(monotonic_ns());
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

    fn query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
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
            (gst::QueryViewMut::AcceptCaps(query), Some(accepted)) => {
                let fits = query.caps().can_intersect(&accepted);
                query.set_result(fits);
                true
            }
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }

    /// Says and asks what the recorder wanted, with no lock held.
    fn carry_out(&self, notices: Vec<Notice>) {
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
                Notice::Paused { reason } => {
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

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        let mut recorder = start::recorder(settings)?;
        let mut state = lock(&self.state);
        for pad in &mut state.pads {
            pad.id = recorder.add_stream(pad.kind);
            pad.ended = false;
            pad.flushing = false;
        }
        state.recorder = Some(recorder);
        state.finished = false;
        drop(state);
        self.stopping.store(false, Ordering::Release);
        self.start_ticker();
        Ok(())
    }

    /// Closes what is open. A pipeline that is stopped without an EOS loses nothing.
    fn stop(&self) {
        if let Some(ticker) = lock(&self.ticker).take() {
            drop(ticker.stop);
            let _ = ticker.thread.join();
        }
        let mut state = lock(&self.state);
        if !state.finished
            && let Some(recorder) = state.recorder.as_mut()
        {
            recorder.finish(monotonic_ns());
        }
        let notices = state.notices();
        state.recorder = None;
        drop(state);
        self.carry_out(notices);
    }

    fn set_playing(&self, playing: bool) {
        lock(&self.state).playing = playing;
        self.gate.notify_all();
    }

    fn start_ticker(&self) {
        let chunk_ns = lock(&self.settings).chunk_duration_ns;
        let period = Duration::from_nanos(u64::try_from(chunk_ns / 4).unwrap_or(0))
            .clamp(Duration::from_millis(5), Duration::from_millis(100));
        let (stop, stopped) = std::sync::mpsc::channel();
        let weak = self.obj().downgrade();
        let thread = std::thread::Builder::new()
            .name("archivesink-tick".into())
            .spawn(move || {
                while stopped.recv_timeout(period)
                    == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
                {
                    let Some(obj) = weak.upgrade() else {
                        return;
                    };
                    obj.imp().tick();
                }
            });
        match thread {
            Ok(thread) => *lock(&self.ticker) = Some(Ticker { stop, thread }),
            Err(error) => gst::warning!(CAT, imp = self, "no ticking thread: {error}"),
        }
    }

    fn tick(&self) {
        let mut state = lock(&self.state);
        if let Some(recorder) = state.recorder.as_mut() {
            recorder.tick(monotonic_ns());
        }
        let notices = state.notices();
        drop(state);
        self.carry_out(notices);
    }

    fn stats(&self) -> gst::Structure {
        let state = lock(&self.state);
        element_messages::stats(state.recorder.as_ref())
    }
}

#[glib::object_subclass]
impl ObjectSubclass for ArchiveSink {
    const NAME: &'static str = "GstArchiveSink";
    type Type = super::ArchiveSink;
    type ParentType = gst::Element;
}

impl ObjectImpl for ArchiveSink {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_element_flags(gst::ElementFlags::SINK);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(properties::all);
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        lock(&self.settings).set(pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats().to_value(),
            name => lock(&self.settings).get(name),
        }
    }
}

impl GstObjectImpl for ArchiveSink {}

impl ElementImpl for ArchiveSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Archive sink",
                "Sink/Muxer/File",
                "Records streams into segment files indexed by wall-clock time",
                env!("CARGO_PKG_REPOSITORY"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let template = |name, kind| {
                let caps = caps::accepted(kind, None);
                gst::PadTemplate::new(
                    name,
                    gst::PadDirection::Sink,
                    gst::PadPresence::Request,
                    &caps,
                )
                .expect("a template of constants")
            };
            vec![
                template("video", Kind::Video),
                template("audio_%u", Kind::Audio),
            ]
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::ReadyToPaused => self.start().map_err(|error| {
                self.post_error_message(error);
                gst::StateChangeError
            })?,
            gst::StateChange::PausedToReady => {
                self.stopping.store(true, Ordering::Release);
                self.gate.notify_all();
            }
            gst::StateChange::PlayingToPaused => self.set_playing(false),
            _ => {}
        }
        let success = self.parent_change_state(transition)?;
        match transition {
            gst::StateChange::PausedToPlaying => self.set_playing(true),
            gst::StateChange::PausedToReady => self.stop(),
            _ => {}
        }
        Ok(success)
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        let kind = match template.name_template() {
            "video" => Kind::Video,
            _ => Kind::Audio,
        };
        let mut state = lock(&self.state);
        let name = pad_name(kind, name, &state.pads)?;
        let pad = gst::Pad::builder_from_template(template)
            .name(name)
            .chain_function(|pad, parent, buffer| {
                ArchiveSink::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |sink| sink.chain(pad, buffer),
                )
            })
            .event_function(|pad, parent, event| {
                ArchiveSink::catch_panic_pad_function(
                    parent,
                    || false,
                    |sink| sink.event(pad, event),
                )
            })
            .query_function(|pad, parent, query| {
                ArchiveSink::catch_panic_pad_function(
                    parent,
                    || false,
                    |sink| sink.query(pad, query),
                )
            })
            .build();
        let id = state
            .recorder
            .as_mut()
            .map_or(0, |recorder| recorder.add_stream(kind));
        state.pads.push(SinkPad {
            pad: pad.clone(),
            kind,
            id,
            segment: None,
            ended: false,
            flushing: false,
        });
        drop(state);
        let _ = pad.set_active(true);
        self.obj().add_pad(&pad).ok()?;
        Some(pad)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let _ = pad.set_active(false);
        let _ = self.obj().remove_pad(pad);
        let mut state = lock(&self.state);
        let Some(id) = state.pad(pad).map(|pad| pad.id) else {
            return;
        };
        state.pads.retain(|each| each.pad != *pad);
        if let Some(recorder) = state.recorder.as_mut() {
            recorder.end(id, monotonic_ns());
        }
        self.finish_if_all_ended(state, gst::Seqnum::next());
    }
}

/// One pad for pictures, any number for sound.
fn pad_name(kind: Kind, asked: Option<&str>, pads: &[SinkPad]) -> Option<String> {
    let taken = |name: &str| pads.iter().any(|each| each.pad.name() == name);
    let name = match (kind, asked.filter(|name| !name.contains('%'))) {
        (_, Some(name)) => name.to_owned(),
        (Kind::Video, None) => "video".to_owned(),
        (Kind::Audio, None) => (0..)
            .map(|n: u32| format!("audio_{n}"))
            .find(|name| !taken(name))?,
    };
    (!taken(&name)).then_some(name)
}
