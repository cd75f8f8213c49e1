//! A source of which only a part is shown: patterns, caches, marked directories, large files, other file systems.
//!
//! ```
//! use lbak_core::{
//!     patterns::Patterns,
//!     source::{MemoryNode, MemorySource, SelectedSource, SelectionRules, Source},
//! };
//!
//! let notes = [("a.txt", MemoryNode::file("hello")), ("a.tmp", MemoryNode::file("scratch"))];
//! let source = MemorySource::new([("/notes", MemoryNode::directory(notes))]);
//! let patterns = Patterns::new(&["*.tmp"], &[] as &[&str])?;
//! let selected = SelectedSource::new(&source, SelectionRules { patterns, ..SelectionRules::default() });
//!
//! let roots = selected.roots().expect("roots");
//! let found = roots.entries().expect("list").next().expect("one root").expect("it was looked at");
//! let notes = roots.directory(&found.name, &found.metadata).expect("open");
//! assert_eq!(notes.entries().expect("list").count(), 1);
//! assert_eq!(selected.excluded()[0].count, 1);
//! # Ok::<(), lbak_core::error::Error>(())
//! ```
//!
//! What is left out is not there, for whoever reads this source: it is no finding, and an entry that an earlier snapshot has of it
//! is not in the next one. The roots themselves, which the user has named, are always shown, however they are called and
//! whatever they are; only the repository never is.
//!
//! Where patterns say what alone is wanted, directories on the way to it are shown, and those that lead to nothing are not: for
//! that it looks ahead, so that such a directory is listed twice.

mod directory;

mod judge;

mod markers;

mod ahead;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

pub use markers::Marker;

use self::{ahead::Verdicts, directory::SelectedRoots, markers::Signs};
use super::{Directory, Source, SourceError, SourceKind, SourceOutcome};
use crate::{
    observe::{Cancellation, Event, Exclusion, Observer, Silent},
    patterns::{Matched, PatternCount, Patterns, Tally},
};

/// What of a source is wanted. By default everything but pseudo file systems.
#[derive(Clone, Debug, Default)]
pub struct SelectionRules {
    /// Names to leave out, and names that alone are wanted.
    pub patterns: Patterns,
    /// Of a directory that holds a `CACHEDIR.TAG` with its signature, show nothing but that tag.
    pub exclude_caches: bool,
    /// Of a directory that holds one of these, show nothing but that file.
    pub exclude_marked: Vec<Marker>,
    /// Leave out regular files that are longer than this, in bytes.
    pub exclude_larger_than: Option<u64>,
    /// Show a directory that lies on another device than its root as an empty one. Files are shown wherever they lie: overlays
    /// have them on other devices than their directories.
    pub one_file_system: bool,
    /// Show what is in proc, sysfs and their like below other directories. Without this they are empty directories, unless
    /// they are roots.
    pub include_pseudo_file_systems: bool,
    /// Device and inode of directories that are never shown, wherever they lie: a repository is not backed up into itself.
    pub repositories: Vec<(u64, u64)>,
}

/// How often something was left out for a reason; a directory counts once, with all that is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExclusionCount {
    /// The reason.
    pub exclusion: Exclusion,
    /// How often.
    pub count: u64,
}

/// A part of another source.
pub struct SelectedSource<'a> {
    source: &'a dyn Source,
    walk: Walk,
}

impl<'a> SelectedSource<'a> {
    /// Shows of a source what the rules leave.
    pub fn new(source: &'a dyn Source, rules: SelectionRules) -> Self {
        Self {
            source,
            walk: Walk {
                signs: Arc::new(Signs::new(&rules)),
                rules: Arc::new(rules),
                observer: Arc::new(Silent),
                wants_paths: false,
                cancellation: Cancellation::default(),
                counts: Arc::default(),
                tally: Arc::default(),
                verdicts: Arc::default(),
            },
        }
    }

    /// Tells an observer that wants paths what is left out, with [`Event::Excluded`].
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.walk.wants_paths = observer.wants_paths();
        self.walk.observer = observer;
        self
    }

    /// Stops looking ahead when this is cancelled.
    #[must_use]
    pub fn stopped_by(mut self, cancellation: Cancellation) -> Self {
        self.walk.cancellation = cancellation;
        self
    }

    /// What was left out since the roots were last listed, by reason.
    #[must_use]
    pub fn excluded(&self) -> Vec<ExclusionCount> {
        let counts = self.walk.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(&exclusion, &count)| ExclusionCount { exclusion, count }).collect()
    }

    /// How many names each pattern has matched since the roots were last listed. One that has matched none was perhaps meant
    /// otherwise.
    #[must_use]
    pub fn pattern_counts(&self) -> Vec<PatternCount> {
        let tally = self.walk.tally.lock().unwrap_or_else(PoisonError::into_inner);
        self.walk.rules.patterns.counts(&tally)
    }
}

impl std::fmt::Debug for SelectedSource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SelectedSource").field("rules", &self.walk.rules).finish_non_exhaustive()
    }
}

impl Source for SelectedSource<'_> {
    fn kind(&self) -> SourceKind {
        self.source.kind()
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
        Ok(Arc::new(SelectedRoots::new(self.source.roots()?, self.walk.clone())))
    }

    fn is_repeatable(&self) -> bool {
        self.source.is_repeatable()
    }

    fn finish(&self) -> crate::error::Result<SourceOutcome> {
        self.source.finish()
    }

    fn stop(&self) {
        self.source.stop();
    }
}

/// What all directories of a source share.
#[derive(Clone)]
struct Walk {
    rules: Arc<SelectionRules>,
    signs: Arc<Signs>,
    observer: Arc<dyn Observer>,
    wants_paths: bool,
    cancellation: Cancellation,
    counts: Arc<Mutex<BTreeMap<Exclusion, u64>>>,
    tally: Arc<Mutex<Tally>>,
    verdicts: Arc<Verdicts>,
}

impl Walk {
    /// Begins anew: a walk whose session was lost is repeated.
    fn restart(&self) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner) = Tally::default();
        self.verdicts.forget();
    }

    /// Counts the patterns that match a name.
    fn count(&self, matched: &Matched) {
        if matched.is_any() {
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(matched);
        }
    }

    /// Counts what was counted apart.
    fn count_all(&self, tally: &Tally) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).merge(tally);
    }

    /// Counts something that is left out, and tells of it.
    fn exclude(&self, exclusion: Exclusion, path: impl FnOnce() -> Vec<u8>) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(exclusion).or_default() += 1;
        if self.wants_paths {
            self.observer.event(&Event::Excluded { path: &path(), exclusion });
        }
    }
}
