// SPDX-License-Identifier: MPL-2.0
//! H.264 in a byte stream (H.264 Annex B): what its NAL units say, and the decoder configuration
//! record made of its parameter sets.

use super::super::bits::{Bits, without_emulation_prevention};
use super::super::format::{Codec, VideoFormat};
use super::super::nal::{Sets, h264};
use super::sets::{KnownSets, LENGTH_BYTES, SliceSyntax, push_sets};
use super::vui::Vui;
use super::{Parity, Slice, Start, Unit, sei};

/// NAL unit types that MP4 samples do not hold: parameter sets stand in the record, and delimiters
/// and filler are of no use there (ISO/IEC 14496-15 §5.3.2, §5.4.2).
const LEFT_OUT: [u8; 7] = [
    h264::SPS,
    h264::PPS,
    h264::DELIMITER,
    h264::END_OF_SEQUENCE,
    h264::END_OF_STREAM,
    h264::FILLER,
    h264::SPS_EXTENSION,
];
/// Slice data partition A: a slice's header, with the rest of it in others.
const PARTITION_A: u8 = 2;
/// Slices of I macroblocks only, and of a picture of such slices only (H.264 table 7-6).
const SLICE_TYPES_I: [u32; 2] = [2, 7];
/// Profiles whose parameter sets say the format of chroma (H.264 §7.3.2.1.1).
const PROFILES_WITH_CHROMA: [u8; 13] =
    [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// Enough of a slice for the first numbers of its header.
const SLICE_HEAD_BYTES: usize = 20;
const MOST_SPS_ID: u32 = 31;
const MOST_PPS_ID: u32 = 255;

/// Whether MP4 samples do without this NAL unit.
pub fn is_left_out(unit: &[u8]) -> bool {
    LEFT_OUT.contains(&h264::kind(unit))
}

/// What a NAL unit says; parameter sets are kept.
pub fn read(unit: &[u8], known: &mut KnownSets) -> Unit {
    match h264::kind(unit) {
        h264::DELIMITER => return Unit::Delimiter,
        h264::SEI => return recovery_point(unit).map_or(Unit::Other, Unit::RecoveryPoint),
        h264::SPS => {
            if let Some(sps) = Sps::parse(unit).filter(|sps| sps.id <= MOST_SPS_ID) {
                known.learn(h264::SPS, sps.id, unit);
            }
            return Unit::Set;
        }
        h264::PPS => {
            if let Some((id, _)) = pps_ids(unit).filter(|(id, _)| *id <= MOST_PPS_ID) {
                known.learn(h264::PPS, id, unit);
            }
            return Unit::Set;
        }
        h264::SLICE | h264::IDR | PARTITION_A => {
            return slice(unit, known).map_or(Unit::Other, Unit::Slice);
        }
        _ => {}
    }
    Unit::Other
}

/// `slice_header()` (§7.3.3), as far as it matters.
fn slice(unit: &[u8], known: &mut KnownSets) -> Option<Slice> {
    let head = unit.get(..SLICE_HEAD_BYTES).unwrap_or(unit);
    let head = without_emulation_prevention(head);
    let mut bits = Bits::new(head.get(1..)?);
    let first_macroblock = bits.ue()?;
    let slice_type = bits.ue()?;
    let pps_id = bits.ue()?;
    let start = if h264::kind(unit) == h264::IDR {
        Start::Sync
    } else if SLICE_TYPES_I.contains(&slice_type) {
        Start::Intra
    } else {
        Start::No
    };
    // Without its sets, or cut off, it tells nothing more.
    let (frame_number, field) = known
        .slice_syntax(pps_id, slice_syntax)
        .and_then(|syntax| frame_and_field(&mut bits, syntax))
        .unwrap_or_default();
    Some(Slice {
        start,
        is_first: first_macroblock == 0,
        is_reference: h264::is_reference(unit),
        temporal_id: 0,
        pps_id,
        frame_number,
        field,
    })
}

/// `colour_plane_id` up to `bottom_field_flag`.
fn frame_and_field(bits: &mut Bits<'_>, syntax: SliceSyntax) -> Option<(u32, Option<Parity>)> {
    if syntax.has_separate_planes {
        bits.skip(2)?;
    }
    let frame_number = bits.take(syntax.frame_number_bits)?;
    let field = match !syntax.is_frames_only && bits.flag()? {
        true => Some(Parity::of(bits.flag()?)),
        false => None,
    };
    Some((frame_number, field))
}

/// How the slices that refer to a picture parameter set are written.
fn slice_syntax(known: &KnownSets, pps_id: u32) -> Option<SliceSyntax> {
    let (_, sps_id) = pps_ids(known.get(h264::PPS, pps_id)?)?;
    Sps::parse(known.get(h264::SPS, sps_id)?).map(|sps| sps.slices)
}

/// The frames after which all is right, of a recovery point SEI message (§D.2.8).
fn recovery_point(unit: &[u8]) -> Option<u32> {
    Bits::new(&sei::message(unit, 1, sei::RECOVERY_POINT)?).ue()
}

/// Ids of a picture parameter set and of the sequence parameter set that it refers to (§7.3.2.2).
fn pps_ids(unit: &[u8]) -> Option<(u32, u32)> {
    let head = unit.get(..SLICE_HEAD_BYTES).unwrap_or(unit);
    let head = without_emulation_prevention(head);
    let mut bits = Bits::new(head.get(1..)?);
    Some((bits.ue()?, bits.ue()?))
}

/// The codec of a picture that refers to this picture parameter set: with the sequence parameter
/// set behind it, and all picture parameter sets of that, which later pictures may refer to.
pub fn codec(known: &KnownSets, pps_id: u32) -> Option<Codec> {
    let (_, sps_id) = pps_ids(known.get(h264::PPS, pps_id)?)?;
    let unit = known.get(h264::SPS, sps_id)?;
    let sps = Sps::parse(unit)?;
    let is_own = |pps: &&[u8]| pps_ids(pps).is_some_and(|(_, parent)| parent == sps_id);
    let pps = known.of_kind(h264::PPS).filter(is_own);
    let sets = Sets {
        length_bytes: LENGTH_BYTES,
        vps: Vec::new(),
        sps: vec![unit.to_vec()],
        pps: pps.map(<[u8]>::to_vec).collect(),
    };
    Some(Codec::H264 {
        avcc: record(&sets, &sps)?,
        in_band: false,
        format: VideoFormat {
            width: sps.width,
            height: sps.height,
            pixel_aspect: sps.vui.pixel_aspect,
            colour: sps.vui.colour,
            orientation: Default::default(),
        },
    })
}

/// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1).
fn record(sets: &Sets, sps: &Sps) -> Option<Vec<u8>> {
    let first = sets.sps.first()?;
    let mut record = vec![1];
    record.extend_from_slice(first.get(1..4)?);
    record.push(0xFC | (LENGTH_BYTES as u8 - 1));
    record.push(0xE0 | u8::try_from(sets.sps.len()).ok()?);
    push_sets(&mut record, &sets.sps)?;
    record.push(u8::try_from(sets.pps.len()).ok()?);
    push_sets(&mut record, &sets.pps)?;
    if let Some(chroma) = &sps.chroma {
        let [format, luma_depth, chroma_depth] = *chroma;
        record.extend([0xFC | format, 0xF8 | luma_depth, 0xF8 | chroma_depth, 0]);
    }
    Some(record)
}

/// The parts of a sequence parameter set (§7.3.2.1.1) that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sps {
    id: u32,
    slices: SliceSyntax,
    /// `chroma_format_idc` and the bits above 8 of luma and chroma samples.
    chroma: Option<[u8; 3]>,
    /// Of what is shown of a frame.
    width: u32,
    height: u32,
    vui: Vui,
}

