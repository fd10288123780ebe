// SPDX-License-Identifier: MPL-2.0
//! Makes the parameter sets of re-encoded H.265 pictures say what the source's say: the level, how
//! many pictures are reordered (a decoder that learns of it only at the seam has shown some
//! already), and in the SPS the looks (H.265 Annex E). The rest describes the pictures' own coding; see
//! [`super::sps`] for the same of H.264.

use super::sps::skip_colour;
use crate::media::bits::{Bits, Writer, with_emulation_prevention, without_emulation_prevention};
use crate::media::nal::h265;

/// The NAL unit header.
const HEADER_BITS: usize = 16;
/// `general_profile_idc` and its flags, before `general_level_idc` (H.265 §7.3.3).
const PROFILE_BYTES: usize = 11;
/// More reference pictures, or sets of them, than H.265 §7.4.3.2.1 and §7.4.8 allow.
const MOST_PICTURES: u32 = 16;
const MOST_SETS: u32 = 64;

/// A VPS or SPS that asks for at least this level; what is neither is left as it is.
pub fn with_level(unit: &[u8], level: u8) -> Vec<u8> {
    let at = match h265::kind(unit) {
        h265::VPS => 2 + 4 + PROFILE_BYTES, // §7.3.2.1
        h265::SPS => 2 + 1 + PROFILE_BYTES, // §7.3.2.2.1
        _ => return unit.to_vec(),
    };
    let mut payload = without_emulation_prevention(unit);
    match payload.get_mut(at) {
        Some(own) if *own < level => *own = level,
        _ => return unit.to_vec(),
    }
    with_emulation_prevention(&payload)
}

/// What of an H.265 SPS matters here.
#[derive(Clone, Debug)]
pub struct HevcSps {
    payload: Vec<u8>,
    order: Order,
    /// Where `vui_parameters_present_flag` is, in bits.
    usability_at: usize,
    usability: Option<Usability>,
    /// Where `sps_extension_present_flag` is; unknown behind a reference decoder's parameters.
    extension_at: Option<usize>,
}

/// How pictures are reordered, in the highest sub-layer (H.265 §7.4.3.1 and §7.4.3.2.1).
#[derive(Clone, Copy, Debug)]
struct Order {
    /// Where it is written, with the flag before it, in bits.
    bits: (usize, usize),
    /// `max_dec_pic_buffering_minus1`
    buffering: u32,
    /// `max_num_reorder_pics`
    reordering: u32,
    /// `max_latency_increase_plus1`; 0 is no bound.
    latency: u32,
}

impl Order {
    /// Reads the one of each sub-layer from its flag on; the last one counts.
    fn read(reader: &mut Bits, sub_layers: u32) -> Option<Self> {
        let start = reader.position();
        let from = if reader.flag()? { 0 } else { sub_layers };
        let mut read = None;
        for _ in from..=sub_layers {
            read = Some((reader.ue()?, reader.ue()?, reader.ue()?));
        }
        let (buffering, reordering, latency) = read?;
        Some(Self {
            bits: (start, reader.position()),
            buffering,
            reordering,
            latency,
        })
    }

    /// Copies the payload that this is of up to here, and writes what is true of both.
    fn replace(&self, other: &Self, payload: &[u8], writer: &mut Writer) {
        writer.copy(payload, 0, self.bits.0);
        writer.flag(false); // One for all sub-layers.
        writer.ue(self.buffering.max(other.buffering));
        writer.ue(self.reordering.max(other.reordering));
        let is_bound = self.latency > 0 && other.latency > 0;
        writer.ue(if is_bound {
            self.latency.max(other.latency)
        } else {
            0
        });
    }
}

/// A VPS of an encoder whose pictures are reordered as far as those of the source; `None` if it is
/// damaged or another unit.
pub fn vps_like(unit: &[u8], source: &HevcSps) -> Option<Vec<u8>> {
    if h265::kind(unit) != h265::VPS {
        return None;
    }
    let payload = without_emulation_prevention(unit);
    let mut reader = Bits::new(&payload);
    skip_bits(&mut reader, HEADER_BITS)?;
    reader.take(12)?; // id, base layer, layers
    let sub_layers = reader.take(3)?;
    reader.take(17)?; // vps_temporal_id_nesting_flag, vps_reserved_0xffff_16bits
    skip_profile(&mut reader, sub_layers)?;
    let order = Order::read(&mut reader, sub_layers)?;
    let mut writer = Writer::default();
    order.replace(&source.order, &payload, &mut writer);
    writer.copy(&payload, order.bits.1, stop_bit(&payload)?);
    Some(with_emulation_prevention(&writer.finish()))
}

