// SPDX-License-Identifier: MPL-2.0
//! Writing cuts as MPEG-TS (ISO/IEC 13818-1): samples in the form of MP4 in, transport packets out,
//! frame by frame, so a cut leaves while it is read.
//!
//! Headers, tables, clock references and stuffing are the crate `mpeg2ts`'s (it copies a payload
//! twice and still makes more than 1 GB a second). What is here is what it leaves open: which
//! packet comes when, and what the codecs want inside: start codes, delimiters and parameter sets;
//! ADTS; Opus' control headers.
//!
//! The tables stand at the start, before every entry frame of video, and every 500 ms, so a reader
//! can begin at any of them.
//!
//! # Times
//!
//! Times have 33 bits and no sign (§2.4.3.7), so where frames are reordered not all can start at
//! zero. The first to be decoded does, and presentation starts by the reorder delay later (0.08 s
//! for two frames at 25 a second; zero without reordering): ffprobe's `start_time` says so, players
//! take the first frame for the start. Three ways to start presentation at zero were tried and
//! misread:
//!
//! - Times and clock before zero that wrap (−1 is 2³³−1). ffmpeg 5.1, mpv 0.35, VLC 3.0.24, video.js
//!   8.24 and hls.js 1.5 understand. hls.js 1.7.4 adds 2³³ to a first decoding time below zero and
//!   takes the first sound for the start; pictures before it fall out of Chromium's buffer with all
//!   that lean on them: of 75 it showed 50, of 18 one or none. (None is lost where sound and picture
//!   begin at once, or there is no sound.) GStreamer 1.22 plays all from the start, but where the
//!   clock begins 0.2 s below zero or more, it may lose the last pictures after a seek.
//! - Only decoding times that wrap: GStreamer takes the first for 95 443 s and shows the pictures
//!   with one time.
//! - The first decoding times pressed together (0, 1, 2 ticks, then as they were): GStreamer
//!   understands. ffmpeg takes 25 frames a second for 50 or 80 in cuts of up to ten frames, and in
//!   any cut finds no average rate where the video does not tell its own.
//!
//! The clock is the decoding time less [`LEAD_90K`], for so long may a frame take to arrive. It
//! starts at zero too, and so does the lead, which grows over the first 0.4 s: sound waits for
//! less there.

mod annex_b;
mod error;
mod form;
mod opus;
mod stream;
mod tables;

pub use self::error::TsWriteError;
use self::stream::{Pes, Stream};
use self::tables::Tables;
pub use annex_b::AnnexB;

/// How long before its decoding time a frame begins to arrive: longer than sound is held
/// ([`stream::HELD_90K`]) and a picture of 15 a second lasts together.
const LEAD_90K: i64 = 18_000;
/// The tables come again after this long.
const TABLES_90K: i64 = 45_000;
/// The clock comes again after this long: ETSI TS 101 154 asks for 40 ms.
const CLOCK_90K: i64 = 3600;
/// A longer gap is a hole: the clock jumps across it.
const LONGEST_GAP_90K: i64 = 90_000;

/// One sample of a track, in the form of MP4.
#[derive(Clone, Copy, Debug)]
pub struct TsSample<'a> {
    /// Which of the track's descriptions it is decoded with.
    pub description: usize,
    /// Presentation time at 90 kHz; zero is the start of the cut, and sound that would start
    /// before it has no place here.
    pub pts_90k: i64,
    /// Decoding time likewise; below zero where frames are reordered.
    pub dts_90k: i64,
    /// Decoding can start here.
    pub is_entry: bool,
    /// The sample.
    pub bytes: &'a [u8],
}

/// Writes a cut as MPEG-TS.
#[derive(Debug)]
pub struct TsWriter {
    streams: Vec<Stream>,
    tables: Tables,
    /// What is added to the times, so that the first to be decoded starts at zero.
    delay_90k: Option<i64>,
    /// Which of the streams carries the clock.
    clock_stream: usize,
    /// The clock as last written.
    clock_90k: Option<i64>,
    /// The decoding time at which the tables were last written.
    tables_90k: Option<i64>,
    /// The access unit being written; kept for its memory.
    unit: Vec<u8>,
}

