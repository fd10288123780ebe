// SPDX-License-Identifier: MPL-2.0
//! The samples of a new file, put together from segments: a table, and no bytes but those that no
//! segment holds.
//!
//! This is what a cut amounts to before it becomes anything. The same table is a virtual MP4, a
//! stream of packets or the buffers of an element; it costs some 80 bytes per sample however large
//! the samples are.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::frames::Frame;
use super::orientation::Orientation;

/// Tracks, and where the bytes of their samples are.
#[derive(Clone, Debug, Default)]
pub struct Assembly {
    /// The files that parts name by their number.
    pub files: Vec<SourceFile>,
    /// What no file holds: pictures that were encoded, headers that were rewritten.
    pub memory: Vec<u8>,
    /// A file without a name that holds what would be too much for memory: whole ranges that were
    /// encoded.
    pub spool: Option<Arc<File>>,
    /// The samples' parts; a sample has a range of them.
    pub parts: Vec<Part>,
    /// Samples of transport streams that parts name by their number.
    pub pes: Vec<PesSample>,
    /// Pictures first.
    pub tracks: Vec<AssemblyTrack>,
}

/// A segment as it was when the cut was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it is.
    pub path: PathBuf,
    /// How long it was then; one that has another length by now is another file.
    pub bytes: u64,
}

/// Some bytes of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// As they are in a file.
    File {
        /// Number of the file.
        file: u32,
        /// The first byte.
        offset: u64,
        /// How many.
        bytes: u32,
    },
    /// In [`Assembly::memory`].
    Memory {
        /// The first byte.
        offset: u64,
        /// How many.
        bytes: u32,
    },
    /// In [`Assembly::spool`].
    Spool {
        /// The first byte.
        offset: u64,
        /// How many.
        bytes: u32,
    },
    /// Of a sample of a transport stream, in the form that MP4 has.
    Pes {
        /// Number of the sample.
        sample: u32,
        /// The first byte.
        from: u32,
        /// How many.
        bytes: u32,
    },
}

impl Part {
    /// How many bytes it is.
    pub fn bytes(&self) -> u32 {
        match *self {
            Self::File { bytes, .. }
            | Self::Memory { bytes, .. }
            | Self::Spool { bytes, .. }
            | Self::Pes { bytes, .. } => bytes,
        }
    }
}

/// A sample of a transport stream.
#[derive(Clone, Debug)]
pub struct PesSample {
    /// Its file, place and size.
    pub frame: Frame,
    /// Track and number of the sample entry that it was indexed with.
    pub entry: Arc<[u8]>,
}

/// One track.
#[derive(Clone, Debug, Default)]
pub struct AssemblyTrack {
    /// It holds pictures.
    pub is_video: bool,
    /// Ticks per second.
    pub timescale: u32,
    /// How its pictures are turned to be shown.
    pub orientation: Orientation,
    /// Sample entries, each a whole box.
    pub descriptions: Vec<Vec<u8>>,
    /// In decoding order.
    pub samples: Vec<AssemblySample>,
    /// What of the samples' time is presented, in order; empty presents all of it from zero.
    pub edits: Vec<Edit>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssemblySample {
    /// Presentation time in ticks; may be negative. In a virtual MP4 both are media time.
    pub pts: i64,
    /// Decoding time in ticks: increases, and is never after `pts`.
    pub dts: i64,
    /// Ticks for which it is shown.
    pub duration: u32,
    /// Bytes of all parts.
    pub bytes: u32,
    /// Number of its description.
    pub description: u16,
    /// Decoding can start here.
    pub is_entry: bool,
    /// Its parts.
    pub parts: Range<u32>,
}

/// A stretch of the presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The presentation time of the samples at which it starts; `None` if nothing is presented.
    pub pts: Option<i64>,
    /// How long it lasts, in ticks.
    pub ticks: u64,
}

impl Edit {
    /// The presentation time of the samples at which it ends; `None` if nothing is presented.
    pub fn end(&self) -> Option<i64> {
        Some(self.pts?.saturating_add_unsigned(self.ticks))
    }
}

impl Assembly {
    /// The parts of a sample.
    pub fn parts_of(&self, sample: &AssemblySample) -> &[Part] {
        let range = sample.parts.start as usize..sample.parts.end as usize;
        self.parts.get(range).unwrap_or_default()
    }
}

impl AssemblyTrack {
    /// Ticks for which the track is presented.
    pub fn presented_ticks(&self) -> u64 {
        self.edits.iter().map(|edit| edit.ticks).sum()
    }
}

/// Makes decoding times increase and keeps each at or before its presentation time, changing as
/// little as can be: what was copied keeps its times unless something after it needs the room.
/// Those that have to move are `gap` ticks apart.
pub fn settle_decoding_times(samples: &mut [AssemblySample], gap: i64) {
    let mut limit = i64::MAX;
    for sample in samples.iter_mut().rev() {
        sample.dts = sample.dts.min(sample.pts).min(limit);
        limit = sample.dts.saturating_sub(gap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pts: i64, dts: i64) -> AssemblySample {
        AssemblySample {
            pts,
            dts,
            duration: 10,
            bytes: 0,
            description: 0,
            is_entry: false,
            parts: 0..0,
        }
    }

    #[test]
    fn decoding_times_come_to_increase_and_never_pass_presentation() {
        let times = [(0, 0), (30, 10), (10, 20), (20, 20), (40, 15)];
        let mut samples: Vec<_> = times.iter().map(|(pts, dts)| sample(*pts, *dts)).collect();
        settle_decoding_times(&mut samples, 1);
        let settled: Vec<i64> = samples.iter().map(|sample| sample.dts).collect();
        assert_eq!(settled, [0, 9, 10, 14, 15]);
        for pair in samples.windows(2) {
            assert!(pair[0].dts < pair[1].dts);
        }
        assert!(samples.iter().all(|sample| sample.dts <= sample.pts));
    }
}
