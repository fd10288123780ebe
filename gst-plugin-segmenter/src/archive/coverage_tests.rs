// SPDX-License-Identifier: MPL-2.0
use std::fs;

use super::super::test_archive::{MS, TEN, TestArchive, as_nobody};
use super::*;
use Kind::{Full, Partial, Suspect, Temp};

fn span(from_ms: i64, to_ms: i64) -> Span {
    Span {
        from: TEN + from_ms * MS,
        to: TEN + to_ms * MS,
    }
}

fn coverage(archive: &TestArchive, from_ms: i64, to_ms: i64) -> Coverage {
    let Span { from, to } = span(from_ms, to_ms);
    archive.open().coverage("s", "v", from, to).unwrap()
}

fn kinds(coverage: &Coverage) -> Vec<(Span, Kind, u64)> {
    let ranges = coverage.ranges.iter();
    ranges
        .map(|range| (range.span, range.kind, range.segments))
        .collect()
}

#[test]
fn what_is_there_and_what_is_missing_make_up_the_range() {
    let archive = TestArchive::new();
    archive.add(Full, 0, 2000, 0);
    archive.add(Full, 2000, 4000, 0);
    archive.add(Suspect, 4000, 6000, 0);
    archive.add(Partial, 9000, 9500, 0);
    let found = coverage(&archive, 1000, 12_000);
    assert_eq!((found.total_ns, found.missing_ns), (11_000 * MS, 5500 * MS));
    assert_eq!(found.covered_ns, 5500 * MS);
    assert_eq!(
        kinds(&found),
        [
            (span(1000, 4000), Full, 2),
            (span(4000, 6000), Suspect, 1),
            (span(9000, 9500), Partial, 1)
        ]
    );
    assert_eq!(found.holes, [span(6000, 9000), span(9500, 12_000)]);
    assert_eq!(found.discontinuities, [TEN + 9000 * MS]);
    assert_eq!(found.kind_ns(Full), 3000 * MS);
    assert!(found.overlaps.is_empty());
}

#[test]
fn a_clock_set_forward_is_a_hole_and_one_set_back_is_time_recorded_twice() {
    let archive = TestArchive::new();
    for number in 0..30 {
        archive.add(Full, number * 2000, number * 2000 + 2000, 0);
        // An hour later by the clock, then back again in the midst of what is there.
        archive.add(
            Full,
            3_660_000 + number * 2000,
            3_662_000 + number * 2000,
            0,
        );
        archive.add(Full, 30_700 + number * 2000, 32_700 + number * 2000, 1);
    }
    let found = coverage(&archive, 0, 3_720_000);
    assert_eq!(found.holes, [span(90_700, 3_660_000)]);
    assert_eq!(found.overlaps, [span(30_700, 60_000)]);
    assert_eq!(
        found.discontinuities,
        [TEN + 60_000 * MS, TEN + 3_660_000 * MS]
    );
}

#[test]
fn two_writers_all_the_time_are_one_overlap() {
    let archive = TestArchive::new();
    for number in 0..20 {
        archive.add(Full, number * 2000, number * 2000 + 2000, 0);
        archive.add(Full, number * 2000 + 700, number * 2000 + 2700, 1);
    }
    let found = coverage(&archive, 0, 40_000);
    assert_eq!(found.overlaps, [span(700, 40_000)]);
    assert_eq!(kinds(&found), [(span(0, 40_000), Full, 20)]);
    assert!(found.discontinuities.is_empty());
}

#[test]
fn a_growing_segment_counts_for_what_is_in_it_by_now() {
    let archive = TestArchive::new();
    archive.add(Full, 0, 2000, 0);
    archive.add(Temp, 2000, 4000, 0);
    let Span { from, to } = span(0, 10_000);
    let with = |growing_ns: i64| {
        let measure = move |_: &Segment| growing_ns;
        archive
            .open()
            .coverage_with("s", "v", from, to, &measure)
            .unwrap()
    };
    assert_eq!(
        kinds(&with(1200 * MS)),
        [(span(0, 2000), Full, 1), (span(2000, 3200), Temp, 1)]
    );
    // Longer than it was meant to become, as keyframes are far apart.
    assert_eq!(with(5000 * MS).holes, [span(7000, 10_000)]);
    assert_eq!(with(-1).holes, [span(2000, 10_000)]);
    assert_eq!(with(i64::MAX).holes, []);
}

#[test]
fn a_growing_segment_counts_neither_beyond_now_nor_beyond_what_it_is_meant_to_become() {
    let archive = TestArchive::new();
    let now_ms = (UtcNs::now() - TEN) / MS;
    archive.add(Temp, now_ms - 100_000, now_ms - 98_000, 0);
    archive.add(Temp, now_ms - 1000, now_ms + 3_600_000, 1);
    archive.add(Temp, now_ms + 7_200_000, now_ms + 7_300_000, 2);
    let found = coverage(&archive, now_ms - 200_000, now_ms + 8_000_000);
    let old = found.ranges[0].span;
    assert_eq!(old, span(now_ms - 100_000, now_ms - 98_000));
    let growing = found.ranges[1].span;
    assert_eq!(growing.from, TEN + (now_ms - 1000) * MS);
    assert!(growing.to <= UtcNs::now());
    assert_eq!(found.ranges.len(), 2, "nothing counts that has not begun");
}

