//! Opened pages of all segments, as many as a budget allows.
//!
//! The cache is many small sets of eight pages, each behind its own lock and in the order of last use: simple, and threads
//! rarely meet. No lock is held while a page is read or opened; two threads may both read the same page, which is harmless.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::{PackRow, Page};

/// A page that was opened and checked.
#[derive(Clone, Debug)]
pub(super) enum Opened {
    Records(Arc<Page>),
    Packs(Arc<[Arc<PackRow>]>),
}

/// Which page: unique among the segments of one index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKey {
    Records { segment: u32, page: u32 },
    Packs { segment: u32, page: u32 },
}

/// Pages of one set.
const WAYS: usize = 8;

type Set = Mutex<Vec<(PageKey, Opened)>>;

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

    pub(super) fn get(&self, key: PageKey) -> Option<Opened> {
        let mut set = self.set(key);
        let position = set.iter().position(|(cached, _)| *cached == key)?;
        set[..=position].rotate_right(1);
        set.first().map(|(_, opened)| opened.clone())
    }

    pub(super) fn put(&self, key: PageKey, opened: Opened) {
        let mut set = self.set(key);
        if set.iter().any(|(cached, _)| *cached == key) {
            return; // another thread read it at the same time
        }
        set.truncate(WAYS - 1);
        set.insert(0, (key, opened));
    }

    fn set(&self, key: PageKey) -> MutexGuard<'_, Vec<(PageKey, Opened)>> {
        let (part, segment, page) = match key {
            PageKey::Records { segment, page } => (0, segment, page),
            PageKey::Packs { segment, page } => (1, segment, page),
        };
        let number = (u64::from(segment) << 32 | u64::from(page)) << 1 | part;
        // Fibonacci hashing: the high half of the product depends on all bits of the number.
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let sets = self.sets.len() as u64;
        let set = usize::try_from((hash * sets) >> 32).expect("smaller than the number of sets");
        // A panic elsewhere can at worst leave pages in another order.
        self.sets[set].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
