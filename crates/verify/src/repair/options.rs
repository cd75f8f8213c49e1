//! How a repository is repaired.

use std::sync::Arc;

use lbak_core::{
    observe::{Cancellation, Observer, Silent},
    repository::Announcement,
    snapshot::Purpose,
};

use crate::{Depth, VerifyOptions};

/// How a repository is repaired.
#[derive(Clone)]
pub struct RepairOptions {
    /// Tell what would be done, change nothing.
    pub dry_run: bool,
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
