// SPDX-License-Identifier: MPL-2.0
use std::cell::Cell;
use std::io::IoSlice;
use std::os::unix::fs::FileExt as _;
use std::sync::Barrier;

use super::super::test_archive::{MS, TEN, TestArchive};
use super::super::{Archive, SegmentFile};
use super::*;
use Kind::Temp;

/// Media of this test: lines of ten bytes, each a frame of 100 ms; what lies behind the last whole
/// line is torn.
fn lines(file: &File, _: Container) -> io::Result<Measured> {
    let mut content = vec![0; file.metadata()?.len() as usize];
    file.read_exact_at(&mut content, 0)?;
    if content.starts_with(b"garbage") {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no line"));
    }
    let whole = content.len() / 10;
    Ok(Measured {
        whole_bytes: whole as u64 * 10,
        duration_ns: whole as i64 * 100 * MS,
        start: None,
    })
}

fn temp(archive: &TestArchive, at_ms: i64, content: &[u8]) -> PathBuf {
    archive.add_bytes(Temp, at_ms, at_ms + 2000, 0, content).1
}

fn files(archive: &TestArchive) -> Vec<String> {
    let mut names = Vec::new();
    for folder in hour_folders(archive.path(), &mut Vec::new()) {
        for entry in fs::read_dir(&folder.path).unwrap() {
            names.push(entry.unwrap().file_name().into_string().unwrap());
        }
    }
    names.sort();
    names
}

