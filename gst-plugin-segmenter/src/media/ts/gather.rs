// SPDX-License-Identifier: MPL-2.0
//! What the PES packets of one PID hold, gathered from their transport packets.
//!
//! A PES packet of pictures without a time goes with the one before: muxers give a time to what
//! begins a picture, and a picture may be spread over several PES packets (H.222.0 §2.14.1 only
//! asks for a time every 0.7 s).

use super::header::{Clock, Header};
use super::packet::{PACKET_BYTES, Packet};
use super::packets::{Continuity, Next};

/// More bytes than this are no picture, whatever its level.
const MOST_PICTURE_BYTES: usize = 16 << 20;
/// PES packets of sound have a length, of 16 bits; some muxers leave it out.
const MOST_SOUND_BYTES: usize = 1 << 20;

/// A PES packet, or several without times behind the first.
#[derive(Clone, Copy, Debug)]
pub struct Gathered<'a> {
    /// Where its first transport packet starts.
    pub start: u64,
    /// Where its last transport packet ends.
    pub end: u64,
    /// Ticks of 90 kHz since the first time in the file.
    pub pts: Option<i64>,
    pub dts: Option<i64>,
    /// Between the one before and this something is lost.
    pub is_behind_loss: bool,
    /// Bytes of the elementary stream.
    pub data: &'a [u8],
}

/// The PES packets of one PID.
#[derive(Default)]
pub struct Gather {
    /// Those without a time belong to the one before.
    joins_untimed: bool,
    most_bytes: usize,
    continuity: Continuity,
    open: Option<Open>,
    data: Vec<u8>,
    /// Something is lost since the last one began.
    has_loss: bool,
    /// Packets have come that belong to nothing that is open.
    has_orphans: bool,
    /// PES packets of which transport packets were damaged or missing.
    pub damaged: u64,
}

#[derive(Clone, Copy)]
struct Open {
    start: u64,
    end: u64,
    pts: Option<i64>,
    dts: Option<i64>,
    is_behind_loss: bool,
    /// Bytes still to come, where its length is known.
    missing: Option<usize>,
    /// The last transport packet was filled up: it ended there.
    is_filled_up: bool,
    is_damaged: bool,
    /// What comes belongs to another whose start is lost.
    is_over: bool,
}

/// What a transport packet did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on with what is open, or to nowhere.
    Goes,
    /// It begins another: [`Gather::finish`] first, then [`Gather::begin`].
    Begins(Option<Header>),
}

impl Gather {
    pub fn of_pictures() -> Self {
        Self {
            joins_untimed: true,
            most_bytes: MOST_PICTURE_BYTES,
            ..Self::default()
        }
    }

    pub fn of_sound() -> Self {
        Self {
            most_bytes: MOST_SOUND_BYTES,
            ..Self::default()
        }
    }

    /// Takes the next transport packet of the PID, which starts at this byte of the file.
    pub fn take(&mut self, packet: &Packet<'_>, at: u64) -> Step {
        if packet.is_damaged {
            self.spoil();
            return Step::Goes;
        }
        if packet.payload.is_empty() {
            return Step::Goes;
        }
        let is_same = || ends_with(&self.data, packet);
        match self.continuity.take(packet, is_same) {
            Next::Follows => {}
            Next::Repeats => return Step::Goes,
            Next::Lost => self.spoil(),
        }
        if !packet.starts_unit {
            self.append(packet.payload, packet, at);
            return Step::Goes;
        }
        let header = Header::whole(packet.payload);
        match header.filter(|header| self.joins(header)) {
            Some(header) => {
                self.join(&header, packet, at);
                Step::Goes
            }
            None => Step::Begins(header),
        }
    }

    fn joins(&self, header: &Header) -> bool {
        self.joins_untimed && header.pts.is_none() && self.open.is_some()
    }

    fn join(&mut self, header: &Header, packet: &Packet<'_>, at: u64) {
        if let Some(open) = &mut self.open {
            // Behind what is lost it may go on with that.
            let is_short = open.missing.is_some_and(|missing| missing > 0);
            open.is_damaged |= is_short || open.is_over;
            open.missing = header.body_bytes();
        }
        self.append(header.body(packet.payload), packet, at);
    }

