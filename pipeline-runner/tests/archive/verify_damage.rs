// SPDX-License-Identifier: MPL-2.0
//! `archive verify` on damage, one kind at a time: in what was recorded well and changed later
//! (the hash tells), and in what was recorded badly (its hash is right, and decoding tells).

use std::path::{Path, PathBuf};

use gstsegmenter::archive::{Container, Kind};
use gstsegmenter::utc::SECOND_NS;

use crate::material::{TestArchive, alter, rehash, rename};

const BOTH: [Container; 2] = [Container::Mp4, Container::Ts];
const PACKET_BYTES: usize = 188;

/// Damages the second of three segments, and returns the checks that find it.
#[track_caller]
fn found(
    container: Container,
    options: &[&str],
    damage: impl FnOnce(&Path) -> PathBuf,
) -> Vec<String> {
    let archive = TestArchive::recorded(container);
    let path = damage(&archive.segments()[1]);
    let path = path.to_str().expect("UTF-8");
    let answer = archive.run("verify", &[options, &["--json"]].concat());
    let code = answer.code.expect("it ends by itself");
    let json = answer.json_with_code(code);
    let bad = json["bad"].as_array().expect("a list");
    assert_eq!(code, i32::from(!bad.is_empty()));
    assert_eq!(bad.len() as u64 + json["good"].as_u64().unwrap_or(0), 3);
    let Some(bad) = bad.first() else {
        return Vec::new();
    };
    assert_eq!(bad["path"], path);
    let line = archive.run("verify", options);
    let lines = line
        .with_code(1)
        .lines()
        .filter(|line| line.contains(": bad, "));
    assert_eq!(lines.filter(|line| line.starts_with(path)).count(), 1);
    let problems = bad["problems"].as_array().expect("a list").iter();
    let mut checks: Vec<_> = problems
        .map(|problem| problem["check"].as_str().expect("a word").to_owned())
        .collect();
    checks.dedup();
    checks
}

/// Overwrites a stretch in the middle of the frames, where no structure is.
fn spoil(container: Container) -> impl FnOnce(&Path) -> PathBuf {
    move |path| {
        alter(path, |bytes| {
            let middle = match container {
                Container::Mp4 => bytes.len() / 2,
                // The end of a packet.
                Container::Ts => bytes.len() / 2 / PACKET_BYTES * PACKET_BYTES + 60,
            };
            bytes[middle..middle + 120].fill(0xA5);
        });
        path.to_owned()
    }
}

#[test]
fn a_flipped_bit_is_found_by_the_hash() {
    for container in BOTH {
        let checks = found(container, &["--no-decode"], |path| {
            alter(path, |bytes| {
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
            });
            path.to_owned()
        });
        assert_eq!(checks, ["hash"], "{container}");
    }
}

#[test]
fn frames_that_were_already_damaged_when_they_were_recorded_are_found_by_decoding() {
    for container in BOTH {
        let damage = |path: &Path| rehash(&spoil(container)(path));
        assert_eq!(found(container, &[], damage), ["decode"], "{container}");
        let unseen = found(container, &["--no-decode"], damage);
        assert_eq!(unseen, Vec::<String>::new(), "{container}");
    }
}

#[test]
fn a_truncated_file_fails_its_hash_its_structure_and_its_duration() {
    let cut = |path: &Path| {
        alter(path, |bytes| bytes.truncate(bytes.len() * 6 / 10));
        path.to_owned()
    };
    for container in BOTH {
        let checks = found(container, &["--no-decode"], cut);
        assert_eq!(checks, ["hash", "structure", "duration"], "{container}");
        let checks = found(container, &[], cut);
        assert!(checks.contains(&"duration".to_owned()), "{checks:?}");
    }
}

#[test]
fn a_file_cut_off_between_two_frames_is_found_by_its_duration() {
    for container in BOTH {
        let checks = found(container, &[], |path| {
            alter(path, |bytes| bytes.truncate(whole_half(bytes, container)));
            rehash(path)
        });
        assert!(
            checks.contains(&"duration".to_owned()),
            "{container}: {checks:?}"
        );
        assert!(
            !checks.contains(&"hash".to_owned()),
            "{container}: {checks:?}"
        );
    }
}

