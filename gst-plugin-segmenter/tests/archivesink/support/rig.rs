// SPDX-License-Identifier: MPL-2.0
//! An `archivesink` on its own in a pipeline, fed by hand, with a clock and a wall clock that the
//! test sets.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstsegmenter::archivesink::{ArchiveSink, Container, WallClock};
use gstsegmenter::utc::{SECOND_NS, UtcNs};

use super::clip::Frame;
use super::readback::STREAM;

/// The wall clock when the pipeline's clock is at zero: a few seconds before a new hour.
pub const ZERO: UtcNs = UtcNs(1_795_172_400 * SECOND_NS - 4_321_234_000);

/// What passes for time in a test.
#[derive(Clone, Debug)]
pub struct Time {
    clock: gst::Clock,
    zero_ns: i64,
    wall_ahead_ns: Arc<AtomicI64>,
}

impl Time {
    /// Stands still until it is set.
    fn by_hand() -> Self {
        gst::init().expect("GStreamer starts");
        let clock = gst_check::TestClock::with_start_time(gst::ClockTime::ZERO);
        Self::of(clock.upcast())
    }

    fn real() -> Self {
        gst::init().expect("GStreamer starts");
        Self::of(gst::SystemClock::obtain())
    }

    fn of(clock: gst::Clock) -> Self {
        let zero_ns = clock.time().nseconds().cast_signed();
        Self {
            clock,
            zero_ns,
            wall_ahead_ns: Arc::default(),
        }
    }

    fn passed_ns(&self) -> i64 {
        self.clock.time().nseconds().cast_signed() - self.zero_ns
    }

    fn wall_clock(&self) -> WallClock {
        let time = self.clone();
        WallClock::new(move || ZERO + time.passed_ns() + time.wall_ahead_ns.load(Ordering::Relaxed))
    }

    /// Sets the wall clock, and nothing else, forward or back.
    pub fn set_wall_clock(&self, by_ns: i64) {
        self.wall_ahead_ns.fetch_add(by_ns, Ordering::Relaxed);
    }

    /// Waits until the clock is there, or sets it.
    fn reach(&self, passed_ns: i64) {
        let missing_ns = passed_ns - self.passed_ns();
        if missing_ns <= 0 {
            return;
        }
        let missing = gst::ClockTime::from_nseconds(missing_ns.unsigned_abs());
        match self.clock.downcast_ref::<gst_check::TestClock>() {
            Some(clock) => clock.set_time(clock.time() + missing),
            None => std::thread::sleep(missing.into()),
        }
    }
}

/// A segment as its element message tells of it.
#[derive(Clone, Debug)]
pub struct Closed {
    pub at: Instant,
    pub path: PathBuf,
    pub start: UtcNs,
    pub duration_ns: i64,
    pub kind: String,
    pub discontinuity: bool,
}

impl Closed {
    pub fn end(&self) -> UtcNs {
        self.start + self.duration_ns
    }
}

/// A message that is no segment's.
#[derive(Clone, Debug)]
pub struct Said {
    pub at: Instant,
    pub message: gst::Message,
}

#[derive(Debug, Default)]
struct Heard {
    closed: Vec<Closed>,
    said: Vec<Said>,
}

/// The element, its pipeline and what it said so far.
#[derive(Debug)]
pub struct Rig {
    pub sink: ArchiveSink,
    pub time: Time,
    folder: tempfile::TempDir,
    pipeline: gst::Pipeline,
    heard: Arc<Mutex<Heard>>,
    /// The moment at which running time was zero, where time is real.
    pub started: Instant,
}

impl Rig {
    /// Records as fast as it is fed: time is where the last frame is.
    pub fn new(container: Container) -> Self {
        Self::with_time(container, Time::by_hand())
    }

    /// Records in real time.
    pub fn in_real_time(container: Container) -> Self {
        Self::with_time(container, Time::real())
    }

    /// Records in real time, into a folder in another.
    pub fn on_disk(container: Container, parent: &Path) -> Self {
        let folder = tempfile::tempdir_in(parent).expect("a temporary folder");
        Self::with(container, Time::real(), folder)
    }

    /// Records as fast as it is fed, into a folder in another.
    pub fn in_folder(container: Container, parent: &Path) -> Self {
        let folder = tempfile::tempdir_in(parent).expect("a temporary folder");
        Self::with(container, Time::by_hand(), folder)
    }

