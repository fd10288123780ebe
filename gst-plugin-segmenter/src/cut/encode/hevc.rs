// SPDX-License-Identifier: MPL-2.0
//! The level of an H.265 stream, which its parameter sets say twice.

use super::bits::{escape, unescape};
use crate::media::nal::h265;

/// A VPS or SPS that asks for at least this level; what is neither is left as it is.
///
/// `general_level_idc` ends the twelve bytes of `general_profile_idc` and its flags (H.265
/// §7.3.3), which follow four bytes in a VPS (§7.3.2.1) and one in an SPS (§7.3.2.2.1), behind
/// the two of the NAL unit header.
pub fn with_level(unit: &[u8], level: u8) -> Vec<u8> {
    let at = match h265::kind(unit) {
        h265::VPS => 2 + 4 + 11,
        h265::SPS => 2 + 1 + 11,
        _ => return unit.to_vec(),
    };
    let mut payload = unescape(unit);
    match payload.get_mut(at) {
        Some(own) if *own < level => *own = level,
        _ => return unit.to_vec(),
    }
    escape(&payload)
}
