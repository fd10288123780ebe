// SPDX-License-Identifier: MPL-2.0
//! MPEG-TS (ISO/IEC 13818-1) without decoding: whether it is whole packets with none missing, and
//! when its frames are.
//!
//! Recovery's measuring does not do here: it leaves out a last frame that may be cut off, which in
//! a closed segment is complete.

use std::collections::BTreeMap;
use std::io::{self, Read};

use gstsegmenter::media::ts_frames;
use gstsegmenter::utc::{SECOND_NS, UtcNs};

use super::check::{Check, Problem, Structure, Times};

const PACKET_BYTES: usize = 188;
const SYNC_BYTE: u8 = 0x47;
const NULL_PID: u16 = 0x1FFF;
/// Ticks per second of a PTS, and its bits (§2.4.3.7).
const PTS_TIMESCALE: i64 = 90_000;
const PTS_BITS: u32 = 33;

/// Looks into a segment.
///
/// # Errors
/// If reading fails.
pub(super) fn inspect(reader: impl Read) -> io::Result<Structure> {
    let mut reader = io::BufReader::with_capacity(PACKET_BYTES * 1024, reader);
    let mut scan = Scan::default();
    let mut packet = [0; PACKET_BYTES];
    loop {
        match fill(&mut reader, &mut packet)? {
            0 => break,
            PACKET_BYTES => {}
            bytes => {
                scan.wrong(format!("it ends with {bytes} bytes of a cut packet"));
                break;
            }
        }
        if !scan.add(&packet) {
            break;
        }
    }
    Ok(scan.finish())
}

/// How many pictures are in it, if all of them are whole: two fields are one.
pub(super) fn pictures(reader: impl Read, start: UtcNs) -> Option<u64> {
    let found = ts_frames(reader, start).ok()?;
    let mut tracks = found.frames.tracks.iter();
    let pictures = tracks.find(|track| track.is_video)?.frames.len() as u64;
    (found.damaged == 0).then_some(pictures)
}

