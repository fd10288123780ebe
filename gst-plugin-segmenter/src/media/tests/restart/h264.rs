// SPDX-License-Identifier: MPL-2.0
//! H.264: an I picture with a recovery point as the start of a copy.

use super::material::{Source, cook};
use crate::media::restart::h264::Rewriter;

const OPEN: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params \
    keyint=25:min-keyint=25:scenecut=0:open-gop=1:b-adapt=0:bframes=3";
const BEFORE: &str = "-c:v libx264 -preset veryfast -x264-params \
    keyint=250:scenecut=0:bframes=3:b-adapt=0:open-gop=0:sps-id=1";

/// The samples of a copy from `entry` on, by a rewriter that has followed the source from
/// `known` on.
#[track_caller]
fn copy(source: &Source, known: usize, entry: usize) -> Vec<Vec<u8>> {
    let mut rewriter = Rewriter::new(&source.sets);
    let mut samples = Vec::new();
    for at in known..source.packets.len() {
        let sample = &source.packets[at].data;
        let bytes = sample.len();
        let parts = if at < entry || source.is_leading(entry, at) {
            rewriter.follow(sample, bytes).expect("headers");
            continue;
        } else if at == entry {
            rewriter.enter(sample, bytes)
        } else {
            rewriter.rewrite(sample, bytes)
        };
        let parts = parts.unwrap_or_else(|error| panic!("picture {at} of {entry}: {error}"));
        samples.push(cook(sample, &parts));
    }
    samples
}

#[track_caller]
fn every_frame_is_as_it_was(options: &str) {
    let source = Source::encode(&format!("{OPEN}:{options}"));
    let entries = source.entries();
    for index in [0, 1, entries.len() - 2] {
        let entry = entries[index];
        let shown = &source.shown[source.shown_before(entry)..];
        let mut copies = Vec::new();
        for known in [0, entry, entries[index.saturating_sub(1)]] {
            let copy = source.byte_stream(&copy(&source, known, entry));
            if !copies.contains(&copy) {
                assert_eq!(
                    source.decode(&copy),
                    shown,
                    "{options}, {entry} known from {known}"
                );
                copies.push(copy);
            }
        }
    }
    let entry = entries[2];
    let (mut stream, mut shown) = source.piece_before(entry, BEFORE);
    stream.extend(source.byte_stream(&copy(&source, entries[1], entry)));
    shown.extend_from_slice(&source.shown[source.shown_before(entry)..]);
    assert_eq!(
        source.decode(&stream),
        shown,
        "{options}, with a piece before"
    );
}

#[test]
fn frames_after_a_recovery_point_are_as_they_were_without_a_pyramid() {
    every_frame_is_as_it_was("b-pyramid=none:ref=1:weightp=0");
    every_frame_is_as_it_was("b-pyramid=none:ref=3:weightp=1");
}
