// SPDX-License-Identifier: MPL-2.0
//! Whose clock times the frames, frame by frame: what [`arrival`](super::arrival) makes of a stamp,
//! what the [judge](super::clock_judge) makes of a reference time, and what the
//! [`Timeline`] learns of both.
//!
//! Streams that share their stamps share what is added to them: that of their pictures, or of the
//! first where there are none. Each stream has a judge of its own, since each has reports of its own. As long as one stream's
//! clock is believed, the others follow it; when none is, the machine's clock takes over, and that
//! is said once, with what the camera said.

use crate::utc::{SECOND_NS, UtcNs};

use super::arrival::{Arrival, Moved};
use super::caps::Kind;
use super::clock_judge::{Change, Fault, Judge, Reading, Verdict};
use super::notice::Outbox;
use super::recorder::{Incoming, Now};
use super::settings::{Settings, TimeSource};
use super::strays::Strays;
use super::timeline::{Source, Timeline};
use super::upstream::Upstream;

/// NTP seconds begin again at zero after so much time (RFC 5905 §6), in 2036 for the first time.
const ERA_NS: i64 = (1 << 32) * SECOND_NS;
/// A clock this near to the machine's is taken to be of the same era.
const SAME_ERA_NS: i64 = 86_400 * SECOND_NS;

/// The clocks of all streams.
#[derive(Debug)]
pub struct Clocks {
    time_source: TimeSource,
    /// How far a camera's clock may be from the machine's.
    limit_ns: Option<i64>,
    streams: Vec<StreamClock>,
}

#[derive(Debug)]
struct StreamClock {
    kind: Kind,
    upstream: Upstream,
    strays: Strays,
    arrival: Arrival,
    judge: Judge,
    /// Of the latest reference time; `None` before the first.
    verdict: Option<Verdict>,
}

/// What a buffer did to its stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed {
    /// By how much the frames move that are still held, of each stream that
    /// [shares](Clocks::shares) this one's stamps.
    pub held_ns: i64,
    /// This frame does not follow on the one before.
    pub jumped: bool,
    /// A camera's clock is on probation.
    pub on_probation: bool,
}

impl StreamClock {
    /// The latency of a live source whose stamps are another machine's.
    fn foreign_ns(&self) -> Option<i64> {
        self.upstream.latency_ns.filter(|_| self.upstream.foreign)
    }
}

impl Clocks {
    /// The clocks of no stream.
    pub fn new(settings: &Settings) -> Self {
        // Who asks for the camera's clock gets it, however far it is from the machine's.
        let limited = settings.time_source == TimeSource::Auto;
        Self {
            time_source: settings.time_source,
            limit_ns: Some(settings.max_clock_offset_ns).filter(|ns| limited && *ns > 0),
            streams: Vec::new(),
        }
    }

    /// A new stream, whose number is the next.
    pub fn add_stream(&mut self, kind: Kind) {
        let upstream = Upstream::default();
        self.streams.push(StreamClock {
            kind,
            upstream,
            strays: Strays::default(),
            arrival: Arrival::default(),
            judge: Judge::new(upstream.is_live(), self.limit_ns),
            verdict: None,
        });
    }

