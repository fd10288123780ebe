// SPDX-License-Identifier: MPL-2.0
//! Makes the parameter sets of re-encoded pictures say what the source's say.
//!
//! Re-encoded pictures stand between copied ones, and a player must not notice: a change of
//! profile, level, colour, pixel aspect or reorder depth makes some decoders start anew and some
//! screens change colour. The encoder is told only half of it (it guesses the colour from the
//! size, and calls what uses no tool of a profile by a smaller one), so the head and the usability
//! information (H.264 Annex E) of its SPS are replaced by the source's.
//!
//! What describes the pictures' own coding stays. Left out are the parameters of the hypothetical
//! reference decoder, which belong to the source's bytes, and with them picture timing.

use super::bits::{Reader, Writer, escape, unescape};
use crate::media::nal::h264;

/// Profiles whose SPS tells the chroma format and more (H.264 §7.3.2.1.1).
const WITH_CHROMA_FORMAT: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// NAL unit header, profile, constraint flags, level.
const HEAD_BYTES: usize = 4;

/// What of an H.264 SPS matters here.
#[derive(Clone, Debug)]
pub struct Sps {
    payload: Vec<u8>,
    /// `profile_idc`.
    pub profile: u8,
    /// Bits of a sample beyond eight.
    pub extra_bits: u32,
    /// Its chroma is as fine as its luma (4:4:4).
    pub has_full_chroma: bool,
    /// All pictures are frames (`frame_mbs_only_flag`).
    pub is_progressive: bool,
    reference_frames: u32,
    /// Where `vui_parameters_present_flag` is, in bits.
    usability_at: usize,
    usability: Option<Usability>,
}

/// Video usability information (H.264 §E.1.1).
#[derive(Clone, Debug)]
struct Usability {
    /// From the flag of the pixel aspect to that of the reference decoder's parameters, in bits.
    looks: (usize, usize),
    /// Bits before `pic_struct` in picture timing (H.264 §D.1.3), if that is there.
    picture_structure_at: Option<u32>,
    restriction: Option<Restriction>,
}

/// The bounds that end the usability information.
#[derive(Clone, Copy, Debug)]
struct Restriction {
    vectors_over_edges: bool,
    vector_bits: [u32; 2],
    reordered_frames: u32,
    buffered_frames: u32,
}

impl Sps {
    /// Reads a whole NAL unit; `None` if it is damaged or of a kind that cannot be decoded alone.
    pub fn parse(unit: &[u8]) -> Option<Self> {
        let payload = unescape(unit);
        let (head, body) = payload.split_first_chunk::<HEAD_BYTES>()?;
        let [_, profile, _, _] = *head;
        let mut reader = Reader::new(body);
        reader.unsigned()?; // seq_parameter_set_id
        let (chroma_format, extra_bits) = if WITH_CHROMA_FORMAT.contains(&profile) {
            chroma_format(&mut reader)?
        } else {
            (1, 0)
        };
        reader.unsigned()?; // log2_max_frame_num_minus4
        skip_order_count(&mut reader)?;
        let reference_frames = reader.unsigned()?;
        reader.bit()?; // gaps_in_frame_num_value_allowed_flag
        reader.unsigned()?; // pic_width_in_mbs_minus1
        reader.unsigned()?; // pic_height_in_map_units_minus1
        let is_progressive = reader.bit()?;
        if !is_progressive {
            reader.bit()?; // mb_adaptive_frame_field_flag
        }
        reader.bit()?; // direct_8x8_inference_flag
        if reader.bit()? {
            // frame_cropping_flag
            for _ in 0..4 {
                reader.unsigned()?;
            }
        }
        let usability_at = HEAD_BYTES * 8 + reader.position();
        let usability = if reader.bit()? {
            Some(usability(&mut reader)?)
        } else {
            None
        };
        Some(Self {
            profile,
            extra_bits,
            has_full_chroma: chroma_format == 3,
            is_progressive,
            reference_frames,
            usability_at,
            usability,
            payload,
        })
    }

    /// Its profile is one of those without pictures between (H.264 §A.2.8 to §A.2.11).
    pub fn is_intra_only(&self) -> bool {
        const CONSTRAINT_SET_3: u8 = 0x10;
        let is_intra = |flags: &u8| flags & CONSTRAINT_SET_3 != 0;
        matches!(self.profile, 110 | 122 | 244) && self.payload.get(2).is_some_and(is_intra)
    }

