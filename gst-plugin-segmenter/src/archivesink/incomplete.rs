// SPDX-License-Identifier: MPL-2.0
//! Caps without what a sample entry must say: the first frame that decoding can start at says it.

use crate::media::dolby_configuration;

use super::av1;

/// Whether these are caps whose configuration must be taken from a frame.
pub fn lacks_configuration(caps: &gst::CapsRef) -> bool {
    let is_dolby = caps.structure(0).is_some_and(|s| {
        ["audio/x-ac3", "audio/x-eac3"].contains(&s.name().as_str()) && !s.has_field("codec_data")
    });
    is_dolby || av1::lacks_configuration(caps)
}

/// The caps with the configuration that a frame carries; `None` if it carries none.
pub fn configured(caps: &gst::Caps, frame: &gst::BufferRef) -> Option<gst::Caps> {
    if caps.structure(0)?.name() == "video/x-av1" {
        return av1::configured(caps, frame);
    }
    let map = frame.map_readable().ok()?;
    let (is_enhanced, body) = dolby_configuration(&map)?;
    // `ac3parse` says which it is, but may have said it of a frame before.
    let name = if is_enhanced {
        "audio/x-eac3"
    } else {
        "audio/x-ac3"
    };
    let mut caps = caps.clone();
    let s = caps.make_mut().structure_mut(0)?;
    s.set_name(name);
    s.set("codec_data", gst::Buffer::from_mut_slice(body));
    Some(caps)
}
