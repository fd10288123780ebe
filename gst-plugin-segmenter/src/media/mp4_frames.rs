// SPDX-License-Identifier: MPL-2.0
//! The frames of an MP4 segment, fragmented or plain.
//!
//! Boxes say where samples are and when they are shown; of whether decoding can start at one they
//! repeat what somebody thought. So the first NAL units of keyframes are read, a few hundred bytes
//! each ([`super::pictures`]), and those of all pictures where keyframes are so few that the stream
//! may refresh its pictures bit by bit. Nothing else of the media is read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use super::beginning;
use super::entry_reading::codec_of_entry;
use super::foreign;
use super::frames::{Frame, FrameKind, FrameTrack, Place, SegmentFrames, last_until_next};
use super::index::{Index, IndexSample, IndexTrack};
use super::nal::{self, Sets};
use super::pictures::{Coding, Head, KnownSets};
use super::scan::nanoseconds;
use super::skipped::Skipped;
use crate::utc::UtcNs;

/// What one system call reads: the boxes of a chunk are mostly smaller.
const BLOCK_BYTES: usize = 8 << 10;
/// With more pictures than this from one entry to the next, those between are looked at as well.
const FAR_APART: usize = 300;
/// How much of a picture is looked at to find its first slice; encoders' messages stand before it.
const LOOK_BYTES: usize = 4 << 10;

/// What an MP4 segment holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mp4Frames {
    /// Its frames.
    pub frames: SegmentFrames,
    /// The tracks that are not among them as they cannot be.
    pub skipped: Vec<Skipped>,
}

/// Reads the frames of a segment. Where it says no UTC itself, its first keyframe (or, without
/// pictures, its first sound) is at `start`, as in MPEG-TS.
///
/// # Errors
/// If reading fails, or the segment has more samples than are believed.
pub fn mp4_frames(file: &File, start: UtcNs) -> io::Result<Mp4Frames> {
    let mut index = Index::read(Blocks::new(file)?)?;
    let is_whole = index.whole_bytes == file.metadata()?.len();
    index.tracks.retain(|track| !track.samples.is_empty());
    leave_out_further_video(&mut index);
    let zero = start - named_ns(&index);
    let mut tracks: Vec<FrameTrack> = Vec::with_capacity(index.tracks.len());
    for track in &index.tracks {
        tracks.push(frame_track(file, track, zero)?);
    }
    tracks.retain(|track| !track.frames.is_empty());
    tracks.sort_by_key(|track| !track.is_video);
    Ok(Mp4Frames {
        frames: SegmentFrames {
            mark: index.mark,
            tracks,
            is_whole,
        },
        skipped: index.skipped,
    })
}

/// Leaves one video track: the first of a codec that is known, as pictures of covers are tracks too.
fn leave_out_further_video(index: &mut Index) {
    let videos = || index.tracks.iter().filter(|track| track.is_video);
    let is_known = |track: &&IndexTrack| codec_of_entry(&track.sample_entry).is_ok();
    let Some(chosen) = videos()
        .find(is_known)
        .or(videos().next())
        .map(|track| track.id)
    else {
        return;
    };
    let is_further = |track: &IndexTrack| track.is_video && track.id != chosen;
    let further = index.tracks.iter().filter(|track| is_further(track));
    let reason = "it is not the first video, and a cut holds one";
    let further =
        further.map(|track| foreign::skipped(track.id, &track.sample_entry, reason.into()));
    index.skipped.extend(further.collect::<Vec<_>>());
    index.tracks.retain(|track| !is_further(track));
}

/// The presentation time that a segment's name tells: of the first keyframe, else of the first
/// sound; of what an edit list hides, the end of that.
fn named_ns(index: &Index) -> i64 {
    let first = |video: bool| {
        let tracks = index.tracks.iter().filter(|track| track.is_video == video);
        let times = tracks.filter_map(|track| {
            let keyframe = track.samples.iter().find(|sample| sample.sync);
            let sample = keyframe.or(track.samples.first())?;
            Some(presentation_ns(track, sample.pts))
        });
        times.min()
    };
    first(true).or_else(|| first(false)).unwrap_or(0).max(0)
}

fn presentation_ns(track: &IndexTrack, pts: i64) -> i64 {
    nanoseconds(
        i128::from(pts) - i128::from(track.edit_offset),
        track.timescale,
    )
}

fn frame_track(file: &File, track: &IndexTrack, zero: UtcNs) -> io::Result<FrameTrack> {
    let mut keyframes = Keyframes::of(track);
    let looks_at_all = keyframes.is_some() && are_far_apart(&track.samples);
    let hidden = track.edit_offset;
    let entries = std::iter::once(&track.sample_entry).chain(&track.more_entries);
    let entries = entries.map(|entry| foreign::without_rates(entry, track.is_video));
    let descriptions: Vec<Vec<u8>> = entries.collect();
    let mut frames = Vec::with_capacity(track.samples.len());
    for sample in &track.samples {
        let pts = sample.pts.saturating_sub(hidden);
        if !track.is_video && pts.saturating_add(sample.duration.into()) <= 0 {
            continue;
        }
        let kind = match keyframes.as_mut() {
            None if sample.sync => FrameKind::Sync,
            Some(keyframes) if sample.sync || looks_at_all => keyframes.kind(file, sample)?,
            _ => FrameKind::Delta {
                is_disposable: false,
            },
        };
        frames.push(Frame {
            pts,
            dts: sample.dts.saturating_sub(hidden),
            duration: sample.duration,
            bytes: sample.bytes,
            file: 0,
            description: match usize::from(sample.description) < descriptions.len() {
                true => sample.description,
                false => 0,
            },
            kind,
            utc: sample
                .utc
                .unwrap_or_else(|| zero + presentation_ns(track, sample.pts)),
            place: Place::Plain {
                offset: sample.offset,
            },
        });
    }
    if track.is_video {
        beginning::make_do_with_intra(&mut frames);
        last_until_next(&mut frames);
    }
    Ok(FrameTrack {
        is_video: track.is_video,
        timescale: track.timescale,
        orientation: track.orientation,
        descriptions,
        frames,
    })
}

