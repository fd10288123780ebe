// SPDX-License-Identifier: MPL-2.0
//! From sample entries (ISO/IEC 14496-12 §8.5.2) to caps.

/// What comes out of `video`: the form that MP4 has.
const VIDEO: &str = "video/x-h264, stream-format=(string){ avc, avc3 }, alignment=au; \
    video/x-h265, stream-format=(string){ hvc1, hev1 }, alignment=au; \
    video/x-av1, stream-format=obu-stream, alignment=tu; \
    video/x-vp9, alignment=super-frame";
/// What comes out of `audio_%u`.
const AUDIO: &str = "audio/mpeg, mpegversion=4, stream-format=raw, framed=true; \
    audio/x-opus, channel-mapping-family=(int)[ 0, 255 ]; \
    audio/mpeg, mpegversion=1, layer=3, parsed=true; audio/x-flac, framed=true; \
    audio/x-alaw; audio/x-mulaw";

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

/// The caps of samples with this entry.
///
/// # Errors
/// Says what cannot be made caps of.
pub fn of_entry(entry: &[u8]) -> Result<gst::Caps, String> {
    let kind = entry.get(4..8).unwrap_or_default();
    let name = crate::cut::names::of_entry(entry);
    let number = |at: usize| {
        let bytes = entry.get(at..).and_then(<[u8]>::first_chunk::<2>);
        bytes.map_or(0, |bytes| i32::from(u16::from_be_bytes(*bytes)))
    };
    let configuration = |kind: &[u8; 4], at: usize| {
        let found = child(entry.get(at..)?, kind)?;
        Some(gst::Buffer::from_slice(found.to_vec()))
    };
    let missing = || format!("{name} has no configuration");
    let pictures = |media: &str, format: &str, box_kind: &[u8; 4]| {
        let data = configuration(box_kind, VISUAL_BYTES).ok_or_else(missing)?;
        Ok(gst::Caps::builder(media)
            .field("stream-format", format)
            .field("alignment", "au")
            .field("codec_data", data)
            .field("width", number(32))
            .field("height", number(34))
            .build())
    };
    match kind {
        b"avc1" => pictures("video/x-h264", "avc", b"avcC"),
        b"avc3" => pictures("video/x-h264", "avc3", b"avcC"),
        b"hvc1" => pictures("video/x-h265", "hvc1", b"hvcC"),
        b"hev1" => pictures("video/x-h265", "hev1", b"hvcC"),
        b"mp4a" => {
            let esds = entry
                .get(AUDIO_BYTES..)
                .and_then(|rest| child(rest, b"esds"));
            let data = esds.and_then(audio_specific_config).ok_or_else(missing)?;
            Ok(gst::Caps::builder("audio/mpeg")
                .field("mpegversion", 4)
                .field("stream-format", "raw")
                .field("framed", true)
                .field("codec_data", gst::Buffer::from_slice(data.to_vec()))
                .field("channels", number(24))
                .field("rate", number(32))
                .build())
        }
        _ => Err(format!("{name} cannot be pushed")),
    }
}

const VISUAL_BYTES: usize = 8 + 78;
const AUDIO_BYTES: usize = 8 + 28;

/// The body of the first box of a kind.
fn child<'a>(mut boxes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    loop {
        let (size, rest) = boxes.split_first_chunk::<4>()?;
        let (found, _) = rest.split_first_chunk::<4>()?;
        let (this, after) = boxes.split_at_checked(u32::from_be_bytes(*size) as usize)?;
        if found == kind {
            return this.get(8..);
        }
        boxes = (!this.is_empty()).then_some(after)?;
    }
}

/// DecoderSpecificInfo (ISO/IEC 14496-1 §7.2.6.7) of an `esds`.
fn audio_specific_config(esds: &[u8]) -> Option<&[u8]> {
    let es = descriptor(esds.get(4..)?, 3)?;
    let config = descriptor(es.get(3..)?, 4)?;
    descriptor(config.get(13..)?, 5)
}

fn descriptor(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, mut rest) = bytes.split_first()?;
    let mut size = 0_usize;
    for _ in 0..4 {
        let (byte, after) = rest.split_first()?;
        rest = after;
        size = (size << 7) | usize::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            break;
        }
    }
    rest.get(..size).filter(|_| *found == tag)
}
