// SPDX-License-Identifier: MPL-2.0
//! Samples out of a transport stream, in the form of MP4.

use super::super::frames::{Frame, Place};
use super::gather::elementary_bytes;
use super::pictures::Coding;

/// Reads a sample: `span` is the file's bytes from `start` to `start + span` of the frame's
/// [`Place::Pes`], `description` the sample entry that the frame is decoded with. `None` if they
/// are damaged, or no longer what they were when the frame was found.
pub fn read_pes_sample(span: &[u8], frame: &Frame, description: &[u8]) -> Option<Vec<u8>> {
    let Place::Pes { skip, take, .. } = frame.place else {
        return None;
    };
    let skip = usize::try_from(skip).ok()?;
    let end = skip.checked_add(usize::try_from(take).ok()?)?;
    let mut stream = elementary_bytes(span, end)?;
    let codec = description.get(4..8)?.first_chunk::<4>()?;
    let sample = match codec {
        b"avc1" => Coding::H264.sample(stream.get(skip..end)?),
        b"hvc1" => Coding::H265.sample(stream.get(skip..end)?),
        _ => {
            stream.truncate(end);
            stream.split_off(skip)
        }
    };
    (sample.len() as u64 == u64::from(frame.bytes)).then_some(sample)
}
