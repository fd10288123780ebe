// SPDX-License-Identifier: MPL-2.0
//! The packets of a file with their places, fast, and past what is damaged.

use std::io::{self, Read};

use super::packet::{PACKET_BYTES, Packet, SYNC};

/// What is read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// The packets of a file.
pub struct Packets<R> {
    reader: R,
    buffer: Vec<u8>,
    /// What of the buffer is to come.
    from: usize,
    to: usize,
    /// Where in the file the buffer starts.
    offset: u64,
    is_at_end: bool,
}

/// Where a packet starts.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// In the file.
    pub at: u64,
    /// It does not stand a whole number of packets behind the one before.
    pub is_out_of_step: bool,
    pub bytes: &'a [u8; PACKET_BYTES],
}

impl<R: Read> Packets<R> {
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; BUFFER_BYTES],
            from: 0,
            to: 0,
            offset: 0,
            is_at_end: false,
        }
    }

    /// The first bytes that are to come, at most as many as of a packet.
    pub fn peek(&mut self) -> io::Result<&[u8]> {
        self.fill(PACKET_BYTES)?;
        let ahead = self.ahead();
        Ok(ahead.get(..PACKET_BYTES).unwrap_or(ahead))
    }

    /// The next packet; `None` at the end.
    ///
    /// A first byte that is wrong loses that packet. Where no packet follows it either, the next
    /// place is looked for at which two start in a row.
    pub fn next(&mut self) -> io::Result<Option<Found<'_>>> {
        let mut is_out_of_step = false;
        loop {
            self.fill(2 * PACKET_BYTES)?;
            let ahead = self.ahead();
            let Some(sync) = ahead.first().filter(|_| ahead.len() >= PACKET_BYTES) else {
                return Ok(None);
            };
            if *sync == SYNC && !(is_out_of_step && lacks_next(ahead)) {
                break;
            }
            let is_in_step = !is_out_of_step && !lacks_next(ahead);
            is_out_of_step |= !is_in_step;
            self.from += if is_in_step { PACKET_BYTES } else { 1 };
        }
        let at = self.offset + self.from as u64;
        let bytes = self.buffer.get(self.from..).unwrap_or_default();
        self.from += PACKET_BYTES;
        Ok(bytes.first_chunk().map(|bytes| Found {
            at,
            is_out_of_step,
            bytes,
        }))
    }

    /// The file ends in part of a packet.
    pub fn ends_torn(&self) -> bool {
        self.is_at_end && self.from < self.to
    }

    fn ahead(&self) -> &[u8] {
        self.buffer.get(self.from..self.to).unwrap_or_default()
    }

    /// Reads until so many bytes are ahead, or the file ends.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        if self.to - self.from >= wanted || self.is_at_end {
            return Ok(());
        }
        self.buffer.copy_within(self.from..self.to, 0);
        self.offset += self.from as u64;
        self.to -= self.from;
        self.from = 0;
        while self.to < wanted && !self.is_at_end {
            let room = self.buffer.get_mut(self.to..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => self.is_at_end = true,
                Ok(bytes) => self.to += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Behind what would be a packet no packet starts.
fn lacks_next(ahead: &[u8]) -> bool {
    ahead.get(PACKET_BYTES).is_some_and(|byte| *byte != SYNC)
}

/// What the count of a PID's packets says of the next one (§2.4.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It follows.
    Follows,
    /// It is the one before once more.
    Repeats,
    /// Some before it are missing.
    Lost,
}

/// The count of a PID's packets with a payload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Continuity {
    last: Option<u8>,
}

impl Continuity {
    /// Takes the next packet of the PID, one with a payload; `is_same` says whether that is what
    /// came last. Where two recordings are joined, the count may stay though the payload does not.
    pub fn take(&mut self, packet: &Packet<'_>, is_same: impl FnOnce() -> bool) -> Next {
        let Some(last) = self.last.replace(packet.continuity) else {
            return Next::Follows;
        };
        if packet.may_jump || packet.continuity == (last + 1) & 0x0F {
            Next::Follows
        } else if packet.continuity == last && is_same() {
            Next::Repeats
        } else {
            Next::Lost
        }
    }
}
