// SPDX-License-Identifier: MPL-2.0
//! Where PES packets (ISO/IEC 13818-1 §2.4.3.6) start and end in a file, and what time they span.

use std::collections::BTreeMap;

use super::super::measure::Measured;
use super::header::{Clock, Header};
use super::packet::{PACKET_BYTES, Packet};

/// A PES packet of which nothing came while this many others started is over: no muxer holds
/// half a frame back for so long. Without this, one stream that falls silent would make all that
/// follows it doubtful.
const SILENT_STARTS: u64 = 64;
/// PES packets that wait to be settled; more than this is no programme but noise.
const MOST_WAITING: usize = 4096;
/// Ticks per second of a PTS.
const PTS_TIMESCALE: i64 = 90_000;

/// The PES packets of all elementary streams.
#[derive(Default)]
pub struct Streams {
    /// Bytes of the file taken so far.
    bytes: u64,
    /// Those that may still turn out to cross the cut, in the order they start.
    waiting: Vec<Pes>,
    /// Everything before this is whole.
    settled_bytes: u64,
    starts: u64,
    spans: BTreeMap<u16, Span>,
    clock: Clock,
}

struct Pes {
    pid: u16,
    /// Where its first transport packet starts.
    start: u64,
    /// The end of its last transport packet so far.
    end: u64,
    /// Bytes of it still to come; `None` without a length.
    missing: Option<usize>,
    is_over: bool,
    /// How many had started when its last transport packet came.
    starts_then: u64,
    pts: Option<i64>,
}

/// What time the settled PES packets of one stream span, in ticks from the first PTS of all.
#[derive(Clone, Copy)]
struct Span {
    first: i64,
    last: i64,
    packets: i64,
}

impl Streams {
    /// Takes a packet of an elementary stream; `false` if this cannot be a programme.
    pub fn add(&mut self, packet: &Packet<'_>) -> bool {
        let end = self.bytes + PACKET_BYTES as u64;
        if packet.starts_unit {
            self.start(packet, end);
        } else if !packet.payload.is_empty() {
            let starts = self.starts;
            if let Some(pes) = self.open(packet.pid) {
                pes.end = end;
                pes.starts_then = starts;
                pes.take(packet.payload.len(), packet.is_stuffed);
            }
        }
        self.waiting.len() <= MOST_WAITING
    }

    /// Counts a packet, of whichever PID.
    pub fn advance(&mut self) {
        self.bytes += PACKET_BYTES as u64;
        if self.waiting.iter().all(|pes| pes.is_over) {
            self.settle(self.bytes);
        }
    }

    fn open(&mut self, pid: u16) -> Option<&mut Pes> {
        let mut newest_first = self.waiting.iter_mut().rev();
        newest_first.find(|pes| pes.pid == pid && !pes.is_over)
    }

    fn start(&mut self, packet: &Packet<'_>, end: u64) {
        if let Some(before) = self.open(packet.pid) {
            before.is_over = true;
        }
        let Some(header) = Header::parse(packet.payload) else {
            return;
        };
        self.starts += 1;
        let starts = self.starts;
        for pes in &mut self.waiting {
            pes.is_over |= starts - pes.starts_then > SILENT_STARTS;
        }
        let pts = header.pts.map(|pts| self.clock.since_first(pts));
        let mut pes = Pes {
            pid: packet.pid,
            start: self.bytes,
            end,
            missing: header.bytes,
            is_over: false,
            starts_then: starts,
            pts,
        };
        pes.take(packet.payload.len(), packet.is_stuffed);
        self.waiting.push(pes);
        self.settle(self.bytes);
    }

    /// Takes as settled what lies before the last place, up to `limit`, that nothing crosses.
    fn settle(&mut self, limit: u64) {
        let cut = self.cut(limit);
        self.settled_bytes = self.settled_bytes.max(cut);
        let spans = &mut self.spans;
        self.waiting.retain(|pes| {
            let is_settled = pes.start < cut;
            if is_settled && let Some(pts) = pes.pts {
                add_to_span(spans, pes.pid, pts);
            }
            !is_settled
        });
    }

    /// The last place up to `limit` that no waiting PES packet crosses.
    fn cut(&self, limit: u64) -> u64 {
        let open = self.waiting.iter().filter(|pes| !pes.is_over);
        let mut cut = open.map(|pes| pes.start).fold(limit, u64::min);
        // They are in the order of their starts, so one pass from the back is enough.
        for pes in self.waiting.iter().rev() {
            if pes.start < cut && cut < pes.end {
                cut = pes.start;
            }
        }
        cut
    }

    /// What is whole at the end of the file.
    pub fn finish(mut self) -> Measured {
        self.settle(self.bytes);
        let starts = self.spans.values().map(|span| span.first);
        let ends = self.spans.values().map(|span| span.end());
        let (Some(start), Some(end)) = (starts.min(), ends.max()) else {
            return Measured::default();
        };
        let ns = i128::from(end - start) * 1_000_000_000 / i128::from(PTS_TIMESCALE);
        Measured {
            whole_bytes: self.settled_bytes,
            duration_ns: i64::try_from(ns).unwrap_or(i64::MAX),
            start: None,
        }
    }
}

fn add_to_span(spans: &mut BTreeMap<u16, Span>, pid: u16, pts: i64) {
    let span = spans.entry(pid).or_insert(Span {
        first: pts,
        last: pts,
        packets: 0,
    });
    span.first = span.first.min(pts);
    span.last = span.last.max(pts);
    span.packets += 1;
}

impl Span {
    /// The end of the last PES packet: nothing says how long it lasts, so it lasts as long as
    /// the others do on average.
    fn end(&self) -> i64 {
        let average = (self.last - self.first) / (self.packets - 1).max(1);
        self.last + average
    }
}

impl Pes {
    /// Counts bytes that came.
    fn take(&mut self, bytes: usize, is_stuffed: bool) {
        match &mut self.missing {
            Some(missing) => {
                *missing = missing.saturating_sub(bytes);
                self.is_over = *missing == 0;
            }
            None => self.is_over = is_stuffed,
        }
    }
}
