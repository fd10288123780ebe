// SPDX-License-Identifier: MPL-2.0
//! A source whose streams are known only once it plays, and the sink that records them.
//!
//! Behind each pad of the source goes what its caps ask for (depayloader and parser, or
//! `parsebin`), then a queue, so that no stream waits for another, then a request pad of the sink.
//! Downstream is built and started before the link upstream, so that no buffer meets a pad that is
//! not ready.
//!
//! One track never takes another along. What cannot be recorded is left out: said once, with its
//! codec and what would help, and swallowed, so that the source sees no difference. That is
//! found out where a pad appears, where its caps come through, or where its elements fail
//! ([`Track`]); only the pictures' failure is the pipeline's. A second source of the same RTP
//! stream (another SSRC, RFC 3550, 8) waits while the first is heard, and takes its place, with
//! what has waited, once that is silent. If nothing is left that can be recorded, that is the pipeline's failure.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstsegmenter::archivesink::{Container, codec, parser_wanted, refusal};

use super::build::parse;
use super::protocol::{Failure, Level};
use super::rtp::{Session, rtp_refusal, session_of};
use super::stdio::Reporter;
use super::track::{Track, drain};
use crate::config::{Branch, Tracks, branch, sink_pad, view_branch};

/// How long pads may still be on their way once a source has said that no more come: `rtspsrc`
/// says so on one thread while another adds a pad.
const PADS_GRACE: Duration = Duration::from_secs(2);
const NO_STREAM: &str = "the source offers no stream that can be recorded";

/// What is wanted of the streams of a source.
#[derive(Clone, Copy)]
pub struct Streams {
    /// Which media.
    pub tracks: Tracks,
    /// A file plays at its own pace.
    pub paced: bool,
    /// In how many places the pictures are seen beside the sink.
    pub views: usize,
}

pub(super) struct Composer {
    pipeline: glib::WeakRef<gst::Pipeline>,
    /// What records; none where there are views alone.
    sink: Option<glib::WeakRef<gst::Element>>,
    streams: Streams,
    /// Behind every stream: `queue`, and what paces it.
    tail: &'static str,
    pub(super) reporter: Reporter,
    /// Streams on their way to the sink.
    linked: AtomicUsize,
    /// The sink has one pad for video.
    video_is_taken: AtomicBool,
    /// The source has said that it has no more pads; one other than `rtspsrc` has its pads at once.
    no_more_pads: AtomicBool,
    /// What was left out so far, in words.
    left_out: Mutex<Vec<String>>,
    /// The RTP streams that are recorded, by the session of their pads.
    sessions: Mutex<Vec<(String, Session)>>,
}

/// Puts source and sink into the pipeline; streams are added while it plays.
///
/// # Errors
/// What is wrong with either.
pub fn build(
    pipeline: &gst::Pipeline,
    source: &gst::Element,
    sink: Option<&gst::Element>,
    streams: Streams,
    reporter: &Reporter,
) -> Result<(), Failure> {
    pipeline
        .add_many([Some(source), sink].into_iter().flatten())
        .map_err(|error| Failure::definition(error.to_string()))?;
    let composer = Arc::new(Composer {
        pipeline: pipeline.downgrade(),
        sink: sink.map(|sink| sink.downgrade()),
        streams,
        tail: if streams.paced {
            "queue ! clocksync"
        } else {
            "queue"
        },
        reporter: reporter.clone(),
        linked: AtomicUsize::new(0),
        video_is_taken: AtomicBool::new(false),
        no_more_pads: AtomicBool::new(!is_rtspsrc(source)),
        left_out: Mutex::default(),
        sessions: Mutex::default(),
    });
    composer.attend(source);
    Ok(())
}

impl Composer {
    /// Takes the pads of the source, now and later.
    fn attend(self: &Arc<Self>, source: &gst::Element) {
        if is_rtspsrc(source) {
            self.select_streams(source);
        }
        let composer = Arc::clone(self);
        source.connect_pad_added(move |source, pad| {
            if let Err(failure) = composer.source_pad(pad) {
                fail(source, gst::CoreError::MissingPlugin, &failure.message);
            }
        });
        if is_rtspsrc(source) {
            let composer = Arc::clone(self);
            source.connect_no_more_pads(move |_| {
                composer.no_more_pads.store(true, Relaxed);
                composer.conclude();
            });
        }
        for pad in source.src_pads() {
            if let Err(failure) = self.source_pad(&pad) {
                self.reporter.log(Level::Warn, failure.message);
            }
        }
    }

