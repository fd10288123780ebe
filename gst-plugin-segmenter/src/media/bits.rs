// SPDX-License-Identifier: MPL-2.0
//! Bits of sequence headers, parameter sets and slice headers: read, written, and with the bytes
//! that keep start codes out of NAL units (H.264 §7.2, §7.4.1, §9.1; H.265 alike).
//!
//! The fields that matter here are few, and are read with patience: crates that parse whole sets
//! (`h264-reader`, `scuffle-h265`) refuse those whose level does not allow their size, or panic at
//! numbers without end, and cameras send the former while every player shows them.

/// Reads bits, the highest of each byte first; `None` behind the last one.
#[derive(Clone, Debug)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    next_bit: usize,
}

impl<'a> Bits<'a> {
    /// From the first bit on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next_bit: 0 }
    }

    /// How many have been read.
    pub fn position(&self) -> usize {
        self.next_bit
    }

    /// One bit.
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

    /// Steps over bits.
    pub fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.flag()?;
        }
        Some(())
    }

    /// `ue(v)` (H.264 §9.1): as many bits behind the first one that is set as zeros before it, of
    /// which there are fewer than 32.
    pub fn ue(&mut self) -> Option<u32> {
        self.uvlc().filter(|number| *number < u32::MAX)
    }

    /// `uvlc()` (AV1 §4.10.3): likewise, but all ones and no bits from 32 zeros on.
    pub fn uvlc(&mut self) -> Option<u32> {
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
    pub fn se(&mut self) -> Option<i32> {
        let code = self.ue()?;
        let half = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code % 2 == 0 { -half } else { half })
    }

    /// Steps over `count` numbers in `ue(v)` or `se(v)`.
    pub fn skip_ue(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.ue()?;
        }
        Some(())
    }
}

/// Bits being written, the most significant first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    bytes: Vec<u8>,
    length: usize,
}

impl Writer {
    /// How many there are.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The bytes they fill; the last one ends in zeros if they do not fill it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One bit.
    pub fn flag(&mut self, bit: bool) {
        let place = self.length % 8;
        if place == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - place);
        }
        self.length += 1;
    }

    /// `u(n)`.
    pub fn fixed(&mut self, value: u32, bits: u32) {
        self.lowest(value.into(), bits);
    }

    fn lowest(&mut self, value: u64, bits: u32) {
        for place in (0..bits).rev() {
            self.flag((value >> place) & 1 != 0);
        }
    }

    /// `ue(v)`; the greatest number there is has no code (§9.1) and becomes its neighbour.
    pub fn ue(&mut self, value: u32) {
        let code = u64::from(value.min(u32::MAX - 1)) + 1;
        let zeros = code.ilog2();
        self.lowest(code, 2 * zeros + 1);
    }

    /// `se(v)` (§9.1.1); the least number there is has no code and becomes its neighbour.
    pub fn se(&mut self, value: i32) {
        let code = value.unsigned_abs().saturating_mul(2);
        self.ue(if value > 0 { code - 1 } else { code });
    }

    /// Fills up the last byte with this bit.
    pub fn align(&mut self, bit: bool) {
        while !self.length.is_multiple_of(8) {
            self.flag(bit);
        }
    }

    /// The bits `from..to` of these bytes; ends where the bytes end.
    pub fn copy(&mut self, bytes: &[u8], from: usize, to: usize) {
        let mut at = from;
        while at < to {
            let Some(byte) = bytes.get(at / 8) else {
                return;
            };
            if at.is_multiple_of(8) && to - at >= 8 {
                self.byte(*byte);
                at += 8;
            } else {
                self.flag(byte & (0x80 >> (at % 8)) != 0);
                at += 1;
            }
        }
    }

    /// Ends with the stop bit and the zeros to the next byte (`rbsp_trailing_bits`, §7.3.2.11).
    pub fn finish(mut self) -> Vec<u8> {
        self.flag(true);
        self.bytes
    }

    fn byte(&mut self, byte: u8) {
        let place = self.length % 8;
        if place == 0 {
            self.bytes.push(byte);
        } else {
            if let Some(last) = self.bytes.last_mut() {
                *last |= byte >> place;
            }
            self.bytes.push(byte << (8 - place));
        }
        self.length += 8;
    }
}

/// What a NAL unit holds without the bytes that keep start codes out of it, a 3 behind two zeros,
/// and where each byte stood.
fn unprevented(unit: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let mut zeros = 0;
    unit.iter().enumerate().filter_map(move |(place, byte)| {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            return None;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        Some((place, *byte))
    })
}

/// What a NAL unit holds without its emulation prevention bytes (H.264 §7.4.1, H.265 §7.4.2).
pub fn without_emulation_prevention(unit: &[u8]) -> Vec<u8> {
    let mut held = Vec::with_capacity(unit.len());
    held.extend(unprevented(unit).map(|(_, byte)| byte));
    held
}

/// A payload without its emulation prevention bytes.
#[derive(Debug, Default)]
pub struct Payload {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Of each byte, where it stood.
    pub places: Vec<usize>,
}

