// SPDX-License-Identifier: MPL-2.0
//! Reading an archive: what there is, hour by hour, and the segments that reach into a range.
//!
//! A segment lies in the folder of the hour in which it *starts*. What covers a moment may thus lie
//! in an earlier folder, up to [`MAX_REACH_NS`] back (wubloader looks back one hour and misses what
//! is longer). All those folders are asked, but each that is cached answers with one comparison
//! whether anything in it reaches that far.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cache::Cache;
use super::listing::{Listing, MAX_REACH_NS, Segment, Stray, about, is_absent};
use super::name::{Kind, check_folder_name, hour_folder, variant_folder};
use super::walk::{folders, hours_in};
use crate::utc::{HOUR_NS, UtcNs};

/// The memory that listings of folders may take.
pub const DEFAULT_CACHE_BYTES: usize = 16 << 20;
/// A range of more hours than this is answered from the list of folders that exist.
const PROBED_HOURS: i64 = 72;

/// An archive, for reading. Cheap to share between threads; what it remembers is checked against
/// the disk each time, so it may live as long as the process.
pub struct Archive {
    root: PathBuf,
    cache: Cache,
}

impl Archive {
    /// Opens the archive at `root`.
    ///
    /// # Errors
    /// If `root` is no folder.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        Self::with_cache_bytes(root, DEFAULT_CACHE_BYTES)
    }

    /// Opens the archive at `root`, to remember what fits into `cache_bytes` (may be 0).
    ///
    /// # Errors
    /// If `root` is no folder.
    pub fn with_cache_bytes(root: impl Into<PathBuf>, cache_bytes: usize) -> io::Result<Self> {
        let root = root.into();
        fs::read_dir(&root).map_err(|error| about(&root, error))?;
        Ok(Self {
            root,
            cache: Cache::new(cache_bytes, UtcNs::now),
        })
    }

    /// The folder of the whole archive.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The streams, sorted.
    ///
    /// # Errors
    /// What the file system says.
    pub fn streams(&self) -> io::Result<Vec<String>> {
        folders(&self.root)
    }

    /// The variants of a stream, sorted.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if `stream` cannot be a name,
    /// [`NotFound`](io::ErrorKind::NotFound) if there is none of that name.
    pub fn variants(&self, stream: &str) -> io::Result<Vec<String>> {
        check_folder_name("stream", stream)?;
        folders(&self.root.join(stream))
    }

    /// The hours for which there is a folder, sorted.
    ///
    /// # Errors
    /// As [`variants`](Self::variants).
    pub fn hours(&self, stream: &str, variant: &str) -> io::Result<Vec<UtcNs>> {
        hours_in(&variant_folder(&self.root, stream, variant)?)
    }

    /// The segments that start in an hour and have no tombstone, growing ones as well, sorted by
    /// start. Empty if there is no folder for that hour.
    ///
    /// # Errors
    /// As [`variants`](Self::variants).
    pub fn segments(&self, stream: &str, variant: &str, hour: UtcNs) -> io::Result<Vec<Segment>> {
        let listing = self.hour(stream, variant, hour)?;
        Ok(listing
            .iter()
            .flat_map(|listing| listing.segments())
            .collect())
    }

    /// The files in an hour's folder whose names say nothing; hidden files and tombstones are not
    /// among them.
    ///
    /// # Errors
    /// As [`variants`](Self::variants).
    pub fn strays(&self, stream: &str, variant: &str, hour: UtcNs) -> io::Result<Vec<Stray>> {
        let listing = self.hour(stream, variant, hour)?;
        Ok(listing
            .iter()
            .flat_map(|listing| listing.strays())
            .collect())
    }

    fn hour(&self, stream: &str, variant: &str, hour: UtcNs) -> io::Result<Option<Arc<Listing>>> {
        let folder = existing(variant_folder(&self.root, stream, variant)?)?;
        self.cache.listing(
            &folder.join(hour_folder(hour)),
            hour.hour(),
            UtcNs(i64::MIN),
        )
    }

    /// How many folders were read so far: what the cache did not spare.
    pub fn folders_read(&self) -> u64 {
        self.cache.reads.load(Ordering::Relaxed)
    }

    /// All segments that touch `[from, to)`, sorted by start. What is growing is among them if
    /// `growing_ns` says how long that is by now.
    pub(super) fn candidates<'a>(
        &'a self,
        stream: &str,
        variant: &str,
        from: UtcNs,
        to: UtcNs,
        growing_ns: Option<&'a GrowingNs<'a>>,
    ) -> io::Result<Candidates<'a>> {
        let folder = existing(variant_folder(&self.root, stream, variant)?)?;
        let hours = hours_that_reach(&folder, from, to)?;
        Ok(Candidates {
            cache: &self.cache,
            folder,
            hours: hours.into_iter(),
            current: None,
            from,
            to,
            growing_ns,
        })
    }
}

