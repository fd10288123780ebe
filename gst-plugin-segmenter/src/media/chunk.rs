// SPDX-License-Identifier: MPL-2.0
//! The head of a chunk: `prft`, `moof` and the header of `mdat`; the frames follow as they are.
//!
//! Defaults in `tfhd` keep a `moof` small: what all samples of a run share stands there once,
//! and `trun` holds only what differs.

use mp4_atom::{BufMut, Encode, Header, Mfhd, Prft, Tfdt, Tfhd, Trun, TrunEntry};

use super::mark::TimeSource;
use super::{MediaError, ntp};
use crate::utc::UtcNs;

/// Sample flags (ISO/IEC 14496-12 §8.8.3.1) of a sync sample: depends on no other.
pub const FLAGS_SYNC: u32 = 0x0200_0000;
/// Sample flags of any other sample: depends on others, is no sync sample.
pub const FLAGS_NON_SYNC: u32 = 0x0101_0000;
/// The bit of the sample flags that says a sample is no sync sample.
pub const FLAG_IS_NON_SYNC: u32 = 0x0001_0000;

/// One sample of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Its bytes in the chunk.
    pub bytes: u32,
    /// Ticks until the next sample of the track is decoded.
    pub duration: u32,
    /// Presentation time less decoding time, in ticks.
    pub composition_offset: i32,
    /// Decoding can start here.
    pub sync: bool,
}

/// Consecutive samples of one track in a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Index of the track in the segment.
    pub track: usize,
    /// Decoding time of the first sample in the track's ticks, from zero at the segment's start.
    pub base_decode_time: u64,
    /// The samples, in decoding order.
    pub samples: Vec<Sample>,
}

/// The wall-clock time of one presentation time of a chunk, from which all others follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtcPoint {
    /// Index of the track whose ticks `media_time` counts.
    pub track: usize,
    /// A presentation time in the track's ticks, before the edit list.
    pub media_time: u64,
    /// The moment of UTC that is.
    pub utc: UtcNs,
}

/// Everything of a chunk before its first frame. The caller writes the frames of all runs right
/// behind it, in the order of `runs`.
///
/// `sequence` counts the chunks of a segment from 1.
///
/// # Errors
/// If a run has no sample, if the samples are more than 2 GiB, or if the point lies outside the
/// years that NTP time covers.
pub fn chunk_header(
    sequence: u32,
    point: &UtcPoint,
    source: TimeSource,
    runs: &[Run],
) -> Result<Vec<u8>, MediaError> {
    if runs.is_empty() || runs.iter().any(|run| run.samples.is_empty()) {
        return Err(MediaError::EmptyChunk);
    }
    let samples: usize = runs.iter().map(|run| run.samples.len()).sum();
    let mut buf = Vec::with_capacity(128 + 64 * runs.len() + 16 * samples);
    Prft {
        reference_track_id: track_id(point.track),
        ntp_timestamp: ntp::from_utc(point.utc)?,
        media_time: point.media_time,
        utc_time_semantics: source.semantics(),
    }
    .encode(&mut buf)?;
    let payload = runs.iter().map(run_bytes).sum();
    let mdat = mdat_header(payload)?;
    encode_moof(&mut buf, sequence, runs, mdat.len())?;
    buf.extend_from_slice(&mdat);
    Ok(buf)
}

/// The id of a track in the boxes; ids start at 1.
fn track_id(track: usize) -> u32 {
    u32::try_from(track).unwrap_or(u32::MAX).saturating_add(1)
}

fn run_bytes(run: &Run) -> u64 {
    let bytes = |sample: &Sample| u64::from(sample.bytes);
    run.samples.iter().map(bytes).sum()
}

/// The header of `mdat`; its size takes 64 bits where 32 do not hold it.
fn mdat_header(payload: u64) -> Result<Vec<u8>, MediaError> {
    let mut buf = Vec::with_capacity(16);
    Header {
        kind: b"mdat".into(),
        size: Some(usize::try_from(payload).map_err(|_| MediaError::ChunkTooLarge(payload))?),
    }
    .encode(&mut buf)?;
    Ok(buf)
}

