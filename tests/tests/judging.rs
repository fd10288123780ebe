// SPDX-License-Identifier: MPL-2.0
//! What judges cuts (`tests::cutting::judge`) finds each thing that can be wrong with one: a right
//! cut passes, and no longer when it is spoiled in one way.

use gstsegmenter::cut::{self, FrameCache, Type};
use tests::clips::Clip;
use tests::cutting::archived::{Archived, Container};
use tests::cutting::judge::{Case, Output};
use tests::cutting::played::{self, Played};
use tests::cutting::proof::{request, write};
use tests::cutting::ranges::Wanted;
use tests::cutting::source::{CHANNELS, GOP, SAMPLES_PER_PACKET};
use tests::decode;

/// From within a GOP to within another: pictures at both ends are encoded.
const RANGE: (usize, usize) = (GOP + 7, 3 * GOP + 10);
const MILLISECOND_NS: i64 = 1_000_000;

/// One way to spoil what was played, or what the cut says it is.
type Spoil = fn(&mut Played, &mut Case<'_>);

/// Bytes of a picture.
fn size(played: &Played) -> usize {
    played.picture(0).len()
}

const SPOILS: [(&str, Spoil); 15] = [
    ("ffmpeg complains", |played, _| {
        played.said.push_str("a word");
    }),
    ("the first picture is missing", |played, _| {
        let size = size(played);
        played.pictures.drain(..size);
        played.picture_times_ns.pop();
    }),
    ("a picture is there twice", |played, _| {
        let (size, at) = (size(played), 30);
        let twice = played.picture(at).to_vec();
        played.pictures.splice(size * at..size * at, twice);
        let end_ns = played.picture_times_ns.last().copied().unwrap_or(0);
        played.picture_times_ns.push(end_ns + 40 * MILLISECOND_NS);
    }),
    ("two pictures have changed places", |played, _| {
        let (size, at) = (size(played), 30);
        let pair = &mut played.pictures[size * at..size * (at + 2)];
        pair.rotate_left(size);
    }),
    ("one sample of a copied picture is another", |played, _| {
        let (size, at) = (size(played), 30);
        played.pictures[size * at] ^= 1;
    }),
    ("an encoded picture is worse than 45 dB", |played, _| {
        let size = size(played);
        for sample in &mut played.pictures[..size] {
            *sample = sample.wrapping_add(2);
        }
    }),
    ("a picture is shown a millisecond late", |played, _| {
        played.picture_times_ns[30] += MILLISECOND_NS;
    }),
    ("two pictures are decoded at once", |played, _| {
        let packets = &mut played.picture_packets;
        packets[30].dts_ns = packets[29].dts_ns;
    }),
    ("a picture is shown before it is decoded", |played, _| {
        let packet = &mut played.picture_packets[30];
        packet.pts_ns = packet.dts_ns - MILLISECOND_NS;
    }),
    ("a packet of sound is missing", |played, _| {
        played.sound_packets.remove(30);
    }),
    ("a packet of sound is another", |played, _| {
        played.sound_packets[30].md5 = played.sound_packets[31].md5.clone();
    }),
    ("all of the sound is a packet late", |played, _| {
        for packet in &mut played.sound_packets {
            packet.pts_ns += 22 * MILLISECOND_NS;
            packet.dts_ns += 22 * MILLISECOND_NS;
        }
    }),
    ("one sample of the sound is another", |played, _| {
        let sample = &mut played.sound[5 * SAMPLES_PER_PACKET * CHANNELS];
        *sample = sample.wrapping_add(100);
    }),
    ("the sound ends early", |played, _| {
        played
            .sound_packets
            .truncate(played.sound_packets.len() - 2);
    }),
    (
        "fewer pictures are said to be encoded than are",
        |_, case| {
            case.summary.copied += case.summary.encoded;
            case.summary.encoded = 0;
        },
    ),
];

#[test]
fn whatever_is_wrong_with_a_cut_is_found() {
    let archived = Archived::new(Clip::SmallH264B, Container::Mp4);
    let wanted = Wanted::new("a range", archived.time(RANGE.0), archived.time(RANGE.1));
    let request = request(&wanted, Type::Smart);
    let cache = FrameCache::default();
    let cut = cut::compose(&archived.archive, &cache, &request, &Default::default());
    let cut = cut.expect("a cut");
    let summary = cut.summary.clone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("cut.mp4");
    write(cut, Output::Mp4, &path).expect("a file");
    let right = played::by_ffmpeg(std::slice::from_ref(&path), folder.path());
    let right = right.into_iter().next().expect("one file");
    let case = || Case {
        archived: &archived,
        kind: Type::Smart,
        output: Output::Mp4,
        expected: wanted.pictures(&archived, Type::Smart),
        summary: summary.clone(),
    };
    assert!(summary.encoded > 0 && summary.copied > 0, "{summary:?}");
    assert_eq!(case().judge(&right), Ok(()));
    for (what, spoil) in SPOILS {
        let (mut played, mut case) = (right.clone(), case());
        spoil(&mut played, &mut case);
        let verdict = case.judge(&played);
        let fault = verdict
            .err()
            .unwrap_or_else(|| panic!("{what}, and nothing was found"));
        eprintln!("{what}: {fault}");
    }
    let probed = decode::probe(&path);
    assert_eq!(case().judge_probed(&probed), Ok(()));
    for (field, value) in [("start_time", "0.080000"), ("duration", "2.800000")] {
        for stream in [None, Some(0), Some(1)] {
            let mut probed = probed.clone();
            match stream {
                None => probed["format"][field] = value.into(),
                Some(stream) => probed["streams"][stream][field] = value.into(),
            }
            assert!(
                case().judge_probed(&probed).is_err(),
                "{field} of {stream:?}"
            );
        }
    }
}
