// SPDX-License-Identifier: MPL-2.0
//! Transport packets (ISO/IEC 13818-1 §2.4.3.2).

/// Bytes of a transport packet.
pub const PACKET_BYTES: usize = 188;
/// The first byte of every packet.
pub const SYNC: u8 = 0x47;
/// Bytes of the header, and of the length of an adaptation field.
const HEADER_BYTES: usize = 4;

/// The parts of a packet that matter here.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub pid: u16,
    /// Its payload starts a PES packet or a table section.
    pub starts_unit: bool,
    /// The sender knew it to be damaged (`transport_error_indicator`).
    pub is_damaged: bool,
    /// The adaptation field is filled up: the payload ends what it belongs to.
    pub is_stuffed: bool,
    /// Counts the packets of a PID that have a payload, in four bits.
    pub continuity: u8,
    /// The count may have jumped here (`discontinuity_indicator`).
    pub may_jump: bool,
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// `None` where no packet starts.
    pub fn parse(bytes: &'a [u8; PACKET_BYTES]) -> Option<Self> {
        let [sync, high, low, control] = *bytes.first_chunk::<HEADER_BYTES>()?;
        if sync != SYNC {
            return None;
        }
        let has_adaptation = control & 0x20 != 0;
        let has_payload = control & 0x10 != 0;
        let rest = bytes.get(HEADER_BYTES..)?;
        let (adaptation, payload) = if has_adaptation {
            let (length, rest) = rest.split_first()?;
            rest.split_at_checked(usize::from(*length))?
        } else {
            (&[][..], rest)
        };
        Some(Self {
            pid: u16::from_be_bytes([high & 0x1F, low]),
            starts_unit: high & 0x40 != 0,
            is_damaged: high & 0x80 != 0,
            is_stuffed: has_adaptation && has_payload && is_stuffed(adaptation),
            continuity: control & 0x0F,
            may_jump: adaptation.first().is_some_and(|flags| flags & 0x80 != 0),
            payload: if has_payload { payload } else { &[] },
        })
    }
}

/// Whether an adaptation field (§2.4.3.4) has more bytes than its flags account for. One of no
/// bytes at all is stuffing too: a single byte of it.
fn is_stuffed(field: &[u8]) -> bool {
    const FLAG_PCR: u8 = 0x10;
    const FLAG_OPCR: u8 = 0x08;
    const FLAG_SPLICE: u8 = 0x04;
    const FLAG_PRIVATE: u8 = 0x02;
    const FLAG_EXTENSION: u8 = 0x01;
    let Some((&flags, rest)) = field.split_first() else {
        return true;
    };
    let mut used = 0;
    for (flag, bytes) in [(FLAG_PCR, 6), (FLAG_OPCR, 6), (FLAG_SPLICE, 1)] {
        if flags & flag != 0 {
            used += bytes;
        }
    }
    for flag in [FLAG_PRIVATE, FLAG_EXTENSION] {
        if flags & flag != 0 {
            used += 1 + usize::from(rest.get(used).copied().unwrap_or(0));
        }
    }
    rest.len() > used
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(control: u8, adaptation: &[u8]) -> [u8; PACKET_BYTES] {
        let mut bytes = [0xAA; PACKET_BYTES];
        bytes[..4].copy_from_slice(&[SYNC, 0x41, 0x00, control]);
        bytes[4..4 + adaptation.len()].copy_from_slice(adaptation);
        bytes
    }

    #[test]
    fn stuffing_is_what_the_flags_do_not_account_for() {
        let pcr = [7, 0x10, 0, 0, 0, 0, 0x7E, 0];
        let pcr_and_stuffing = [8, 0x10, 0, 0, 0, 0, 0x7E, 0, 0xFF];
        for (control, adaptation, is_stuffed) in [
            (0x10, &[][..], false),
            (0x30, &[0][..], true),
            (0x30, &[1, 0][..], false),
            (0x30, &[2, 0, 0xFF][..], true),
            (0x30, &pcr[..], false),
            (0x30, &pcr_and_stuffing[..], true),
            (0x20, &pcr_and_stuffing[..], false),
        ] {
            let bytes = packet(control, adaptation);
            let packet = Packet::parse(&bytes).expect("a packet");
            assert_eq!(packet.is_stuffed, is_stuffed, "{adaptation:?}");
        }
    }

    #[test]
    fn an_adaptation_field_longer_than_the_packet_is_no_packet() {
        assert!(Packet::parse(&packet(0x30, &[184])).is_none());
        assert!(Packet::parse(&packet(0x30, &[183])).is_some());
        assert!(Packet::parse(&[0; PACKET_BYTES]).is_none());
    }
}
