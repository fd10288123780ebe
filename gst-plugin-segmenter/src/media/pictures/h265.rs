// SPDX-License-Identifier: MPL-2.0
//! H.265 in a byte stream (H.265 Annex B): what its NAL units say, and the decoder configuration
//! record made of its parameter sets.

use super::super::bits::{Bits, without_emulation_prevention};
use super::super::format::{Codec, VideoFormat};
use super::super::nal::h265;
use super::h265_sps::Sps;
use super::sets::{KnownSets, LENGTH_BYTES, push_sets};
use super::{Slice, Start, Unit, sei};

/// End of sequence.
const END_OF_SEQUENCE: u8 = 36;
/// End of bitstream.
const END_OF_BITSTREAM: u8 = 37;
/// NAL unit types that MP4 samples do not hold (ISO/IEC 14496-15 §8.3.2, §8.4.2).
const LEFT_OUT: [u8; 7] = [
    h265::VPS,
    h265::SPS,
    h265::PPS,
    h265::DELIMITER,
    h265::FILLER,
    END_OF_SEQUENCE,
    END_OF_BITSTREAM,
];
/// Of intra random access points, 16 to 23, the last.
const LAST_IRAP: u8 = 23;
/// Of slices that other pictures of their sub-layer may not refer to (even) and may (odd), the
/// last; above are intra random access points.
const LAST_SUB_LAYER: u8 = 15;
/// Bytes of a NAL unit's header.
const UNIT_HEADER_BYTES: usize = 2;
/// Enough of a slice or a set for the first numbers.
const HEAD_BYTES: usize = 24;
const MOST_SPS_ID: u32 = 15;
const MOST_PPS_ID: u32 = 63;

/// Whether MP4 samples do without this NAL unit.
pub fn is_left_out(unit: &[u8]) -> bool {
    LEFT_OUT.contains(&h265::kind(unit))
}

/// What a NAL unit says; parameter sets are kept. Those of further layers (`nuh_layer_id` above 0)
/// say nothing of the pictures that everybody decodes.
pub fn read(unit: &[u8], known: &mut KnownSets) -> Unit {
    if layer_id(unit) != Some(0) {
        return Unit::Other;
    }
    match h265::kind(unit) {
        h265::DELIMITER => return Unit::Delimiter,
        h265::VPS => {
            if let Some(byte) = unit.get(UNIT_HEADER_BYTES) {
                known.learn(h265::VPS, u32::from(byte >> 4), unit);
            }
            return Unit::Set;
        }
        h265::SPS => {
            if let Some(sps) = Sps::parse(unit).filter(|sps| sps.id <= MOST_SPS_ID) {
                known.learn(h265::SPS, sps.id, unit);
            }
            return Unit::Set;
        }
        h265::PPS => {
            if let Some((id, _)) = pps_ids(unit).filter(|(id, _)| *id <= MOST_PPS_ID) {
                known.learn(h265::PPS, id, unit);
            }
            return Unit::Set;
        }
        h265::SEI => return recovery_point(unit).map_or(Unit::Other, Unit::RecoveryPoint),
        0..h265::VPS => return slice(unit).map_or(Unit::Other, Unit::Slice),
        _ => {}
    }
    Unit::Other
}

fn layer_id(unit: &[u8]) -> Option<u8> {
    let [high, low] = *unit.first_chunk::<UNIT_HEADER_BYTES>()?;
    Some((high & 1) << 5 | low >> 3)
}

/// `slice_segment_header()` (§7.3.6.1), as far as it matters.
fn slice(unit: &[u8]) -> Option<Slice> {
    let kind = h265::kind(unit);
    let [_, low] = *unit.first_chunk::<UNIT_HEADER_BYTES>()?;
    let head = head(unit);
    let mut bits = Bits::new(head.get(UNIT_HEADER_BYTES..)?);
    let is_first = bits.flag()?;
    if (h265::BLA_W_LP..=LAST_IRAP).contains(&kind) {
        bits.skip(1)?; // no_output_of_prior_pics_flag
    }
    let start = match kind {
        h265::BLA_W_LP..=h265::BLA_N_LP | h265::IDR_W_RADL | h265::IDR_N_LP => Start::Sync,
        h265::CRA => Start::Cra,
        _ => Start::No,
    };
    Some(Slice {
        start,
        is_first,
        is_reference: kind > LAST_SUB_LAYER || kind % 2 == 1,
        temporal_id: (low & 7).saturating_sub(1),
        pps_id: bits.ue()?,
        frame_number: 0,
        field: None,
    })
}

/// The pictures, in presentation order, after which all is right, of a recovery point SEI message
/// (§D.2.8).
fn recovery_point(unit: &[u8]) -> Option<u32> {
    let message = sei::message(unit, UNIT_HEADER_BYTES, sei::RECOVERY_POINT)?;
    let pictures = Bits::new(&message).se()?;
    Some(u32::try_from(pictures).unwrap_or(0))
}

fn head(unit: &[u8]) -> Vec<u8> {
    without_emulation_prevention(unit.get(..HEAD_BYTES).unwrap_or(unit))
}

/// Ids of a picture parameter set and of the sequence parameter set that it refers to (§7.3.2.3.1).
fn pps_ids(unit: &[u8]) -> Option<(u32, u32)> {
    let head = head(unit);
    let mut bits = Bits::new(head.get(UNIT_HEADER_BYTES..)?);
    Some((bits.ue()?, bits.ue()?))
}

/// The codec of a picture that refers to this picture parameter set: with the sets behind it, and
/// all picture parameter sets beside it, which later pictures may refer to.
pub fn codec(known: &KnownSets, pps_id: u32) -> Option<Codec> {
    let (_, sps_id) = pps_ids(known.get(h265::PPS, pps_id)?)?;
    let unit = known.get(h265::SPS, sps_id)?;
    let sps = Sps::parse(unit)?;
    let is_own = |pps: &&[u8]| pps_ids(pps).is_some_and(|(_, parent)| parent == sps_id);
    let pps = known.of_kind(h265::PPS).filter(is_own);
    let arrays = [
        (h265::VPS, vec![known.get(h265::VPS, sps.vps_id)?.to_vec()]),
        (h265::SPS, vec![unit.to_vec()]),
        (h265::PPS, pps.map(<[u8]>::to_vec).collect()),
    ];
    Some(Codec::H265 {
        hvcc: record(&sps, &arrays)?,
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

/// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1). Segmentation, parallelism and
/// frame rate are left unknown, as they may be.
fn record(sps: &Sps, arrays: &[(u8, Vec<Vec<u8>>)]) -> Option<Vec<u8>> {
    const IS_COMPLETE: u8 = 0x80;
    let mut record = vec![1];
    record.extend(sps.profile_tier_level);
    record.extend([0xF0, 0x00]); // min_spatial_segmentation_idc
    record.push(0xFC); // parallelismType
    record.push(0xFC | sps.chroma_format);
    record.push(0xF8 | sps.luma_depth);
    record.push(0xF8 | sps.chroma_depth);
    record.extend([0, 0]); // avgFrameRate
    let nesting = u8::from(sps.is_temporally_nested) << 2;
    record.push(sps.sub_layers << 3 | nesting | (LENGTH_BYTES as u8 - 1));
    record.push(arrays.len() as u8);
    for (kind, sets) in arrays {
        record.push(IS_COMPLETE | kind);
        record.extend(u16::try_from(sets.len()).ok()?.to_be_bytes());
        push_sets(&mut record, sets)?;
    }
    Some(record)
}
