// SPDX-License-Identifier: MPL-2.0
//! Cuts of streams whose picture parameter sets come and change on the way.

// A cut of one range is a list of one.
#![allow(clippy::single_range_in_vec_init)]

use std::path::{Path, PathBuf};

use gstsegmenter::cut::Type;
use gstsegmenter::media::bits::{
    Bits, Writer, with_emulation_prevention, without_emulation_prevention,
};
use gstsegmenter::media::nal::{h264, in_byte_stream};

use crate::archived::{Archived, NOISY};
use crate::support::{silent, text};

const GOP: usize = 25;
const PICTURES: usize = 6 * GOP;

/// What a stream does with its picture parameter sets.
struct Churn {
    /// The set that a picture refers to.
    of_picture: fn(usize) -> u32,
    /// The sets that stand before a picture; those that are `false` cannot be what a picture needs.
    before: fn(usize) -> Vec<(u32, bool)>,
}

/// Sets 1 and 2 appear with keyframes.
const WITH_KEYFRAMES: Churn = Churn {
    of_picture: |picture| u32::from(picture >= 2 * GOP) + u32::from(picture >= 4 * GOP),
    before: |picture| {
        let latest = (WITH_KEYFRAMES.of_picture)(picture);
        let is_keyframe = picture.is_multiple_of(GOP);
        (0..=latest)
            .filter(|_| is_keyframe)
            .map(|id| (id, true))
            .collect()
    },
};

/// Sets 1 and 2 appear between keyframes.
const WITHIN_GOPS: Churn = Churn {
    of_picture: |picture| u32::from(picture >= GOP + 10) + u32::from(picture >= 3 * GOP + 7),
    before: |picture| {
        let latest = (WITHIN_GOPS.of_picture)(picture);
        let is_new = picture == GOP + 10 || picture == 3 * GOP + 7;
        let ids = if picture.is_multiple_of(GOP) {
            0
        } else {
            latest
        }..=latest;
        let comes = is_new || picture.is_multiple_of(GOP);
        ids.filter(|_| comes).map(|id| (id, true)).collect()
    },
};

/// In every GOP set 1 becomes another, and is what it was before at the next keyframe.
const ANOTHER_OF_THE_SAME_ID: Churn = Churn {
    of_picture: |picture| u32::from(picture % GOP >= 10),
    before: |picture| match picture % GOP {
        0 => vec![(0, true), (1, false)],
        10 => vec![(1, true)],
        _ => Vec::new(),
    },
};

/// A stream of x264's, whose sets do this. Slices are coded without arithmetic, so their data may
/// move by some bits.
fn stream(churn: &Churn) -> Vec<u8> {
    let picture = format!("{NOISY}{}", PICTURES / 25);
    let settings = "cabac=0:bframes=0:keyint=25:min-keyint=25:scenecut=0:slices=2";
    let options = [
        "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p",
    ];
    let input = ["-v", "error", "-f", "lavfi", "-i", &picture];
    let output = ["-x264-params", settings, "-f", "h264", "-"];
    let made = silent("ffmpeg", &[&input[..], &options, &output].concat());
    let mut stream = Vec::new();
    let mut push = |unit: &[u8]| {
        stream.extend([0, 0, 0, 1]);
        stream.extend(unit);
    };
    let (mut set, mut next) = (Vec::new(), 0);
    for unit in in_byte_stream(&made) {
        match h264::kind(unit) {
            h264::PPS => set = unit.to_vec(),
            h264::SLICE | h264::IDR => {
                let held = without_emulation_prevention(unit);
                let mut bits = Bits::new(&held[1..]);
                if bits.ue() == Some(0) {
                    for (id, is_sound) in (churn.before)(next) {
                        push(&numbered(&set, 0, id, !is_sound));
                    }
                    next += 1;
                }
                push(&numbered(unit, 2, (churn.of_picture)(next - 1), false));
            }
            _ => push(unit),
        }
    }
    assert_eq!(next, PICTURES);
    stream
}

/// A unit whose number behind so many others is this; with the bit behind the one after it the other
/// way, which in a picture parameter set is how all else is coded.
fn numbered(unit: &[u8], behind: usize, number: u32, is_spoilt: bool) -> Vec<u8> {
    let held = without_emulation_prevention(unit);
    let mut bits = Bits::new(&held[1..]);
    for _ in 0..behind {
        bits.ue();
    }
    let mut writer = Writer::default();
    writer.copy(&held, 0, 8 + bits.position());
    bits.ue();
    writer.ue(number);
    if is_spoilt {
        let from = 8 + bits.position();
        bits.ue();
        writer.copy(&held, from, 8 + bits.position());
        writer.flag(!bits.flag().expect("a set goes on"));
    }
    let last = held
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("a stop bit");
    let stop = last * 8 + 7 - held[last].trailing_zeros() as usize;
    writer.copy(&held, 8 + bits.position(), stop);
    with_emulation_prevention(&writer.finish())
}

/// Puts a stream into a container, as it is.
fn contained(stream: &[u8], folder: &Path, name: &str) -> PathBuf {
    let raw = folder.join("stream.h264");
    std::fs::write(&raw, stream).expect("written");
    let path = folder.join(name);
    let flags = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof"];
    let input = [
        "-v",
        "error",
        "-y",
        "-r",
        "25",
        "-f",
        "h264",
        "-i",
        text(&raw),
    ];
    let output = ["-c", "copy", text(&path)];
    silent("ffmpeg", &[&input[..], &flags, &output].concat());
    path
}

const ALL: [(Type, &str); 5] = [
    (Type::Smart, "mp4"),
    (Type::Smart, "ts"),
    (Type::Copy, "mp4"),
    (Type::Full, "mp4"),
    (Type::Rough, "ts"),
];

#[test]
fn parameter_sets_that_come_and_change_on_the_way_are_where_pictures_need_them() {
    for churn in [WITH_KEYFRAMES, WITHIN_GOPS, ANOTHER_OF_THE_SAME_ID] {
        let stream = stream(&churn);
        for name in ["source.ts", "source.mp4"] {
            let folder = tempfile::tempdir().expect("a folder");
            let archived = Archived::foreign(&contained(&stream, folder.path(), name));
            let joined = [12..17, 37..64, 85..88, 101..120];
            archived.is_exact(&ALL, &[&[5..140], &[40..60]]);
            archived.is_exact(&ALL[..3], &[&joined]);
        }
    }
}

#[test]
fn segments_with_other_picture_sets_are_joined_by_one_sample_entry() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = contained(&stream(&WITH_KEYFRAMES), folder.path(), "source.ts");
    for container in ["mp4", "mpegts"] {
        let archived = Archived::recorded(&source, "tsdemux", "h264parse", container);
        archived.is_exact(&ALL[..3], &[&[5..140], &[60..110], &[40..53, 101..120]]);
    }
}
