// SPDX-License-Identifier: MPL-2.0
//! Keeps the archive in order beside the recording: recovery first, then retention.
//!
//! On a thread of its own, because walking and deleting a million files takes its time and the
//! supervisor's loop must not wait for a disk. Workers start only after the first recovery, so its
//! log tells what the last run left; recovery is safe beside living writers too, and runs again
//! when a worker has died without closing its files.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use gstsegmenter::archive::{
    Container, Measured, Outcome, Policy, Recovered, Report, Retention, free, recover,
};
use gstsegmenter::media;
use gstsegmenter::utc::UtcNs;

use super::Wake;
use crate::config::Archive;

/// How often retention looks.
const INTERVAL: Duration = Duration::from_secs(10);
/// What a sweep makes free when the disk is full, where retention names no more than this; on a
/// small disk a tenth of it.
const ROOM_BYTES: u64 = 64 << 20;
/// How many inodes are kept free where `min_free` is, or the disk was full once; on a file system
/// with few a tenth of them.
const ROOM_FILES: u64 = 1_000;

/// The thread's handle; dropping it ends the thread after what it is doing.
pub struct Housekeeper(Option<Sender<Task>>);

/// What may be wanted before the next interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// A disk is full.
    MakeRoom,
    /// A worker has died, or a disk was full: there may be files that nobody will close.
    Recover,
}

impl Housekeeper {
    /// Starts the thread, which says [`Wake::Recovered`] once pipelines may start.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub fn start(archive: Option<&Archive>, wake: Sender<Wake>) -> io::Result<Self> {
        let Some(archive) = archive.cloned() else {
            let _ = wake.send(Wake::Recovered);
            return Ok(Self(None));
        };
        let (ask, tasks) = mpsc::channel();
        thread::Builder::new()
            .name("housekeeping".to_owned())
            .spawn(move || {
                recovery(&archive.root);
                let _ = wake.send(Wake::Recovered);
                Keeper::new(&archive, wake).keep(&tasks);
            })?;
        Ok(Self(Some(ask)))
    }

    /// Deletes at once what retention allows: a disk is full.
    pub fn make_room(&self) {
        self.ask(Task::MakeRoom);
    }

    /// Recovers files that were left unclosed.
    pub fn recover(&self) {
        self.ask(Task::Recover);
    }

    fn ask(&self, task: Task) {
        if let Some(ask) = &self.0 {
            let _ = ask.send(task);
        }
    }
}

struct Keeper<'a> {
    archive: &'a Archive,
    wake: Sender<Wake>,
    retention: Retention,
    /// The disk was full once: from then on so much is kept free, lest it fill again.
    room_bytes: u64,
    /// How many inodes the file system is to keep free.
    room_files: u64,
    /// What the last sweep that deleted nothing complained about: said once, not every time.
    complaint: String,
}

impl<'a> Keeper<'a> {
    fn new(archive: &'a Archive, wake: Sender<Wake>) -> Self {
        Self {
            archive,
            wake,
            retention: Retention::new(&archive.root),
            room_bytes: 0,
            room_files: room_files(&archive.root),
            complaint: String::new(),
        }
    }

