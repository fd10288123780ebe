// SPDX-License-Identifier: MPL-2.0
//! What may come out of the pads: the forms in which MP4 stores what can be archived, whatever the
//! segments are. [`crate::caps`] makes the caps of a track of its sample entry.

/// What comes out of `video`.
const VIDEO: &str = "video/x-h264, stream-format=(string){ avc, avc3 }, alignment=au; \
    video/x-h265, stream-format=(string){ hvc1, hev1 }, alignment=au; \
    video/x-av1, stream-format=obu-stream, alignment=tu; \
    video/x-vp9, alignment=super-frame";
/// What comes out of `audio_%u`.
const AUDIO: &str = "audio/mpeg, mpegversion=4, stream-format=raw, framed=true; \
    audio/x-opus, channel-mapping-family=(int)[ 0, 255 ]; \
    audio/mpeg, mpegversion=1, layer=[ 1, 3 ], parsed=true; audio/x-ac3, framed=true; \
    audio/x-eac3, framed=true; audio/x-flac, framed=true; audio/x-alaw; audio/x-mulaw";

/// The caps of the template `video`.
pub fn video() -> gst::Caps {
    parsed(VIDEO)
}

/// The caps of the template `audio_%u`.
pub fn audio() -> gst::Caps {
    parsed(AUDIO)
}

fn parsed(text: &str) -> gst::Caps {
    // The texts are constants, checked by a test.
    text.parse().unwrap_or_else(|_| gst::Caps::new_empty())
}
