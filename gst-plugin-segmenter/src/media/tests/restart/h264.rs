// SPDX-License-Identifier: MPL-2.0
//! H.264: an I picture with a recovery point as the start of a copy.

use super::material::{Source, cook};
use crate::media::nal;
use crate::media::restart::h264::Rewriter;
use crate::media::restart::{Part, RestartError};

/// Options of libx264 for GOPs that are open, one a second, with B-frames between all others.
const OPEN: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params \
    keyint=25:min-keyint=25:scenecut=0:open-gop=1:b-adapt=0:bframes=3";
/// Another encoder's: closed GOPs and another sequence parameter set.
const BEFORE: &str = "-c:v libx264 -preset veryfast -x264-params \
    keyint=250:scenecut=0:bframes=3:b-adapt=0:open-gop=0:sps-id=1";

/// A copy of a source, and what of it has been read.
struct Copy {
    samples: Vec<Vec<u8>>,
    read_bytes: usize,
}

/// Copies from `entry` on, with a rewriter that has followed the source from `known` on and reads
/// no more than it asks for.
#[track_caller]
fn copy(source: &Source, known: usize, entry: usize) -> Copy {
    let mut rewriter = Rewriter::new(&source.sets);
    let mut copy = Copy {
        samples: Vec::new(),
        read_bytes: 0,
    };
    for at in known..source.packets.len() {
        let sample = &source.packets[at].data;
        let is_left = at < entry || source.is_leading(entry, at);
        let mut read = sample.len().min(300);
        let parts = loop {
            let beginning = &sample[..read];
            let done = if is_left {
                rewriter
                    .follow(beginning, sample.len())
                    .map(|()| Vec::new())
            } else if at == entry {
                rewriter.enter(beginning, sample.len())
            } else {
                rewriter.rewrite(beginning, sample.len())
            };
            match done {
                Ok(parts) => break parts,
                Err(RestartError::Short { needs }) => {
                    assert!(needs > read && needs <= sample.len());
                    read = needs;
                }
                Err(error) => panic!("picture {at} of {entry}: {error}"),
            }
        };
        copy.read_bytes += read;
        if !is_left {
            copy.samples.push(cook(sample, &parts));
        }
    }
    copy
}

/// With these options added, whichever GOP the copy begins with and however much of what was
/// before is known, with nothing and with another encoder's piece in front.
#[track_caller]
fn every_frame_is_as_it_was(options: &str) {
    let source = Source::encode(&format!("{OPEN}:{options}"));
    let entries = source.entries();
    let middle = entries.len() / 2;
    for (known, entry) in [
        (entries[0], entries[0]),
        (0, entries[middle]),
        (entries[middle], entries[middle]),
    ] {
        let stream = source.byte_stream(&copy(&source, known, entry).samples);
        let shown = &source.shown[source.shown_before(entry)..];
        let decoded = source.decode(&stream);
        assert_eq!(
            decoded, shown,
            "{options}: from {entry}, known from {known}"
        );
    }
    let entry = entries[middle + 1];
    let (mut stream, mut shown) = source.piece_before(entry, BEFORE);
    stream.extend(source.byte_stream(&copy(&source, entries[middle], entry).samples));
    shown.extend_from_slice(&source.shown[source.shown_before(entry)..]);
    assert_eq!(
        source.decode(&stream),
        shown,
        "{options}: with a piece before"
    );
}

#[test]
fn no_frame_changes_with_b_frames_that_nothing_refers_to() {
    every_frame_is_as_it_was("b-pyramid=none:ref=1:weightp=0");
    every_frame_is_as_it_was("b-pyramid=none:ref=3:weightp=1:cabac=0");
}

#[test]
fn no_frame_changes_with_leading_pictures_that_were_referred_to() {
    every_frame_is_as_it_was("b-pyramid=normal:ref=2:weightp=2:slices=4");
    every_frame_is_as_it_was("b-pyramid=normal:ref=5:weightp=2:cabac=0");
}

#[test]
fn no_frame_changes_when_the_encoder_takes_references_away_itself() {
    every_frame_is_as_it_was("b-pyramid=strict:ref=1:weightp=1:cabac=0:slices=4");
    every_frame_is_as_it_was("b-pyramid=strict:ref=4:bframes=6");
}