/// Video usability information (H.265 §E.2.1): bits from one position to another.
#[derive(Clone, Debug)]
struct Usability {
    /// Pixel aspect, overscan, colours, place of the chroma samples, neutral chroma.
    looks: (usize, usize),
    /// The default display window, with its flag.
    window: (usize, usize),
    /// `vui_num_units_in_tick` and `vui_time_scale`.
    ticks: Option<(u32, u32)>,
    /// The bounds that end it, with their flag.
    restriction: Option<(usize, usize)>,
}

impl HevcSps {
    /// Reads a whole NAL unit; `None` if it is damaged.
    pub fn parse(unit: &[u8]) -> Option<Self> {
        let payload = without_emulation_prevention(unit);
        let mut reader = Bits::new(&payload);
        let order = skip_to_usability(&mut reader)?;
        let usability_at = reader.position();
        let usability = if reader.flag()? {
            Some(Usability::read(&mut reader)?)
        } else {
            None
        };
        let is_at_end = usability
            .as_ref()
            .is_none_or(|own| own.restriction.is_some());
        let extension_at = is_at_end.then(|| reader.position());
        Some(Self {
            order,
            usability_at,
            usability,
            extension_at,
            payload,
        })
    }

    /// This SPS of an encoder with the looks of the source's; `None` if its end is not known.
    pub fn like(&self, source: &Self) -> Option<Vec<u8>> {
        let mut writer = Writer::default();
        self.order
            .replace(&source.order, &self.payload, &mut writer);
        writer.copy(&self.payload, self.order.bits.1, self.usability_at);
        writer.flag(source.usability.is_some());
        if let Some(looks) = &source.usability {
            writer.copy(&source.payload, looks.looks.0, looks.looks.1);
            writer.fixed(0, 2); // field_seq_flag, frame_field_info_present_flag
            writer.copy(&source.payload, looks.window.0, looks.window.1);
            writer.flag(looks.ticks.is_some());
            if let Some((unit, ticks)) = looks.ticks {
                writer.fixed(unit, 32);
                writer.fixed(ticks, 32);
                writer.fixed(0, 2); // poc_proportional_to_timing, hrd_parameters: not present
            }
            match self.usability.as_ref().and_then(|own| own.restriction) {
                Some((from, to)) => writer.copy(&self.payload, from, to),
                None => writer.flag(false),
            }
        }
        writer.copy(&self.payload, self.extension_at?, stop_bit(&self.payload)?);
        Some(with_emulation_prevention(&writer.finish()))
    }
}

impl Usability {
    fn read(reader: &mut Bits) -> Option<Self> {
        let from = reader.position();
        skip_colour(reader)?;
        reader.flag()?; // neutral_chroma_indication_flag
        let looks = (from, reader.position());
        reader.take(2)?; // field_seq_flag, frame_field_info_present_flag
        let from = reader.position();
        if reader.flag()? {
            skip_unsigned(reader, 4)?; // offsets of the default display window
        }
        let window = (from, reader.position());
        let mut ticks = None;
        let mut has_reference_decoder = false;
        if reader.flag()? {
            ticks = Some((reader.take(32)?, reader.take(32)?));
            if reader.flag()? {
                reader.ue()?; // vui_num_ticks_poc_diff_one_minus1
            }
            has_reference_decoder = reader.flag()?;
        }
        let from = reader.position();
        let restriction = if has_reference_decoder {
            None
        } else {
            if reader.flag()? {
                reader.take(3)?; // tiles, vectors over edges, reference lists
                skip_unsigned(reader, 5)?;
            }
            Some((from, reader.position()))
        };
        Some(Self {
            looks,
            window,
            ticks,
            restriction,
        })
    }
}

/// The last bit that is set ends what a unit says.
fn stop_bit(payload: &[u8]) -> Option<usize> {
    let last = payload.iter().rposition(|byte| *byte != 0)?;
    let zeros = payload.get(last)?.trailing_zeros() as usize;
    Some(last * 8 + 7 - zeros)
}

fn skip_unsigned(reader: &mut Bits, count: usize) -> Option<()> {
    (0..count).try_for_each(|_| reader.ue().map(drop))
}

fn skip_bits(reader: &mut Bits, count: usize) -> Option<()> {
    (0..count).try_for_each(|_| reader.flag().map(drop))
}

