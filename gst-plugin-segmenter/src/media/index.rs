// SPDX-License-Identifier: MPL-2.0
//! The frame index of a segment: every sample with its times, its place and its UTC.

use std::io::{self, Read, Seek};

use super::entry_reading::{entry_configuration, entry_kind};
use super::mark::SegmentMark;
use super::orientation::Orientation;
use super::scan::{Chunk, HeadTrack, Scan};
use super::skipped::Skipped;
use crate::utc::UtcNs;

/// More samples than this are not kept: six hours of video at 60 frames a second.
pub const MOST_SAMPLES: usize = 1 << 21;

/// What a segment holds, up to its last whole chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Which run of which recorder it belongs to; other people's files have none.
    pub mark: Option<SegmentMark>,
    /// The tracks, in the order of the head.
    pub tracks: Vec<IndexTrack>,
    /// Those that are left out.
    pub skipped: Vec<Skipped>,
    /// The chunks, in the order of the file.
    pub chunks: Vec<IndexChunk>,
    /// The numbers of chunks go up by one; so many are not there between those that are.
    pub lost_chunks: u32,
    /// Bytes before the first chunk.
    pub head_bytes: u64,
    /// Bytes up to the end of the last whole chunk; 0 without one.
    pub whole_bytes: u64,
}

/// One track of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexTrack {
    /// Its id in the boxes.
    pub id: u32,
    /// It holds pictures.
    pub is_video: bool,
    /// Ticks per second.
    pub timescale: u32,
    /// The first sample entry, a whole box: four bytes of size, then the codec's four characters.
    pub sample_entry: Vec<u8>,
    /// The others, if there are several.
    pub more_entries: Vec<Vec<u8>>,
    /// Media time, in ticks, at which presentation starts; below zero if it starts later than
    /// that of others.
    pub edit_offset: i64,
    /// How its pictures are turned.
    pub orientation: Orientation,
    /// Its samples, in decoding order.
    pub samples: Vec<IndexSample>,
}

/// One sample of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexSample {
    /// Presentation time in ticks, before the edit list.
    pub pts: i64,
    /// Decoding time in ticks, from zero at the segment's start.
    pub dts: i64,
    /// Ticks until the next sample is decoded.
    pub duration: u32,
    /// Its bytes.
    pub bytes: u32,
    /// Where in the file they start.
    pub offset: u64,
    /// Decoding can start here.
    pub sync: bool,
    /// Which of the track's sample entries it is decoded with.
    pub description: u16,
    /// When it was, if the file says.
    pub utc: Option<UtcNs>,
}

/// The place of one chunk in the file: what a live reader may be given as a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexChunk {
    /// Where it starts.
    pub start: u64,
    /// The first byte behind it.
    pub end: u64,
}

impl Index {
    /// Reads the index of a segment. What is not wholly there, or damaged, ends it.
    ///
    /// # Errors
    /// If reading fails, or the segment has more than two million samples.
    pub fn read<R: Read + Seek>(reader: R) -> io::Result<Self> {
        let Some(mut scan) = Scan::open(reader)? else {
            return Ok(Self::default());
        };
        let mut index = Self {
            mark: scan.head.mark,
            tracks: scan.head.tracks.iter().map(IndexTrack::new).collect(),
            head_bytes: scan.head.bytes,
            ..Self::default()
        };
        let mut samples = 0;
        let mut last = None;
        while let Some(chunk) = scan.next_chunk()? {
            samples += chunk.samples.len();
            if samples > MOST_SAMPLES {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a segment of more than two million samples is not one of ours",
                ));
            }
            if let (Some(before), Some(this)) = (last, chunk.sequence) {
                let lost = this.saturating_sub(before).saturating_sub(1);
                index.lost_chunks = index.lost_chunks.saturating_add(lost);
            }
            last = chunk.sequence;
            index.add(&scan.head.tracks, &chunk);
        }
        let heads = scan.head.tracks.iter();
        let skipped: Vec<Option<Skipped>> = heads.map(|head| head.skipped.clone()).collect();
        let mut is_skipped = skipped.iter().map(Option::is_some);
        index.tracks.retain(|_| is_skipped.next() != Some(true));
        index.skipped = skipped.into_iter().flatten().collect();
        Ok(index)
    }

    fn add(&mut self, tracks: &[HeadTrack], chunk: &Chunk) {
        self.whole_bytes = chunk.end;
        self.chunks.push(IndexChunk {
            start: chunk.start,
            end: chunk.end,
        });
        for sample in &chunk.samples {
            let head = tracks.get(sample.track);
            let origin = chunk.origins.get(sample.track).copied().flatten();
            let (Some(head), Some(track)) = (head, self.tracks.get_mut(sample.track)) else {
                continue;
            };
            if head.skipped.is_some() {
                continue;
            }
            track.samples.push(IndexSample {
                pts: sample.pts,
                dts: sample.dts,
                duration: sample.duration,
                bytes: sample.bytes,
                offset: sample.offset,
                sync: sample.sync,
                description: sample.description,
                utc: origin.map(|origin| origin + head.presentation_ns(sample.pts)),
            });
        }
    }
}

impl IndexTrack {
    fn new(head: &HeadTrack) -> Self {
        Self {
            id: head.id,
            is_video: head.is_video,
            timescale: head.timescale,
            sample_entry: head.sample_entries.first().cloned().unwrap_or_default(),
            more_entries: head.sample_entries.iter().skip(1).cloned().collect(),
            edit_offset: head.edit_offset,
            orientation: head.orientation,
            samples: Vec::new(),
        }
    }

    /// The codec's four characters: `avc1`, `mp4a`, …
    pub fn codec(&self) -> [u8; 4] {
        entry_kind(&self.sample_entry)
    }

    /// The codec's configuration box (`avcC`, `hvcC`, `av1C`, `vpcC`, `esds`, `dOps`, `dfLa`):
    /// its four characters and its body. A-law and µ-law have none.
    pub fn configuration(&self) -> Option<([u8; 4], &[u8])> {
        entry_configuration(&self.sample_entry, self.is_video)
    }
}
