// SPDX-License-Identifier: MPL-2.0
//! RTP and RTCP packets, field by field (RFC 3550 5.1, 6.4.1, 6.5).

/// The fields of an RTP header that are not constant.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Payload type.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp, in the track's clock rate.
    pub timestamp: u32,
    /// Source.
    pub ssrc: u32,
}

/// An RTP packet.
pub fn rtp(header: Header, payload: &[u8]) -> Vec<u8> {
    let marker = if header.marker { 0x80 } else { 0 };
    let mut packet = vec![0x80, marker | header.payload_type];
    packet.extend(header.sequence.to_be_bytes());
    packet.extend(header.timestamp.to_be_bytes());
    packet.extend(header.ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

/// What a sender report tells.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Whose.
    pub ssrc: u32,
    /// Wall clock: seconds since 1900 in the upper half, fractions of 2³² in the lower.
    pub ntp: u64,
    /// RTP's time at that moment.
    pub timestamp: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Bytes of payload sent so far.
    pub bytes: u32,
}

/// A compound packet of a sender report and the name of the sender.
pub fn sender_report(report: Report) -> Vec<u8> {
    const NAME: &[u8] = b"scripted@camera";
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend(report.ssrc.to_be_bytes());
    packet.extend(report.ntp.to_be_bytes());
    packet.extend(report.timestamp.to_be_bytes());
    packet.extend(report.packets.to_be_bytes());
    packet.extend(report.bytes.to_be_bytes());
    let mut chunk = report.ssrc.to_be_bytes().to_vec();
    chunk.extend([1, u8::try_from(NAME.len()).expect("short")]);
    chunk.extend(NAME);
    // A null octet ends the list, and more pad the chunk to words.
    chunk.resize((chunk.len() / 4 + 1) * 4, 0);
    let words = u16::try_from(chunk.len() / 4).expect("short");
    packet.extend([0x81, 202]);
    packet.extend(words.to_be_bytes());
    packet.extend(chunk);
    packet
}

/// From 1900, where NTP begins, to 1970.
const NTP_TO_UNIX_S: i64 = 2_208_988_800;

/// A time since 1970 as NTP counts it, modulo its era of 136 years.
pub fn ntp(utc_ns: i64) -> u64 {
    let seconds = utc_ns.div_euclid(1_000_000_000) + NTP_TO_UNIX_S;
    let fraction = (utc_ns.rem_euclid(1_000_000_000) << 32) / 1_000_000_000;
    ((seconds & 0xffff_ffff) << 32 | fraction).cast_unsigned()
}
