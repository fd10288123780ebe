// SPDX-License-Identifier: MPL-2.0
//! Transport streams put together packet by packet, for what real muxers do seldom: streams that
//! overlap, fill their packets exactly, fall silent, or whose clock wraps around.

use std::io::Cursor;

use crate::media::{Measured, measure_ts_from};

const PACKET: usize = 188;
const PID_PMT: u16 = 32;
const VIDEO: u16 = 65;
const AUDIO: u16 = 66;

/// A transport stream in the making.
struct Ts(Vec<u8>);

impl Ts {
    /// With tables that announce one video and one audio stream.
    fn new() -> Self {
        let mut ts = Self(Vec::new());
        let pat = [
            0x00,
            0xB0,
            13,
            0,
            1,
            0xC1,
            0,
            0,
            0,
            1,
            0xE0,
            PID_PMT as u8,
            0,
            0,
            0,
            0,
        ];
        ts.section(0, &pat);
        ts.section(PID_PMT, &pmt(&[]));
        ts
    }

    fn section(&mut self, pid: u16, section: &[u8]) {
        let whole = [&[0], section].concat();
        for (index, part) in whole.chunks(184).enumerate() {
            // Tables are filled up behind the section, not in an adaptation field.
            let mut payload = part.to_vec();
            payload.resize(184, 0xFF);
            self.packet(pid, index == 0, &payload);
        }
    }

    /// One packet; what the payload leaves is stuffed.
    fn packet(&mut self, pid: u16, starts_unit: bool, payload: &[u8]) {
        let [high, low] = pid.to_be_bytes();
        let stuffing = 184 - payload.len();
        let start = if starts_unit { 0x40 } else { 0 };
        let control = if stuffing > 0 { 0x30 } else { 0x10 };
        self.0.extend([0x47, high | start, low, control]);
        if stuffing > 0 {
            self.0.push(stuffing as u8 - 1);
            self.0
                .extend([0].iter().chain(&[0xFF; 183]).take(stuffing - 1));
        }
        self.0.extend(payload);
    }

    /// A PES packet of one transport packet. Without a length, and of 170 bytes, nothing but the
    /// next one tells where it ends.
    fn pes(&mut self, pid: u16, pts: u64, has_length: bool, bytes: usize) {
        self.packet(pid, true, &pes(pts, has_length, bytes, bytes));
    }

    fn measure(&self) -> Measured {
        measure_ts_from(Cursor::new(&self.0)).expect("memory is readable")
    }

    fn whole_packets(&self) -> usize {
        let measured = self.measure();
        measured.whole_bytes as usize / PACKET
    }

    fn packets(&self) -> usize {
        self.0.len() / PACKET
    }
}

/// Programme map of one video and one audio stream, with `descriptors` for the programme.
fn pmt(descriptors: &[u8]) -> Vec<u8> {
    let length = 9 + descriptors.len() + 10 + 4;
    let [length_high, length_low] = (0xB000 | length as u16).to_be_bytes();
    let head = [
        0x02,
        length_high,
        length_low,
        0,
        1,
        0xC1,
        0,
        0,
        0xE0,
        VIDEO as u8,
    ];
    let [high, low] = (0xF000 | descriptors.len() as u16).to_be_bytes();
    let streams = [
        0x1B,
        0xE0,
        VIDEO as u8,
        0xF0,
        0,
        0x0F,
        0xE0,
        AUDIO as u8,
        0xF0,
        0,
    ];
    [&head[..], &[high, low], descriptors, &streams, &[0; 4]].concat()
}

/// The first `present` of `bytes` of payload behind a PES header of 14 bytes with a PTS.
fn pes(pts: u64, has_length: bool, bytes: usize, present: usize) -> Vec<u8> {
    let length = if has_length { 8 + bytes as u16 } else { 0 };
    let [high, low] = length.to_be_bytes();
    let part = |shift: u32, mask: u64| ((pts >> shift) & mask) as u8;
    let pts = [
        0x21 | (part(30, 7) << 1),
        part(22, 0xFF),
        0x01 | (part(15, 0x7F) << 1),
        part(7, 0xFF),
        0x01 | (part(0, 0x7F) << 1),
    ];
    let header = [&[0, 0, 1, 0xE0, high, low, 0x80, 0x80, 5][..], &pts].concat();
    [header, vec![0xAA; present]].concat()
}

