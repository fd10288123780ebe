// SPDX-License-Identifier: MPL-2.0
//! What transport streams written here promise packet by packet: where a reader can begin, when the
//! tables and the clock come, and that nothing is missing between.

use std::fs;
use std::io::Cursor;

use mpeg2ts::ts::{Pid, TsPacket, TsPayload};

use super::material::{Stream, encode, streams};
use super::tools::{run, text};
use super::ts_writing::{SOUND, VIDEO, X264, mux, packets, pid, ticks_90k};
use crate::media::measure_ts_from;

const PICTURE: &str = "testsrc2=size=320x240:rate=25:duration=3";
const TONE: &str = "sine=frequency=440:sample_rate=48000:duration=3";
/// 40 ms at 27 MHz, the most between clock references.
const CLOCK: u64 = 1_080_000;

fn material(options: &str, inputs: &[&str]) -> Vec<Stream> {
    let folder = tempfile::tempdir().expect("a folder");
    streams(&encode(folder.path(), "source.mp4", inputs, options))
}

#[test]
fn every_packet_with_a_payload_counts_on() {
    let streams = material(&format!("{X264} -c:a aac"), &[PICTURE, TONE]);
    let packets = packets(&mux(&streams));
    for one in [Pid::PAT, 0x1000, VIDEO, SOUND] {
        let mut of_pid = packets.iter().filter(|packet| pid(packet) == one);
        let mut last = of_pid.next().expect("a packet");
        for packet in of_pid {
            let mut expected = last.header.continuity_counter;
            if packet.payload.is_some() {
                expected.increment();
            }
            assert_eq!(packet.header.continuity_counter, expected, "PID {one}");
            last = packet;
        }
    }
}

#[test]
fn tables_and_parameter_sets_stand_before_every_entry_frame() {
    let streams = material(X264, &[PICTURE]);
    let packets = packets(&mux(&streams));
    let mut entries = 0;
    for (at, packet) in packets.iter().enumerate() {
        let field = packet.adaptation_field.as_ref();
        if pid(packet) != VIDEO || !field.is_some_and(|field| field.random_access_indicator) {
            continue;
        }
        entries += 1;
        let before = packets[..at].iter().rev();
        let mut before = before.filter(|packet| packet.payload.is_some());
        assert!(matches!(
            before.next().and_then(|p| p.payload.as_ref()),
            Some(TsPayload::Pmt(_))
        ));
        assert!(matches!(
            before.next().and_then(|p| p.payload.as_ref()),
            Some(TsPayload::Pat(_))
        ));
        let Some(TsPayload::PesStart(pes)) = &packet.payload else {
            panic!("an entry begins a PES packet");
        };
        assert!(pes.header.data_alignment_indicator);
        // A delimiter, then a sequence parameter set.
        assert_eq!(pes.data[..6], [0, 0, 0, 1, 9, 0xf0]);
        assert_eq!(pes.data[6..11], [0, 0, 0, 1, 0x67]);
    }
    let expected = streams[0].packets.iter().filter(|packet| packet.sync);
    assert_eq!(entries, expected.count());
}

/// Material of other frame rates than any encoder makes: the pictures' times are multiplied.
fn slowed(mut streams: Vec<Stream>, factor: i64) -> Vec<Stream> {
    for packet in &mut streams[0].packets {
        packet.pts *= factor;
        packet.dts *= factor;
    }
    streams
}

#[test]
fn the_clock_comes_every_40_ms_and_ahead_of_every_frame_at_any_rate() {
    let streams = material(&format!("{X264} -c:a aac"), &[PICTURE, TONE]);
    let alone = material("-c:a aac", &[TONE]);
    for streams in [streams.clone(), slowed(streams, 12), alone] {
        let bytes = mux(&streams);
        let mut clock = None;
        let mut times = 0;
        for packet in packets(&bytes) {
            let pcr = packet.adaptation_field.and_then(|field| field.pcr);
            if let Some(pcr) = pcr.map(|pcr| pcr.as_u64()) {
                assert_eq!(packet.header.pid.as_u16(), VIDEO);
                let step = clock.map_or(0, |last| pcr - last);
                assert!(step <= CLOCK, "{step}");
                clock = Some(pcr);
            }
            if let Some(TsPayload::PesStart(pes)) = packet.payload {
                let header = &pes.header;
                let decoded = header.dts.or(header.pts).expect("a time").as_u64() * 300;
                let clock = clock.expect("the clock comes first");
                assert!(clock <= decoded, "at {clock} for {decoded}");
                times += 1;
            }
        }
        assert!(times > 0);
    }
}

