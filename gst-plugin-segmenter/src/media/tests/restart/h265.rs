// SPDX-License-Identifier: MPL-2.0
//! H.265: a CRA picture as the start of a copy.

use super::material::{Source, cook};
use crate::media::restart::{Part, RestartError, Unsupported, h265};

const OPEN: &str = "-c:v libx265 -preset veryfast -pix_fmt yuv420p -x265-params \
    log-level=error:keyint=25:min-keyint=25:scenecut=0:bframes=4:b-adapt=0:b-pyramid=1:open-gop=1";
const BEFORE: &str = "-c:v libx265 -preset veryfast -x265-params \
    log-level=error:keyint=250:scenecut=0:bframes=4:b-adapt=0:b-pyramid=1:open-gop=0";

/// A decoder that shares no code with ffmpeg's. It gets some pictures of the source wrong, those
/// in several slices and those that lead later keyframes, so it is given one GOP without.
const OTHER: &str = "h265parse ! libde265dec";

/// The samples of a copy from `entry` on.
fn copy(source: &Source, entry: usize) -> Vec<Vec<u8>> {
    let mut samples = Vec::new();
    for at in (entry..source.packets.len()).filter(|at| !source.is_leading(entry, *at)) {
        let sample = &source.packets[at].data;
        samples.push(if at == entry {
            let parts = h265::enter(sample, sample.len(), source.sets.length_bytes);
            cook(sample, &parts.expect("a recipe"))
        } else {
            sample.clone()
        });
    }
    samples
}

#[test]
fn every_frame_from_a_clean_random_access_on_is_as_it_was() {
    let source = Source::encode(OPEN);
    let entries = source.entries();
    let leads = |entry: &&usize| source.is_leading(**entry, **entry + 1);
    assert!(entries.iter().filter(leads).count() >= 4, "B-frames lead");
    for entry in entries {
        let samples = copy(&source, entry);
        let shown = &source.shown[source.shown_before(entry)..];
        assert_eq!(source.decode(&source.byte_stream(&samples)), shown);
        source.decode(&source.byte_stream(&samples[..20]));
        source.decodes_in_gstreamer(OTHER);
    }
}

#[test]
fn a_piece_of_another_encoder_goes_before_it_and_no_frame_is_lost() {
    for slices in [1, 3] {
        let source = Source::encode(&format!("{OPEN}:slices={slices}"));
        let entry = source.entries()[2];
        let samples = copy(&source, entry);
        let (before, mut shown) = source.piece_before(entry, BEFORE);
        let joined = |samples: &[Vec<u8>]| [&before[..], &source.byte_stream(samples)[..]].concat();
        shown.extend_from_slice(&source.shown[source.shown_before(entry)..]);
        assert_eq!(source.decode(&joined(&samples)), shown);
        if slices == 1 {
            source.decode(&joined(&samples[..20]));
            source.decodes_in_gstreamer(OTHER);
        }
    }
}

#[test]
fn only_the_beginning_of_each_slice_is_asked_for() {
    // An access unit delimiter and two slices of a CRA picture, the second one long.
    let slice = |bytes: usize| [&[0x2A, 1, 0xE7][..], &vec![7; bytes - 3]].concat();
    let units = [vec![70, 1, 0x50], slice(20), slice(900)];
    let lengths = |unit: &Vec<u8>| [vec![0, 0], (unit.len() as u16).to_be_bytes().into()].concat();
    let sample: Vec<u8> = units
        .iter()
        .flat_map(|unit| [lengths(unit), unit.clone()].concat())
        .collect();
    let mut read = 12;
    let parts = loop {
        match h265::enter(&sample[..read], sample.len(), 4) {
            Err(RestartError::Short { needs }) => read = needs.max(read + 1),
            parts => break parts.expect("a recipe"),
        }
    };
    assert_eq!(
        parts,
        [
            Part::Source(0..11),
            Part::Bytes(vec![0x24, 1, 0xA7]),
            Part::Source(14..35),
            Part::Bytes(vec![0x24, 1, 0xA7]),
            Part::Source(38..sample.len()),
        ],
        "the type, and that pictures before are shown"
    );
    assert!(read < 400, "{read}");
}

#[test]
fn what_is_no_clean_random_access_is_refused() {
    let refused =
        |sample: &[u8], length_bytes| match h265::enter(sample, sample.len(), length_bytes) {
            Err(RestartError::Unsupported(reason)) => reason,
            other => panic!("{other:?}"),
        };
    let trailing = [0, 0, 0, 3, 2, 1, 9];
    assert!(matches!(refused(&trailing, 4), Unsupported::NotAnEntry(_)));
    assert!(matches!(refused(&[], 4), Unsupported::NotAnEntry(_)));
    assert!(matches!(refused(&trailing, 3), Unsupported::Damaged(_)));
    assert!(matches!(refused(&trailing, 0), Unsupported::Damaged(_)));
    assert!(matches!(
        refused(&[0, 0, 0, 4, 1], 4),
        Unsupported::Damaged(_)
    ));
}
