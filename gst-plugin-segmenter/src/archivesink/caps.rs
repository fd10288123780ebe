// SPDX-License-Identifier: MPL-2.0
//! From GStreamer caps to what the archive's containers need to know of a stream.
//!
//! One function per question: which caps a pad takes, which codec and configuration caps mean,
//! how long a frame usually lasts. A stream that cannot be recorded gets an error that names
//! what was missing and which element puts it there.

use crate::media::{Codec, Colour, OpusMapping, Track, VideoFormat};

/// What MP4 segments take on `video`.
const MP4_VIDEO: &str = "video/x-h264, stream-format=(string){ avc, avc3 }, alignment=au; \
    video/x-h265, stream-format=(string){ hvc1, hev1 }, alignment=au; \
    video/x-av1, stream-format=obu-stream, alignment=tu; \
    video/x-vp9, alignment=(string){ super-frame, frame }; video/x-vp9";
/// What MP4 segments take on `audio_%u`.
const MP4_AUDIO: &str = "audio/mpeg, mpegversion=4, stream-format=raw; \
    audio/x-opus, channel-mapping-family=(int)[ 0, 255 ]; \
    audio/mpeg, mpegversion=1, layer=(int)[ 2, 3 ], parsed=true; \
    audio/x-ac3, framed=true, alignment=frame; audio/x-eac3, framed=true, alignment=frame; \
    audio/x-flac, framed=true; audio/x-alaw; audio/x-mulaw";
/// What MPEG-TS segments take on `video`. Inside, a parser makes byte-stream of it all the same;
/// with the configuration aside, which is preferred, segments can be given it at any keyframe.
const TS_VIDEO: &str = "video/x-h264, stream-format=(string){ avc, avc3, byte-stream }, alignment=au; \
    video/x-h265, stream-format=(string){ hvc1, hev1, byte-stream }, alignment=au";
/// What MPEG-TS segments take on `audio_%u`.
const TS_AUDIO: &str = "audio/mpeg, mpegversion=4, stream-format=(string){ raw, adts }; \
    audio/mpeg, mpegversion=1, layer=[ 1, 3 ], parsed=true; \
    audio/x-opus, channel-mapping-family=(int)[ 0, 255 ]; audio/x-ac3, framed=true; \
    audio/x-eac3, framed=true";

/// What a stream is, as far as its caps tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// The caps a pad takes; `None` for the union over the containers.
pub fn accepted(kind: Kind, mpegts: Option<bool>) -> gst::Caps {
    let text = match (kind, mpegts) {
        (Kind::Video, Some(false)) => MP4_VIDEO.to_owned(),
        (Kind::Audio, Some(false)) => MP4_AUDIO.to_owned(),
        (Kind::Video, Some(true)) => TS_VIDEO.to_owned(),
        (Kind::Audio, Some(true)) => TS_AUDIO.to_owned(),
        (Kind::Video, None) => format!("{MP4_VIDEO}; {TS_VIDEO}"),
        (Kind::Audio, None) => format!("{MP4_AUDIO}; {TS_AUDIO}"),
    };
    // The texts are constants, checked by a test.
    text.parse().unwrap_or_else(|_| gst::Caps::new_empty())
}

/// Why a stream cannot be recorded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapsError {
    /// The caps lack a field.
    #[error("caps {caps} have no {field}; put {remedy} before archivesink")]
    Missing {
        /// The caps as they came.
        caps: String,
        /// What was not there.
        field: &'static str,
        /// The element that puts it there.
        remedy: &'static str,
    },
    /// No container here holds this.
    #[error("caps {0} cannot be recorded; the pad's template lists what can")]
    Unsupported(String),
}