#[test]
fn tables_come_every_500_ms_where_nothing_else_asks_for_them() {
    let streams = material("-c:a aac", &[TONE]);
    let mut clock = 0;
    let mut last = 0;
    for packet in packets(&mux(&streams)) {
        let pcr = packet.adaptation_field.and_then(|field| field.pcr);
        clock = pcr.map_or(clock, |pcr| pcr.as_u64());
        assert!(clock - last <= 27_000_000 / 2 + CLOCK, "{clock} {last}");
        if matches!(packet.payload, Some(TsPayload::Pat(_))) {
            last = clock;
        }
    }
}

#[test]
fn a_hole_is_not_filled_with_clocks() {
    let mut streams = material("-c:v libx264 -bf 0 -g 25", &[PICTURE]);
    let bytes = mux(&streams).len();
    let timescale = i64::from(streams[0].track.timescale);
    for packet in &mut streams[0].packets[25..] {
        packet.pts += 3600 * timescale;
        packet.dts += 3600 * timescale;
    }
    assert!(mux(&streams).len() < bytes + 10 * TsPacket::SIZE);
}

#[test]
fn frames_of_sound_share_a_pes_packet_of_up_to_100_ms() {
    let streams = material("-c:a aac", &[TONE]);
    let mut times = Vec::new();
    for packet in packets(&mux(&streams)) {
        if let Some(TsPayload::PesStart(pes)) = packet.payload {
            times.push(pes.header.pts.expect("a time").as_u64());
        }
    }
    // Four frames of 21.3 ms, once the lead of the clock is what it will be.
    let packets = streams[0].packets.len();
    assert!((packets.div_ceil(4)..packets / 4 + 10).contains(&times.len()));
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 9000));
}

#[test]
fn sound_with_a_gap_keeps_its_times() {
    let mut streams = material("-c:a aac", &[TONE]);
    streams[0].packets.remove(10);
    let mut expected: Vec<i64> = Vec::new();
    let first = ticks_90k(&streams[0], streams[0].packets[0].dts);
    for packet in &streams[0].packets {
        expected.push(ticks_90k(&streams[0], packet.pts) - first);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gap.ts");
    fs::write(&path, mux(&streams)).expect("the file");
    let arguments = [
        "-v",
        "error",
        "-show_entries",
        "packet=pts",
        "-of",
        "csv=p=0",
    ];
    let listing = run("ffprobe", &[&arguments[..], &[text(&path)]].concat());
    let times = listing
        .lines()
        .filter_map(|line| line.split(',').next()?.parse().ok());
    let times: Vec<i64> = times.collect();
    assert_eq!(times.len(), expected.len());
    for (time, expected) in times.iter().zip(expected) {
        assert!((time - expected).abs() <= 90, "{time} {expected}");
    }
}

#[test]
fn a_picture_too_large_for_a_length_comes_whole() {
    let mut streams = material("-c:v libx264 -bf 0 -g 25", &[PICTURE]);
    let mut picture = vec![0x41; 70_000];
    picture[..4].copy_from_slice(&(70_000_u32 - 4).to_be_bytes());
    streams[0].packets[1].data = picture.clone();
    let bytes = mux(&streams);
    let mut units = Vec::new();
    for packet in packets(&bytes) {
        match packet.payload {
            Some(TsPayload::PesStart(pes)) => units.push((pes.pes_packet_len, pes.data.to_vec())),
            Some(TsPayload::PesContinuation(data)) => {
                units
                    .last_mut()
                    .expect("it was begun")
                    .1
                    .extend_from_slice(&data);
            }
            _ => {}
        }
    }
    assert_eq!(units.len(), streams[0].packets.len());
    let (length, unit) = &units[1];
    assert_eq!(*length, 0);
    assert_eq!(unit[..10], [0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1]);
    assert_eq!(unit[10..], picture[4..]);
    // Flags and a time, then the unit.
    assert_eq!(usize::from(units[2].0), 3 + 5 + units[2].1.len());
}

#[test]
fn all_of_it_is_whole_to_whoever_measures_it() {
    let streams = material(&format!("{X264} -c:a aac"), &[PICTURE, TONE]);
    let bytes = mux(&streams);
    let measured = measure_ts_from(Cursor::new(&bytes)).expect("memory is readable");
    assert_eq!(measured.whole_bytes, bytes.len() as u64);
    let off_ns = measured.duration_ns - 3_000_000_000;
    assert!(off_ns.abs() < 60_000_000, "it is off by {off_ns} ns");
}
