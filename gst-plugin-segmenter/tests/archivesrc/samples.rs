// SPDX-License-Identifier: MPL-2.0
//! What is pushed is what the cut is made of: every sample, its stamps, its flags, its caps.

use gstsegmenter::archive;
use gstsegmenter::cut::{self, Cut, FrameCache, Gaps, Request};
use gstsegmenter::media::OpenFiles;
use gstsegmenter::media::assembly::AssemblyTrack;
use sha2::{Digest, Sha256};

use crate::recording::readback::STREAM;
use crate::support::archive::{Archive, SECOND_NS};
use crate::support::player::{AS_IS, Seen};

fn composed(archive: &Archive, from_ns: i64, to_ns: i64, kind: cut::Type) -> Cut {
    let request = Request {
        stream: STREAM.to_owned(),
        variant: "source".to_owned(),
        ranges: vec![(archive.utc(from_ns), archive.utc(to_ns))],
        kind,
        allow_holes: false,
        gaps: Gaps::default(),
    };
    let archive = archive::Archive::open(archive.root()).expect("an archive");
    let cache = FrameCache::default();
    cut::compose(&archive, &cache, &request, &Default::default()).expect("a cut")
}

fn assert_same(cut: &Cut, track: &AssemblyTrack, seen: &[Seen]) {
    assert_eq!(seen.len(), track.samples.len());
    let files = OpenFiles::default();
    let first_ns = seen.first().map(|seen| seen.pts_ns).expect("not empty");
    let first_pts = track
        .samples
        .first()
        .map(|sample| sample.pts)
        .expect("not empty");
    let mut bytes = Vec::new();
    for (number, (sample, seen)) in track.samples.iter().zip(seen).enumerate() {
        files
            .read(&cut.assembly, sample, &mut bytes)
            .expect("readable");
        let digest: String = Sha256::digest(&bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(seen.digest, digest, "sample {number}");
        let ns =
            |ticks: i64| first_ns + (ticks - first_pts) * SECOND_NS / i64::from(track.timescale);
        let near = |one: i64, other: i64| (one - other).abs() <= 2;
        assert!(
            near(seen.pts_ns, ns(sample.pts)),
            "sample {number}: {seen:?}"
        );
        assert!(
            near(seen.dts_ns.expect("it has one"), ns(sample.dts)),
            "sample {number}: {seen:?}"
        );
        let is_delta = seen.flags.contains(gst::BufferFlags::DELTA_UNIT);
        assert_eq!(is_delta, !sample.is_entry, "sample {number}");
        let is_discont = seen.flags.contains(gst::BufferFlags::DISCONT);
        assert_eq!(is_discont, number == 0, "sample {number}");
    }
}

#[test]
fn every_sample_comes_with_its_stamps_and_flags() {
    let archive = Archive::pyramid(4);
    for (kind, name, from_ns, to_ns) in [
        (cut::Type::Copy, "copy", 1_300_000_000, 2_900_000_000),
        (cut::Type::Smart, "smart", SECOND_NS, 3 * SECOND_NS),
        (cut::Type::Rough, "rough", 1_300_000_000, 2_900_000_000),
    ] {
        let cut = composed(&archive, from_ns, to_ns, kind);
        let player = archive.player(from_ns, to_ns, name, AS_IS);
        player.play();
        let [video, audio] = &cut.assembly.tracks[..] else {
            panic!("two tracks were recorded");
        };
        assert_same(&cut, video, &player.pictures());
        assert_same(&cut, audio, &player.sounds());
    }
}

#[test]
fn caps_are_those_that_were_recorded() {
    let archive = Archive::pyramid(2);
    let player = archive.player(0, 2 * SECOND_NS, "smart", AS_IS);
    player.play();
    let pictures = player.pictures();
    let caps = &pictures.first().expect("some came").caps;
    let found = caps.structure(0).expect("fixed caps");
    let recorded = archive.video.caps.structure(0).expect("fixed caps");
    for field in ["stream-format", "alignment"] {
        let text = |caps: &gst::StructureRef| caps.get::<String>(field).expect(field);
        assert_eq!(text(found), text(recorded));
    }
    for field in ["width", "height"] {
        let number = |caps: &gst::StructureRef| caps.get::<i32>(field).expect(field);
        assert_eq!(number(found), number(recorded));
    }
    let data = |caps: &gst::StructureRef| {
        let buffer = caps.get::<gst::Buffer>("codec_data").expect("it has one");
        buffer.map_readable().expect("memory").to_vec()
    };
    assert_eq!(data(found), data(recorded));
    let sounds = player.sounds();
    let caps = &sounds.first().expect("some came").caps;
    let expected =
        "audio/mpeg, mpegversion=4, stream-format=raw, framed=true, rate=48000, channels=1";
    let expected: gst::Caps = expected.parse().expect("caps");
    assert!(caps.is_subset(&expected), "{caps}");
}
