// SPDX-License-Identifier: MPL-2.0
//! From whole frames to segments: pictures go to the one that is being recorded, sound is held until
//! it is known which one it belongs to.

use crate::utc::UtcNs;

use super::super::caps::Kind;
use super::super::mp4::Frame;
use super::super::stamps::Step;
use super::super::stream::Stream;
use super::{NO_KEYFRAME, Recorder};

impl Recorder {
    pub(super) fn accept(&mut self, id: usize, mut frame: Frame, now_ns: i64) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        if stream.kind == Kind::Video {
            let made_do = stream.makes_do;
            if !stream.begins_with(&frame) {
                self.outbox.stats.dropped += 1;
                self.outbox.stats.awaiting_keyframe += 1;
                return;
            }
            if stream.makes_do && !made_do {
                self.outbox.warn(NO_KEYFRAME.to_owned());
            }
        }
        if frame.stamps.step != Step::Next && (frame.sync || frame.stamps.step == Step::Backward) {
            self.broken |= self.leads(id, now_ns);
        }
        if self.leads(id, now_ns) && self.begins(id, &frame) {
            let sound_takes_over = self.streams.get(id).is_some_and(|s| s.kind == Kind::Audio);
            if self.broken || sound_takes_over {
                self.release_before(UtcNs(frame.stamps.pts_ns), now_ns);
            }
            self.begin(&mut frame, now_ns);
        }
        self.deliver(id, frame, now_ns);
    }

    /// Gives a frame to the segment it belongs to. Sound that has no segment yet is held.
    pub(super) fn deliver(&mut self, id: usize, frame: Frame, now_ns: i64) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        if stream.kind == Kind::Audio {
            stream.hold(frame, &mut self.outbox);
            // A frame that begins a segment may be what others wait for, too.
            return self.release_all(now_ns);
        }
        if self.hand_over(id, frame, now_ns).is_err()
            && let Some(stream) = self.streams.get_mut(id)
        {
            // The segment it belongs to was given up; only a keyframe helps.
            stream.has_keyframe = false;
            self.outbox.stats.dropped += 1;
        }
        self.release_all(now_ns);
    }

    pub(super) fn hand_over(&mut self, id: usize, frame: Frame, now_ns: i64) -> Result<(), Frame> {
        let end = UtcNs(frame.stamps.end_ns());
        self.output.push(id, frame, now_ns, &mut self.outbox)?;
        if let (Some(current), Some(stream)) = (&mut self.current, self.streams.get(id)) {
            current.heard(stream.kind, end);
        }
        Ok(())
    }

    /// Hands over the sound that is held, as far as its segments are known.
    pub(super) fn release(&mut self, id: usize, now_ns: i64) {
        self.release_while(id, now_ns, |recorder, sound| {
            !recorder.runs_ahead(sound, now_ns)
        });
    }

    /// Pictures are missing before `border`: the sound up to there is the segment's that ends.
    pub(super) fn release_before(&mut self, border: UtcNs, now_ns: i64) {
        for id in 0..self.streams.len() {
            self.release_while(id, now_ns, |_, sound| sound.stamps.pts_ns < border.0);
        }
    }

    pub(super) fn release_while(
        &mut self,
        id: usize,
        now_ns: i64,
        wanted: impl Fn(&Self, &Frame) -> bool,
    ) {
        while let Some(stream) = self.streams.get(id)
            // The current segment may have a track for it, but of another configuration.
            && !stream.changed
            && let Some(first) = stream.held.front()
            && wanted(self, first)
        {
            let Some(frame) = self.streams.get_mut(id).and_then(Stream::take_held) else {
                return;
            };
            if let Err(frame) = self.hand_over(id, frame, now_ns) {
                if let Some(stream) = self.streams.get_mut(id) {
                    stream.put_back(frame);
                }
                return;
            }
        }
    }

    pub(super) fn release_all(&mut self, now_ns: i64) {
        let audio = |stream: &Stream| stream.kind == Kind::Audio && !stream.held.is_empty();
        for id in 0..self.streams.len() {
            if self.streams.get(id).is_some_and(audio) {
                self.release(id, now_ns);
            }
        }
    }
}