/// Whether there are many samples between one that is marked as an entry and the next.
fn are_far_apart(samples: &[IndexSample]) -> bool {
    let mut between = samples.split(|sample| sample.sync);
    samples.first().is_some_and(|first| !first.sync)
        || between.any(|between| between.len() > FAR_APART)
}

/// Tells pictures of H.264 and H.265 apart.
struct Keyframes {
    coding: Coding,
    known: KnownSets,
    length_bytes: usize,
}

impl Keyframes {
    /// `None` for codecs whose keyframes are all alike.
    fn of(track: &IndexTrack) -> Option<Self> {
        let (kind, record) = track.configuration()?;
        let (coding, sets) = match &kind {
            b"avcC" => (Coding::H264, Sets::from_avcc(record)?),
            b"hvcC" => (Coding::H265, Sets::from_hvcc(record)?),
            _ => return None,
        };
        Some(Self::new(coding, &sets))
    }

    fn new(coding: Coding, sets: &Sets) -> Self {
        let mut known = KnownSets::default();
        coding.learn(sets, &mut known);
        Self {
            coding,
            known,
            length_bytes: sets.length_bytes,
        }
    }

    fn kind(&mut self, file: &File, sample: &IndexSample) -> io::Result<FrameKind> {
        let mut bytes = [0; LOOK_BYTES];
        let wanted = usize::try_from(sample.bytes).map_or(LOOK_BYTES, |all| all.min(LOOK_BYTES));
        let start = bytes.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(start, sample.offset)?;
        Ok(self.kind_of(start, sample.sync))
    }

    /// By its slices, as far as they are looked at. A sample that starts with more than that is
    /// taken for what most keyframes are, if it is marked as one.
    fn kind_of(&mut self, start: &[u8], is_marked: bool) -> FrameKind {
        let mut head = Head::default();
        for unit in nal::in_sample_so_far(start, self.length_bytes) {
            head.add(self.coding.read(unit, &mut self.known));
        }
        head.kind().unwrap_or(match is_marked {
            true => FrameKind::Sync,
            false => FrameKind::Delta {
                is_disposable: false,
            },
        })
    }
}

/// Reads a file in blocks that begin where the reader has gone to, so that the boxes of one chunk
/// cost one system call, and the media between them none.
struct Blocks<'a> {
    file: &'a File,
    length: u64,
    at: u64,
    block: Vec<u8>,
    block_at: u64,
}

impl<'a> Blocks<'a> {
    fn new(file: &'a File) -> io::Result<Self> {
        Ok(Self {
            file,
            length: file.metadata()?.len(),
            at: 0,
            block: Vec::with_capacity(BLOCK_BYTES),
            block_at: 0,
        })
    }

    fn held(&self) -> &[u8] {
        let skip = self.at.checked_sub(self.block_at);
        let skip = skip.and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.block.get(skip..))
            .unwrap_or_default()
    }
}

impl Read for Blocks<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.held().is_empty() {
            self.block.resize(BLOCK_BYTES, 0);
            let read = self.file.read_at(&mut self.block, self.at)?;
            self.block.truncate(read);
            self.block_at = self.at;
        }
        let mut held = self.held();
        let read = held.read(out)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Blocks<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_slice_tells_what_a_keyframe_is() {
        let sets = Sets {
            length_bytes: 4,
            ..Sets::default()
        };
        let mut h264 = Keyframes::new(Coding::H264, &sets);
        // Messages: a recovery point after no frame, after three, or something else.
        let after = |message: [u8; 4], slice: u8, start: u8| {
            let [kind, bytes, payload, stop] = message;
            [
                0, 0, 0, 5, 0x06, kind, bytes, payload, stop, 0, 0, 0, 9, slice, start, 0xff,
            ]
        };
        let [now, in_three, other] = [[6, 1, 0xc0, 0x80], [6, 1, 0x24, 0x80], [5, 1, 7, 0x80]];
        let gradual = FrameKind::Gradual { frames: 3 };
        let delta = FrameKind::Delta {
            is_disposable: false,
        };
        let mut kind = |sample: &[u8]| h264.kind_of(sample, true);
        // first_mb_in_slice 0, slice_type 7 (I) or 5 (P), picture parameter set 0.
        let [intra, inter] = [0b1000_1000, 0b1001_1010];
        assert_eq!(kind(&after(other, 0x65, intra)), FrameKind::Sync);
        assert_eq!(kind(&after(now, 0x61, intra)), FrameKind::OpenGop);
        assert_eq!(kind(&after(in_three, 0x61, inter)), gradual);
        assert_eq!(kind(&after(other, 0x61, inter)), delta, "whoever marked it");
        assert_eq!(kind(&after(other, 0x61, intra)), FrameKind::Intra);
        assert_eq!(kind(&[]), FrameKind::Sync);
        let mut keyframes = Keyframes::new(Coding::H265, &sets);
        let slice = |kind: u8| [0, 0, 0, 2, 40 << 1, 1, 0, 0, 0, 9, kind << 1, 1, 0xff];
        assert_eq!(keyframes.kind_of(&slice(21), true), FrameKind::Cra);
        assert_eq!(keyframes.kind_of(&slice(20), true), FrameKind::Sync);
    }
}
