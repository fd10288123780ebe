// SPDX-License-Identifier: MPL-2.0
//! What the sample entry of the source says: which decoder its samples need, and what the
//! re-encoded ones must look like.

use super::EncodeError;
use super::hevc::HevcSps;
use super::sps::Sps;
use crate::media::nal::{self, Sets};

/// Size and kind of a box.
const BOX_HEADER_BYTES: usize = 8;
/// Up to the boxes inside a visual sample entry (ISO/IEC 14496-12 §12.1.3).
const ENTRY_FIXED_BYTES: usize = BOX_HEADER_BYTES + 78;
/// Where the width stands in a visual sample entry; the height follows.
const WIDTH_AT: usize = BOX_HEADER_BYTES + 24;
/// Where an HEVCDecoderConfigurationRecord has `general_level_idc`.
const HVCC_LEVEL_AT: usize = 12;

/// The codecs that can be encoded anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    H264,
    H265,
}

impl Codec {
    pub fn media_type(self) -> &'static str {
        match self {
            Self::H264 => "video/x-h264",
            Self::H265 => "video/x-h265",
        }
    }
}

/// A sample entry, understood.
#[derive(Clone, Debug)]
pub struct Source {
    pub codec: Codec,
    /// Parameter sets may stand in the samples (`avc3`, `hev1`).
    in_band: bool,
    width: u16,
    height: u16,
    /// The decoder configuration record.
    record: Vec<u8>,
    pub sets: Sets,
    /// The first SPS of an H.264 record.
    pub sps: Option<Sps>,
    /// The first SPS of an H.265 record.
    pub hevc_sps: Option<HevcSps>,
}

impl Source {
    /// Understands a whole `avc1`, `avc3`, `hvc1` or `hev1` box.
    pub fn parse(entry: &[u8]) -> Result<Self, EncodeError> {
        let kind = kind(entry).unwrap_or_default();
        let (codec, in_band, configuration) = match &kind {
            b"avc1" => (Codec::H264, false, b"avcC"),
            b"avc3" => (Codec::H264, true, b"avcC"),
            b"hvc1" => (Codec::H265, false, b"hvcC"),
            b"hev1" => (Codec::H265, true, b"hvcC"),
            _ => return Err(EncodeError::Codec(kind.escape_ascii().to_string())),
        };
        let damaged = || EncodeError::Configuration(configuration.escape_ascii().to_string());
        let record = entry.get(ENTRY_FIXED_BYTES..).unwrap_or_default();
        let record = child(record, configuration).ok_or_else(damaged)?;
        let sets = match codec {
            Codec::H264 => Sets::from_avcc(record),
            Codec::H265 => Sets::from_hvcc(record),
        };
        let sets = sets.ok_or_else(damaged)?;
        let first = sets.sps.first();
        let (sps, hevc_sps) = match codec {
            Codec::H264 => (first.and_then(|unit| Sps::parse(unit)), None),
            Codec::H265 => (None, first.and_then(|unit| HevcSps::parse(unit))),
        };
        Ok(Self {
            codec,
            in_band,
            width: number(entry, WIDTH_AT),
            height: number(entry, WIDTH_AT + 2),
            record: record.to_vec(),
            sets,
            sps,
            hevc_sps,
        })
    }

    /// What a decoder must be told of the samples, of which this is the first.
    pub fn caps(&self, frame_rate: gst::Fraction, first: &[u8]) -> gst::Caps {
        let format = match (self.codec, self.in_band) {
            (Codec::H264, false) => "avc",
            (Codec::H264, true) => "avc3",
            (Codec::H265, false) => "hvc1",
            (Codec::H265, true) => "hev1",
        };
        let mut caps = gst::Caps::builder(self.codec.media_type())
            .field("stream-format", format)
            .field("alignment", "au")
            .field("framerate", frame_rate)
            .field("codec_data", gst::Buffer::from_slice(self.record.clone()));
        if self.width > 0 && self.height > 0 {
            caps = caps
                .field("width", i32::from(self.width))
                .field("height", i32::from(self.height));
        }
        // Else a decoder goes by the first picture, and that may be the odd one out.
        caps = match &self.sps {
            Some(sps) if sps.is_progressive => caps.field("interlace-mode", "progressive"),
            Some(sps) => {
                let mut units = nal::in_sample(first, self.sets.length_bytes);
                let order = match units.find_map(|unit| sps.is_top_field_first(unit)) {
                    Some(false) => "bottom-field-first",
                    Some(true) | None => "top-field-first",
                };
                caps.field("interlace-mode", "interleaved")
                    .field("field-order", order)
            }
            None => caps,
        };
        caps.build()
    }

    /// An id that no parameter set of the record has and none of `taken` is: x264 numbers its SPS
    /// and its PPS alike. From the highest on, as sets that come in band later mostly have low ones.
    pub fn free_id(&self, taken: &[u32]) -> u32 {
        const HIGHEST: u32 = 31;
        let sets = self.sets.sps.iter().chain(&self.sets.pps);
        let own: Vec<u32> = sets.filter_map(|set| nal::h264::set_id(set)).collect();
        let is_free = |id: &u32| !own.contains(id) && !taken.contains(id);
        (1..=HIGHEST).rev().find(is_free).unwrap_or(HIGHEST)
    }

    /// `general_level_idc` of an H.265 source.
    pub fn h265_level(&self) -> Option<u8> {
        match self.codec {
            Codec::H264 => None,
            Codec::H265 => self.record.get(HVCC_LEVEL_AT).copied(),
        }
    }
}

fn kind(entry: &[u8]) -> Option<[u8; 4]> {
    entry.get(4..8)?.first_chunk().copied()
}

fn number(entry: &[u8], at: usize) -> u16 {
    let bytes = entry.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

/// The body of the first box of a kind.
fn child<'a>(mut boxes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    loop {
        let (size, _) = boxes.split_first_chunk::<4>()?;
        let size = usize::try_from(u32::from_be_bytes(*size)).ok()?;
        let (whole, rest) = boxes.split_at_checked(size)?;
        let (header, body) = whole.split_at_checked(BOX_HEADER_BYTES)?;
        if header.ends_with(kind) {
            return Some(body);
        }
        boxes = rest;
    }
}
