// SPDX-License-Identifier: MPL-2.0
//! Where each sample of a virtual MP4 lies in its `mdat`.
//!
//! Tracks are interleaved in runs of about a second, as players on a network want it; inside a run
//! samples follow one another as they do in the segment, so that what lies together there stays
//! together and is read at once.

use super::super::assembly::{Assembly, AssemblyTrack, Part};
use super::times::Starts;

/// How much of one track stands together, in seconds.
const RUN_S: i64 = 1;
/// From here on offsets need 64 bits; the head is allowed for.
const LARGE_BYTES: u64 = (u32::MAX as u64) - (256 << 20);

/// The media of a file.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// One for each track.
    pub tracks: Vec<TrackLayout>,
    /// All bytes of the media in their order.
    pub slices: Vec<Slice>,
    /// How many those are.
    pub bytes: u64,
}

/// Where the samples of a track are.
#[derive(Clone, Debug, Default)]
pub struct TrackLayout {
    pub runs: Vec<Run>,
    /// Places need 64 bits.
    pub is_large: bool,
}

/// Samples of a track that lie together: what the standard calls a chunk (§8.7.1).
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub samples: u32,
    pub description: u16,
    /// Of its first byte, from the start of the media.
    pub at: u64,
}

/// Bytes that lie together at their source.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// The first byte after it, from the start of the media.
    pub end: u64,
    pub source: SliceSource,
}

/// Where the bytes of a slice are.
#[derive(Clone, Copy, Debug)]
pub enum SliceSource {
    File { file: u32, offset: u64 },
    Memory { offset: u64 },
    Spool { offset: u64 },
    Pes { sample: u32, from: u32 },
}

impl Layout {
    /// Lays out the samples of all tracks, whose edits start at `starts`.
    pub fn of(assembly: &Assembly, starts: &[Starts]) -> Self {
        let mut layout = Self {
            tracks: assembly
                .tracks
                .iter()
                .map(|_| TrackLayout::default())
                .collect(),
            ..Self::default()
        };
        let edited = assembly.tracks.iter().zip(starts);
        let zeros: Vec<i64> = edited.map(|(track, starts)| zero(track, starts)).collect();
        let mut next = vec![0; assembly.tracks.len()];
        while let Some(track) = earliest(&assembly.tracks, &zeros, &next) {
            let (Some(samples), Some(at)) = (assembly.tracks.get(track), next.get_mut(track))
            else {
                break;
            };
            *at += layout.add_run(assembly, samples, track, *at);
        }
        let is_large = layout.bytes >= LARGE_BYTES;
        for track in &mut layout.tracks {
            track.is_large = is_large;
        }
        layout
    }

    /// Adds one run; returns how many samples it has, which is at least one.
    fn add_run(
        &mut self,
        assembly: &Assembly,
        track: &AssemblyTrack,
        number: usize,
        first: usize,
    ) -> usize {
        let at = self.bytes;
        let mut samples = 0;
        let mut description = 0;
        let mut until = None;
        for sample in track.samples.get(first..).unwrap_or_default() {
            let limit = *until.get_or_insert_with(|| {
                description = sample.description;
                let ticks = RUN_S * i64::from(track.timescale.max(1));
                sample.dts.saturating_add(ticks)
            });
            if samples > 0 && (sample.description != description || sample.dts >= limit) {
                break;
            }
            for part in assembly.parts_of(sample) {
                self.add_part(part);
            }
            samples += 1;
        }
        if let Some(track) = self.tracks.get_mut(number) {
            track.runs.push(Run {
                samples,
                description,
                at,
            });
        }
        (samples as usize).max(1)
    }

    fn add_part(&mut self, part: &Part) {
        let bytes = u64::from(part.bytes());
        if bytes == 0 {
            return;
        }
        let source = match *part {
            Part::File { file, offset, .. } => SliceSource::File { file, offset },
            Part::Memory { offset, .. } => SliceSource::Memory { offset },
            Part::Spool { offset, .. } => SliceSource::Spool { offset },
            Part::Pes { sample, from, .. } => SliceSource::Pes { sample, from },
        };
        let start = self.last_start();
        let end = self.bytes + bytes;
        match self.slices.last_mut() {
            Some(last) if last.goes_on_with(source, start) => last.end = end,
            _ => self.slices.push(Slice { end, source }),
        }
        self.bytes = end;
    }

    fn last_start(&self) -> u64 {
        let before = self.slices.len().checked_sub(2);
        before
            .and_then(|at| self.slices.get(at))
            .map_or(0, |slice| slice.end)
    }
}

impl Slice {
    /// Whether `source` follows on this slice, which starts at `start`.
    fn goes_on_with(&self, source: SliceSource, start: u64) -> bool {
        let bytes = self.end - start;
        match (self.source, source) {
            (
                SliceSource::File { file, offset },
                SliceSource::File {
                    file: next,
                    offset: at,
                },
            ) => file == next && offset + bytes == at,
            (SliceSource::Memory { offset }, SliceSource::Memory { offset: at })
            | (SliceSource::Spool { offset }, SliceSource::Spool { offset: at }) => {
                offset + bytes == at
            }
            _ => false,
        }
    }
}

/// The media time at which presentation starts, where the tracks are together.
fn zero(track: &AssemblyTrack, starts: &Starts) -> i64 {
    let mut empty_ticks = 0_u64;
    for (edit, start) in track.edits.iter().zip(starts) {
        if let Some(start) = start {
            return start.saturating_sub_unsigned(empty_ticks);
        }
        empty_ticks = empty_ticks.saturating_add(edit.ticks);
    }
    0
}

/// The track whose next sample is decoded first.
fn earliest(tracks: &[AssemblyTrack], zeros: &[i64], next: &[usize]) -> Option<usize> {
    let waiting = tracks.iter().zip(zeros).zip(next).enumerate();
    let times = waiting.filter_map(|(number, ((track, zero), next))| {
        let sample = track.samples.get(*next)?;
        Some((time_ns(track, sample.dts.saturating_sub(*zero)), number))
    });
    times.min().map(|(_, number)| number)
}

fn time_ns(track: &AssemblyTrack, ticks: i64) -> i128 {
    i128::from(ticks) * 1_000_000_000 / i128::from(track.timescale.max(1))
}
