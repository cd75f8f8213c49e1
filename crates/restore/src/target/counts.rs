//! How much was done, and how far it is.

use std::sync::atomic::{AtomicU64, Ordering};

use lbak_core::{
    observe::{Action, Event, Progress},
    snapshot::Totals,
};

use super::Target;
use crate::options::ActionCounts;

/// Counts of what is there.
#[derive(Default)]
pub(crate) struct Restored {
    pub(crate) files: AtomicU64,
    pub(crate) directories: AtomicU64,
    pub(crate) links: AtomicU64,
    pub(crate) others: AtomicU64,
    /// Sizes of finished files.
    pub(crate) bytes: AtomicU64,
    /// Bytes done with, of unfinished files too: written, or found in their place.
    pub(crate) done: AtomicU64,
    /// Bytes written, of unfinished files too.
    pub(crate) written: AtomicU64,
    created: AtomicU64,
    updated: AtomicU64,
    kept: AtomicU64,
    deleted: AtomicU64,
    /// Directories in which nothing was deleted because names were left out of the snapshot.
    pub(crate) spared_directories: AtomicU64,
}

/// Three files of the longest length, all hole, have more bytes than can be counted: the count stays at the largest.
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.update(Ordering::Relaxed, Ordering::Relaxed, |count| count.saturating_add(more));
}

impl Target {
    /// Tells how far it is.
    pub(crate) fn tell_progress(&self) {
        let progress = Progress {
            files: self.restored.files.load(Ordering::Relaxed),
            bytes: self.restored.done.load(Ordering::Relaxed),
            ..self.expected
        };
        self.findings.observer().event(&Event::Progress(progress));
    }

    /// Counts what was done with an entry, and tells it to who wants to hear of each.
    pub(crate) fn act(&self, action: Action, bytes: u64, path: &dyn Fn() -> Vec<u8>) {
        let counter = match action {
            Action::Created => &self.restored.created,
            Action::Updated => &self.restored.updated,
            Action::Kept => &self.restored.kept,
            Action::Deleted => &self.restored.deleted,
        };
        add(counter, 1);
        if self.tell_each {
            let path = path();
            self.findings.observer().event(&Event::Restored {
                action,
                path: &path,
                target: &self.place_of(&path),
                bytes,
            });
        }
    }

    /// What was done with the entries.
    pub(crate) fn actions(&self) -> ActionCounts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ActionCounts {
            created: load(&self.restored.created),
            updated: load(&self.restored.updated),
            kept: load(&self.restored.kept),
            deleted: load(&self.restored.deleted),
        }
    }

    /// What is there.
    pub(crate) fn totals(&self) -> Totals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            files: load(&self.restored.files),
            directories: load(&self.restored.directories),
            links: load(&self.restored.links),
            others: load(&self.restored.others),
        }
    }
}
