// SPDX-License-Identifier: MPL-2.0
//! Retention: what is too old, or too much, goes; the oldest first, over all streams.
//!
//! What a file takes is the larger of its length and its blocks. Blocks are what a disk really
//! loses (a second of telephone audio takes a whole block), but some file systems report them late
//! or compressed, and a limit that is reached a little early is better than a full disk.
//!
//! Free space is asked once per sweep, and the sweep deletes what that lacked by its own reckoning:
//! file systems give room back when they like, and asking again after each file would delete far too
//! much. The next sweep sees what it came to.
//!
//! A segment was recorded when its name says or when it was last written, whichever is later: a
//! camera that believes it is 1970 must not have its segments deleted as they come. One from the
//! future (a clock was wrong) is not old, and the last to go when room is needed.
//!
//! A file system that runs out of inodes is as full as one that runs out of bytes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::file::open_abandoned;
use super::listing::{Stamp, about, is_absent, scan};
use super::name::{Kind, SegmentName, TOMBSTONE_EXTENSION};
use super::recovery::QUARANTINE_PREFIX;
use super::walk::{HourFolder, hour_folders};
use crate::utc::{HOUR_NS, SECOND_NS, UtcNs};

/// How old a folder's stamp must be for its total to be kept; see [`super::cache`].
const SETTLED_NS: i128 = 2 * SECOND_NS as i128;

/// What may stay. Without any limit everything does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What ended longer ago goes.
    pub age_ns: Option<i64>,
    /// What all segments together may take, those included that are being written.
    pub bytes: Option<u64>,
    /// What has to be free on the file system.
    pub min_free_bytes: Option<u64>,
    /// How many files the file system must still take (its free inodes).
    pub min_free_files: Option<u64>,
}

/// What a sweep did. Its text is one line for a log.
#[derive(Debug, Default)]
pub struct Report {
    /// Files that were deleted for their age.
    pub aged_files: u64,
    /// Files that were deleted for room.
    pub evicted_files: u64,
    /// What all those took.
    pub deleted_bytes: u64,
    /// The earliest and the latest start of a deleted segment.
    pub deleted_starts: Option<(UtcNs, UtcNs)>,
    /// Hour folders that were left empty, and removed.
    pub removed_folders: u64,
    /// What is left, if there is a limit of bytes.
    pub kept_bytes: Option<u64>,
    /// How much more should have been deleted, but there was nothing that might be.
    pub lacking_bytes: u64,
    /// How many more files should have been deleted, likewise.
    pub lacking_files: u64,
    /// What went wrong, at most once per folder. Everything else was done all the same.
    pub errors: Vec<io::Error>,
}

impl Report {
    /// Whether there is nothing worth a line.
    pub fn is_quiet(&self) -> bool {
        let lacks = self.lacking_bytes > 0 || self.lacking_files > 0;
        self.deleted_starts.is_none() && !lacks && self.errors.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.aged_files + self.evicted_files;
        write!(f, "retention: {files} files deleted")?;
        if let Some((first, last)) = self.deleted_starts {
            let (aged, evicted) = (self.aged_files, self.evicted_files);
            write!(f, " ({aged} for age, {evicted} for room)")?;
            write!(f, ", {} bytes, {first} to {last}", self.deleted_bytes)?;
        }
        if let Some(kept) = self.kept_bytes {
            write!(f, "; {kept} bytes kept")?;
        }
        if self.lacking_bytes > 0 {
            let lacking = self.lacking_bytes;
            write!(
                f,
                "; {lacking} bytes too few, but nothing else may be deleted"
            )?;
        }
        if self.lacking_files > 0 {
            let lacking = self.lacking_files;
            write!(
                f,
                "; {lacking} inodes (files) too few, but nothing else may be deleted"
            )?;
        }
        if let [first, rest @ ..] = self.errors.as_slice() {
            write!(f, "; {first}")?;
            if !rest.is_empty() {
                write!(f, " (and {} more errors)", rest.len())?;
            }
        }
        Ok(())
    }
}

/// What is free on a file system, for whoever is not root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// Bytes.
    pub bytes: u64,
    /// Files that can still be made; without end where the file system sets no limit.
    pub files: u64,
}

