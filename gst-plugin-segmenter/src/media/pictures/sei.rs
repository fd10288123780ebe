// SPDX-License-Identifier: MPL-2.0
//! Supplemental enhancement information beside a picture (H.264 §7.3.2.3, H.265 §7.3.2.4): messages
//! of a type and a length each, alike in both.

use crate::media::bits::without_emulation_prevention;

/// Payload type of a recovery point (H.264 table D-1, H.265 table D.1).
pub const RECOVERY_POINT: usize = 6;

/// The payload of the first message of this type in a NAL unit whose header has `header_bytes`.
pub fn message(unit: &[u8], header_bytes: usize, wanted: usize) -> Option<Vec<u8>> {
    let held = without_emulation_prevention(unit);
    let mut rest = held.get(header_bytes..)?;
    loop {
        let (kind, after) = number(rest)?;
        let (bytes, after) = number(after)?;
        let (payload, next) = after.split_at_checked(bytes)?;
        if kind == wanted {
            return Some(payload.to_vec());
        }
        rest = next;
    }
}

/// Bytes of 255, then a smaller one; and what is behind them.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let full = bytes.iter().position(|byte| *byte != 0xFF)?;
    let (last, rest) = bytes.get(full..)?.split_first()?;
    Some((full * 0xFF + usize::from(*last), rest))
}
