// SPDX-License-Identifier: MPL-2.0
//! The configuration of an AV1 stream, read from the stream itself: GStreamer 1.22 puts no
//! `codec_data` into AV1 caps, and what its caps say of profile and chroma does not always hold.
//!
//! The sequence header (AV1 §5.5) has no lengths inside it, so every field before the colour is
//! walked, and what the record does not need is skipped. The header may come from the network:
//! each read is bounded by the OBU, and a header that ends before its last field is none.

use mp4_atom::{Atom, Av1c};

use super::bits::Bits;

const OBU_SEQUENCE_HEADER: u8 = 1;
const FORBIDDEN_BIT: u8 = 0x80;
const EXTENSION_FLAG: u8 = 0x04;
const HAS_SIZE_FIELD: u8 = 0x02;
/// Every field at its widest takes less than 400 bytes; the rest could only be padding, and the
/// record is kept for as long as the stream runs.
const MAX_SEQUENCE_HEADER_BYTES: usize = 1024;
/// `seq_profile` above this is reserved (AV1 §6.4.1).
const MAX_PROFILE: u8 = 2;
/// `seq_level_idx` above this (from level 4.0 on) is followed by a tier (AV1 §5.5.1).
const MAX_LEVEL_WITHOUT_TIER: u8 = 7;
/// BT.709 primaries, sRGB transfer and identity matrix together are RGB (AV1 §5.5.2).
const RGB: (u32, u32, u32) = (1, 13, 0);
const UNSPECIFIED: (u32, u32, u32) = (2, 2, 2);

/// The AV1CodecConfigurationRecord (AV1-ISOBMFF §2.3.3), the body of `av1C`, of the stream that
/// `temporal_unit` belongs to. Its `configOBUs` are the sequence header as it stands in the
/// stream, with a size field.
///
/// `temporal_unit` is in the low-overhead format (AV1 §5.2): OBUs with a size field, which the
/// last one may lack. Only a temporal unit that starts a coded video sequence has a sequence
/// header. `None` if there is none, or if the first one is cut off or damaged.
pub fn av1_configuration(temporal_unit: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = temporal_unit;
    while !bytes.is_empty() {
        let (obu, rest) = Obu::split(bytes)?;
        if obu.kind() == OBU_SEQUENCE_HEADER {
            return record(&obu);
        }
        bytes = rest;
    }
    None
}

fn record(obu: &Obu) -> Option<Vec<u8>> {
    if obu.payload.len() > MAX_SEQUENCE_HEADER_BYTES {
        return None;
    }
    let mut av1c = sequence_header(&mut Bits::new(obu.payload))?;
    av1c.config_obus = obu.with_size()?;
    let mut record = Vec::new();
    av1c.encode_body(&mut record).ok()?;
    Some(record)
}

/// An open bitstream unit (AV1 §5.3).
struct Obu<'a> {
    header: u8,
    extension: Option<u8>,
    payload: &'a [u8],
}

impl<'a> Obu<'a> {
    /// The first OBU of `bytes`, and what follows it; `None` if it is not wholly there.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&header, mut rest) = bytes.split_first()?;
        if header & FORBIDDEN_BIT != 0 {
            return None;
        }
        let mut extension = None;
        if header & EXTENSION_FLAG != 0 {
            let (&byte, behind) = rest.split_first()?;
            extension = Some(byte);
            rest = behind;
        }
        let mut payload_bytes = rest.len();
        if header & HAS_SIZE_FIELD != 0 {
            (payload_bytes, rest) = leb128(rest)?;
        }
        let (payload, rest) = rest.split_at_checked(payload_bytes)?;
        let obu = Self {
            header,
            extension,
            payload,
        };
        Some((obu, rest))
    }

    fn kind(&self) -> u8 {
        (self.header >> 3) & 0x0F
    }

    /// The OBU as `configOBUs` wants it: always with a size field.
    fn with_size(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![self.header | HAS_SIZE_FIELD];
        bytes.extend(self.extension);
        let mut size = u32::try_from(self.payload.len()).ok()?;
        loop {
            let [low, ..] = size.to_le_bytes();
            size >>= 7;
            if size == 0 {
                bytes.push(low & 0x7F);
                break;
            }
            bytes.push(low | 0x80);
        }
        bytes.extend_from_slice(self.payload);
        Some(bytes)
    }
}

/// A number in `leb128()` (AV1 §4.10.5): at most eight bytes and 32 bits, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            let (_, rest) = bytes.split_at_checked(index + 1)?;
            return Some((usize::try_from(value).ok()?, rest));
        }
    }
    None
}