/// How long what is in a growing file lasts, in nanoseconds.
pub type GrowingNs<'a> = dyn Fn(&Segment) -> i64 + 'a;

/// A segment that may be chosen, without its name.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) start: UtcNs,
    pub(super) end: UtcNs,
    pub(super) kind: Kind,
    listing: Arc<Listing>,
    index: usize,
}

impl Candidate {
    pub(super) fn segment(&self) -> Option<Segment> {
        self.listing.segment(self.index)
    }

    pub(super) fn tie(&self) -> Option<&[u8; 32]> {
        self.listing.tie(self.index)
    }
}

/// See [`Archive::candidates`].
pub(super) struct Candidates<'a> {
    cache: &'a Cache,
    folder: PathBuf,
    hours: std::vec::IntoIter<UtcNs>,
    current: Option<(Arc<Listing>, usize)>,
    from: UtcNs,
    to: UtcNs,
    growing_ns: Option<&'a GrowingNs<'a>>,
}

impl Candidates<'_> {
    fn next_in_hour(&mut self) -> Option<Candidate> {
        let (listing, index) = self.current.as_mut()?;
        while let Some((start, mut end, kind)) = listing.span(*index) {
            if start >= self.to {
                break;
            }
            *index += 1;
            if kind == Kind::Temp {
                let segment = listing.segment(*index - 1)?;
                let growing_ns = self.growing_ns.map_or(0, |growing_ns| growing_ns(&segment));
                end = start + growing_ns.clamp(0, MAX_REACH_NS);
            }
            if end > self.from && end > start {
                let (listing, index) = (Arc::clone(listing), *index - 1);
                return Some(Candidate {
                    start,
                    end,
                    kind,
                    listing,
                    index,
                });
            }
        }
        self.current = None;
        None
    }
}

impl Iterator for Candidates<'_> {
    type Item = io::Result<Candidate>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(candidate) = self.next_in_hour() {
                return Some(Ok(candidate));
            }
            let hour = self.hours.next()?;
            let folder = self.folder.join(hour_folder(hour));
            match self.cache.listing(&folder, hour, self.from) {
                Ok(listing) => self.current = listing.map(|listing| (listing, 0)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The hours whose folders may hold something that touches `[from, to)`.
fn hours_that_reach(folder: &Path, from: UtcNs, to: UtcNs) -> io::Result<Vec<UtcNs>> {
    let first = (from - MAX_REACH_NS).hour();
    if to <= from {
        return Ok(Vec::new());
    }
    if (to - first) / HOUR_NS <= PROBED_HOURS {
        let hours = (0..=PROBED_HOURS).map(|number| first + number * HOUR_NS);
        return Ok(hours.take_while(|hour| *hour < to).collect());
    }
    let mut hours = hours_in(folder)?;
    hours.retain(|hour| (first..to).contains(hour));
    Ok(hours)
}

/// Says that a folder is missing before its hours are asked, each of which may well be.
fn existing(folder: PathBuf) -> io::Result<PathBuf> {
    match fs::metadata(&folder) {
        Ok(_) => Ok(folder),
        Err(error) if is_absent(&error) => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("nothing is recorded at {}", folder.display()),
        )),
        Err(error) => Err(about(&folder, error)),
    }
}