    /// Fails the pipeline if nothing is recorded, some time after the last pad came.
    fn conclude(self: &Arc<Self>) {
        if !self.no_more_pads.load(Relaxed) || self.linked.load(Relaxed) > 0 {
            return;
        }
        let composer = Arc::clone(self);
        let look = move || {
            thread::sleep(PADS_GRACE);
            let source = composer
                .pipeline
                .upgrade()
                .and_then(|all| all.by_name("source"));
            if composer.linked.load(Relaxed) == 0
                && let Some(source) = source
            {
                fail(&source, gst::StreamError::Failed, &composer.nothing());
            }
        };
        // Without a thread the watchdog finds out.
        let _ = thread::Builder::new().name("pads".to_owned()).spawn(look);
    }

    fn nothing(&self) -> String {
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        match left_out.as_slice() {
            [] => NO_STREAM.to_owned(),
            reasons => format!("{NO_STREAM}: {}", reasons.join("; ")),
        }
    }

    /// Asks an RTSP server only for the streams that will be recorded.
    fn select_streams(self: &Arc<Self>, source: &gst::Element) {
        let composer = Arc::clone(self);
        source.connect("select-stream", false, move |values| {
            let caps = values
                .get(2)
                .and_then(|value| value.get::<gst::Caps>().ok());
            let wanted = caps.is_none_or(|caps| composer.rtp_is_wanted(&caps));
            Some(wanted.to_value())
        });
    }

    fn rtp_is_wanted(&self, caps: &gst::CapsRef) -> bool {
        let (_, media, encoding) = traits(caps);
        let media = media.unwrap_or_default();
        if !media.is_empty() && !self.streams.tracks.wants(&media) {
            self.ignore(&format!("{media} {}", encoding.unwrap_or_default()));
            return false;
        }
        let refused = rtp_refusal(&media, encoding.as_deref(), caps);
        if let Some(why) = &refused {
            self.leave_out(&media, why);
        }
        refused.is_none()
    }

    /// What nobody asked for.
    fn ignore(&self, what: &str) {
        let message = format!("stream not recorded: {}", what.trim());
        self.reporter.log(Level::Info, message);
    }

    /// What was asked for and cannot be recorded.
    fn leave_out(&self, media: &str, why: &str) {
        let what = if media.is_empty() { "a" } else { media };
        let text = format!("{what} track left out: {why}");
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if !left_out.contains(&text) {
            self.reporter.log(Level::Warn, text.clone());
            left_out.push(text);
        }
    }

    fn source_pad(self: &Arc<Self>, pad: &gst::Pad) -> Result<(), Failure> {
        if pad.direction() != gst::PadDirection::Src || pad.is_linked() {
            return Ok(());
        }
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let (name, media, encoding) = traits(&caps);
        match branch(&name, media.as_deref(), encoding.as_deref()) {
            Branch::Chain(chain) if self.is_another_source(pad, chain) => Ok(()),
            Branch::Chain(chain) => self.chain(pad, chain),
            Branch::Parsebin => self.parsebin(pad),
            Branch::Ignore => {
                drain(pad);
                Ok(())
            }
        }
    }

    /// `pad ! chain ! queue ! sink`.
    fn chain(self: &Arc<Self>, pad: &gst::Pad, chain: &'static str) -> Result<(), Failure> {
        let track = Track::new(&format!("{chain} ! {}", self.tail))?;
        let caps = track
            .exit()
            .map_or_else(gst::Caps::new_empty, |exit| exit.query_caps(None));
        if self.to_sink(pad, &track, &caps)?
            && let Some(session) = session_of(pad)
        {
            let known = Session {
                track: track.downgrade(),
                from: pad.clone(),
                chain,
            };
            self.sessions().push((session, known));
        }
        Ok(())
    }

