// SPDX-License-Identifier: MPL-2.0
//! What a cut costs inside a server, where the process runs and the frames were indexed before.
//!
//! `cargo bench --bench cut -- ARCHIVE STREAM TYPE START END` cuts the range once, with nothing
//! remembered, then again and again, and writes one of these into a pipe that another process
//! reads to its end. It prints what that took, as one object of JSON; `tests/bench/cut.py` puts it
//! beside what the command line and other tools take.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gstsegmenter::archive::Archive;
use gstsegmenter::cut::{FrameCache, Gaps, Options, Request, compose};
use gstsegmenter::media::VirtualMp4;
use gstsegmenter::utc::UtcNs;

/// As a server sends a body.
const STEP_BYTES: u64 = 8 << 20;
/// However fast it is, no more often than this, and no longer than that.
const MOST_TIMES: usize = 50;
const LONGEST: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` adds one of its own.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let [archive, stream, kind, start, end] = &*arguments else {
        println!("cut: no ARCHIVE STREAM TYPE START END is given, nothing is measured");
        return Ok(());
    };
    let request = Request {
        stream: stream.clone(),
        variant: "source".to_owned(),
        ranges: vec![(UtcNs::parse(start)?, UtcNs::parse(end)?)],
        kind: kind.parse()?,
        allow_holes: false,
        gaps: Gaps::Close,
    };
    measure(&Archive::open(archive)?, &request)
}

fn measure(archive: &Archive, request: &Request) -> Result<(), Box<dyn Error>> {
    let cache = FrameCache::default();
    let rss_before = status_mib("VmRSS:");
    let first = Turn::of(archive, &cache, request)?;
    let begun = Instant::now();
    let mut warm = Vec::new();
    while warm.len() < MOST_TIMES && (warm.is_empty() || begun.elapsed() < LONGEST) {
        let mut turn = Turn::of(archive, &cache, request)?;
        warm.push((turn.first_byte, turn.first_byte_cpu_ns));
        turn.end()?;
    }
    warm.sort_unstable();
    let cpu_ns = |(_, cpu_ns): &(Duration, u64)| *cpu_ns;
    let least_cpu_ns = warm.iter().map(cpu_ns).min().unwrap_or_default();
    let wall_ms = |at: usize| warm.get(at).map(|(wall, _)| wall.as_secs_f64() * 1e3);
    let mut turn = first;
    let cpu_before_ns = thread_cpu_ns();
    turn.write_rest()?;
    let writing_cpu_ns = thread_cpu_ns() - cpu_before_ns;
    let bytes = turn.file.bytes();
    turn.end()?;
    let found = serde_json::json!({
        "bytes": bytes,
        "cold_first_byte_ms": turn.first_byte.as_secs_f64() * 1e3,
        "cold_first_byte_cpu_ms": turn.first_byte_cpu_ns as f64 / 1e6,
        "warm_turns": warm.len(),
        "warm_first_byte_ms": wall_ms(0),
        "warm_first_byte_median_ms": wall_ms(warm.len() / 2),
        "warm_first_byte_cpu_ms": least_cpu_ns as f64 / 1e6,
        "writing_cpu_s": writing_cpu_ns as f64 / 1e9,
        "rss_before_mib": rss_before,
        "rss_mib": status_mib("VmRSS:"),
        "rss_peak_mib": status_mib("VmHWM:"),
    });
    println!("{found}");
    Ok(())
}

/// One cut, of which the first bytes have been written to a reader.
struct Turn {
    file: VirtualMp4,
    reader: Child,
    first_byte: Duration,
    first_byte_cpu_ns: u64,
    written: u64,
}

impl Turn {
    fn of(
        archive: &Archive,
        cache: &FrameCache,
        request: &Request,
    ) -> Result<Self, Box<dyn Error>> {
        let mut cat = Command::new("cat");
        let mut reader = cat.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let (begun, cpu_before_ns) = (Instant::now(), thread_cpu_ns());
        let cut = compose(archive, cache, request, &Options::default())?;
        let created: UtcNs = cut.summary.start;
        let file = VirtualMp4::new(cut.assembly, created)?;
        let written = file.bytes().min(4 << 10);
        if let Some(pipe) = &mut reader.stdin {
            file.copy_to(0, written, pipe)?;
        }
        Ok(Self {
            file,
            reader,
            first_byte: begun.elapsed(),
            first_byte_cpu_ns: thread_cpu_ns() - cpu_before_ns,
            written,
        })
    }

    fn write_rest(&mut self) -> Result<(), Box<dyn Error>> {
        let Some(pipe) = &mut self.reader.stdin else {
            return Err("the reader has no pipe".into());
        };
        while self.written < self.file.bytes() {
            let to = (self.written + STEP_BYTES).min(self.file.bytes());
            self.file.copy_to(self.written, to, pipe)?;
            self.written = to;
        }
        Ok(pipe.flush()?)
    }

    fn end(&mut self) -> Result<(), Box<dyn Error>> {
        drop(self.reader.stdin.take());
        self.reader.wait()?;
        Ok(())
    }
}

/// What this thread has run, which does all but the encoding.
fn thread_cpu_ns() -> u64 {
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