impl From<u64> for Free {
    fn from(bytes: u64) -> Self {
        let files = u64::MAX;
        Self { bytes, files }
    }
}

/// What is free at `path`.
///
/// # Errors
/// What the file system says.
pub fn free(path: &Path) -> io::Result<Free> {
    let stat = rustix::fs::statvfs(path).map_err(|error| about(path, error.into()))?;
    // Where inodes are made as they are needed (btrfs), there are said to be none at all.
    let files = if stat.f_files == 0 {
        u64::MAX
    } else {
        stat.f_favail
    };
    let bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    Ok(Free { bytes, files })
}

/// One sweep, without memory of another. `free` says what is free now: [`free`].
pub fn sweep(
    root: &Path,
    policy: &Policy,
    now: UtcNs,
    free: &dyn Fn() -> io::Result<Free>,
) -> Report {
    Retention::new(root).sweep(policy, now, free)
}

/// Sweeps an archive again and again, remembering what settled folders take.
#[derive(Debug)]
pub struct Retention {
    root: PathBuf,
    totals: HashMap<PathBuf, (Stamp, u64)>,
}

impl Retention {
    /// For the archive at `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            totals: HashMap::new(),
        }
    }

    /// Deletes what `policy` does not let stay. Nothing that a writer holds is deleted.
    pub fn sweep(
        &mut self,
        policy: &Policy,
        now: UtcNs,
        free: &dyn Fn() -> io::Result<Free>,
    ) -> Report {
        let mut sweep = Sweep {
            now,
            report: Report::default(),
        };
        if !self.root.exists() {
            return sweep.report;
        }
        let mut folders = hour_folders(&self.root, &mut sweep.report.errors);
        if let Some(age_ns) = policy.age_ns {
            sweep.delete_older(&folders, now - age_ns);
            folders.retain(|folder| folder.path.is_dir());
        }
        let mut lacking_bytes = 0;
        if let Some(limit_bytes) = policy.bytes {
            let total_bytes = self.total(&folders, &mut sweep);
            sweep.report.kept_bytes = Some(total_bytes);
            lacking_bytes = total_bytes.saturating_sub(limit_bytes);
        }
        let mut lacking_files = 0;
        if policy.min_free_bytes.is_some() || policy.min_free_files.is_some() {
            match free() {
                Ok(free) => {
                    let bytes = policy.min_free_bytes.unwrap_or(0);
                    lacking_bytes = lacking_bytes.max(bytes.saturating_sub(free.bytes));
                    let files = policy.min_free_files.unwrap_or(0);
                    lacking_files = files.saturating_sub(free.files);
                }
                Err(error) => sweep.report.errors.push(error),
            }
        }
        sweep.make_room(folders, lacking_bytes, lacking_files);
        sweep.report
    }

    /// What everything takes. Folders that were counted before and have not changed are not again.
    fn total(&mut self, folders: &[HourFolder], sweep: &mut Sweep) -> u64 {
        let before = std::mem::take(&mut self.totals);
        let mut total_bytes: u64 = 0;
        for folder in folders {
            let known = before.get(&folder.path).copied();
            let stamp = Stamp::of(&folder.path).ok().flatten();
            if let Some((stamp, bytes)) = known.filter(|known| Some(known.0) == stamp) {
                self.totals.insert(folder.path.clone(), (stamp, bytes));
                total_bytes = total_bytes.saturating_add(bytes);
                continue;
            }
            let read_at = i128::from(UtcNs::now().0);
            let Some(content) = sweep.content(folder) else {
                continue;
            };
            let bytes = content.bytes();
            total_bytes = total_bytes.saturating_add(bytes);
            // What grows, grows without touching the folder.
            if !content.grows() && read_at - content.stamp.latest_ns() >= SETTLED_NS {
                self.totals
                    .insert(folder.path.clone(), (content.stamp, bytes));
            }
        }
        total_bytes
    }
}

