// SPDX-License-Identifier: MPL-2.0
//! Sample entries (ISO/IEC 14496-12 §8.5.2): what a decoder is told before the first sample.
//!
//! `mp4-atom` has typed sample entries, and they are not used here for three reasons: it parses a
//! codec configuration and writes it anew (an `avcC` or `hvcC` with reserved bits or trailing
//! bytes would change, and with it what the encoder said), it has none for A-law and µ-law, and
//! its MP3 is QuickTime's `.mp3`, not ISO/IEC 14496-14's `mp4a`. So an entry is put together from
//! its fixed part (the crate's [`Visual`] and [`Audio`]) and the configuration's own bytes.

use mp4_atom::{
    Audio, BufMut, Colr, Dops, Encode, Esds, FixedPoint, FourCC, OpusChannelMapping, Pasp, Visual,
    VpcC, esds,
};

use super::format::{Codec, Colour, OpusMapping, VideoFormat};
use super::{MediaError, init::BoxResult};

/// Object types of `mp4a` (mp4ra.org, "Object types").
const OBJECT_AAC: u8 = 0x40;
const OBJECT_MPEG2_AUDIO: u8 = 0x69;
const OBJECT_MPEG1_AUDIO: u8 = 0x6B;
/// Stream type audio (ISO/IEC 14496-1 §7.2.6.6).
const STREAM_AUDIO: u8 = 5;
/// MPEG audio below this rate is MPEG-2's (ISO/IEC 13818-3).
const MPEG1_LOWEST_RATE: u32 = 32_000;

/// Writes the sample entry of `codec`; [`check`] has passed it.
pub fn encode(codec: &Codec, buf: &mut Vec<u8>) -> BoxResult {
    match codec {
        Codec::H264 {
            avcc,
            in_band,
            format,
        } => {
            let kind = if *in_band { b"avc3" } else { b"avc1" };
            video(buf, kind, format, |buf| raw(buf, b"avcC", avcc))
        }
        Codec::H265 {
            hvcc,
            in_band,
            format,
        } => {
            let kind = if *in_band { b"hev1" } else { b"hvc1" };
            video(buf, kind, format, |buf| raw(buf, b"hvcC", hvcc))
        }
        Codec::Av1 { av1c, format } => video(buf, b"av01", format, |buf| raw(buf, b"av1C", av1c)),
        Codec::Vp9 {
            profile,
            level,
            bit_depth,
            chroma_subsampling,
            format,
        } => {
            let vpcc = vpcc(*profile, *level, *bit_depth, *chroma_subsampling, format);
            video(buf, b"vp09", format, |buf| vpcc.encode(buf))
        }
        Codec::Aac {
            audio_specific_config,
            channels,
            rate,
        } => {
            let esds = elementary_stream(OBJECT_AAC, Some(audio_specific_config));
            audio(buf, b"mp4a", *channels, *rate, 16, |buf| esds.encode(buf))
        }
        Codec::Mp2 { channels, rate } | Codec::Mp3 { channels, rate } => {
            let object = if *rate < MPEG1_LOWEST_RATE {
                OBJECT_MPEG2_AUDIO
            } else {
                OBJECT_MPEG1_AUDIO
            };
            let esds = elementary_stream(object, None);
            audio(buf, b"mp4a", *channels, *rate, 16, |buf| esds.encode(buf))
        }
        Codec::Ac3 {
            dac3,
            channels,
            rate,
        } => audio(buf, b"ac-3", *channels, *rate, 16, |buf| {
            raw(buf, b"dac3", dac3)
        }),
        Codec::Eac3 {
            dec3,
            channels,
            rate,
        } => audio(buf, b"ec-3", *channels, *rate, 16, |buf| {
            raw(buf, b"dec3", dec3)
        }),
        Codec::Opus { .. } => opus(buf, codec),
        Codec::Flac {
            metadata,
            channels,
            rate,
            bits,
        } => audio(buf, b"fLaC", *channels, *rate, *bits, |buf| {
            flac_metadata(buf, metadata)
        }),
        Codec::Alaw { channels, rate } => audio(buf, b"alaw", *channels, *rate, 16, |buf| {
            channel_layout(buf, *channels)
        }),
        Codec::Mulaw { channels, rate } => audio(buf, b"ulaw", *channels, *rate, 16, |buf| {
            channel_layout(buf, *channels)
        }),
    }
}

