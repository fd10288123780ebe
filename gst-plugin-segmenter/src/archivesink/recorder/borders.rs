// SPDX-License-Identifier: MPL-2.0
//! Where one segment ends and the next begins: which stream decides, which frame it is, what the
//! new segment holds, and what the one before it is called.

use crate::archive::Kind as SegmentKind;
use crate::media::{SegmentMark, TimeSource as MarkSource};
use crate::utc::{HOUR_NS, UtcNs};

use super::super::caps::Kind;
use super::super::mp4::Frame;
use super::super::segments::{Ending, GRACE_NS, Plan, PlannedTrack};
use super::super::settings::Container;
use super::super::stream::Stream;
use super::super::timeline::{Source, Timeline};
use super::{Current, Recorder};

/// How much longer an hour's segment is for the sake of a better place to end it at.
const LATE_NS: i64 = 60_000_000_000;

impl Recorder {
    /// Sound past the wanted end of the segment, and past its pictures so far, may belong to the
    /// next one: the keyframe decides.
    pub(super) fn runs_ahead(&self, sound: &Frame, now_ns: i64) -> bool {
        let Some(current) = self.current else {
            return false;
        };
        let pts = UtcNs(sound.stamps.pts_ns);
        let pictures_lead = self.pictures_lead(now_ns);
        pictures_lead && pts >= current.due && current.pictures_end.is_some_and(|end| pts >= end)
    }

    /// Whether a stream decides where segments begin.
    pub(super) fn leads(&self, id: usize, now_ns: i64) -> bool {
        let Some(stream) = self.streams.get(id) else {
            return false;
        };
        if stream.kind == Kind::Video {
            return true;
        }
        let sound = |stream: &Stream| stream.kind == Kind::Audio && stream.expected(now_ns);
        !self.pictures_lead(now_ns) && self.streams.iter().position(sound) == Some(id)
    }

    pub(super) fn pictures_lead(&self, now_ns: i64) -> bool {
        let pictures = |stream: &Stream| stream.kind == Kind::Video && stream.expected(now_ns);
        self.streams.iter().any(pictures)
    }

    pub(super) fn begins(&self, id: usize, frame: &Frame) -> bool {
        let Some(stream) = self.streams.get(id) else {
            return false;
        };
        let Some(current) = self.current.filter(|_| self.output.recording()) else {
            return frame.sync || (stream.makes_do && frame.is_makeshift);
        };
        let is_border = frame.sync || (stream.makes_do && frame.is_makeshift);
        if !is_border {
            // A stream without keyframes (intra refresh) must end a segment somewhere.
            let lasts_ns = UtcNs(frame.stamps.pts_ns) - current.start;
            let most_ns = match frame.is_makeshift {
                true => HOUR_NS,
                false => HOUR_NS + LATE_NS,
            };
            return lasts_ns >= most_ns;
        }
        let pictures_come = stream.kind == Kind::Video && current.pictures_end.is_none();
        let waits = |stream: &Stream| stream.changed && stream.live();
        // The last sound mostly ends a little after the last picture: no segment of its own.
        let pts = UtcNs(frame.stamps.pts_ns);
        let trails = stream.kind == Kind::Audio
            && current
                .pictures_end
                .is_some_and(|pictures_end| pts - pictures_end < GRACE_NS);
        // Half a frame early is nearer than a frame late.
        let nearly_ns = frame.stamps.duration_ns / 2;
        self.broken
            || pictures_come
            || self.timeline.step_pending()
            || self.streams.iter().any(waits)
            || (!trails && frame.stamps.pts_ns.saturating_add(nearly_ns) >= current.due.0)
    }

