// SPDX-License-Identifier: MPL-2.0
//! Samples out of a transport stream, in the form of MP4.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::super::frames::{Frame, Place};
use super::super::pictures::Coding;
use super::gather::elementary_bytes;
use super::latm;

/// Reads a sample out of its file.
///
/// # Errors
/// If reading fails; [`InvalidData`](io::ErrorKind::InvalidData) if the file is not what it was.
pub fn read_sample(file: &File, frame: &Frame, description: &[u8]) -> io::Result<Vec<u8>> {
    let Place::Pes { start, span, .. } = frame.place else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut bytes = vec![0; span as usize];
    file.read_exact_at(&mut bytes, start)?;
    read_pes_sample(&bytes, frame, description).ok_or_else(|| {
        let reason = format!("the frame at byte {start} is damaged, or not what it was");
        io::Error::new(io::ErrorKind::InvalidData, reason)
    })
}

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
        // What a sample is longer than, in a transport stream, is LATM around it.
        b"mp4a" if end - skip > usize::try_from(frame.bytes).ok()? => {
            latm::payload(stream.get(skip..end)?)?
        }
        _ => {
            stream.truncate(end);
            stream.split_off(skip)
        }
    };
    (sample.len() as u64 == u64::from(frame.bytes)).then_some(sample)
}