    /// Begins another PES packet; without a header it is none, and is damaged.
    pub fn begin(
        &mut self,
        header: Option<Header>,
        packet: &Packet<'_>,
        at: u64,
        clock: &mut Clock,
    ) {
        self.data.clear();
        self.has_orphans = header.is_none();
        let Some(header) = header else {
            self.damaged += 1;
            self.open = None;
            return;
        };
        let pts = header.pts.map(|pts| clock.since_first(pts));
        self.open = Some(Open {
            start: at,
            end: at,
            pts,
            dts: header.dts.map(|dts| clock.since_first(dts)).or(pts),
            is_behind_loss: std::mem::take(&mut self.has_loss),
            missing: header.body_bytes(),
            is_filled_up: false,
            is_damaged: false,
            is_over: false,
        });
        self.append(header.body(packet.payload), packet, at);
    }

    fn append(&mut self, payload: &[u8], packet: &Packet<'_>, at: u64) {
        let Some(open) = self.open.as_mut().filter(|open| !open.is_over) else {
            self.damaged += u64::from(!self.has_orphans);
            self.has_orphans = true;
            return;
        };
        let bytes = open
            .missing
            .map_or(payload.len(), |missing| missing.min(payload.len()));
        let payload = payload.get(..bytes).unwrap_or_default();
        open.missing = open.missing.map(|missing| missing - bytes);
        open.end = at + PACKET_BYTES as u64;
        open.is_filled_up = packet.is_stuffed;
        open.is_damaged |= self.data.len() + bytes > self.most_bytes;
        if open.is_damaged {
            self.data.clear();
        } else {
            self.data.extend_from_slice(payload);
        }
    }

    /// Transport packets are damaged or missing here, or will be: what did not end before has lost
    /// some of itself.
    pub fn spoil(&mut self) {
        self.has_loss = true;
        if let Some(open) = &mut self.open {
            let has_ended = open.has_ended();
            open.is_damaged |= !has_ended;
            open.is_over |= has_ended;
        }
    }

    /// What came last has ended where the file does.
    pub fn has_ended(&self) -> bool {
        self.open.is_none_or(|open| open.has_ended())
    }

    /// What is open, if it is whole.
    pub fn finish(&mut self) -> Option<Gathered<'_>> {
        let open = self.open.take()?;
        let is_short = open.missing.is_some_and(|missing| missing > 0);
        if open.is_damaged || is_short {
            self.damaged += 1;
            return None;
        }
        Some(Gathered {
            start: open.start,
            end: open.end,
            pts: open.pts,
            dts: open.dts,
            is_behind_loss: open.is_behind_loss,
            data: &self.data,
        })
    }
}

impl Open {
    /// Nothing of it is to come.
    fn has_ended(&self) -> bool {
        match self.missing {
            Some(missing) => missing == 0,
            None => self.is_filled_up,
        }
    }
}

/// Whether the last that came is what this packet holds.
fn ends_with(data: &[u8], packet: &Packet<'_>) -> bool {
    if packet.starts_unit {
        let header = Header::whole(packet.payload);
        header.is_some_and(|header| data == header.body(packet.payload))
    } else {
        data.ends_with(packet.payload)
    }
}

/// The bytes of the elementary stream in a part of a file that starts with the first transport
/// packet of a PES packet, and of all that follows of its PID, until there are `wanted`; `None` if
/// it is damaged or ends before.
pub fn elementary_bytes(span: &[u8], wanted: usize) -> Option<Vec<u8>> {
    let (packets, _) = span.as_chunks::<PACKET_BYTES>();
    let first = Packet::parse(packets.first()?).filter(|packet| packet.starts_unit)?;
    let mut continuity = Continuity::default();
    let mut missing = None;
    let mut data = Vec::new();
    let own = packets.iter().filter_map(Packet::parse);
    for packet in own.filter(|packet| packet.pid == first.pid && !packet.payload.is_empty()) {
        if packet.is_damaged {
            return None;
        }
        match continuity.take(&packet, || ends_with(&data, &packet)) {
            Next::Follows => {}
            Next::Repeats => continue,
            Next::Lost => return None,
        }
        let payload = if packet.starts_unit {
            let header = Header::whole(packet.payload)?;
            missing = header.body_bytes();
            header.body(packet.payload)
        } else {
            packet.payload
        };
        let bytes = missing.map_or(payload.len(), |missing: usize| missing.min(payload.len()));
        missing = missing.map(|missing| missing - bytes);
        data.extend_from_slice(payload.get(..bytes)?);
        if data.len() >= wanted {
            return Some(data);
        }
    }
    None
}
