// SPDX-License-Identifier: MPL-2.0
//! The mark of a segment: which run of which recorder it belongs to, its number in it, and
//! whether it follows on the segment before.
//!
//! File names tell when a segment starts, not whether a frame is missing before it, nor whether
//! two recorders of one stream wrote two neighbouring files. The mark tells, in a `uuid` box
//! (ISO/IEC 14496-12 §4.2) between `ftyp` and `moov`, which every player skips:
//!
//! | bytes | what |
//! |---|---|
//! | 16 | extended type 6f2b7c1e-58d4-4f0a-9b7d-3c1a5e8f2d46 |
//! | 1 | version, 0 |
//! | 3 | flags: 1 discontinuity, 2 the times come from the source's reference clock |
//! | 8 | origin: UTC of presentation time zero, nanoseconds since 1970, signed |
//! | 16 | run: drawn at random when the recorder starts |
//! | 4 | sequence: number of the segment in its run, from 0 |

use mp4_atom::{Encode, ReferenceTime, Uuid};

use super::MediaError;
use crate::utc::UtcNs;

/// The extended type of the `uuid` box.
pub const EXTENDED_TYPE: [u8; 16] = [
    0x6f, 0x2b, 0x7c, 0x1e, 0x58, 0xd4, 0x4f, 0x0a, 0x9b, 0x7d, 0x3c, 0x1a, 0x5e, 0x8f, 0x2d, 0x46,
];
const FLAG_DISCONTINUITY: u32 = 1;
pub(super) const FLAG_REFERENCE: u32 = 2;
/// Bytes of the mark after the extended type.
const BODY_BYTES: usize = 32;

/// Where the UTC of frames comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeSource {
    /// The source said when each frame was captured (RTCP sender reports, PTP).
    Reference,
    /// The recorder's clock, when the frame reached it.
    #[default]
    Clock,
}

impl TimeSource {
    /// The semantics of `prft` (ISO/IEC 14496-12 §8.16.5): 24, near the real time of what is
    /// shown, for the source's own clock; 8, a consistent association, for ours.
    pub(super) fn semantics(self) -> ReferenceTime {
        match self {
            Self::Reference => ReferenceTime::RealTime,
            Self::Clock => ReferenceTime::Consistent,
        }
    }
}

/// Where a segment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentMark {
    /// UTC of presentation time zero of the segment.
    pub origin: UtcNs,
    /// The segment does not follow on the one before in its run: frames may be missing between
    /// them, or the clock stepped.
    pub discontinuity: bool,
    /// Where the UTC of its frames comes from.
    pub time_source: TimeSource,
    /// The run of the recorder that wrote it, drawn at random when it starts.
    pub run: [u8; 16],
    /// Its number in that run, from 0.
    pub sequence: u32,
}

impl SegmentMark {
    /// Bytes of the body of the box, its extended type included.
    pub(super) const BOX_BODY_BYTES: u64 = (EXTENDED_TYPE.len() + BODY_BYTES) as u64;

    /// Reads the body of a `uuid` box; `None` if it is another one's.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let rest = body.strip_prefix(&EXTENDED_TYPE)?;
        let (version_and_flags, rest) = rest.split_first_chunk::<4>()?;
        let (origin, rest) = rest.split_first_chunk::<8>()?;
        let (run, rest) = rest.split_first_chunk::<16>()?;
        let (sequence, _) = rest.split_first_chunk::<4>()?;
        let flags = u32::from_be_bytes(*version_and_flags);
        (flags >> 24 == 0).then_some(Self {
            origin: UtcNs(i64::from_be_bytes(*origin)),
            discontinuity: flags & FLAG_DISCONTINUITY != 0,
            time_source: if flags & FLAG_REFERENCE != 0 {
                TimeSource::Reference
            } else {
                TimeSource::Clock
            },
            run: *run,
            sequence: u32::from_be_bytes(*sequence),
        })
    }

    pub(super) fn encode(&self, buf: &mut Vec<u8>) -> Result<(), MediaError> {
        let mut flags = 0;
        if self.discontinuity {
            flags |= FLAG_DISCONTINUITY;
        }
        if self.time_source == TimeSource::Reference {
            flags |= FLAG_REFERENCE;
        }
        let mut body = Vec::with_capacity(BODY_BYTES);
        body.extend_from_slice(&u32::to_be_bytes(flags));
        body.extend_from_slice(&self.origin.0.to_be_bytes());
        body.extend_from_slice(&self.run);
        body.extend_from_slice(&self.sequence.to_be_bytes());
        Ok(Uuid::Unknown(EXTENDED_TYPE.into(), body).encode(buf)?)
    }
}