impl TsWriter {
    /// A writer of tracks, each given as its sample entries (whole boxes, all of one codec). The
    /// clock goes with the first that holds pictures.
    ///
    /// # Errors
    /// If MPEG-TS has no place for a codec, or a sample entry is damaged.
    pub fn new(tracks: &[&[Vec<u8>]]) -> Result<Self, TsWriteError> {
        let streams = tracks.iter().enumerate();
        let streams = streams.map(|(track, descriptions)| Stream::new(track, descriptions));
        let streams = streams.collect::<Result<Vec<Stream>, _>>()?;
        let clock_stream = streams.iter().position(Stream::is_video).unwrap_or(0);
        let clock = streams.get(clock_stream).ok_or(TsWriteError::NoTracks)?;
        Ok(Self {
            tables: Tables::new(&streams, clock.pid())?,
            streams,
            delay_90k: None,
            clock_stream,
            clock_90k: None,
            tables_90k: None,
            unit: Vec::new(),
        })
    }

    /// Appends a sample's packets to `out`; sound waits a while for more to share its PES packet.
    /// The samples of all tracks come in the order of their decoding times.
    ///
    /// # Errors
    /// If the track or its description was not announced, or a frame of sound is too long.
    pub fn write(
        &mut self,
        track: usize,
        sample: &TsSample<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), TsWriteError> {
        let stream = self.streams.get(track);
        let is_video = stream.ok_or(TsWriteError::UnknownTrack(track))?.is_video();
        let has_clock = is_video && track == self.clock_stream;
        let sample = &self.delayed(sample);
        self.release(sample.dts_90k, out)?;
        self.write_tables(is_video && sample.is_entry, sample.dts_90k, out);
        self.write_clock(has_clock, clock_90k(sample.dts_90k), out)?;
        let Some(stream) = self.streams.get_mut(track) else {
            return Ok(());
        };
        if !is_video {
            return stream.hold(sample, out);
        }
        self.unit.clear();
        stream.append(sample, &mut self.unit)?;
        let pes = Pes {
            pts_90k: sample.pts_90k,
            dts_90k: sample.dts_90k,
            clock_90k: self.clock_90k.filter(|_| has_clock),
            is_entry: sample.is_entry,
            payload: &self.unit,
        };
        stream.write(&pes, out)
    }

    /// The sample with the times that are written.
    fn delayed<'a>(&mut self, sample: &TsSample<'a>) -> TsSample<'a> {
        let first_90k = sample.dts_90k.min(0);
        let delay_90k = *self.delay_90k.get_or_insert(first_90k.saturating_neg());
        TsSample {
            pts_90k: sample.pts_90k.saturating_add(delay_90k),
            dts_90k: sample.dts_90k.saturating_add(delay_90k),
            ..*sample
        }
    }

    /// Appends what is held back. The cut ends here.
    ///
    /// # Errors
    /// If the packets cannot be written.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), TsWriteError> {
        self.release(i64::MAX, out)
    }

    /// Writes the sound that has waited long enough, or that the clock would pass.
    fn release(&mut self, now_90k: i64, out: &mut Vec<u8>) -> Result<(), TsWriteError> {
        for stream in &mut self.streams {
            if stream.is_due(now_90k, clock_90k(now_90k)) {
                stream.release(out)?;
            }
        }
        Ok(())
    }

    fn write_tables(&mut self, is_wanted: bool, now_90k: i64, out: &mut Vec<u8>) {
        let is_due = |last_90k: i64| now_90k.saturating_sub(last_90k) >= TABLES_90K;
        if is_wanted || self.tables_90k.is_none_or(is_due) {
            self.tables.append(out);
            self.tables_90k = Some(now_90k);
        }
    }

    /// Brings the clock up to `now_90k`, in packets of its own as far as the next PES packet does
    /// not carry it. It never runs backwards.
    fn write_clock(
        &mut self,
        next_has_it: bool,
        now_90k: i64,
        out: &mut Vec<u8>,
    ) -> Result<(), TsWriteError> {
        let stream = self.streams.get_mut(self.clock_stream);
        let stream = stream.ok_or(TsWriteError::NoTracks)?;
        let mut clock_90k = match self.clock_90k {
            Some(last_90k) if now_90k.saturating_sub(last_90k) <= LONGEST_GAP_90K => last_90k,
            _ => {
                if !next_has_it {
                    stream.write_clock(now_90k, out)?;
                }
                now_90k
            }
        };
        while now_90k.saturating_sub(clock_90k) > CLOCK_90K {
            clock_90k += CLOCK_90K;
            stream.write_clock(clock_90k, out)?;
        }
        if next_has_it {
            clock_90k = clock_90k.max(now_90k);
        }
        self.clock_90k = Some(clock_90k);
        Ok(())
    }
}

/// The clock when a frame begins to arrive.
fn clock_90k(dts_90k: i64) -> i64 {
    (dts_90k / 2).max(dts_90k.saturating_sub(LEAD_90K))
}
