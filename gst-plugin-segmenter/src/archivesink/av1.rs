// SPDX-License-Identifier: MPL-2.0
//! What GStreamer's AV1 elements leave to the muxer: up to 1.22 their caps have no configuration, or
//! (`qtdemux`) one without the four bytes that it begins with, and temporal delimiters stand in the
//! frames, where MP4 wants none.

use crate::media;

/// OBU header and size of a temporal delimiter (AV1 specification §5.6).
const TEMPORAL_DELIMITER: [u8; 2] = [0x12, 0x00];

/// Marker and version of a configuration record (AV1-ISOBMFF §2.3.3).
const RECORD_START: u8 = 0x81;
const RECORD_BYTES: usize = 4;

/// Whether these are caps of AV1 whose configuration must be taken from a keyframe.
pub fn lacks_configuration(caps: &gst::CapsRef) -> bool {
    let s = caps.structure(0).filter(|s| s.name() == "video/x-av1");
    s.is_some_and(|s| {
        let is_record =
            |bytes: &[u8]| bytes.len() >= RECORD_BYTES && bytes.first() == Some(&RECORD_START);
        !codec_data(s).is_some_and(|bytes| is_record(&bytes))
    })
}

fn codec_data(s: &gst::StructureRef) -> Option<Vec<u8>> {
    let buffer = s.get::<gst::Buffer>("codec_data").ok()?;
    Some(buffer.map_readable().ok()?.to_vec())
}

/// The caps with the configuration that a keyframe carries, or that is what they have of it; `None`
/// if there is none.
pub fn configured(caps: &gst::Caps, keyframe: &gst::BufferRef) -> Option<gst::Caps> {
    let map = keyframe.map_readable().ok()?;
    let headless = || media::av1_configuration(&codec_data(caps.structure(0)?)?);
    let configuration = media::av1_configuration(&map).or_else(headless)?;
    let mut caps = caps.clone();
    let codec_data = gst::Buffer::from_mut_slice(configuration);
    caps.make_mut()
        .structure_mut(0)?
        .set("codec_data", codec_data);
    Some(caps)
}

/// The frame without the temporal delimiter at its head (AV1-ISOBMFF §2.4).
pub fn without_delimiter(buffer: gst::Buffer) -> gst::Buffer {
    let mut head = [0; 2];
    if buffer.copy_to_slice(0, &mut head).is_ok() && head == TEMPORAL_DELIMITER && buffer.size() > 2
    {
        buffer
            .copy_region(gst::BufferCopyFlags::all(), 2..)
            .unwrap_or(buffer)
    } else {
        buffer
    }
}
