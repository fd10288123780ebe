// SPDX-License-Identifier: MPL-2.0
//! What one hour folder holds, packed: 48 bytes per segment instead of a name of a hundred.
//!
//! A day of two-second segments is 43 200 names, and queries look at them again and again; packed
//! they are 2 MB, sorted, and compared without touching text. A name is made again when somebody
//! wants a path. Names that would not come out the same (others write other numbers of digits) are
//! kept beside.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, RawDir};
use uuid::Uuid;

use super::name::{Container, Id, Kind, NameError, SegmentName, TOMBSTONE_EXTENSION};
use crate::utc::{HOUR_NS, UtcNs};

/// How much of a segment counts. A name that claims more is still found by everything that looks
/// at the first day of it; without a limit, one wrong name would make every query look at every
/// folder, as any of them might hold something that reaches into its range.
pub const MAX_REACH_NS: i64 = 24 * HOUR_NS;

const SCAN_BUFFER_BYTES: usize = 32 * 1024;

/// A segment in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What its file name says.
    pub name: SegmentName,
    folder: Arc<Path>,
    /// The name as it is on disk, where [`Segment::name`] would be written otherwise.
    odd_name: Option<Arc<str>>,
}

impl Segment {
    /// The moment after the last frame, or [`MAX_REACH_NS`] after the first.
    pub fn end(&self) -> UtcNs {
        self.name.start + self.name.duration_ns.clamp(0, MAX_REACH_NS)
    }

    /// The file's name as it is on disk.
    pub fn file_name(&self) -> String {
        match &self.odd_name {
            Some(name) => name.to_string(),
            None => self.name.to_string(),
        }
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(self.file_name())
    }
}

/// A segment's name, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Since the start of the hour, so it fits.
    start_us: u32,
    kind: Kind,
    duration_ns: i64,
    id: [u8; 32],
    container: Container,
}

impl Entry {
    fn pack(hour: UtcNs, name: &SegmentName) -> Option<Self> {
        let start_us = u32::try_from((name.start - hour) / 1_000).ok()?;
        let mut id = [0; 32];
        match &name.id {
            Id::Hash(hash) => id = *hash,
            Id::Temp(uuid) => id.split_at_mut(16).0.copy_from_slice(uuid.as_bytes()),
        }
        Some(Self {
            start_us,
            kind: name.kind,
            duration_ns: name.duration_ns,
            id,
            container: name.container,
        })
    }

    fn unpack(&self, hour: UtcNs) -> SegmentName {
        let uuid = || Uuid::from_slice(self.id.split_at(16).0).unwrap_or_default();
        SegmentName {
            start: hour + i64::from(self.start_us) * 1_000,
            duration_ns: self.duration_ns,
            kind: self.kind,
            id: match self.kind {
                Kind::Temp => Id::Temp(uuid()),
                _ => Id::Hash(self.id),
            },
            container: self.container,
        }
    }
}

/// A file in an hour folder that is neither a segment nor something that belongs to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The file.
    pub path: PathBuf,
    /// Why it is no segment.
    pub error: NameError,
}

/// What tells one state of a folder from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Stamp {
    /// The stamp of a folder, `None` if there is none.
    pub(super) fn of(folder: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(folder) {
            Ok(metadata) => Ok(metadata.is_dir().then(|| Self::from(&metadata))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(about(folder, error)),
        }
    }

    /// When the folder was last touched.
    pub(super) fn latest_ns(&self) -> i128 {
        self.modified_ns.max(self.changed_ns)
    }
}