#[test]
fn what_a_crash_left_is_cut_back_and_becomes_partial_with_its_real_duration() {
    let archive = TestArchive::new();
    let from = temp(&archive, 0, b"123456789\n123456789\n1234");
    let results = recover(archive.path(), &lines).unwrap();
    let [
        Recovered {
            from: reported,
            outcome,
        },
    ] = results.as_slice()
    else {
        panic!("{results:?}")
    };
    assert_eq!(reported, &from);
    let Outcome::Partial {
        path,
        name,
        bytes,
        cut_bytes,
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!((*bytes, *cut_bytes, name.duration_ns), (20, 4, 200 * MS));
    assert_eq!(fs::read(path).unwrap(), b"123456789\n123456789\n");
    let hash = Sha256::digest(b"123456789\n123456789\n").into();
    assert_eq!(name.id, Id::Hash(hash));
    assert_eq!(files(&archive), [name.to_string()]);
    let coverage = Archive::open(archive.path())
        .unwrap()
        .coverage("s", "v", TEN, TEN + 200 * MS)
        .unwrap();
    assert_eq!(coverage.kind_ns(Kind::Partial), 200 * MS);

    assert!(
        recover(archive.path(), &lines).unwrap().is_empty(),
        "once is enough"
    );
    assert_eq!(files(&archive), [name.to_string()]);
}

#[test]
fn the_start_in_the_media_is_believed_if_it_is_near() {
    for (start_ms, believed_ms) in [
        (1500, 1500),
        (-1000, -1000),
        (90_000_000, 0),
        (-4e9 as i64, 0),
    ] {
        let archive = TestArchive::new();
        temp(&archive, 0, b"123456789\n");
        let measure = |file: &File, container: Container| {
            let measured = lines(file, container)?;
            Ok(Measured {
                start: Some(TEN + start_ms * MS + 7),
                ..measured
            })
        };
        let results = recover(archive.path(), &measure).unwrap();
        let [
            Recovered {
                outcome: Outcome::Partial { name, path, .. },
                ..
            },
        ] = results.as_slice()
        else {
            panic!("{results:?}")
        };
        assert_eq!(name.start, TEN + believed_ms * MS);
        let folder = path
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap();
        assert_eq!(
            folder,
            name.hour_folder(),
            "also where that is another hour"
        );
        assert!(path.is_file());
    }
}

#[test]
fn what_holds_nothing_whole_is_put_aside_and_an_empty_file_removed() {
    let archive = TestArchive::new();
    temp(&archive, 0, b"12345");
    temp(&archive, 2000, b"garbage of some length");
    temp(&archive, 4000, b"");
    let before = files(&archive);
    let results = recover(archive.path(), &lines).unwrap();
    let reasons: Vec<_> = results
        .iter()
        .map(|result| match &result.outcome {
            Outcome::Quarantined { reason, .. } => reason.as_str(),
            Outcome::RemovedEmpty => "empty",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        reasons,
        ["there is not one whole frame in it", "no line", "empty"]
    );
    let aside: Vec<_> = before[..2]
        .iter()
        .map(|name| format!("{QUARANTINE_PREFIX}{name}"))
        .collect();
    assert_eq!(files(&archive), aside);
    let folder = archive.path().join("s/v/2026-11-20T10");
    assert_eq!(
        fs::read(folder.join(&aside[0])).unwrap(),
        b"12345",
        "untouched"
    );
    assert!(recover(archive.path(), &lines).unwrap().is_empty());
    let seen = Archive::open(archive.path()).unwrap();
    assert!(seen.segments("s", "v", TEN).unwrap().is_empty());
    assert!(seen.strays("s", "v", TEN).unwrap().is_empty());
}

#[test]
fn a_file_that_is_being_written_is_left_alone() {
    let archive = TestArchive::new();
    let mut file = SegmentFile::create(archive.path(), "s", "v", TEN, 1, Container::Ts).unwrap();
    assert!(
        recover(archive.path(), &lines).unwrap().is_empty(),
        "even while it is empty"
    );
    file.append(&mut [IoSlice::new(b"12345")]).unwrap();
    assert!(recover(archive.path(), &lines).unwrap().is_empty());
    file.append(&mut [IoSlice::new(b"6789\n")]).unwrap();
    let finished = file.finish(100 * MS, Kind::Full, false).unwrap();
    assert!(recover(archive.path(), &lines).unwrap().is_empty());
    assert_eq!(fs::read(finished.path).unwrap(), b"123456789\n");
}

#[test]
fn a_disk_that_cannot_be_read_puts_nothing_aside() {
    let archive = TestArchive::new();
    let path = temp(&archive, 0, b"123456789\n");
    let results = recover(archive.path(), &|_, _| Err(io::Error::other("bad sector"))).unwrap();
    let [
        Recovered {
            outcome: Outcome::Failed(error),
            ..
        },
    ] = results.as_slice()
    else {
        panic!("{results:?}")
    };
    assert!(error.to_string().contains("bad sector") && error.to_string().contains("00:00"));
    assert!(path.exists());
    assert_eq!(
        recover(archive.path(), &lines).unwrap().len(),
        1,
        "and it is tried again"
    );
    let gone = recover(&archive.path().join("gone"), &lines).unwrap_err();
    assert!(gone.to_string().contains("gone"));
}

#[test]
fn a_recovery_that_was_interrupted_after_any_step_is_completed_by_the_next() {
    let archive = TestArchive::new();
    temp(&archive, 0, b"123456789\n1234");
    // Interrupted while measuring, by a panic, as good as by a signal.
    let interrupted =
        std::panic::catch_unwind(|| recover(archive.path(), &|_, _| panic!("power cut")));
    assert!(interrupted.is_err());
    // Interrupted after cutting back.
    let cut = archive
        .path()
        .join("s/v/2026-11-20T10")
        .join(&files(&archive)[0]);
    File::options()
        .write(true)
        .open(&cut)
        .unwrap()
        .set_len(10)
        .unwrap();
    let results = recover(archive.path(), &lines).unwrap();
    assert!(matches!(
        results[0].outcome,
        Outcome::Partial {
            bytes: 10,
            cut_bytes: 0,
            ..
        }
    ));
    // Interrupted between making the segment and removing the file, where renaming is two steps.
    let name = files(&archive)[0].clone();
    let folder = archive.path().join("s/v/2026-11-20T10");
    fs::copy(folder.join(&name), &cut).unwrap();
    let results = recover(archive.path(), &lines).unwrap();
    assert!(matches!(results[0].outcome, Outcome::Partial { .. }));
    assert_eq!(files(&archive), [name]);
}

#[test]
fn of_two_recoveries_at_once_each_file_is_recovered_by_one() {
    let archive = TestArchive::new();
    for number in 0..200 {
        let content = format!("{number:9}\n").repeat(5);
        temp(&archive, number * 2000, content.as_bytes());
    }
    let barrier = Barrier::new(2);
    let run = || {
        barrier.wait();
        recover(archive.path(), &lines).unwrap()
    };
    let (one, two) = std::thread::scope(|scope| {
        let other = scope.spawn(run);
        (run(), other.join().unwrap())
    });
    assert_eq!(one.len() + two.len(), 200);
    let all_partial = one.iter().chain(&two).all(|result| {
        matches!(
            result.outcome,
            Outcome::Partial {
                bytes: 50,
                cut_bytes: 0,
                ..
            }
        )
    });
    assert!(all_partial);
    assert_eq!(files(&archive).len(), 200);
}

#[test]
fn writers_sweeps_and_recoveries_side_by_side_lose_nothing() {
    let archive = TestArchive::new();
    let (rounds, done) = (150, std::sync::atomic::AtomicBool::new(false));
    let is_done = || done.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        let recovering = scope.spawn(|| {
            let mut results = Vec::new();
            while !is_done() {
                results.extend(recover(archive.path(), &lines).unwrap());
            }
            results
        });
        let sweeping = scope.spawn(|| {
            let policy = super::super::Policy {
                age_ns: Some(i64::MAX),
                ..Default::default()
            };
            while !is_done() {
                // Removes empty folders of this hour as soon as it sees them.
                let now = TEN + 1000 * HOUR_NS;
                let report = super::super::sweep(archive.path(), &policy, now, &|| Ok(0.into()));
                assert_eq!(report.deleted_bytes, 0);
            }
        });
        let written = Cell::new(0);
        for number in 0..rounds {
            let start = TEN + number * HOUR_NS;
            let mut file =
                SegmentFile::create(archive.path(), "s", "v", start, 1, Container::Ts).unwrap();
            file.append(&mut [IoSlice::new(b"123456789\n")]).unwrap();
            let path = file.path().to_owned();
            let finished = file.finish(100 * MS, Kind::Full, false).unwrap();
            assert!(finished.path.is_file() && !path.exists());
            written.set(written.get() + 1);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        sweeping.join().unwrap();
        let taken = recovering.join().unwrap();
        assert!(
            taken
                .iter()
                .all(|result| matches!(result.outcome, Outcome::RemovedEmpty)),
            "{taken:?}"
        );
        assert_eq!(written.get(), rounds);
    });
    assert_eq!(files(&archive).len(), rounds as usize);
}
