// SPDX-License-Identifier: MPL-2.0
//! The sequence parameter set of H.265 (§7.3.2.2.1), up to what says how to show the pictures.

use super::super::bits::{Bits, without_emulation_prevention};
use super::vui::Vui;

/// Bytes of `general_profile_space` up to `general_level_idc` (§7.3.3).
const PROFILE_BYTES: usize = 12;
/// Bytes of a NAL unit's header.
const UNIT_HEADER_BYTES: usize = 2;

/// The parts that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    pub id: u32,
    pub vps_id: u32,
    pub sub_layers: u8,
    pub is_temporally_nested: bool,
    /// As the decoder configuration record has them too.
    pub profile_tier_level: [u8; PROFILE_BYTES],
    /// `chroma_format_idc`.
    pub chroma_format: u8,
    /// Bits of a sample above 8.
    pub luma_depth: u8,
    pub chroma_depth: u8,
    /// Of what is shown of a picture.
    pub width: u32,
    pub height: u32,
    pub vui: Vui,
}

impl Sps {
    pub fn parse(unit: &[u8]) -> Option<Self> {
        let held = without_emulation_prevention(unit);
        let mut bits = Bits::new(held.get(UNIT_HEADER_BYTES..)?);
        let vps_id = bits.take(4)?;
        let last_sub_layer = bits.take(3)?;
        let is_temporally_nested = bits.flag()?;
        let profile_tier_level = profile_tier_level(&mut bits, last_sub_layer)?;
        let id = bits.ue()?;
        let chroma_format = up_to(bits.ue()?, 3)?;
        if chroma_format == 3 {
            bits.skip(1)?; // separate_colour_plane_flag
        }
        let (width, height) = size(&mut bits, chroma_format)?;
        let mut sps = Self {
            id,
            vps_id,
            sub_layers: up_to(last_sub_layer + 1, 7)?,
            is_temporally_nested,
            profile_tier_level,
            chroma_format,
            luma_depth: up_to(bits.ue()?, 7)?,
            chroma_depth: up_to(bits.ue()?, 7)?,
            width,
            height,
            vui: Vui::default(),
        };
        // Without what follows it can be decoded as well; only how to show it is not known.
        if skip_tools(&mut bits, last_sub_layer).is_some() {
            sps.vui = Vui::read(&mut bits);
        }
        Some(sps)
    }
}

fn up_to(value: u32, most: u8) -> Option<u8> {
    u8::try_from(value).ok().filter(|value| *value <= most)
}

/// `profile_tier_level()` (§7.3.3); its general part.
fn profile_tier_level(bits: &mut Bits<'_>, last_sub_layer: u32) -> Option<[u8; PROFILE_BYTES]> {
    const SUB_LAYER_PROFILE_BITS: u32 = 88;
    const SUB_LAYER_LEVEL_BITS: u32 = 8;
    let mut general = [0; PROFILE_BYTES];
    for byte in &mut general {
        *byte = bits.byte(8)?;
    }
    let mut later_bits = 0;
    for _ in 0..last_sub_layer {
        let has_profile = bits.flag()?;
        let has_level = bits.flag()?;
        later_bits += u32::from(has_profile) * SUB_LAYER_PROFILE_BITS;
        later_bits += u32::from(has_level) * SUB_LAYER_LEVEL_BITS;
    }
    if last_sub_layer > 0 {
        bits.skip(2 * (8 - last_sub_layer))?; // reserved_zero_2bits
    }
    bits.skip(later_bits)?;
    Some(general)
}

/// Width and height of what is shown (§7.4.3.2.1, conformance window).
fn size(bits: &mut Bits<'_>, chroma_format: u8) -> Option<(u32, u32)> {
    let width = bits.ue()?;
    let height = bits.ue()?;
    let mut window = [0; 4];
    if bits.flag()? {
        for side in &mut window {
            *side = bits.ue()?;
        }
    }
    let [left, right, top, bottom] = window;
    let (unit_across, unit_along) = match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let across = left.checked_add(right)?.checked_mul(unit_across)?;
    let along = top.checked_add(bottom)?.checked_mul(unit_along)?;
    Some((width.checked_sub(across)?, height.checked_sub(along)?))
}

/// Steps over what is between the depth of samples and the VUI.
fn skip_tools(bits: &mut Bits<'_>, last_sub_layer: u32) -> Option<()> {
    let order_bits = bits.ue()?.checked_add(4)?; // log2_max_pic_order_cnt_lsb_minus4
    if order_bits > 16 {
        return None;
    }
    let has_all_sub_layers = bits.flag()?;
    let sub_layers = if has_all_sub_layers {
        last_sub_layer + 1
    } else {
        1
    };
    bits.skip_ue(3 * sub_layers)?; // buffering, reordering, latency
    bits.skip_ue(6)?; // sizes of coding and transform blocks
    let has_scaling = bits.flag()?;
    if has_scaling && bits.flag()? {
        scaling_lists(bits)?;
    }
    bits.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    let has_pcm = bits.flag()?;
    if has_pcm {
        bits.skip(4 + 4)?; // bit depths
        bits.skip_ue(2)?; // block sizes
        bits.skip(1)?; // pcm_loop_filter_disabled_flag
    }
    short_term_sets(bits)?;
    let has_long_term = bits.flag()?;
    if has_long_term {
        let count = bits.ue()?.min(32);
        bits.skip(count * (order_bits + 1))?;
    }
    bits.skip(2) // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
}

/// `scaling_list_data()` (§7.3.4).
fn scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4_u32 {
        let step = if size == 3 { 3 } else { 1 };
        for _ in (0..6).step_by(step) {
            let is_coded = bits.flag()?;
            if !is_coded {
                bits.ue()?; // scaling_list_pred_matrix_id_delta
                continue;
            }
            let dc = u32::from(size > 1);
            bits.skip_ue(dc + 64_u32.min(1 << (4 + (size << 1))))?;
        }
    }
    Some(())
}

/// All `st_ref_pic_set()` (§7.3.7). A set that is told from the one before has as many pictures as
/// it names of that one's, and the picture between.
fn short_term_sets(bits: &mut Bits<'_>) -> Option<()> {
    const MOST_SETS: u32 = 64;
    const MOST_PICTURES: u32 = 16;
    let sets = bits.ue()?;
    if sets > MOST_SETS {
        return None;
    }
    let mut pictures = 0;
    for set in 0..sets {
        let is_told_from_last = set > 0 && bits.flag()?;
        if is_told_from_last {
            bits.skip(1)?; // delta_rps_sign
            bits.ue()?; // abs_delta_rps_minus1
            let mut named = 0;
            for _ in 0..=pictures {
                let is_used = bits.flag()?;
                named += u32::from(is_used || bits.flag()?);
            }
            pictures = named;
        } else {
            pictures = bits.ue()?.checked_add(bits.ue()?)?;
            if pictures > MOST_PICTURES {
                return None;
            }
            for _ in 0..pictures {
                bits.ue()?; // distance in display order
                bits.skip(1)?; // used by the current picture
            }
        }
    }
    Some(())
}
