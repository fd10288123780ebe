// SPDX-License-Identifier: MPL-2.0
//! NAL units: in a byte stream (H.264 and H.265 Annex B), in samples with their lengths
//! (ISO/IEC 14496-15 §4.3.2), and the parameter sets of decoder configuration records.

use memchr::memmem;

/// The NAL units of a byte stream, without start codes and trailing zeros.
pub fn in_byte_stream(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts = memmem::find_iter(data, &[0, 0, 1])
        .map(|at| at + 3)
        .peekable();
    std::iter::from_fn(move || {
        let start = starts.next()?;
        let end = starts.peek().map_or(data.len(), |next| next - 3);
        let unit = data.get(start..end).unwrap_or_default();
        let kept = unit
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        unit.get(..kept)
    })
    .filter(|unit| !unit.is_empty())
}

/// The NAL units of a sample whose lengths have `length_bytes` bytes; ends at damage.
pub fn in_sample(mut sample: &[u8], length_bytes: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, after) = sample.split_at_checked(length_bytes)?;
        let length = length
            .iter()
            .fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        let (unit, rest) = after.split_at_checked(length)?;
        sample = rest;
        (length_bytes > 0).then_some(unit)
    })
    .filter(|unit| !unit.is_empty())
}

/// As [`in_sample`], of the beginning of a sample: the last unit may be cut off.
pub fn in_sample_so_far(mut sample: &[u8], length_bytes: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, after) = sample.split_at_checked(length_bytes)?;
        let length = length
            .iter()
            .fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
        let (unit, rest) = after.split_at(length.min(after.len()));
        sample = rest;
        (length_bytes > 0).then_some(unit)
    })
    .filter(|unit| !unit.is_empty())
}

/// Appends a NAL unit with its length; `false` if it is too long for `length_bytes` bytes.
pub fn push(sample: &mut Vec<u8>, unit: &[u8], length_bytes: usize) -> bool {
    let length = (unit.len() as u64).to_be_bytes();
    let (high, low) = length.split_at(length.len().saturating_sub(length_bytes));
    let fits = high.iter().all(|byte| *byte == 0);
    if fits {
        sample.extend_from_slice(low);
        sample.extend_from_slice(unit);
    }
    fits
}

/// The first `ue(v)` behind so many bytes of a unit.
fn leading_number(unit: &[u8], behind_bytes: usize) -> Option<u32> {
    const ENOUGH_BYTES: usize = 32;
    let head = unit.get(..unit.len().min(ENOUGH_BYTES))?;
    let head = super::bits::without_emulation_prevention(head);
    super::bits::Bits::new(head.get(behind_bytes..)?).ue()
}

/// Types of H.264 NAL units (H.264 table 7-1).
pub mod h264 {
    /// The type of a NAL unit.
    pub fn kind(unit: &[u8]) -> u8 {
        unit.first().map_or(0, |first| first & 0x1f)
    }
    /// Whether other frames refer to its picture (`nal_ref_idc`).
    pub fn is_reference(unit: &[u8]) -> bool {
        unit.first().is_some_and(|first| first & 0x60 != 0)
    }
    /// The id of a sequence or picture parameter set (§7.3.2.1.1, §7.3.2.2).
    pub fn set_id(set: &[u8]) -> Option<u32> {
        // A sequence set has its profile, flags and level in front of it.
        let before = if kind(set) == SPS { 4 } else { 1 };
        super::leading_number(set, before)
    }
    /// Slice of a picture that is no IDR.
    pub const SLICE: u8 = 1;
    /// Slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const DELIMITER: u8 = 9;
    /// End of sequence.
    pub const END_OF_SEQUENCE: u8 = 10;
    /// End of stream.
    pub const END_OF_STREAM: u8 = 11;
    /// Filler.
    pub const FILLER: u8 = 12;
    /// Sequence parameter set extension.
    pub const SPS_EXTENSION: u8 = 13;
}

/// Types of H.265 NAL units (H.265 table 7-1).
pub mod h265 {
    /// The type of a NAL unit.
    pub fn kind(unit: &[u8]) -> u8 {
        unit.first().map_or(0, |first| (first >> 1) & 0x3f)
    }
    /// The id of a picture parameter set (§7.3.2.3.1).
    pub fn pps_id(set: &[u8]) -> Option<u32> {
        super::leading_number(set, 2)
    }
    /// Decodable leading pictures: `RADL_N`, `RADL_R`.
    pub const RADL: [u8; 2] = [6, 7];
    /// Skipped leading pictures: `RASL_N`, `RASL_R`.
    pub const RASL: [u8; 2] = [8, 9];
    /// `BLA_W_LP`, the first of the intra random access points (16 to 23).
    pub const BLA_W_LP: u8 = 16;
    /// `BLA_N_LP`.
    pub const BLA_N_LP: u8 = 18;
    /// `IDR_W_RADL`.
    pub const IDR_W_RADL: u8 = 19;
    /// `IDR_N_LP`.
    pub const IDR_N_LP: u8 = 20;
    /// Clean random access.
    pub const CRA: u8 = 21;
    /// Slices of pictures have types below this.
    pub const VPS: u8 = 32;
    /// Sequence parameter set.
    pub const SPS: u8 = 33;
    /// Picture parameter set.
    pub const PPS: u8 = 34;
    /// Access unit delimiter.
    pub const DELIMITER: u8 = 35;
    /// Filler.
    pub const FILLER: u8 = 38;
    /// Supplemental enhancement information before the picture; after it is 40.
    pub const SEI: u8 = 39;
}

