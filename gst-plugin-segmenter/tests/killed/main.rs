// SPDX-License-Identifier: MPL-2.0
//! `kill -9` at any moment costs at most the chunk that was being gathered.
//!
//! The program runs itself once more as a process that records a live camera and tells, through a
//! pipe and unbuffered, of every frame before it enters the sink. It is killed at a random moment;
//! then the archive is recovered and compared with what was told.

mod recorder;

// Each program of tests uses a part of what they share.
#[allow(dead_code)]
#[path = "../archivesink/support/readback.rs"]
mod readback;

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gstsegmenter::archive::{self, Kind, Outcome};
use gstsegmenter::media;
use gstsegmenter::utc::{SECOND_NS, UtcNs};
use libtest_mimic::{Arguments, Failed, Trial};

use recorder::{Received, Track};

/// How many processes are killed.
const KILLS: u64 = 20;
/// How many of them record at the same time.
const AT_ONCE: usize = 10;
/// The most that may be lost: what the sink gathers before it writes.
const CHUNK_NS: i64 = 200_000_000;
/// What a busy machine adds before a thread gets its turn.
const SLACK_NS: i64 = 150_000_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(recorder::ARGUMENT) {
        return recorder::record(&arguments.collect::<Vec<_>>());
    }
    let trials = [
        (
            "a_killed_recording_in_mp4_loses_no_more_than_a_chunk",
            "mp4",
        ),
        (
            "a_killed_recording_in_mpegts_loses_no_more_than_a_chunk",
            "mpegts",
        ),
    ];
    let trials = trials.map(|(name, container)| Trial::test(name, || kill_many(container)));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit();
}

/// Kills recorders, several at a time, and looks at what each left.
fn kill_many(container: &'static str) -> Result<(), Failed> {
    let seeds: Vec<u64> = (0..KILLS).collect();
    let mut worst_ns = 0;
    for batch in seeds.chunks(AT_ONCE) {
        let victims = batch.iter().map(|seed| Victim::start(container, *seed));
        let victims = victims.collect::<io::Result<Vec<_>>>()?;
        let threads: Vec<_> = victims
            .into_iter()
            .map(|victim| std::thread::spawn(move || victim.kill()))
            .collect();
        let corpses: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread panicked")?)
            .collect::<Result<_, Failed>>()?;
        for corpse in corpses {
            worst_ns = worst_ns.max(corpse.examine()?);
        }
    }
    println!("{container}: at most {} ms lost", worst_ns / 1_000_000);
    Ok(())
}

/// A process that records.
struct Victim {
    root: tempfile::TempDir,
    process: Child,
    seed: u64,
}

/// What is left of it.
struct Corpse {
    root: tempfile::TempDir,
    seed: u64,
    killed_at: UtcNs,
    received: Vec<Received>,
}

impl Victim {
    fn start(container: &str, seed: u64) -> io::Result<Self> {
        let root = tempfile::tempdir()?;
        let process = Command::new(std::env::current_exe()?)
            .arg(recorder::ARGUMENT)
            .arg(root.path())
            .arg(container)
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self {
            root,
            process,
            seed,
        })
    }

    /// Waits for the first frame and a random time after it, and kills.
    fn kill(mut self) -> Result<Corpse, Failed> {
        let mut pipe = self.process.stdout.take().ok_or("no pipe")?;
        let mut bytes = vec![0; Received::BYTES];
        pipe.read_exact(&mut bytes)?;
        let rest = std::thread::spawn(move || {
            let mut rest = Vec::new();
            pipe.read_to_end(&mut rest).map(|_| rest)
        });
        let wait_ms = fastrand::Rng::with_seed(self.seed).u64(300..6_000);
        std::thread::sleep(Duration::from_millis(wait_ms));
        let killed_at = UtcNs::now();
        self.process.kill()?;
        self.process.wait()?;
        bytes.extend(rest.join().map_err(|_| "the reader panicked")??);
        let received = bytes.chunks_exact(Received::BYTES).map(Received::decode);
        Ok(Corpse {
            root: self.root,
            seed: self.seed,
            killed_at,
            received: received.collect(),
        })
    }
}

