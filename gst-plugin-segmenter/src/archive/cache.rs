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
//!
//! Of many more folders than there is room for listings it is remembered how far what they hold
//! reaches, because each query has to know that of the whole day before.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::listing::{Listing, Stamp, is_absent};
use crate::utc::{SECOND_NS, UtcNs};

/// How old a folder's stamp must be for a listing to be kept.
const SETTLED_NS: i64 = 2 * SECOND_NS;
/// What is remembered of a folder whose listing is not.
const SLOT_BYTES: usize = 256;

/// Listings, as many as fit into a number of bytes; the least recently used go first.
pub(super) struct Cache {
    listing_bytes: usize,
    max_slots: usize,
    now: fn() -> UtcNs,
    slots: Mutex<Slots>,
    /// How many folders were read.
    pub(super) reads: AtomicU64,
}

#[derive(Default)]
struct Slots {
    by_folder: HashMap<PathBuf, Slot>,
    /// Of all listings.
    bytes: usize,
    uses: u64,
}

struct Slot {
    stamp: Stamp,
    latest_end: UtcNs,
    listing: Option<Arc<Listing>>,
    last_use: u64,
}

impl Cache {
    pub(super) fn new(limit_bytes: usize, now: fn() -> UtcNs) -> Self {
        let slots_bytes = limit_bytes / 4;
        Self {
            listing_bytes: limit_bytes - slots_bytes,
            max_slots: slots_bytes / SLOT_BYTES,
            now,
            slots: Mutex::default(),
            reads: AtomicU64::new(0),
        }
    }

    /// What a folder holds at this moment. `None` if there is no such folder, or if nothing in it
    /// may reach beyond `after`.
    pub(super) fn listing(
        &self,
        folder: &Path,
        hour: UtcNs,
        after: UtcNs,
    ) -> io::Result<Option<Arc<Listing>>> {
        let Some(stamp) = Stamp::of(folder)? else {
            self.lock().remove(folder);
            return Ok(None);
        };
        match self.lock().get(folder, stamp) {
            Some((latest_end, _)) if latest_end <= after => return Ok(None),
            Some((_, Some(listing))) => return Ok(Some(listing)),
            _ => {}
        }
        let read_at = (self.now)();
        self.reads.fetch_add(1, Ordering::Relaxed);
        let (stamp, listing) = match Listing::read(folder, hour) {
            Ok(read) => read,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let listing = Arc::new(listing);
        let mut slots = self.lock();
        slots.remove(folder);
        if i128::from(read_at.0) - stamp.latest_ns() >= i128::from(SETTLED_NS) {
            slots.insert(folder, stamp, &listing);
            slots.shrink(self.listing_bytes, self.max_slots);
        }
        Ok((listing.latest_end() > after).then_some(listing))
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory all listings take.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.lock().bytes
    }
}

impl Slots {
    fn get(&mut self, folder: &Path, stamp: Stamp) -> Option<(UtcNs, Option<Arc<Listing>>)> {
        self.uses += 1;
        let slot = self.by_folder.get_mut(folder)?;
        slot.last_use = self.uses;
        (slot.stamp == stamp).then(|| (slot.latest_end, slot.listing.clone()))
    }

    fn remove(&mut self, folder: &Path) {
        if let Some(slot) = self.by_folder.remove(folder) {
            let bytes = slot.listing.map_or(0, |listing| listing.bytes());
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }

    fn insert(&mut self, folder: &Path, stamp: Stamp, listing: &Arc<Listing>) {
        self.uses += 1;
        self.bytes += listing.bytes();
        let slot = Slot {
            stamp,
            latest_end: listing.latest_end(),
            listing: Some(Arc::clone(listing)),
            last_use: self.uses,
        };
        self.by_folder.insert(folder.to_owned(), slot);
    }

    /// Forgets listings, then whole folders, the least recently used first.
    fn shrink(&mut self, listing_bytes: usize, max_slots: usize) {
        while self.bytes > listing_bytes {
            let slots = self.by_folder.values_mut();
            let holding = slots.filter(|slot| slot.listing.is_some());
            let Some(oldest) = holding.min_by_key(|slot| slot.last_use) else {
                return;
            };
            let bytes = oldest.listing.take().map_or(0, |listing| listing.bytes());
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        while self.by_folder.len() > max_slots {
            let oldest = self.by_folder.iter().min_by_key(|(_, slot)| slot.last_use);
            let Some(oldest) = oldest.map(|(folder, _)| folder.clone()) else {
                return;
            };
            self.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const BEGINNING: UtcNs = UtcNs(i64::MIN);

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
        cache
            .listing(folder, UtcNs(0), BEGINNING)
            .unwrap()
            .map_or(0, |listing| listing.len())
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
        assert!(cache.listing(&one, UtcNs(0), BEGINNING).unwrap().is_none());
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

    #[test]
    fn how_far_a_folder_reaches_is_remembered_when_its_listing_is_not() {
        let root = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = (0..20)
            .map(|number| root.path().join(number.to_string()))
            .collect();
        let cache = Cache::new(40_000, later);
        for folder in &folders {
            fs::create_dir(folder).unwrap();
            for second in 0..59 {
                segment(folder, second);
            }
            assert_eq!(count(&cache, folder), 59);
        }
        let reaching = |after| cache.listing(&folders[0], UtcNs(0), after).unwrap();
        assert!(reaching(UtcNs(59 * SECOND_NS)).is_none());
        assert_eq!(cache.reads.load(Ordering::Relaxed), 20);
        assert!(reaching(UtcNs(59 * SECOND_NS - 1)).is_some());
        assert_eq!(cache.reads.load(Ordering::Relaxed), 21);
        let slots = cache.lock().by_folder.len();
        assert_eq!(slots, 20);
    }

    #[test]
    fn a_cache_of_no_bytes_keeps_nothing_and_answers_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        segment(folder.path(), 1);
        let cache = Cache::new(0, later);
        for _ in 0..3 {
            assert_eq!(count(&cache, folder.path()), 1);
        }
        assert_eq!(cache.reads.load(Ordering::Relaxed), 3);
        assert!(cache.lock().by_folder.is_empty());
    }
}
