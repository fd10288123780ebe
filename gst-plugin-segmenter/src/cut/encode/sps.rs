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

use super::information::messages;
use super::source::Codec;
use crate::media::bits::{Bits, Writer, with_emulation_prevention, without_emulation_prevention};

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
    /// `chroma_format_idc`: 0 for none at all, 3 where chroma is as fine as luma.
    pub chroma_format: u32,
    /// A quantiser of zero leaves out transform and quantiser (`qpprime_y_zero_transform_bypass_flag`).
    pub is_lossless: bool,
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
        let payload = without_emulation_prevention(unit);
        let (head, body) = payload.split_first_chunk::<HEAD_BYTES>()?;
        let [_, profile, _, _] = *head;
        let mut reader = Bits::new(body);
        reader.ue()?; // seq_parameter_set_id
        let chroma = if WITH_CHROMA_FORMAT.contains(&profile) {
            Chroma::read(&mut reader)?
        } else {
            Chroma::default()
        };
        reader.ue()?; // log2_max_frame_num_minus4
        skip_order_count(&mut reader)?;
        let reference_frames = reader.ue()?;
        reader.flag()?; // gaps_in_frame_num_value_allowed_flag
        reader.ue()?; // pic_width_in_mbs_minus1
        reader.ue()?; // pic_height_in_map_units_minus1
        let is_progressive = reader.flag()?;
        if !is_progressive {
            reader.flag()?; // mb_adaptive_frame_field_flag
        }
        reader.flag()?; // direct_8x8_inference_flag
        if reader.flag()? {
            // frame_cropping_flag
            for _ in 0..4 {
                reader.ue()?;
            }
        }
        let usability_at = HEAD_BYTES * 8 + reader.position();
        let usability = if reader.flag()? {
            Some(usability(&mut reader)?)
        } else {
            None
        };
        Some(Self {
            profile,
            extra_bits: chroma.extra_bits,
            chroma_format: chroma.format,
            is_lossless: chroma.is_lossless,
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
        let mut reader = Bits::new(&self.payload);
        while reader.position() < from {
            reader.flag()?;
        }
        skip_colour(&mut reader)?;
        if !reader.flag()? {
            return None; // timing_info_present_flag
        }
        let (unit, ticks) = (reader.take(32)?, reader.take(32)?);
        (unit > 0 && ticks > 0).then_some((ticks, unit.checked_mul(2)?))
    }

    /// Which field of a picture is first, if this unit is its timing and says so (H.264 table D-1).
    pub fn is_top_field_first(&self, unit: &[u8]) -> Option<bool> {
        const PICTURE_TIMING: u32 = 1;
        let at = self.usability.as_ref()?.picture_structure_at?;
        let mut messages = messages(unit, Codec::H264).into_iter();
        let (_, timing) = messages.find(|(kind, _)| *kind == PICTURE_TIMING)?;
        let mut reader = Bits::new(&timing);
        (0..at).try_for_each(|_| reader.flag().map(drop))?;
        match reader.take(4)? {
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
            None => writer.flag(false),
            Some(usability) => {
                writer.flag(true);
                let (from, to) = usability.looks;
                writer.copy(&source.payload, from, to);
                writer.fixed(0, 3); // nal_hrd, vcl_hrd, pic_struct: not present
                self.write_restriction(&mut writer, usability.restriction);
            }
        }
        with_emulation_prevention(&writer.finish())
    }

    /// As many frames to reorder and to keep as the source has, so that the delay is the same.
    fn write_restriction(&self, writer: &mut Writer, source: Option<Restriction>) {
        let own = self.usability.as_ref().and_then(|own| own.restriction);
        writer.flag(source.is_some());
        let Some(source) = source else {
            return;
        };
        writer.flag(own.is_none_or(|own| own.vectors_over_edges));
        writer.ue(0); // max_bytes_per_pic_denom: no bound
        writer.ue(0); // max_bits_per_mb_denom: no bound
        let own_bits = own.map_or([16; 2], |own| own.vector_bits);
        for (own, source) in own_bits.iter().zip(source.vector_bits) {
            writer.ue(source.max(*own));
        }
        writer.ue(source.reordered_frames);
        writer.ue(source.buffered_frames.max(self.reference_frames));
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

/// What stands behind the id of an SPS of a [profile](WITH_CHROMA_FORMAT) with more than 4:2:0.
struct Chroma {
    /// `chroma_format_idc`
    format: u32,
    /// `bit_depth_luma_minus8`
    extra_bits: u32,
    /// `qpprime_y_zero_transform_bypass_flag`
    is_lossless: bool,
}

impl Default for Chroma {
    fn default() -> Self {
        Self {
            format: 1,
            extra_bits: 0,
            is_lossless: false,
        }
    }
}

impl Chroma {
    fn read(reader: &mut Bits) -> Option<Self> {
        let format = reader.ue()?;
        if format == 3 {
            reader.flag()?; // separate_colour_plane_flag
        }
        let extra_bits = reader.ue()?;
        reader.ue()?; // bit_depth_chroma_minus8
        let is_lossless = reader.flag()?;
        if reader.flag()? {
            // seq_scaling_matrix_present_flag
            let lists = if format == 3 { 12 } else { 8 };
            for list in 0..lists {
                if reader.flag()? {
                    skip_scaling_list(reader, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        // No profile has more than 14 bits.
        (extra_bits <= 6).then_some(Self {
            format,
            extra_bits,
            is_lossless,
        })
    }
}

/// H.264 §7.3.2.1.1.1.
fn skip_scaling_list(reader: &mut Bits, size: usize) -> Option<()> {
    let mut last = 8_i32;
    for _ in 0..size {
        let delta = reader.se()?;
        let next = last.checked_add(delta)?.rem_euclid(256);
        if next == 0 {
            break;
        }
        last = next;
    }
    Some(())
}

fn skip_order_count(reader: &mut Bits) -> Option<()> {
    match reader.ue()? {
        0 => {
            reader.ue()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            reader.flag()?; // delta_pic_order_always_zero_flag
            reader.se()?; // offset_for_non_ref_pic
            reader.se()?; // offset_for_top_to_bottom_field
            for _ in 0..reader.ue()? {
                reader.se()?; // offset_for_ref_frame
            }
        }
        _ => {}
    }
    Some(())
}

fn usability(reader: &mut Bits) -> Option<Usability> {
    let from = HEAD_BYTES * 8 + reader.position();
    skip_colour(reader)?;
    if reader.flag()? {
        // timing_info_present_flag
        reader.take(32)?; // num_units_in_tick
        reader.take(32)?; // time_scale
        reader.flag()?; // fixed_frame_rate_flag
    }
    let looks = (from, HEAD_BYTES * 8 + reader.position());
    let network = skip_reference_decoder(reader)?;
    let slices = skip_reference_decoder(reader)?;
    if network.or(slices).is_some() {
        reader.flag()?; // low_delay_hrd_flag
    }
    let delay_bits = network.or(slices).unwrap_or(0);
    let picture_structure_at = reader.flag()?.then_some(delay_bits);
    let restriction = if reader.flag()? {
        let vectors_over_edges = reader.flag()?;
        reader.ue()?; // max_bytes_per_pic_denom
        reader.ue()?; // max_bits_per_mb_denom
        Some(Restriction {
            vectors_over_edges,
            vector_bits: [reader.ue()?, reader.ue()?],
            reordered_frames: reader.ue()?,
            buffered_frames: reader.ue()?,
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
pub fn skip_colour(reader: &mut Bits) -> Option<()> {
    const EXTENDED_ASPECT: u32 = 255;
    if reader.flag()? && reader.take(8)? == EXTENDED_ASPECT {
        reader.take(32)?; // sar_width, sar_height
    }
    if reader.flag()? {
        reader.flag()?; // overscan_appropriate_flag
    }
    if reader.flag()? {
        reader.take(4)?; // video_format, video_full_range_flag
        if reader.flag()? {
            reader.take(24)?; // colour_primaries, transfer_characteristics, matrix_coefficients
        }
    }
    if reader.flag()? {
        reader.ue()?; // chroma_sample_loc_type_top_field
        reader.ue()?; // chroma_sample_loc_type_bottom_field
    }
    Some(())
}

/// Skips the parameters of a reference decoder (H.264 §E.1.2); if they are there, returns how
/// many bits the two delays have in picture timing.
fn skip_reference_decoder(reader: &mut Bits) -> Option<Option<u32>> {
    if !reader.flag()? {
        return Some(None);
    }
    let schedules = reader.ue()?;
    reader.take(8)?; // bit_rate_scale, cpb_size_scale
    for _ in 0..=schedules {
        reader.ue()?; // bit_rate_value_minus1
        reader.ue()?; // cpb_size_value_minus1
        reader.flag()?; // cbr_flag
    }
    reader.take(5)?; // initial_cpb_removal_delay_length_minus1
    let delay_bits = reader.take(5)? + 1 + reader.take(5)? + 1;
    reader.take(5)?; // time_offset_length
    Some(Some(delay_bits))
}
