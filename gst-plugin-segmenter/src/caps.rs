// SPDX-License-Identifier: MPL-2.0
//! From a sample entry to caps: what parsers, decoders and muxers are told of an archived track.
//!
//! The way back from caps is `archivesink`'s. Samples stay as they are stored, so the caps are those
//! of stored samples: `avc`, `hvc1`, raw AAC; a parser behind makes of them what is wanted. Of MPEG
//! audio the entry does not tell the layer, but the first sample does.

use crate::media::{Codec, Colour, EntryError, OpusMapping, VideoFormat, codec_of_entry};

/// MPEG audio from this rate on is MPEG-1's, and below half of it MPEG-2.5's.
const MPEG1_LOWEST_RATE: u32 = 32_000;

/// The caps of the samples of a sample entry, a whole box.
///
/// # Errors
/// If its codec is not known, or its configuration is not whole.
pub fn caps_of_entry(entry: &[u8]) -> Result<gst::Caps, EntryError> {
    codec_of_entry(entry).map(|codec| caps_of_codec(&codec))
}

/// The caps of the samples of a codec.
pub fn caps_of_codec(codec: &Codec) -> gst::Caps {
    match codec {
        Codec::H264 {
            avcc,
            in_band,
            format,
        } => h264(avcc, *in_band, format),
        Codec::H265 {
            hvcc,
            in_band,
            format,
        } => h265(hvcc, *in_band, format),
        Codec::Av1 { av1c, format } => av1(av1c, format),
        Codec::Vp9 {
            profile,
            bit_depth,
            chroma_subsampling,
            format,
            ..
        } => vp9(*profile, *bit_depth, *chroma_subsampling, format),
        Codec::Aac {
            audio_specific_config,
            channels,
            rate,
        } => aac(audio_specific_config, *channels, *rate),
        Codec::Mp2 { channels, rate } => mpeg_audio(2, *channels, *rate),
        Codec::Mp3 { channels, rate } => mpeg_audio(3, *channels, *rate),
        Codec::Ac3 { channels, rate, .. } => dolby("audio/x-ac3", *channels, *rate),
        Codec::Eac3 { channels, rate, .. } => dolby("audio/x-eac3", *channels, *rate),
        Codec::Opus {
            channels,
            input_rate,
            mapping,
            ..
        } => opus(*channels, *input_rate, mapping.as_ref()),
        Codec::Flac {
            metadata,
            channels,
            rate,
            ..
        } => sound("audio/x-flac", *channels, *rate)
            .field("framed", true)
            .field("streamheader", flac_headers(metadata))
            .build(),
        Codec::Alaw { channels, rate } => sound("audio/x-alaw", *channels, *rate).build(),
        Codec::Mulaw { channels, rate } => sound("audio/x-mulaw", *channels, *rate).build(),
    }
}

type Builder = gst::caps::Builder<gst::caps::NoFeature>;

fn h264(avcc: &[u8], in_band: bool, format: &VideoFormat) -> gst::Caps {
    // Profile, compatibility and level stand as in a parameter set (ISO/IEC 14496-15 §5.3.3.1).
    let sps = avcc.get(1..4);
    let profile = sps.and_then(|sps| gst_pbutils::codec_utils_h264_get_profile(sps).ok());
    let level = sps.and_then(|sps| gst_pbutils::codec_utils_h264_get_level(sps).ok());
    picture("video/x-h264", format)
        .field("stream-format", if in_band { "avc3" } else { "avc" })
        .field("alignment", "au")
        .field("codec_data", buffer(avcc))
        .field_if_some("profile", profile)
        .field_if_some("level", level)
        .build()
}

fn h265(hvcc: &[u8], in_band: bool, format: &VideoFormat) -> gst::Caps {
    // The general part of profile_tier_level stands there (ISO/IEC 14496-15 §8.3.3.1).
    let general = hvcc.get(1..13);
    let profile = general.and_then(|bytes| gst_pbutils::codec_utils_h265_get_profile(bytes).ok());
    let tier = general.and_then(|bytes| gst_pbutils::codec_utils_h265_get_tier(bytes).ok());
    let level = general.and_then(|bytes| gst_pbutils::codec_utils_h265_get_level(bytes).ok());
    picture("video/x-h265", format)
        .field("stream-format", if in_band { "hev1" } else { "hvc1" })
        .field("alignment", "au")
        .field("codec_data", buffer(hvcc))
        .field_if_some("profile", profile)
        .field_if_some("tier", tier)
        .field_if_some("level", level)
        .build()
}

fn av1(av1c: &[u8], format: &VideoFormat) -> gst::Caps {
    // Three bits after the marker and version (AV1-ISOBMFF §2.3.3).
    let profile = av1c.get(1).and_then(|byte| match byte >> 5 {
        0 => Some("main"),
        1 => Some("high"),
        2 => Some("professional"),
        _ => None,
    });
    picture("video/x-av1", format)
        .field("stream-format", "obu-stream")
        .field("alignment", "tu")
        .field("codec_data", buffer(av1c))
        .field_if_some("profile", profile)
        .build()
}

fn vp9(profile: u8, bit_depth: u8, chroma_subsampling: u8, format: &VideoFormat) -> gst::Caps {
    let chroma = match chroma_subsampling {
        2 => "4:2:2",
        3 => "4:4:4",
        _ => "4:2:0",
    };
    picture("video/x-vp9", format)
        .field("alignment", "super-frame")
        .field("profile", profile.to_string())
        .field("chroma-format", chroma)
        .field("bit-depth-luma", u32::from(bit_depth))
        .field("bit-depth-chroma", u32::from(bit_depth))
        .build()
}

