// SPDX-License-Identifier: MPL-2.0
//! Transport streams put together PES packet by PES packet, for what real muxers do seldom.

use std::collections::BTreeMap;

use super::material::{ORIGIN, Packet};
use crate::media::{TsFrames, nal, ts_frames};

pub const VIDEO: u16 = 65;
pub const AUDIO: u16 = 66;
pub const H264: u8 = 0x1B;
pub const ADTS: u8 = 0x0F;
const PID_PMT: u16 = 32;
const PAYLOAD: usize = 184;

/// A transport stream in the making.
pub struct Mux {
    pub bytes: Vec<u8>,
    counts: BTreeMap<u16, u8>,
}

/// When a PES packet is shown and decoded, in ticks of 90 kHz.
#[derive(Clone, Copy)]
pub enum Time {
    None,
    Pts(u64),
    PtsDts(u64, u64),
}

impl Mux {
    /// With tables that announce these streams: PID and type, and descriptors.
    pub fn new(streams: &[(u16, u8, &[u8])]) -> Self {
        let mut mux = Self {
            bytes: Vec::new(),
            counts: BTreeMap::new(),
        };
        let pat = [0, 1, 0xE0, PID_PMT as u8];
        mux.table(0, 0, &pat);
        let mut map = vec![0xE0, 65, 0xF0, 0];
        for (pid, kind, descriptors) in streams {
            map.extend([*kind, 0xE0, *pid as u8, 0xF0, descriptors.len() as u8]);
            map.extend_from_slice(descriptors);
        }
        mux.table(PID_PMT, 2, &map);
        mux
    }

    fn table(&mut self, pid: u16, table: u8, body: &[u8]) {
        let length = body.len() as u8 + 9;
        let head = [0, table, 0xB0, length, 0, 1, 0xC1, 0, 0];
        let mut payload = [&head, body, &[0; 4]].concat();
        payload.resize(PAYLOAD, 0xFF);
        self.packet(pid, true, &payload);
    }

    /// A PES packet; one without a length goes on until the next.
    pub fn pes(&mut self, pid: u16, time: Time, data: &[u8], has_length: bool) {
        let stamps = match time {
            Time::None => Vec::new(),
            Time::Pts(pts) => stamp(2, pts).to_vec(),
            Time::PtsDts(pts, dts) => [stamp(3, pts), stamp(1, dts)].concat(),
        };
        let flags = match time {
            Time::None => 0,
            Time::Pts(_) => 0x80,
            Time::PtsDts(..) => 0xC0,
        };
        let length = 3 + stamps.len() + data.len();
        let length = if has_length { length as u16 } else { 0 };
        let [high, low] = length.to_be_bytes();
        let kind = if pid == VIDEO { 0xE0 } else { 0xC0 };
        let header = [0, 0, 1, kind, high, low, 0x80, flags, stamps.len() as u8];
        let whole = [&header, &stamps[..], data].concat();
        for (index, part) in whole.chunks(PAYLOAD).enumerate() {
            self.packet(pid, index == 0, part);
        }
    }

    fn packet(&mut self, pid: u16, starts_unit: bool, payload: &[u8]) {
        let count = self.counts.entry(pid).or_default();
        let stuffing = PAYLOAD - payload.len();
        let control = if stuffing > 0 { 0x30 } else { 0x10 } | *count;
        *count = (*count + 1) & 0x0F;
        let [high, low] = pid.to_be_bytes();
        let start = if starts_unit { 0x40 } else { 0 };
        self.bytes.extend([0x47, high | start, low, control]);
        if stuffing > 0 {
            self.bytes.push(stuffing as u8 - 1);
            let filled = [0].iter().chain(&[0xFF; PAYLOAD]).take(stuffing - 1);
            self.bytes.extend(filled);
        }
        self.bytes.extend_from_slice(payload);
    }

    pub fn index(&self) -> TsFrames {
        ts_frames(&self.bytes[..], ORIGIN).expect("an index")
    }
}

/// 33 bits in five bytes, behind four bits that say which stamp it is.
fn stamp(mark: u8, ticks: u64) -> [u8; 5] {
    let high = (ticks >> 30) as u8 & 7;
    let [a, b] = ((ticks >> 15) as u16 & 0x7FFF).to_be_bytes();
    let [c, d] = (ticks as u16 & 0x7FFF).to_be_bytes();
    [
        mark << 4 | high << 1 | 1,
        a << 1 | b >> 7,
        b << 1 | 1,
        c << 1 | d >> 7,
        d << 1 | 1,
    ]
}

/// A sample of H.264 as a byte stream, behind a delimiter, with parameter sets if there are any.
pub fn byte_stream(packet: &Packet, sets: &nal::Sets) -> Vec<u8> {
    const DELIMITER: [u8; 6] = [0, 0, 0, 1, 9, 0xF0];
    let mut stream = DELIMITER.to_vec();
    for unit in sets.all().chain(nal::in_sample(&packet.data, 4)) {
        stream.extend([0, 0, 1]);
        stream.extend_from_slice(unit);
    }
    stream
}

/// A frame of AAC (LC, 48 kHz, mono) behind an ADTS header.
pub fn adts(frame: &[u8]) -> Vec<u8> {
    let length = frame.len() + 7;
    let [high, low] = (length as u16).to_be_bytes();
    let header = [
        0xFF,
        0xF1,
        1 << 6 | 3 << 2,
        1 << 6 | high >> 3,
        high << 5 | low >> 3,
        low << 5 | 0x1F,
        0xFC,
    ];
    [&header, frame].concat()
}
