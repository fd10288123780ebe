// SPDX-License-Identifier: MPL-2.0
//! What GStreamer's AV1 elements leave to the muxer: up to 1.22 their caps have no configuration,
//! and temporal delimiters stand in the frames, where MP4 wants none.

use crate::media;

/// OBU header and size of a temporal delimiter (AV1 specification §5.6).
const TEMPORAL_DELIMITER: [u8; 2] = [0x12, 0x00];

/// Whether these are caps of AV1 whose configuration must be taken from a keyframe.
pub fn lacks_configuration(caps: &gst::CapsRef) -> bool {
    caps.structure(0)
        .is_some_and(|s| s.name() == "video/x-av1" && !s.has_field("codec_data"))
}

/// The caps with the configuration that a keyframe carries; `None` if it carries none.
pub fn configured(caps: &gst::Caps, keyframe: &gst::BufferRef) -> Option<gst::Caps> {
    let map = keyframe.map_readable().ok()?;
    let configuration = media::av1_configuration(&map)?;
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