    fn keep(&mut self, tasks: &Receiver<Task>) {
        let mut next = Instant::now();
        loop {
            if Instant::now() >= next {
                self.sweep();
                next = Instant::now() + INTERVAL;
            }
            match tasks.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(first) => {
                    let asked: Vec<Task> = std::iter::once(first).chain(tasks.try_iter()).collect();
                    if asked.contains(&Task::MakeRoom) {
                        self.room_bytes = room_bytes(&self.archive.root);
                        self.room_files = room_files(&self.archive.root);
                        self.sweep();
                    }
                    if asked.contains(&Task::Recover) {
                        for (path, bytes) in recovery(&self.archive.root) {
                            let _ = self.wake.send(Wake::Closed { path, bytes });
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn sweep(&mut self) {
        let policy = policy(self.archive, self.room_bytes, self.room_files);
        if policy == Policy::default() {
            return;
        }
        let root = &self.archive.root;
        let report = self.retention.sweep(&policy, UtcNs::now(), &|| free(root));
        self.log(&report);
    }

    /// One line per batch of deletions, and one for each new complaint.
    fn log(&mut self, report: &Report) {
        if report.is_quiet() {
            self.complaint.clear();
            return;
        }
        let lacks = report.lacking_bytes > 0 || report.lacking_files > 0;
        let complains = lacks || !report.errors.is_empty();
        if report.deleted_starts.is_some() && !complains {
            tracing::info!("{report}");
            return;
        }
        // Bytes differ from time to time; what is said about them is the same complaint.
        let text = report.to_string();
        let complaint: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        if report.deleted_starts.is_some() || complaint != self.complaint {
            tracing::warn!("{text}");
        }
        self.complaint = complaint;
    }
}

/// How much to make free on the full disk at `root`.
fn room_bytes(root: &Path) -> u64 {
    let tenth = |stat: rustix::fs::StatVfs| stat.f_blocks.saturating_mul(stat.f_frsize) / 10;
    rustix::fs::statvfs(root).map_or(ROOM_BYTES, |stat| tenth(stat).min(ROOM_BYTES))
}

/// How many inodes to keep free on the file system at `root`.
fn room_files(root: &Path) -> u64 {
    rustix::fs::statvfs(root).map_or(0, |stat| (stat.f_files / 10).min(ROOM_FILES))
}

/// What may stay. Where the disk was full there has to be some room (else `room_bytes` is 0), for
/// which an archive that rolls gives up its oldest, and one that keeps everything nothing.
fn policy(archive: &Archive, room_bytes: u64, room_files: u64) -> Policy {
    let retention = archive.retention;
    let rolls = retention.bytes.is_some() || retention.min_free.is_some();
    let min_free = match retention.min_free {
        min_free if rolls && room_bytes > 0 => Some(min_free.unwrap_or(0).max(room_bytes)),
        min_free => min_free,
    };
    Policy {
        age_ns: retention
            .age
            .map(|age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)),
        bytes: retention.bytes,
        min_free_bytes: min_free,
        // Without inodes there is no room either.
        min_free_files: min_free.map(|_| room_files),
    }
}

/// Puts in order what a crash left, with one line for each file; returns the segments that came of
/// it, with their bytes.
fn recovery(root: &Path) -> Vec<(PathBuf, u64)> {
    let files = match recover(root, &measure) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::error!("the archive cannot be recovered: {error}");
            Vec::new()
        }
    };
    files.iter().for_each(log_recovered);
    let segment = |file: Recovered| match file.outcome {
        Outcome::Partial { path, bytes, .. } => Some((path, bytes)),
        _ => None,
    };
    files.into_iter().filter_map(segment).collect()
}

fn measure(file: &File, container: Container) -> io::Result<Measured> {
    let measured = media::measure(file, container == Container::Ts)?;
    Ok(Measured {
        whole_bytes: measured.whole_bytes,
        duration_ns: measured.duration_ns,
        start: measured.start,
    })
}

fn log_recovered(file: &Recovered) {
    let from = file.from.display();
    match &file.outcome {
        Outcome::Partial {
            path, cut_bytes, ..
        } => tracing::info!("recovered {}: {cut_bytes} bytes cut off", path.display()),
        Outcome::Quarantined { path, reason } => {
            tracing::warn!("{from} is put aside as {}: {reason}", path.display());
        }
        Outcome::RemovedEmpty => tracing::debug!("{from} was empty, and is gone"),
        Outcome::Failed(error) => tracing::error!("cannot recover {from}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn archive(retention: config::Retention) -> Archive {
        Archive {
            root: "archive".into(),
            require_mount: false,
            retention,
        }
    }

    #[test]
    fn a_full_disk_costs_a_rolling_archive_its_oldest_and_a_kept_one_nothing() {
        let rolling = archive(config::Retention {
            bytes: Some(1 << 40),
            ..Default::default()
        });
        assert_eq!(policy(&rolling, 0, 0).min_free_bytes, None);
        assert_eq!(
            policy(&rolling, ROOM_BYTES, 0).min_free_bytes,
            Some(ROOM_BYTES)
        );
        let roomy = archive(config::Retention {
            min_free: Some(1 << 30),
            ..Default::default()
        });
        assert_eq!(policy(&roomy, ROOM_BYTES, 7).min_free_bytes, Some(1 << 30));
        assert_eq!(policy(&roomy, 0, 7).min_free_files, Some(7));
        let kept = archive(config::Retention {
            age: Some(Duration::MAX),
            ..Default::default()
        });
        assert_eq!(policy(&kept, ROOM_BYTES, 7).min_free_bytes, None);
        assert_eq!(policy(&kept, ROOM_BYTES, 7).age_ns, Some(i64::MAX));
        assert_eq!(policy(&kept, ROOM_BYTES, 7).min_free_files, None);
    }
}
