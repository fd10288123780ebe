// SPDX-License-Identifier: MPL-2.0
//! A cut as MPEG-TS: written sample by sample, as it goes, with nothing held but the table.

use std::io::{self, Write};

use super::compose::Cut;
use super::error::CutError;
use super::request::{Request, Type};
use super::stretch::{rescale, ticks_ns};
use crate::media::assembly::{AssemblySample, AssemblyTrack};
use crate::media::{OpenFiles, TsSample, TsWriteError, TsWriter};

/// Ticks per second of MPEG-TS.
const TIMESCALE: u32 = 90_000;
/// Packets are written together, so many bytes.
const WRITTEN_BYTES: usize = 256 << 10;

/// Refuses what MPEG-TS cannot say.
///
/// # Errors
/// For a [`Copy`](Type::Copy) cut: it hides pictures, for which MPEG-TS has no means.
pub fn check_ts(request: &Request) -> Result<(), CutError> {
    match request.kind {
        Type::Copy => Err(CutError::Unfit {
            what: "a cut of type copy hides pictures by an edit list, which MPEG-TS has not"
                .to_owned(),
            remedy: "take an .mp4, or type smart, rough or full".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Writes a cut as MPEG-TS, and calls `progress` with the share that is done, in nanoseconds of
/// presentation.
///
/// # Errors
/// If a track has a codec that MPEG-TS has no place for, a segment cannot be read, or `out` says so.
pub fn write_ts<W: Write>(
    cut: &Cut,
    out: &mut W,
    mut progress: impl FnMut(i64),
) -> Result<(), CutError> {
    let tracks = &cut.assembly.tracks;
    let entries: Vec<&[Vec<u8>]> = tracks.iter().map(|track| &*track.descriptions).collect();
    let mut writer = TsWriter::new(&entries).map_err(refused)?;
    let files = OpenFiles::default();
    let (mut bytes, mut packets) = (Vec::new(), Vec::with_capacity(2 * WRITTEN_BYTES));
    let mut next = vec![0; tracks.len()];
    while let Some(number) = earliest(tracks, &next) {
        let (Some(track), Some(at)) = (tracks.get(number), next.get_mut(number)) else {
            break;
        };
        let Some(sample) = track.samples.get(*at) else {
            break;
        };
        *at += 1;
        // Sound that is only there to decode what follows.
        if sample.pts < 0 && !track.is_video {
            continue;
        }
        files.read(&cut.assembly, sample, &mut bytes)?;
        let to_write = TsSample {
            description: usize::from(sample.description),
            pts_90k: rescale(sample.pts, track.timescale, TIMESCALE),
            dts_90k: rescale(sample.dts, track.timescale, TIMESCALE),
            is_entry: sample.is_entry,
            bytes: &bytes,
        };
        writer
            .write(number, &to_write, &mut packets)
            .map_err(refused)?;
        if packets.len() >= WRITTEN_BYTES {
            out.write_all(&packets)?;
            packets.clear();
            progress(ticks_ns(sample.pts, track.timescale));
        }
    }
    writer.finish(&mut packets).map_err(refused)?;
    out.write_all(&packets)?;
    progress(cut.summary.duration_ns);
    Ok(())
}

fn refused(error: TsWriteError) -> CutError {
    CutError::Io(io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// The track whose next sample is decoded first.
fn earliest(tracks: &[AssemblyTrack], next: &[usize]) -> Option<usize> {
    let waiting = tracks.iter().zip(next).enumerate();
    let times = waiting.filter_map(|(number, (track, next))| {
        let sample: &AssemblySample = track.samples.get(*next)?;
        Some((ticks_ns(sample.dts, track.timescale), number))
    });
    times.min().map(|(_, number)| number)
}
