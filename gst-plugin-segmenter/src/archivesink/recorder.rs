// SPDX-License-Identifier: MPL-2.0
//! The heart of `archivesink`: which frame goes into which segment.
//!
//! A segment begins with a keyframe of the pictures, or, where there are none or they have been
//! silent for [`SILENCE_NS`], with any frame of the first track of sound. It begins when the one
//! before has its target duration (or the next multiple of it, when aligned), and at once when
//! the two cannot be one: another configuration, a clock that was set, time that is missing or
//! runs backward, a track that came later.
//!
//! At the start frames wait, so that the first segment has all tracks ([`starting`]). Later a track
//! that is new waits for the next segment.
//!
//! Not thread-safe and without GStreamer's objects but buffers: the element locks it, hands it
//! buffers and the time, and afterwards carries out what the [`Outbox`] holds.

mod borders;
mod delivering;
mod starting;
mod waiting;

use crate::media::Orientation;
use crate::utc::UtcNs;

use super::caps::{self, CapsError, Kind};
use super::clocks::Clocks;
use super::incomplete;
use super::mp4::Frame;
use super::notice::{Notice, Outbox};
use super::output::Output;
use super::provisional::Provisional;
use super::segments::Progress;
use super::settings::{Container, Settings, TimeSource};
use super::stamps::RawStamps;
use super::stream::{Change, Stream};
use super::timeline::Timeline;
use super::upstream::Upstream;

/// What is said of a stream that makes do.
const NO_KEYFRAME: &str = "in 10 s of the video decoding could begin nowhere (no IDR picture, no \
    recovery point), so its segments begin at other pictures and are of type suspect; set the \
    encoder to send a keyframe every two seconds";

/// A buffer as it came from a pad.
#[derive(Debug)]
pub struct Incoming {
    /// The encoded bytes.
    pub buffer: gst::Buffer,
    /// Its times: in running time, and in UTC once the recorder has them.
    pub raw: RawStamps,
    /// Decodes without the frames before it.
    pub sync: bool,
    /// Decoding can begin here if need be: what is shown is wrong for a while, or may be.
    pub is_makeshift: bool,
    /// When it was captured, by the source's own clock.
    pub reference: Option<UtcNs>,
}

/// The time, as the element sees it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Running time of the pipeline; `None` without a clock.
    pub running_ns: Option<i64>,
    /// The machine's wall clock, read together with it.
    pub utc: UtcNs,
    /// A clock that nobody sets.
    pub monotonic_ns: i64,
}

/// Decides which frame goes into which segment.
#[derive(Debug)]
pub struct Recorder {
    settings: Settings,
    timeline: Timeline,
    /// What the timeline learns of each stream.
    clocks: Clocks,
    streams: Vec<Stream>,
    output: Output,
    /// Start and wanted end of the segment being recorded.
    current: Option<Current>,
    /// When the first frame came, until recording starts; on the monotonic clock.
    waiting_since_ns: Option<i64>,
    started: bool,
    /// The segment that begins next does not follow on the one before.
    broken: bool,
    /// Segments that are not told of yet, since the camera's clock may move them.
    provisional: Option<Provisional>,
    run: [u8; 16],
    sequence: u32,
    /// What to do once no lock is held.
    pub outbox: Outbox,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    start: UtcNs,
    due: UtcNs,
    /// Where its pictures end so far; `None` while it has none.
    pictures_end: Option<UtcNs>,
    /// Where its sound ends so far.
    sound_end: Option<UtcNs>,
}

impl Current {
    fn heard(&mut self, kind: Kind, end: UtcNs) {
        let so_far = match kind {
            Kind::Video => &mut self.pictures_end,
            Kind::Audio => &mut self.sound_end,
        };
        *so_far = Some(so_far.map_or(end, |so_far| so_far.max(end)));
    }
}

impl Recorder {
    /// A recorder of one run.
    pub fn new(settings: Settings, output: Output, run: [u8; 16]) -> Self {
        Self {
            clocks: Clocks::new(&settings),
            settings,
            timeline: Timeline::default(),
            streams: Vec::new(),
            output,
            current: None,
            waiting_since_ns: None,
            started: false,
            broken: true,
            provisional: None,
            run,
            sequence: 0,
            outbox: Outbox::default(),
        }
    }

    /// A new pad; returns its number.
    pub fn add_stream(&mut self, kind: Kind) -> usize {
        self.streams.push(Stream::new(kind));
        self.clocks.add_stream(kind);
        self.streams.len() - 1
    }