fn aac(config: &[u8], channels: u16, rate: u32) -> gst::Caps {
    let whole = Some(config).filter(|config| config.len() >= 2);
    let profile = whole.and_then(|config| gst_pbutils::codec_utils_aac_get_profile(config).ok());
    let level = whole.and_then(|config| gst_pbutils::codec_utils_aac_get_level(config).ok());
    sound("audio/mpeg", channels, rate)
        .field("mpegversion", 4)
        .field("framed", true)
        .field("stream-format", "raw")
        .field("codec_data", buffer(config))
        .field_if_some("base-profile", profile.clone())
        .field_if_some("profile", profile)
        .field_if_some("level", level)
        .build()
}

fn mpeg_audio(layer: i32, channels: u16, rate: u32) -> gst::Caps {
    let version = match rate {
        MPEG1_LOWEST_RATE.. => 1,
        _ if rate >= MPEG1_LOWEST_RATE / 2 => 2,
        _ => 3,
    };
    sound("audio/mpeg", channels, rate)
        .field("mpegversion", 1)
        .field("mpegaudioversion", version)
        .field("layer", layer)
        .field("parsed", true)
        .build()
}

fn dolby(name: &str, channels: u16, rate: u32) -> gst::Caps {
    sound(name, channels, rate)
        .field("framed", true)
        .field("alignment", "frame")
        .build()
}

/// MPEG audio of some layer.
pub fn is_mpeg_audio(caps: &gst::CapsRef) -> bool {
    caps.structure(0)
        .is_some_and(|s| s.name() == "audio/mpeg" && s.get("mpegversion") == Ok(1))
}

/// Says of which layer it is.
pub fn set_layer(caps: &mut gst::Caps, layer: u8) {
    caps.make_mut().set("layer", i32::from(layer));
}

fn opus(channels: u8, input_rate: u32, mapping: Option<&OpusMapping>) -> gst::Caps {
    let family = mapping.map_or(0, |mapping| mapping.family);
    let order = mapping.map(|mapping| {
        let channels = mapping.channels.iter().map(|channel| i32::from(*channel));
        gst::Array::new(channels)
    });
    let (streams, coupled) = match mapping {
        Some(mapping) => (mapping.streams, mapping.coupled),
        None => (1, u8::from(channels == 2)),
    };
    // Informative, and 0 where it is not known.
    let rate = if input_rate == 0 { 48_000 } else { input_rate };
    sound("audio/x-opus", channels.into(), rate)
        .field("channel-mapping-family", i32::from(family))
        .field("stream-count", i32::from(streams))
        .field("coupled-count", i32::from(coupled))
        .field_if_some("channel-mapping", order)
        .build()
}

/// The headers of a FLAC stream as Ogg has them (RFC 9639 §10.1), which caps take over: the first
/// block behind a signature and the number of those that follow, then one block each.
fn flac_headers(metadata: &[u8]) -> gst::Array {
    let blocks: Vec<&[u8]> = flac_blocks(metadata).collect();
    let following = u16::try_from(blocks.len().saturating_sub(1)).unwrap_or(0);
    let mut first = b"\x7fFLAC\x01\x00".to_vec();
    first.extend_from_slice(&following.to_be_bytes());
    first.extend_from_slice(b"fLaC");
    first.extend_from_slice(blocks.first().copied().unwrap_or_default());
    let rest = blocks.iter().skip(1).map(|block| buffer(block));
    gst::Array::new(std::iter::once(buffer(&first)).chain(rest))
}

/// The whole blocks of metadata (RFC 9639 §8.1), each with its header.
fn flac_blocks(mut metadata: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let [_, high, middle, low] = *metadata.first_chunk::<4>()?;
        let bytes = u32::from_be_bytes([0, high, middle, low]) as usize;
        let (block, rest) = metadata.split_at_checked(4 + bytes)?;
        metadata = rest;
        Some(block)
    })
}

fn picture(name: &str, format: &VideoFormat) -> Builder {
    let (horizontal, vertical) = format.pixel_aspect;
    let aspect = i32::try_from(horizontal)
        .ok()
        .zip(i32::try_from(vertical).ok());
    let aspect = aspect.filter(|(horizontal, vertical)| *horizontal > 0 && *vertical > 0);
    let (horizontal, vertical) = aspect.unwrap_or((1, 1));
    gst::Caps::builder(name)
        .field("width", number(format.width))
        .field("height", number(format.height))
        .field(
            "pixel-aspect-ratio",
            gst::Fraction::new(horizontal, vertical),
        )
        .field_if_some("colorimetry", format.colour.as_ref().map(colorimetry))
}

fn colorimetry(colour: &Colour) -> String {
    let range = if colour.full_range {
        gst_video::VideoColorRange::Range0_255
    } else {
        gst_video::VideoColorRange::Range16_235
    };
    let colorimetry = gst_video::VideoColorimetry::new(
        range,
        gst_video::VideoColorMatrix::from_iso(colour.matrix.into()),
        gst_video::VideoTransferFunction::from_iso(colour.transfer.into()),
        gst_video::VideoColorPrimaries::from_iso(colour.primaries.into()),
    );
    colorimetry.to_string()
}

fn sound(name: &str, channels: u16, rate: u32) -> Builder {
    gst::Caps::builder(name)
        .field("channels", i32::from(channels))
        .field("rate", number(rate))
}

fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn buffer(bytes: &[u8]) -> gst::Buffer {
    gst::Buffer::from_slice(bytes.to_vec())
}

#[cfg(test)]
mod tests;