#[test]
fn no_frame_changes_with_as_many_references_as_there_can_be() {
    every_frame_is_as_it_was("ref=16:bframes=16:b-adapt=2");
    every_frame_is_as_it_was("b-pyramid=strict:ref=12:bframes=5:b-adapt=2");
}

#[test]
fn no_frame_changes_when_blocks_are_interlaced() {
    every_frame_is_as_it_was("ref=3:tff=1");
}

#[test]
fn no_frame_changes_with_the_messages_and_markings_of_discs_and_broadcasts() {
    let rate = "vbv-maxrate=4000:vbv-bufsize=4000";
    every_frame_is_as_it_was(&format!("ref=4:bluray-compat=1:level=41:slices=4:{rate}"));
    every_frame_is_as_it_was(&format!("ref=3:nal-hrd=vbr:aud=1:direct=temporal:{rate}"));
}

#[test]
fn no_frame_changes_whatever_the_samples() {
    every_frame_is_as_it_was("ref=3 -pix_fmt yuv422p10le");
}

#[test]
fn little_more_than_headers_is_read_and_the_rest_stays_where_it_is() {
    let source = Source::encode(&format!("{OPEN}:ref=3:crf=4"));
    let entry = source.entries()[0];
    let all: usize = source.packets[entry..]
        .iter()
        .map(|packet| packet.data.len())
        .sum();
    let frames = source.packets.len() - entry;
    let read = copy(&source, entry, entry).read_bytes;
    assert!(read < 400 * frames && read < all / 5, "{read} of {all}");
    let mut rewriter = Rewriter::new(&source.sets);
    let sample = &source.packets[entry].data;
    let parts = rewriter.enter(sample, sample.len()).expect("a recipe");
    let new = parts.iter().filter(|part| matches!(part, Part::Bytes(_)));
    assert!(new.map(Part::bytes).sum::<usize>() < 100, "{parts:?}");
}

#[test]
fn a_parameter_set_behind_a_picture_says_nothing_of_it_when_more_of_the_sample_is_read() {
    let source = Source::encode(&format!("{OPEN}:slices=1"));
    let mut sample = source.packets[source.entries()[0]].data.clone();
    // The next pictures' headers have one number more (bottom_field_pic_order_in_frame_present_flag).
    let mut other_set = source.sets.pps[0].clone();
    other_set[1] ^= 0x10;
    let filler = [vec![12], vec![0xff; 400], vec![0x80]].concat();
    for unit in [&other_set, &filler, &filler] {
        assert!(nal::push(&mut sample, unit, source.sets.length_bytes));
    }
    let all_at_once = Rewriter::new(&source.sets).enter(&sample, sample.len());
    assert!(all_at_once.is_ok(), "{all_at_once:?}");
    let mut rewriter = Rewriter::new(&source.sets);
    let (mut read, mut readings) = (300, 0);
    let bit_by_bit = loop {
        readings += 1;
        match rewriter.enter(&sample[..read], sample.len()) {
            Err(RestartError::Short { needs }) => read = needs,
            made => break made,
        }
    };
    assert!(
        readings > 2,
        "{readings}: the set was read and more was wanted"
    );
    assert_eq!(bit_by_bit, all_at_once);
}

#[test]
fn no_frame_changes_where_order_follows_from_frame_numbers() {
    // Scenes that change every second get I pictures, and one reference reaches no further back.
    let source = Source::encode(
        "-vf negate=enable='lt(mod(t\\,2)\\,1)' -c:v libx264 -preset veryfast -x264-params \
            keyint=300:min-keyint=150:scenecut=80:bframes=0:ref=1:weightp=0",
    );
    let is_entry = |at: &usize| {
        let sample = &source.packets[*at].data;
        Rewriter::new(&source.sets)
            .enter(sample, sample.len())
            .is_ok()
    };
    let entries: Vec<usize> = (1..source.packets.len()).filter(is_entry).collect();
    assert!(entries.len() >= 5, "one a second: {entries:?}");
    for entry in entries {
        let stream = source.byte_stream(&copy(&source, entry, entry).samples);
        assert_eq!(source.decode(&stream), source.shown[entry..]);
        source.decodes_in_gstreamer("h264parse ! openh264dec");
    }
}
