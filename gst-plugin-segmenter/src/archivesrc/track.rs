// SPDX-License-Identifier: MPL-2.0
//! A track on its way through what is to be played of it: one step after the other, each an event
//! or a buffer.

use std::sync::{Arc, LazyLock};

use gst::prelude::*;

use super::presentation::Leg;
use super::reel::{Reel, Stamps};
use crate::media::assembly::AssemblySample;
use crate::utc::UtcNs;

/// Sound that is missing for longer than this is said to be: sinks wait no longer for it.
const LEAST_GAP_NS: i64 = 500_000_000;

/// What is played: a range of the presentation and how. As a segment, its times are those of the
/// presentation.
#[derive(Clone, Debug)]
pub struct Playback {
    /// Range, rate and the running time at which it begins.
    pub segment: gst::FormattedSegment<gst::ClockTime>,
    /// What asked for it.
    pub seqnum: gst::Seqnum,
}

impl Playback {
    /// All of a reel.
    pub fn all(reel: &Reel) -> Self {
        let duration = time(reel.presentation.duration_ns);
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_start(gst::ClockTime::ZERO);
        segment.set_time(gst::ClockTime::ZERO);
        segment.set_position(gst::ClockTime::ZERO);
        segment.set_stop(duration);
        segment.set_duration(duration);
        Self {
            segment,
            seqnum: gst::Seqnum::next(),
        }
    }

    /// The range, in nanoseconds.
    pub fn range_ns(&self) -> (i64, i64) {
        (ns(self.segment.start()), ns(self.segment.stop()))
    }

    /// Whether its end is announced by a message and playing may go on.
    pub fn is_segment_seek(&self) -> bool {
        self.segment.flags().contains(gst::SegmentFlags::SEGMENT)
    }

    /// The segment of a leg: the same running and stream time for what is shown, with the leg's
    /// stamps.
    fn segment_of(&self, leg: &Leg) -> gst::FormattedSegment<gst::ClockTime> {
        let mut segment = self.segment.clone();
        let start = time(leg.stamp_ns);
        segment.set_base(self.segment.to_running_time(time(leg.shown_ns)));
        segment.set_offset(gst::ClockTime::ZERO);
        segment.set_start(start);
        segment.set_position(start);
        segment.set_stop(time(leg.stamp_ns.saturating_add(leg.length_ns)));
        segment.set_time(time(leg.shown_ns));
        segment
    }
}

/// What comes next on a pad.
pub enum Step {
    /// This event.
    Event(gst::Event),
    /// This sample.
    Sample(Sampled),
    /// Nothing.
    End,
}

/// A sample and what its buffer is to have.
pub struct Sampled {
    /// The sample.
    pub sample: AssemblySample,
    /// Its times.
    pub stamps: Stamps,
    /// When it is presented; below zero it is only decoded.
    pub presented_ns: i64,
    /// It follows on nothing.
    pub is_discontinuous: bool,
}

/// A track and its pad.
pub struct Track {
    /// Its number in the reel.
    pub number: usize,
    /// Its pad.
    pub pad: gst::Pad,
    /// What pushes.
    pub task: gst::Task,
    /// Held by the task while it does.
    pub lock: gst::TaskLock,
    /// For each description of its samples.
    pub caps: Vec<gst::Caps>,
    /// What is said before anything else.
    pub greeting: Vec<gst::Event>,
    /// What is said of it, once there is a segment.
    tags: Option<gst::TagList>,
    is_tagged: bool,
    /// How far it is in the presentation.
    pub position_ns: i64,
    /// Nothing more is to be pushed.
    pub has_ended: bool,
    /// Nobody took what was pushed last: it waits for the pad to be linked.
    pub is_unlinked: bool,
    legs: Vec<Leg>,
    leg: usize,
    has_begun: bool,
    next: usize,
    description: Option<u16>,
    greeted: usize,
    end_ns: Option<i64>,
}