/// The track that caps describe, for MP4.
///
/// # Errors
/// Names the field that is missing and the element that would set it.
pub fn track(caps: &gst::CapsRef) -> Result<Track, CapsError> {
    let unsupported = || CapsError::Unsupported(caps.to_string());
    let s = caps.structure(0).ok_or_else(unsupported)?;
    let codec = match s.name().as_str() {
        "video/x-h264" => Codec::H264 {
            avcc: codec_data(caps, s, "h264parse")?,
            in_band: s.get("stream-format") == Ok("avc3"),
            format: video_format(caps, s, "h264parse")?,
        },
        "video/x-h265" => Codec::H265 {
            hvcc: codec_data(caps, s, "h265parse")?,
            in_band: s.get("stream-format") == Ok("hev1"),
            format: video_format(caps, s, "h265parse")?,
        },
        "video/x-av1" => Codec::Av1 {
            av1c: codec_data(caps, s, "av1parse")?,
            format: video_format(caps, s, "av1parse")?,
        },
        "video/x-vp9" => vp9(caps, s)?,
        "audio/mpeg" => mpeg_audio(caps, s)?,
        // The configuration is the first frame's (`incomplete`).
        "audio/x-ac3" => {
            let (channels, rate) = channels_and_rate(caps, s, "ac3parse")?;
            Codec::Ac3 {
                dac3: codec_data(caps, s, "ac3parse")?,
                channels,
                rate,
            }
        }
        "audio/x-eac3" => {
            let (channels, rate) = channels_and_rate(caps, s, "ac3parse")?;
            Codec::Eac3 {
                dec3: codec_data(caps, s, "ac3parse")?,
                channels,
                rate,
            }
        }
        "audio/x-opus" => opus(caps, s)?,
        "audio/x-flac" => flac(caps, s)?,
        "audio/x-alaw" => {
            let (channels, rate) = channels_and_rate(caps, s, "alawenc or rtppcmadepay")?;
            Codec::Alaw { channels, rate }
        }
        "audio/x-mulaw" => {
            let (channels, rate) = channels_and_rate(caps, s, "mulawenc or rtppcmudepay")?;
            Codec::Mulaw { channels, rate }
        }
        _ => return Err(unsupported()),
    };
    Ok(Track {
        timescale: timescale(&codec),
        codec,
    })
}

/// Ticks per second: 90 kHz for pictures, the sample rate for sound.
fn timescale(codec: &Codec) -> u32 {
    match codec {
        Codec::Aac { rate, .. }
        | Codec::Mp2 { rate, .. }
        | Codec::Mp3 { rate, .. }
        | Codec::Ac3 { rate, .. }
        | Codec::Eac3 { rate, .. }
        | Codec::Flac { rate, .. }
        | Codec::Alaw { rate, .. }
        | Codec::Mulaw { rate, .. } => *rate,
        Codec::Opus { .. } => 48_000,
        _ => 90_000,
    }
}

/// How long a frame usually lasts, in nanoseconds: for buffers that do not say.
pub fn nominal_duration_ns(caps: &gst::CapsRef) -> i64 {
    const SECOND_NS: i64 = 1_000_000_000;
    let Some(s) = caps.structure(0) else {
        return SECOND_NS / 25;
    };
    if let Ok(rate) = s.get::<gst::Fraction>("framerate")
        && rate.numer() > 0
    {
        return SECOND_NS * i64::from(rate.denom()) / i64::from(rate.numer());
    }
    let samples = match (s.name().as_str(), s.get::<i32>("mpegversion")) {
        ("audio/mpeg", Ok(1)) => 1152,
        ("audio/mpeg", _) => 1024,
        ("audio/x-ac3" | "audio/x-eac3", _) => 1536,
        ("audio/x-opus", _) => 960,
        ("audio/x-flac", _) => 4096,
        ("audio/x-alaw" | "audio/x-mulaw", _) => 160,
        _ => return SECOND_NS / 25,
    };
    let rate = s.get::<i32>("rate").unwrap_or(48_000).max(1);
    SECOND_NS * samples / i64::from(rate)
}

/// Over how many pictures a stream is reordered, as a first guess from its profile; `None` for
/// sound, which is never reordered.
pub fn reorder_depth(caps: &gst::CapsRef) -> Option<usize> {
    let s = caps.structure(0)?;
    match s.name().as_str() {
        "video/x-h264" => match s.get::<&str>("profile") {
            // Neither has B slices (H.264 A.2.1).
            Ok("baseline" | "constrained-baseline") => Some(0),
            _ => Some(2),
        },
        "video/x-h265" => Some(2),
        name if name.starts_with("video/") => Some(0),
        _ => None,
    }
}

fn missing(caps: &gst::CapsRef, field: &'static str, remedy: &'static str) -> CapsError {
    CapsError::Missing {
        caps: caps.to_string(),
        field,
        remedy,
    }
}

fn bytes(buffer: &gst::BufferRef) -> Option<Vec<u8>> {
    Some(buffer.map_readable().ok()?.as_slice().to_vec())
}

fn codec_data(
    caps: &gst::CapsRef,
    s: &gst::StructureRef,
    parser: &'static str,
) -> Result<Vec<u8>, CapsError> {
    s.get::<gst::Buffer>("codec_data")
        .ok()
        .and_then(|buffer| bytes(buffer.as_ref()))
        .ok_or_else(|| missing(caps, "codec_data", parser))
}