/// `sequence_header_obu()` (AV1 §5.5.1), up to and with its last field. The trailing bits behind
/// it are not looked at: decoders do not insist on them either.
fn sequence_header(bits: &mut Bits) -> Option<Av1c> {
    let mut av1c = Av1c {
        seq_profile: bits.byte(3)?,
        ..Av1c::default()
    };
    if av1c.seq_profile > MAX_PROFILE {
        return None;
    }
    bits.skip(1)?; // still_picture
    let is_reduced = bits.flag()?;
    if is_reduced {
        av1c.seq_level_idx_0 = bits.byte(5)?;
    } else {
        operating_points(bits, &mut av1c)?;
    }
    frame_size(bits)?;
    if !is_reduced && bits.flag()? {
        bits.skip(4 + 3)?; // lengths of frame ids
    }
    bits.skip(3)?; // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    if !is_reduced {
        inter_tools(bits)?;
    }
    bits.skip(3)?; // enable_superres, enable_cdef, enable_restoration
    color_config(bits, &mut av1c)?;
    bits.skip(1)?; // film_grain_params_present
    Some(av1c)
}

/// Timing, decoder model and operating points (AV1 §5.5.1); the first operating point gives
/// level and tier.
fn operating_points(bits: &mut Bits, av1c: &mut Av1c) -> Option<()> {
    let mut delay_bits = None;
    if bits.flag()? {
        timing_info(bits)?;
        if bits.flag()? {
            delay_bits = Some(decoder_model_info(bits)?);
        }
    }
    let has_display_delay = bits.flag()?;
    let last = bits.byte(5)?;
    for index in 0..=last {
        bits.skip(12)?; // operating_point_idc
        let level = bits.byte(5)?;
        let is_high_tier = level > MAX_LEVEL_WITHOUT_TIER && bits.flag()?;
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * delay_bits + 1)?; // operating_parameters_info()
        }
        if has_display_delay && bits.flag()? {
            bits.skip(4)?;
        }
        if index == 0 {
            av1c.seq_level_idx_0 = level;
            av1c.seq_tier_0 = is_high_tier;
        }
    }
    Some(())
}

/// `timing_info()` (AV1 §5.5.3).
fn timing_info(bits: &mut Bits) -> Option<()> {
    bits.skip(32 + 32)?;
    let is_picture_interval_equal = bits.flag()?;
    if is_picture_interval_equal {
        bits.uvlc()?; // num_ticks_per_picture_minus_1, uvlc()
    }
    Some(())
}

/// `decoder_model_info()` (AV1 §5.5.4); returns how many bits a buffer delay takes.
fn decoder_model_info(bits: &mut Bits) -> Option<u32> {
    let delay_bits = bits.take(5)? + 1;
    bits.skip(32 + 5 + 5)?;
    Some(delay_bits)
}

fn frame_size(bits: &mut Bits) -> Option<()> {
    let width_bits = bits.take(4)? + 1;
    let height_bits = bits.take(4)? + 1;
    bits.skip(width_bits + height_bits)
}

/// The tools that only a stream of more than one picture has (AV1 §5.5.1).
fn inter_tools(bits: &mut Bits) -> Option<()> {
    bits.skip(4)?; // interintra, masked compound, warped motion, dual filter
    let has_order_hint = bits.flag()?;
    if has_order_hint {
        bits.skip(2)?; // enable_jnt_comp, enable_ref_frame_mvs
    }
    let chooses_screen_content_tools = bits.flag()?;
    if chooses_screen_content_tools || bits.flag()? {
        let chooses_integer_mv = bits.flag()?;
        if !chooses_integer_mv {
            bits.skip(1)?; // seq_force_integer_mv
        }
    }
    if has_order_hint {
        bits.skip(3)?; // order_hint_bits_minus_1
    }
    Some(())
}

/// `color_config()` (AV1 §5.5.2).
fn color_config(bits: &mut Bits, av1c: &mut Av1c) -> Option<()> {
    av1c.high_bitdepth = bits.flag()?;
    av1c.twelve_bit = av1c.seq_profile == 2 && av1c.high_bitdepth && bits.flag()?;
    av1c.monochrome = av1c.seq_profile != 1 && bits.flag()?;
    let description = if bits.flag()? {
        (bits.take(8)?, bits.take(8)?, bits.take(8)?)
    } else {
        UNSPECIFIED
    };
    if av1c.monochrome {
        (av1c.chroma_subsampling_x, av1c.chroma_subsampling_y) = (true, true);
        return bits.skip(1); // color_range
    }
    if description != RGB {
        bits.skip(1)?; // color_range
        chroma(bits, av1c)?;
    }
    bits.skip(1) // separate_uv_delta_q
}

/// Subsampling, which the profile mostly fixes, and where the chroma samples lie.
fn chroma(bits: &mut Bits, av1c: &mut Av1c) -> Option<()> {
    (av1c.chroma_subsampling_x, av1c.chroma_subsampling_y) = match av1c.seq_profile {
        0 => (true, true),
        1 => (false, false),
        _ if av1c.twelve_bit => {
            let x = bits.flag()?;
            (x, x && bits.flag()?)
        }
        _ => (true, false),
    };
    if av1c.chroma_subsampling_x && av1c.chroma_subsampling_y {
        av1c.chroma_sample_position = bits.byte(2)?;
    }
    Some(())
}

#[cfg(test)]
mod tests;