    /// Begins a segment with this frame.
    pub(super) fn begin(&mut self, frame: &mut Frame, now_ns: i64) {
        let previous = match self.broken {
            true => self.ending_where_heard(),
            false => self.ending_at(UtcNs(frame.stamps.pts_ns)),
        };
        let jump_ns = self.timeline.take_step().unwrap_or(0);
        let corrects = self.timeline.source() == Source::Reference && self.correct(jump_ns);
        frame.stamps.shift(jump_ns);
        for stream in &mut self.streams {
            stream.shift(jump_ns);
        }
        let mark = SegmentMark {
            origin: UtcNs(frame.stamps.pts_ns),
            discontinuity: self.broken || (Timeline::is_discontinuity(jump_ns) && !corrects),
            time_source: match self.timeline.source() {
                Source::Reference => MarkSource::Reference,
                Source::Clock => MarkSource::Clock,
            },
            run: self.run,
            sequence: self.sequence,
        };
        let tracks = self.tracks(now_ns);
        for (id, stream) in self.streams.iter_mut().enumerate() {
            stream.included = tracks.iter().any(|track| track.stream == id);
            stream.changed = false;
        }
        let leads_with_pictures = tracks.iter().any(|track| track.kind == Kind::Video);
        let plan = Plan {
            mark,
            kind: match frame.sync || !leads_with_pictures {
                true => SegmentKind::Full,
                false => SegmentKind::Suspect,
            },
            jump_ns,
            tracks,
        };
        self.output.begin(plan, previous, now_ns, &mut self.outbox);
        self.sequence = self.sequence.wrapping_add(1);
        self.broken = false;
        let due = self.due(mark.origin);
        self.current = Some(Current {
            start: mark.origin,
            due,
            pictures_end: None,
            sound_end: None,
        });
        // A picture half a frame early would do, see `begins`.
        let earliest = due - frame.stamps.duration_ns / 2;
        self.ask_for_keyframe(self.timeline.running_ns(earliest));
    }

    /// The streams that the next segment holds. A track without a frame is left out where it would
    /// trouble a decoder: pictures anywhere, sound in a transport stream.
    fn tracks(&self, now_ns: i64) -> Vec<PlannedTrack> {
        let has_frames = |stream: &Stream| match (stream.kind, self.settings.container) {
            (Kind::Video, _) => stream.expected(now_ns),
            (Kind::Audio, Container::Mp4) => stream.live(),
            (Kind::Audio, Container::MpegTs) => {
                stream.live() && stream.heard_within(GRACE_NS, now_ns)
            }
        };
        // What is held comes, even if it is the last of its stream.
        let held =
            |stream: &Stream| !stream.held.is_empty() || stream.waiting > 0 || has_frames(stream);
        let live = self
            .streams
            .iter()
            .enumerate()
            .filter(|(_, stream)| held(stream));
        live.filter_map(|(id, stream)| {
            Some(PlannedTrack {
                stream: id,
                kind: stream.kind,
                track: stream.track.clone(),
                caps: stream.caps.clone()?,
                changed: stream.changed,
            })
        })
        .collect()
    }

    /// When the segment that starts at `start` wants to end.
    fn due(&self, start: UtcNs) -> UtcNs {
        let target_ns = self.settings.target_duration_ns;
        if !self.settings.align {
            return start + target_ns;
        }
        let next_ns = target_ns - start.0.rem_euclid(target_ns);
        // A segment much shorter than the target helps nobody.
        start
            + if next_ns * 2 < target_ns {
                next_ns + target_ns
            } else {
                next_ns
            }
    }

    /// The current segment ends where the next one starts. The name's duration is made of whole
    /// microseconds, as its start is, so that neighbours meet exactly.
    fn ending_at(&self, end: UtcNs) -> Option<Ending> {
        let current = self.current?;
        let microseconds = |time: UtcNs| time.0.div_euclid(1_000);
        let duration_ns = (microseconds(end) - microseconds(current.start)).max(0) * 1_000;
        Some(Ending { end, duration_ns })
    }

    /// The current segment ends where its pictures do, or its sound if it has none or the sound
    /// went on without them.
    pub(super) fn ending_where_heard(&self) -> Option<Ending> {
        let current = self.current?;
        let went_on = |pictures: &UtcNs| {
            current
                .sound_end
                .is_none_or(|sound| sound - *pictures < GRACE_NS)
        };
        let pictures_end = current.pictures_end.filter(went_on);
        self.ending_at(pictures_end.or(current.sound_end)?)
    }

    /// The camera's clock is known: what was recorded so far is to be moved. False if nothing is.
    fn correct(&mut self, jump_ns: i64) -> bool {
        let provisional = self
            .provisional
            .as_mut()
            .filter(|each| each.shift_ns.is_none());
        provisional
            .map(|provisional| provisional.shift_ns = Some(jump_ns))
            .is_some()
    }
}