#[test]
fn a_closed_segment_is_preferred_to_a_growing_one() {
    let archive = TestArchive::new();
    archive.add(Temp, 0, 4000, 0);
    archive.add(Partial, 1000, 2000, 0);
    assert_eq!(
        kinds(&coverage(&archive, 0, 4000)),
        [
            (span(0, 1000), Temp, 1),
            (span(1000, 2000), Partial, 1),
            (span(2000, 4000), Temp, 1)
        ]
    );
}

#[test]
fn a_tombstone_hides_every_segment_with_its_stem() {
    let archive = TestArchive::new();
    let folder = archive.path().join("s/v/2026-11-20T10");
    let (name, path) = archive.add_bytes(Full, 0, 2000, 0, b"");
    archive.add(Full, 2000, 4000, 0);
    fs::write(path.with_extension("tombstone"), b"").unwrap();
    // Others' numbers of digits, hidden by their own spelling.
    let id = "A".repeat(43);
    fs::write(folder.join(format!("00:10.5-2-full-{id}.ts")), b"").unwrap();
    fs::write(folder.join(format!("00:12.5-2-full-{id}.ts")), b"").unwrap();
    fs::write(folder.join(format!("00:12.5-2-full-{id}.tombstone")), b"").unwrap();

    let reader = archive.open();
    let segments = reader.segments("s", "v", TEN).unwrap();
    let names: Vec<String> = segments.iter().map(Segment::file_name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(
        names[1],
        format!("00:10.5-2-full-{id}.ts"),
        "as it is on disk"
    );
    assert!(segments.iter().all(|segment| segment.path().is_file()));
    assert!(!names.contains(&name.to_string()));
    assert_eq!(coverage(&archive, 0, 4000).holes, [span(0, 2000)]);

    fs::remove_file(path.with_extension("tombstone")).unwrap();
    assert_eq!(reader.segments("s", "v", TEN).unwrap().len(), 3);
}

#[test]
fn strange_files_are_skipped_and_listed() {
    let archive = TestArchive::new();
    let folder = archive.path().join("s/v/2026-11-20T10");
    archive.add(Full, 0, 2000, 0);
    for name in [
        "notes.txt",
        ".hidden",
        ".unrecoverable-x.mp4",
        "00:00-x-full-y.ts",
    ] {
        fs::write(folder.join(name), b"").unwrap();
    }
    fs::create_dir(folder.join("00:00.0-1.0-folder")).unwrap();
    fs::create_dir(archive.path().join("s/v/not an hour")).unwrap();
    fs::create_dir(archive.path().join("s/v/.hidden")).unwrap();
    let reader = archive.open();
    assert_eq!(reader.segments("s", "v", TEN).unwrap().len(), 1);
    let strays = reader.strays("s", "v", TEN).unwrap();
    let mut names: Vec<_> = strays
        .iter()
        .filter_map(|stray| stray.path.file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["00:00-x-full-y.ts", "notes.txt"]);
    assert_eq!(reader.hours("s", "v").unwrap(), [TEN]);
    assert_eq!(reader.streams().unwrap(), ["s"]);
    assert_eq!(reader.variants("s").unwrap(), ["v"]);
    assert_eq!(
        reader.variants("x").unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    assert_eq!(
        reader.variants("../s").unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
}

#[test]
fn a_query_reads_the_folders_that_may_hold_its_range_and_no_others() {
    let archive = TestArchive::new();
    let hour_ms = 3_600_000;
    for hour in -100..100 {
        archive.add(Full, hour * hour_ms, hour * hour_ms + 2000, 0);
    }
    let reader = archive.open();
    let Span { from, to } = span(1000, 10_000);
    reader.coverage("s", "v", from, to).unwrap();
    assert_eq!(reader.folders_read(), 25, "its own hour and a day before");
    // All of time, which is not probed hour by hour.
    let all = reader
        .coverage("s", "v", UtcNs(i64::MIN), UtcNs(i64::MAX))
        .unwrap();
    assert_eq!(all.ranges.len(), 200);
    assert_eq!(reader.folders_read(), 225);
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error_and_not_a_hole() {
    let archive = TestArchive::new();
    archive.add(Full, 0, 2000, 0);
    let folder = archive.path().join("s/v/2026-11-20T10");
    let Span { from, to } = span(0, 2000);
    let error = as_nobody(&archive, &[(&folder, 0o000)], || {
        archive.open().coverage("s", "v", from, to).unwrap_err()
    });
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("2026-11-20T10"), "{error}");
}
