//! Findings of one run: counted, told, the first kept in full.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    observe::{Event, Finding, FindingKind, Observer},
    snapshot::{FindingCount, StoredFindings},
};

/// Collects findings of several threads in bounded memory.
#[expect(missing_debug_implementations, reason = "holds an observer")]
pub struct Findings {
    observer: Arc<dyn Observer>,
    noted: Mutex<(Vec<FindingCount>, Vec<Finding>)>,
    lost: AtomicU64,
}

impl Findings {
    /// None yet; the observer hears of each.
    #[must_use]
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self { observer, noted: Mutex::default(), lost: AtomicU64::new(0) }
    }

    /// Who hears of everything.
    #[must_use]
    pub fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// Notes one.
    pub fn note(&self, kind: FindingKind, path: Vec<u8>, message: impl std::fmt::Display) {
        self.add(Finding { kind, path, message: message.to_string() });
    }

    /// Notes one that is made already.
    pub fn add(&self, finding: Finding) {
        self.observer.event(&Event::Finding(&finding));
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, first) = &mut *noted;
        add_count(counts, FindingCount { kind: finding.kind, count: 1 });
        if first.len() < StoredFindings::FIRST {
            first.push(finding);
        }
    }

    /// Notes that so many entries are lost to damage.
    pub fn lose(&self, entries: u64, path: Vec<u8>, message: impl std::fmt::Display) {
        self.lost.fetch_add(entries, Ordering::Relaxed);
        self.note(FindingKind::Lost, path, message);
    }

    /// How many entries are lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Adds what another run has found and told.
    pub fn merge(&self, other: &Self) {
        let (counts, first) = other.take();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        for count in counts {
            add_count(&mut noted.0, count);
        }
        let room = StoredFindings::FIRST.saturating_sub(noted.1.len());
        noted.1.extend(first.into_iter().take(room));
        self.lost.fetch_add(other.lost(), Ordering::Relaxed);
    }

    /// Counts by kind, and the first findings.
    #[must_use]
    pub fn take(&self) -> (Vec<FindingCount>, Vec<Finding>) {
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

/// An error with its causes on one line.
#[must_use]
pub fn in_words(error: &dyn std::error::Error) -> String {
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
