// SPDX-License-Identifier: MPL-2.0
//! Headers of PES packets (ISO/IEC 13818-1 §2.4.3.6).

/// Bytes up to and with the length of the packet.
const FIXED_BYTES: usize = 6;
/// Bytes up to and with the length of what is optional.
const OPTIONAL_FROM: usize = 9;

/// The parts of a PES header that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of the whole PES packet, where it says so.
    pub bytes: Option<usize>,
    /// Bytes of the header itself.
    pub header_bytes: usize,
    /// 33 bits of presentation time, at 90 kHz.
    pub pts: Option<u64>,
    /// 33 bits of decoding time; where it is the presentation time, it is left out.
    pub dts: Option<u64>,
}

impl Header {
    /// `None` where no PES packet starts.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [0, 0, 1, _stream, high, low] = *payload.first_chunk::<FIXED_BYTES>()? else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let mut header = Self {
            bytes: (length > 0).then_some(FIXED_BYTES + length),
            header_bytes: FIXED_BYTES,
            pts: None,
            dts: None,
        };
        let optional = payload.get(FIXED_BYTES..).unwrap_or_default();
        if let Some([marker, flags, bytes]) = optional.first_chunk::<3>()
            && marker & 0xC0 == 0x80
        {
            header.header_bytes = OPTIONAL_FROM + usize::from(*bytes);
            let has_pts = flags & 0x80 != 0 && *bytes >= 5;
            let has_dts = flags & 0xC0 == 0xC0 && *bytes >= 10;
            header.pts = stamp(payload, OPTIONAL_FROM).filter(|_| has_pts);
            header.dts = stamp(payload, OPTIONAL_FROM + 5).filter(|_| has_dts);
        }
        Some(header)
    }

    /// A header that is all in the payload that it starts, as muxers write it.
    pub fn whole(payload: &[u8]) -> Option<Self> {
        Self::parse(payload).filter(|header| header.header_bytes <= payload.len())
    }

    /// Bytes behind the header, where it says so.
    pub fn body_bytes(&self) -> Option<usize> {
        self.bytes
            .map(|bytes| bytes.saturating_sub(self.header_bytes))
    }

    /// What of the payload that it starts is behind the header.
    pub fn body<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        payload.get(self.header_bytes..).unwrap_or_default()
    }
}

/// A time: 33 bits in five bytes, with markers between (§2.4.3.7).
fn stamp(payload: &[u8], at: usize) -> Option<u64> {
    let [a, b, c, d, e] = *payload.get(at..)?.first_chunk::<5>()?;
    let high = u64::from(a >> 1) & 0x07;
    let middle = u64::from(u16::from_be_bytes([b, c]) >> 1);
    let low = u64::from(u16::from_be_bytes([d, e]) >> 1);
    Some(high << 30 | middle << 15 | low)
}

/// The time of a segment, from its first time on: 33 bits wrap around every 26.5 hours.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    first: Option<u64>,
}

impl Clock {
    const STAMP_BITS: u32 = 33;

    /// Ticks since the first time of all, the short way around.
    pub fn since_first(&mut self, stamp: u64) -> i64 {
        let first = *self.first.get_or_insert(stamp);
        let ahead = stamp.wrapping_sub(first) << (u64::BITS - Self::STAMP_BITS);
        ahead.cast_signed() >> (u64::BITS - Self::STAMP_BITS)
    }
}