fn video_format(
    caps: &gst::CapsRef,
    s: &gst::StructureRef,
    parser: &'static str,
) -> Result<VideoFormat, CapsError> {
    let side = |field| {
        s.get::<i32>(field)
            .ok()
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| *value > 0)
            .ok_or_else(|| missing(caps, field, parser))
    };
    let aspect = s
        .get::<gst::Fraction>("pixel-aspect-ratio")
        .ok()
        .and_then(|par| Some((par.numer().try_into().ok()?, par.denom().try_into().ok()?)));
    Ok(VideoFormat {
        width: side("width")?,
        height: side("height")?,
        pixel_aspect: aspect.unwrap_or((1, 1)),
        colour: colour(s),
        orientation: Default::default(),
    })
}

fn colour(s: &gst::StructureRef) -> Option<Colour> {
    let colorimetry: gst_video::VideoColorimetry =
        s.get::<&str>("colorimetry").ok()?.parse().ok()?;
    let code = |value: u32| u16::try_from(value).unwrap_or(2);
    Some(Colour {
        primaries: code(colorimetry.primaries().to_iso()),
        transfer: code(colorimetry.transfer().to_iso()),
        matrix: code(colorimetry.matrix().to_iso()),
        full_range: colorimetry.range() == gst_video::VideoColorRange::Range0_255,
    })
}

fn channels_and_rate(
    caps: &gst::CapsRef,
    s: &gst::StructureRef,
    remedy: &'static str,
) -> Result<(u16, u32), CapsError> {
    let positive = |field| {
        s.get::<i32>(field)
            .ok()
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| *value > 0)
            .ok_or_else(|| missing(caps, field, remedy))
    };
    let channels = u16::try_from(positive("channels")?)
        .map_err(|_| CapsError::Unsupported(caps.to_string()))?;
    Ok((channels, positive("rate")?))
}

fn vp9(caps: &gst::CapsRef, s: &gst::StructureRef) -> Result<Codec, CapsError> {
    let format = video_format(caps, s, "vp9parse")?;
    let profile = s
        .get::<&str>("profile")
        .ok()
        .and_then(|text| text.parse().ok());
    let depth = s
        .get::<u32>("bit-depth-luma")
        .ok()
        .and_then(|bits| bits.try_into().ok());
    let chroma_subsampling = match s.get::<&str>("chroma-format") {
        Ok("4:4:4") => 3,
        Ok("4:2:2") => 2,
        _ => 1,
    };
    Ok(Codec::Vp9 {
        profile: profile.unwrap_or(0),
        level: 0,
        bit_depth: depth.unwrap_or(8),
        chroma_subsampling,
        format,
    })
}

fn mpeg_audio(caps: &gst::CapsRef, s: &gst::StructureRef) -> Result<Codec, CapsError> {
    let (channels, rate) = channels_and_rate(caps, s, "aacparse or mpegaudioparse")?;
    match (s.get::<i32>("mpegversion"), s.get::<i32>("layer")) {
        (Ok(1), Ok(2)) => Ok(Codec::Mp2 { channels, rate }),
        (Ok(1), Ok(3)) => Ok(Codec::Mp3 { channels, rate }),
        (Ok(2 | 4), _) => Ok(Codec::Aac {
            audio_specific_config: codec_data(caps, s, "aacparse")?,
            channels,
            rate,
        }),
        _ => Err(CapsError::Unsupported(caps.to_string())),
    }
}

fn opus(caps: &gst::CapsRef, s: &gst::StructureRef) -> Result<Codec, CapsError> {
    let family: i32 = s.get("channel-mapping-family").unwrap_or(0);
    let byte = |field, default| {
        s.get::<i32>(field)
            .ok()
            .map_or(default, |value| value.clamp(0, 255) as u8)
    };
    let channels = byte("channels", 2);
    let mapping = match u8::try_from(family) {
        Ok(0) | Err(_) => None,
        Ok(family) => {
            let order: gst::ArrayRef = s
                .get("channel-mapping")
                .map_err(|_| missing(caps, "channel-mapping", "opusparse"))?;
            let order = order.iter().filter_map(|value| value.get::<i32>().ok());
            Some(OpusMapping {
                family,
                streams: byte("stream-count", 1),
                coupled: byte("coupled-count", 0),
                channels: order.map(|channel| channel.clamp(0, 255) as u8).collect(),
            })
        }
    };
    Ok(Codec::Opus {
        channels,
        // Priming belongs to the start of the stream, and only the first segment holds that.
        pre_skip: 0,
        input_rate: s
            .get::<i32>("rate")
            .ok()
            .and_then(|rate| rate.try_into().ok())
            .unwrap_or(48_000),
        gain: 0,
        mapping,
    })
}

