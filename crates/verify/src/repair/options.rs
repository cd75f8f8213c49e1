//! How a repository is repaired.

use std::sync::Arc;

use lbak_core::{
    id::{PackId, SnapshotId},
    observe::{Cancellation, Observer, Silent},
    repository::{Announcement, Repository},
    snapshot::Purpose,
    store::WriterOptions,
};

use crate::{Depth, VerifyOptions};

/// How a repository is repaired.
#[derive(Clone)]
pub struct RepairOptions {
    /// Tell what would be done, change nothing.
    pub dry_run: bool,
    /// Which packs [`repair_packs`](super::repair_packs) reads; all of them when there are none.
    pub packs: Vec<PackId>,
    /// Copies of the same repository elsewhere, to take from what is damaged here.
    pub from: Vec<Repository>,
    /// Which snapshots [`repair_snapshots`](super::repair_snapshots) looks at; all of them when there are none.
    pub snapshots: Vec<SnapshotId>,
    /// How deep [`repair_snapshots`](super::repair_snapshots) looks: with [`Depth::Structure`] only packs that are missing, of a wrong
    /// length or known to be damaged are tried.
    pub depth: Depth,
    /// How packs are written.
    pub writer: WriterOptions,
    /// Name of the host that repairs, for people.
    pub host: String,
    /// Name of the user who repairs, for people.
    pub user: String,
    /// The program and its version, when it is not lbak itself.
    pub program: Option<String>,
    /// Hears of progress and damage.
    pub observer: Arc<dyn Observer>,
    /// Stops it.
    pub cancellation: Cancellation,
}

impl Default for RepairOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            packs: Vec::new(),
            from: Vec::new(),
            snapshots: Vec::new(),
            depth: Depth::Structure,
            writer: WriterOptions::default(),
            host: String::new(),
            user: String::new(),
            program: None,
            observer: Arc::new(Silent),
            cancellation: Cancellation::default(),
        }
    }
}

impl std::fmt::Debug for RepairOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RepairOptions").field("dry_run", &self.dry_run).finish_non_exhaustive()
    }
}

impl RepairOptions {
    /// What looking for damage takes.
    pub(super) fn looking(&self) -> VerifyOptions {
        let (observer, cancellation) = (Arc::clone(&self.observer), self.cancellation.clone());
        VerifyOptions { depth: Depth::Structure, observer, cancellation }
    }

    pub(super) fn program(&self) -> String {
        self.program.clone().unwrap_or_else(|| concat!("lbak ", env!("CARGO_PKG_VERSION")).to_owned())
    }

    /// Who repairs, for people.
    pub(super) fn who(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }

    pub(super) fn announcement(&self) -> Announcement {
        Announcement {
            host: self.host.clone(),
            user: self.user.clone(),
            paths: Vec::new(),
            purpose: Purpose::Rewrite,
            program: self.program(),
            pinned: Vec::new(),
        }
    }
}
