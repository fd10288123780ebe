// SPDX-License-Identifier: MPL-2.0
//! One `mpegtsmux` and what feeds it: frames in, transport stream packets out.
//!
//! A single muxer runs through many segments, so that continuity counters, PCR and PTS go on over
//! their borders and `cat` of neighbours is a clean transport stream. A border travels with the
//! stream: a `GstForceKeyUnit` event before the keyframe makes the muxer repeat PAT and PMT, and
//! comes out of the muxer right before them.
//!
//! Pictures become a byte stream here ([`AnnexB`]), with the parameter sets before each entry.
//! h264parse would do it for whole streams only: sets that come with a picture between keyframes
//! it leaves out. It is only asked where a source sends a byte stream itself.
//!
//! PTS starts as UTC in 90 kHz ticks, modulo 2^33, plus the muxer's own constant hour, and then
//! runs on without a step; where a segment's first frame is in UTC, its name says.
//!
//! Each input has a `queue` without limits: the muxer waits until every input has something, and
//! the recorder must never wait for the muxer. An input that is silent is told so by GAP events,
//! and a source that is faster than the muxer is held back outside of all locks
//! ([`Muxer::congested`]).

use gst::prelude::*;

use crate::media::AnnexB;

use super::caps::Kind;
use super::mp4::Frame;
use super::segments::PlannedTrack;

/// The event that is a border where there are no pictures.
pub const SOUND_BORDER: &str = "archivesink-border";
/// Bytes that may wait for a muxer that is slower than its source, before the source waits.
const MOST_QUEUED_BYTES: u64 = 4 << 20;

/// A running muxer.
#[derive(Debug)]
pub struct Muxer {
    pipeline: gst::Pipeline,
    inputs: Vec<Input>,
    /// Keeps the receiving pad alive.
    _output: gst::Pad,
    borders: u32,
}

#[derive(Debug)]
struct Input {
    stream: usize,
    kind: Kind,
    caps: gst::Caps,
    /// How its pictures become a byte stream; `None` where they are one, and for sound.
    form: Option<AnnexB>,
    pad: gst::Pad,
    queue: gst::Element,
    /// The next frame begins a segment.
    begins: bool,
    ended: bool,
}

/// Checks that the elements are installed.
///
/// # Errors
/// Names the one that is not, and the package that has it.
pub fn check_elements() -> Result<(), gst::ErrorMessage> {
    for (element, package) in [
        ("mpegtsmux", "gstreamer1.0-plugins-bad"),
        ("h264parse", "gstreamer1.0-plugins-bad"),
        ("queue", "libgstreamer1.0-0"),
    ] {
        if gst::ElementFactory::find(element).is_none() {
            return Err(gst::error_msg!(
                gst::CoreError::MissingPlugin,
                ("container=mpegts needs the element {element}; Debian has it in {package}")
            ));
        }
    }
    Ok(())
}

