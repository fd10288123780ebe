// SPDX-License-Identifier: MPL-2.0
//! Bits of parameter sets: reading and writing the syntax elements of H.264 §7.2 and §9.1, and
//! the bytes that keep start codes out of NAL units (H.264 §7.4.1, H.265 §7.4.2).

/// The payload of a NAL unit without the bytes 3 that were put in against start codes.
pub fn unescape(unit: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for byte in unit {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        payload.push(*byte);
    }
    payload
}

/// The other way round.
pub fn escape(payload: &[u8]) -> Vec<u8> {
    let mut unit = Vec::with_capacity(payload.len() + 4);
    let mut zeros = 0;
    for byte in payload {
        if zeros >= 2 && *byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        unit.push(*byte);
    }
    unit
}

/// Reads bits from an unescaped payload; `None` is its end.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    payload: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub fn new(payload: &'a [u8]) -> Self {
        Self {
            payload,
            position: 0,
        }
    }

    /// Bits read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    pub fn bit(&mut self) -> Option<bool> {
        let byte = self.payload.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// `u(n)`, up to 32 bits.
    pub fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    /// `ue(v)`.
    pub fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.bits(zeros)?;
        Some((1 << zeros) - 1 + rest)
    }

    /// `se(v)`.
    pub fn signed(&mut self) -> Option<i32> {
        let code = self.unsigned()?;
        let magnitude = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code % 2 == 0 { -magnitude } else { magnitude })
    }
}

/// Writes bits, most significant first.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    payload: Vec<u8>,
    filled: u32,
}

impl Writer {
    pub fn bit(&mut self, bit: bool) {
        if self.filled == 0 {
            self.payload.push(0);
        }
        if let Some(last) = self.payload.last_mut() {
            *last |= u8::from(bit) << (7 - self.filled);
        }
        self.filled = (self.filled + 1) % 8;
    }

    /// `u(n)`, up to 32 bits.
    pub fn bits(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.bit(value >> bit & 1 == 1);
        }
    }

    /// `ue(v)`.
    pub fn unsigned(&mut self, value: u32) {
        let code = u64::from(value) + 1;
        let length = u64::BITS - code.leading_zeros();
        for bit in (0..length * 2 - 1).rev() {
            self.bit(code.checked_shr(bit).unwrap_or(0) & 1 == 1);
        }
    }

    /// The bits of a payload from one position to another.
    pub fn copy(&mut self, payload: &[u8], from: usize, to: usize) {
        let mut reader = Reader {
            payload,
            position: from,
        };
        while reader.position < to {
            match reader.bit() {
                Some(bit) => self.bit(bit),
                None => break,
            }
        }
    }

    /// Ends with the stop bit and the zeros to the next byte (`rbsp_trailing_bits`).
    pub fn finish(mut self) -> Vec<u8> {
        self.bit(true);
        self.payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_coded_as_table_9_2_says() {
        let codes = [
            (0, "1"),
            (1, "010"),
            (2, "011"),
            (3, "00100"),
            (8, "0001001"),
        ];
        for (number, code) in codes {
            let mut writer = Writer::default();
            writer.unsigned(number);
            let bits = code.chars().map(|bit| bit == '1');
            let payload = writer.finish();
            let mut reader = Reader::new(&payload);
            assert!(
                bits.eq((0..code.len()).map_while(|_| reader.bit())),
                "{number}"
            );
            assert_eq!(Reader::new(&payload).unsigned(), Some(number));
        }
        let mut writer = Writer::default();
        writer.unsigned(3);
        writer.unsigned(4);
        let payload = writer.finish();
        let mut reader = Reader::new(&payload);
        assert_eq!((reader.signed(), reader.signed()), (Some(2), Some(-2)));
    }

    #[test]
    fn the_end_and_codes_too_long_are_nothing() {
        assert_eq!(Reader::new(&[]).bit(), None);
        assert_eq!(Reader::new(&[0; 64]).unsigned(), None);
        assert_eq!(Reader::new(&[0x10]).bits(9), None);
    }

    proptest! {
        #[test]
        fn a_payload_survives_escaping_and_holds_no_start_code(
            payload in proptest::collection::vec(0u8..5, 0..64)
        ) {
            let unit = escape(&payload);
            prop_assert!(!unit.windows(3).any(|three| matches!(three, [0, 0, 0..=2])));
            // A unit never ends with zeros: its last byte holds the stop bit.
            prop_assert_eq!(unescape(&unit), payload);
        }

        #[test]
        fn what_was_written_is_read(number in 0..u32::MAX - 1, bits in any::<u32>()) {
            let mut writer = Writer::default();
            writer.unsigned(number);
            writer.bits(bits, 32);
            let payload = writer.finish();
            let mut reader = Reader::new(&payload);
            prop_assert_eq!(reader.unsigned(), Some(number));
            prop_assert_eq!(reader.bits(32), Some(bits));
        }
    }
}
