// SPDX-License-Identifier: MPL-2.0
//! Counts the bits that `h264-reader` reads of a slice header: the crate does not tell how many.

use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, Integer, Primitive};

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
    use crate::media::bits::Writer;

    #[test]
    fn what_is_written_is_read_and_counted() {
        let numbers = [0, 1, 2, 6, 7, 254, 255, LARGEST];
        let signed = [0, 1, -1, 2, -2, 26, -51, 1 << 20];
        let mut bits = Writer::default();
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
        let mut bits = Writer::default();
        bits.ue(u32::MAX - 1);
        assert!(Counting::new(bits.bytes()).read_ue("").is_err());
        assert!(Counting::new(bits.bytes()).read_se("").is_err());
    }
}
