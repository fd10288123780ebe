// SPDX-License-Identifier: MPL-2.0
//! Continuity counters that go on from one muxer to the next (ISO/IEC 13818-1 §2.4.3.3).
//!
//! A muxer starts counting at zero. Where one follows another in the same run of a recording,
//! the counters of each PID are shifted so that `cat` of the segments stays one clean stream.

/// Bytes of a transport stream packet.
const PACKET_BYTES: usize = 188;
/// PIDs have 13 bits.
const PIDS: usize = 1 << 13;

/// The counters of one stream.
#[derive(Clone)]
pub struct Continuity {
    pids: Vec<Pid>,
}

#[derive(Clone, Copy, Default)]
struct Pid {
    /// What the next packet with payload is to have; `None` before the first.
    next: Option<u8>,
    /// What the muxer's own counter is shifted by; `None` until its first packet.
    shift: Option<u8>,
}

impl Continuity {
    /// Nothing was counted yet.
    pub fn new() -> Self {
        Self {
            pids: vec![Pid::default(); PIDS],
        }
    }

    /// From now on the packets are another muxer's.
    pub fn restart(&mut self) {
        for pid in &mut self.pids {
            pid.shift = None;
        }
    }

    /// Gives whole packets the counters that follow on those before.
    pub fn renumber(&mut self, packets: &mut [u8]) {
        for packet in packets.chunks_exact_mut(PACKET_BYTES) {
            let [_, high, low, counter, ..] = packet else {
                continue;
            };
            let number = usize::from(u16::from_be_bytes([*high & 0x1f, *low]));
            if let Some(pid) = self.pids.get_mut(number) {
                *counter = pid.renumber(*counter);
            }
        }
    }
}

impl std::fmt::Debug for Continuity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Continuity")
    }
}

impl Pid {
    /// The byte with adaptation field control and counter.
    fn renumber(&mut self, byte: u8) -> u8 {
        let has_payload = byte & 0x10 != 0;
        let counter = byte & 0x0f;
        let shift = *self.shift.get_or_insert_with(|| {
            // A packet without payload repeats the counter of the one before.
            let wanted = self.next.map(|next| {
                if has_payload {
                    next
                } else {
                    next.wrapping_sub(1)
                }
            });
            wanted.unwrap_or(counter).wrapping_sub(counter)
        });
        let counter = counter.wrapping_add(shift) & 0x0f;
        if has_payload {
            self.next = Some(counter.wrapping_add(1) & 0x0f);
        }
        (byte & 0xf0) | counter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pid: u8, control: u8, counter: u8) -> [u8; PACKET_BYTES] {
        let mut packet = [0xff; PACKET_BYTES];
        packet[..4].copy_from_slice(&[0x47, 0, pid, (control << 4) | counter]);
        packet
    }

    #[test]
    fn counters_of_a_second_muxer_go_on_where_the_first_ones_stopped() {
        let mut continuity = Continuity::new();
        let mut first = [packet(1, 1, 0), packet(2, 1, 0), packet(1, 1, 1)].concat();
        let unchanged = first.clone();
        continuity.renumber(&mut first);
        assert_eq!(first, unchanged);
        continuity.restart();
        // PID 1 begins with a packet that has no payload: it repeats the counter 1.
        let mut second = [
            packet(1, 2, 0),
            packet(1, 1, 1),
            packet(2, 1, 0),
            packet(3, 1, 5),
        ]
        .concat();
        continuity.renumber(&mut second);
        let counters: Vec<u8> = second
            .chunks(PACKET_BYTES)
            .map(|packet| packet[3] & 15)
            .collect();
        assert_eq!(counters, [1, 2, 1, 5]);
    }
}
