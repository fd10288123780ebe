// SPDX-License-Identifier: MPL-2.0
//! The element's GObject side: properties, pads, state, and the way from a buffer to the
//! [`Recorder`].
//!
//! One mutex guards the recorder; whatever it wants said or asked comes back in its outbox and is
//! carried out after the mutex is free. A thread of its own ticks, so that a chunk goes to disk in
//! time even when no further buffer comes.

mod saying;
mod streaming;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::caps::{self, Kind};
use super::clock::WallClock;
use super::notice::Notice;
use super::recorder::{Now, Recorder};
use super::settings::Settings;
use super::{element_messages, properties, start};

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
    /// What `stats` told when recording stopped.
    last_stats: Option<gst::Structure>,
}

struct SinkPad {
    pad: gst::Pad,
    kind: Kind,
    /// The stream's number in the recorder.
    id: usize,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    ended: bool,
    flushing: bool,
    /// Its caps are none that can be recorded: what comes is dropped.
    refused: bool,
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

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        let mut recorder = start::recorder(settings)?;
        let mut state = lock(&self.state);
        for pad in &mut state.pads {
            pad.id = recorder.add_stream(pad.kind);
            pad.ended = false;
            pad.flushing = false;
            pad.refused = false;
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
        let now = self.now();
        let mut state = lock(&self.state);
        if !state.finished
            && let Some(recorder) = state.recorder.as_mut()
        {
            recorder.finish(now);
        }
        let notices = state.notices();
        state.last_stats = Some(element_messages::stats(state.recorder.as_ref()));
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
        let now = self.now();
        let mut state = lock(&self.state);
        if let Some(recorder) = state.recorder.as_mut() {
            recorder.tick_all(now);
        }
        let notices = state.notices();
        drop(state);
        self.carry_out(notices);
    }

    fn stats(&self) -> gst::Structure {
        let state = lock(&self.state);
        match (&state.recorder, &state.last_stats) {
            (None, Some(last)) => last.clone(),
            (recorder, _) => element_messages::stats(recorder.as_ref()),
        }
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
            refused: false,
        });
        drop(state);
        let _ = pad.set_active(true);
        self.obj().add_pad(&pad).ok()?;
        Some(pad)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let _ = pad.set_active(false);
        let _ = self.obj().remove_pad(pad);
        let now = self.now();
        let mut state = lock(&self.state);
        let Some(id) = state.pad(pad).map(|pad| pad.id) else {
            return;
        };
        state.pads.retain(|each| each.pad != *pad);
        if let Some(recorder) = state.recorder.as_mut() {
            recorder.end(id, now);
        }
        self.finish_if_all_ended(state, gst::Seqnum::next(), now);
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