impl Track {
    /// Track `number` of a reel, which is said to be what `greeting` says, at the beginning.
    pub fn new(
        number: usize,
        pad: gst::Pad,
        (task, lock): (gst::Task, gst::TaskLock),
        caps: Vec<gst::Caps>,
        greeting: Vec<gst::Event>,
        tags: Option<gst::TagList>,
    ) -> Self {
        Self {
            number,
            pad,
            task,
            lock,
            caps,
            greeting,
            tags,
            is_tagged: false,
            position_ns: 0,
            has_ended: false,
            is_unlinked: false,
            legs: Vec::new(),
            leg: 0,
            has_begun: false,
            next: 0,
            description: None,
            greeted: 0,
            end_ns: None,
        }
    }

    /// Begins anew, at `from_ns` of the presentation.
    pub fn play(&mut self, reel: &Reel, playback: &Playback, from_ns: i64) {
        let (_, to_ns) = playback.range_ns();
        self.legs = reel.legs(self.number, from_ns, to_ns);
        self.leg = 0;
        self.has_begun = false;
        self.position_ns = from_ns;
        self.is_unlinked = false;
        if self.has_ended {
            // After its end a stream has to be introduced again.
            self.greeted = 0;
            self.description = None;
            self.is_tagged = false;
        }
        self.has_ended = false;
    }

    /// The next step.
    pub fn step(&mut self, reel: &Reel, playback: &Playback) -> Step {
        if let Some(greeting) = self.greeting.get(self.greeted) {
            self.greeted += 1;
            return Step::Event(greeting.clone());
        }
        while let Some(leg) = self.legs.get(self.leg).cloned() {
            if !self.has_begun {
                self.has_begun = true;
                self.next = leg.samples.start;
                self.end_ns = None;
                if let Some(event) = self.caps_event(reel, leg.samples.start) {
                    self.has_begun = false;
                    return Step::Event(event);
                }
                let segment = playback.segment_of(&leg);
                let event = gst::event::Segment::builder(&segment);
                return Step::Event(event.seqnum(playback.seqnum).build());
            }
            if let Some(tags) = self.tags.clone().filter(|_| !self.is_tagged) {
                self.is_tagged = true;
                return Step::Event(gst::event::Tag::new(tags));
            }
            if self.next < leg.samples.end {
                return self.sample(reel, &leg);
            }
            self.leg += 1;
            self.has_begun = false;
            self.position_ns = leg.shown_ns.saturating_add(leg.length_ns);
            if leg.samples.is_empty() && leg.length_ns > 0 {
                return Step::Event(gap(leg.stamp_ns, leg.length_ns));
            }
        }
        self.has_ended = true;
        Step::End
    }

    fn sample(&mut self, reel: &Reel, leg: &Leg) -> Step {
        let Some(sample) = reel.sample(self.number, self.next).cloned() else {
            self.next = leg.samples.end;
            return Step::Event(gap(leg.stamp_ns, 0));
        };
        if let Some(event) = self.caps_event(reel, self.next) {
            return Step::Event(event);
        }
        let mut stamps = reel.stamps(self.number, &sample);
        let is_video = self.is_video(reel);
        let expected_ns = self.end_ns.unwrap_or(leg.stamp_ns);
        if !is_video && stamps.pts_ns.saturating_sub(expected_ns) > LEAST_GAP_NS {
            self.end_ns = Some(stamps.pts_ns);
            return Step::Event(gap(expected_ns, stamps.pts_ns - expected_ns));
        }
        if is_video && stamps.pts_ns < leg.hidden_before_ns {
            // Else a decoder shows the rest of it.
            stamps.end_ns = stamps.end_ns.min(leg.hidden_before_ns);
        }
        let is_discontinuous = self.next == leg.samples.start;
        self.next += 1;
        self.end_ns = Some(stamps.end_ns);
        let presented_ns = leg.shown_ns + (stamps.pts_ns - leg.stamp_ns);
        let shown_ns = leg.shown_ns..=leg.shown_ns.saturating_add(leg.length_ns);
        let position_ns = presented_ns.clamp(*shown_ns.start(), *shown_ns.end());
        self.position_ns = self.position_ns.max(position_ns);
        Step::Sample(Sampled {
            sample,
            stamps,
            presented_ns,
            is_discontinuous,
        })
    }