impl Corpse {
    /// Recovers the archive and compares; returns how long before the kill the first picture
    /// came that is lost.
    fn examine(&self) -> Result<i64, Failed> {
        self.recover()?;
        let segments = readback::segments(self.root.path());
        for segment in &segments {
            let complaints = readback::complaints(&segment.path);
            if !complaints.is_empty() {
                return Err(self.failed(&format!("{}: {complaints}", segment.path.display())));
            }
        }
        let there = readback::video(&segments);
        let lost_ns = self.lost_ns(&there)?;
        if lost_ns > CHUNK_NS + SLACK_NS {
            return Err(self.failed(&format!("{} ms of pictures are lost", lost_ns / 1_000_000)));
        }
        self.assert_covered(&there)?;
        Ok(lost_ns)
    }

    fn recover(&self) -> Result<(), Failed> {
        let measure = |file: &std::fs::File, container| {
            let measured = media::measure(file, container == archive::Container::Ts)?;
            Ok(archive::Measured {
                whole_bytes: measured.whole_bytes,
                duration_ns: measured.duration_ns,
                start: measured.start,
            })
        };
        for recovered in archive::recover(self.root.path(), &measure)? {
            let is_partial = matches!(
                &recovered.outcome,
                Outcome::Partial { name, .. } if name.kind == Kind::Partial
            );
            // A file that was just made may be empty, or hold no whole chunk.
            let is_new = std::fs::metadata(&recovered.from).is_err();
            if !is_partial && !is_new {
                return Err(self.failed(&format!("{recovered:?}")));
            }
        }
        Ok(())
    }

    /// How long before the kill the first picture was received that is not in the archive.
    fn lost_ns(&self, there: &[UtcNs]) -> Result<i64, Failed> {
        let pictures = self.received.iter().filter(|got| got.track == Track::Video);
        let pictures: Vec<_> = pictures.collect();
        let (Some(first), Some(first_there)) = (pictures.first(), there.first()) else {
            // Nothing may be there yet, if it was killed that early.
            return Ok(pictures
                .first()
                .map_or(0, |first| self.killed_at - first.at));
        };
        let offset_ns = first_there.0 - first.pts_ns;
        let is_there = |picture: &&&Received| {
            let utc = UtcNs(picture.pts_ns + offset_ns);
            let after = there.partition_point(|one| *one < utc - 10_000_000);
            there
                .get(after)
                .is_some_and(|one| (*one - utc).abs() < 10_000_000)
        };
        let lost = pictures.iter().find(|picture| !is_there(picture));
        if there.len() > pictures.len() {
            return Err(self.failed("there are more pictures than were received"));
        }
        Ok(lost.map_or(0, |lost| self.killed_at - lost.at))
    }

    fn assert_covered(&self, there: &[UtcNs]) -> Result<(), Failed> {
        let (Some(first), Some(last)) = (there.first(), there.last()) else {
            return Ok(());
        };
        let coverage = readback::coverage(self.root.path(), *first, *last);
        if !coverage.holes.is_empty() {
            return Err(self.failed(&format!("holes: {:?}", coverage.holes)));
        }
        let grown_ns = *last - *first;
        let until_kill_ns = self.killed_at - *first;
        if until_kill_ns > 2 * SECOND_NS && grown_ns < SECOND_NS {
            return Err(self.failed("next to nothing was recorded"));
        }
        Ok(())
    }

    fn failed(&self, what: &str) -> Failed {
        format!(
            "kill number {}: {what}\n{}",
            self.seed,
            listing(self.root.path())
        )
        .into()
    }
}

/// The files of an archive, for a message.
fn listing(root: &Path) -> String {
    let output = Command::new("find").arg(root).args(["-type", "f"]).output();
    output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
}