    pub(super) fn sessions(&self) -> std::sync::MutexGuard<'_, Vec<(String, Session)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `pad ! parsebin`, and behind each of its pads `queue ! sink`.
    fn parsebin(self: &Arc<Self>, pad: &gst::Pad) -> Result<(), Failure> {
        let parsebin = parse("parsebin")?;
        let composer = Arc::clone(self);
        parsebin.connect_pad_added(move |parsebin, pad| {
            if let Err(failure) = composer.parsed_pad(pad) {
                fail(parsebin, gst::StreamError::Failed, &failure.message);
            }
        });
        self.add(&parsebin)?;
        start(&parsebin)?;
        link(pad, parsebin.static_pad("sink").as_ref())
    }

    fn parsed_pad(self: &Arc<Self>, pad: &gst::Pad) -> Result<(), Failure> {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let parser = self.container().and_then(|container| {
            let parser = parser_wanted(&caps, container == Container::MpegTs)?;
            gst::ElementFactory::find(parser).map(|_| parser)
        });
        let Some(parser) = parser else {
            return self
                .to_sink(pad, &Track::new(self.tail)?, &caps)
                .map(|_| ());
        };
        let track = Track::new(&format!("{parser} ! {}", self.tail))?;
        let parsed = track.exit().map(|exit| exit.query_caps(None));
        self.to_sink(pad, &track, &parsed.unwrap_or(caps))
            .map(|_| ())
    }

    /// What the sink makes.
    fn container(&self) -> Option<Container> {
        let sink = self.sink.as_ref()?.upgrade()?;
        Some(sink.property("container"))
    }

    /// Links `pad ! track ! sink`, where the sink takes streams of these caps, and shows pictures
    /// in the views. False if the stream is left out.
    fn to_sink(
        self: &Arc<Self>,
        pad: &gst::Pad,
        track: &Track,
        caps: &gst::Caps,
    ) -> Result<bool, Failure> {
        let Some(name) = sink_pad(&traits(caps).0, self.streams.tracks) else {
            self.ignore(&codec(caps));
            drain(pad);
            return Ok(false);
        };
        let media = if name == "video" { "video" } else { "audio" };
        if let Some(why) = self.refusal(caps) {
            self.leave_out(media, &why);
            drain(pad);
            self.conclude();
            return Ok(false);
        }
        if name == "video" && self.video_is_taken.swap(true, Relaxed) {
            let why = format!("{}: a recording holds one, and has it already", codec(caps));
            self.leave_out("another video", &why);
            drain(pad);
            return Ok(false);
        }
        let ends = self.ends(name)?;
        if ends.is_empty() {
            self.ignore(&codec(caps));
            drain(pad);
            return Ok(false);
        }
        self.guard(track, media, caps);
        self.add(track.upcast_ref())?;
        match ends.as_slice() {
            [only] => link_to(track, only)?,
            ends => self.tee(track, ends)?,
        }
        self.linked.fetch_add(1, Relaxed);
        start(track.upcast_ref())?;
        link(pad, track.entrance().as_ref())?;
        Ok(true)
    }

    /// Why the sink does not take a stream, as far as its caps are known.
    fn refusal(&self, caps: &gst::CapsRef) -> Option<String> {
        refusal(caps, self.container()? == Container::MpegTs)
    }

