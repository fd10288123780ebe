// SPDX-License-Identifier: MPL-2.0
//! One MP4 segment while it grows: frames in, whole chunks out.
//!
//! Frames wait until they make a chunk, at most `chunk-duration` of them, and then go to disk in
//! one vectored write straight from the buffers they came in: no frame is copied. Tracks need not
//! agree on what a chunk covers (each `traf` has its own `tfdt`), so no track ever waits for
//! another. The init part is written with the first chunk, when each track's first decoding time
//! is known.
//!
//! Frames come with their times in UTC. Media time counts from the segment's start, and each
//! chunk's `prft` says again which moment that is.

use std::io::{self, IoSlice};
use std::sync::Arc;

use gst::memory::{MappedMemory, Readable};

use crate::archive::{Finished, Kind};
use crate::media::{self, MediaError, Run, Sample, SegmentMark, Track, UtcPoint};
use crate::utc::UtcNs;

use super::growing::{Growing, Place};
use super::stamps::Stamps;

/// Sound whose stamps wander by less than this around its sample count is taken to follow on.
const AUDIO_JITTER_NS: i64 = 1_000_000;

/// A frame on its way into a segment.
#[derive(Debug)]
pub struct Frame {
    /// The encoded bytes.
    pub buffer: gst::Buffer,
    /// Its repaired times, in nanoseconds of UTC.
    pub stamps: Stamps,
    /// Decodes without the frames before it.
    pub sync: bool,
    /// Decoding can begin here if need be, see [`super::recorder::Incoming`].
    pub is_makeshift: bool,
}

/// Why a chunk could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refused; later it may not.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The boxes could not be made; trying again will not help.
    #[error("{0}")]
    Media(#[from] MediaError),
}

/// A segment that is being recorded.
#[derive(Debug)]
pub struct Mp4Segment {
    growing: Growing,
    mark: SegmentMark,
    lanes: Vec<Lane>,
    init_written: bool,
    chunks: u32,
    /// UTC up to which the segment is on disk.
    written: UtcNs,
}

/// One track of the segment, and its frames that are not on disk yet.
#[derive(Debug)]
struct Lane {
    track: Track,
    /// What the edit list hides, in ticks: added to every media time so that none is negative.
    offset_ticks: u64,
    waiting: Vec<Waiting>,
    /// Where the sound goes on if its stamps do not wander too far, in ticks.
    next_ticks: Option<i64>,
}

#[derive(Debug)]
struct Waiting {
    memories: Vec<MappedMemory<Readable>>,
    bytes: u32,
    pts_ns: i64,
    end_ns: i64,
    pts_ticks: i64,
    dts_ticks: i64,
    duration_ticks: u32,
    sync: bool,
}

impl Mp4Segment {
    /// A segment of these tracks that starts at the mark's origin.
    pub fn new(place: Arc<Place>, tracks: Vec<Track>, mark: SegmentMark) -> Self {
        let lanes = tracks
            .into_iter()
            .map(|track| Lane {
                track,
                offset_ticks: 0,
                waiting: Vec::new(),
                next_ticks: None,
            })
            .collect();
        let growing = Growing::new(place, mark.origin);
        Self {
            growing,
            mark,
            lanes,
            init_written: false,
            chunks: 0,
            written: mark.origin,
        }
    }

    /// UTC of the segment's start.
    pub fn origin(&self) -> UtcNs {
        self.mark.origin
    }

    /// Where it belongs.
    pub fn mark(&self) -> SegmentMark {
        self.mark
    }

    /// Takes a frame of a track. False if it is too late: its time lies before what the edit
    /// list, already written, can show.
    pub fn push(&mut self, track: usize, frame: Frame) -> Result<bool, gst::glib::BoolError> {
        let (start_ns, init_written) = (self.mark.origin.0, self.init_written);
        let Some(lane) = self.lanes.get_mut(track) else {
            return Ok(false);
        };
        let mut waiting = lane.measure(frame, start_ns)?;
        if init_written && waiting.dts_ticks.saturating_add_unsigned(lane.offset_ticks) < 0 {
            if lane.track.codec.video().is_none() {
                return Ok(false);
            }
            // A picture is never too late: it is decoded as early as can be said.
            waiting.dts_ticks = 0_i64.saturating_sub_unsigned(lane.offset_ticks);
        }
        lane.waiting.push(waiting);
        Ok(true)
    }

