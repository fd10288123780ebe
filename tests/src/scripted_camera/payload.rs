// SPDX-License-Identifier: MPL-2.0
//! RTP payloads of NAL units (RFC 6184, RFC 7798) and of AAC (RFC 3640).

use crate::frames::Codec;

/// The payloads of one NAL unit: itself, or fragments of at most `most_bytes` (FU-A, RFC 6184 5.8;
/// FU, RFC 7798 4.4.3).
pub fn fragments(codec: Codec, unit: &[u8], most_bytes: usize) -> Vec<Vec<u8>> {
    if unit.len() <= most_bytes {
        return vec![unit.to_vec()];
    }
    let (indicator, kind, body) = match codec {
        Codec::H264 => (vec![unit[0] & 0xe0 | 28], unit[0] & 0x1f, &unit[1..]),
        _ => (
            vec![unit[0] & 0x81 | 49 << 1, unit[1]],
            (unit[0] >> 1) & 0x3f,
            &unit[2..],
        ),
    };
    let pieces: Vec<&[u8]> = body.chunks(most_bytes - indicator.len() - 1).collect();
    let last = pieces.len() - 1;
    let fragment = |(number, piece): (usize, &&[u8])| {
        let start = if number == 0 { 0x80 } else { 0 };
        let end = if number == last { 0x40 } else { 0 };
        [&indicator, &[start | end | kind][..], piece].concat()
    };
    pieces.iter().enumerate().map(fragment).collect()
}

/// One payload of several NAL units (STAP-A, RFC 6184 5.7.1; AP, RFC 7798 4.4.2).
pub fn aggregate(codec: Codec, units: &[&[u8]]) -> Vec<u8> {
    let mut payload = match codec {
        Codec::H264 => {
            let importance = units.iter().map(|unit| unit[0] & 0x60).max();
            vec![importance.unwrap_or(0) | 24]
        }
        _ => vec![48 << 1, 1],
    };
    for unit in units {
        let bytes = u16::try_from(unit.len()).expect("parameter sets are small");
        payload.extend(bytes.to_be_bytes());
        payload.extend(*unit);
    }
    payload
}

/// One payload of one AAC frame: mode AAC-hbr, with a header of 13 bits of size and 3 of index
/// (RFC 3640 3.3.6).
pub fn aac(frame: &[u8]) -> Vec<u8> {
    let bytes = u16::try_from(frame.len()).expect("AAC frames are small");
    [&[0, 16], &(bytes << 3).to_be_bytes()[..], frame].concat()
}
