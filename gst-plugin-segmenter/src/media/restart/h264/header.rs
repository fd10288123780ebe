// SPDX-License-Identifier: MPL-2.0
//! Slice headers (H.264 §7.3.3): read by `h264-reader`, written here.
//!
//! A header is believed only if writing it unchanged gives back the bits it was read from, and as
//! many as were read: then what is written after a change says that change and nothing else.

use h264_reader::Context;
use h264_reader::nal::NalHeader;
use h264_reader::nal::pps::PicParameterSet;
use h264_reader::nal::slice::{
    ColourPlane, DecRefPicMarking, Field, FieldPic, MemoryManagementControlOperation as Operation,
    ModificationOfPicNums, NumRefIdxActive, PicOrderCountLsb, PredWeight, PredWeightTable,
    RefPicListModifications, SliceExclusive, SliceFamily, SliceHeader,
};
use h264_reader::nal::sps::{FrameMbsFlags, PicOrderCntType, SeqParameterSet};

use crate::media::bits::{Payload, Writer, payload};
use crate::media::restart::counting::Counting;
use crate::media::restart::sample::Unit;
use crate::media::restart::{RestartError, Unsupported};

/// More bytes than the longest header has.
pub const HEADER_BYTES: usize = 2048;

/// A slice and what its header says.
pub struct Slice<'a> {
    /// The byte of the NAL unit's header.
    pub nal: u8,
    /// The header.
    pub header: SliceHeader,
    /// Its parameter sets.
    pub sps: &'a SeqParameterSet,
    /// Likewise.
    pub pps: &'a PicParameterSet,
    /// The header as it was.
    pub bits: Writer,
    /// The beginning of the payload, further than the header.
    pub payload: Payload,
}

impl<'a> Slice<'a> {
    /// Reads the header of a slice.
    pub fn read(context: &'a Context, unit: &Unit) -> Result<Self, RestartError> {
        let payload = payload(unit.read, 1, HEADER_BYTES);
        let nal = unit.read.first().copied().unwrap_or_default();
        let damaged = Unsupported::Damaged("a slice header cannot be read");
        let kind = NalHeader::new(nal).map_err(|_| damaged)?;
        let mut reader = Counting::new(&payload.bytes);
        let Ok((header, sps, pps)) = SliceHeader::from_bits(context, &mut reader, kind, None)
        else {
            // The crate's errors do not tell whether the bytes ended or were wrong.
            let could_go_on = !unit.is_whole() && payload.bytes.len() < HEADER_BYTES;
            return Err(if could_go_on {
                unit.short(unit.read.len())
            } else {
                damaged.into()
            });
        };
        let bits = reader.bits;
        refuse(&header, sps, pps)?;
        let slice = Self {
            nal,
            bits: write(nal, &header, sps, pps),
            header,
            sps,
            pps,
            payload,
        };
        let mut source = Writer::default();
        source.copy(&slice.payload.bytes, 0, bits);
        if source == slice.bits {
            Ok(slice)
        } else {
            Err(Unsupported::Damaged("a slice header is not what it says").into())
        }
    }

    /// The header as it is now, for a NAL unit with this header byte.
    pub fn written(&self, nal: u8) -> Writer {
        write(nal, &self.header, self.sps, self.pps)
    }

    /// It belongs to a picture that others may refer to.
    pub fn is_reference(&self) -> bool {
        self.nal & 0x60 != 0
    }

    /// It belongs to an IDR picture.
    pub fn is_idr(&self) -> bool {
        is_idr(self.nal)
    }

    /// How many entries each of its reference lists has.
    pub fn list_lengths(&self) -> [usize; 2] {
        let default = [
            self.pps.num_ref_idx_l0_default_active_minus1,
            self.pps.num_ref_idx_l1_default_active_minus1,
        ];
        let [l0, l1] = match self.header.num_ref_idx_active {
            Some(NumRefIdxActive::B {
                num_ref_idx_l0_active_minus1: l0,
                num_ref_idx_l1_active_minus1: l1,
            }) => [l0, l1],
            Some(NumRefIdxActive::P {
                num_ref_idx_l0_active_minus1: l0,
            }) => [l0, 0],
            None => default,
        };
        let length = |minus1: u32| (minus1 as usize).min(31) + 1;
        match self.header.slice_type.family {
            SliceFamily::B => [length(l0), length(l1)],
            SliceFamily::P => [length(l0), 0],
            _ => [0, 0],
        }
    }

    /// How its reference lists are changed.
    pub fn modifications(&self) -> [&[ModificationOfPicNums]; 2] {
        match &self.header.ref_pic_list_modification {
            Some(RefPicListModifications::P {
                ref_pic_list_modification_l0: l0,
            }) => [l0, &[]],
            Some(RefPicListModifications::B {
                ref_pic_list_modification_l0: l0,
                ref_pic_list_modification_l1: l1,
            }) => [l0, l1],
            _ => [&[], &[]],
        }
    }

