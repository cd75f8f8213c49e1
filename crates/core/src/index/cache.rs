//! Opened pages of all segments, as many as a budget allows, and rows of packs that were met last.
//!
//! Pages lie in many small sets of eight, each behind its own lock and in the order of last use: simple, and threads rarely meet.
//! A page is copied in and out, a kibibyte each time: nothing is allocated for it once its set is full, and no lock is held while a
//! page is read, opened or searched. Two threads may both read the same page, which is harmless.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::{PAGE, PackRow};

/// A page as it was sealed, which was opened and checked.
pub(super) type PlainPage = [u8; PAGE];

/// Which page: unique among the segments of one index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKey {
    Records { segment: u32, page: u32 },
    Packs { segment: u32, page: u32 },
}

/// Pages of one set.
const WAYS: usize = 8;

type Set = Mutex<Vec<(PageKey, Box<PlainPage>)>>;

/// A bounded cache of opened pages.
pub(super) struct PageCache {
    sets: Box<[Set]>,
}

impl std::fmt::Debug for PageCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageCache").field("most_pages", &(self.sets.len() * WAYS)).finish_non_exhaustive()
    }
}

impl PageCache {
    /// Room for about this many pages; nothing is taken before it is used.
    pub(super) fn new(pages: usize) -> Self {
        Self { sets: (0..pages.div_ceil(WAYS).max(1)).map(|_| Set::default()).collect() }
    }

    /// Copies the page into `plain` when it is there.
    pub(super) fn get(&self, key: PageKey, plain: &mut PlainPage) -> bool {
        let mut set = self.set(key);
        let Some(position) = set.iter().position(|(cached, _)| *cached == key) else { return false };
        set[..=position].rotate_right(1);
        if let Some((_, page)) = set.first() {
            plain.copy_from_slice(&**page);
        }
        true
    }

    pub(super) fn put(&self, key: PageKey, plain: &PlainPage) {
        let mut set = self.set(key);
        if set.iter().any(|(cached, _)| *cached == key) {
            return; // another thread read it at the same time
        }
        if set.len() < WAYS {
            set.push((key, Box::new(*plain)));
        } else if let Some((last, page)) = set.last_mut() {
            *last = key;
            page.copy_from_slice(plain);
        }
        set.rotate_right(1);
    }

    fn set(&self, key: PageKey) -> MutexGuard<'_, Vec<(PageKey, Box<PlainPage>)>> {
        let (part, segment, page) = match key {
            PageKey::Records { segment, page } => (0, segment, page),
            PageKey::Packs { segment, page } => (1, segment, page),
        };
        let number = (u64::from(segment) << 32 | u64::from(page)) << 1 | part;
        // A panic elsewhere can at worst leave pages in another order.
        self.sets[place(number, self.sets.len())].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The packs that were met last: the chunks of one file lie in few, and all their locations share one row.
pub(super) struct RowCache {
    places: Box<[RowPlace]>,
}

/// The row of a pack, with the number of its segment and its own in that segment.
type Row = Option<((u32, u32), Arc<PackRow>)>;
type RowPlace = Mutex<Row>;

impl std::fmt::Debug for RowCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowCache").field("most_rows", &self.places.len()).finish_non_exhaustive()
    }
}

impl RowCache {
    pub(super) fn new(rows: usize) -> Self {
        Self { places: (0..rows.max(1)).map(|_| RowPlace::default()).collect() }
    }

    pub(super) fn get(&self, segment: u32, pack: u32) -> Option<Arc<PackRow>> {
        let place = self.place(segment, pack);
        place.as_ref().filter(|(held, _)| *held == (segment, pack)).map(|(_, row)| Arc::clone(row))
    }

    pub(super) fn put(&self, segment: u32, pack: u32, row: &Arc<PackRow>) {
        let replaced = self.place(segment, pack).replace(((segment, pack), Arc::clone(row)));
        // Given back when nobody waits for the lock.
        drop(replaced);
    }

    fn place(&self, segment: u32, pack: u32) -> MutexGuard<'_, Row> {
        let number = u64::from(segment) << 32 | u64::from(pack);
        // What is in it is replaced in one step.
        self.places[place(number, self.places.len())].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which of so many places a number has.
fn place(number: u64, places: usize) -> usize {
    // Fibonacci hashing: the high half of the product depends on all bits of the number.
    let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    usize::try_from((hash * places as u64) >> 32).expect("smaller than the number of places")
}
