// SPDX-License-Identifier: MPL-2.0
//! A slice with another header: new bytes up to where the source's bytes can follow as they are.
//!
//! With CABAC, slice data begin at a byte (H.264 §7.3.4, `cabac_alignment_one_bit`), so they
//! follow any header. With CAVLC they follow only a header of as many bits, or whole bytes more
//! or fewer; else all of the slice is written anew, moved by some bits.

use std::ops::Range;

use super::header::{HEADER_BYTES, Slice};
use crate::media::bits::{Writer, payload, push_payload};
use crate::media::restart::sample::Unit;
use crate::media::restart::{RestartError, Unsupported};

/// A NAL unit: new bytes, then these of the sample.
pub struct Spliced {
    /// With emulation prevention.
    pub head: Vec<u8>,
    /// May be empty.
    pub rest: Range<usize>,
}

/// A slice with this header in place of its own, in a NAL unit with this header byte.
pub fn splice(
    slice: &Slice,
    unit: &Unit,
    nal: u8,
    mut header: Writer,
) -> Result<Spliced, RestartError> {
    let old_bits = slice.bits.length();
    if slice.pps.entropy_coding_mode_flag {
        header.align(true);
    } else if header.length() % 8 == old_bits % 8 {
        header.copy(&slice.payload.bytes, old_bits, old_bits.next_multiple_of(8));
    } else {
        return shift(unit, nal, header, old_bits);
    }
    join(slice, unit, nal, header.bytes(), old_bits.div_ceil(8))
}

/// The source's bytes follow from the first on that is not zero: there neither stream has zeros
/// behind it, which emulation prevention counts (§7.4.1).
fn join(
    slice: &Slice,
    unit: &Unit,
    nal: u8,
    header: &[u8],
    data_at: usize,
) -> Result<Spliced, RestartError> {
    let data = slice.payload.bytes.get(data_at..).unwrap_or_default();
    let mut new = header.to_vec();
    let zeros = data.iter().position(|byte| *byte != 0);
    let rest = match zeros {
        Some(zeros) => {
            new.extend(data.iter().take(zeros + 1));
            let place = slice.payload.places.get(data_at + zeros);
            let place = place.map_or(unit.place.end, |place| unit.place.start + place + 1);
            place..unit.place.end
        }
        None if slice.payload.bytes.len() >= HEADER_BYTES => {
            return Err(Unsupported::Damaged("slice data begin with zeros").into());
        }
        // All of the data were in the header's last byte; zeros behind them say nothing.
        None if unit.is_whole() => unit.place.end..unit.place.end,
        None => return Err(unit.short(unit.read.len())),
    };
    let mut head = vec![nal];
    push_payload(&mut head, &new);
    Ok(Spliced { head, rest })
}

/// All of the slice, its data moved by some bits.
fn shift(
    unit: &Unit,
    nal: u8,
    mut header: Writer,
    old_bits: usize,
) -> Result<Spliced, RestartError> {
    if !unit.is_whole() {
        return Err(unit.short(unit.place.len()));
    }
    let payload = payload(unit.read, 1, usize::MAX);
    let last = payload.bytes.iter().rposition(|byte| *byte != 0);
    let (last, byte) = last
        .and_then(|at| Some((at, *payload.bytes.get(at)?)))
        .ok_or(Unsupported::Damaged("a slice has no end"))?;
    // The stop bit is the last one of `rbsp_slice_trailing_bits`, zeros follow (§7.3.2.11).
    let end = 8 * last + 8 - byte.trailing_zeros() as usize;
    header.copy(&payload.bytes, old_bits, end);
    let mut head = vec![nal];
    push_payload(&mut head, header.bytes());
    Ok(Spliced {
        head,
        rest: unit.place.end..unit.place.end,
    })
}