    /// Changes how its reference lists are changed.
    pub fn modify(&mut self, [l0, l1]: [Vec<ModificationOfPicNums>; 2]) {
        self.header.ref_pic_list_modification = Some(match self.header.slice_type.family {
            SliceFamily::P => RefPicListModifications::P {
                ref_pic_list_modification_l0: l0,
            },
            SliceFamily::B => RefPicListModifications::B {
                ref_pic_list_modification_l0: l0,
                ref_pic_list_modification_l1: l1,
            },
            _ => RefPicListModifications::I,
        });
    }

    /// Changes `pic_order_cnt_lsb`; what stands beside it stays.
    pub fn set_order_lsb(&mut self, lsb: u32) {
        match &mut self.header.pic_order_cnt_lsb {
            Some(PicOrderCountLsb::Frame(old)) => *old = lsb,
            Some(PicOrderCountLsb::FieldsAbsolute {
                pic_order_cnt_lsb, ..
            }) => *pic_order_cnt_lsb = lsb,
            _ => {}
        }
    }
}

fn is_idr(nal: u8) -> bool {
    nal & 0x1f == crate::media::nal::h264::IDR
}

/// What is not handled.
fn refuse(
    header: &SliceHeader,
    sps: &SeqParameterSet,
    pps: &PicParameterSet,
) -> Result<(), Unsupported> {
    if header.field_pic != FieldPic::Frame {
        Err(Unsupported::Fields)
    } else if pps.slice_groups.is_some() {
        Err(Unsupported::SliceGroups)
    } else if matches!(sps.pic_order_cnt, PicOrderCntType::TypeOne { .. }) {
        Err(Unsupported::OrderType)
    } else if matches!(header.slice_type.family, SliceFamily::SP | SliceFamily::SI) {
        Err(Unsupported::Switching)
    } else if header.redundant_pic_cnt.is_some_and(|count| count > 0) {
        Err(Unsupported::Redundant)
    } else {
        Ok(())
    }
}

fn write(nal: u8, header: &SliceHeader, sps: &SeqParameterSet, pps: &PicParameterSet) -> Writer {
    let mut bits = Writer::default();
    bits.ue(header.first_mb_in_slice);
    write_type(&mut bits, header);
    bits.ue(pps.pic_parameter_set_id.id().into());
    if let Some(plane) = &header.colour_plane {
        let plane = match plane {
            ColourPlane::Y => 0,
            ColourPlane::Cb => 1,
            ColourPlane::Cr => 2,
        };
        bits.fixed(plane, 2);
    }
    bits.fixed(header.frame_num.into(), sps.log2_max_frame_num().into());
    if let FrameMbsFlags::Fields { .. } = sps.frame_mbs_flags {
        bits.flag(header.field_pic != FieldPic::Frame);
        if let FieldPic::Field(field) = &header.field_pic {
            bits.flag(*field == Field::Bottom);
        }
    }
    if is_idr(nal) {
        bits.ue(header.idr_pic_id.unwrap_or_default());
    }
    write_order(&mut bits, header, sps);
    if let Some(count) = header.redundant_pic_cnt {
        bits.ue(count);
    }
    if let Some(is_spatial) = header.direct_spatial_mv_pred_flag {
        bits.flag(is_spatial);
    }
    write_lists(&mut bits, header);
    if let Some(table) = &header.pred_weight_table {
        write_weights(&mut bits, table, header.slice_type.family == SliceFamily::B);
    }
    if let Some(marking) = &header.dec_ref_pic_marking {
        write_marking(&mut bits, marking);
    }
    if let Some(idc) = header.cabac_init_idc {
        bits.ue(idc);
    }
    bits.se(header.slice_qp_delta);
    if pps.deblocking_filter_control_present_flag {
        bits.ue(header.disable_deblocking_filter_idc.into());
        let offsets = [
            header.slice_alpha_c0_offset_div2,
            header.slice_beta_offset_div2,
        ];
        offsets.iter().flatten().for_each(|offset| bits.se(*offset));
    }
    bits
}

/// Table 7-6.
fn write_type(bits: &mut Writer, header: &SliceHeader) {
    let family = match header.slice_type.family {
        SliceFamily::P => 0,
        SliceFamily::B => 1,
        SliceFamily::I => 2,
        SliceFamily::SP => 3,
        SliceFamily::SI => 4,
    };
    let is_exclusive = header.slice_type.exclusive == SliceExclusive::Exclusive;
    bits.ue(if is_exclusive { family + 5 } else { family });
}

fn write_order(bits: &mut Writer, header: &SliceHeader, sps: &SeqParameterSet) {
    let PicOrderCntType::TypeZero {
        log2_max_pic_order_cnt_lsb_minus4,
    } = sps.pic_order_cnt
    else {
        return;
    };
    let lsb_bits = u32::from(log2_max_pic_order_cnt_lsb_minus4) + 4;
    match &header.pic_order_cnt_lsb {
        Some(PicOrderCountLsb::Frame(lsb)) => bits.fixed(*lsb, lsb_bits),
        Some(PicOrderCountLsb::FieldsAbsolute {
            pic_order_cnt_lsb,
            delta_pic_order_cnt_bottom,
        }) => {
            bits.fixed(*pic_order_cnt_lsb, lsb_bits);
            bits.se(*delta_pic_order_cnt_bottom);
        }
        _ => {}
    }
}