/// What a decoder configuration record holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sets {
    /// Bytes of each NAL unit's length in the samples.
    pub length_bytes: usize,
    /// Video parameter sets; H.265 only.
    pub vps: Vec<Vec<u8>>,
    /// Sequence parameter sets.
    pub sps: Vec<Vec<u8>>,
    /// Picture parameter sets.
    pub pps: Vec<Vec<u8>>,
}

impl Sets {
    /// From an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3); `None` if it is damaged.
    pub fn from_avcc(avcc: &[u8]) -> Option<Self> {
        let (head, mut rest) = avcc.split_first_chunk::<6>()?;
        let [_, _, _, _, length, sps_count] = *head;
        let mut sets = Self {
            length_bytes: usize::from(length & 3) + 1,
            ..Self::default()
        };
        for _ in 0..sps_count & 0x1f {
            sets.sps.push(take(&mut rest)?);
        }
        let (pps_count, mut rest) = rest.split_first()?;
        for _ in 0..*pps_count {
            sets.pps.push(take(&mut rest)?);
        }
        Some(sets)
    }

    /// From an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3); `None` if it is damaged.
    pub fn from_hvcc(hvcc: &[u8]) -> Option<Self> {
        let (head, mut rest) = hvcc.split_first_chunk::<23>()?;
        let [.., length, arrays] = *head;
        let mut sets = Self {
            length_bytes: usize::from(length & 3) + 1,
            ..Self::default()
        };
        for _ in 0..arrays {
            let ([kind, high, low], after) = rest.split_first_chunk::<3>()?;
            rest = after;
            for _ in 0..u16::from_be_bytes([*high, *low]) {
                let unit = take(&mut rest)?;
                match kind & 0x3f {
                    h265::VPS => sets.vps.push(unit),
                    h265::SPS => sets.sps.push(unit),
                    h265::PPS => sets.pps.push(unit),
                    _ => {}
                }
            }
        }
        Some(sets)
    }

    /// All of them, in the order in which a decoder wants them.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        let sets = self.vps.iter().chain(&self.sps).chain(&self.pps);
        sets.map(Vec::as_slice)
    }

    /// All of them in the form of a sample, each with its length.
    pub fn as_sample(&self) -> Vec<u8> {
        let mut sample = Vec::new();
        for set in self.all() {
            push(&mut sample, set, self.length_bytes);
        }
        sample
    }
}

/// A set with 16 bits of length in front.
fn take(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (set, next) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = next;
    Some(set.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_a_byte_stream_have_neither_start_codes_nor_trailing_zeros() {
        let stream = [
            0, 0, 0, 1, 9, 16, 0, 0, 1, 0x65, 0, 0, 3, 1, 0, 0, 0, 0, 1, 0x41, 7, 0,
        ];
        let units: Vec<&[u8]> = in_byte_stream(&stream).collect();
        assert_eq!(units, [&[9, 16][..], &[0x65, 0, 0, 3, 1], &[0x41, 7]]);
        assert_eq!(in_byte_stream(&[1, 2, 3]).count(), 0);
        assert_eq!(in_byte_stream(&[0, 0, 1]).count(), 0);
    }

    #[test]
    fn units_of_a_sample_are_what_was_pushed() {
        for length_bytes in [1, 2, 4] {
            let mut sample = Vec::new();
            assert!(push(&mut sample, &[1, 2, 3], length_bytes));
            assert!(push(&mut sample, &[4], length_bytes));
            let units: Vec<&[u8]> = in_sample(&sample, length_bytes).collect();
            assert_eq!(units, [&[1, 2, 3][..], &[4]]);
        }
        assert!(!push(&mut Vec::new(), &[0; 256], 1));
        assert_eq!(in_sample(&[0, 0, 0, 9, 1], 4).count(), 0);
        assert_eq!(in_sample(&[1, 2, 3], 0).count(), 0);
    }

    #[test]
    fn the_sets_of_a_record_are_found_and_a_damaged_record_has_none() {
        let avcc = [
            1, 100, 0, 31, 0xff, 0xe1, 0, 3, 0x67, 1, 2, 1, 0, 2, 0x68, 3,
        ];
        let sets = Sets::from_avcc(&avcc).expect("a record");
        assert_eq!(sets.length_bytes, 4);
        let all: Vec<&[u8]> = sets.all().collect();
        assert_eq!(all, [&[0x67, 1, 2][..], &[0x68, 3]]);
        for length in 0..avcc.len() {
            assert_eq!(Sets::from_avcc(avcc.get(..length).expect("shorter")), None);
        }
        let mut hvcc = vec![1; 21];
        hvcc.extend([3, 2, 32, 0, 1, 0, 2, 0x40, 1, 0x22, 0, 1, 0, 1, 0x44]);
        let sets = Sets::from_hvcc(&hvcc).expect("a record");
        assert_eq!((sets.vps.len(), sets.sps.len(), sets.pps.len()), (1, 0, 1));
    }
}
