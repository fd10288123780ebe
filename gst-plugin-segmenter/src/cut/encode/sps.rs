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
        let extra_bits = if WITH_CHROMA_FORMAT.contains(&profile) {
            chroma_format(&mut reader)?
        } else {
            0
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

/// Returns `bit_depth_luma_minus8`.
fn chroma_format(reader: &mut Reader) -> Option<u32> {
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
    (extra_bits <= 6).then_some(extra_bits)
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
    if network || slices {
        reader.bit()?; // low_delay_hrd_flag
    }
    reader.bit()?; // pic_struct_present_flag
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
    Some(Usability { looks, restriction })
}

/// Everything before `timing_info_present_flag`.
fn skip_colour(reader: &mut Reader) -> Option<()> {
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

/// Skips the parameters of a reference decoder (H.264 §E.1.2) if they are there, and says so.
fn skip_reference_decoder(reader: &mut Reader) -> Option<bool> {
    let is_there = reader.bit()?;
    if is_there {
        let schedules = reader.unsigned()?;
        reader.bits(8)?; // bit_rate_scale, cpb_size_scale
        for _ in 0..=schedules {
            reader.unsigned()?; // bit_rate_value_minus1
            reader.unsigned()?; // cpb_size_value_minus1
            reader.bit()?; // cbr_flag
        }
        reader.bits(20)?; // the lengths of delays and time offsets
    }
    Some(is_there)
}