/// `num_ref_idx_active_override_flag` and `ref_pic_list_modification` (§7.3.3.1).
fn write_lists(bits: &mut Writer, header: &SliceHeader) {
    if header.slice_type.family == SliceFamily::I {
        return;
    }
    bits.flag(header.num_ref_idx_active.is_some());
    match header.num_ref_idx_active {
        Some(NumRefIdxActive::P {
            num_ref_idx_l0_active_minus1,
        }) => bits.ue(num_ref_idx_l0_active_minus1),
        Some(NumRefIdxActive::B {
            num_ref_idx_l0_active_minus1,
            num_ref_idx_l1_active_minus1,
        }) => {
            bits.ue(num_ref_idx_l0_active_minus1);
            bits.ue(num_ref_idx_l1_active_minus1);
        }
        None => {}
    }
    match &header.ref_pic_list_modification {
        Some(RefPicListModifications::P {
            ref_pic_list_modification_l0,
        }) => write_modification(bits, ref_pic_list_modification_l0),
        Some(RefPicListModifications::B {
            ref_pic_list_modification_l0,
            ref_pic_list_modification_l1,
        }) => {
            write_modification(bits, ref_pic_list_modification_l0);
            write_modification(bits, ref_pic_list_modification_l1);
        }
        _ => {}
    }
}

fn write_modification(bits: &mut Writer, list: &[ModificationOfPicNums]) {
    bits.flag(!list.is_empty());
    for modification in list {
        let (idc, value) = match modification {
            ModificationOfPicNums::Subtract(value) => (0, value),
            ModificationOfPicNums::Add(value) => (1, value),
            ModificationOfPicNums::LongTermRef(value) => (2, value),
            ModificationOfPicNums::SubtractViewIdx(value) => (4, value),
            ModificationOfPicNums::AddViewIdx(value) => (5, value),
        };
        bits.ue(idc);
        bits.ue(*value);
    }
    if !list.is_empty() {
        bits.ue(3);
    }
}

/// `pred_weight_table` (§7.3.3.2).
fn write_weights(bits: &mut Writer, table: &PredWeightTable, has_l1: bool) {
    bits.ue(table.luma_log2_weight_denom);
    if let Some(denominator) = table.chroma_log2_weight_denom {
        bits.ue(denominator);
    }
    let pair = |bits: &mut Writer, weight: &PredWeight| {
        bits.se(weight.weight);
        bits.se(weight.offset);
    };
    let lists = [
        (&table.luma_weights, &table.chroma_weights),
        (&table.luma_weights_l1, &table.chroma_weights_l1),
    ];
    for (luma, chroma) in lists.iter().take(if has_l1 { 2 } else { 1 }) {
        for (index, luma) in luma.iter().enumerate() {
            bits.flag(luma.is_some());
            luma.iter().for_each(|weight| pair(bits, weight));
            if let Some(chroma) = chroma.get(index) {
                bits.flag(!chroma.is_empty());
                chroma.iter().for_each(|weight| pair(bits, weight));
            }
        }
    }
}

/// `dec_ref_pic_marking` (§7.3.3.3).
fn write_marking(bits: &mut Writer, marking: &DecRefPicMarking) {
    match marking {
        DecRefPicMarking::Idr {
            no_output_of_prior_pics_flag,
            long_term_reference_flag,
        } => {
            bits.flag(*no_output_of_prior_pics_flag);
            bits.flag(*long_term_reference_flag);
        }
        DecRefPicMarking::SlidingWindow => bits.flag(false),
        DecRefPicMarking::Adaptive(operations) => {
            bits.flag(true);
            operations
                .iter()
                .for_each(|each| write_operation(bits, each));
            bits.ue(0);
        }
    }
}

fn write_operation(bits: &mut Writer, operation: &Operation) {
    match *operation {
        Operation::ShortTermUnusedForRef {
            difference_of_pic_nums_minus1,
        } => {
            bits.ue(1);
            bits.ue(difference_of_pic_nums_minus1);
        }
        Operation::LongTermUnusedForRef { long_term_pic_num } => {
            bits.ue(2);
            bits.ue(long_term_pic_num);
        }
        Operation::ShortTermUsedForLongTerm {
            difference_of_pic_nums_minus1,
            long_term_frame_idx,
        } => {
            bits.ue(3);
            bits.ue(difference_of_pic_nums_minus1);
            bits.ue(long_term_frame_idx);
        }
        Operation::MaxUsedLongTermFrameRef {
            max_long_term_frame_idx_plus1,
        } => {
            bits.ue(4);
            bits.ue(max_long_term_frame_idx_plus1);
        }
        Operation::AllRefPicturesUnused => bits.ue(5),
        Operation::CurrentUsedForLongTerm {
            long_term_frame_idx,
        } => {
            bits.ue(6);
            bits.ue(long_term_frame_idx);
        }
    }
}
