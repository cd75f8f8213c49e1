//! Findings of a restore: those of reading back do not tell again what is known to be missing or different.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, Mutex, PoisonError},
};

use lbak_core::{
    browse,
    observe::{FindingKind, Observer},
};

/// What went wrong, and which paths are not as in the snapshot because of that.
pub(crate) struct Findings {
    noted: browse::Findings,
    hasher: RandomState,
    /// Numbers of the paths that are known not to be as in the snapshot.
    spoiled: Mutex<HashSet<u64>>,
    /// Only what was not written is noted, and not of spoiled paths: they were told before.
    is_reading_back: bool,
}

impl Findings {
    /// Goes on with those that were noted before anything was restored.
    pub(crate) fn new(noted: browse::Findings) -> Self {
        Self { noted, hasher: RandomState::new(), spoiled: Mutex::default(), is_reading_back: false }
    }

    /// Those of reading back what was restored.
    pub(crate) fn of_reading_back(&self, observer: Arc<dyn Observer>) -> Self {
        let spoiled = std::mem::take(&mut *self.spoiled.lock().unwrap_or_else(PoisonError::into_inner));
        Self {
            noted: browse::Findings::new(observer),
            hasher: self.hasher.clone(),
            spoiled: Mutex::new(spoiled),
            is_reading_back: true,
        }
    }

    /// All that were noted.
    pub(crate) fn noted(&self) -> &browse::Findings {
        &self.noted
    }

    /// Who hears of everything.
    pub(crate) fn observer(&self) -> &dyn Observer {
        self.noted.observer()
    }

    /// Notes that what is at a path is not what the snapshot has.
    pub(crate) fn spoil(&self, path: &[u8]) {
        self.spoiled.lock().unwrap_or_else(PoisonError::into_inner).insert(self.hasher.hash_one(path));
    }

    fn is_spoiled(&self, path: &[u8]) -> bool {
        self.spoiled.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.hasher.hash_one(path))
    }

    /// Notes one.
    pub(crate) fn note(&self, kind: FindingKind, path: Vec<u8>, message: impl std::fmt::Display) {
        let is_spoiling = matches!(kind, FindingKind::Unwritable | FindingKind::Lost | FindingKind::Skipped);
        if self.is_reading_back {
            if kind != FindingKind::Unwritable || self.is_spoiled(&path) {
                return;
            }
        } else if is_spoiling {
            self.spoil(&path);
        }
        self.noted.note(kind, path, message);
    }

    /// Notes that so many entries are lost to damage.
    pub(crate) fn lose(&self, entries: u64, path: Vec<u8>, message: impl std::fmt::Display) {
        if !self.is_reading_back {
            self.spoil(&path);
            self.noted.lose(entries, path, message);
        }
    }
}