/// Refuses configurations that no decoder could start from.
///
/// # Errors
/// Says what is wrong with which codec's configuration.
pub fn check(codec: &Codec) -> Result<(), MediaError> {
    let error = |codec, reason| Err(MediaError::Configuration { codec, reason });
    if let Some(VideoFormat { width, height, .. }) = codec.video() {
        let fits = |size: u32| (1..=u32::from(u16::MAX)).contains(&size);
        if !fits(*width) || !fits(*height) {
            return Err(MediaError::FrameSize(*width, *height));
        }
    }
    match codec {
        Codec::H264 { avcc, .. } if avcc.len() < 7 || avcc.first() != Some(&1) => error(
            "H.264",
            "an avcC record starts with a 1 and has at least 7 bytes",
        ),
        Codec::H265 { hvcc, .. } if hvcc.len() < 23 || hvcc.first() != Some(&1) => error(
            "H.265",
            "an hvcC record starts with a 1 and has at least 23 bytes",
        ),
        Codec::Av1 { av1c, .. } if av1c.len() < 4 || av1c.first() != Some(&0x81) => error(
            "AV1",
            "an av1C record starts with 0x81 and has at least 4 bytes",
        ),
        Codec::Aac {
            audio_specific_config,
            ..
        } if audio_specific_config.len() < 2 => {
            error("AAC", "an AudioSpecificConfig has at least 2 bytes")
        }
        Codec::Ac3 { dac3, .. } if dac3.len() < 3 => error("AC-3", "a dac3 record has 3 bytes"),
        Codec::Eac3 { dec3, .. } if dec3.len() < 5 => {
            error("E-AC-3", "a dec3 record has at least 5 bytes")
        }
        Codec::Flac { metadata, .. } if flac_blocks(metadata).is_none() => error(
            "FLAC",
            "it must be whole metadata blocks with their headers, STREAMINFO (34 bytes) first",
        ),
        _ => Ok(()),
    }
}

fn video(
    buf: &mut Vec<u8>,
    kind: &[u8; 4],
    format: &VideoFormat,
    configuration: impl FnOnce(&mut Vec<u8>) -> BoxResult,
) -> BoxResult {
    buf.encode_atom(kind, |buf| {
        Visual {
            data_reference_index: 1,
            // `check` has refused what does not fit.
            width: format.width as u16,
            height: format.height as u16,
            ..Visual::default()
        }
        .encode(buf)?;
        configuration(buf)?;
        if let Some(colour) = &format.colour {
            colr(colour).encode(buf)?;
        }
        let (h_spacing, v_spacing) = format.pixel_aspect;
        if h_spacing != v_spacing && h_spacing != 0 && v_spacing != 0 {
            Pasp::new(h_spacing, v_spacing)?.encode(buf)?;
        }
        Ok(())
    })
}

fn colr(colour: &Colour) -> Colr {
    Colr::Nclx {
        colour_primaries: colour.primaries,
        transfer_characteristics: colour.transfer,
        matrix_coefficients: colour.matrix,
        full_range_flag: colour.full_range,
    }
}

fn vpcc(profile: u8, level: u8, bit_depth: u8, subsampling: u8, format: &VideoFormat) -> VpcC {
    const UNSPECIFIED: u8 = 2;
    let byte = |value: Option<u16>| value.and_then(|value| u8::try_from(value).ok());
    let colour = format.colour;
    VpcC {
        profile,
        level,
        bit_depth,
        chroma_subsampling: subsampling,
        video_full_range_flag: colour.is_some_and(|colour| colour.full_range),
        color_primaries: byte(colour.map(|colour| colour.primaries)).unwrap_or(UNSPECIFIED),
        transfer_characteristics: byte(colour.map(|colour| colour.transfer)).unwrap_or(UNSPECIFIED),
        matrix_coefficients: byte(colour.map(|colour| colour.matrix)).unwrap_or(UNSPECIFIED),
        codec_initialization_data: Vec::new(),
    }
}

fn audio(
    buf: &mut Vec<u8>,
    kind: &[u8; 4],
    channels: u16,
    rate: u32,
    bits: u16,
    configuration: impl FnOnce(&mut Vec<u8>) -> BoxResult,
) -> BoxResult {
    buf.encode_atom(kind, |buf| {
        Audio {
            data_reference_index: 1,
            channel_count: channels,
            sample_size: bits,
            sample_rate: entry_rate(rate),
        }
        .encode(buf)?;
        configuration(buf)
    })
}

