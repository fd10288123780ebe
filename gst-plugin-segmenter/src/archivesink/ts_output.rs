// SPDX-License-Identifier: MPL-2.0
//! The MPEG-TS segments: one muxer, and the files its packets are dealt out to.
//!
//! The recorder's decisions go into the muxer with the frames ([`Muxer::border`]) and come out of
//! it between two packets, on the muxer's own thread; there one file ends and the next begins.
//! Since the muxer orders all tracks by time, no segment ever waits for its sound: it is complete
//! when the border comes out. Where the tracks change or time runs backward, the muxer is drained
//! and a new one started. A clock that is set only names the files anew: the stream's own times go
//! on.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::archive::Kind as SegmentKind;
use crate::media::SegmentMark;
use crate::utc::UtcNs;

use super::caps::Kind;
use super::continuity::Continuity;
use super::growing::{Growing, Place};
use super::health::Health;
use super::imp::monotonic_ns;
use super::mp4::Frame;
use super::mpegts::{Muxer, SOUND_BORDER};
use super::notice::Outbox;
use super::segments::{
    Ending, GRACE_NS, MOST_WAITING_BYTES, MOST_WAITING_NS, Plan, PlannedTrack, Progress,
};
use super::stamps::BACKWARD_JUMP_NS;

/// How long draining a muxer may take, in real time, before its last packets are given up.
const DRAIN: Duration = Duration::from_secs(5);

/// Packets of this many bytes are written however short they have waited.
const CHUNK_BYTES: usize = 1 << 20;

/// The muxer and the files.
#[derive(Debug)]
pub struct TsOutput {
    muxer: Option<Muxer>,
    tracks: Vec<PlannedTrack>,
    /// UTC up to which any track went into the muxer.
    pushed: UtcNs,
    /// By how much the clock stepped since the first segment, in nanoseconds: the stream's own
    /// times go on as if it had not.
    stepped_ns: i64,
    recording: bool,
    files: Arc<Files>,
}

/// The side of the muxer's thread.
#[derive(Debug)]
struct Files {
    state: Mutex<FilesState>,
    ended: Condvar,
}

#[derive(Debug)]
struct FilesState {
    place: Arc<Place>,
    chunk_duration_ns: i64,
    /// Borders that are in the muxer.
    borders: VecDeque<Border>,
    current: Option<TsFile>,
    /// Files that are complete, but for what the disk has not taken yet; oldest first.
    closing: VecDeque<(TsFile, Option<Ending>)>,
    health: Health,
    outbox: Outbox,
    continuity: Continuity,
    /// What a new muxer gave before the first border, until that is crossed: sound from before the
    /// first keyframe, which belongs to the segment that begins there.
    early: Option<Vec<u8>>,
    ended: bool,
}

/// The end of one segment and the start of the next.
#[derive(Debug)]
struct Border {
    mark: SegmentMark,
    kind: SegmentKind,
    /// The ending of the segment before.
    previous: Option<Ending>,
}

#[derive(Debug)]
struct TsFile {
    growing: Growing,
    mark: SegmentMark,
    kind: SegmentKind,
    waiting: Vec<u8>,
    waiting_since_ns: i64,
    /// Times of its first and its latest packets, on the muxer's own clock.
    span: Option<(gst::ClockTime, gst::ClockTime)>,
    /// How much of it is on disk, in nanoseconds.
    written_ns: i64,
}

impl TsOutput {
    /// An output with nothing open.
    pub fn new(place: Arc<Place>, chunk_duration_ns: i64) -> Self {
        let state = FilesState {
            place,
            chunk_duration_ns,
            borders: VecDeque::new(),
            current: None,
            closing: VecDeque::new(),
            health: Health::default(),
            outbox: Outbox::default(),
            continuity: Continuity::new(),
            early: None,
            ended: false,
        };
        let files = Files {
            state: Mutex::new(state),
            ended: Condvar::new(),
        };
        Self {
            muxer: None,
            tracks: Vec::new(),
            pushed: UtcNs(i64::MIN),
            stepped_ns: 0,
            recording: false,
            files: Arc::new(files),
        }
    }

