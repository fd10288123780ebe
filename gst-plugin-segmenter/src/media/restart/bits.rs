// SPDX-License-Identifier: MPL-2.0
//! Bits of NAL units: written, read and counted, with and without emulation prevention
//! (H.264 §7.2, §7.4.1, §9.1).

use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, Integer, Primitive};

/// Bits being written, the most significant first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    bytes: Vec<u8>,
    length: usize,
}

impl Bits {
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

    /// `ue(v)`.
    pub fn ue(&mut self, value: u32) {
        let code = u64::from(value) + 1;
        let zeros = code.ilog2();
        self.lowest(code, 2 * zeros + 1);
    }

    /// `se(v)` (§9.1.1); what [`Counting`] lets in fits.
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
    let mut payload = Payload::default();
    let mut zeros = 0;
    for (place, byte) in unit.iter().enumerate().skip(header_bytes) {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        if payload.bytes.len() >= most {
            break;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        payload.bytes.push(*byte);
        payload.places.push(place);
    }
    payload
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

/// Reads bits and counts them. Numbers that no header has are an error, so that the arithmetic
/// done with them cannot overflow.
pub struct Counting<'a> {
    inner: BitReader<&'a [u8]>,
    /// How many bits have been read.
    pub bits: usize,
}

/// The largest number of a slice header: picture numbers, with room to spare.
const LARGEST: u32 = 1 << 24;

impl<'a> Counting<'a> {
    /// From the first bit on.
    pub fn new(payload: &'a [u8]) -> Self {
        Self {
            inner: BitReader::new(payload),
            bits: 0,
        }
    }

    fn count(&mut self, bits: u32) {
        self.bits += bits as usize;
    }
}

impl BitRead for Counting<'_> {
    fn read_ue(&mut self, name: &'static str) -> Result<u32, BitReaderError> {
        let value = self.inner.read_ue(name)?;
        if value > LARGEST {
            return Err(BitReaderError::ExpGolombTooLarge(name));
        }
        self.count(2 * (value + 1).ilog2() + 1);
        Ok(value)
    }

    fn read_se(&mut self, name: &'static str) -> Result<i32, BitReaderError> {
        let code = self.read_ue(name)?.cast_signed();
        Ok(if code & 1 == 0 {
            -(code / 2)
        } else {
            code / 2 + 1
        })
    }

    fn read_bit(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        self.count(1);
        self.inner.read_bit(name)
    }

    fn read<const BITS: u32, I: Integer>(
        &mut self,
        name: &'static str,
    ) -> Result<I, BitReaderError> {
        self.count(BITS);
        self.inner.read::<BITS, I>(name)
    }

    fn read_var<I: Integer>(
        &mut self,
        bit_count: u32,
        name: &'static str,
    ) -> Result<I, BitReaderError> {
        self.count(bit_count);
        self.inner.read_var(bit_count, name)
    }

    fn read_to<V: Primitive>(&mut self, name: &'static str) -> Result<V, BitReaderError> {
        self.bits += 8 * size_of::<V>();
        self.inner.read_to(name)
    }

    fn skip(&mut self, bit_count: u32, name: &'static str) -> Result<(), BitReaderError> {
        self.count(bit_count);
        self.inner.skip(bit_count, name)
    }

    fn byte_aligned(&self) -> bool {
        self.inner.byte_aligned()
    }

    fn has_more_rbsp_data(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        self.inner.has_more_rbsp_data(name)
    }

    fn finish_rbsp(self) -> Result<(), BitReaderError> {
        self.inner.finish_rbsp()
    }

    fn finish_sei_payload(self) -> Result<(), BitReaderError> {
        self.inner.finish_sei_payload()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_counted() {
        let numbers = [0, 1, 2, 6, 7, 254, 255, LARGEST];
        let signed = [0, 1, -1, 2, -2, 26, -51, 1 << 20];
        let mut bits = Bits::default();
        numbers.iter().for_each(|number| bits.ue(*number));
        signed.iter().for_each(|number| bits.se(*number));
        bits.fixed(0x2A5, 10);
        let length = bits.length();
        bits.align(true);
        let mut reader = Counting::new(bits.bytes());
        for number in numbers {
            assert_eq!(reader.read_ue("").expect("a number"), number);
        }
        for number in signed {
            assert_eq!(reader.read_se("").expect("a number"), number);
        }
        assert_eq!(reader.read_var::<u32>(10, "").expect("bits"), 0x2A5);
        assert_eq!(reader.bits, length);
    }

    #[test]
    fn a_number_too_large_for_a_header_is_an_error() {
        let mut bits = Bits::default();
        bits.ue(u32::MAX - 1);
        assert!(Counting::new(bits.bytes()).read_ue("").is_err());
        assert!(Counting::new(bits.bytes()).read_se("").is_err());
    }

    #[test]
    fn bits_are_copied_from_any_place_to_any_place() {
        let source = [0b1011_0001, 0b0110_1110, 0b1100_0011, 0b0101_0101];
        let bit = |at: usize| source[at / 8] & (0x80 >> (at % 8)) != 0;
        for before in 0..9 {
            for from in 0..17 {
                for to in from..=32 {
                    let mut one_by_one = Bits::default();
                    one_by_one.fixed(0, before);
                    let mut copied = one_by_one.clone();
                    (from..to).for_each(|at| one_by_one.flag(bit(at)));
                    copied.copy(&source, from, to);
                    assert_eq!(copied, one_by_one);
                }
            }
        }
        let mut bits = Bits::default();
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
}
