//! A repository in memory, and a folder that is backed up into it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, MemoryBackend},
    capture::{SnapshotOptions, SnapshotReport, snapshot},
    codec::slot::Credential,
    error::Result,
    keys::PasswordCost,
    metadata::Timestamp,
    observe::{Finding, FindingKind},
    repository::{Clock, InitOptions, NewSlot, OpenOptions, Repository},
    snapshot::LineageKind,
    source::LocalSource,
};
use lbak_restore::{RestoreOptions, restore};
use lbak_testkit::{objects::noise, trees::compare};

/// An hour ahead, so that files made just now are settled.
struct LaterClock;

impl Clock for LaterClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::from(std::time::SystemTime::now());
        Timestamp { seconds: now.seconds + 3600, ..now }
    }
}

pub(crate) fn credential() -> Credential {
    Credential::password("p")
}

pub(crate) fn memory() -> (Arc<MemoryBackend>, Arc<dyn Backend>) {
    let memory = Arc::new(MemoryBackend::new());
    (Arc::clone(&memory), memory)
}

/// A store that holds this.
pub(crate) fn filled(contents: &BTreeMap<String, Bytes>) -> (Arc<MemoryBackend>, Arc<dyn Backend>) {
    let (store, backend) = memory();
    contents.iter().for_each(|(name, bytes)| store.tamper(name, Some(bytes.clone())));
    (store, backend)
}

pub(crate) fn init(backend: &Arc<dyn Backend>) -> Repository {
    let slot = NewSlot { credential: credential(), cost: PasswordCost::CHEAPEST, label: String::new() };
    let options = InitOptions { clock: Arc::new(LaterClock), threads: Some(2), ..InitOptions::default() };
    Repository::init(Arc::clone(backend), &[slot], &options).unwrap()
}

pub(crate) fn open(backend: Arc<dyn Backend>) -> Repository {
    let options = OpenOptions { clock: Arc::new(LaterClock), threads: Some(2), expected: None, cache: None };
    Repository::open(backend, &credential(), &options).unwrap()
}

/// A folder of a few files, made anew for each test.
pub(crate) struct Tree(tempfile::TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(tree.path().join("folder")).unwrap();
        for (name, length) in [("empty", 0), ("small", 10), ("middle", 100_000), ("large", 3_000_000)] {
            tree.write(name, length);
        }
        for number in 0..40 {
            std::fs::write(tree.path().join(format!("folder/{number}")), format!("number {number}")).unwrap();
        }
        tree
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("source")
    }

    pub(crate) fn write(&self, name: &str, length: usize) {
        std::fs::write(self.path().join(name), noise(length as u64, length)).unwrap();
    }

    pub(crate) fn snapshot(&self, repository: &Repository, lineage: LineageKind) -> Result<SnapshotReport> {
        let source = LocalSource::new(&[self.path()])?;
        snapshot(repository, &source, &SnapshotOptions { lineage, ..SnapshotOptions::default() })
    }

    /// Restores a snapshot and compares it with the folder.
    pub(crate) fn assert_restores(&self, repository: &Repository, report: &SnapshotReport) {
        assert_restores(repository, report, &self.path());
    }

    /// A copy as it is now, to compare with later.
    pub(crate) fn keep(&self) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let status = std::process::Command::new("cp").arg("-a").arg(self.path()).arg(copy.path()).status();
        assert!(status.unwrap().success());
        copy
    }
}

fn assert_restores(repository: &Repository, report: &SnapshotReport, expected: &Path) {
    let catalog = repository.catalog().unwrap();
    let found = catalog.snapshots.iter().find(|found| found.manifest.id == report.snapshot).unwrap();
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("out");
    let options = RestoreOptions { sync: false, ..RestoreOptions::default() };
    let restored = restore(repository, &found.manifest, &out, &options).unwrap();
    // A damaged index is said, and costs nothing.
    let lost = restored.findings.iter().filter(|finding| finding.kind != FindingKind::DamagedObject);
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<&Finding>::new());
    assert_eq!(compare(expected, &out), Vec::<String>::new());
}