    /// The longest span of any track that waits to be written, in nanoseconds.
    pub fn waiting_ns(&self) -> i64 {
        self.lanes.iter().map(Lane::waiting_ns).max().unwrap_or(0)
    }

    /// Bytes that wait to be written.
    pub fn waiting_bytes(&self) -> u64 {
        let frames = self.lanes.iter().flat_map(|lane| &lane.waiting);
        frames.map(|frame| u64::from(frame.bytes)).sum()
    }

    /// How many frames wait to be written.
    pub fn waiting_frames(&self) -> u64 {
        self.lanes
            .iter()
            .map(|lane| lane.waiting.len() as u64)
            .sum()
    }

    /// Writes what waits as one chunk. On an error it waits on.
    ///
    /// # Errors
    /// What the file system said, or why the boxes could not be made.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        let Some(point) = self.utc_point() else {
            return Ok(());
        };
        let init = match self.init_written {
            true => Vec::new(),
            false => self.init()?,
        };
        // The point was taken before the offsets of a first chunk were known.
        let offset_ticks = self.lanes.get(point.0).map_or(0, |lane| lane.offset_ticks);
        let point = UtcPoint {
            track: point.0,
            media_time: point.1.saturating_add_unsigned(offset_ticks).max(0) as u64,
            utc: point.2,
        };
        let runs = self.runs();
        let header = media::chunk_header(self.chunks + 1, &point, self.mark.time_source, &runs)?;
        let frames = self.lanes.iter().flat_map(|lane| &lane.waiting);
        let memories = frames
            .flat_map(|frame| &frame.memories)
            .map(|memory| IoSlice::new(memory));
        let around = [IoSlice::new(&init), IoSlice::new(&header)];
        let mut slices: Vec<_> = around.into_iter().chain(memories).collect();
        self.growing.append(&mut slices)?;
        self.init_written = true;
        self.chunks += 1;
        self.written = UtcNs(self.waiting_end_ns()).max(self.written);
        self.discard();
        Ok(())
    }

    /// Gives up what waits to be written.
    pub fn discard(&mut self) {
        for lane in &mut self.lanes {
            lane.waiting.clear();
        }
    }

    /// UTC up to which the segment is on disk.
    pub fn written(&self) -> UtcNs {
        self.written
    }

    /// Whether a track of it holds pictures.
    pub fn is_video(&self, track: usize) -> bool {
        self.lanes
            .get(track)
            .is_some_and(|lane| lane.track.codec.video().is_some())
    }

    /// Closes the segment; what still waits is given up. `None` if nothing was ever written.
    ///
    /// # Errors
    /// What the file system said.
    pub fn finish(self, duration_ns: i64, kind: Kind) -> io::Result<Option<Finished>> {
        self.growing.finish(duration_ns, kind)
    }

    /// The first frame that waits: track, presentation time in ticks, UTC.
    fn utc_point(&self) -> Option<(usize, i64, UtcNs)> {
        let (track, lane) = self
            .lanes
            .iter()
            .enumerate()
            .find(|(_, lane)| !lane.waiting.is_empty())?;
        let first = lane.waiting.first()?;
        Some((track, first.pts_ticks, UtcNs(first.pts_ns)))
    }

    /// Where the first track that waits ends: pictures where there are any.
    fn waiting_end_ns(&self) -> i64 {
        let lane = self.lanes.iter().find(|lane| !lane.waiting.is_empty());
        let frames = lane.into_iter().flat_map(|lane| &lane.waiting);
        frames.map(|frame| frame.end_ns).max().unwrap_or(i64::MIN)
    }

    fn init(&mut self) -> Result<Vec<u8>, MediaError> {
        for lane in &mut self.lanes {
            let earliest = lane
                .waiting
                .iter()
                .map(|frame| frame.dts_ticks)
                .min()
                .unwrap_or(0);
            lane.offset_ticks = earliest.min(0).unsigned_abs();
        }
        let tracks: Vec<_> = self
            .lanes
            .iter()
            .map(|lane| (&lane.track, lane.offset_ticks))
            .collect();
        media::init(&tracks, &self.mark)
    }

    fn runs(&self) -> Vec<Run> {
        let lanes = self.lanes.iter().enumerate();
        lanes.filter_map(|(track, lane)| lane.run(track)).collect()
    }
}

