// SPDX-License-Identifier: MPL-2.0
//! The frames of segments, as they were last read.
//!
//! A closed segment never changes under its name, which holds the hash of its bytes; so what is
//! remembered is asked for by path and length, and the oldest goes when it becomes too much.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::CutError;
use crate::archive::Segment;
use crate::media::assembly::SourceFile;
use crate::media::{Frame, SegmentFrames, Skipped, mp4_frames, ts_frames};

/// The memory that frames may take: some hours of one stream.
pub const DEFAULT_CACHE_BYTES: usize = 64 << 20;
/// Bytes that tell containers apart: two transport packets and their sync bytes.
const SNIFFED_BYTES: usize = 189;
const TS_SYNC: u8 = 0x47;

/// Remembers the frames of segments. Cheap to share between threads.
pub struct FrameCache {
    limit_bytes: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    segments: HashMap<PathBuf, Entry>,
    bytes: usize,
    clock: u64,
}

struct Entry {
    segment: Indexed,
    bytes: usize,
    used: u64,
}

/// A segment and its frames.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// The file.
    pub source: SourceFile,
    /// Its frames.
    pub frames: Arc<SegmentFrames>,
    /// The tracks of it that cannot be cut.
    pub skipped: Arc<[Skipped]>,
}

impl Default for FrameCache {
    fn default() -> Self {
        Self::new(DEFAULT_CACHE_BYTES)
    }
}

impl FrameCache {
    /// Remembers what fits into `limit_bytes` (may be 0).
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            held: Mutex::new(Held::default()),
        }
    }

    /// The frames of a segment.
    ///
    /// # Errors
    /// If it cannot be read, or is neither MP4 nor MPEG-TS.
    pub fn frames(&self, segment: &Segment) -> Result<Indexed, CutError> {
        let path = segment.path();
        if let Some(found) = self.find(&path) {
            return Ok(found);
        }
        let indexed = read(segment, &path).map_err(|reason| CutError::Segment {
            path: path.clone(),
            reason,
        })?;
        self.keep(path, indexed.clone());
        Ok(indexed)
    }

    fn find(&self, path: &PathBuf) -> Option<Indexed> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let clock = held.clock;
        let entry = held.segments.get_mut(path)?;
        entry.used = clock;
        Some(entry.segment.clone())
    }

    fn keep(&self, path: PathBuf, segment: Indexed) {
        let bytes = frames_bytes(&segment.frames);
        if bytes > self.limit_bytes {
            return;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while held.bytes + bytes > self.limit_bytes && held.drop_oldest() {}
        held.clock += 1;
        let used = held.clock;
        held.bytes += bytes;
        let entry = Entry {
            segment,
            bytes,
            used,
        };
        if let Some(before) = held.segments.insert(path, entry) {
            held.bytes -= before.bytes;
        }
    }
}

impl Held {
    fn drop_oldest(&mut self) -> bool {
        let oldest = self.segments.iter().min_by_key(|(_, entry)| entry.used);
        let Some(path) = oldest.map(|(path, _)| path.clone()) else {
            return false;
        };
        if let Some(entry) = self.segments.remove(&path) {
            self.bytes -= entry.bytes;
        }
        true
    }
}

fn frames_bytes(frames: &SegmentFrames) -> usize {
    let tracks = frames.tracks.iter().map(|track| {
        let entries: usize = track.descriptions.iter().map(Vec::len).sum();
        entries + track.frames.capacity() * size_of::<Frame>()
    });
    256 + tracks.sum::<usize>()
}

