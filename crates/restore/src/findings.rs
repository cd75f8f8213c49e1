//! Findings of one run: counted, told, the first kept in full.

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use lbak_core::{
    observe::{Event, Finding, FindingKind, Observer},
    snapshot::{FindingCount, StoredFindings},
};

/// Collects findings of several threads in bounded memory.
pub(crate) struct Findings {
    observer: Arc<dyn Observer>,
    noted: Mutex<(Vec<FindingCount>, Vec<Finding>)>,
    lost: AtomicU64,
    /// Numbers of the paths that are known not to be as in the snapshot.
    spoiled: Mutex<HashSet<u64>>,
    /// Only what was not written is noted, and not of spoiled paths: they were told before.
    is_reading_back: bool,
}

impl Findings {
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Self {
        Self {
            observer,
            noted: Mutex::default(),
            lost: AtomicU64::new(0),
            spoiled: Mutex::default(),
            is_reading_back: false,
        }
    }

    /// Those of reading back what was restored: what is known to be missing or different is not told again.
    pub(crate) fn of_reading_back(&self) -> Self {
        let spoiled = std::mem::take(&mut *self.spoiled.lock().unwrap_or_else(PoisonError::into_inner));
        Self { spoiled: Mutex::new(spoiled), is_reading_back: true, ..Self::new(Arc::clone(&self.observer)) }
    }

    /// Notes that what is at a path is not what the snapshot has.
    pub(crate) fn spoil(&self, path: &[u8]) {
        self.spoiled.lock().unwrap_or_else(PoisonError::into_inner).insert(number_of(path));
    }

    /// Adds what another run has found.
    pub(crate) fn merge(&self, other: &Self) {
        let (counts, first) = other.take();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        for count in counts {
            add_count(&mut noted.0, count);
        }
        let room = StoredFindings::FIRST.saturating_sub(noted.1.len());
        noted.1.extend(first.into_iter().take(room));
    }

    /// Who hears of everything.
    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// Notes one.
    pub(crate) fn note(&self, kind: FindingKind, path: Vec<u8>, message: impl std::fmt::Display) {
        let is_spoiling = matches!(kind, FindingKind::Unwritable | FindingKind::Lost | FindingKind::Skipped);
        if self.is_reading_back {
            let is_known = self.spoiled.lock().unwrap_or_else(PoisonError::into_inner).contains(&number_of(&path));
            if kind != FindingKind::Unwritable || is_known {
                return;
            }
        } else if is_spoiling {
            self.spoil(&path);
        }
        let finding = Finding { kind, path, message: message.to_string() };
        self.observer.event(&Event::Finding(&finding));
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, first) = &mut *noted;
        add_count(counts, FindingCount { kind, count: 1 });
        if first.len() < StoredFindings::FIRST {
            first.push(finding);
        }
    }

    /// Notes that so many entries are lost to damage.
    pub(crate) fn lose(&self, entries: u64, path: Vec<u8>, message: impl std::fmt::Display) {
        self.lost.fetch_add(entries, Ordering::Relaxed);
        self.note(FindingKind::Lost, path, message);
    }

    /// How many entries are lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Counts by kind, and the first findings.
    pub(crate) fn take(&self) -> (Vec<FindingCount>, Vec<Finding>) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut counts, first) = std::mem::take(&mut *noted);
        counts.sort_by_key(|count| count.kind as u32);
        (counts, first)
    }
}

fn add_count(counts: &mut Vec<FindingCount>, more: FindingCount) {
    match counts.iter_mut().find(|count| count.kind == more.kind) {
        Some(count) => count.count += more.count,
        None => counts.push(more),
    }
}

fn number_of(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// An error with its causes on one line.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // A system's words are often repeated by what wraps them.
        if !words.ends_with(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}