    /// The mapping from running time to UTC.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Takes a stream's caps. A configuration that differs makes a new segment.
    ///
    /// # Errors
    /// What is missing in the caps, and which element sets it.
    pub fn set_caps(&mut self, id: usize, new: &gst::Caps, now: Now) -> Result<(), CapsError> {
        if self.settings.container == Container::Mp4 && incomplete::lacks_configuration(new) {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.incomplete = Some(new.clone());
            }
            return Ok(());
        }
        let mut track = match self.settings.container {
            Container::Mp4 => Some(caps::track(new)?),
            Container::MpegTs => None,
        };
        self.complete(id, now);
        let Some(stream) = self.streams.get_mut(id) else {
            return Ok(());
        };
        if let Some(track) = &mut track {
            track.codec.turn(stream.orientation);
        }
        if !self.started && stream.outdates_held(new, track.as_ref()) {
            // What waits belongs to the configuration so far, and so does the first segment.
            self.start(now.monotonic_ns);
        }
        let Some(stream) = self.streams.get_mut(id) else {
            return Ok(());
        };
        let first = stream.caps.is_none();
        let change = stream.configure(new, track);
        if change != Change::None {
            // Frames of another configuration do not decode from the old one's keyframes.
            stream.has_keyframe &= change == Change::Sets;
            stream.changed = self.started || !first;
            if self.started && stream.kind == Kind::Audio {
                self.ask_for_keyframe(None);
            }
        }
        Ok(())
    }

    /// Why times come from where they do.
    pub fn time_source_reason(&self) -> String {
        self.clocks.reason(&self.timeline)
    }

    /// What is known of a stream's source.
    pub fn set_source(&mut self, id: usize, upstream: Upstream) {
        self.clocks.set_source(id, upstream);
        if upstream.sends_reference_times {
            self.expect_reference();
        }
    }

    /// The pictures of a stream are turned from now on. MPEG-TS has no place for it.
    pub fn turn(&mut self, id: usize, to: Orientation, now: Now) {
        let Some(stream) = self
            .streams
            .get_mut(id)
            .filter(|each| each.orientation != to)
        else {
            return;
        };
        stream.orientation = to;
        if let Some(caps) = stream.caps.clone().filter(|_| stream.track.is_some())
            && let Err(error) = self.set_caps(id, &caps, now)
        {
            self.outbox.warn(error.to_string());
        }
    }

    /// Upstream will give frames reference times, though not from the first one on.
    fn expect_reference(&mut self) {
        if self.settings.time_source != TimeSource::Clock && !self.started {
            self.provisional.get_or_insert_default();
        }
    }

    /// Takes a buffer.
    pub fn push(&mut self, id: usize, mut incoming: Incoming, now: Now) {
        match self
            .streams
            .get_mut(id)
            .and_then(|stream| stream.prepare(&mut incoming))
        {
            Some(Some(caps)) => {
                if let Err(error) = self.set_caps(id, &caps, now) {
                    self.outbox.warn(error.to_string());
                }
            }
            Some(None) => {}
            None => {
                self.outbox.stats.dropped += 1;
                if incoming.sync {
                    self.outbox.warn_once(format!(
                        "frames of stream {id} are left out: neither its caps nor its keyframes \
                         say how to decode it; put a parser before archivesink"
                    ));
                }
                return;
            }
        }
        self.observe(id, &mut incoming, now);
        // The camera's clock may have moved before it is known what goes on with it.
        incoming.raw = self.in_utc(id, incoming.raw);
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        stream.heard_at_ns = Some(now.monotonic_ns);
        match stream.units.push(incoming, now.monotonic_ns) {
            Some(picture) => self.take(id, picture, now),
            None => self.tick(now.monotonic_ns),
        }
    }

    /// Takes a whole frame.
    fn take(&mut self, id: usize, incoming: Incoming, now: Now) {
        let Some(frame) = self.frame(id, incoming, now) else {
            self.outbox.stats.dropped += 1;
            return;
        };
        if let Some(stream) = self.streams.get_mut(id) {
            if !self.started {
                stream.hold(frame, &mut self.outbox);
                self.waiting_since_ns.get_or_insert(now.monotonic_ns);
                return self.tick(now.monotonic_ns);
            }
            if !stream.included && !stream.changed {
                // It was left out, being silent, and is back.
                stream.changed = true;
                self.ask_for_keyframe(None);
            }
        }
        self.accept(id, frame, now.monotonic_ns);
        self.settle(now.monotonic_ns);
    }

    /// Whether the source is to wait, outside of all locks, until it is no longer so.
    pub fn congested(&self) -> bool {
        self.output.congested()
    }

    /// The end of a stream, or of its pad.
    pub fn end(&mut self, id: usize, now: Now) {
        self.complete(id, now);
        if let Some(stream) = self.streams.get_mut(id) {
            stream.ended = true;
        }
        self.tick(now.monotonic_ns);
    }

    /// A stream that ended goes on after all (its pad was flushed); nothing follows on.
    pub fn resume(&mut self, id: usize) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.ended = false;
            // What was torn by the flush stays so.
            stream.units.take();
            stream.has_keyframe = false;
            self.broken = true;
        }
    }

    /// Does what is due by now, also with frames that wait for what may go on with them.
    pub fn tick_all(&mut self, now: Now) {
        self.complete_overdue(now);
        self.tick(now.monotonic_ns);
    }

    /// Does what is due by now: starts, writes chunks, closes segments.
    fn tick(&mut self, now_ns: i64) {
        if !self.started && self.ready(now_ns) {
            self.start(now_ns);
        }
        if self.started {
            self.settle(now_ns);
        }
    }

    /// Every stream has ended: closes everything.
    pub fn finish(&mut self, now: Now) {
        for id in 0..self.streams.len() {
            self.complete(id, now);
        }
        let now_ns = now.monotonic_ns;
        if !self.started {
            self.start(now_ns);
        }
        for stream in &mut self.streams {
            stream.ended = true;
        }
        self.release_all(now_ns);
        let ending = self.ending_where_heard();
        self.output.finish(ending, now_ns, &mut self.outbox);
        if let Some(mut provisional) = self.provisional.take() {
            provisional.hold(i64::MAX, &mut self.outbox.notices);
        }
        self.current = None;
    }

    /// A stream says that it has nothing up to this running time.
    pub fn gap(&mut self, id: usize, running_end_ns: i64, now: Now) {
        self.complete(id, now);
        let end_ns = self.clocks.corrected_ns(id, running_end_ns);
        if let Some(utc) = self.timeline.utc(id, end_ns)
            && let Some(stream) = self.streams.get_mut(id)
        {
            stream.stamper.silent_until(utc.0);
        }
        self.tick(now.monotonic_ns);
    }

    /// Takes what a buffer says of time.
    fn observe(&mut self, id: usize, incoming: &mut Incoming, now: Now) {
        let stepping = self.timeline.step_pending();
        let held = !self.started;
        let (timeline, outbox) = (&mut self.timeline, &mut self.outbox);
        let observed = self
            .clocks
            .observe(id, incoming, now, held, timeline, outbox);
        if observed.held_ns != 0 {
            let streams = self.streams.iter_mut().enumerate();
            let moved = streams.filter(|(other, _)| self.clocks.shares(id, *other));
            moved.for_each(|(_, stream)| stream.shift(observed.held_ns));
        }
        if observed.on_probation {
            self.expect_reference();
        }
        if let Some(provisional) = &mut self.provisional {
            provisional.on_probation = observed.on_probation;
        }
        self.broken |= observed.jumped;
        if observed.jumped || (self.timeline.step_pending() && !stepping) {
            self.ask_for_keyframe(None);
        }
    }

    /// Times in UTC.
    fn in_utc(&self, id: usize, raw: RawStamps) -> RawStamps {
        let on_axis = |ns: Option<i64>| Some(self.timeline.utc(id, ns?)?.0);
        RawStamps {
            pts_ns: on_axis(raw.pts_ns),
            dts_ns: on_axis(raw.dts_ns),
            duration_ns: raw.duration_ns,
        }
    }

    /// The frame, with its times repaired.
    fn frame(&mut self, id: usize, incoming: Incoming, now: Now) -> Option<Frame> {
        let now_ns = now.running_ns.and_then(|ns| self.timeline.utc(id, ns));
        let now_ns = now_ns.unwrap_or(now.utc).0;
        let stream = self.streams.get_mut(id)?;
        let stamps = stream.stamper.repair(incoming.raw, now_ns);
        Some(Frame {
            sync: incoming.sync,
            is_makeshift: incoming.is_makeshift,
            buffer: stream.with_new_sets(incoming.buffer, incoming.sync),
            stamps,
        })
    }

    /// Asks for a keyframe at a running time, or at once.
    fn ask_for_keyframe(&mut self, running_ns: Option<i64>) {
        self.outbox.notices.push(Notice::KeyframeAt(running_ns));
    }

    fn settle(&mut self, now_ns: i64) {
        let progress: Vec<Progress> = self.streams.iter().map(Stream::progress).collect();
        self.output.settle(&progress, now_ns, &mut self.outbox);
        if let Some(provisional) = &mut self.provisional
            && provisional.hold(now_ns, &mut self.outbox.notices)
        {
            self.provisional = None;
        }
    }
}
