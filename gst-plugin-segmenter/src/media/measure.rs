// SPDX-License-Identifier: MPL-2.0
//! How much of a segment is whole, and how long that lasts: what recovery needs to know of a file
//! that a crash left, and verification of one that was closed.

use std::fs::File;
use std::io::{self, Read, Seek};

use super::scan::Scan;
use super::ts;
use crate::utc::UtcNs;

/// The whole part of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Bytes from the start that form a file which decodes without a complaint; 0 if none do.
    pub whole_bytes: u64,
    /// From the first frame shown to the end of the last, in nanoseconds.
    pub duration_ns: i64,
    /// UTC of the first frame shown, where the file says (`prft`; MPEG-TS does not).
    pub start: Option<UtcNs>,
}

/// Measures a segment.
///
/// # Errors
/// If reading fails. Damage is no error: it ends what is whole.
pub fn measure(file: &File, is_ts: bool) -> io::Result<Measured> {
    if is_ts {
        measure_ts(file)
    } else {
        measure_mp4(file)
    }
}

/// Measures a segment of fragmented MP4: whole up to the end of its last whole chunk.
///
/// # Errors
/// If reading fails.
pub fn measure_mp4(file: &File) -> io::Result<Measured> {
    measure_mp4_from(file)
}

/// As [`measure_mp4`], of anything that can be read.
///
/// # Errors
/// If reading fails.
pub fn measure_mp4_from<R: Read + Seek>(reader: R) -> io::Result<Measured> {
    let Some(mut scan) = Scan::open(reader)? else {
        return Ok(Measured::default());
    };
    let mut whole_bytes = 0;
    let mut span = Span::default();
    while let Some(chunk) = scan.next_chunk()? {
        whole_bytes = chunk.end;
        for sample in &chunk.samples {
            let track = scan.head.tracks.get(sample.track);
            let Some(track) = track.filter(|track| track.skipped.is_none()) else {
                continue;
            };
            let end = sample.pts.saturating_add(sample.duration.into());
            let origin = chunk.origins.get(sample.track).copied().flatten();
            span.add(
                track.presentation_ns(sample.pts),
                track.presentation_ns(end),
                origin,
            );
        }
    }
    Ok(Measured {
        whole_bytes,
        duration_ns: span.end_ns.saturating_sub(span.start_ns).max(0),
        start: span.origin.map(|origin| origin + span.start_ns),
    })
}

/// Measures a segment of MPEG-TS: whole up to the end of the last packet that cuts no PES packet
/// in two.
///
/// # Errors
/// If reading fails.
pub fn measure_ts(file: &File) -> io::Result<Measured> {
    ts::measure_from(file)
}

/// As [`measure_ts`], of anything that can be read.
///
/// # Errors
/// If reading fails.
pub fn measure_ts_from<R: Read + Seek>(reader: R) -> io::Result<Measured> {
    ts::measure_from(reader)
}

/// From the earliest frame shown to the end of the latest, in nanoseconds of presentation.
#[derive(Default)]
struct Span {
    is_set: bool,
    start_ns: i64,
    end_ns: i64,
    /// UTC of presentation time zero, as the earliest frame has it.
    origin: Option<UtcNs>,
}

impl Span {
    /// Adds a frame; one that the edit list hides counts only for what shows of it.
    fn add(&mut self, start_ns: i64, end_ns: i64, origin: Option<UtcNs>) {
        if end_ns <= 0 {
            return;
        }
        let start_ns = start_ns.max(0);
        if !self.is_set || start_ns < self.start_ns {
            self.start_ns = start_ns;
            self.origin = origin;
        }
        self.end_ns = if self.is_set {
            self.end_ns.max(end_ns)
        } else {
            end_ns
        };
        self.is_set = true;
    }
}
