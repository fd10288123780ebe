// SPDX-License-Identifier: MPL-2.0
//! Parameter sets for a segment that begins with a picture a parser does not count as a start.
//!
//! In a transport stream parameter sets stand in the stream, and parsers repeat them before IDR
//! pictures. The keyframes of open GOPs are none (H.264 recovery points), so whoever begins a
//! segment with one puts them there: from the decoder configuration record, in the form of the
//! samples, each with its length in front.

/// NAL unit type of an H.264 IDR slice (H.264 table 7-1).
const H264_IDR: u8 = 5;
/// NAL unit type of an H.264 sequence parameter set.
const H264_SPS: u8 = 7;

/// What stands in front of each NAL unit, and the parameter sets, of an H.264 track.
#[derive(Debug, PartialEq, Eq)]
pub struct ParameterSets {
    length_bytes: usize,
    /// The sets, each with its length.
    pub sets: Vec<u8>,
}

impl ParameterSets {
    /// From an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3); `None` if it is damaged.
    pub fn from_avcc(avcc: &[u8]) -> Option<Self> {
        let (head, rest) = avcc.split_first_chunk::<6>()?;
        let [_, _, _, _, length, sps_count] = *head;
        let length_bytes = usize::from(length & 3) + 1;
        let mut sets = Vec::new();
        let rest = take_sets(rest, sps_count & 0x1f, length_bytes, &mut sets)?;
        let (pps_count, rest) = rest.split_first()?;
        take_sets(rest, *pps_count, length_bytes, &mut sets)?;
        Some(Self { length_bytes, sets })
    }

    /// Whether a picture begins a sequence without them: it is no IDR and brings none itself.
    pub fn are_wanted(&self, picture: &[u8]) -> bool {
        let mut rest = picture;
        while let Some((length, after)) = rest.split_at_checked(self.length_bytes) {
            let length = length
                .iter()
                .fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
            let Some((unit, next)) = after.split_at_checked(length) else {
                return false;
            };
            if let Some(first) = unit.first()
                && matches!(first & 0x1f, H264_IDR | H264_SPS)
            {
                return false;
            }
            rest = next;
        }
        true
    }
}

/// Copies `count` sets, each with 16 bits of length, and returns what follows.
fn take_sets<'a>(
    mut rest: &'a [u8],
    count: u8,
    length_bytes: usize,
    sets: &mut Vec<u8>,
) -> Option<&'a [u8]> {
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let length = u16::from_be_bytes(*length);
        let (set, next) = after.split_at_checked(usize::from(length))?;
        let wide = u32::from(length).to_be_bytes();
        sets.extend_from_slice(wide.get(4_usize.checked_sub(length_bytes)?..)?);
        sets.extend_from_slice(set);
        rest = next;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVCC: [u8; 16] = [
        1, 100, 0, 31, 0xff, 0xe1, 0, 3, 0x67, 1, 2, 1, 0, 2, 0x68, 3,
    ];

    #[test]
    fn the_sets_stand_in_front_of_a_picture_as_its_own_units_do() {
        let sets = ParameterSets::from_avcc(&AVCC).expect("a record");
        assert_eq!(sets.sets, [0, 0, 0, 3, 0x67, 1, 2, 0, 0, 0, 2, 0x68, 3]);
    }

    #[test]
    fn only_a_picture_that_is_no_idr_and_brings_none_wants_them() {
        let sets = ParameterSets::from_avcc(&AVCC).expect("a record");
        assert!(sets.are_wanted(&[0, 0, 0, 2, 0x06, 5, 0, 0, 0, 1, 0x41]));
        assert!(!sets.are_wanted(&[0, 0, 0, 2, 0x06, 5, 0, 0, 0, 1, 0x65]));
        assert!(!sets.are_wanted(&[0, 0, 0, 1, 0x67, 0, 0, 0, 1, 0x41]));
    }

    #[test]
    fn a_damaged_record_or_picture_is_left_alone() {
        for length in 0..AVCC.len() {
            assert_eq!(
                ParameterSets::from_avcc(AVCC.get(..length).expect("shorter")),
                None
            );
        }
        let sets = ParameterSets::from_avcc(&AVCC).expect("a record");
        assert!(!sets.are_wanted(&[0, 0, 0, 9, 0x41]));
    }
}