impl Sps {
    fn parse(unit: &[u8]) -> Option<Self> {
        let held = without_emulation_prevention(unit);
        let mut bits = Bits::new(held.get(1..)?);
        let profile = bits.byte(8)?;
        bits.skip(8 + 8)?; // constraint flags, level_idc
        let id = bits.ue()?;
        let mut has_separate_planes = false;
        let chroma = if PROFILES_WITH_CHROMA.contains(&profile) {
            Some(chroma(&mut bits, &mut has_separate_planes)?)
        } else {
            None
        };
        let frame_number_bits = bits.ue()?.checked_add(4).filter(|bits| *bits <= 16)?;
        order_of_pictures(&mut bits)?;
        bits.ue()?; // max_num_ref_frames
        bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        let format = chroma.map_or(1, |[format, ..]| format);
        let (width, height, is_frames_only) = size(&mut bits, format)?;
        Some(Self {
            id,
            slices: SliceSyntax {
                frame_number_bits,
                is_frames_only,
                has_separate_planes,
            },
            chroma,
            width,
            height,
            vui: Vui::read(&mut bits),
        })
    }
}

/// `chroma_format_idc` up to the scaling lists.
fn chroma(bits: &mut Bits<'_>, has_separate_planes: &mut bool) -> Option<[u8; 3]> {
    let format = u8::try_from(bits.ue()?).ok()?;
    if format > 3 {
        return None;
    }
    if format == 3 {
        *has_separate_planes = bits.flag()?;
    }
    let depths = [bits.ue()?, bits.ue()?];
    let [luma, chroma] = depths.map(|depth| u8::try_from(depth).unwrap_or(u8::MAX));
    if luma > 6 || chroma > 6 {
        return None;
    }
    bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
    let has_scaling = bits.flag()?;
    let lists = match (has_scaling, format) {
        (false, _) => 0,
        (true, 3) => 12,
        (true, _) => 8,
    };
    for list in 0..lists {
        let has_list = bits.flag()?;
        if has_list {
            scaling_list(bits, if list < 6 { 16 } else { 64 })?;
        }
    }
    Some([format, luma, chroma])
}

