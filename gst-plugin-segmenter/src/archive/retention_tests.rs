// SPDX-License-Identifier: MPL-2.0
use std::io::IoSlice;

use super::super::test_archive::{MS, TEN, TestArchive, as_nobody, written_at};
use super::super::{Container, SegmentFile};
use super::*;
use crate::utc::HOUR_NS;
use Kind::{Full, Temp};

const DAY_NS: i64 = 24 * HOUR_NS;
const HOUR_MS: i64 = 3_600_000;
/// What a test's segments take: two blocks.
const SIZE: u64 = 8192;

fn no_question() -> io::Result<Free> {
    panic!("nobody asked for free space")
}

fn add(archive: &TestArchive, at_ms: i64, salt: u8) -> PathBuf {
    archive
        .add_bytes(Full, at_ms, at_ms + 2000, salt, &[salt; SIZE as usize])
        .1
}

/// Adds a segment to another stream.
fn add_to(archive: &TestArchive, stream: &str, at_ms: i64) -> PathBuf {
    let path = add(archive, at_ms, 200);
    let relative = path.strip_prefix(archive.path().join("s")).unwrap();
    let moved = archive.path().join(stream).join(relative);
    fs::create_dir_all(moved.parent().unwrap()).unwrap();
    fs::rename(path, &moved).unwrap();
    moved
}

fn bytes(limit: u64) -> Policy {
    Policy {
        bytes: Some(limit),
        ..Policy::default()
    }
}

