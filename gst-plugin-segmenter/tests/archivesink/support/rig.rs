// SPDX-License-Identifier: MPL-2.0
//! An `archivesink` on its own in a pipeline, fed by hand, with a clock and a wall clock that the
//! test sets.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstsegmenter::archivesink::{ArchiveSink, Container};
use gstsegmenter::utc::UtcNs;

use super::feed::Feed;
use super::readback::STREAM;
use super::time::{Time, ZERO};

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
        Feed::new(&self.request_unlinked(pad), self.time.clone())
    }

    /// As [`feed`](Self::feed), of an element that was told to give frames reference times, as
    /// `rtspsrc` can be.
    pub fn feed_of_camera(&self, pad: &str) -> Feed {
        self.feed(pad).of_camera()
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
