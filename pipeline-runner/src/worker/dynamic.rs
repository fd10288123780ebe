// SPDX-License-Identifier: MPL-2.0
//! A source whose streams are known only once it plays, and the sink that records them.
//!
//! Behind each pad of the source goes what its caps ask for (depayloader and parser, or
//! `parsebin`), then a queue, so that no stream waits for another, then a request pad of the sink.
//! Downstream is built and started before the link upstream, so that no buffer meets a pad that is
//! not ready. What cannot be recorded is left unlinked, with one log line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use gst::glib;
use gst::prelude::*;

use super::build::parse;
use super::protocol::{Failure, Level};
use super::stdio::Reporter;
use crate::config::{Branch, Tracks, branch, sink_pad, view_branch};

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

struct Composer {
    pipeline: glib::WeakRef<gst::Pipeline>,
    /// What records; none where there are views alone.
    sink: Option<glib::WeakRef<gst::Element>>,
    streams: Streams,
    /// Behind every stream: `queue`, and what paces it.
    tail: &'static str,
    reporter: Reporter,
    /// Streams on their way to the sink.
    linked: AtomicUsize,
    /// The sink has one pad for video.
    video_is_taken: AtomicBool,
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
                gst::element_error!(
                    source,
                    gst::CoreError::MissingPlugin,
                    ["{}", failure.message]
                );
            }
        });
        let composer = Arc::clone(self);
        source.connect_no_more_pads(move |source| {
            if is_rtspsrc(source) && composer.linked.load(Relaxed) == 0 {
                gst::element_error!(
                    source,
                    gst::StreamError::WrongType,
                    ["the source offers no stream that can be recorded"]
                );
            }
        });
        for pad in source.src_pads() {
            if let Err(failure) = self.source_pad(&pad) {
                self.reporter.log(Level::Warn, failure.message);
            }
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
        let (name, media, encoding) = traits(caps);
        let wanted = media
            .as_deref()
            .is_none_or(|media| self.streams.tracks.wants(media))
            && branch(&name, media.as_deref(), encoding.as_deref()) != Branch::Ignore;
        if !wanted {
            self.ignore(caps);
        }
        wanted
    }

    fn ignore(&self, caps: &gst::CapsRef) {
        let (name, media, encoding) = traits(caps);
        let words: Vec<String> = [Some(name), media, encoding]
            .into_iter()
            .flatten()
            .collect();
        let message = format!("stream not recorded: {}", words.join(" "));
        self.reporter.log(Level::Info, message);
    }

    fn source_pad(self: &Arc<Self>, pad: &gst::Pad) -> Result<(), Failure> {
        if pad.direction() != gst::PadDirection::Src || pad.is_linked() {
            return Ok(());
        }
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let (name, media, encoding) = traits(&caps);
        match branch(&name, media.as_deref(), encoding.as_deref()) {
            Branch::Chain(chain) => self.chain(pad, chain),
            Branch::Parsebin => self.parsebin(pad),
            Branch::Ignore => {
                self.ignore(&caps);
                Ok(())
            }
        }
    }

    /// `pad ! chain ! queue ! sink`.
    fn chain(&self, pad: &gst::Pad, chain: &str) -> Result<(), Failure> {
        let bin = self.bin(&format!("{chain} ! {}", self.tail))?;
        let caps = bin
            .static_pad("src")
            .map_or_else(gst::Caps::new_empty, |src| src.query_caps(None));
        self.to_sink(pad, bin, &caps)
    }

    /// `pad ! parsebin`, and behind each of its pads `queue ! sink`.
    fn parsebin(self: &Arc<Self>, pad: &gst::Pad) -> Result<(), Failure> {
        let parsebin = parse("parsebin")?;
        let composer = Arc::clone(self);
        parsebin.connect_pad_added(move |parsebin, pad| {
            if let Err(failure) = composer.parsed_pad(pad) {
                gst::element_error!(parsebin, gst::CoreError::Pad, ["{}", failure.message]);
            }
        });
        self.add(&parsebin)?;
        start(&parsebin)?;
        link(pad, parsebin.static_pad("sink").as_ref())
    }

    fn parsed_pad(&self, pad: &gst::Pad) -> Result<(), Failure> {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let bin = self.bin(self.tail)?;
        self.to_sink(pad, bin, &caps)
    }

    /// Links `pad ! bin ! sink`, where the sink takes streams of these caps, and shows pictures in
    /// the views.
    fn to_sink(&self, pad: &gst::Pad, bin: gst::Bin, caps: &gst::Caps) -> Result<(), Failure> {
        let ends = self.ends(caps)?;
        if ends.is_empty() {
            self.ignore(caps);
            return Ok(());
        }
        self.add(bin.upcast_ref())?;
        let linked = match ends.as_slice() {
            [only] => link_to(&bin, only),
            ends => self.tee(&bin, ends),
        };
        if let Err(failure) = linked {
            self.reporter.log(Level::Warn, failure.message);
            self.ignore(caps);
            return Ok(());
        }
        start(bin.upcast_ref())?;
        self.linked.fetch_add(1, Relaxed);
        link(pad, bin.static_pad("sink").as_ref())
    }

    /// Where a stream of these caps goes: to a pad of the sink, and, if it is the video, to the
    /// views.
    fn ends(&self, caps: &gst::CapsRef) -> Result<Vec<gst::Pad>, Failure> {
        let Some(name) = sink_pad(&traits(caps).0, self.streams.tracks) else {
            return Ok(Vec::new());
        };
        let is_video = name == "video";
        if is_video && self.video_is_taken.swap(true, Relaxed) {
            return Ok(Vec::new());
        }
        let sink = self.sink.as_ref().and_then(glib::WeakRef::upgrade);
        let request = sink.and_then(|sink| sink.request_pad_simple(name));
        let mut ends: Vec<gst::Pad> = request.into_iter().collect();
        let views = if is_video { self.streams.views } else { 0 };
        for index in 0..views {
            let view = parse(&view_branch(index))?;
            self.add(&view)?;
            start(&view)?;
            ends.extend(view.static_pad("sink"));
        }
        Ok(ends)
    }

    /// Links `bin` to several pads. No queues: the views take no time.
    fn tee(&self, bin: &gst::Bin, ends: &[gst::Pad]) -> Result<(), Failure> {
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
        link_to(bin, &sink)
    }

    fn add(&self, element: &gst::Element) -> Result<(), Failure> {
        let pipeline = self.pipeline.upgrade();
        let added = pipeline.is_some_and(|pipeline| pipeline.add(element).is_ok());
        added
            .then_some(())
            .ok_or_else(|| Failure::passing("the pipeline is closing"))
    }

    fn bin(&self, text: &str) -> Result<gst::Bin, Failure> {
        gst::parse::bin_from_description_full(text, true, None, gst::ParseFlags::FATAL_ERRORS)
            .map_err(|error| Failure::definition(error.message().to_owned()))?
            .downcast()
            .map_err(|_| Failure::definition(format!("{text:?} is not a bin")))
    }
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

fn link_to(bin: &gst::Bin, sink: &gst::Pad) -> Result<(), Failure> {
    let src = bin.static_pad("src");
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