/// The 16.16 field takes rates up to 65535; a higher one is halved until it fits, as the FLAC
/// binding (§3.3) asks. The codec's own configuration holds the true rate.
fn entry_rate(rate: u32) -> FixedPoint<u16> {
    let mut fitting = rate;
    while fitting > u32::from(u16::MAX) {
        fitting /= 2;
    }
    FixedPoint::new(fitting as u16, 0)
}

fn opus(buf: &mut Vec<u8>, codec: &Codec) -> BoxResult {
    let Codec::Opus {
        channels,
        pre_skip,
        input_rate,
        gain,
        mapping,
    } = codec
    else {
        return Ok(());
    };
    let table = |mapping: &OpusMapping| OpusChannelMapping {
        family: mapping.family,
        stream_count: mapping.streams,
        coupled_count: mapping.coupled,
        channel_mapping: mapping.channels.clone(),
    };
    let dops = Dops {
        output_channel_count: *channels,
        pre_skip: *pre_skip,
        input_sample_rate: *input_rate,
        output_gain: *gain,
        channel_mapping: mapping.as_ref().map(table),
    };
    audio(buf, b"Opus", u16::from(*channels), 48_000, 16, |buf| {
        dops.encode(buf)
    })
}

/// The descriptors of `mp4a` (ISO/IEC 14496-14 §5.6): `ES_ID` 0 as §3.1.2 asks.
fn elementary_stream(object: u8, configuration: Option<&Vec<u8>>) -> Esds {
    Esds {
        es_desc: esds::EsDescriptor {
            dec_config: esds::DecoderConfig {
                object_type_indication: object,
                stream_type: STREAM_AUDIO,
                dec_specific: configuration.map(|raw| esds::DecoderSpecific {
                    raw: raw.clone(),
                    ..Default::default()
                }),
                ..Default::default()
            },
            ..Default::default()
        },
    }
}

/// `dfLa` (FLAC binding §3.3.2): version and flags, then the blocks, the last one marked as such.
fn flac_metadata(buf: &mut Vec<u8>, metadata: &[u8]) -> BoxResult {
    buf.encode_atom(FourCC::new(b"dfLa"), |buf| {
        0u32.encode(buf)?;
        let blocks = flac_blocks(metadata).unwrap_or_default();
        for (index, block) in blocks.iter().enumerate() {
            let last = index + 1 == blocks.len();
            let (kind, rest) = block.split_first().unwrap_or((&0, &[]));
            buf.push((kind & 0x7F) | if last { 0x80 } else { 0 });
            buf.extend_from_slice(rest);
        }
        Ok(())
    })
}

/// `chan` (QuickTime File Format, "Audio Channel Layout"), which goes with QuickTime's `alaw` and
/// `ulaw`: without it ffmpeg warns that it guesses the layout. The layout tag is all of it.
fn channel_layout(buf: &mut Vec<u8>, channels: u16) -> BoxResult {
    const LAYOUT_MONO: u32 = (100 << 16) | 1;
    const LAYOUT_STEREO: u32 = (101 << 16) | 2;
    let tag = match channels {
        1 => LAYOUT_MONO,
        2 => LAYOUT_STEREO,
        _ => return Ok(()),
    };
    buf.encode_atom(b"chan", |buf| {
        // Version and flags, tag, bitmap, number of descriptions.
        [0, tag, 0, 0]
            .iter()
            .try_for_each(|field| field.encode(buf))
    })
}

/// The metadata blocks (RFC 9639 §8.1), each with its header; `None` if they are not whole or do
/// not start with STREAMINFO.
fn flac_blocks(metadata: &[u8]) -> Option<Vec<&[u8]>> {
    const STREAMINFO_BYTES: usize = 34;
    let mut blocks = Vec::new();
    let mut rest = metadata;
    while let Some(header) = rest.first_chunk::<4>() {
        let [kind, high, middle, low] = *header;
        let bytes = u32::from_be_bytes([0, high, middle, low]) as usize;
        if blocks.is_empty() && (kind & 0x7F != 0 || bytes != STREAMINFO_BYTES) {
            return None;
        }
        let (block, after) = rest.split_at_checked(4 + bytes)?;
        blocks.push(block);
        rest = after;
    }
    (rest.is_empty() && !blocks.is_empty()).then_some(blocks)
}

fn raw(buf: &mut Vec<u8>, kind: &[u8; 4], body: &[u8]) -> BoxResult {
    buf.encode_atom(kind, |buf| {
        buf.extend_from_slice(body);
        Ok(())
    })
}
