// SPDX-License-Identifier: MPL-2.0
//! H.264 in fields, written bit by bit, since no free encoder makes it: each field one macroblock
//! of 16x16 samples as they are (`I_PCM`, H.264 §7.3.5), so a frame is 16x32 and shows its number.

use gstsegmenter::media::bits::{Writer, push_payload};

use super::clip::{Clip, Frame};

const FRAME_NS: i64 = 40_000_000;
const GOP: usize = 25;

/// So many frames, each field an access unit and a buffer of its own.
pub fn clip(frames: usize) -> Clip {
    gst::init().expect("GStreamer starts");
    let caps = gst::Caps::builder("video/x-h264")
        .field("stream-format", "avc")
        .field("alignment", "au")
        .field("width", 16)
        .field("height", 32)
        .field("interlace-mode", "interleaved")
        .field("framerate", gst::Fraction::new(25, 1))
        .field("codec_data", gst::Buffer::from_slice(avcc()));
    let fields = (0..frames * 2).map(|number| {
        let ns = number as i64 * FRAME_NS / 2;
        let mut buffer = gst::Buffer::from_slice(sample(&field(number)));
        let is_delta = number % (GOP * 2) != 0;
        let flags = buffer.get_mut().expect("just made");
        if is_delta {
            flags.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        Frame {
            buffer,
            pts_ns: ns,
            dts_ns: Some(ns),
            duration_ns: Some(FRAME_NS / 2),
        }
    });
    Clip {
        caps: caps.build(),
        frames: fields.collect(),
    }
}

/// A NAL unit behind its length.
pub fn sample(unit: &[u8]) -> Vec<u8> {
    let length = u32::try_from(unit.len()).expect("small");
    [&length.to_be_bytes()[..], unit].concat()
}

fn unit(header: u8, payload: Writer) -> Vec<u8> {
    let mut unit = vec![header];
    push_payload(&mut unit, &payload.finish());
    unit
}

fn avcc() -> Vec<u8> {
    let (sps, pps) = (sps(), pps());
    let mut avcc = vec![1, sps[1], sps[2], sps[3], 0xff, 0xe1];
    avcc.extend((sps.len() as u16).to_be_bytes());
    avcc.extend(&sps);
    avcc.push(1);
    avcc.extend((pps.len() as u16).to_be_bytes());
    avcc.extend(&pps);
    avcc
}

/// Main profile, one macroblock a field, order of pictures counted as decoded (type 2).
fn sps() -> Vec<u8> {
    let mut bits = Writer::default();
    bits.fixed(77, 8);
    bits.fixed(0, 8);
    bits.fixed(30, 8);
    bits.ue(0); // seq_parameter_set_id
    bits.ue(4); // log2_max_frame_num_minus4: 8 bits
    bits.ue(2); // pic_order_cnt_type
    bits.ue(2); // max_num_ref_frames
    bits.flag(false);
    bits.ue(0); // pic_width_in_mbs_minus1
    bits.ue(0); // pic_height_in_map_units_minus1
    bits.flag(false); // frame_mbs_only_flag
    bits.flag(false); // mb_adaptive_frame_field_flag
    bits.flag(true); // direct_8x8_inference_flag
    bits.flag(false); // frame_cropping_flag
    bits.flag(false); // vui_parameters_present_flag
    unit(0x67, bits)
}

fn pps() -> Vec<u8> {
    let mut bits = Writer::default();
    bits.ue(0);
    bits.ue(0);
    bits.flag(false); // entropy_coding_mode_flag: CAVLC
    bits.flag(false);
    bits.ue(0); // num_slice_groups_minus1
    bits.ue(0);
    bits.ue(0);
    bits.flag(false);
    bits.fixed(0, 2);
    bits.se(0);
    bits.se(0);
    bits.se(0);
    bits.flag(true); // deblocking_filter_control_present_flag
    bits.flag(false);
    bits.flag(false);
    unit(0x68, bits)
}

/// A field, by its number in the stream; even ones are top fields.
fn field(number: usize) -> Vec<u8> {
    let frame = number / 2;
    let is_bottom = number % 2 == 1;
    let is_idr = frame.is_multiple_of(GOP) && !is_bottom;
    let is_intra = frame.is_multiple_of(GOP);
    let mut bits = Writer::default();
    bits.ue(0); // first_mb_in_slice
    bits.ue(if is_intra { 7 } else { 5 });
    bits.ue(0);
    bits.fixed((frame % GOP) as u32, 8); // frame_num
    bits.flag(true); // field_pic_flag
    bits.flag(is_bottom);
    if is_idr {
        bits.ue((frame / GOP % 2) as u32); // idr_pic_id
    }
    if !is_intra {
        bits.flag(false); // num_ref_idx_active_override_flag
        bits.flag(false); // ref_pic_list_modification_flag_l0
    }
    if is_idr {
        bits.flag(false);
        bits.flag(false);
    } else {
        bits.flag(false); // adaptive_ref_pic_marking_mode_flag
    }
    bits.se(0); // slice_qp_delta
    bits.ue(1); // disable_deblocking_filter_idc
    if !is_intra {
        bits.ue(0); // mb_skip_run
    }
    bits.ue(if is_intra { 25 } else { 30 }); // I_PCM
    bits.align(false);
    let luma = 16 + (number * 7 % 200) as u32;
    for sample in 0..256 + 128 {
        let value = if sample < 256 {
            luma + sample % 16
        } else {
            128
        };
        bits.fixed(value, 8);
    }
    unit(if is_idr { 0x65 } else { 0x61 }, bits)
}
