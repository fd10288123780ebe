// SPDX-License-Identifier: MPL-2.0
//! A pipeline, what comes out of it, and what it says.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use sha2::{Digest, Sha256};

/// Both streams decoded.
pub const DECODED: &str = "src.video ! queue ! h264parse ! avdec_h264 ! fakesink name=video \
    src.audio_0 ! queue ! aacparse ! avdec_aac ! fakesink name=audio";
/// Both as they come.
pub const AS_IS: &str = "src.video ! fakesink name=video src.audio_0 ! fakesink name=audio";

/// A buffer that came out.
#[derive(Clone, Debug)]
pub struct Seen {
    pub digest: String,
    pub pts_ns: i64,
    pub dts_ns: Option<i64>,
    pub duration_ns: i64,
    /// Both where its segment has them.
    pub stream_ns: Option<i64>,
    pub running_ns: Option<i64>,
    pub flags: gst::BufferFlags,
    pub caps: gst::Caps,
}

/// What was seen so far.
pub type Heap = Arc<Mutex<Vec<Seen>>>;

/// A pipeline with sinks that keep what they get.
pub struct Player {
    pub pipeline: gst::Pipeline,
    video: Heap,
    audio: Heap,
}

impl Player {
    /// A pipeline as a launch line, with sinks `video` and `audio`.
    pub fn launch(line: &str) -> Self {
        let pipeline = gst::parse::launch(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let pipeline = pipeline.downcast::<gst::Pipeline>();
        let pipeline = pipeline.expect("several elements");
        let kept = |name: &str| {
            let sink = pipeline.by_name(name);
            sink.map(|sink| keep(&sink)).unwrap_or_default()
        };
        let (video, audio) = (kept("video"), kept("audio"));
        Self {
            pipeline,
            video,
            audio,
        }
    }

    /// A `playbin` or `playbin3`.
    pub fn playbin(element: &str, uri: &str) -> Self {
        let playbin = gst::ElementFactory::make(element)
            .property("uri", uri)
            .build();
        let pipeline = playbin
            .expect("playback elements")
            .downcast::<gst::Pipeline>();
        let sink = |name: &str| {
            let sink = gst::ElementFactory::make("fakesink").name(name).build();
            sink.expect("a core element")
        };
        let (video, audio) = (sink("video"), sink("audio"));
        let kept = (keep(&video), keep(&audio));
        let pipeline = pipeline.expect("players are pipelines");
        pipeline.set_property("video-sink", &video);
        pipeline.set_property("audio-sink", &audio);
        Self {
            pipeline,
            video: kept.0,
            audio: kept.1,
        }
    }

    pub fn set_state(&self, state: gst::State) {
        let changed = self.pipeline.set_state(state);
        changed.unwrap_or_else(|error| panic!("{state:?}: {error}: {:?}", self.error()));
    }

    /// Goes to a state and waits until it is reached.
    #[track_caller]
    pub fn reach(&self, state: gst::State) {
        self.set_state(state);
        let (result, now, _) = self.pipeline.state(gst::ClockTime::from_seconds(20));
        assert!(
            result.is_ok() && now == state,
            "{result:?} at {now:?}: {:?}",
            self.error()
        );
    }

    /// Plays to the end.
    #[track_caller]
    pub fn play(&self) {
        self.set_state(gst::State::Playing);
        self.wait_for(gst::MessageType::Eos);
    }

    /// Waits for a message; an error is none that is waited for.
    #[track_caller]
    pub fn wait_for(&self, wanted: gst::MessageType) -> gst::Message {
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        let types = [wanted, gst::MessageType::Error];
        let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(30), &types);
        let message = message.unwrap_or_else(|| panic!("no {wanted:?} within 30 s"));
        assert_eq!(message.type_(), wanted, "{message:?}");
        message
    }

    /// The error that was posted, if any.
    pub fn error(&self) -> Option<String> {
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        let message = bus.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        }
    }

    /// The pictures that came so far, which are forgotten.
    pub fn pictures(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.video.lock().expect("no panic"))
    }

    /// The sound that came so far, which is forgotten.
    pub fn sounds(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.audio.lock().expect("no panic"))
    }

    /// What this sink gets from now on.
    pub fn listen(&self, sink: &gst::Element) -> Heap {
        keep(sink)
    }

    /// Waits until something is so, at most ten seconds.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let since = Instant::now();
        while !is_so(self) {
            let passed = since.elapsed();
            assert!(
                passed < Duration::from_secs(10),
                "{what}: {:?}",
                self.error()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The digests of what was seen.
pub fn digests(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|seen| seen.digest.clone()).collect()
}

/// Keeps what the sink gets, and does not wait for its time.
fn keep(sink: &gst::Element) -> Heap {
    let heap = Heap::default();
    sink.set_property("sync", false);
    let kept = heap.clone();
    let pad = sink.static_pad("sink").expect("sinks have one");
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        if let Some(buffer) = info.buffer() {
            kept.lock().expect("no panic").push(seen(pad, buffer));
        }
        gst::PadProbeReturn::Ok
    });
    heap
}

fn seen(pad: &gst::Pad, buffer: &gst::Buffer) -> Seen {
    let segment = pad.sticky_event::<gst::event::Segment>(0);
    let segment = segment.expect("segments come first");
    let segment = segment.segment().downcast_ref::<gst::ClockTime>();
    let segment = segment.expect("in time");
    let map = buffer.map_readable().expect("memory");
    let ns = |time: gst::ClockTime| time.nseconds().cast_signed();
    let pts = buffer.pts().expect("every buffer has a time");
    Seen {
        digest: hex(&map),
        pts_ns: ns(pts),
        dts_ns: buffer.dts().map(ns),
        duration_ns: buffer.duration().map_or(0, ns),
        stream_ns: segment.to_stream_time(pts).map(ns),
        running_ns: segment.to_running_time(pts).map(ns),
        flags: buffer.flags(),
        caps: pad.current_caps().expect("caps come first"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