    /// What is known of a stream's source.
    pub fn set_source(&mut self, id: usize, upstream: Upstream) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        if stream.upstream.is_live() != upstream.is_live() {
            stream.judge = Judge::new(upstream.is_live(), self.limit_ns);
        }
        stream.upstream = upstream;
        stream.arrival.compare(stream.foreign_ns());
    }

    /// Whether a live source may still bring further streams.
    pub fn may_grow(&self) -> bool {
        let grows = |stream: &StreamClock| stream.upstream.is_live() && stream.upstream.grows;
        self.streams.iter().any(grows)
    }

    /// What is added to a stream's latest stamps.
    fn correction_ns(&self, id: usize) -> i64 {
        let stream = self.streams.get(self.leader(id));
        stream.map_or(0, |stream| stream.arrival.correction_ns())
    }

    /// A stamp of a stream with what is added to it.
    pub fn corrected_ns(&self, id: usize, stamp_ns: i64) -> i64 {
        let stream = self.streams.get(self.leader(id));
        let correction_ns = stream.map_or(0, |stream| stream.arrival.at(stamp_ns));
        stamp_ns.saturating_add(correction_ns)
    }

    /// Whether two streams share their stamps.
    pub fn shares(&self, id: usize, other: usize) -> bool {
        let demuxer = |id: usize| self.streams.get(id)?.upstream.demuxer;
        id == other || (demuxer(id).is_some() && demuxer(id) == demuxer(other))
    }

    /// The stream whose arrivals count for one that shares its stamps.
    fn leader(&self, id: usize) -> usize {
        let shared = || (0..self.streams.len()).filter(|other| self.shares(id, *other));
        let is_video = |id: &usize| {
            let stream = self.streams.get(*id);
            stream.is_some_and(|stream| stream.kind == Kind::Video)
        };
        shared().find(is_video).or(shared().next()).unwrap_or(id)
    }

    /// Why times come from where they do.
    pub fn reason(&self, timeline: &Timeline) -> String {
        let fault = || self.streams.iter().find_map(|stream| stream.judge.fault());
        let judged = |stream: &StreamClock| stream.verdict.is_some();
        match timeline.source() {
            Source::Reference => "reference timestamps".into(),
            Source::Clock if self.time_source == TimeSource::Clock => "asked for".into(),
            Source::Clock => match fault() {
                Some(fault) => format!("the camera's clock {fault}"),
                None if self.streams.iter().any(judged) => {
                    "the camera's clock is still being judged".into()
                }
                None => "no reference timestamps".into(),
            },
        }
    }

    /// Recording starts. Returns by how much the held frames of each stream move, so that streams
    /// of one source lie to each other as they arrived.
    pub fn start(&mut self) -> Vec<i64> {
        (0..self.streams.len()).map(|id| self.join(id)).collect()
    }

    /// Puts a stream to where others of its source are.
    fn join(&mut self, id: usize) -> i64 {
        let alone = |stream: &StreamClock| match stream.upstream.demuxer {
            Some(_) => None,
            None => stream.foreign_ns(),
        };
        let Some(latency_ns) = self.streams.get(id).and_then(alone) else {
            return 0;
        };
        let others = self.streams.iter().enumerate();
        let others =
            others.filter(|(other, stream)| *other != id && alone(stream) == Some(latency_ns));
        let least_ns = others
            .filter_map(|(_, other)| other.arrival.honest_ns())
            .min();
        let stream = self.streams.get_mut(id).zip(least_ns);
        stream.map_or(0, |(stream, least_ns)| stream.arrival.join(least_ns))
    }

    /// Takes a buffer: corrects its stamps, and tells the timeline what they mean. While frames
    /// are `held`, they can still be moved.
    pub fn observe(
        &mut self,
        id: usize,
        incoming: &mut Incoming,
        now: Now,
        held: bool,
        timeline: &mut Timeline,
        outbox: &mut Outbox,
    ) -> Observed {
        self.put_stray_back(id, incoming, now);
        let came_ns = incoming.raw.pts_ns.or(incoming.raw.dts_ns);
        let before_ns = self.correction_ns(id);
        let moved = came_ns
            .zip(now.running_ns)
            .map(|(stamp_ns, running_ns)| self.arrive(id, stamp_ns, running_ns, held));
        let moved = moved.unwrap_or_default();
        let correction_ns = self.correction_ns(id);
        for stamp in [&mut incoming.raw.pts_ns, &mut incoming.raw.dts_ns] {
            *stamp = stamp.map(|ns| self.corrected_ns(id, ns));
        }
        let stamp_ns = incoming.raw.pts_ns.or(incoming.raw.dts_ns);
        let Some(stream) = self.streams.get_mut(id) else {
            return Observed::default();
        };
        let reference = incoming
            .reference
            .filter(|_| self.time_source != TimeSource::Clock);
        let reading = came_ns.zip(reference).map(|(stamp_ns, camera)| Reading {
            camera: of_the_same_era(camera, now.utc),
            machine: now.utc,
            arrived_ns: now.running_ns.unwrap_or(now.monotonic_ns),
            stamp_ns,
        });
        let change = reading.and_then(|reading| {
            let (verdict, change) = stream.judge.judge(reading);
            stream.verdict = Some(verdict);
            change
        });
        let verdict = stream.verdict.filter(|_| reading.is_some());
        let camera = stamp_ns.zip(reading.map(|reading| reading.camera));
        tell(timeline, id, stamp_ns, now, verdict.zip(camera));
        if stream.verdict == Some(Verdict::Refuse) && !self.any_is_believed() {
            timeline.distrust();
        }
        if let Some(change) = change {
            self.say(id, &change, outbox);
        }
        Observed {
            held_ns: match held && !moved.jumped {
                true => correction_ns.saturating_sub(before_ns),
                false => 0,
            },
            jumped: moved.jumped,
            on_probation: verdict == Some(Verdict::Probation),
        }
    }

    /// A frame that is stamped hours away from its neighbours, by another machine.
    fn put_stray_back(&mut self, id: usize, incoming: &mut Incoming, now: Now) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let stamp_ns = incoming
            .raw
            .pts_ns
            .filter(|_| stream.foreign_ns().is_some());
        let seen = stamp_ns.zip(now.running_ns);
        let replaced = seen.and_then(|(stamp_ns, ns)| stream.strays.replaced(stamp_ns, ns));
        if let Some(stamp_ns) = replaced {
            incoming.raw.pts_ns = Some(stamp_ns);
            incoming.raw.dts_ns = None;
            incoming.reference = None;
        }
    }

    /// Compares a frame's stamp with its arrival.
    fn arrive(&mut self, id: usize, stamp_ns: i64, running_ns: i64, held: bool) -> Moved {
        if self.leader(id) != id {
            return Moved::default();
        }
        let Some(stream) = self.streams.get_mut(id) else {
            return Moved::default();
        };
        let begins = stream.arrival.honest_ns().is_none();
        let moved = stream.arrival.observe(stamp_ns, running_ns, held);
        if begins && !held {
            self.join(id);
        }
        moved
    }

    fn any_is_believed(&self) -> bool {
        let believed = |stream: &StreamClock| {
            matches!(stream.verdict, Some(Verdict::Believe | Verdict::Doubt))
        };
        self.streams.iter().any(believed)
    }

    /// Says what changed, unless it was said of another stream of the same camera.
    fn say(&self, id: usize, change: &Change, outbox: &mut Outbox) {
        let others = || {
            let others = self.streams.iter().enumerate();
            others.filter(|(other, _)| *other != id)
        };
        match change {
            Change::Refused(fault) => {
                let like = |known: &Fault| known.is_like(fault);
                if !others().any(|(_, other)| other.judge.fault().is_some_and(like)) {
                    outbox.warn(format!(
                        "the camera's clock {fault}: times are this machine's until it is sane"
                    ));
                }
            }
            Change::Restored => {
                let back = |verdict: Option<Verdict>| verdict == Some(Verdict::Believe);
                if !others().any(|(_, other)| back(other.verdict)) {
                    outbox.inform("the camera's clock is sane, and times are its own again".into());
                }
            }
        }
    }
}