/// Where a structure ends at about half of a segment.
fn whole_half(bytes: &[u8], container: Container) -> usize {
    let half = bytes.len() / 2;
    match container {
        Container::Ts => half / PACKET_BYTES * PACKET_BYTES,
        Container::Mp4 => {
            let index = gstsegmenter::media::Index::read(std::io::Cursor::new(bytes));
            let chunks = index.expect("an index").chunks;
            let ends = chunks.iter().map(|chunk| chunk.end as usize);
            ends.filter(|end| *end <= half).max().expect("a chunk")
        }
    }
}

#[test]
fn a_wrong_duration_in_the_name_is_found_and_nothing_else() {
    for container in BOTH {
        for options in [&[][..], &["--no-decode"]] {
            for duration_ns in [3 * SECOND_NS, SECOND_NS, 2_060_000_000] {
                let checks = found(container, options, |path| {
                    rename(path, |name| name.duration_ns = duration_ns)
                });
                assert_eq!(checks, ["duration"], "{container} {duration_ns}");
            }
        }
    }
}

#[test]
fn a_duration_off_by_less_than_a_frame_or_50_ms_is_right() {
    for container in BOTH {
        let checks = found(container, &[], |path| {
            rename(path, |name| name.duration_ns += 45_000_000)
        });
        assert_eq!(checks, Vec::<String>::new(), "{container}");
    }
}

#[test]
fn a_wrong_start_in_the_name_is_found_where_the_media_says_when_it_was() {
    let checks = found(Container::Mp4, &[], |path| {
        rename(path, |name| name.start = name.start + 20 * SECOND_NS)
    });
    assert_eq!(checks, ["start"]);
}

#[test]
fn a_missing_packet_of_a_transport_stream_is_found_without_decoding() {
    let checks = found(Container::Ts, &["--no-decode"], |path| {
        alter(path, |bytes| {
            let packet = bytes.len() / PACKET_BYTES / 2 * PACKET_BYTES;
            bytes.drain(packet..packet + PACKET_BYTES);
        });
        rehash(path)
    });
    assert_eq!(checks, ["structure"]);
}

#[test]
fn a_missing_chunk_is_found_without_decoding() {
    let checks = found(Container::Mp4, &["--no-decode"], |path| {
        alter(path, |bytes| {
            let index = gstsegmenter::media::Index::read(std::io::Cursor::new(&*bytes));
            let chunk = index.expect("an index").chunks[4];
            bytes.drain(chunk.start as usize..chunk.end as usize);
        });
        rehash(path)
    });
    assert_eq!(checks, ["structure"]);
}

#[test]
fn a_segment_that_does_not_begin_with_a_keyframe_is_bad() {
    let checks = found(Container::Mp4, &["--no-decode"], |path| {
        alter(path, |bytes| {
            let index = gstsegmenter::media::Index::read(std::io::Cursor::new(&*bytes));
            let chunk = index.expect("an index").chunks[0];
            bytes.drain(chunk.start as usize..chunk.end as usize);
        });
        rename(&rehash(path), |name| {
            name.kind = Kind::Partial;
        })
    });
    assert!(checks.contains(&"structure".to_owned()), "{checks:?}");
}

#[test]
fn noise_under_the_right_hash_is_bad_in_either_container() {
    for container in BOTH {
        for options in [&[][..], &["--no-decode"]] {
            let checks = found(container, options, |path| {
                alter(path, |bytes| {
                    let mut state = 1_u32;
                    for byte in bytes {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        *byte = (state >> 24) as u8;
                    }
                });
                rehash(path)
            });
            assert!(checks.contains(&"structure".to_owned()), "{checks:?}");
        }
    }
}

#[test]
fn an_empty_file_and_a_head_without_frames_are_bad() {
    for container in BOTH {
        let checks = found(container, &[], |path| {
            alter(path, |bytes| bytes.clear());
            rehash(path)
        });
        assert_eq!(checks, ["structure"], "{container}");
        let checks = found(container, &[], |path| {
            alter(path, |bytes| bytes.truncate(2 * PACKET_BYTES));
            rehash(path)
        });
        assert!(
            checks.contains(&"structure".to_owned()),
            "{container}: {checks:?}"
        );
    }
}
