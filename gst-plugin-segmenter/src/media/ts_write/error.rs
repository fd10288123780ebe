// SPDX-License-Identifier: MPL-2.0
//! Why a cut cannot be written as MPEG-TS.

use crate::media::EntryError;

/// What cannot be written as MPEG-TS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TsWriteError {
    /// Nothing to write.
    #[error("a transport stream needs at least one track")]
    NoTracks,
    /// More than the programme map has room for in one packet.
    #[error("{0} tracks are more than one programme map names; a cut to .mp4 takes them")]
    TooManyTracks(usize),
    /// There is no mapping of the codec to MPEG-TS that players know.
    #[error(
        "track {track} holds {codec}, which MPEG-TS has no place for: it takes H.264, H.265, AAC, \
         MP2, MP3, AC-3, E-AC-3 and Opus; cut to .mp4 for {codec}"
    )]
    Codec {
        /// Which track.
        track: usize,
        /// The codec's usual name.
        codec: &'static str,
    },
    /// A codec in a variety that MPEG-TS cannot name.
    #[error(
        "track {track} holds {codec} with {variety}, which MPEG-TS cannot say; cut to .mp4 for that"
    )]
    Variety {
        /// Which track.
        track: usize,
        /// The codec's usual name.
        codec: &'static str,
        /// What is special about it.
        variety: String,
    },
    /// The programme map names one codec for a track.
    #[error(
        "track {track} changes its codec or channels on the way, which MPEG-TS cannot say; cut to \
         .mp4, or up to the change"
    )]
    Changes {
        /// Which track.
        track: usize,
    },
    /// A sample entry that cannot be read.
    #[error("track {track}: {error}")]
    Entry {
        /// Which track.
        track: usize,
        /// What is wrong.
        error: EntryError,
    },
    /// A decoder configuration record that cannot be read.
    #[error("track {track}: its {codec} decoder configuration is damaged")]
    Configuration {
        /// Which track.
        track: usize,
        /// The codec's usual name.
        codec: &'static str,
    },
    /// A sample of a track that was not announced.
    #[error("a sample of track {0}, which was not announced")]
    UnknownTrack(usize),
    /// A sample of a description that was not announced.
    #[error("a sample of track {track} with description {description}, which was not announced")]
    UnknownDescription {
        /// Which track.
        track: usize,
        /// Which description.
        description: usize,
    },
    /// More than headers can say.
    #[error("track {track}: {bytes} bytes are too many for one frame of sound")]
    FrameTooLong {
        /// Which track.
        track: usize,
        /// Its bytes.
        bytes: usize,
    },
    /// Something the packet writer refused.
    #[error("a transport packet could not be written: {0}")]
    Packet(#[from] mpeg2ts::Error),
}