impl Muxer {
    /// Starts a muxer for these tracks, whose packets and borders go to `output`.
    ///
    /// # Errors
    /// What could not be made or linked.
    pub fn start(tracks: &[PlannedTrack], output: gst::Pad) -> Result<Self, gst::glib::BoolError> {
        let pipeline = gst::Pipeline::new();
        let mux = gst::ElementFactory::make("mpegtsmux").build()?;
        if tracks.iter().all(|track| track.kind == Kind::Audio) {
            // Without keyframes there is no event to repeat the tables: repeat them always.
            mux.set_property("pat-interval", 1_u32);
            mux.set_property("pmt-interval", 1_u32);
        }
        pipeline.add(&mux)?;
        output.set_active(true)?;
        let packets = mux
            .static_pad("src")
            .ok_or_else(|| gst::glib::bool_error!("mpegtsmux has no src pad"))?;
        packets
            .link(&output)
            .map_err(|error| gst::glib::bool_error!("{error}"))?;
        let inputs = tracks
            .iter()
            .map(|track| Input::link(track, &pipeline, &mux));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|_| gst::glib::bool_error!("mpegtsmux does not start"))?;
        for input in &inputs {
            input.greet()?;
        }
        Ok(Self {
            pipeline,
            inputs,
            _output: output,
            borders: 0,
        })
    }

    /// Whether it muxes just these tracks. Other caps of the same codec it takes as they come.
    pub fn muxes(&self, tracks: &[PlannedTrack]) -> bool {
        let codec = |caps: &gst::Caps| caps.structure(0).map(|s| s.name().as_str().to_owned());
        self.inputs.len() == tracks.len()
            && self.inputs.iter().zip(tracks).all(|(input, track)| {
                !input.ended
                    && input.stream == track.stream
                    && codec(&input.caps) == codec(&track.caps)
            })
    }

    /// A new segment begins with the next frame of the pictures, or of the sound that leads.
    pub fn border(&mut self, tracks: &[PlannedTrack]) {
        self.borders += 1;
        for (input, track) in self.inputs.iter_mut().zip(tracks) {
            input.begins = true;
            if input.caps != track.caps {
                input.caps = track.caps.clone();
                if input.form.is_some() {
                    input.form = byte_stream_form(&track.caps);
                }
                input
                    .pad
                    .push_event(gst::event::Caps::new(&input.muxed_caps()));
            }
        }
        let pictures = self.inputs.iter().find(|input| input.kind == Kind::Video);
        let event = match pictures {
            Some(_) => gst_video::DownstreamForceKeyUnitEvent::builder()
                .all_headers(true)
                .count(self.borders)
                .build(),
            None => gst::event::CustomDownstream::new(gst::Structure::new_empty(SOUND_BORDER)),
        };
        if let Some(input) = pictures.or(self.inputs.first()) {
            input.pad.push_event(event);
        }
    }

    /// Whether more frames wait than a muxer that is only slow should have: every input has some.
    pub fn congested(&self) -> bool {
        let waiting = self
            .inputs
            .iter()
            .map(|input| input.queue.property::<u32>("current-level-bytes"));
        let (least, sum) = waiting.fold((u32::MAX, 0_u64), |(least, sum), bytes| {
            (least.min(bytes), sum + u64::from(bytes))
        });
        least > 0 && sum > MOST_QUEUED_BYTES
    }

    /// Takes a frame, or gives it back if it has no input for its stream.
    ///
    /// # Errors
    /// The frame.
    pub fn push(&mut self, stream: usize, frame: Frame) -> Result<(), Frame> {
        let Some(input) = self
            .inputs
            .iter_mut()
            .find(|input| input.stream == stream && !input.ended)
        else {
            return Err(frame);
        };
        let begins = std::mem::take(&mut input.begins);
        let mut buffer = input.muxed(frame.buffer, frame.sync || begins);
        let times = buffer.make_mut();
        times.set_pts(clock_time(frame.stamps.pts_ns));
        times.set_dts(clock_time(frame.stamps.dts_ns.min(frame.stamps.pts_ns)));
        times.set_duration(clock_time(frame.stamps.duration_ns));
        // Only a muxer that failed refuses; its error is on the bus.
        let _ = input.pad.push(buffer);
        Ok(())
    }

    /// A stream has nothing up to this moment.
    pub fn silent_until(&self, stream: usize, end_ns: i64) {
        let input = self
            .inputs
            .iter()
            .find(|input| input.stream == stream && !input.ended);
        // The muxer lets others pass up to where a gap begins, so it begins where it ends.
        if let (Some(input), Some(end)) = (input, clock_time(end_ns)) {
            input.pad.push_event(
                gst::event::Gap::builder(end)
                    .duration(gst::ClockTime::NSECOND)
                    .build(),
            );
        }
    }

    /// The inputs end; `output` will see the end of the stream.
    pub fn end(&mut self) {
        for input in &mut self.inputs {
            input.ended = true;
            input.pad.push_event(gst::event::Eos::new());
        }
    }

    /// The first error on its bus since the last call.
    pub fn error(&self) -> Option<String> {
        let message = self
            .pipeline
            .bus()?
            .pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        }
    }
}

