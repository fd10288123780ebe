// SPDX-License-Identifier: MPL-2.0
//! What a track holds, as the recorder learns it from upstream: the codec with its configuration
//! in the bytes the codec's own standard defines, and how a picture is to be shown.

use super::orientation::Orientation;

/// How a picture's samples become colours (ISO/IEC 23091-2, formerly ISO/IEC 23001-8): written as
/// `colr` of type `nclx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// Colour primaries; 2 is unspecified.
    pub primaries: u16,
    /// Transfer characteristics; 2 is unspecified.
    pub transfer: u16,
    /// Matrix coefficients; 2 is unspecified.
    pub matrix: u16,
    /// Samples use the full range of their bits.
    pub full_range: bool,
}

/// How a picture is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// Coded width after cropping, in pixels.
    pub width: u32,
    /// Coded height after cropping, in pixels.
    pub height: u32,
    /// Width to height of one pixel; (1, 1) is square. Written as `pasp` unless square.
    pub pixel_aspect: (u32, u32),
    /// Colour, where upstream knows it.
    pub colour: Option<Colour>,
    /// How it is turned, where upstream knows it. The header of a track says so, not its entry.
    pub orientation: Orientation,
}

/// How the channels of an Opus stream are spread over its coupled and mono streams
/// (RFC 7845 §5.1.1); mapping family 0 (mono, stereo) has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusMapping {
    /// Mapping family, never 0.
    pub family: u8,
    /// Opus streams in each packet.
    pub streams: u8,
    /// How many of them are stereo.
    pub coupled: u8,
    /// The decoded channel that feeds each output channel; 255 is silence.
    pub channels: Vec<u8>,
}

/// A codec and its configuration.
///
/// Samples are whole access units in the form the sample entry asks for: H.264 and H.265 with
/// NAL unit lengths (never start codes), AV1 without temporal delimiters, AAC without ADTS
/// headers, one Opus packet, one frame of FLAC, MP2, MP3 or AC-3, one access unit of E-AC-3, any
/// number of A-law or µ-law octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264: `avc1`, or `avc3` where parameter sets may change inside the stream.
    H264 {
        /// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3), kept to the byte.
        avcc: Vec<u8>,
        /// Parameter sets may also stand in the samples.
        in_band: bool,
        /// How to show it.
        format: VideoFormat,
    },
    /// H.265: `hvc1`, or `hev1` where parameter sets may change inside the stream.
    H265 {
        /// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3), kept to the byte.
        hvcc: Vec<u8>,
        /// Parameter sets may also stand in the samples.
        in_band: bool,
        /// How to show it.
        format: VideoFormat,
    },
    /// AV1: `av01`.
    Av1 {
        /// AV1CodecConfigurationRecord (AV1-ISOBMFF §2.3.3), kept to the byte.
        av1c: Vec<u8>,
        /// How to show it.
        format: VideoFormat,
    },
    /// VP9: `vp09` (VP Codec ISO Media File Format Binding 1.0).
    Vp9 {
        /// Bitstream profile, 0 to 3.
        profile: u8,
        /// Level times ten (31 is 3.1); 0 where it is not known.
        level: u8,
        /// Bits per sample: 8, 10 or 12.
        bit_depth: u8,
        /// 0: 4:2:0 vertical, 1: 4:2:0 colocated with luma (0,0), 2: 4:2:2, 3: 4:4:4.
        chroma_subsampling: u8,
        /// How to show it.
        format: VideoFormat,
    },
    /// AAC: `mp4a` with object type 0x40.
    Aac {
        /// AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1), kept to the byte.
        audio_specific_config: Vec<u8>,
        /// Channels.
        channels: u16,
        /// Samples per second.
        rate: u32,
    },
    /// Opus: `Opus` (Encapsulation of Opus in ISO Base Media File Format §4.3).
    Opus {
        /// Output channels.
        channels: u8,
        /// Samples at 48 kHz that a decoder throws away at the start of the stream. Segments
        /// after the first of a stream carry none: 0.
        pre_skip: u16,
        /// Rate of what was encoded; informative, Opus decodes at 48 kHz.
        input_rate: u32,
        /// Gain to apply when decoding, in 1/256 dB.
        gain: i16,
        /// Where more than two channels, or an order of their own, are used.
        mapping: Option<OpusMapping>,
    },
    /// MPEG-1 or MPEG-2 layer III: `mp4a` with object type 0x6B or 0x69.
    Mp3 {
        /// Channels.
        channels: u16,
        /// Samples per second.
        rate: u32,
    },
    /// MPEG-1 or MPEG-2 layer II: as layer III, which samples alone tell it from.
    Mp2 {
        /// Channels.
        channels: u16,
        /// Samples per second.
        rate: u32,
    },
    /// AC-3: `ac-3` (ETSI TS 102 366 §F.3).
    Ac3 {
        /// The body of its `dac3` box (§F.4), kept to the byte.
        dac3: Vec<u8>,
        /// Channels.
        channels: u16,
        /// Samples per second.
        rate: u32,
    },
    /// E-AC-3: `ec-3` (ETSI TS 102 366 §F.5).
    Eac3 {
        /// The body of its `dec3` box (§F.6), kept to the byte.
        dec3: Vec<u8>,
        /// Channels of the first substream.
        channels: u16,
        /// Samples per second.
        rate: u32,
    },
    /// FLAC: `fLaC` (Encapsulation of FLAC in ISO Base Media File Format §3.3).
    Flac {
        /// Metadata blocks with their headers, STREAMINFO first (RFC 9639 §8); no `fLaC` marker.
        metadata: Vec<u8>,
        /// Channels.
        channels: u16,
        /// Samples per second.
        rate: u32,
        /// Bits per sample.
        bits: u16,
    },
    /// G.711 A-law: `alaw`.
    Alaw {
        /// Channels.
        channels: u16,
        /// Samples per second.
        rate: u32,
    },
    /// G.711 µ-law: `ulaw`.
    Mulaw {
        /// Channels.
        channels: u16,
        /// Samples per second.
        rate: u32,
    },
}

impl Codec {
    /// Says how pictures are turned.
    pub fn turn(&mut self, to: Orientation) {
        match self {
            Self::H264 { format, .. }
            | Self::H265 { format, .. }
            | Self::Av1 { format, .. }
            | Self::Vp9 { format, .. } => format.orientation = to,
            _ => {}
        }
    }

    /// How to show it; `None` for audio.
    pub fn video(&self) -> Option<&VideoFormat> {
        match self {
            Self::H264 { format, .. }
            | Self::H265 { format, .. }
            | Self::Av1 { format, .. }
            | Self::Vp9 { format, .. } => Some(format),
            _ => None,
        }
    }
}

/// One track of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Ticks per second: 90000 for video, the sample rate for audio (48000 for Opus).
    pub timescale: u32,
    /// What it holds.
    pub codec: Codec,
}