fn age(age_ns: i64) -> Policy {
    Policy {
        age_ns: Some(age_ns),
        ..Policy::default()
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap()
}

fn present(paths: &[PathBuf]) -> Vec<bool> {
    paths.iter().map(|path| path.exists()).collect()
}

#[test]
fn what_ended_before_the_age_goes_and_its_empty_folder_with_it() {
    let archive = TestArchive::new();
    let paths = [
        add(&archive, -3 * HOUR_MS, 0),
        add(&archive, -HOUR_MS - 2000, 0),
        add(&archive, -HOUR_MS - 1999, 0),
        add(&archive, 0, 0),
    ];
    let report = sweep(archive.path(), &age(HOUR_NS), TEN + 1, &no_question);
    assert_eq!(present(&paths), [false, false, true, true]);
    assert_eq!((report.aged_files, report.evicted_files), (2, 0));
    assert_eq!(report.deleted_bytes, 2 * SIZE);
    assert_eq!(report.removed_folders, 1);
    assert!(!paths[0].parent().unwrap().exists());
    let line = report.to_string();
    assert!(line.starts_with("retention: 2 files deleted (2 for age, 0 for room), 16384 bytes, 2026-11-20T07:00:00Z to 2026-11-20T08:59:58Z"), "{line}");
    assert!(!line.contains('\n') && !report.is_quiet());
    assert!(sweep(archive.path(), &age(HOUR_NS), TEN + 1, &no_question).is_quiet());
}

#[test]
fn the_oldest_of_all_streams_go_first_until_the_rest_fits() {
    let archive = TestArchive::new();
    let paths = [
        add_to(&archive, "b", 0),
        add(&archive, 2000, 0),
        add_to(&archive, "a", 4000),
        add_to(&archive, "b", HOUR_MS),
        add(&archive, HOUR_MS + 2000, 0),
    ];
    let report = sweep(
        archive.path(),
        &bytes(3 * SIZE - 1),
        TEN + DAY_NS,
        &no_question,
    );
    assert_eq!(present(&paths), [false, false, false, true, true]);
    assert_eq!(
        (report.evicted_files, report.kept_bytes),
        (3, Some(2 * SIZE))
    );
    assert_eq!(report.lacking_bytes, 0);
    assert!(sweep(archive.path(), &bytes(2 * SIZE), TEN + DAY_NS, &no_question).is_quiet());
}

#[test]
fn what_a_writer_holds_counts_but_is_never_deleted() {
    let archive = TestArchive::new();
    let mut file = SegmentFile::create(archive.path(), "s", "v", TEN, 1, Container::Mp4).unwrap();
    file.append(&mut [IoSlice::new(&[1; 4 * SIZE as usize])])
        .unwrap();
    let closed = add(&archive, 2000, 0);
    // Both by room and by age.
    for policy in [bytes(SIZE), age(1)] {
        let report = sweep(archive.path(), &policy, TEN + DAY_NS, &no_question);
        assert!(file.path().exists());
        assert!(!closed.exists());
        if policy.bytes.is_some() {
            assert_eq!(report.kept_bytes, Some(4 * SIZE));
            assert_eq!(report.lacking_bytes, 3 * SIZE);
            assert!(
                report.to_string().contains("24576 bytes too few"),
                "{report}"
            );
        }
    }
    file.append(&mut [IoSlice::new(b"goes on")]).unwrap();
    let path = file.finish(2 * SECOND_NS, Full, false).unwrap().path;
    assert_eq!(fs::read(path).unwrap().len(), 4 * SIZE as usize + 7);
}

#[test]
fn a_temp_that_nobody_writes_and_what_a_recovery_put_aside_go_like_anything_else() {
    let archive = TestArchive::new();
    let (_, temp) = archive.add_bytes(Temp, 0, 2000, 0, &[0; SIZE as usize]);
    let (name, other) = archive.add_bytes(Temp, 2000, 4000, 1, &[0; SIZE as usize]);
    let aside = other.with_file_name(format!("{QUARANTINE_PREFIX}{name}"));
    fs::rename(other, &aside).unwrap();
    let strange = temp.with_file_name("notes.txt");
    fs::write(&strange, b"not ours").unwrap();
    let report = sweep(archive.path(), &age(HOUR_NS), TEN + DAY_NS, &no_question);
    assert_eq!(report.aged_files, 2);
    assert_eq!(present(&[temp, aside, strange]), [false, false, true]);
}

#[test]
fn a_segment_from_the_future_is_not_old_and_goes_last_for_room() {
    let archive = TestArchive::new();
    let future = add(&archive, 10_000 * HOUR_MS, 0);
    let now = add(&archive, 0, 0);
    assert!(sweep(archive.path(), &age(HOUR_NS), TEN + 1, &no_question).is_quiet());
    sweep(archive.path(), &bytes(SIZE), TEN + 1, &no_question);
    assert_eq!(present(&[future.clone(), now]), [true, false]);
    let report = sweep(archive.path(), &bytes(0), TEN + 1, &no_question);
    assert!(!future.exists());
    assert!(
        future.parent().unwrap().exists(),
        "a writer may be about to use it"
    );
    assert_eq!(report.removed_folders, 0);
}

/// A camera whose clock is wrong, or was never set.
#[test]
fn what_was_recorded_within_the_age_is_not_old_whatever_its_name_says() {
    let archive = TestArchive::new();
    let since_1970 = (UtcNs(0) - TEN) / MS;
    let (misnamed, old) = (
        add(&archive, since_1970, 0),
        add(&archive, since_1970 + 2000, 0),
    );
    written_at(&misnamed, TEN);
    let now = TEN + HOUR_NS - 1;
    let report = sweep(archive.path(), &age(HOUR_NS), now, &no_question);
    assert_eq!(present(&[misnamed.clone(), old]), [true, false]);
    assert_eq!(report.aged_files, 1);
    let report = sweep(archive.path(), &age(HOUR_NS), now + 2, &no_question);
    assert!(!misnamed.exists() && report.aged_files == 1);
}

#[test]
fn what_was_just_recorded_under_a_wrong_name_is_not_the_first_to_go_for_room() {
    let archive = TestArchive::new();
    let since_1970 = (UtcNs(0) - TEN) / MS;
    let misnamed = add(&archive, since_1970, 0);
    written_at(&misnamed, TEN + 3 * HOUR_NS);
    let paths = [
        add(&archive, 0, 0),
        add(&archive, HOUR_MS, 0),
        misnamed,
        add(&archive, 4 * HOUR_MS, 0),
    ];
    for left in (0..4).rev() {
        sweep(
            archive.path(),
            &bytes(left * SIZE),
            TEN + DAY_NS,
            &no_question,
        );
        let gone = 4 - usize::try_from(left).unwrap();
        let expected: Vec<bool> = (0..4).map(|index| index >= gone).collect();
        assert_eq!(present(&paths), expected);
    }
}

#[test]
fn a_file_system_that_runs_out_of_inodes_is_a_full_one() {
    let archive = TestArchive::new();
    let paths: Vec<_> = (0..4)
        .map(|number| add(&archive, number * 2000, 0))
        .collect();
    let policy = Policy {
        min_free_files: Some(10),
        ..Policy::default()
    };
    let left = |files| {
        move || {
            Ok(Free {
                bytes: u64::MAX,
                files,
            })
        }
    };
    let report = sweep(archive.path(), &policy, TEN + DAY_NS, &left(8));
    assert_eq!(present(&paths), [false, false, true, true]);
    assert_eq!((report.evicted_files, report.lacking_files), (2, 0));
    assert!(sweep(archive.path(), &policy, TEN + DAY_NS, &left(10)).is_quiet());
    let report = sweep(archive.path(), &policy, TEN + DAY_NS, &left(0));
    assert_eq!(report.lacking_files, 8);
    assert!(
        report.to_string().contains("8 inodes (files) too few"),
        "{report}"
    );
}

#[test]
fn the_folder_of_the_current_hour_stays_even_if_empty() {
    let archive = TestArchive::new();
    let path = add(&archive, 0, 0);
    sweep(archive.path(), &bytes(0), TEN + 5, &no_question);
    assert!(!path.exists() && path.parent().unwrap().exists());
    sweep(archive.path(), &bytes(0), TEN + HOUR_NS, &no_question);
    assert!(!path.parent().unwrap().exists());
}

#[test]
fn a_tombstone_goes_with_the_last_segment_it_hides_and_not_before() {
    let archive = TestArchive::new();
    let path = add(&archive, 0, 0);
    let (tombstone, twin) = (path.with_extension("tombstone"), path.with_extension("mp4"));
    fs::write(&tombstone, b"").unwrap();
    fs::write(&twin, b"").unwrap();
    written_at(&twin, TEN);
    let alone = path.with_file_name(format!("00:05.0-1.0-full-{}.tombstone", "A".repeat(43)));
    fs::write(&alone, b"").unwrap();
    let paths = [path, twin, tombstone, alone];
    sweep(archive.path(), &age(HOUR_NS), TEN + 1000, &no_question);
    assert_eq!(present(&paths), [true; 4]);
    let report = sweep(archive.path(), &age(HOUR_NS), TEN + DAY_NS, &no_question);
    assert_eq!(present(&paths), [false; 4]);
    assert_eq!((report.aged_files, report.removed_folders), (4, 1));
}

#[test]
fn room_is_made_for_what_should_be_free_and_no_more() {
    let archive = TestArchive::new();
    let paths: Vec<_> = (0..6)
        .map(|number| add(&archive, number * 2000, 0))
        .collect();
    let policy = Policy {
        min_free_bytes: Some(100_000),
        ..Policy::default()
    };
    let free = || Ok((100_000 - 2 * SIZE - 1).into());
    let report = sweep(archive.path(), &policy, TEN + DAY_NS, &free);
    assert_eq!(present(&paths), [false, false, false, true, true, true]);
    assert_eq!(report.evicted_files, 3);
    assert!(
        sweep(
            archive.path(),
            &policy,
            TEN + DAY_NS,
            &|| Ok(100_000.into())
        )
        .is_quiet()
    );
    // Somebody else filled the disk: everything that may be deleted is not enough.
    let report = sweep(archive.path(), &policy, TEN + DAY_NS, &|| Ok(0.into()));
    assert_eq!(report.lacking_bytes, 100_000 - 3 * SIZE);
}

#[test]
fn the_real_file_system_says_what_is_free() {
    let found = free(Path::new(".")).unwrap();
    assert!(found.bytes > 0 && found.files > 0);
    assert!(free(Path::new("no such folder")).is_err());
}

#[test]
fn a_folder_that_cannot_be_read_or_emptied_is_reported_and_stops_nothing_else() {
    let archive = TestArchive::new();
    let paths = [
        add_to(&archive, "a", 0),
        add_to(&archive, "b", 0),
        add_to(&archive, "b", 2000),
        add_to(&archive, "c", 4000),
    ];
    let modes = [(folder_of(&paths[0]), 0o000), (folder_of(&paths[1]), 0o555)];
    let report = as_nobody(&archive, &modes, || {
        sweep(archive.path(), &age(HOUR_NS), TEN + DAY_NS, &no_question)
    });
    assert_eq!(present(&paths), [true, true, true, false]);
    // With the one that moving files to other streams left empty.
    assert_eq!((report.aged_files, report.removed_folders), (1, 2));
    let errors: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2, "one for each folder: {errors:?}");
    assert!(errors[0].contains("/a/v/2026-11-20T10") && errors[1].contains("/b/v/2026-11-20T10"));
    assert!(
        report.to_string().contains("(and 1 more errors)"),
        "{report}"
    );
}