/// Reads a segment by what it is, whatever its name says: wubloader names what is MP4 `.ts`.
fn read(segment: &Segment, path: &PathBuf) -> Result<Indexed, String> {
    let said = |error: io::Error| error.to_string();
    // Opening a pipe would wait for somebody to write.
    if !std::fs::metadata(path).map_err(said)?.is_file() {
        return Err("it is no file".to_owned());
    }
    let file = File::open(path).map_err(said)?;
    let bytes = file.metadata().map_err(said)?.len();
    let mut start = [0; SNIFFED_BYTES];
    let read = file.read_at(&mut start, 0).map_err(said)?;
    let start = start.get(..read).unwrap_or_default();
    let is_ts =
        start.first() == Some(&TS_SYNC) && start.get(188).is_none_or(|next| *next == TS_SYNC);
    let (frames, skipped) = if is_ts {
        let found = ts_frames(&file, segment.name.start).map_err(|error| error.to_string())?;
        (found.frames, found.skipped)
    } else if is_mp4(start) {
        let found = mp4_frames(&file, segment.name.start).map_err(said)?;
        (found.frames, found.skipped)
    } else {
        return Err(format!(
            "it is neither MP4 nor MPEG-TS, by its first bytes ({bytes} bytes in all)"
        ));
    };
    if frames.tracks.is_empty() {
        let reasons: Vec<String> = skipped.iter().map(Skipped::to_string).collect();
        return Err(match reasons.is_empty() {
            true => "no whole frame is in it".to_owned(),
            false => format!("no track of it can be cut: {}", reasons.join("; ")),
        });
    }
    Ok(Indexed {
        source: SourceFile {
            path: path.clone(),
            bytes,
        },
        frames: Arc::new(frames),
        skipped: Arc::from(skipped),
    })
}

fn is_mp4(start: &[u8]) -> bool {
    let kind = start.get(4..8);
    const FIRST: [&[u8]; 8] = [
        b"ftyp", b"styp", b"moov", b"free", b"uuid", b"skip", b"wide", b"mdat",
    ];
    kind.is_some_and(|kind| FIRST.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{FrameKind, FrameTrack, Place};
    use crate::utc::UtcNs;

    const LIMIT_BYTES: usize = 1 << 20;

    fn segment(frames: usize) -> Indexed {
        let frame = Frame {
            pts: 0,
            dts: 0,
            duration: 1,
            bytes: 1,
            file: 0,
            description: 0,
            kind: FrameKind::Sync,
            utc: UtcNs(0),
            place: Place::Plain { offset: 0 },
        };
        let track = FrameTrack {
            is_video: true,
            timescale: 90_000,
            orientation: Default::default(),
            descriptions: vec![Vec::new()],
            frames: vec![frame; frames],
        };
        Indexed {
            source: SourceFile {
                path: PathBuf::new(),
                bytes: 1,
            },
            frames: Arc::new(SegmentFrames {
                mark: None,
                tracks: vec![track],
                is_whole: true,
            }),
            skipped: Arc::from([]),
        }
    }

    fn name(number: usize) -> PathBuf {
        PathBuf::from(number.to_string())
    }

    #[test]
    fn however_many_segments_are_read_the_memory_for_their_frames_is_bounded() {
        let cache = FrameCache::new(LIMIT_BYTES);
        cache.keep(name(0), segment(1000));
        for number in 1..200 {
            cache.keep(name(number), segment(1000));
            assert!(cache.find(&name(0)).is_some(), "it is used all the time");
            assert!(cache.find(&name(number)).is_some(), "it is the newest");
            let held = cache.held.lock().expect("nobody panics");
            let frames = held.segments.values().map(|entry| &entry.segment.frames);
            let bytes: usize = frames.map(|frames| frames_bytes(frames)).sum();
            assert_eq!(bytes, held.bytes);
            assert!(bytes <= LIMIT_BYTES);
        }
        assert!(cache.find(&name(1)).is_none(), "it was used longest ago");
    }

    #[test]
    fn a_segment_of_more_frames_than_the_cache_may_hold_drives_nothing_out() {
        let cache = FrameCache::new(LIMIT_BYTES);
        cache.keep(name(0), segment(1000));
        cache.keep(name(1), segment(1_000_000));
        assert!(cache.find(&name(0)).is_some());
        assert!(cache.find(&name(1)).is_none());
    }
}
