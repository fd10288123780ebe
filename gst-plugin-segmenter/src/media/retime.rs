// SPDX-License-Identifier: MPL-2.0
//! Setting the wall clock of a segment right after the fact.
//!
//! A camera says what its clock shows only a second or three after the first frame (RTCP sender
//! reports come when they like, RFC 3550 §6.2), while frames are recorded at once, by the
//! recorder's clock. When the camera has spoken, the segments so far are moved by the difference.
//! Only the mark, the `prft`s and the creation time in `mvhd` say what time it is, so nothing else
//! changes, not even a size.

use super::boxes::read_header;
use super::init::creation_time;
use super::mark::{EXTENDED_TYPE, FLAG_REFERENCE};
use super::{MediaError, ntp};
use crate::utc::UtcNs;

/// Moves every wall-clock time in a whole MP4 segment by `shift_ns`, and marks them as the
/// source's own (see [`super::TimeSource::Reference`]).
///
/// # Errors
/// If a moved time lies outside the years that NTP time covers.
pub fn retime(segment: &mut [u8], shift_ns: i64) -> Result<(), MediaError> {
    let mut rest = segment;
    let mut origin = None;
    while let Some((size, kind)) = header(rest) {
        let (this, after) = rest.split_at_mut(size);
        match &kind {
            b"prft" => retime_prft(this, shift_ns)?,
            b"uuid" if this.get(8..24) == Some(&EXTENDED_TYPE) => {
                origin = retime_mark(this, shift_ns)
            }
            b"moov" => recreate(this, origin),
            _ => {}
        }
        rest = after;
    }
    Ok(())
}

/// Size and type of the box that `bytes` begin with, if it is whole.
fn header(bytes: &[u8]) -> Option<(usize, [u8; 4])> {
    let at = read_header(&mut std::io::Cursor::new(bytes), 0, bytes.len() as u64).ok()??;
    let size = usize::try_from(at.end).ok()?;
    (size <= bytes.len()).then_some((size, at.kind))
}

/// The semantics 24 (near real time) in the flags, and the NTP time (ISO/IEC 14496-12 §8.16.5).
fn retime_prft(this: &mut [u8], shift_ns: i64) -> Result<(), MediaError> {
    if let Some(flags) = this.get_mut(9..12) {
        flags.copy_from_slice(&[0, 0, 24]);
    }
    let Some(field) = this
        .get_mut(16..24)
        .and_then(|field| field.first_chunk_mut::<8>())
    else {
        return Ok(());
    };
    let moved = ntp::to_utc(u64::from_be_bytes(*field)) + shift_ns;
    *field = ntp::from_utc(moved)?.to_be_bytes();
    Ok(())
}

/// Returns the new origin.
fn retime_mark(this: &mut [u8], shift_ns: i64) -> Option<UtcNs> {
    let flags = this.get_mut(24..28)?.first_chunk_mut::<4>()?;
    *flags = (u32::from_be_bytes(*flags) | FLAG_REFERENCE).to_be_bytes();
    let field = this.get_mut(28..36)?.first_chunk_mut::<8>()?;
    let origin = UtcNs(i64::from_be_bytes(*field)) + shift_ns;
    *field = origin.0.to_be_bytes();
    Some(origin)
}

/// Creation and modification time in the `mvhd` of version 1 that our `moov` starts with
/// (ISO/IEC 14496-12 §8.2.2).
fn recreate(moov: &mut [u8], origin: Option<UtcNs>) {
    let ours = moov.get(12..17) == Some(b"mvhd\x01");
    let times = moov.get_mut(20..36).filter(|_| ours);
    if let Some((times, origin)) = times.zip(origin) {
        let time = creation_time(origin).to_be_bytes();
        times.copy_from_slice(&[time, time].concat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{
        Codec, Index, Run, Sample, SegmentMark, TimeSource, Track, UtcPoint, chunk_header, init,
    };

    fn segment(origin: UtcNs, time_source: TimeSource) -> Vec<u8> {
        let track = Track {
            timescale: 8_000,
            codec: Codec::Alaw {
                channels: 1,
                rate: 8_000,
            },
        };
        let mark = SegmentMark {
            origin,
            discontinuity: true,
            time_source,
            run: [7; 16],
            sequence: 3,
        };
        let mut bytes = init(&[(&track, 0)], &mark).expect("an init");
        for chunk in 0..3_u32 {
            let sample = Sample {
                bytes: 4,
                duration: 1_600,
                composition_offset: 0,
                sync: true,
            };
            let media_time = u64::from(chunk) * 1_600;
            let point = UtcPoint {
                track: 0,
                media_time,
                utc: origin + i64::from(chunk) * 200_000_000,
            };
            let runs = [Run {
                track: 0,
                base_decode_time: media_time,
                samples: vec![sample],
            }];
            bytes.extend(chunk_header(chunk + 1, &point, time_source, &runs).expect("a chunk"));
            bytes.extend([0; 4]);
        }
        bytes
    }

    #[test]
    fn a_segment_moved_is_the_segment_that_would_have_been_recorded_then() {
        let origin = UtcNs(1_790_000_000_123_456_789);
        let shift_ns = -7_250_000_001;
        let mut moved = segment(origin, TimeSource::Clock);
        retime(&mut moved, shift_ns).expect("in range");
        assert_eq!(moved, segment(origin + shift_ns, TimeSource::Reference));
        let index = Index::read(&mut std::io::Cursor::new(&moved)).expect("an index");
        assert_eq!(index.mark.expect("a mark").origin, origin + shift_ns);
    }

    #[test]
    fn a_truncated_segment_is_moved_as_far_as_it_goes_without_a_panic() {
        let whole = segment(UtcNs(1_790_000_000_000_000_000), TimeSource::Clock);
        for length in 0..whole.len() {
            let mut part = whole.get(..length).expect("shorter").to_vec();
            retime(&mut part, 1).expect("in range");
        }
    }
}