/// What belongs together: all files of one stem, and the tombstone that hides them.
#[derive(Debug, Default)]
struct Group {
    /// When it was recorded: its end by its name or its last write, whichever is later.
    end: UtcNs,
    /// Name and size, the tombstone last, for without it the others would be visible again.
    files: Vec<(String, u64)>,
    /// Whether a writer may hold one of them.
    grows: bool,
}

impl Group {
    fn bytes(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }
}

/// The groups in one hour folder, by start and stem.
struct Content {
    stamp: Stamp,
    groups: BTreeMap<(UtcNs, String), Group>,
}

impl Content {
    fn read(folder: &HourFolder) -> io::Result<Self> {
        let mut names = Vec::new();
        let stamp = scan(&folder.path, |name| {
            names.extend(std::str::from_utf8(name).map(str::to_owned));
        })?;
        let mut groups: BTreeMap<_, Group> = BTreeMap::new();
        for file_name in names {
            let Some((stem, name)) = parse(folder.hour, &file_name) else {
                continue;
            };
            let metadata = match fs::symlink_metadata(folder.path.join(&file_name)) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(about(&folder.path, error)),
            };
            let bytes = metadata.len().max(metadata.blocks().saturating_mul(512));
            let group = groups.entry((name.start, stem)).or_default();
            group.end = group.end.max(name.end());
            // A tombstone was written when somebody hid what was recorded long before.
            if !is_tombstone(&file_name) {
                group.end = group.end.max(written(&metadata));
            }
            group.grows |= name.kind == Kind::Temp && !file_name.starts_with(QUARANTINE_PREFIX);
            group.files.push((file_name, bytes));
        }
        for group in groups.values_mut() {
            group.files.sort_by_key(|(name, _)| is_tombstone(name));
        }
        Ok(Self { stamp, groups })
    }

    fn bytes(&self) -> u64 {
        let bytes = self.groups.values().map(Group::bytes);
        bytes.fold(0, u64::saturating_add)
    }

    fn grows(&self) -> bool {
        self.groups.values().any(|group| group.grows)
    }
}

/// The stem of a segment, a tombstone, or what a recovery put aside; and when it was.
fn parse(hour: UtcNs, file_name: &str) -> Option<(String, SegmentName)> {
    let (stem, extension) = file_name.rsplit_once('.')?;
    let plain = stem.strip_prefix(QUARANTINE_PREFIX).unwrap_or(stem);
    let extension = match extension {
        TOMBSTONE_EXTENSION => "ts",
        extension => extension,
    };
    let name = SegmentName::parse(hour, &format!("{plain}.{extension}")).ok()?;
    Some((stem.to_owned(), name))
}

/// When a file was last written.
fn written(metadata: &fs::Metadata) -> UtcNs {
    let ns = metadata.mtime().saturating_mul(SECOND_NS);
    UtcNs(ns.saturating_add(metadata.mtime_nsec()))
}

fn is_tombstone(file_name: &str) -> bool {
    file_name
        .rsplit_once('.')
        .is_some_and(|(_, extension)| extension == TOMBSTONE_EXTENSION)
}

/// What is to be deleted in all.
struct Target {
    bytes: u64,
    files: u64,
}

impl Target {
    fn is_reached(&self, report: &Report) -> bool {
        report.deleted_bytes >= self.bytes && report.aged_files + report.evicted_files >= self.files
    }
}

struct Sweep {
    now: UtcNs,
    report: Report,
}

impl Sweep {
    /// What is in a folder, `None` if that cannot be read (noted) or is nothing (removed).
    fn content(&mut self, folder: &HourFolder) -> Option<Content> {
        match Content::read(folder) {
            Ok(content) if content.groups.is_empty() => {
                self.remove_if_empty(folder);
                None
            }
            Ok(content) => Some(content),
            Err(error) if is_absent(&error) => None,
            Err(error) => {
                self.report.errors.push(error);
                None
            }
        }
    }

    fn delete_older(&mut self, folders: &[HourFolder], cutoff: UtcNs) {
        for folder in folders.iter().filter(|folder| folder.hour < cutoff) {
            let Some(content) = self.content(folder) else {
                continue;
            };
            let old = content
                .groups
                .iter()
                .filter(|(_, group)| group.end < cutoff);
            for ((start, _), group) in old {
                match self.delete(folder, *start, group) {
                    Ok(files) => self.report.aged_files += files,
                    Err(error) => {
                        self.report.errors.push(error);
                        break;
                    }
                }
            }
            self.remove_if_empty(folder);
        }
    }

