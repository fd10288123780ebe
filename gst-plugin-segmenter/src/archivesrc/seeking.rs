// SPDX-License-Identifier: MPL-2.0
//! Seeks, and pads that are linked late.
//!
//! What is asked for is in the time of the presentation. The tasks rest while it changes what is
//! played; [`ArchiveSrc::control`] keeps two of these apart, and from start and stop.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::imp::{ArchiveSrc, CAT, lock};
use super::presentation::Snap;
use super::reel::Reel;
use super::track::{Playback, ns, time};

/// What a seek asks for.
struct Seek {
    rate: f64,
    flags: gst::SeekFlags,
    start: (gst::SeekType, Option<gst::ClockTime>),
    stop: (gst::SeekType, Option<gst::ClockTime>),
    seqnum: gst::Seqnum,
}

impl Seek {
    /// What an event asks for, or why it cannot be had.
    fn parse(event: &gst::event::Seek) -> Result<Self, &'static str> {
        let (rate, flags, start_type, start, stop_type, stop) = event.get();
        let clock_time = |value: gst::GenericFormattedValue| match value {
            gst::GenericFormattedValue::Time(time) => Ok(time),
            _ => Err("only seeks in time are possible"),
        };
        if rate <= 0.0 {
            return Err("playing backwards is not possible");
        }
        if flags.contains(gst::SeekFlags::INSTANT_RATE_CHANGE) {
            return Err("the rate changes with a seek only");
        }
        Ok(Self {
            rate,
            flags,
            start: (start_type, clock_time(start)?),
            stop: (stop_type, clock_time(stop)?),
            seqnum: event.seqnum(),
        })
    }

    fn flushes(&self) -> bool {
        self.flags.contains(gst::SeekFlags::FLUSH)
    }

    /// What is to be played, after what is played now and has come to `position_ns`.
    fn playback(&self, reel: &Reel, now: &Playback, position_ns: i64) -> Option<Playback> {
        let mut segment = now.segment.clone();
        let (_, stop_ns) = now.range_ns();
        segment.set_position(time(position_ns.min(stop_ns)));
        let (start_type, start) = self.start;
        let (stop_type, stop) = self.stop;
        segment.do_seek(self.rate, self.flags, start_type, start, stop_type, stop)?;
        let duration = time(reel.presentation.duration_ns);
        segment.set_stop(segment.stop().unwrap_or(duration).min(duration));
        if let Some(snap) = self.snap() {
            let start = time(snapped_ns(reel, ns(segment.start()), snap));
            segment.set_start(start);
            segment.set_time(start);
            segment.set_position(start);
        }
        (segment.start() <= segment.stop()).then_some(Playback {
            segment,
            seqnum: self.seqnum,
        })
    }

    fn snap(&self) -> Option<Snap> {
        let has = |flag| self.flags.contains(flag);
        has(gst::SeekFlags::KEY_UNIT).then(|| {
            match (
                has(gst::SeekFlags::SNAP_BEFORE),
                has(gst::SeekFlags::SNAP_AFTER),
            ) {
                (true, true) => Snap::Nearest,
                (false, true) => Snap::After,
                _ => Snap::Before,
            }
        })
    }
}

fn snapped_ns(reel: &Reel, at_ns: i64, snap: Snap) -> i64 {
    let mut tracks = reel.tracks().iter().enumerate();
    let pictures = tracks.find(|(_, track)| track.is_video);
    let snapped = pictures
        .and_then(|(number, track)| reel.presentation.entry_near(track, number, at_ns, snap));
    snapped.unwrap_or(at_ns)
}

impl ArchiveSrc {
    /// Does what a seek asks for.
    pub(super) fn seek(&self, event: &gst::event::Seek) -> bool {
        let seek = match Seek::parse(event) {
            Ok(seek) => seek,
            Err(reason) => {
                gst::info!(CAT, imp = self, "{reason}: {event:?}");
                return false;
            }
        };
        let _control = self.control.lock();
        let pads = {
            let state = lock(&self.state);
            let Some(playing) = state.playing.as_ref() else {
                return false;
            };
            if playing.playback.seqnum == seek.seqnum {
                // It came by another pad, too.
                return true;
            }
            let position_ns = playing.position_ns();
            if seek
                .playback(&playing.reel, &playing.playback, position_ns)
                .is_none()
            {
                return false;
            }
            let pads = playing.tracks.iter();
            pads.map(|track| (track.pad.clone(), track.task.clone(), track.lock.clone()))
                .collect::<Vec<_>>()
        };
        if seek.flushes() {
            for (pad, ..) in &pads {
                pad.push_event(
                    gst::event::FlushStart::builder()
                        .seqnum(seek.seqnum)
                        .build(),
                );
            }
        }
        for (_, task, _) in &pads {
            let _ = task.pause();
        }
        // No task does anything while its lock is held.
        let _resting: Vec<_> = pads.iter().map(|(.., lock)| lock.lock()).collect();
        if let Some(playing) = lock(&self.state).playing.as_mut() {
            let position_ns = playing.position_ns();
            let playback = seek.playback(&playing.reel, &playing.playback, position_ns);
            if let Some(playback) = playback {
                gst::debug!(CAT, imp = self, "playing {:?}", playback.segment);
                playing.play(playback);
            }
        }
        for (pad, task, _) in &pads {
            if seek.flushes() {
                let event = gst::event::FlushStop::builder(true).seqnum(seek.seqnum);
                pad.push_event(event.build());
            }
            let _ = task.start();
        }
        true
    }

    /// A pad was linked: if it had been given up, it goes on where the others are.
    pub(super) fn resume(&self, pad: &gst::Pad) {
        let _control = self.control.lock();
        let mut state = lock(&self.state);
        let Some(playing) = state.playing.as_mut() else {
            return;
        };
        let (reel, playback) = (playing.reel.clone(), playing.playback.clone());
        let position_ns = playing.position_ns();
        let Some(track) = playing.track(pad).filter(|track| track.is_unlinked) else {
            return;
        };
        track.play(&reel, &playback, position_ns);
        let task = track.task.clone();
        drop(state);
        let _ = task.start();
    }
}