#[test]
fn a_limit_that_cannot_be_checked_does_not_stop_the_others() {
    let archive = TestArchive::new();
    let failing = || Err(io::Error::other("statvfs says no"));
    let path = add(&archive, 0, 0);
    let policy = Policy {
        min_free_bytes: Some(1),
        bytes: Some(0),
        ..Policy::default()
    };
    let report = sweep(archive.path(), &policy, TEN + DAY_NS, &failing);
    assert!(!path.exists(), "the other limits hold all the same");
    assert!(report.to_string().contains("statvfs says no"), "{report}");
}

#[test]
fn totals_that_are_remembered_are_those_of_the_disk() {
    let archive = TestArchive::new();
    let mut retention = Retention::new(archive.path());
    let total = |retention: &mut Retention| {
        retention
            .sweep(&bytes(u64::MAX), TEN, &no_question)
            .kept_bytes
            .unwrap()
    };
    assert_eq!(total(&mut retention), 0);
    for number in 0..50 {
        add(&archive, (number / 10) * HOUR_MS + number, 0);
        assert_eq!(total(&mut retention), (number as u64 + 1) * SIZE);
    }
    // A growing file changes no folder's stamp.
    let mut file = SegmentFile::create(archive.path(), "s", "v", TEN, 1, Container::Mp4).unwrap();
    for number in 1..20 {
        file.append(&mut [IoSlice::new(&[1; SIZE as usize])])
            .unwrap();
        assert_eq!(total(&mut retention), (50 + number) * SIZE);
    }
}

#[test]
fn an_archive_that_is_not_there_yet_has_nothing_to_sweep() {
    let archive = TestArchive::new();
    let root = archive.path().join("not yet");
    assert!(sweep(&root, &bytes(0), TEN + MS, &no_question).is_quiet());
    assert!(!root.exists());
}