    /// The caps of a sample, if they are others than those before.
    fn caps_event(&mut self, reel: &Reel, sample: usize) -> Option<gst::Event> {
        let description = reel.sample(self.number, sample)?.description;
        if self.description == Some(description) {
            return None;
        }
        self.description = Some(description);
        let caps = self.caps.get(usize::from(description))?;
        Some(gst::event::Caps::new(caps))
    }

    fn is_video(&self, reel: &Reel) -> bool {
        reel.tracks()
            .get(self.number)
            .is_some_and(|track| track.is_video)
    }

    /// Pushes what stands before the first buffer, so that whoever is told of the pad knows what
    /// it is.
    pub fn greet(&mut self, reel: &Reel) {
        let first = self.legs.iter().find(|leg| !leg.samples.is_empty());
        let first = first.map_or(0, |leg| leg.samples.start);
        let caps = self.caps_event(reel, first);
        for event in self.greeting.iter().cloned().chain(caps) {
            self.pad.push_event(event);
        }
        self.greeted = self.greeting.len();
    }
}

fn gap(stamp_ns: i64, length_ns: i64) -> gst::Event {
    gst::event::Gap::builder(time(stamp_ns))
        .duration(time(length_ns))
        .build()
}

/// What is never negative, as GStreamer counts it.
pub fn time(ns: i64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(ns).unwrap_or(0))
}

/// A time of GStreamer's.
pub fn ns(time: Option<gst::ClockTime>) -> i64 {
    time.map_or(0, |time| i64::try_from(time.nseconds()).unwrap_or(i64::MAX))
}

/// The buffer of a sample; `zero` is the wall-clock time of the presentation's beginning.
pub fn buffer(bytes: Vec<u8>, sampled: &Sampled, zero: Option<UtcNs>) -> gst::Buffer {
    static UNIX_TIME: LazyLock<gst::Caps> =
        LazyLock::new(|| gst::Caps::new_empty_simple("timestamp/x-unix"));
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    if let Some(buffer) = buffer.get_mut() {
        let Stamps {
            pts_ns,
            dts_ns,
            end_ns,
        } = sampled.stamps;
        buffer.set_pts(time(pts_ns));
        buffer.set_dts(time(dts_ns));
        buffer.set_duration(time(end_ns - pts_ns));
        if !sampled.sample.is_entry {
            buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        if sampled.is_discontinuous {
            buffer.set_flags(gst::BufferFlags::DISCONT);
        }
        if let Some(zero) = zero {
            let utc = time((zero + sampled.presented_ns).0);
            let none = gst::ClockTime::NONE;
            gst::ReferenceTimestampMeta::add(buffer, &UNIX_TIME, utc, none);
        }
    }
    buffer
}

/// The wall-clock time of a buffer that was made here.
pub fn moment(buffer: &gst::Buffer) -> Option<UtcNs> {
    let meta = buffer.meta::<gst::ReferenceTimestampMeta>()?;
    i64::try_from(meta.timestamp().nseconds()).ok().map(UtcNs)
}

/// A reel and the tracks that play it.
pub struct Playing {
    /// What is played.
    pub reel: Arc<Reel>,
    /// Which part of it, and how.
    pub playback: Playback,
    /// Those that have a pad.
    pub tracks: Vec<Track>,
    /// What became of the buffers pushed last.
    pub flows: gst_base::UniqueFlowCombiner,
    /// An error was posted: there will be nothing more.
    pub has_failed: bool,
}

impl Playing {
    /// The track of a pad.
    pub fn track(&mut self, pad: &gst::Pad) -> Option<&mut Track> {
        self.tracks.iter_mut().find(|track| track.pad == *pad)
    }

    /// How far the tracks are that are played.
    pub fn position_ns(&self) -> i64 {
        let playing = self.tracks.iter().filter(|track| !track.is_unlinked);
        playing.map(|track| track.position_ns).max().unwrap_or(0)
    }

    /// Plays this from now on.
    pub fn play(&mut self, playback: Playback) {
        let (from_ns, _) = playback.range_ns();
        for track in &mut self.tracks {
            track.play(&self.reel, &playback, from_ns);
        }
        self.playback = playback;
        self.flows.reset();
        self.has_failed = false;
    }
}