fn encode_moof(
    buf: &mut Vec<u8>,
    sequence: u32,
    runs: &[Run],
    mdat_header_bytes: usize,
) -> Result<(), MediaError> {
    let start = buf.len();
    let mut offset_fields = Vec::with_capacity(runs.len());
    buf.encode_atom(b"moof", |buf| {
        Mfhd {
            sequence_number: sequence,
        }
        .encode(buf)?;
        runs.iter().try_for_each(|run| {
            offset_fields.push(encode_track_fragment(buf, run)?);
            Ok(())
        })
    })?;
    // A run's place counts from the start of the moof, whose size is known only now.
    let mut offset = (buf.len() - start + mdat_header_bytes) as u64;
    for (run, field) in runs.iter().zip(offset_fields) {
        let fitting = i32::try_from(offset).map_err(|_| MediaError::ChunkTooLarge(offset))?;
        buf.set_slice(field, &fitting.to_be_bytes());
        offset += run_bytes(run);
    }
    Ok(())
}

/// Writes one `traf` and returns where in `buf` the data offset of its run stands.
fn encode_track_fragment(buf: &mut Vec<u8>, run: &Run) -> Result<usize, mp4_atom::Error> {
    /// Size, type, version and flags, sample count.
    const BYTES_BEFORE_OFFSET: usize = 16;
    let shared = Shared::of(&run.samples);
    let mut field = 0;
    buf.encode_atom(b"traf", |buf| {
        Tfhd {
            track_id: track_id(run.track),
            default_sample_duration: shared.duration,
            default_sample_size: shared.bytes,
            default_sample_flags: Some(shared.flags),
            default_base_is_moof: true,
            ..Tfhd::default()
        }
        .encode(buf)?;
        Tfdt {
            base_media_decode_time: run.base_decode_time,
        }
        .encode(buf)?;
        field = buf.len() + BYTES_BEFORE_OFFSET;
        Trun {
            data_offset: Some(0),
            samples: shared.entries(&run.samples).into(),
        }
        .encode(buf)
    })?;
    Ok(field)
}

/// What all samples of a run have in common.
struct Shared {
    duration: Option<u32>,
    bytes: Option<u32>,
    flags: u32,
    flags_differ: FlagsDiffer,
    presented_as_decoded: bool,
}

enum FlagsDiffer {
    Nowhere,
    FirstOnly,
    Anywhere,
}

impl Shared {
    fn of(samples: &[Sample]) -> Self {
        let (first, rest) = match samples.split_first() {
            Some((first, rest)) => (*first, rest),
            None => (Sample::default(), samples),
        };
        let usual = rest.first().unwrap_or(&first).sync;
        let flags_differ = if rest.iter().any(|sample| sample.sync != usual) {
            FlagsDiffer::Anywhere
        } else if first.sync != usual {
            FlagsDiffer::FirstOnly
        } else {
            FlagsDiffer::Nowhere
        };
        let all = |same: fn(&Sample, &Sample) -> bool| rest.iter().all(|s| same(s, &first));
        Self {
            duration: all(|a, b| a.duration == b.duration).then_some(first.duration),
            bytes: all(|a, b| a.bytes == b.bytes).then_some(first.bytes),
            flags: flags(usual),
            flags_differ,
            presented_as_decoded: samples.iter().all(|s| s.composition_offset == 0),
        }
    }

    fn entries(&self, samples: &[Sample]) -> Vec<TrunEntry> {
        let entry = |(index, sample): (usize, &Sample)| TrunEntry {
            duration: self.duration.is_none().then_some(sample.duration),
            size: self.bytes.is_none().then_some(sample.bytes),
            flags: match self.flags_differ {
                FlagsDiffer::Nowhere => None,
                FlagsDiffer::FirstOnly => (index == 0).then(|| flags(sample.sync)),
                FlagsDiffer::Anywhere => Some(flags(sample.sync)),
            },
            cts: (!self.presented_as_decoded).then_some(sample.composition_offset.into()),
        };
        samples.iter().enumerate().map(entry).collect()
    }
}

fn flags(sync: bool) -> u32 {
    if sync { FLAGS_SYNC } else { FLAGS_NON_SYNC }
}