/// H.265 §7.3.2.2.1 up to `vui_parameters_present_flag`.
fn skip_to_usability(reader: &mut Bits) -> Option<Order> {
    skip_bits(reader, HEADER_BITS)?;
    reader.take(4)?; // sps_video_parameter_set_id
    let sub_layers = reader.take(3)?;
    reader.flag()?; // sps_temporal_id_nesting_flag
    skip_profile(reader, sub_layers)?;
    reader.ue()?; // sps_seq_parameter_set_id
    if reader.ue()? == 3 {
        reader.flag()?; // separate_colour_plane_flag
    }
    skip_unsigned(reader, 2)?; // width, height
    if reader.flag()? {
        skip_unsigned(reader, 4)?; // offsets of the conformance window
    }
    skip_unsigned(reader, 2)?; // bit depths
    let order_count_bits = reader.ue()?.checked_add(4)?;
    let order = Order::read(reader, sub_layers)?;
    skip_unsigned(reader, 6)?; // sizes of blocks, depths of transform trees
    if reader.flag()? && reader.flag()? {
        skip_scaling_lists(reader)?;
    }
    reader.take(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if reader.flag()? {
        reader.take(8)?; // bit depths of PCM samples
        skip_unsigned(reader, 2)?;
        reader.flag()?; // pcm_loop_filter_disabled_flag
    }
    skip_reference_sets(reader)?;
    if reader.flag()? {
        for _ in 0..reader.ue()? {
            reader.take(order_count_bits.min(32))?; // lt_ref_pic_poc_lsb_sps
            reader.flag()?; // used_by_curr_pic_lt_sps_flag
        }
    }
    reader.take(2)?; // temporal vectors, strong intra smoothing
    Some(order)
}

/// H.265 §7.3.3.
fn skip_profile(reader: &mut Bits, sub_layers: u32) -> Option<()> {
    const PROFILE_BITS: usize = PROFILE_BYTES * 8;
    const LEVEL_BITS: usize = 8;
    skip_bits(reader, PROFILE_BITS + LEVEL_BITS)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((reader.flag()?, reader.flag()?));
    }
    if sub_layers > 0 {
        skip_bits(reader, 2 * (8 - sub_layers as usize))?;
    }
    for (has_profile, has_level) in present {
        skip_bits(reader, if has_profile { PROFILE_BITS } else { 0 })?;
        skip_bits(reader, if has_level { LEVEL_BITS } else { 0 })?;
    }
    Some(())
}

/// H.265 §7.3.4.
fn skip_scaling_lists(reader: &mut Bits) -> Option<()> {
    for size in 0..4_usize {
        let matrices = if size == 3 { 2 } else { 6 };
        for _ in 0..matrices {
            if reader.flag()? {
                let coefficients = (1_usize << (4 + 2 * size)).min(64) + usize::from(size > 1);
                skip_unsigned(reader, coefficients)?; // signed ones, which are as long
            } else {
                reader.ue()?; // scaling_list_pred_matrix_id_delta
            }
        }
    }
    Some(())
}

/// H.265 §7.3.7. How long a set is that refers to the one before it depends on what that holds,
/// so the distances of the pictures are kept.
fn skip_reference_sets(reader: &mut Bits) -> Option<()> {
    let count = reader.ue()?;
    if count > MOST_SETS {
        return None;
    }
    let mut distances: Vec<i64> = Vec::new();
    for set in 0..count {
        distances = if set > 0 && reader.flag()? {
            predicted_set(reader, &distances)?
        } else {
            explicit_set(reader)?
        };
        // §7.4.8: those before, the nearest first, then those after, the nearest first.
        distances.sort_by_key(|distance| (*distance > 0, distance.abs()));
    }
    Some(())
}

fn predicted_set(reader: &mut Bits, before: &[i64]) -> Option<Vec<i64>> {
    let is_negative = reader.flag()?;
    let step = i64::from(reader.ue()?) + 1;
    let step = if is_negative { -step } else { step };
    let mut distances = Vec::new();
    for distance in before.iter().chain([&0]) {
        let is_used = reader.flag()?;
        let is_kept = is_used || reader.flag()?;
        if is_kept && distance + step != 0 {
            distances.push(distance + step);
        }
    }
    Some(distances)
}

fn explicit_set(reader: &mut Bits) -> Option<Vec<i64>> {
    let counts = [(reader.ue()?, -1), (reader.ue()?, 1)];
    let mut distances = Vec::new();
    for (count, sign) in counts {
        if count > MOST_PICTURES {
            return None;
        }
        let mut distance = 0;
        for _ in 0..count {
            distance += i64::from(reader.ue()?) + 1;
            reader.flag()?; // used_by_curr_pic_flag
            distances.push(sign * distance);
        }
    }
    Some(distances)
}
