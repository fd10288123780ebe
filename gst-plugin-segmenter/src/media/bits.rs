// SPDX-License-Identifier: MPL-2.0
//! Bits of sequence headers and parameter sets.
//!
//! The fields that matter here are few, and are read with patience: crates that parse whole sets
//! (`h264-reader`, `scuffle-h265`) refuse those whose level does not allow their size, or panic at
//! numbers without end, and cameras send the former while every player shows them.

/// Reads bits, the highest of each byte first; `None` behind the last one.
pub struct Bits<'a> {
    bytes: &'a [u8],
    next_bit: usize,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next_bit: 0 }
    }

    pub fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.next_bit / 8)?;
        let is_set = byte & (0x80 >> (self.next_bit % 8)) != 0;
        self.next_bit += 1;
        Some(is_set)
    }

    /// A number of up to 32 bits, `f(count)` (AV1 §4.10.2), `u(count)` (H.264 §7.2).
    pub fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// A number of up to 8 bits.
    pub fn byte(&mut self, count: u32) -> Option<u8> {
        u8::try_from(self.take(count)?).ok()
    }

    pub fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.flag()?;
        }
        Some(())
    }

    /// `ue(v)` (H.264 §9.1), `uvlc()` (AV1 §4.10.3): as many bits behind the first one that is set
    /// as zeros before it; all ones and no bits from 32 zeros on.
    pub fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros >= 32 {
            return Some(u32::MAX);
        }
        let behind = self.take(zeros)?;
        Some((1 << zeros) - 1 + behind)
    }

    /// `se(v)` (H.264 §9.1.1): 0, 1, -1, 2, -2, …
    pub fn signed_exp_golomb(&mut self) -> Option<i32> {
        let code = self.exp_golomb()?;
        let half = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code % 2 == 0 { -half } else { half })
    }

    /// Steps over `count` numbers in `ue(v)` or `se(v)`.
    pub fn skip_exp_golomb(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.exp_golomb()?;
        }
        Some(())
    }
}

/// What a NAL unit holds without the bytes that keep start codes out of it (H.264 §7.4.1, H.265
/// §7.4.2): a 3 behind two zeros.
pub fn without_emulation_prevention(unit: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let mut held = Vec::with_capacity(unit.len());
    for byte in unit {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        held.push(*byte);
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_are_those_of_table_9_2() {
        // 1, 010, 011, 00100, 00101: 0 to 4.
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = Bits::new(&bytes);
        let read: Vec<Option<u32>> = (0..5).map(|_| bits.exp_golomb()).collect();
        assert_eq!(read, [Some(0), Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!(bits.exp_golomb(), None);
        let mut bits = Bits::new(&bytes);
        let read: Vec<Option<i32>> = (0..5).map(|_| bits.signed_exp_golomb()).collect();
        assert_eq!(read, [Some(0), Some(1), Some(-1), Some(2), Some(-2)]);
        assert_eq!(Bits::new(&[0, 0, 0, 0, 0xFF]).exp_golomb(), Some(u32::MAX));
    }

    #[test]
    fn only_a_3_behind_two_zeros_is_taken_out() {
        let unit = [0x67, 3, 0, 3, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3];
        let held = without_emulation_prevention(&unit);
        assert_eq!(held, [0x67, 3, 0, 3, 0, 0, 1, 0, 0, 0, 0]);
    }
}
