//! How a snapshot is restored, and what is reported of it.

use std::{sync::Arc, time::Duration};

use lbak_core::{
    observe::{Cancellation, Finding, Observer, Silent},
    snapshot::{FindingCount, Totals},
};

/// How a snapshot is restored.
#[derive(Clone)]
pub struct RestoreOptions {
    /// The part of the snapshot that is wanted: an absolute path of the source, or one below its single root.
    pub path: Option<Vec<u8>>,
    /// Where things go.
    pub place: Place,
    /// Read trees and look chunks up, make and write nothing.
    pub dry_run: bool,
    /// Hears of progress and findings.
    pub observer: Arc<dyn Observer>,
    /// Stops it; files that are not finished are removed.
    pub cancellation: Cancellation,
    /// Plain bytes that are planned at once: larger windows read in longer runs and hold more names in memory.
    pub window_bytes: usize,
    /// Wait in the end until everything is on stable storage, whatever else is being written there.
    pub sync: bool,
}

/// Where things go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Into the target, which is made when it is missing and must be empty: the contents of a single directory, a single
    /// file under its name, several roots under their absolute paths.
    #[default]
    Contents,
    /// Every root to its own absolute path, the target standing for `/`. What is there already stays as it is: directories are
    /// entered, anything else is a finding. On the way to a root symbolic links are followed, as the system would; below
    /// it they are not.
    Original,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self {
            path: None,
            place: Place::default(),
            dry_run: false,
            observer: Arc::new(Silent),
            cancellation: Cancellation::default(),
            window_bytes: 64 << 20,
            sync: true,
        }
    }
}

impl std::fmt::Debug for RestoreOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreOptions")
            .field("path", &self.path)
            .field("place", &self.place)
            .field("dry_run", &self.dry_run)
            .field("window_bytes", &self.window_bytes)
            .field("sync", &self.sync)
            .finish_non_exhaustive()
    }
}

/// What came of a restore.
#[derive(Clone, Debug, Default)]
pub struct RestoreReport {
    /// What was restored; every name of a file with several hard links counts.
    pub totals: Totals,
    /// Sum of the sizes of the restored files.
    pub bytes: u64,
    /// Findings by kind.
    pub finding_counts: Vec<FindingCount>,
    /// The first hundred findings.
    pub findings: Vec<Finding>,
    /// Entries that could not be restored because stored bytes are damaged or missing. Where the top of a directory is lost,
    /// nobody knows how many there were: it counts as one.
    pub lost: u64,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
}