/// Tells the timeline of a buffer's time: the machine's, and the camera's as far as it is believed.
fn tell(
    timeline: &mut Timeline,
    id: usize,
    stamp_ns: Option<i64>,
    now: Now,
    camera: Option<(Verdict, (i64, UtcNs))>,
) {
    let is_first = timeline.is_empty();
    // Where the very first frame has a reference time, no clock comes before it: what waits for
    // the start would keep its time.
    if let Some((Verdict::Believe, (stamp_ns, utc))) = camera
        && is_first
    {
        timeline.observe_reference(id, stamp_ns, utc);
    }
    match now.running_ns.or(stamp_ns) {
        // Without a pipeline clock only the first frame ties running time to UTC.
        Some(running_ns) if now.running_ns.is_some() || is_first => {
            timeline.observe_clock(running_ns, now.utc);
        }
        _ => {}
    }
    match camera {
        Some((Verdict::Believe, (stamp_ns, utc))) => timeline.observe_reference(id, stamp_ns, utc),
        Some((Verdict::Probation, (stamp_ns, utc))) => {
            timeline.observe_probation(id, stamp_ns, utc);
        }
        Some((Verdict::Doubt | Verdict::Refuse, _)) => timeline.without_reference(id),
        None => {}
    }
}

/// The time that NTP means whose seconds began again at zero.
fn of_the_same_era(camera: UtcNs, machine: UtcNs) -> UtcNs {
    let later = camera + ERA_NS;
    match (later - machine).saturating_abs() < SAME_ERA_NS {
        true => later,
        false => camera,
    }
}

#[cfg(test)]
mod tests;
