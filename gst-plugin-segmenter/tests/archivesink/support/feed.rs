// SPDX-License-Identifier: MPL-2.0
//! What stands before a pad of the sink, and pushes by hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use gst::prelude::*;

use super::clip::Frame;
use super::time::Time;

/// A keyframe that was asked for: at which running time, or at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(pub Option<gst::ClockTime>);

/// What a live source says its latency is: that of `rtspsrc latency=200`.
const LATENCY: gst::ClockTime = gst::ClockTime::from_mseconds(200);

/// What stands before a pad of the sink.
#[derive(Debug)]
pub struct Feed {
    source: gst::Pad,
    time: Time,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Answers the latency query as a live source does.
    live: Arc<AtomicBool>,
    /// The pad's parent, which lives as long as the pad.
    camera: Option<gst::Element>,
}

impl Feed {
    /// Stands before this pad.
    pub fn new(sink: &gst::Pad, time: Time) -> Self {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let ask = asked.clone();
        let live = Arc::new(AtomicBool::new(false));
        let is_live = live.clone();
        let source = gst::Pad::builder(gst::PadDirection::Src)
            .event_function(move |_, _, event| {
                if let Ok(event) = gst_video::UpstreamForceKeyUnitEvent::parse(&event) {
                    let mut asked = ask.lock().expect("no panic");
                    asked.push(Asked(event.running_time));
                }
                true
            })
            .query_function(move |pad, parent, query| match query.view_mut() {
                gst::QueryViewMut::Latency(latency) if is_live.load(Ordering::Relaxed) => {
                    latency.set(true, LATENCY, gst::ClockTime::NONE);
                    true
                }
                _ => gst::Pad::query_default(pad, parent, query),
            })
            .build();
        source.set_active(true).expect("a new pad");
        source.link(sink).expect("both are free");
        Self {
            source,
            time,
            asked,
            live,
            camera: None,
        }
    }

    /// The same, as a pad of an element that was told to give frames reference times.
    pub fn of_camera(self) -> Self {
        let feed = self.within("rtpjitterbuffer");
        if let Some(camera) = &feed.camera {
            camera.set_property("add-reference-timestamp-meta", true);
        }
        feed
    }

    /// The same, as a live source whose stamps are another machine's.
    pub fn live(self) -> Self {
        self.live.store(true, Ordering::Relaxed);
        self
    }

    /// The same, as one of several streams of a source whose pads come one by one.
    pub fn one_of_several(self) -> Self {
        self.within("rtpptdemux")
    }

    fn within(self, element: &str) -> Self {
        let camera = gst::ElementFactory::make(element)
            .build()
            .expect("gstreamer1.0-plugins-good is installed");
        camera.add_pad(&self.source).expect("a pad without parent");
        Self {
            camera: Some(camera),
            ..self
        }
    }

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

    /// Says how the pictures are turned.
    pub fn turned(&self, name: &str) {
        let mut tags = gst::TagList::new();
        let added = tags.get_mut().expect("it is new");
        added.add::<gst::tags::ImageOrientation>(&name, gst::TagMergeMode::Replace);
        assert!(self.source.push_event(gst::event::Tag::new(tags)), "{name}");
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