/// The payload of a NAL unit whose header has `header_bytes` bytes, at most `most` bytes of it.
pub fn payload(unit: &[u8], header_bytes: usize, most: usize) -> Payload {
    let held = unprevented(unit).skip(header_bytes).take(most);
    let (places, bytes) = held.unzip();
    Payload { bytes, places }
}

/// Appends payload to a NAL unit, with emulation prevention (§7.4.1).
pub fn push_payload(unit: &mut Vec<u8>, payload: &[u8]) {
    let mut zeros = 0;
    for byte in payload {
        if zeros >= 2 && *byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        unit.push(*byte);
    }
}

/// A NAL unit that holds this, with emulation prevention.
pub fn with_emulation_prevention(held: &[u8]) -> Vec<u8> {
    let mut unit = Vec::with_capacity(held.len() + 4);
    push_payload(&mut unit, held);
    unit
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exp_golomb_codes_are_those_of_table_9_2() {
        // 1, 010, 011, 00100, 00101: 0 to 4.
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = Bits::new(&bytes);
        let read: Vec<Option<u32>> = (0..5).map(|_| bits.ue()).collect();
        assert_eq!(read, [Some(0), Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!(bits.ue(), None);
        let mut bits = Bits::new(&bytes);
        let read: Vec<Option<i32>> = (0..5).map(|_| bits.se()).collect();
        assert_eq!(read, [Some(0), Some(1), Some(-1), Some(2), Some(-2)]);
        let long = [0, 0, 0, 0, 0xFF];
        assert_eq!(Bits::new(&long).ue(), None);
        assert_eq!(Bits::new(&long).uvlc(), Some(u32::MAX));
    }

    #[test]
    fn only_a_3_behind_two_zeros_is_taken_out() {
        let unit = [0x67, 3, 0, 3, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3];
        let held = without_emulation_prevention(&unit);
        assert_eq!(held, [0x67, 3, 0, 3, 0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn bits_are_copied_from_any_place_to_any_place() {
        let source = [0b1011_0001, 0b0110_1110, 0b1100_0011, 0b0101_0101];
        let bit = |at: usize| source[at / 8] & (0x80 >> (at % 8)) != 0;
        for before in 0..9 {
            for from in 0..17 {
                for to in from..=32 {
                    let mut one_by_one = Writer::default();
                    one_by_one.fixed(0, before);
                    let mut copied = one_by_one.clone();
                    (from..to).for_each(|at| one_by_one.flag(bit(at)));
                    copied.copy(&source, from, to);
                    assert_eq!(copied, one_by_one);
                }
            }
        }
        let mut bits = Writer::default();
        bits.copy(&[0xFF], 4, 100);
        assert_eq!(bits.length(), 4);
    }

    #[test]
    fn emulation_is_prevented_and_the_prevention_undone() {
        let plain = [0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4];
        let mut unit = vec![0x65];
        push_payload(&mut unit, &plain);
        assert_eq!(
            unit,
            [
                0x65, 0, 0, 3, 0, 0, 3, 0, 1, 0, 0, 3, 2, 0, 0, 3, 3, 0, 0, 4
            ]
        );
        let undone = payload(&unit, 1, 100);
        assert_eq!(undone.bytes, plain);
        for (byte, place) in undone.bytes.iter().zip(&undone.places) {
            assert_eq!(unit[*place], *byte);
        }
        assert_eq!(payload(&unit, 1, 4).bytes, plain[..4]);
    }

    #[test]
    fn numbers_without_a_code_become_their_neighbours() {
        let mut writer = Writer::default();
        writer.ue(u32::MAX);
        writer.se(i32::MIN);
        let payload = writer.finish();
        let mut bits = Bits::new(&payload);
        assert_eq!(bits.ue(), Some(u32::MAX - 1));
        assert_eq!(bits.se(), Some(-i32::MAX));
    }

    #[test]
    fn the_end_is_nothing() {
        assert_eq!(Bits::new(&[]).flag(), None);
        assert_eq!(Bits::new(&[0; 64]).ue(), None);
        assert_eq!(Bits::new(&[0x10]).take(9), None);
    }

    proptest! {
        #[test]
        fn a_payload_survives_prevention_and_holds_no_start_code(
            payload in proptest::collection::vec(0u8..5, 0..64)
        ) {
            let unit = with_emulation_prevention(&payload);
            prop_assert!(!unit.windows(3).any(|three| matches!(three, [0, 0, 0..=2])));
            prop_assert_eq!(without_emulation_prevention(&unit), payload);
        }

        #[test]
        fn what_was_written_is_read(
            number in 0..u32::MAX - 1, signed in any::<i32>(), fixed in any::<u32>()
        ) {
            let signed = signed / 2;
            let mut writer = Writer::default();
            writer.ue(number);
            writer.se(signed);
            writer.fixed(fixed, 32);
            let length = writer.length();
            let payload = writer.finish();
            let mut bits = Bits::new(&payload);
            prop_assert_eq!(bits.ue(), Some(number));
            prop_assert_eq!(bits.se(), Some(signed));
            prop_assert_eq!(bits.take(32), Some(fixed));
            prop_assert_eq!(bits.position(), length);
        }
    }
}