    /// Whether a segment is being recorded.
    pub fn recording(&self) -> bool {
        self.recording
    }

    /// Ends the segment being recorded, if one is, and begins another.
    pub fn begin(
        &mut self,
        plan: Plan,
        previous: Option<Ending>,
        now_ns: i64,
        outbox: &mut Outbox,
    ) {
        self.stepped_ns = self.stepped_ns.saturating_add(plan.jump_ns);
        self.pushed = self.pushed + plan.jump_ns;
        let backward = self.pushed - plan.mark.origin > BACKWARD_JUMP_NS;
        let goes_on = !backward
            && self
                .muxer
                .as_ref()
                .is_some_and(|muxer| muxer.muxes(&plan.tracks));
        if !goes_on {
            self.drain(previous, outbox);
            self.start(&plan.tracks, outbox);
        }
        let Some(muxer) = &mut self.muxer else {
            return;
        };
        let border = Border {
            mark: plan.mark,
            kind: plan.kind,
            previous: previous.filter(|_| goes_on),
        };
        self.files.lock().borders.push_back(border);
        muxer.border(&plan.tracks);
        self.tracks = plan.tracks;
        self.recording = true;
        self.files.lock().flush_if_due(now_ns);
    }

    /// Whether the source is to wait for the muxer.
    pub fn congested(&self) -> bool {
        self.muxer.as_ref().is_some_and(Muxer::congested)
    }

    /// Takes a frame, or gives it back if the muxer has no input for it.
    ///
    /// # Errors
    /// The frame.
    pub fn push(
        &mut self,
        stream: usize,
        mut frame: Frame,
        outbox: &mut Outbox,
    ) -> Result<(), Frame> {
        let Some(muxer) = self.muxer.as_mut().filter(|_| self.recording) else {
            return Err(frame);
        };
        self.pushed = self.pushed.max(UtcNs(frame.stamps.dts_ns));
        frame.stamps.shift(self.stepped_ns.saturating_neg());
        let is_picture = |track: &PlannedTrack| track.stream == stream && track.kind == Kind::Video;
        let (is_picture, bytes) = (self.tracks.iter().any(is_picture), frame.buffer.size());
        muxer.push(stream, frame)?;
        outbox.stats.recorded.frame(is_picture, bytes);
        if let Some(error) = muxer.error() {
            outbox.warn(format!(
                "the muxer of the transport stream failed ({error}); a new one is started"
            ));
            self.muxer = None;
            self.recording = false;
        }
        Ok(())
    }

    /// Tells the muxer who is silent, and passes on what happened to the files.
    pub fn settle(&mut self, progress: &[Progress], now_ns: i64, outbox: &mut Outbox) {
        for track in &self.tracks {
            let silent = progress.get(track.stream).filter(|progress| {
                progress.heard < self.pushed
                    && now_ns.saturating_sub(progress.heard_at_ns) >= GRACE_NS
            });
            if let (Some(_), Some(muxer)) = (silent, &self.muxer) {
                muxer.silent_until(track.stream, self.pushed.0 - self.stepped_ns);
            }
        }
        let mut files = self.files.lock();
        files.flush_if_due(now_ns);
        outbox.append(&mut files.outbox);
    }

    /// Closes everything.
    pub fn finish(&mut self, last: Option<Ending>, _now_ns: i64, outbox: &mut Outbox) {
        self.drain(last, outbox);
        let mut files = self.files.lock();
        files.health.try_now();
        files.write_out(monotonic_ns(), true);
        outbox.append(&mut files.outbox);
    }