#[test]
fn a_frame_that_fills_its_packet_is_open_until_the_next_one_begins() {
    let mut ts = Ts::new();
    ts.pes(VIDEO, 0, false, 170);
    assert_eq!(ts.whole_packets(), 0, "it may go on");
    ts.pes(VIDEO, 3600, false, 170);
    assert_eq!(ts.whole_packets(), 3, "the second may go on");
    ts.pes(VIDEO, 7200, false, 100);
    assert_eq!(ts.whole_packets(), 5, "stuffing ends the third");
}

#[test]
fn the_cut_goes_back_over_every_frame_it_would_cross() {
    let mut ts = Ts::new();
    ts.pes(VIDEO, 0, false, 100);
    let whole = ts.packets();
    // Audio lies across the next picture, and that is not all there yet.
    ts.packet(AUDIO, true, &pes(0, true, 300, 170));
    ts.packet(VIDEO, true, &pes(3600, false, 300, 170));
    ts.packet(AUDIO, false, &[0xBB; 130]);
    assert_eq!(ts.whole_packets(), whole);
    ts.packet(VIDEO, false, &[0xAA; 130]);
    assert_eq!(ts.whole_packets(), ts.packets());
}

#[test]
fn a_length_that_is_not_reached_is_no_whole_frame() {
    let mut ts = Ts::new();
    ts.pes(AUDIO, 0, true, 100);
    let whole = ts.packets();
    ts.packet(AUDIO, true, &pes(1920, true, 400, 170));
    ts.packet(AUDIO, false, &[0xBB; 184]);
    assert_eq!(ts.whole_packets(), whole);
    ts.packet(AUDIO, false, &[0xBB; 46]);
    assert_eq!(ts.whole_packets(), ts.packets());
}

#[test]
fn a_stream_that_falls_silent_does_not_take_the_others_with_it() {
    let mut ts = Ts::new();
    ts.pes(VIDEO, 0, false, 170);
    for frame in 0..100 {
        ts.pes(AUDIO, 1920 * frame, true, 100);
    }
    assert_eq!(ts.whole_packets(), ts.packets());
}

#[test]
fn a_clock_that_wraps_around_does_not_change_the_duration() {
    for first in [0, (1 << 33) - 9000, (1 << 33) - 1] {
        let mut ts = Ts::new();
        for frame in 0..25 {
            let pts = (first + 3600 * frame) % (1 << 33);
            ts.pes(VIDEO, pts, false, 100);
            ts.pes(AUDIO, pts, true, 100);
        }
        assert_eq!(ts.measure().duration_ns, 1_000_000_000, "from {first}");
    }
}

#[test]
fn frames_shown_in_another_order_span_the_same_time() {
    let mut ts = Ts::new();
    for frame in [3, 1, 2, 6, 4, 5] {
        ts.pes(VIDEO, 3600 * frame, false, 100);
    }
    assert_eq!(ts.measure().duration_ns, 240_000_000);
}

#[test]
fn tables_longer_than_a_packet_are_understood() {
    let mut ts = Ts::new();
    ts.0.truncate(PACKET);
    ts.section(PID_PMT, &pmt(&[0xEE; 300]));
    ts.pes(VIDEO, 0, false, 100);
    assert_eq!(ts.whole_packets(), ts.packets());
    assert_eq!(ts.packets(), 4);
}

#[test]
fn what_is_damaged_ends_what_is_whole() {
    let mut ts = Ts::new();
    ts.pes(VIDEO, 0, false, 100);
    ts.pes(VIDEO, 3600, false, 100);
    let whole = ts.packets();
    ts.0.extend([0; 4 * PACKET]);
    ts.pes(VIDEO, 7200, false, 100);
    assert_eq!(ts.whole_packets(), whole);
}

#[test]
fn tables_without_a_frame_are_nothing() {
    assert_eq!(Ts::new().measure(), Measured::default());
}

#[test]
fn any_byte_may_be_wrong_without_a_panic() {
    let mut ts = Ts::new();
    for frame in 0..4 {
        ts.pes(VIDEO, 3600 * frame, false, 170);
        ts.pes(AUDIO, 3600 * frame, true, 100);
    }
    for at in 0..ts.0.len() {
        for value in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut damaged = ts.0.clone();
            damaged[at] = value;
            let measured = measure_ts_from(Cursor::new(&damaged)).expect("memory is readable");
            assert!(measured.whole_bytes <= damaged.len() as u64);
        }
    }
}
