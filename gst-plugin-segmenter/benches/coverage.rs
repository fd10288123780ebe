// SPDX-License-Identifier: MPL-2.0
//! How long coverage of 10 s and of 24 h takes in an archive of a month of two-second segments.
//!
//! The segments are empty files: coverage looks at names alone. `COVERAGE_BENCH_HOURS` makes the
//! archive smaller than 720 hours (1 296 000 files), to try it.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use gstsegmenter::archive::{Archive, Container, Id, Kind, SegmentName};
use gstsegmenter::utc::{HOUR_NS, SECOND_NS, UtcNs};

const SEGMENT_NS: i64 = 2 * SECOND_NS;
/// 2026-10-01T00:00:00Z.
const FIRST: UtcNs = UtcNs(1_790_812_800 * SECOND_NS);

fn main() {
    let hours = std::env::var("COVERAGE_BENCH_HOURS").map_or(720, |hours| {
        hours.parse().expect("COVERAGE_BENCH_HOURS is not a number")
    });
    let root = tempfile::tempdir().expect("no folder for the archive");
    let started = Instant::now();
    let files = make_archive(root.path(), hours);
    println!(
        "{files} files in {hours} hours, made in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    // Folders that changed a moment ago are not cached.
    std::thread::sleep(Duration::from_millis(2500));
    run(root.path(), hours);
}

fn make_archive(root: &Path, hours: i64) -> u64 {
    let mut files = 0;
    for hour in 0..hours {
        let hour = FIRST + hour * HOUR_NS;
        let mut folder = None;
        for number in 0..HOUR_NS / SEGMENT_NS {
            let name = segment(hour + number * SEGMENT_NS);
            let folder = folder.get_or_insert_with(|| {
                let folder = root.join("door/source").join(name.hour_folder());
                fs::create_dir_all(&folder).expect("cannot make a folder");
                folder
            });
            File::create(folder.join(name.to_string())).expect("cannot make a file");
            files += 1;
        }
    }
    files
}

fn segment(start: UtcNs) -> SegmentName {
    // Spread like a real hash, so that names sort and compare as real ones do.
    let mut hash = [0; 32];
    let mut state = start.0 as u64;
    for byte in &mut hash {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        *byte = (state >> 56) as u8;
    }
    SegmentName {
        start,
        duration_ns: SEGMENT_NS,
        kind: Kind::Full,
        id: Id::Hash(hash),
        container: Container::Mp4,
    }
}

fn run(root: &Path, hours: i64) {
    let archive = Archive::open(root).expect("no archive");
    let end = FIRST + hours * HOUR_NS;
    let day_ns = (24 * HOUR_NS).min(hours * HOUR_NS);
    let spread = |number: i64| {
        let span_ns = hours * HOUR_NS - 10 * SECOND_NS;
        FIRST + (number.wrapping_mul(7_919 * HOUR_NS + 977 * SECOND_NS)).rem_euclid(span_ns)
    };
    let ten = |from: UtcNs| check(&archive, from, 10 * SECOND_NS);
    println!(
        "\n                                wall ms                CPU ms      folders     RSS MiB"
    );
    println!("coverage of          median      p95      max      per call     read     now   peak");
    let mut table = Table { archive: &archive };
    table.row("10 s, first query", 1, |_| ten(end - HOUR_NS));
    table.row("10 s, warm", 2000, |_| ten(end - HOUR_NS));
    table.row("24 h, first query", 1, |_| {
        check(&archive, end - day_ns, day_ns)
    });
    table.row("24 h, warm", 200, |_| check(&archive, end - day_ns, day_ns));
    table.row("all, first query", 1, |_| {
        check(&archive, FIRST, hours * HOUR_NS)
    });
    table.row("10 s, anywhere", 2000, |number| ten(spread(number)));
    let live = root
        .join("door/source")
        .join(segment(end - 1).hour_folder());
    table.row("10 s, live hour", 500, |_| {
        // As a writer does every two seconds.
        let touched = live.join(".touched");
        File::create(&touched).expect("cannot make a file");
        fs::remove_file(&touched).expect("cannot remove it");
        ten(end - 20 * SECOND_NS);
    });
}

fn check(archive: &Archive, from: UtcNs, length_ns: i64) {
    let coverage = archive
        .coverage("door", "source", from, from + length_ns)
        .expect("no coverage");
    assert_eq!((coverage.covered_ns, coverage.holes.len()), (length_ns, 0));
}

struct Table<'a> {
    archive: &'a Archive,
}

impl Table<'_> {
    fn row(&mut self, name: &str, calls: usize, mut call: impl FnMut(i64)) {
        let (cpu_before_ns, reads_before) = (cpu_ns(), self.archive.folders_read());
        let mut wall: Vec<Duration> = (0..calls)
            .map(|number| {
                let started = Instant::now();
                call(number as i64);
                started.elapsed()
            })
            .collect();
        let cpu_ms = (cpu_ns() - cpu_before_ns) as f64 / 1e6 / calls as f64;
        wall.sort_unstable();
        let at = |part: usize| {
            let index = (calls * part / 100).min(calls - 1);
            wall[index].as_secs_f64() * 1e3
        };
        println!(
            "{name:18} {:8.3} {:8.3} {:8.3}      {cpu_ms:8.3} {:8}  {:6.1} {:6.1}",
            at(50),
            at(95),
            at(100),
            self.archive.folders_read() - reads_before,
            status_mib("VmRSS:"),
            status_mib("VmHWM:"),
        );
    }
}

/// What this thread, which is all there is, has run.
fn cpu_ns() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = stat.split_whitespace().next();
    first.and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

fn status_mib(key: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