    fn start(&mut self, tracks: &[PlannedTrack], outbox: &mut Outbox) {
        let mut files = self.files.lock();
        files.ended = false;
        files.continuity.restart();
        files.early = Some(Vec::new());
        drop(files);
        match Muxer::start(tracks, self.files.pad()) {
            Ok(muxer) => self.muxer = Some(muxer),
            Err(error) => outbox.warn(format!("no transport stream can be written: {error}")),
        }
    }

    /// Lets the muxer empty itself and closes the last file.
    fn drain(&mut self, ending: Option<Ending>, outbox: &mut Outbox) {
        self.recording = false;
        let Some(mut muxer) = self.muxer.take() else {
            return;
        };
        muxer.end();
        let mut files = self.files.wait_until_ended();
        if !files.ended {
            outbox.warn(
                "the muxer of the transport stream did not end; its last packets are lost".into(),
            );
        }
        // A border that did not come out: its segment, too, is in the file.
        let ending = match files.borders.is_empty() {
            true => ending,
            false => files.ending_at(ending),
        };
        files.borders.clear();
        files.close(ending);
        outbox.append(&mut files.outbox);
    }
}

impl Files {
    fn lock(&self) -> MutexGuard<'_, FilesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until_ended(&self) -> MutexGuard<'_, FilesState> {
        let waited = self
            .ended
            .wait_timeout_while(self.lock(), DRAIN, |state| !state.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// The pad that receives what the muxer makes.
    fn pad(self: &Arc<Self>) -> gst::Pad {
        let (chain, list, event) = (self.clone(), self.clone(), self.clone());
        gst::Pad::builder(gst::PadDirection::Sink)
            .chain_function(move |_, _, buffer| {
                chain.lock().take(&buffer);
                Ok(gst::FlowSuccess::Ok)
            })
            .chain_list_function(move |_, _, buffers| {
                let mut state = list.lock();
                buffers.iter().for_each(|buffer| state.take(buffer));
                Ok(gst::FlowSuccess::Ok)
            })
            .event_function(move |_, _, received| {
                match received.view() {
                    gst::EventView::Eos(_) => {
                        event.lock().ended = true;
                        event.ended.notify_all();
                    }
                    _ if is_border(&received) => event.lock().cross_border(),
                    _ => {}
                }
                true
            })
            .build()
    }
}

fn is_border(event: &gst::Event) -> bool {
    event
        .structure()
        .is_some_and(|structure| structure.name() == SOUND_BORDER)
        || gst_video::DownstreamForceKeyUnitEvent::parse(event).is_ok()
}

impl TsFile {
    /// How much time its packets span, in nanoseconds.
    fn heard_ns(&self) -> i64 {
        let span = self
            .span
            .map_or(gst::ClockTime::ZERO, |(first, latest)| latest - first);
        i64::try_from(span.nseconds()).unwrap_or(i64::MAX)
    }
}

impl FilesState {
    fn take(&mut self, packets: &gst::BufferRef) {
        let now_ns = monotonic_ns();
        if let Some(file) = &mut self.current {
            if file.waiting.is_empty() {
                file.waiting_since_ns = now_ns;
            }
            let at = file.waiting.len();
            if let Ok(map) = packets.map_readable() {
                file.waiting.extend_from_slice(&map);
            }
            self.continuity
                .renumber(file.waiting.get_mut(at..).unwrap_or_default());
            if let Some(time) = packets.pts().or(packets.dts()) {
                let (first, latest) = file.span.unwrap_or((time, time));
                file.span = Some((first.min(time), latest.max(time)));
            }
        } else if let (Some(early), Ok(map)) = (&mut self.early, packets.map_readable()) {
            let at = early.len();
            early.extend_from_slice(&map);
            self.continuity
                .renumber(early.get_mut(at..).unwrap_or_default());
        }
        self.flush_if_due(now_ns);
    }

    fn cross_border(&mut self) {
        let Some(border) = self.borders.pop_front() else {
            return;
        };
        self.close(border.previous);
        self.current = Some(TsFile {
            growing: Growing::new(self.place.clone(), border.mark.origin),
            mark: border.mark,
            kind: border.kind,
            waiting: self.early.take().unwrap_or_default(),
            waiting_since_ns: monotonic_ns(),
            span: None,
            written_ns: 0,
        });
    }

    fn flush_if_due(&mut self, now_ns: i64) {
        self.write_out(now_ns, false);
        // What the muxer held back has waited already: half a chunk here makes no more than one.
        let patience_ns = self.chunk_duration_ns / 2;
        let due = |file: &TsFile| {
            let waited_ns = now_ns.saturating_sub(file.waiting_since_ns);
            waited_ns >= patience_ns || file.waiting.len() >= CHUNK_BYTES
        };
        if self.current.as_ref().is_some_and(due)
            && let Some(mut file) = self.current.take()
        {
            let written = self.write(&mut file, now_ns);
            let overfull = file.waiting.len() as u64 > MOST_WAITING_BYTES
                || now_ns.saturating_sub(file.waiting_since_ns) > MOST_WAITING_NS;
            match written || !overfull {
                true => self.current = Some(file),
                // Packets up to the next border are lost.
                false => self.give_up(file),
            }
        }
    }

    /// Writes what waits; false if the disk refuses it or is not to be asked yet.
    fn write(&mut self, file: &mut TsFile, now_ns: i64) -> bool {
        if file.waiting.is_empty() {
            return true;
        }
        if !self.health.may_try(now_ns) {
            return false;
        }
        match file.growing.append(&mut [IoSlice::new(&file.waiting)]) {
            Ok(()) => {
                file.waiting.clear();
                file.written_ns = file.heard_ns();
                self.health.worked(&mut self.outbox);
                true
            }
            Err(error) => {
                self.health.failed(&error, now_ns, &mut self.outbox);
                false
            }
        }
    }

    /// Closes the files that are complete, as far as the disk takes them; on the last occasion
    /// what it refuses is given up.
    fn write_out(&mut self, now_ns: i64, last: bool) {
        while let Some((mut file, ending)) = self.closing.pop_front() {
            if self.write(&mut file, now_ns) {
                let duration_ns = ending.map_or(file.heard_ns(), |ending| ending.duration_ns);
                let finished = file.growing.finish(duration_ns, file.kind);
                self.outbox.closed(finished, file.mark);
            } else if last || self.hopeless(&file, now_ns) {
                self.give_up(file);
            } else {
                return self.closing.push_front((file, ending));
            }
        }
    }

    /// Too much has waited for the disk, or for too long.
    fn hopeless(&self, oldest: &TsFile, now_ns: i64) -> bool {
        let others = self
            .closing
            .iter()
            .map(|(file, _)| file)
            .chain(&self.current);
        let bytes: usize = others.map(|file| file.waiting.len()).sum();
        let waited_ns = now_ns.saturating_sub(oldest.waiting_since_ns);
        (bytes + oldest.waiting.len()) as u64 > MOST_WAITING_BYTES || waited_ns > MOST_WAITING_NS
    }

    /// Closes a file as far as the disk took it.
    fn give_up(&mut self, file: TsFile) {
        self.outbox.stats.dropped += 1;
        self.health.lost(1);
        let finished = file.growing.finish(file.written_ns, SegmentKind::Partial);
        self.outbox.closed(finished, file.mark);
    }

    /// The ending of a file that holds more than one segment.
    fn ending_at(&self, last: Option<Ending>) -> Option<Ending> {
        let origin = self.current.as_ref()?.mark.origin;
        last.map(|last| Ending {
            duration_ns: (last.end - origin).max(0),
            ..last
        })
    }

    fn close(&mut self, ending: Option<Ending>) {
        self.closing
            .extend(self.current.take().map(|file| (file, ending)));
        self.write_out(monotonic_ns(), false);
    }
}
