// SPDX-License-Identifier: MPL-2.0
//! Which PIDs carry elementary streams: PAT and PMT (ISO/IEC 13818-1 §2.4.4).

use std::collections::BTreeMap;

use super::packet::Packet;

const PID_PAT: u16 = 0;
const TABLE_PAT: u8 = 0x00;
const TABLE_PMT: u8 = 0x02;
/// The longest section of these tables (§2.4.4.4), its first three bytes included.
const LONGEST_SECTION_BYTES: usize = 1024;
/// More programmes or streams than this are not believed.
const MOST_PIDS: usize = 64;

/// What PAT and PMTs have said so far. A PID once named stays: a PMT that drops a stream later
/// does not make the stream's frames go away.
#[derive(Default)]
pub struct Tables {
    /// PIDs of PAT and PMTs, with the section each is in the middle of.
    sections: BTreeMap<u16, Vec<u8>>,
    streams: Vec<Elementary>,
}

/// An elementary stream as its PMT first announced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elementary {
    pub pid: u16,
    /// What it holds (table 2-34).
    pub stream_type: u8,
    /// Descriptors one after another (§2.6).
    pub descriptors: Vec<u8>,
}

impl Elementary {
    /// The bodies of its descriptors with this tag.
    pub fn descriptors(&self, tag: u8) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.descriptors[..];
        std::iter::from_fn(move || {
            let ([tag, bytes], after) = rest.split_first_chunk::<2>()?;
            let (body, next) = after.split_at_checked(usize::from(*bytes))?;
            rest = next;
            Some((*tag, body))
        })
        .filter(move |(found, _)| *found == tag)
        .map(|(_, body)| body)
    }
}

impl Tables {
    pub fn is_elementary(&self, pid: u16) -> bool {
        self.streams.iter().any(|stream| stream.pid == pid)
    }

    /// The elementary streams, in the order in which they were announced.
    pub fn streams(&self) -> &[Elementary] {
        &self.streams
    }

    /// Takes a packet that may belong to a table.
    pub fn add(&mut self, packet: &Packet<'_>) {
        let is_table = packet.pid == PID_PAT || self.sections.contains_key(&packet.pid);
        if !is_table {
            return;
        }
        let section = self.sections.entry(packet.pid).or_default();
        if packet.starts_unit {
            // The pointer says how far the end of the section before reaches (§2.4.4.1).
            let Some((pointer, rest)) = packet.payload.split_first() else {
                return;
            };
            let Some(fresh) = rest.get(usize::from(*pointer)..) else {
                return;
            };
            section.clear();
            section.extend_from_slice(fresh);
        } else if !section.is_empty() && section.len() < LONGEST_SECTION_BYTES {
            section.extend_from_slice(packet.payload);
        }
        let whole = std::mem::take(section);
        match section_body(&whole) {
            Some((TABLE_PAT, body)) if packet.pid == PID_PAT => self.read_programmes(body),
            Some((TABLE_PMT, body)) if packet.pid != PID_PAT => self.read_streams(body),
            Some(_) => {}
            None => {
                self.sections.insert(packet.pid, whole);
            }
        }
    }

    /// Programme association: four bytes each (§2.4.4.3).
    fn read_programmes(&mut self, body: &[u8]) {
        for [number_high, number_low, high, low] in body.as_chunks::<4>().0 {
            let is_network = *number_high == 0 && *number_low == 0;
            if !is_network && self.sections.len() < MOST_PIDS {
                let pid = u16::from_be_bytes([high & 0x1F, *low]);
                self.sections.entry(pid).or_default();
            }
        }
    }

    /// Programme map: PCR PID, descriptors, then the streams (§2.4.4.8).
    fn read_streams(&mut self, body: &[u8]) {
        let Some(([_, _, high, low], rest)) = body.split_first_chunk::<4>() else {
            return;
        };
        let mut rest = rest.get(length_12(*high, *low)..).unwrap_or_default();
        while let Some(([kind, pid_high, pid_low, high, low], after)) =
            rest.split_first_chunk::<5>()
        {
            let pid = u16::from_be_bytes([pid_high & 0x1F, *pid_low]);
            let is_table = pid == PID_PAT || self.sections.contains_key(&pid);
            let descriptors_end = length_12(*high, *low).min(after.len());
            let (descriptors, next) = after.split_at(descriptors_end);
            if !is_table && !self.is_elementary(pid) && self.streams.len() < MOST_PIDS {
                self.streams.push(Elementary {
                    pid,
                    stream_type: *kind,
                    descriptors: descriptors.to_vec(),
                });
            }
            rest = next;
        }
    }
}

fn length_12(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high & 0x0F, low]))
}

/// Table id and what stands between the header and the checksum of a section in long form; `None`
/// while it is not whole.
fn section_body(section: &[u8]) -> Option<(u8, &[u8])> {
    const HEADER_BYTES: usize = 8;
    const CHECKSUM_BYTES: usize = 4;
    let [table, high, low] = *section.first_chunk::<3>()?;
    let whole = section.get(..3 + length_12(high, low))?;
    let end = whole.len().checked_sub(CHECKSUM_BYTES);
    let body = end.and_then(|end| whole.get(HEADER_BYTES..end));
    Some((table, body.unwrap_or_default()))
}
