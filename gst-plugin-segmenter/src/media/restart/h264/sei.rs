// SPDX-License-Identifier: MPL-2.0
//! Messages beside a picture (H.264 §7.3.2.3, Annex D) that are no longer so in the copy.

use crate::media::bits::{payload, push_payload};

/// A recovery point (§D.2.8): an IDR picture is none.
pub const RECOVERY_POINT: u32 = 6;
/// The marking of references once more (§D.2.9): the copy's may be another.
pub const MARKING_REPETITION: u32 = 7;

/// A NAL unit of messages without those of the `unwanted` types; empty if nothing is left, `None`
/// if it has none of them, or is damaged: then it stays as it is.
pub fn without(unit: &[u8], unwanted: &[u32]) -> Option<Vec<u8>> {
    let payload = payload(unit, 1, usize::MAX).bytes;
    let mut rest = payload.as_slice();
    let mut kept = Vec::new();
    let mut has_unwanted = false;
    while !is_end(rest) {
        let whole = rest;
        let kind = number(&mut rest)?;
        let bytes = number(&mut rest)?;
        rest = rest.get(usize::try_from(bytes).ok()?..)?;
        if unwanted.contains(&kind) {
            has_unwanted = true;
        } else {
            kept.extend_from_slice(whole.get(..whole.len().checked_sub(rest.len())?)?);
        }
    }
    if !has_unwanted {
        return None;
    }
    let mut without = Vec::new();
    if !kept.is_empty() {
        kept.push(0x80);
        without.extend(unit.first());
        push_payload(&mut without, &kept);
    }
    Some(without)
}

/// Only the trailing bits are left.
fn is_end(rest: &[u8]) -> bool {
    match rest.split_first() {
        Some((first, zeros)) => *first == 0x80 && zeros.iter().all(|byte| *byte == 0),
        None => true,
    }
}

/// A type or a size: bytes of 255, then a smaller one.
fn number(rest: &mut &[u8]) -> Option<u32> {
    let mut sum: u32 = 0;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        sum = sum.checked_add(u32::from(*byte))?;
        if *byte != 255 {
            return Some(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User data that needs emulation prevention, a recovery point, and user data of 300 bytes.
    fn unit() -> Vec<u8> {
        let mut messages = vec![5, 4, 0, 0, 1, 9, 6, 1, 0x84, 5, 255, 45];
        messages.extend([7; 300]);
        messages.push(0x80);
        let mut unit = vec![6];
        push_payload(&mut unit, &messages);
        unit
    }

    #[test]
    fn only_what_is_unwanted_goes() {
        let without = without(&unit(), &[RECOVERY_POINT]).expect("a recovery point was there");
        assert_eq!(without[..8], [6, 5, 4, 0, 0, 3, 1, 9]);
        assert_eq!(without[8..11], [5, 255, 45]);
        assert_eq!(without.len(), unit().len() - 3);
    }

    #[test]
    fn a_unit_of_nothing_else_is_empty_and_one_without_it_stays() {
        assert_eq!(without(&[6, 6, 1, 0x84, 0x80], &[6]), Some(Vec::new()));
        assert_eq!(without(&unit(), &[MARKING_REPETITION]), None);
    }

    #[test]
    fn a_damaged_unit_stays() {
        assert_eq!(without(&[6, 6, 9, 0x84, 0x80], &[6]), None);
        assert_eq!(without(&[6, 255, 255], &[6]), None);
        assert_eq!(without(&[], &[6]), None);
    }
}