impl Drop for Muxer {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Input {
    fn link(
        track: &PlannedTrack,
        pipeline: &gst::Pipeline,
        mux: &gst::Element,
    ) -> Result<Self, gst::glib::BoolError> {
        let queue = gst::ElementFactory::make("queue")
            .property("max-size-buffers", 0_u32)
            .property("max-size-bytes", 0_u32)
            .property("max-size-time", 0_u64)
            .build()?;
        pipeline.add(&queue)?;
        let codec = track.caps.structure(0).map(|s| s.name().as_str());
        let form = byte_stream_form(&track.caps);
        let parser = match codec {
            _ if form.is_some() => None,
            Some("video/x-h264") => Some("h264parse"),
            Some("video/x-h265") => Some("h265parse"),
            _ => None,
        };
        let last = match parser {
            Some(parser) => {
                // Parameter sets before every keyframe: each segment stands alone.
                let parser = gst::ElementFactory::make(parser)
                    .property("config-interval", -1)
                    .build()?;
                pipeline.add(&parser)?;
                queue.link(&parser)?;
                parser
            }
            None => queue.clone(),
        };
        last.link(mux)?;
        let pad = gst::Pad::builder(gst::PadDirection::Src)
            .query_function(|pad, parent, query| match query.view_mut() {
                gst::QueryViewMut::Latency(latency) => {
                    latency.set(false, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                    true
                }
                _ => gst::Pad::query_default(pad, parent, query),
            })
            .build();
        pad.set_active(true)?;
        let sink = queue
            .static_pad("sink")
            .ok_or_else(|| gst::glib::bool_error!("queue has no sink pad"))?;
        pad.link(&sink)
            .map_err(|error| gst::glib::bool_error!("{error}"))?;
        Ok(Self {
            stream: track.stream,
            kind: track.kind,
            caps: track.caps.clone(),
            form,
            pad,
            queue,
            begins: false,
            ended: false,
        })
    }

    /// The caps of what goes into the muxer.
    fn muxed_caps(&self) -> gst::Caps {
        let mut caps = self.caps.clone();
        if self.form.is_some()
            && let Some(s) = caps.make_mut().structure_mut(0)
        {
            s.set("stream-format", "byte-stream");
            s.remove_field("codec_data");
        }
        caps
    }

    /// What goes into the muxer of a frame.
    fn muxed(&self, buffer: gst::Buffer, is_entry: bool) -> gst::Buffer {
        let (Some(form), Ok(sample)) = (&self.form, buffer.map_readable()) else {
            return buffer;
        };
        let mut stream = Vec::with_capacity(sample.len() + 64);
        form.append(&sample, is_entry, &mut stream);
        let mut muxed = gst::Buffer::from_mut_slice(stream);
        if !is_entry && let Some(muxed) = muxed.get_mut() {
            muxed.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        muxed
    }

    /// The events that come before any buffer.
    fn greet(&self) -> Result<(), gst::glib::BoolError> {
        let id = format!("archivesink-{}", self.stream);
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        for event in [
            gst::event::StreamStart::new(&id),
            gst::event::Caps::new(&self.muxed_caps()),
            gst::event::Segment::new(&segment),
        ] {
            if !self.pad.push_event(event) {
                return Err(gst::glib::bool_error!(
                    "mpegtsmux does not take {}",
                    self.caps
                ));
            }
        }
        Ok(())
    }
}

fn clock_time(ns: i64) -> Option<gst::ClockTime> {
    u64::try_from(ns).ok().map(gst::ClockTime::from_nseconds)
}

/// How pictures of these caps become a byte stream, if they are none.
fn byte_stream_form(caps: &gst::CapsRef) -> Option<AnnexB> {
    let s = caps.structure(0)?;
    let is_stream = s.get::<&str>("stream-format") == Ok("byte-stream");
    let record = s.get::<gst::Buffer>("codec_data").ok();
    let record = record.filter(|_| !is_stream)?;
    let record = record.map_readable().ok()?;
    match s.name().as_str() {
        "video/x-h264" => AnnexB::from_avcc(&record),
        "video/x-h265" => AnnexB::from_hvcc(&record),
        _ => None,
    }
}