impl From<&fs::Metadata> for Stamp {
    fn from(metadata: &fs::Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Whether there is nothing of that name, or something else than a folder on the way to it.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Says which path an error is about.
pub(super) fn about(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Calls `each` with the name of everything in a folder that may be a file, hidden or not.
/// Returns the folder's stamp from before the first name was read.
pub(super) fn scan(folder: &Path, mut each: impl FnMut(&[u8])) -> io::Result<Stamp> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let descriptor = rustix::fs::open(folder, flags, Mode::empty())
        .map_err(|error| about(folder, error.into()))?;
    let opened = fs::File::from(descriptor);
    let stamp = Stamp::from(&opened.metadata()?);
    let mut buffer = vec![MaybeUninit::uninit(); SCAN_BUFFER_BYTES];
    let mut entries = RawDir::new(&opened, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|error| about(folder, error.into()))?;
        if entry.file_type() != FileType::Directory {
            each(entry.file_name().to_bytes());
        }
    }
    Ok(stamp)
}

/// What one hour folder holds.
#[derive(Debug)]
pub(super) struct Listing {
    hour: UtcNs,
    folder: Arc<Path>,
    /// Sorted by start, then from the least to the most wanted.
    entries: Box<[Entry]>,
    /// Sorted by entry: names that packing would change.
    odd_names: Box<[(Entry, Arc<str>)]>,
    strays: Box<[Box<str>]>,
    /// The latest end that any segment here may have.
    latest_end: UtcNs,
}

impl Listing {
    /// Reads a folder, and its stamp from before.
    pub(super) fn read(folder: &Path, hour: UtcNs) -> io::Result<(Stamp, Self)> {
        let mut reader = Reader {
            hour,
            ..Reader::default()
        };
        let stamp = scan(folder, |name| reader.add(name))?;
        Ok((stamp, reader.finish(folder)))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn latest_end(&self) -> UtcNs {
        self.latest_end
    }

    /// Start, end and kind of one segment, without making its name.
    pub(super) fn span(&self, index: usize) -> Option<(UtcNs, UtcNs, Kind)> {
        let entry = self.entries.get(index)?;
        let start = self.hour + i64::from(entry.start_us) * 1_000;
        let end = start + entry.duration_ns.clamp(0, MAX_REACH_NS);
        Some((start, end, entry.kind))
    }

    /// What decides between segments that are otherwise alike: any order will do, as long as it
    /// is the same everywhere.
    pub(super) fn tie(&self, index: usize) -> Option<&[u8; 32]> {
        self.entries.get(index).map(|entry| &entry.id)
    }

    pub(super) fn segment(&self, index: usize) -> Option<Segment> {
        let entry = self.entries.get(index)?;
        let odd = self.odd_names.binary_search_by(|(odd, _)| odd.cmp(entry));
        Some(Segment {
            name: entry.unpack(self.hour),
            folder: Arc::clone(&self.folder),
            odd_name: odd
                .ok()
                .and_then(|position| self.odd_names.get(position))
                .map(|(_, name)| Arc::clone(name)),
        })
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = Segment> {
        (0..self.len()).filter_map(|index| self.segment(index))
    }

    pub(super) fn strays(&self) -> impl Iterator<Item = Stray> {
        self.strays.iter().filter_map(|name| {
            let error = SegmentName::parse(self.hour, name).err()?;
            let path = self.folder.join(&**name);
            Some(Stray { path, error })
        })
    }

    /// About how much memory this takes.
    pub(super) fn bytes(&self) -> usize {
        let odd: usize = self.odd_names.iter().map(|(_, name)| name.len() + 16).sum();
        let strays: usize = self.strays.iter().map(|name| name.len() + 16).sum();
        size_of::<Self>()
            + size_of_val(&*self.entries)
            + size_of_val(&*self.odd_names)
            + size_of_val(&*self.strays)
            + odd
            + strays
            + self.folder.as_os_str().len()
    }
}

#[derive(Default)]
struct Reader {
    hour: UtcNs,
    entries: Vec<Entry>,
    odd_names: Vec<(Entry, Arc<str>)>,
    strays: Vec<Box<str>>,
    /// The stems of tombstones: rare, so what they hide is taken out at the end.
    hidden_stems: Vec<Box<str>>,
}

impl Reader {
    fn add(&mut self, name: &[u8]) {
        if name.starts_with(b".") {
            return;
        }
        let Ok(name) = std::str::from_utf8(name) else {
            self.strays.push(String::from_utf8_lossy(name).into());
            return;
        };
        if let Some((stem, TOMBSTONE_EXTENSION)) = name.rsplit_once('.') {
            self.hidden_stems.push(stem.into());
            return;
        }
        let packed = SegmentName::parse(self.hour, name)
            .ok()
            .and_then(|parsed| Some((Entry::pack(self.hour, &parsed)?, parsed)));
        let Some((entry, parsed)) = packed else {
            self.strays.push(name.into());
            return;
        };
        self.entries.push(entry);
        if !parsed.is_written_as(name) {
            self.odd_names.push((entry, name.into()));
        }
    }

    fn finish(mut self, folder: &Path) -> Listing {
        self.odd_names.sort();
        self.bury();
        self.entries.sort_unstable();
        // Two spellings of one name: the same content.
        self.entries.dedup();
        let hour = self.hour;
        let end = |entry: &Entry| {
            let duration_ns = match entry.kind {
                // It grows without the folder being touched.
                Kind::Temp => MAX_REACH_NS,
                _ => entry.duration_ns.clamp(0, MAX_REACH_NS),
            };
            hour + i64::from(entry.start_us) * 1_000 + duration_ns
        };
        Listing {
            hour,
            folder: folder.into(),
            latest_end: self.entries.iter().map(end).max().unwrap_or(hour),
            entries: self.entries.into(),
            odd_names: self.odd_names.into(),
            strays: self.strays.into(),
        }
    }

    /// Takes out every segment whose stem has a tombstone.
    fn bury(&mut self) {
        if self.hidden_stems.is_empty() {
            return;
        }
        self.hidden_stems.sort();
        let (hour, hidden) = (self.hour, &self.hidden_stems);
        let is_hidden = |name: &str| {
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            hidden
                .binary_search_by(|hidden| (**hidden).cmp(stem))
                .is_ok()
        };
        let odd_names = std::mem::take(&mut self.odd_names);
        self.entries.retain(
            |entry| match odd_names.binary_search_by(|(odd, _)| odd.cmp(entry)) {
                Ok(position) => odd_names
                    .get(position)
                    .is_none_or(|(_, name)| !is_hidden(name)),
                Err(_) => !is_hidden(&entry.unpack(hour).to_string()),
            },
        );
        self.odd_names = odd_names;
    }
}