fn flac(caps: &gst::CapsRef, s: &gst::StructureRef) -> Result<Codec, CapsError> {
    let (channels, rate) = channels_and_rate(caps, s, "flacparse")?;
    let headers: gst::ArrayRef = s
        .get("streamheader")
        .map_err(|_| missing(caps, "streamheader", "flacparse"))?;
    let headers: Vec<Vec<u8>> = headers
        .iter()
        .filter_map(|value| bytes(value.get::<gst::Buffer>().ok()?.as_ref()))
        .collect();
    let metadata =
        flac_stream_info(&headers).ok_or_else(|| missing(caps, "STREAMINFO", "flacparse"))?;
    // Bits per sample less one: 5 bits, 103 bits into STREAMINFO (RFC 9639 §8.2).
    let bits = match metadata.get(16..18) {
        Some([high, low]) => ((u16::from(high & 1) << 4) | u16::from(low >> 4)) + 1,
        _ => 16,
    };
    Ok(Codec::Flac {
        metadata,
        channels,
        rate,
        bits,
    })
}

/// The STREAMINFO block with its header, marked as the last one. In Ogg's mapping, which caps
/// use, it stands 13 bytes into the first header (RFC 9639 §10.1).
fn flac_stream_info(headers: &[Vec<u8>]) -> Option<Vec<u8>> {
    const BLOCK_BYTES: usize = 38;
    let first = headers.first()?;
    let start = if first.starts_with(b"\x7fFLAC") {
        13
    } else {
        0
    };
    let mut block = first.get(start..start + BLOCK_BYTES)?.to_vec();
    // Type 0, and the flag that no block follows.
    *block.first_mut()? = 0x80;
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init() {
        gst::init().expect("GStreamer starts");
    }

    #[test]
    fn every_caps_text_parses() {
        init();
        for kind in [Kind::Video, Kind::Audio] {
            for mpegts in [None, Some(false), Some(true)] {
                assert!(!accepted(kind, mpegts).is_empty(), "{kind:?} {mpegts:?}");
            }
        }
    }

    #[test]
    fn a_field_that_is_missing_is_named_with_the_element_that_sets_it() {
        init();
        let caps: gst::Caps = "video/x-h264, stream-format=avc, alignment=au"
            .parse()
            .expect("caps");
        let error = track(&caps).expect_err("no codec_data").to_string();
        assert!(
            error.contains("codec_data") && error.contains("h264parse"),
            "{error}"
        );
    }

    #[test]
    fn colour_and_aspect_are_kept() {
        init();
        let caps: gst::Caps =
            "video/x-h264, stream-format=avc, alignment=au, width=720, height=576, \
            pixel-aspect-ratio=16/15, colorimetry=bt709, codec_data=(buffer)01640020"
                .parse()
                .expect("caps");
        let track = track(&caps).expect("complete");
        let format = track.codec.video().expect("video");
        assert_eq!(format.pixel_aspect, (16, 15));
        let bt709 = Colour {
            primaries: 1,
            transfer: 1,
            matrix: 1,
            full_range: false,
        };
        assert_eq!(format.colour, Some(bt709));
        assert_eq!(track.timescale, 90_000);
    }

    #[test]
    fn the_bits_of_flac_come_from_its_stream_info() {
        init();
        let mut header = b"\x7fFLAC\x01\x00\x00\x01fLaC".to_vec();
        header.extend_from_slice(&[0, 0, 0, 34]);
        let mut info = [0_u8; 34];
        // 44100 Hz, 2 channels, 24 bits (RFC 9639 §8.2: 20 + 3 + 5 bits from byte 10).
        info[10..14].copy_from_slice(&[0x0a, 0xc4, 0x43, 0x70]);
        header.extend_from_slice(&info);
        let caps = gst::Caps::builder("audio/x-flac")
            .field("framed", true)
            .field("channels", 2)
            .field("rate", 44_100)
            .field(
                "streamheader",
                gst::Array::new([gst::Buffer::from_slice(header)]),
            )
            .build();
        let Codec::Flac { bits, metadata, .. } = track(&caps).expect("complete").codec else {
            panic!("FLAC");
        };
        assert_eq!((bits, metadata.len(), metadata[0]), (24, 38, 0x80));
    }
}