/// `scaling_list()` (§7.3.2.1.1.1).
fn scaling_list(bits: &mut Bits<'_>, entries: u32) -> Option<()> {
    let (mut last, mut next) = (8_i32, 8_i32);
    for _ in 0..entries {
        if next != 0 {
            let step = bits.se()?;
            next = last.checked_add(step)?.rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// What orders pictures for display.
fn order_of_pictures(bits: &mut Bits<'_>) -> Option<()> {
    match bits.ue()? {
        0 => bits.skip_ue(1), // log2_max_pic_order_cnt_lsb_minus4
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.skip_ue(2)?; // offsets for non-reference pictures and fields
            let count = bits.ue()?;
            bits.skip_ue(count.min(255))
        }
        _ => Some(()),
    }
}

/// Width and height of what is shown (§7.4.2.1.1, `frame_cropping_flag`), and whether there are no
/// fields.
fn size(bits: &mut Bits<'_>, chroma_format: u8) -> Option<(u32, u32, bool)> {
    let width = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.ue()?.checked_add(1)?;
    let is_progressive = bits.flag()?;
    let fields = if is_progressive { 1 } else { 2 };
    if !is_progressive {
        bits.skip(1)?; // mb_adaptive_frame_field_flag
    }
    bits.skip(1)?; // direct_8x8_inference_flag
    let height = map_units.checked_mul(16 * fields)?;
    let mut crop = [0; 4];
    if bits.flag()? {
        for side in &mut crop {
            *side = bits.ue()?;
        }
    }
    let [left, right, top, bottom] = crop;
    let across = left.checked_add(right)?.checked_mul(match chroma_format {
        1 | 2 => 2,
        _ => 1,
    })?;
    let along = top.checked_add(bottom)?.checked_mul(match chroma_format {
        1 => 2 * fields,
        _ => fields,
    })?;
    Some((
        width.checked_sub(across)?,
        height.checked_sub(along)?,
        is_progressive,
    ))
}
