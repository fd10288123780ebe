// SPDX-License-Identifier: MPL-2.0
//! Writing and reading segments of fragmented MP4 (ISO/IEC 14496-12), and measuring what a crash
//! left of a segment.
//!
//! A segment is a whole file: `ftyp`, a `uuid` box that says where it belongs ([`SegmentMark`]),
//! `moov`, then chunks. A chunk is `prft` + `moof` + `mdat` and is complete in itself, so the
//! last whole chunk is where a crashed segment is cut.
//!
//! Media time starts at zero in every segment (players take a `tfdt` in epoch time for the
//! duration), and the wall clock stands beside it: the `prft` before each `moof` ties one
//! presentation time of the chunk to UTC, and every other frame follows by subtraction. A
//! segment's edit list hides the reorder delay of B-frames and the priming of audio codecs, so
//! presentation starts at zero too.
//!
//! Writing copies no frame: [`init`] and [`chunk_header`] return the bytes around the frames,
//! and the caller writes header and frames in one vectored write. Reading ([`Index`],
//! [`measure()`]) takes hostile input: it reads box headers and `moof`s, seeks over `mdat`s, and
//! bounds what it keeps.
//!
//! Other people's segments may be plain MP4 as well, with tables in place of chunks: they are read
//! as one chunk.
//!
//! Cuts may also leave as MPEG-TS: [`TsWriter`].

mod aac;
pub mod assembly;
mod av1;
pub mod beginning;
pub mod bits;
mod boxes;
mod chunk;
pub mod configuration;
mod dolby;
mod entry;
mod entry_reading;
mod foreign;
mod format;
pub(crate) mod frames;
mod index;
mod init;
mod mark;
mod measure;
mod mp4_frames;
mod mpeg_audio;
pub mod nal;
mod ntp;
mod orientation;
pub(crate) mod pictures;
pub mod restart;
mod retime;
pub(crate) mod sample_reader;
mod sample_tables;
mod scan;
mod skipped;
pub(crate) mod ts;
mod ts_write;
mod virtual_mp4;

pub use av1::av1_configuration;
pub use chunk::{Run, Sample, UtcPoint, chunk_header};
pub(crate) use dolby::configuration as dolby_configuration;
pub use entry_reading::{EntryError, codec_of_entry, entry_configuration, entry_kind};
pub use format::{Codec, Colour, OpusMapping, Track, VideoFormat};
pub(crate) use frames::sort_by_showing;
pub use frames::{Frame, FrameKind, FrameTrack, Place, SegmentFrames};
pub use index::{Index, IndexChunk, IndexSample, IndexTrack};
pub use init::init;
pub use mark::{SegmentMark, TimeSource};
pub use measure::{Measured, measure, measure_mp4, measure_mp4_from, measure_ts, measure_ts_from};
pub use mp4_frames::{Mp4Frames, mp4_frames};
pub(crate) use mpeg_audio::Header as MpegAudioHeader;
pub use orientation::Orientation;
pub use retime::retime;
pub use sample_reader::OpenFiles;
pub use skipped::Skipped;
pub use ts::{TsError, TsFrames, read_pes_sample, ts_frames};
pub use ts_write::AnnexB;
pub use ts_write::{TsSample, TsWriteError, TsWriter};
pub use virtual_mp4::VirtualMp4;

/// What cannot be written as fragmented MP4.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// A segment without a track.
    #[error("a segment needs at least one track")]
    NoTracks,
    /// A track whose ticks have no length.
    #[error("track {0} has a timescale of 0; video takes 90000, audio its sample rate")]
    NoTimescale(usize),
    /// The sample entry holds 16 bits for each of width and height.
    #[error("a frame of {0}x{1} does not fit; width and height are 1 to 65535")]
    FrameSize(u32, u32),
    /// A codec configuration that no decoder could start from.
    #[error("the {codec} configuration is not valid: {reason}")]
    Configuration {
        /// The codec's usual name.
        codec: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A chunk with nothing in it.
    #[error("a chunk needs at least one run, and a run at least one sample")]
    EmptyChunk,
    /// More bytes than the boxes of one chunk can address.
    #[error("{0} bytes are too many for one chunk; its samples must start below 2 GiB")]
    ChunkTooLarge(u64),
    /// NTP time is 64 bits wide and only known to half an era around 2036.
    #[error("{0} cannot be written as NTP time, which reaches from 1968 to 2104")]
    TimeOutOfRange(crate::utc::UtcNs),
    /// A box that the box writer refused.
    #[error("a box could not be written: {0}")]
    Box(#[from] mp4_atom::Error),
}

#[cfg(test)]
mod tests;