impl Lane {
    fn measure(&mut self, frame: Frame, start_ns: i64) -> Result<Waiting, gst::glib::BoolError> {
        let stamps = frame.stamps;
        let timescale = self.track.timescale;
        let pts_ticks = ticks(stamps.pts_ns.saturating_sub(start_ns), timescale);
        let mut dts_ticks = ticks(stamps.dts_ns.saturating_sub(start_ns), timescale);
        let mut pts_ticks = pts_ticks;
        let duration_ticks =
            ticks(stamps.duration_ns, timescale).clamp(1, i64::from(u32::MAX)) as u32;
        if self.track.codec.video().is_none() {
            let jitter_ticks = ticks(AUDIO_JITTER_NS, timescale);
            if let Some(next) = self
                .next_ticks
                .filter(|next| next.abs_diff(pts_ticks) <= jitter_ticks as u64)
            {
                pts_ticks = next;
            }
            dts_ticks = pts_ticks;
            self.next_ticks = Some(pts_ticks + i64::from(duration_ticks));
        }
        let bytes = u32::try_from(frame.buffer.size()).map_err(|_| {
            gst::glib::bool_error!("a frame of {} bytes is too large", frame.buffer.size())
        })?;
        Ok(Waiting {
            memories: map_memories(&frame.buffer)?,
            bytes,
            pts_ns: stamps.pts_ns,
            end_ns: stamps.pts_ns.saturating_add(stamps.duration_ns),
            pts_ticks,
            dts_ticks,
            duration_ticks,
            sync: frame.sync,
        })
    }

    fn waiting_ns(&self) -> i64 {
        let (Some(first), Some(last)) = (self.waiting.first(), self.waiting.last()) else {
            return 0;
        };
        let span =
            (last.dts_ticks - first.dts_ticks).saturating_add(i64::from(last.duration_ticks));
        span.saturating_mul(1_000_000) / i64::from(self.track.timescale) * 1_000
    }

    fn run(&self, track: usize) -> Option<Run> {
        let first = self.waiting.first()?;
        let samples = self.waiting.iter().enumerate().map(|(n, frame)| Sample {
            bytes: frame.bytes,
            // Up to the next frame; the last one of a chunk lasts as long as it says.
            duration: match self.waiting.get(n + 1) {
                Some(next) => u32::try_from(next.dts_ticks - frame.dts_ticks).unwrap_or(0),
                None => frame.duration_ticks,
            },
            composition_offset: i32::try_from(frame.pts_ticks - frame.dts_ticks).unwrap_or(0),
            sync: frame.sync,
        });
        Some(Run {
            track,
            base_decode_time: first
                .dts_ticks
                .saturating_add_unsigned(self.offset_ticks)
                .max(0) as u64,
            samples: samples.collect(),
        })
    }
}

/// Nanoseconds in ticks, to the nearest.
fn ticks(ns: i64, timescale: u32) -> i64 {
    const SECOND_NS: i128 = 1_000_000_000;
    let scaled = i128::from(ns) * i128::from(timescale) + SECOND_NS / 2;
    i64::try_from(scaled.div_euclid(SECOND_NS)).unwrap_or(i64::MAX)
}

/// The memories of a buffer, one by one: mapping the buffer as a whole would join them by a copy.
fn map_memories(
    buffer: &gst::BufferRef,
) -> Result<Vec<MappedMemory<Readable>>, gst::glib::BoolError> {
    (0..buffer.n_memory())
        .filter_map(|index| buffer.memory(index))
        .map(|memory| {
            memory
                .into_mapped_memory_readable()
                .map_err(|_| gst::glib::bool_error!("a frame's memory cannot be read"))
        })
        .collect()
}