fn fill(reader: &mut impl Read, packet: &mut [u8; PACKET_BYTES]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = packet.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[derive(Default)]
struct Scan {
    packets: u64,
    counters: BTreeMap<u16, u8>,
    missing: u64,
    first_pts: Option<u64>,
    streams: BTreeMap<u16, Stream>,
    problems: Vec<Problem>,
}

/// The PTS of one elementary stream, in ticks from the first of all.
struct Stream {
    is_video: bool,
    pts: Vec<i64>,
}

impl Scan {
    fn wrong(&mut self, message: String) {
        self.problems.push(Problem::new(Check::Structure, message));
    }

    /// Takes a packet (§2.4.3.2); `false` if what follows cannot be understood.
    fn add(&mut self, packet: &[u8; PACKET_BYTES]) -> bool {
        let number = self.packets;
        self.packets += 1;
        let [sync, high, low, flags, ..] = *packet;
        if sync != SYNC_BYTE {
            self.wrong(format!(
                "packet {number} is none: it does not begin with 0x47"
            ));
            return false;
        }
        if high & 0x80 != 0 {
            self.wrong(format!("packet {number} is marked as damaged"));
        }
        let pid = u16::from_be_bytes([high & 0x1F, low]);
        let (has_field, has_payload) = (flags & 0x20 != 0, flags & 0x10 != 0);
        let mut payload_at = 4;
        let mut is_break = false;
        if has_field {
            let length = packet.get(4).copied().unwrap_or(0);
            is_break = length > 0 && packet.get(5).is_some_and(|field| field & 0x80 != 0);
            payload_at += 1 + usize::from(length);
        }
        if pid != NULL_PID && has_payload {
            self.count(pid, flags & 0x0F, is_break);
            if high & 0x40 != 0 {
                self.start(pid, packet.get(payload_at..).unwrap_or_default());
            }
        }
        true
    }

    /// The continuity counter goes up by one with each payload (§2.4.3.3); a packet may be sent
    /// twice.
    fn count(&mut self, pid: u16, counter: u8, is_break: bool) {
        if let Some(before) = self.counters.insert(pid, counter)
            && !is_break
            && counter != before
            && counter != (before + 1) & 0x0F
        {
            self.missing += 1;
        }
    }

    /// A PES packet's header, or a table's, which is passed over (§2.4.3.6).
    fn start(&mut self, pid: u16, payload: &[u8]) {
        let Some(&[0, 0, 1, stream_id]) = payload.first_chunk::<4>() else {
            return;
        };
        let Some(pts) = pts(payload) else { return };
        let first = *self.first_pts.get_or_insert(pts);
        // The short way around.
        let ahead = pts.wrapping_sub(first) << (u64::BITS - PTS_BITS);
        let ticks = ahead.cast_signed() >> (u64::BITS - PTS_BITS);
        let stream = self.streams.entry(pid).or_insert_with(|| Stream {
            // §2.4.3.7, table 2-22; 0xFD is whatever the descriptors say (AV1, VC-1, …).
            is_video: stream_id & 0xF0 == 0xE0,
            pts: Vec::new(),
        });
        stream.pts.push(ticks);
    }

    fn finish(mut self) -> Structure {
        if self.missing > 0 {
            let missing = self.missing;
            self.wrong(format!("packets are missing at {missing} places"));
        }
        if self.streams.is_empty() && self.problems.is_empty() {
            self.wrong("there is no frame in it".to_owned());
        }
        let pictures = self.streams.values().filter(|stream| stream.is_video);
        let pictures: usize = pictures.map(|stream| stream.pts.len()).sum();
        Structure {
            times: self.times(),
            pictures: None,
            // Each of the two fields of a picture may have a PES packet of its own.
            least_pictures: pictures as u64 / 2,
            problems: self.problems,
        }
    }

    fn times(&mut self) -> Option<Times> {
        let mut extents = Vec::new();
        for stream in self.streams.values_mut() {
            stream.pts.sort_unstable();
            extents.push((stream.is_video, stream.extent()?));
        }
        let pictures = extents.iter().find(|(is_video, _)| *is_video);
        let start = extents.iter().map(|(_, extent)| extent.start).min()?;
        let end = extents.iter().map(|(_, extent)| extent.end).max()?;
        let frame = extents.iter().map(|(_, extent)| extent.last).max()?;
        Some(Times {
            pictures_ns: pictures.map(|(_, extent)| ns(extent.end - extent.start)),
            all_ns: ns(end - start),
            frame_ns: ns(frame),
            start: None,
        })
    }
}

/// In ticks.
struct Extent {
    start: i64,
    end: i64,
    last: i64,
}

impl Stream {
    /// From the first frame to the end of the last, which is taken to last as long as most; `pts`
    /// are sorted.
    fn extent(&self) -> Option<Extent> {
        let (first, last) = (*self.pts.first()?, *self.pts.last()?);
        let mut gaps: Vec<i64> = self.pts.windows(2).filter_map(gap).collect();
        gaps.sort_unstable();
        // The last picture lasts until one that is not here.
        let longest = match self.is_video {
            true => gaps.last().copied().unwrap_or(i64::MAX),
            false => 0,
        };
        let frame = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
        Some(Extent {
            start: first,
            end: last + frame,
            last: frame.max(longest),
        })
    }
}

fn gap(pair: &[i64]) -> Option<i64> {
    match *pair {
        [before, after] => Some(after - before),
        _ => None,
    }
}

fn ns(ticks: i64) -> i64 {
    let ns = i128::from(ticks) * i128::from(SECOND_NS) / i128::from(PTS_TIMESCALE);
    i64::try_from(ns).unwrap_or(i64::MAX)
}

/// The PTS of a PES header: 33 bits in five bytes, with markers between (§2.4.3.7).
fn pts(payload: &[u8]) -> Option<u64> {
    let [marker, flags, header_bytes] = *payload.get(6..)?.first_chunk::<3>()?;
    if marker & 0xC0 != 0x80 || flags & 0x80 == 0 || header_bytes < 5 {
        return None;
    }
    let [a, b, c, d, e] = *payload.get(9..)?.first_chunk::<5>()?;
    let high = u64::from(a >> 1) & 0x07;
    let middle = u64::from(u16::from_be_bytes([b, c]) >> 1);
    let low = u64::from(u16::from_be_bytes([d, e]) >> 1);
    Some(high << 30 | middle << 15 | low)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of video that begins a PES packet, or goes on with one.
    fn packet(counter: u8, pts: Option<u64>) -> [u8; PACKET_BYTES] {
        let mut packet = [0xFF; PACKET_BYTES];
        let starts = if pts.is_some() { 0x40 } else { 0 };
        packet[..4].copy_from_slice(&[SYNC_BYTE, starts | 1, 0, 0x10 | counter & 0x0F]);
        if let Some(pts) = pts {
            let byte = |shift: u32| (pts >> shift) as u8;
            packet[4..18].copy_from_slice(&[
                0,
                0,
                1,
                0xE0,
                0,
                0,
                0x80,
                0x80,
                5,
                0x21 | (byte(30) & 7) << 1,
                byte(22),
                byte(14) | 1,
                byte(7),
                byte(0) << 1 | 1,
            ]);
        }
        packet
    }

    fn inspected(packets: &[[u8; PACKET_BYTES]]) -> Structure {
        inspect(packets.concat().as_slice()).unwrap()
    }

    #[test]
    fn times_go_on_over_the_wrap_of_33_bits() {
        let first = (1 << PTS_BITS) - 2 * 3600;
        let frame = |number: u64| (first + number * 3600) % (1 << PTS_BITS);
        let packets: Vec<_> = (0..50)
            .map(|number| packet(number as u8, Some(frame(number))))
            .collect();
        let structure = inspected(&packets);
        assert_eq!(structure.problems, []);
        let times = structure.times.unwrap();
        assert_eq!(times.pictures_ns, Some(2 * SECOND_NS));
        assert_eq!(times.frame_ns, SECOND_NS / 25);
    }

    #[test]
    fn a_packet_sent_twice_is_none_too_many_and_one_left_out_is_missed() {
        let start = packet(0, Some(0));
        let twice = [start, packet(1, None), packet(1, None), packet(2, None)];
        assert_eq!(inspected(&twice).problems, []);
        let gap = [start, packet(1, None), packet(3, None)];
        assert_eq!(inspected(&gap).problems.len(), 1);
    }

    #[test]
    fn noise_of_any_length_is_an_answer_and_no_panic() {
        let mut state = 1_u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for length in 0..1000 {
            let mut noise: Vec<u8> = (0..length).map(|_| byte()).collect();
            for packet in noise.chunks_mut(PACKET_BYTES) {
                packet[0] = SYNC_BYTE;
            }
            assert!(!inspect(noise.as_slice()).unwrap().problems.is_empty());
        }
    }
}