    /// Frames in how many seconds, where it says so (`time_scale` counts fields).
    pub fn frame_rate(&self) -> Option<(u32, u32)> {
        let (from, _) = self.usability.as_ref()?.looks;
        let mut reader = Reader::new(&self.payload);
        while reader.position() < from {
            reader.bit()?;
        }
        skip_colour(&mut reader)?;
        if !reader.bit()? {
            return None; // timing_info_present_flag
        }
        let (unit, ticks) = (reader.bits(32)?, reader.bits(32)?);
        (unit > 0 && ticks > 0).then_some((ticks, unit.checked_mul(2)?))
    }

    /// Which field of a picture is first, if this unit is its timing and says so (H.264 table D-1).
    pub fn is_top_field_first(&self, unit: &[u8]) -> Option<bool> {
        const PICTURE_TIMING: u32 = 1;
        let at = self.usability.as_ref()?.picture_structure_at?;
        let timing = message(unit, PICTURE_TIMING)?;
        let mut reader = Reader::new(&timing);
        (0..at).try_for_each(|_| reader.bit().map(drop))?;
        match reader.bits(4)? {
            1 | 3 | 5 => Some(true),
            2 | 4 | 6 => Some(false),
            _ => None,
        }
    }

    /// This SPS of an encoder with the head and the usability information of the source's.
    pub fn like(&self, source: &Self) -> Vec<u8> {
        let mut writer = Writer::default();
        let head_from = if includes(source.profile, self.profile) {
            &source.payload
        } else {
            &self.payload
        };
        writer.copy(&self.payload, 0, 8);
        writer.copy(head_from, 8, HEAD_BYTES * 8);
        writer.copy(&self.payload, HEAD_BYTES * 8, self.usability_at);
        match &source.usability {
            None => writer.bit(false),
            Some(usability) => {
                writer.bit(true);
                let (from, to) = usability.looks;
                writer.copy(&source.payload, from, to);
                writer.bits(0, 3); // nal_hrd, vcl_hrd, pic_struct: not present
                self.write_restriction(&mut writer, usability.restriction);
            }
        }
        escape(&writer.finish())
    }

    /// As many frames to reorder and to keep as the source has, so that the delay is the same.
    fn write_restriction(&self, writer: &mut Writer, source: Option<Restriction>) {
        let own = self.usability.as_ref().and_then(|own| own.restriction);
        writer.bit(source.is_some());
        let Some(source) = source else {
            return;
        };
        writer.bit(own.is_none_or(|own| own.vectors_over_edges));
        writer.unsigned(0); // max_bytes_per_pic_denom: no bound
        writer.unsigned(0); // max_bits_per_mb_denom: no bound
        let own_bits = own.map_or([16; 2], |own| own.vector_bits);
        for (own, source) in own_bits.iter().zip(source.vector_bits) {
            writer.unsigned(source.max(*own));
        }
        writer.unsigned(source.reordered_frames);
        writer.unsigned(source.buffered_frames.max(self.reference_frames));
    }
}

/// Whether pictures of the profile `part` are pictures of `whole` too, with the same syntax of
/// the SPS (H.264 §A.2). What is encoded here uses neither flexible macroblock order nor other
/// tools that only Baseline has.
fn includes(whole: u8, part: u8) -> bool {
    match part {
        66 => matches!(whole, 66 | 77 | 88),
        77 => whole == 77,
        100 => matches!(whole, 100 | 110 | 122 | 244),
        110 => matches!(whole, 110 | 122 | 244),
        122 => matches!(whole, 122 | 244),
        _ => whole == part,
    }
}

