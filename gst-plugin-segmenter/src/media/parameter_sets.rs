// SPDX-License-Identifier: MPL-2.0
//! Parameter sets for a segment that begins with a picture a parser does not count as a start.
//!
//! In a transport stream parameter sets stand in the stream, and parsers repeat them before IDR
//! pictures. The keyframes of open GOPs are none (H.264 recovery points), so whoever begins a
//! segment with one puts them there.

use super::nal::{Sets, h264, in_sample};

/// The sets of an AVCDecoderConfigurationRecord in the form of the samples, each with its length in
/// front, if this H.264 picture begins a sequence without them: it is no IDR and brings none itself.
/// `None` as well if either is damaged.
pub fn wanted_parameter_sets(avcc: &[u8], picture: &[u8]) -> Option<Vec<u8>> {
    let sets = Sets::from_avcc(avcc)?;
    let mut bytes = 0;
    for unit in in_sample(picture, sets.length_bytes) {
        if matches!(h264::kind(unit), h264::IDR | h264::SPS) {
            return None;
        }
        bytes += sets.length_bytes + unit.len();
    }
    (bytes == picture.len()).then(|| sets.as_sample())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVCC: [u8; 16] = [
        1, 100, 0, 31, 0xff, 0xe1, 0, 3, 0x67, 1, 2, 1, 0, 2, 0x68, 3,
    ];
    const PICTURE: [u8; 11] = [0, 0, 0, 2, 0x06, 5, 0, 0, 0, 1, 0x41];

    #[test]
    fn a_picture_that_is_no_idr_and_brings_none_wants_them_as_its_own_units_are() {
        assert_eq!(
            wanted_parameter_sets(&AVCC, &PICTURE).as_deref(),
            Some(&[0, 0, 0, 3, 0x67, 1, 2, 0, 0, 0, 2, 0x68, 3][..])
        );
        let idr = [0, 0, 0, 2, 0x06, 5, 0, 0, 0, 1, 0x65];
        assert_eq!(wanted_parameter_sets(&AVCC, &idr), None);
        let with_set = [0, 0, 0, 1, 0x67, 0, 0, 0, 1, 0x41];
        assert_eq!(wanted_parameter_sets(&AVCC, &with_set), None);
    }

    #[test]
    fn a_damaged_record_or_picture_is_left_alone() {
        for length in 0..AVCC.len() {
            let cut_off = AVCC.get(..length).expect("shorter");
            assert_eq!(wanted_parameter_sets(cut_off, &PICTURE), None);
        }
        assert_eq!(wanted_parameter_sets(&AVCC, &[0, 0, 0, 9, 0x41]), None);
    }
}