    /// Leaves the track out when its caps turn out to be none that can be recorded, and, if it is
    /// not the pictures', when its elements fail.
    fn guard(self: &Arc<Self>, track: &Track, media: &'static str, caps: &gst::CapsRef) {
        let codec = codec(caps);
        if media == "audio" {
            let (composer, weak, codec) = (Arc::clone(self), track.downgrade(), codec.clone());
            track.fence(move |why| {
                let why = format!("{codec} could not be read: {why}");
                composer.give_up(weak.upgrade().as_ref(), media, &why);
            });
        }
        let (composer, weak) = (Arc::clone(self), track.downgrade());
        let Some(exit) = track.exit() else {
            return;
        };
        exit.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            let Some(gst::PadProbeData::Event(event)) = &info.data else {
                return gst::PadProbeReturn::Ok;
            };
            let refused = match event.view() {
                gst::EventView::Caps(caps) => composer.refusal(caps.caps()),
                _ => None,
            };
            let Some(why) = refused else {
                return gst::PadProbeReturn::Ok;
            };
            composer.give_up(weak.upgrade().as_ref(), media, &why);
            gst::PadProbeReturn::Ok
        });
    }

    /// A track that was linked already is left out after all.
    fn give_up(self: &Arc<Self>, track: Option<&Track>, media: &str, why: &str) {
        self.leave_out(media, why);
        let Some(track) = track else {
            return;
        };
        track.shut();
        if media == "video" {
            self.video_is_taken.store(false, Relaxed);
        }
        self.linked.fetch_sub(1, Relaxed);
        let sink = self.sink.as_ref().and_then(glib::WeakRef::upgrade);
        if let (Some(exit), Some(sink)) = (track.exit(), sink)
            && let Some(end) = exit.peer()
        {
            let _ = exit.unlink(&end);
            // Not here: this thread may be one that the pad's lock is waited for on.
            sink.call_async(move |sink| {
                if end.parent_element().as_ref() == Some(sink) {
                    sink.release_request_pad(&end);
                }
            });
        }
        self.conclude();
    }

    /// Where a stream goes: to this pad of the sink, and, if it is the video, to the views.
    fn ends(&self, name: &str) -> Result<Vec<gst::Pad>, Failure> {
        let sink = self.sink.as_ref().and_then(glib::WeakRef::upgrade);
        let request = sink.and_then(|sink| sink.request_pad_simple(name));
        let mut ends: Vec<gst::Pad> = request.into_iter().collect();
        let views = if name == "video" {
            self.streams.views
        } else {
            0
        };
        for index in 0..views {
            let view = parse(&view_branch(index))?;
            self.add(&view)?;
            start(&view)?;
            ends.extend(view.static_pad("sink"));
        }
        Ok(ends)
    }

    /// Links a track to several pads. No queues: the views take no time.
    fn tee(&self, track: &Track, ends: &[gst::Pad]) -> Result<(), Failure> {
        let tee = parse("tee allow-not-linked=true")?;
        self.add(&tee)?;
        for end in ends {
            let src = tee.request_pad_simple("src_%u");
            let src = src.ok_or_else(|| Failure::passing("a tee has no more pads"))?;
            link(&src, Some(end))?;
        }
        start(&tee)?;
        let sink = tee.static_pad("sink");
        let sink = sink.ok_or_else(|| Failure::passing("a tee has no sink pad"))?;
        link_to(track, &sink)
    }

    fn add(&self, element: &gst::Element) -> Result<(), Failure> {
        let pipeline = self.pipeline.upgrade();
        let added = pipeline.is_some_and(|pipeline| pipeline.add(element).is_ok());
        added
            .then_some(())
            .ok_or_else(|| Failure::passing("the pipeline is closing"))
    }
}

/// Posts an error of a source: the pipeline fails with this text.
fn fail(element: &gst::Element, error: impl gst::prelude::MessageErrorDomain, text: &str) {
    gst::element_error!(element, error, ("{text}"));
}

fn start(element: &gst::Element) -> Result<(), Failure> {
    element
        .sync_state_with_parent()
        .map_err(|error| Failure::passing(error.to_string()))
}

fn link(src: &gst::Pad, sink: Option<&gst::Pad>) -> Result<(), Failure> {
    let sink = sink.ok_or_else(|| Failure::passing("an element has no sink pad"))?;
    src.link(sink)
        .map(|_| ())
        .map_err(|error| Failure::passing(format!("cannot link {}: {error}", src.name())))
}

fn link_to(track: &Track, sink: &gst::Pad) -> Result<(), Failure> {
    let src = track.exit();
    let src = src.ok_or_else(|| Failure::passing("a chain has no source pad"))?;
    link(&src, Some(sink))
}

fn is_rtspsrc(element: &gst::Element) -> bool {
    element
        .factory()
        .is_some_and(|factory| factory.name() == "rtspsrc")
}

/// The name of the caps, and for RTP `media` and `encoding-name`.
fn traits(caps: &gst::CapsRef) -> (String, Option<String>, Option<String>) {
    let Some(structure) = caps.structure(0) else {
        return (String::new(), None, None);
    };
    let field = |name| structure.get::<String>(name).ok();
    (
        structure.name().to_string(),
        field("media"),
        field("encoding-name"),
    )
}