    fn with_time(container: Container, time: Time) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::with(container, time, folder)
    }

    fn with(container: Container, time: Time, folder: tempfile::TempDir) -> Self {
        gstsegmenter::plugin_register_static().expect("the plugin registers");
        let sink = gst::ElementFactory::make("archivesink")
            .property("location", folder.path().to_str().expect("UTF-8"))
            .property("stream", STREAM)
            .property("container", container)
            .property("target-duration", 1_000_000_000_u64)
            .build()
            .expect("registered above")
            .downcast::<ArchiveSink>()
            .expect("it is one");
        sink.set_wall_clock(time.wall_clock());
        let pipeline = gst::Pipeline::new();
        pipeline.add(&sink).expect("a new pipeline");
        pipeline.use_clock(Some(&time.clock));
        let heard = Arc::<Mutex<Heard>>::default();
        listen(&pipeline, heard.clone());
        Self {
            sink,
            time,
            folder,
            pipeline,
            heard,
            started: Instant::now(),
        }
    }

    /// The archive.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A pad of the sink with something before it that can push.
    pub fn feed(&self, pad: &str) -> Feed {
        let sink = self.sink.request_pad_simple(pad).expect("a free pad");
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let ask = asked.clone();
        let source = gst::Pad::builder(gst::PadDirection::Src)
            .event_function(move |_, _, event| {
                if let Ok(event) = gst_video::UpstreamForceKeyUnitEvent::parse(&event) {
                    let mut asked = ask.lock().expect("no panic");
                    asked.push(Asked(event.running_time));
                }
                true
            })
            .build();
        source.set_active(true).expect("a new pad");
        source.link(&sink).expect("both are free");
        Feed {
            source,
            time: self.time.clone(),
            asked,
            camera: None,
        }
    }

    /// As [`feed`](Self::feed), of an element that was told to give frames reference times, as
    /// `rtspsrc` can be.
    pub fn feed_of_camera(&self, pad: &str) -> Feed {
        let feed = self.feed(pad);
        let camera = gst::ElementFactory::make("rtpjitterbuffer")
            .property("add-reference-timestamp-meta", true)
            .build()
            .expect("gstreamer1.0-plugins-good is installed");
        camera.add_pad(&feed.source).expect("a pad without parent");
        Feed {
            camera: Some(camera),
            ..feed
        }
    }

    /// A pad of the sink that nothing is linked to.
    pub fn request_unlinked(&self, pad: &str) -> gst::Pad {
        self.sink.request_pad_simple(pad).expect("a free pad")
    }

    /// Gives a pad back.
    pub fn release(&self, pad: &gst::Pad) {
        self.sink.release_request_pad(pad);
    }

    /// Starts, with the pads requested so far.
    pub fn play(&mut self) {
        let started = self.pipeline.set_state(gst::State::Playing);
        started.unwrap_or_else(|error| panic!("{error}: {:?}", self.errors()));
        let (state, ..) = self.pipeline.state(gst::ClockTime::from_seconds(10));
        state.expect("a sink that waits for nothing");
        self.started = Instant::now();
    }

    /// UTC of a running time, as long as nobody sets the wall clock.
    pub fn utc(&self, running_ns: i64) -> UtcNs {
        let base = self.sink.base_time().expect("it plays");
        ZERO + (base.nseconds().cast_signed() - self.time.zero_ns) + running_ns
    }

    /// The segments closed so far, in the order of their messages.
    pub fn closed(&self) -> Vec<Closed> {
        self.heard.lock().expect("no panic").closed.clone()
    }

    /// What else was said so far.
    pub fn said(&self) -> Vec<Said> {
        self.heard.lock().expect("no panic").said.clone()
    }

    /// The element messages of a name.
    pub fn element_messages(&self, name: &str) -> Vec<Said> {
        let of_name = |said: &Said| said.message.structure().is_some_and(|s| s.name() == name);
        self.said().into_iter().filter(of_name).collect()
    }

    /// The texts of the errors so far.
    pub fn errors(&self) -> Vec<String> {
        let said = self.said();
        let texts = said.iter().filter_map(|said| match said.message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        });
        texts.collect()
    }

    /// The texts of the warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        let said = self.said();
        let texts = said.iter().filter_map(|said| match said.message.view() {
            gst::MessageView::Warning(warning) => Some(warning.error().to_string()),
            _ => None,
        });
        texts.collect()
    }

    /// A number of the property `stats`.
    pub fn counted(&self, field: &str) -> u64 {
        let stats: gst::Structure = self.sink.property("stats");
        stats.get(field).expect("stats has that number")
    }

    /// Waits until something is so, at most ten seconds.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let since = Instant::now();
        while !is_so(self) {
            assert!(
                since.elapsed() < Duration::from_secs(10),
                "{what}: not within 10 s; warnings {:?}, errors {:?}",
                self.warnings(),
                self.errors()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the feeds, waits for the end, stops, and expects that nothing was complained about.
    #[track_caller]
    pub fn finish(&self, feeds: &[&Feed]) {
        self.finish_with_complaints(feeds);
        assert_eq!(self.warnings(), Vec::<String>::new());
    }

    /// As [`finish`](Self::finish), but warnings are no surprise.
    #[track_caller]
    pub fn finish_with_complaints(&self, feeds: &[&Feed]) {
        for feed in feeds {
            feed.end();
        }
        self.wait_until("the end", |rig| {
            let said = rig.said();
            said.iter()
                .any(|said| said.message.type_() == gst::MessageType::Eos)
        });
        assert_eq!(self.errors(), Vec::<String>::new());
        self.stop();
        for closed in self.closed() {
            println!(
                "{} {} s to {} s{}",
                closed.path.extension().unwrap_or_default().display(),
                (closed.start - ZERO) as f64 / 1e9,
                (closed.end() - ZERO) as f64 / 1e9,
                if closed.discontinuity {
                    ", discontinuous"
                } else {
                    ""
                },
            );
        }
    }

    /// Stops without an end.
    pub fn stop(&self) {
        self.pipeline.set_state(gst::State::Null).expect("it stops");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Collects all messages as they are posted.
fn listen(pipeline: &gst::Pipeline, heard: Arc<Mutex<Heard>>) {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    bus.set_sync_handler(move |_, message| {
        let at = Instant::now();
        let mut heard = heard.lock().expect("no panic");
        match message.structure() {
            Some(s) if s.name() == "archive-segment" => heard.closed.push(closed(at, s)),
            _ => heard.said.push(Said {
                at,
                message: message.clone(),
            }),
        }
        gst::BusSyncReply::Drop
    });
}

fn closed(at: Instant, s: &gst::StructureRef) -> Closed {
    Closed {
        at,
        path: s.get::<String>("path").expect("a path").into(),
        start: UtcNs(s.get("start-ns").expect("a start")),
        duration_ns: s
            .get::<u64>("duration-ns")
            .expect("a duration")
            .cast_signed(),
        kind: s.get("type").expect("a type"),
        discontinuity: s.get("discontinuity").expect("a discontinuity"),
    }
}

/// A keyframe that was asked for: at which running time, or at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(pub Option<gst::ClockTime>);

/// What stands before a pad of the sink.
#[derive(Debug)]
pub struct Feed {
    source: gst::Pad,
    time: Time,
    asked: Arc<Mutex<Vec<Asked>>>,
    #[expect(dead_code, reason = "the pad's parent lives as long as the pad")]
    camera: Option<gst::Element>,
}

impl Feed {
    /// The pad of the sink.
    pub fn sink_pad(&self) -> gst::Pad {
        self.source.peer().expect("linked since it was made")
    }

    /// Forgets what was said, as if just made.
    pub fn revive(&self) {
        self.source.set_active(false).expect("a pad stops");
        self.source.set_active(true).expect("a pad starts");
    }

    /// The first words of a stream; no caps among them.
    pub fn greet(&self) {
        let id = format!("test/{}", self.source.name());
        self.source.push_event(gst::event::StreamStart::new(&id));
    }

    /// Says what the stream is.
    pub fn caps(&self, caps: &gst::Caps) {
        if self
            .source
            .sticky_event::<gst::event::StreamStart>(0)
            .is_none()
        {
            self.greet();
        }
        assert!(
            self.source.push_event(gst::event::Caps::new(caps)),
            "{caps}"
        );
        if self.source.sticky_event::<gst::event::Segment>(0).is_none() {
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            self.source.push_event(gst::event::Segment::new(&segment));
        }
    }

    /// Pushes a frame when its time has come.
    pub fn push(&self, frame: &Frame) {
        self.push_at(frame.pts_ns.max(frame.dts_ns.unwrap_or(0)), frame);
    }

    /// Pushes a frame at a running time.
    pub fn push_at(&self, running_ns: i64, frame: &Frame) {
        let time = |ns: i64| u64::try_from(ns).map(gst::ClockTime::from_nseconds);
        let mut buffer = frame.buffer.copy();
        let stamps = buffer.make_mut();
        stamps.set_pts(time(frame.pts_ns).ok());
        stamps.set_dts(
            frame
                .dts_ns
                .map(|ns| time(ns).unwrap_or(gst::ClockTime::ZERO)),
        );
        stamps.set_duration(frame.duration_ns.and_then(|ns| time(ns).ok()));
        self.push_buffer(running_ns, buffer);
    }

    /// Pushes a buffer at a running time, with the stamps it has.
    pub fn push_buffer(&self, running_ns: i64, buffer: gst::Buffer) {
        self.time.reach(running_ns);
        let pushed = self.source.push(buffer);
        assert!(pushed.is_ok(), "{pushed:?}");
    }

    /// Pushes an event.
    pub fn event(&self, event: gst::Event) -> bool {
        self.source.push_event(event)
    }

    /// The end of the stream.
    pub fn end(&self) {
        self.source.push_event(gst::event::Eos::new());
    }

    /// The keyframes asked for so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }
}

/// Pushes the frames of all feeds in the order in which they are due.
pub fn play(parts: &[(&Feed, Vec<Frame>)]) {
    let mut due: Vec<_> = parts
        .iter()
        .flat_map(|(feed, frames)| {
            let mut at_ns = i64::MIN;
            frames.iter().map(move |frame| {
                at_ns = at_ns.max(frame.dts_ns.unwrap_or(frame.pts_ns));
                (at_ns, *feed, frame)
            })
        })
        .collect();
    due.sort_by_key(|(at_ns, ..)| *at_ns);
    for (at_ns, feed, frame) in due {
        feed.push_at(at_ns, frame);
    }
}