    /// Deletes the oldest until so much is freed, one hour of all streams at a time. What lies in
    /// an hour that it was not recorded in waits for its turn.
    fn make_room(&mut self, folders: Vec<HourFolder>, lacking_bytes: u64, lacking_files: u64) {
        let files = self.report.aged_files + self.report.evicted_files;
        let target = Target {
            bytes: self.report.deleted_bytes.saturating_add(lacking_bytes),
            files: files.saturating_add(lacking_files),
        };
        let mut waiting = Vec::new();
        for hour in folders.chunk_by(|one, two| one.hour == two.hour) {
            if target.is_reached(&self.report) {
                break;
            }
            for folder in hour {
                let groups = self.content(folder).map(|content| content.groups);
                let groups = groups.into_iter().flatten();
                waiting.extend(groups.map(|((start, _), group)| (folder, start, group)));
            }
            let border = hour
                .first()
                .map_or(UtcNs(i64::MAX), |hour| hour.hour + HOUR_NS);
            let is_due = |(_, _, group): &(_, _, Group)| group.end <= border;
            let (due, later) = waiting.into_iter().partition(is_due);
            waiting = later;
            self.evict(due, &target);
            hour.iter().for_each(|folder| self.remove_if_empty(folder));
        }
        self.evict(waiting, &target);
        let deleted_files = self.report.aged_files + self.report.evicted_files;
        self.report.lacking_bytes = target.bytes.saturating_sub(self.report.deleted_bytes);
        self.report.lacking_files = target.files.saturating_sub(deleted_files);
    }

    /// Deletes these groups, the oldest first, until the target is reached.
    fn evict(&mut self, mut groups: Vec<(&HourFolder, UtcNs, Group)>, target: &Target) {
        groups.sort_by_key(|(_, start, group)| (group.end, *start));
        let mut broken: Vec<&HourFolder> = Vec::new();
        let mut touched: Vec<&HourFolder> = Vec::new();
        for (folder, start, group) in groups {
            if target.is_reached(&self.report) {
                break;
            }
            if broken.contains(&folder) {
                continue;
            }
            if !touched.contains(&folder) {
                touched.push(folder);
            }
            match self.delete(folder, start, &group) {
                Ok(files) => {
                    self.report.evicted_files += files;
                    if let Some(kept) = &mut self.report.kept_bytes
                        && files > 0
                    {
                        *kept = kept.saturating_sub(group.bytes());
                    }
                }
                Err(error) => {
                    self.report.errors.push(error);
                    broken.push(folder);
                }
            }
        }
        touched
            .into_iter()
            .for_each(|folder| self.remove_if_empty(folder));
    }

    /// Deletes a group, and says how many files that was. None, if somebody is writing one.
    fn delete(&mut self, folder: &HourFolder, start: UtcNs, group: &Group) -> io::Result<u64> {
        let mut held = Vec::new();
        if group.grows {
            for (name, _) in &group.files {
                // Held until all are gone, so that no recovery begins with what is being deleted.
                match open_abandoned(&folder.path.join(name), false)? {
                    Some(file) => held.push(file),
                    None => return Ok(0),
                }
            }
        }
        for (name, bytes) in &group.files {
            let path = folder.path.join(name);
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(about(&path, error)),
            }
            self.report.deleted_bytes = self.report.deleted_bytes.saturating_add(*bytes);
        }
        let (first, last) = self.report.deleted_starts.unwrap_or((start, start));
        self.report.deleted_starts = Some((first.min(start), last.max(start)));
        Ok(group.files.len() as u64)
    }

    /// Removes an hour's folder if it is empty and over. A writer that wants it again makes it anew.
    fn remove_if_empty(&mut self, folder: &HourFolder) {
        if folder.hour < self.now.hour() && fs::remove_dir(&folder.path).is_ok() {
            self.report.removed_folders += 1;
        }
    }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
