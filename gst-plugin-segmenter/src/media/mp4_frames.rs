// SPDX-License-Identifier: MPL-2.0
//! The frames of a fragmented MP4 segment.
//!
//! Boxes say where samples are, when they are shown, and whether decoding can start at one; not
//! whether a keyframe is an IDR or opens a GOP that leans on the one before. For that the first
//! NAL units of keyframes are read, a few hundred bytes each. Nothing else of the media is.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use super::frames::{Frame, FrameKind, FrameTrack, Place, SegmentFrames};
use super::index::{Index, IndexSample, IndexTrack};
use super::nal::{self, Sets, h264, h265};
use super::scan::nanoseconds;
use crate::utc::UtcNs;

/// What one system call reads: the boxes of a chunk are mostly smaller.
const BLOCK_BYTES: usize = 8 << 10;
/// How much of a keyframe is looked at to find its first slice; encoders' messages stand before it.
const LOOK_BYTES: usize = 4 << 10;

/// Reads the frames of a segment. Where it says no UTC itself, its first frame is at `start`.
///
/// # Errors
/// If reading fails, or the segment has more samples than are believed.
pub fn mp4_frames(file: &File, start: UtcNs) -> io::Result<SegmentFrames> {
    let index = Index::read(Blocks::new(file)?)?;
    let first = first_shown_ns(&index);
    let mut tracks: Vec<FrameTrack> = Vec::with_capacity(index.tracks.len());
    for track in &index.tracks {
        tracks.push(frame_track(file, track, start - first)?);
    }
    tracks.retain(|track| !track.frames.is_empty());
    tracks.sort_by_key(|track| !track.is_video);
    Ok(SegmentFrames {
        mark: index.mark,
        tracks,
    })
}

/// The earliest presentation time of a picture, else of anything, from the segment's zero.
fn first_shown_ns(index: &Index) -> i64 {
    let first = |video: bool| {
        let tracks = index.tracks.iter().filter(|track| track.is_video == video);
        let shown = tracks.flat_map(|track| {
            let times = track
                .samples
                .iter()
                .map(|sample| presentation_ns(track, sample.pts));
            times.filter(|ns| *ns >= 0)
        });
        shown.min()
    };
    first(true).or_else(|| first(false)).unwrap_or(0)
}

fn presentation_ns(track: &IndexTrack, pts: i64) -> i64 {
    nanoseconds(
        i128::from(pts) - i128::from(track.edit_offset),
        track.timescale,
    )
}

fn frame_track(file: &File, track: &IndexTrack, zero: UtcNs) -> io::Result<FrameTrack> {
    let keyframes = Keyframes::of(track);
    let hidden = i64::try_from(track.edit_offset).unwrap_or(i64::MAX);
    let mut frames = Vec::with_capacity(track.samples.len());
    for sample in &track.samples {
        let pts = sample.pts.saturating_sub(hidden);
        if !track.is_video && pts.saturating_add(sample.duration.into()) <= 0 {
            continue;
        }
        let kind = match (sample.sync, keyframes.as_ref()) {
            (false, _) => FrameKind::Delta {
                is_disposable: false,
            },
            (true, None) => FrameKind::Sync,
            (true, Some(keyframes)) => keyframes.kind(file, sample)?,
        };
        // What comes before the first keyframe, nothing decodes.
        if frames.is_empty() && !kind.is_entry() {
            continue;
        }
        frames.push(Frame {
            pts,
            dts: sample.dts.saturating_sub(hidden),
            duration: sample.duration,
            bytes: sample.bytes,
            file: 0,
            description: 0,
            kind,
            utc: sample
                .utc
                .unwrap_or_else(|| zero + presentation_ns(track, sample.pts)),
            place: Place::Plain {
                offset: sample.offset,
            },
        });
    }
    Ok(FrameTrack {
        is_video: track.is_video,
        timescale: track.timescale,
        descriptions: vec![track.sample_entry.clone()],
        frames,
    })
}

/// Tells keyframes of H.264 and H.265 apart.
struct Keyframes {
    is_h265: bool,
    length_bytes: usize,
}

impl Keyframes {
    /// `None` for codecs whose keyframes are all alike.
    fn of(track: &IndexTrack) -> Option<Self> {
        let (kind, record) = track.configuration()?;
        let (is_h265, sets) = match &kind {
            b"avcC" => (false, Sets::from_avcc(record)?),
            b"hvcC" => (true, Sets::from_hvcc(record)?),
            _ => return None,
        };
        Some(Self {
            is_h265,
            length_bytes: sets.length_bytes,
        })
    }

    fn kind(&self, file: &File, sample: &IndexSample) -> io::Result<FrameKind> {
        let mut bytes = [0; LOOK_BYTES];
        let wanted = usize::try_from(sample.bytes).map_or(LOOK_BYTES, |all| all.min(LOOK_BYTES));
        let start = bytes.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(start, sample.offset)?;
        Ok(self.kind_of(start))
    }

    /// By the type of the first slice. A sample that starts with more than is looked at is taken
    /// for what most keyframes are.
    fn kind_of(&self, start: &[u8]) -> FrameKind {
        let delta = FrameKind::Delta {
            is_disposable: false,
        };
        let mut units = nal::in_sample_so_far(start, self.length_bytes);
        let kind = if self.is_h265 {
            units.find_map(|unit| match h265::kind(unit) {
                h265::CRA => Some(FrameKind::Cra),
                kind if (h265::BLA_W_LP..h265::CRA).contains(&kind) => Some(FrameKind::Sync),
                kind if kind < h265::VPS => Some(delta),
                _ => None,
            })
        } else {
            units.find_map(|unit| match h264::kind(unit) {
                h264::IDR => Some(FrameKind::Sync),
                h264::SLICE if h264::is_intra(unit) => Some(FrameKind::OpenGop),
                h264::SLICE => Some(delta),
                _ => None,
            })
        };
        kind.unwrap_or(FrameKind::Sync)
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
        let h264 = Keyframes {
            is_h265: false,
            length_bytes: 4,
        };
        let sei_then = |slice: u8, start: u8| [0, 0, 0, 2, 0x06, 5, 0, 0, 0, 9, slice, start];
        assert_eq!(h264.kind_of(&sei_then(0x65, 0)), FrameKind::Sync);
        assert_eq!(h264.kind_of(&sei_then(0x61, 0x88)), FrameKind::OpenGop);
        let delta = FrameKind::Delta {
            is_disposable: false,
        };
        assert_eq!(
            h264.kind_of(&sei_then(0x61, 0x98)),
            delta,
            "marked, and a P picture"
        );
        assert_eq!(h264.kind_of(&[]), FrameKind::Sync);
        let keyframes = Keyframes {
            is_h265: true,
            length_bytes: 4,
        };
        let slice = |kind: u8| [0, 0, 0, 2, 40 << 1, 1, 0, 0, 0, 9, kind << 1, 1];
        assert_eq!(keyframes.kind_of(&slice(h265::CRA)), FrameKind::Cra);
        assert_eq!(keyframes.kind_of(&slice(h265::IDR_N_LP)), FrameKind::Sync);
    }
}
