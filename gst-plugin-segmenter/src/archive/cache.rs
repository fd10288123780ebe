// SPDX-License-Identifier: MPL-2.0
//! Listings of hour folders that need not be read again.
//!
//! Stale content can never be shown: a listing is used only while its folder bears the very stamp
//! (device, inode, and times of modification and change in nanoseconds) it bore before the listing
//! was read. That alone is not enough, because the kernel's clock for such stamps ticks only every
//! few milliseconds: a folder read and changed within one tick would keep its stamp (git calls such
//! an index racy). So a listing is kept only if it was read at least [`SETTLED_NS`] after the stamp.
//! A folder being recorded to is therefore read each time, which is what is wanted; and one whose
//! stamp lies in the future, because a clock was wrong, as well.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::listing::{Listing, Stamp};
use crate::utc::{SECOND_NS, UtcNs};

/// How old a folder's stamp must be for a listing to be kept.
const SETTLED_NS: i64 = 2 * SECOND_NS;
/// What a listing costs beside its own bytes.
const SLOT_BYTES: usize = 256;

/// Listings, as many as fit into a number of bytes; the least recently used go first.
pub(super) struct Cache {
    limit_bytes: usize,
    now: fn() -> UtcNs,
    slots: Mutex<Slots>,
    /// How many folders were read.
    pub(super) reads: AtomicU64,
}

#[derive(Default)]
struct Slots {
    by_folder: HashMap<PathBuf, Slot>,
    bytes: usize,
    uses: u64,
}

struct Slot {
    stamp: Stamp,
    listing: Arc<Listing>,
    last_use: u64,
}

impl Cache {
    pub(super) fn new(limit_bytes: usize, now: fn() -> UtcNs) -> Self {
        Self {
            limit_bytes,
            now,
            slots: Mutex::default(),
            reads: AtomicU64::new(0),
        }
    }

    /// What a folder holds at this moment; `None` if there is no such folder.
    pub(super) fn listing(&self, folder: &Path, hour: UtcNs) -> io::Result<Option<Arc<Listing>>> {
        let Some(stamp) = Stamp::of(folder)? else {
            self.lock().remove(folder);
            return Ok(None);
        };
        if let Some(listing) = self.lock().get(folder, stamp) {
            return Ok(Some(listing));
        }
        let read_at = (self.now)();
        self.reads.fetch_add(1, Ordering::Relaxed);
        let (stamp, listing) = match Listing::read(folder, hour) {
            Ok(read) => read,
            Err(error) if super::listing::is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let listing = Arc::new(listing);
        let settled = i128::from(read_at.0) - stamp.latest_ns() >= i128::from(SETTLED_NS);
        let mut slots = self.lock();
        slots.remove(folder);
        if settled {
            slots.insert(folder, stamp, &listing, self.limit_bytes);
        }
        Ok(Some(listing))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory all listings take.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.lock().bytes
    }
}

impl Slots {
    fn get(&mut self, folder: &Path, stamp: Stamp) -> Option<Arc<Listing>> {
        self.uses += 1;
        let slot = self.by_folder.get_mut(folder)?;
        slot.last_use = self.uses;
        (slot.stamp == stamp).then(|| Arc::clone(&slot.listing))
    }

    fn remove(&mut self, folder: &Path) {
        if let Some(slot) = self.by_folder.remove(folder) {
            self.bytes = self.bytes.saturating_sub(slot.listing.bytes() + SLOT_BYTES);
        }
    }

    fn insert(&mut self, folder: &Path, stamp: Stamp, listing: &Arc<Listing>, limit_bytes: usize) {
        let bytes = listing.bytes() + SLOT_BYTES;
        while self.bytes + bytes > limit_bytes {
            let oldest = self.by_folder.iter().min_by_key(|(_, slot)| slot.last_use);
            let Some(oldest) = oldest.map(|(folder, _)| folder.clone()) else {
                return;
            };
            self.remove(&oldest);
        }
        self.uses += 1;
        self.bytes += bytes;
        let slot = Slot {
            stamp,
            listing: Arc::clone(listing),
            last_use: self.uses,
        };
        self.by_folder.insert(folder.to_owned(), slot);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A clock by which every stamp has settled.
    fn later() -> UtcNs {
        UtcNs::now() + 3600 * SECOND_NS
    }

    fn segment(folder: &Path, second: usize) -> PathBuf {
        let path = folder.join(format!(
            "00:{second:02}.000000-1.0-full-{}.ts",
            "A".repeat(43)
        ));
        fs::write(&path, b"").unwrap();
        path
    }

    fn count(cache: &Cache, folder: &Path) -> usize {
        cache.listing(folder, UtcNs(0)).unwrap().unwrap().len()
    }

    #[test]
    fn a_folder_changed_in_the_same_tick_as_it_was_read_is_never_shown_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(1 << 20, UtcNs::now);
        for _ in 0..500 {
            assert_eq!(count(&cache, folder.path()), 0);
            let one = segment(folder.path(), 1);
            assert_eq!(count(&cache, folder.path()), 1);
            let two = segment(folder.path(), 2);
            assert_eq!(count(&cache, folder.path()), 2);
            fs::remove_file(one).unwrap();
            fs::remove_file(two).unwrap();
        }
        assert_eq!(cache.bytes(), 0, "nothing that fresh is kept");
    }

    #[test]
    fn a_folder_that_has_settled_is_read_once_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        segment(folder.path(), 1);
        let cache = Cache::new(1 << 20, later);
        for _ in 0..10 {
            assert_eq!(count(&cache, folder.path()), 1);
        }
        assert_eq!(cache.reads.load(Ordering::Relaxed), 1);

        // The kernel's clock has to tick for the change to have a stamp of its own.
        let before = Stamp::of(folder.path()).unwrap();
        while Stamp::of(folder.path()).unwrap() == before {
            segment(folder.path(), 2);
            fs::remove_file(segment(folder.path(), 3)).unwrap();
        }
        assert_eq!(count(&cache, folder.path()), 2);
        assert_eq!(cache.reads.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_folder_that_was_replaced_or_removed_is_not_remembered() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (root.path().join("one"), root.path().join("two"));
        fs::create_dir(&one).unwrap();
        fs::create_dir(&two).unwrap();
        segment(&one, 1);
        let cache = Cache::new(1 << 20, later);
        assert_eq!(count(&cache, &one), 1);
        fs::rename(&one, root.path().join("away")).unwrap();
        assert!(cache.listing(&one, UtcNs(0)).unwrap().is_none());
        assert_eq!(cache.bytes(), 0);
        fs::rename(&two, &one).unwrap();
        assert_eq!(count(&cache, &one), 0);
    }

    #[test]
    fn the_cache_stays_within_its_bytes_and_forgets_what_was_not_used_for_longest() {
        let root = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = (0..20)
            .map(|number| root.path().join(number.to_string()))
            .collect();
        for folder in &folders {
            fs::create_dir(folder).unwrap();
            for second in 0..50 {
                segment(folder, second);
            }
        }
        let limit = 20_000;
        let cache = Cache::new(limit, later);
        for folder in &folders {
            assert_eq!(count(&cache, folder), 50);
            assert_eq!(count(&cache, &folders[0]), 50);
            assert!(cache.bytes() <= limit);
        }
        assert!(cache.bytes() > limit / 2);
        assert_eq!(cache.reads.load(Ordering::Relaxed), 20, "the first stayed");
    }
}
