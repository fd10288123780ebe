// SPDX-License-Identifier: MPL-2.0
//! Transport streams that are damaged: what is whole of them is found and nothing else, and what
//! has changed since is not given out.

use std::fs;
use std::path::Path;

use super::material::{ORIGIN, encode};
use super::ts_frames::{ffmpeg_ts, sample};
use crate::media::{Place, TsFrames, ts_frames};

const PACKET: usize = 188;
/// The PID that ffmpeg gives to the pictures.
const VIDEO: u16 = 256;

/// A second of H.264 with B-frames, and AAC.
fn file(folder: &Path) -> Vec<u8> {
    let picture = "testsrc2=size=160x120:rate=25:duration=1";
    let tone = "sine=frequency=440:sample_rate=48000:duration=1";
    let options = "-c:v libx264 -bf 2 -b_strategy 0 -g 10 -c:a aac";
    let source = encode(folder, "source.mp4", &[picture, tone], options);
    fs::read(ffmpeg_ts(&source, "")).expect("the file")
}

fn index(file: &[u8]) -> TsFrames {
    ts_frames(file, ORIGIN).expect("an index")
}

/// Every sample of every track; all can be read.
#[track_caller]
fn samples(file: &[u8], found: &TsFrames) -> Vec<Vec<Vec<u8>>> {
    let tracks = found.frames.tracks.iter();
    tracks
        .map(|track| {
            let read = |frame| sample(file, track, frame).expect("a sample");
            track.frames.iter().map(read).collect()
        })
        .collect()
}

fn pid(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[1] & 0x1F, packet[2]])
}

/// Where packets of pictures start that neither begin nor end a PES packet.
fn inner_packets(file: &[u8]) -> Vec<usize> {
    let at = |index: usize| index * PACKET;
    let is_inner = |at: &usize| {
        let packet = &file[*at..*at + PACKET];
        pid(packet) == VIDEO && packet[1] & 0x40 == 0 && packet[3] & 0x30 == 0x10
    };
    (0..file.len() / PACKET).map(at).filter(is_inner).collect()
}

/// Where the first picture ends: without it, nothing up to the next keyframe can be decoded.
fn first_picture_end(found: &TsFrames) -> usize {
    let Place::Pes { start, span, .. } = found.frames.tracks[0].frames[0].place else {
        panic!("in a PES packet");
    };
    start as usize + span as usize
}

/// The samples of the pictures are the whole ones without `lost` of them, and the sound is whole.
#[track_caller]
fn has_lost(file: &[u8], whole: &[Vec<Vec<u8>>], lost: usize) {
    let found = index(file);
    assert_eq!(found.damaged, lost as u64);
    let left = samples(file, &found);
    assert_eq!(left[1], whole[1]);
    assert_eq!(left[0].len() + lost, whole[0].len());
    assert!(left[0].iter().all(|sample| whole[0].contains(sample)));
}

#[test]
fn a_picture_of_which_a_packet_is_damaged_or_missing_is_left_out_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(folder.path());
    let found = index(&file);
    let whole = samples(&file, &found);
    let mut inner = inner_packets(&file);
    inner.retain(|at| *at >= first_picture_end(&found));
    assert!(inner.len() > 20);
    for at in inner.into_iter().step_by(7) {
        let mut missing = file.clone();
        missing.drain(at..at + PACKET);
        has_lost(&missing, &whole, 1);
        let mut marked = file.clone();
        marked[at + 1] |= 0x80;
        has_lost(&marked, &whole, 1);
        let mut without_sync = file.clone();
        without_sync[at] = 0x46;
        has_lost(&without_sync, &whole, 1);
    }
}

#[test]
fn a_packet_that_is_sent_twice_counts_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(folder.path());
    let whole = samples(&file, &index(&file));
    let twice: Vec<u8> = file
        .chunks(PACKET)
        .flat_map(|packet| [packet, packet].concat())
        .collect();
    has_lost(&twice, &whole, 0);
}

#[test]
fn where_bytes_are_missing_or_too_many_packets_are_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(folder.path());
    let found = index(&file);
    let whole = samples(&file, &found);
    let from = first_picture_end(&found);
    for at in (from..file.len() - PACKET * 8).step_by(4001) {
        let mut more = file.clone();
        more.splice(at..at, [0x47; 33]);
        let mut fewer = file.clone();
        fewer.drain(at..at + 500);
        for file in [more, fewer] {
            let found = index(&file);
            let left = samples(&file, &found);
            // Up to two pictures and two PES packets of sound, of six frames or so.
            for ((left, whole), most_lost) in left.iter().zip(&whole).zip([2, 20]) {
                assert!(left.len() + most_lost >= whole.len(), "at {at}");
                assert!(left.iter().all(|sample| whole.contains(sample)), "at {at}");
            }
        }
    }
}

#[test]
fn cut_off_anywhere_within_a_packet_only_whole_frames_are_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(folder.path());
    let whole = samples(&file, &index(&file));
    let mut most = 0;
    for bytes in (PACKET * 40 + 1..file.len()).step_by(PACKET * 5 + 3) {
        if bytes % PACKET == 0 {
            continue;
        }
        let left = samples(&file[..bytes], &index(&file[..bytes]));
        for (left, whole) in left.iter().zip(&whole) {
            assert_eq!(left[..], whole[..left.len()], "at {bytes}");
        }
        assert!(left[0].len() >= most);
        most = left[0].len();
    }
    assert!(most + 3 >= whole[0].len());
}

#[test]
fn flipped_bits_do_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(folder.path());
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let mut flipped = file.clone();
        for _ in 0..random.usize(1..40) {
            let at = random.usize(..flipped.len());
            flipped[at] ^= 1 << random.u8(..8);
        }
        let Ok(found) = ts_frames(&flipped[..], ORIGIN) else {
            continue;
        };
        samples(&flipped, &found);
        for track in &found.frames.tracks {
            let pairs = track.frames.windows(2);
            assert!({ pairs }.all(|pair| pair[0].dts <= pair[1].dts));
        }
    }
}

#[test]
fn a_sample_that_has_changed_since_is_not_given_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(folder.path());
    let found = index(&file);
    for track in &found.frames.tracks {
        let frame = &track.frames[5];
        let Place::Pes { start, span, .. } = frame.place else {
            panic!("in a PES packet");
        };
        let (start, span) = (start as usize, span as usize);
        assert!(sample(&file, track, frame).is_some());
        for (at, byte) in [(start, 0), (start + 4, 0x55), (start + 1, 0xC1)] {
            let mut changed = file.clone();
            changed[at] = byte;
            assert_eq!(sample(&changed, track, frame), None, "at {at}");
        }
        let mut other = file.clone();
        other.copy_within(start + PACKET..start + PACKET + span, start);
        assert_ne!(sample(&other, track, frame), sample(&file, track, frame));
        let mut gone = file.clone();
        gone[start..start + span].fill(0);
        assert_eq!(sample(&gone, track, frame), None);
    }
}
