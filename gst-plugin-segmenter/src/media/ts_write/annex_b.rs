// SPDX-License-Identifier: MPL-2.0
//! Access units of H.264 and H.265 as byte streams (Annex B of both).
//!
//! In a transport stream a delimiter begins every access unit (ISO/IEC 13818-1 §2.14.1, §2.17.1),
//! and parameter sets stand before every entry frame and wherever they change, whether or not the
//! sample brings some: those of the sample come later and win.

use crate::media::nal::{Sets, h264, h265, in_sample};

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// How the samples of one description become a byte stream.
#[derive(Debug, PartialEq, Eq)]
pub struct AnnexB {
    standard: Standard,
    /// Bytes of each NAL unit's length in the samples.
    length_bytes: usize,
    /// The parameter sets, each with its start code.
    sets: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standard {
    H264,
    H265,
}

impl AnnexB {
    /// From an AVCDecoderConfigurationRecord; `None` if it is damaged.
    pub fn from_avcc(avcc: &[u8]) -> Option<Self> {
        Some(Self::new(Standard::H264, &Sets::from_avcc(avcc)?))
    }

    /// From an HEVCDecoderConfigurationRecord; `None` if it is damaged.
    pub fn from_hvcc(hvcc: &[u8]) -> Option<Self> {
        Some(Self::new(Standard::H265, &Sets::from_hvcc(hvcc)?))
    }

    fn new(standard: Standard, sets: &Sets) -> Self {
        let mut bytes = Vec::new();
        for set in sets.all() {
            push(set, &mut bytes);
        }
        Self {
            standard,
            length_bytes: sets.length_bytes,
            sets: bytes,
        }
    }

    /// Appends a sample as one access unit, whose one delimiter comes first.
    pub fn append(&self, sample: &[u8], wants_sets: bool, out: &mut Vec<u8>) {
        let units = || in_sample(sample, self.length_bytes);
        match units().find(|unit| self.is_delimiter(unit)) {
            Some(delimiter) => push(delimiter, out),
            None => push(&self.delimiter(sample), out),
        }
        if wants_sets {
            out.extend_from_slice(&self.sets);
        }
        for unit in units().filter(|unit| !self.is_delimiter(unit)) {
            push(unit, out);
        }
    }

    fn is_delimiter(&self, unit: &[u8]) -> bool {
        match self.standard {
            Standard::H264 => h264::kind(unit) == h264::DELIMITER,
            Standard::H265 => h265::kind(unit) == h265::DELIMITER,
        }
    }

    /// A delimiter that allows every kind of slice (H.264 §7.4.2.4, H.265 §7.4.3.5). In H.265 it
    /// has the temporal layer of its picture (§7.4.2.2), which is in the header of every slice.
    fn delimiter(&self, sample: &[u8]) -> Vec<u8> {
        const TEMPORAL_ID_PLUS1: u8 = 7;
        match self.standard {
            Standard::H264 => vec![h264::DELIMITER, 0xf0],
            Standard::H265 => {
                let mut units = in_sample(sample, self.length_bytes);
                let slice = units.find(|unit| h265::kind(unit) < h265::VPS);
                let layer = slice.and_then(|slice| slice.get(1));
                let layer = layer.map_or(1, |layer| (layer & TEMPORAL_ID_PLUS1).max(1));
                vec![h265::DELIMITER << 1, layer, 0x50]
            }
        }
    }
}

fn push(unit: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&START_CODE);
    out.extend_from_slice(unit);
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVCC: [u8; 16] = [
        1, 100, 0, 31, 0xff, 0xe1, 0, 3, 0x67, 1, 2, 1, 0, 2, 0x68, 3,
    ];

    fn h264(sample: &[u8], is_entry: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let form = AnnexB::from_avcc(&AVCC).expect("a record");
        form.append(sample, is_entry, &mut out);
        out
    }

    #[test]
    fn an_access_unit_begins_with_a_delimiter_and_the_sets_stand_before_an_entry() {
        let sample = [0, 0, 0, 2, 0x65, 5];
        let picture = [0, 0, 0, 1, 0x65, 5];
        let delimiter = [0, 0, 0, 1, 9, 0xf0];
        assert_eq!(h264(&sample, false), [delimiter, picture].concat());
        let sets = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3];
        let whole = [&delimiter[..], &sets, &picture].concat();
        assert_eq!(h264(&sample, true), whole);
    }

    #[test]
    fn a_delimiter_of_its_own_stays_the_only_one_and_sets_of_its_own_come_last() {
        let sample = [
            0, 0, 0, 2, 9, 0x10, 0, 0, 0, 2, 0x67, 9, 0, 0, 0, 2, 0x65, 5,
        ];
        let whole = [
            &[0, 0, 0, 1, 9, 0x10][..],
            &[0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3],
            &[0, 0, 0, 1, 0x67, 9, 0, 0, 0, 1, 0x65, 5],
        ];
        assert_eq!(h264(&sample, true), whole.concat());
    }

    #[test]
    fn a_delimiter_behind_sets_that_were_put_in_front_comes_first() {
        let sample = [
            0, 0, 0, 2, 0x68, 9, 0, 0, 0, 2, 9, 0x10, 0, 0, 0, 2, 0x41, 5,
        ];
        let whole = [
            &[0, 0, 0, 1, 9, 0x10][..],
            &[0, 0, 0, 1, 0x68, 9],
            &[0, 0, 0, 1, 0x41, 5],
        ];
        assert_eq!(h264(&sample, false), whole.concat());
    }

    #[test]
    fn a_delimiter_of_h265_has_the_temporal_layer_of_the_picture() {
        let mut hvcc = vec![1; 21];
        hvcc.extend([3, 0]);
        let form = AnnexB::from_hvcc(&hvcc).expect("a record");
        for layer in [1, 3] {
            let mut out = Vec::new();
            form.append(&[0, 0, 0, 3, 0x02, layer, 9], false, &mut out);
            assert_eq!(
                out,
                [0, 0, 0, 1, 0x46, layer, 0x50, 0, 0, 0, 1, 0x02, layer, 9]
            );
        }
    }

    #[test]
    fn a_damaged_sample_ends_at_the_damage() {
        assert_eq!(h264(&[0, 0, 0, 9, 0x65], false), [0, 0, 0, 1, 9, 0xf0]);
        assert_eq!(h264(&[], false), [0, 0, 0, 1, 9, 0xf0]);
    }
}