/// Returns `chroma_format_idc` and `bit_depth_luma_minus8`.
fn chroma_format(reader: &mut Reader) -> Option<(u32, u32)> {
    let chroma_format = reader.unsigned()?;
    if chroma_format == 3 {
        reader.bit()?; // separate_colour_plane_flag
    }
    let extra_bits = reader.unsigned()?;
    reader.unsigned()?; // bit_depth_chroma_minus8
    reader.bit()?; // qpprime_y_zero_transform_bypass_flag
    if reader.bit()? {
        // seq_scaling_matrix_present_flag
        let lists = if chroma_format == 3 { 12 } else { 8 };
        for list in 0..lists {
            if reader.bit()? {
                skip_scaling_list(reader, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    // No profile has more than 14 bits.
    (extra_bits <= 6).then_some((chroma_format, extra_bits))
}

/// H.264 §7.3.2.1.1.1.
fn skip_scaling_list(reader: &mut Reader, size: usize) -> Option<()> {
    let mut last = 8_i32;
    for _ in 0..size {
        let delta = reader.signed()?;
        let next = last.checked_add(delta)?.rem_euclid(256);
        if next == 0 {
            break;
        }
        last = next;
    }
    Some(())
}

fn skip_order_count(reader: &mut Reader) -> Option<()> {
    match reader.unsigned()? {
        0 => {
            reader.unsigned()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            reader.bit()?; // delta_pic_order_always_zero_flag
            reader.signed()?; // offset_for_non_ref_pic
            reader.signed()?; // offset_for_top_to_bottom_field
            for _ in 0..reader.unsigned()? {
                reader.signed()?; // offset_for_ref_frame
            }
        }
        _ => {}
    }
    Some(())
}

fn usability(reader: &mut Reader) -> Option<Usability> {
    let from = HEAD_BYTES * 8 + reader.position();
    skip_colour(reader)?;
    if reader.bit()? {
        // timing_info_present_flag
        reader.bits(32)?; // num_units_in_tick
        reader.bits(32)?; // time_scale
        reader.bit()?; // fixed_frame_rate_flag
    }
    let looks = (from, HEAD_BYTES * 8 + reader.position());
    let network = skip_reference_decoder(reader)?;
    let slices = skip_reference_decoder(reader)?;
    if network.or(slices).is_some() {
        reader.bit()?; // low_delay_hrd_flag
    }
    let delay_bits = network.or(slices).unwrap_or(0);
    let picture_structure_at = reader.bit()?.then_some(delay_bits);
    let restriction = if reader.bit()? {
        let vectors_over_edges = reader.bit()?;
        reader.unsigned()?; // max_bytes_per_pic_denom
        reader.unsigned()?; // max_bits_per_mb_denom
        Some(Restriction {
            vectors_over_edges,
            vector_bits: [reader.unsigned()?, reader.unsigned()?],
            reordered_frames: reader.unsigned()?,
            buffered_frames: reader.unsigned()?,
        })
    } else {
        None
    };
    Some(Usability {
        looks,
        picture_structure_at,
        restriction,
    })
}

/// Pixel aspect, overscan, colours and the place of chroma samples, which H.264 §E.1.1 and H.265
/// §E.2.1 write alike.
pub fn skip_colour(reader: &mut Reader) -> Option<()> {
    const EXTENDED_ASPECT: u32 = 255;
    if reader.bit()? && reader.bits(8)? == EXTENDED_ASPECT {
        reader.bits(32)?; // sar_width, sar_height
    }
    if reader.bit()? {
        reader.bit()?; // overscan_appropriate_flag
    }
    if reader.bit()? {
        reader.bits(4)?; // video_format, video_full_range_flag
        if reader.bit()? {
            reader.bits(24)?; // colour_primaries, transfer_characteristics, matrix_coefficients
        }
    }
    if reader.bit()? {
        reader.unsigned()?; // chroma_sample_loc_type_top_field
        reader.unsigned()?; // chroma_sample_loc_type_bottom_field
    }
    Some(())
}

/// Skips the parameters of a reference decoder (H.264 §E.1.2); if they are there, returns how
/// many bits the two delays have in picture timing.
fn skip_reference_decoder(reader: &mut Reader) -> Option<Option<u32>> {
    if !reader.bit()? {
        return Some(None);
    }
    let schedules = reader.unsigned()?;
    reader.bits(8)?; // bit_rate_scale, cpb_size_scale
    for _ in 0..=schedules {
        reader.unsigned()?; // bit_rate_value_minus1
        reader.unsigned()?; // cpb_size_value_minus1
        reader.bit()?; // cbr_flag
    }
    reader.bits(5)?; // initial_cpb_removal_delay_length_minus1
    let delay_bits = reader.bits(5)? + 1 + reader.bits(5)? + 1;
    reader.bits(5)?; // time_offset_length
    Some(Some(delay_bits))
}

/// The payload of the first message of a kind in a unit of supplemental enhancement information
/// (H.264 §7.3.2.3.1), unescaped.
fn message(unit: &[u8], kind: u32) -> Option<Vec<u8>> {
    /// Numbers are written as so many bytes of 255 and a last one.
    fn number(rest: &mut &[u8]) -> Option<u32> {
        let mut sum = 0_u32;
        loop {
            let (byte, after) = rest.split_first()?;
            *rest = after;
            sum = sum.checked_add(u32::from(*byte))?;
            if *byte < 255 {
                return Some(sum);
            }
        }
    }
    if h264::kind(unit) != h264::SEI {
        return None;
    }
    let payload = unescape(unit);
    let mut rest = payload.get(1..)?;
    loop {
        let (found, bytes) = (number(&mut rest)?, number(&mut rest)?);
        let (body, next) = rest.split_at_checked(usize::try_from(bytes).ok()?)?;
        if found == kind {
            return Some(body.to_vec());
        }
        rest = next;
    }
}
