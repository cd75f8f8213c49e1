//! Where a tree is made, and what is done with it.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use lbak::{
    Clock, Credential, Finding, InitOptions, LocalSource, Manifest, MemoryBackend, NewSlot, PasswordCost, Repository,
    RestoreOptions, RestoreReport, SnapshotOptions, SnapshotReport, Source, Timestamp, escape,
};
use lbak_testkit::{
    awkward::{AwkwardOptions, Case, Needs, Outcome, make, remove_tree},
    compare::{Comparison, compare_trees},
    not_run,
};

/// An hour ahead, so that files made just now are settled.
pub(crate) struct LaterClock;

impl Clock for LaterClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::from(SystemTime::now());
        Timestamp { seconds: now.seconds + 3600, ..now }
    }
}

/// A folder that is removed in the end, however deep it is.
pub(crate) struct Ground {
    folder: PathBuf,
}

impl Ground {
    /// In the folder for temporary files, which lies on a disk in most cases.
    pub(crate) fn on_disk() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// In a file system that lies in memory; `None`, and a word about it, where there is none.
    pub(crate) fn in_memory() -> Option<Self> {
        let shared = Path::new("/dev/shm");
        if !shared.is_dir() {
            not_run("there is no /dev/shm here");
            return None;
        }
        Some(Self::within(shared))
    }

    pub(crate) fn within(folder: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("lbak-awkward-").tempdir_in(folder).expect("a temporary folder");
        Self { folder: folder.keep() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.path("tree")
    }

    /// Makes the tree; says what could not be made, and fails where everybody must be able to.
    pub(crate) fn make(&self, options: &AwkwardOptions) -> Vec<Case> {
        let cases = make(&self.folder, options).expect("the folders are made");
        for case in cases.iter().filter(|case| case.outcome != Outcome::Made) {
            if is_root() || !matches!(case.needs, Needs::Root | Needs::RootAndFileSystem) {
                not_run(case);
            }
            assert_ne!(case.needs, Needs::Nothing, "{case}");
            assert!(case.needs != Needs::Root || !is_root() || !may_make_devices(), "{case}");
        }
        cases
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.folder) {
            eprintln!("{} stays: {error}", self.folder.display());
        }
    }
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").expect("proc").uid() == 0
}

/// Containers take this right away from root.
fn may_make_devices() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("proc");
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("a line");
    u64::from_str_radix(effective.trim(), 16).expect("a number") & 1 << 27 != 0
}

pub(crate) fn repository() -> Repository {
    let slot = NewSlot { credential: Credential::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
    let options = InitOptions { clock: Arc::new(LaterClock), threads: Some(2), ..InitOptions::default() };
    Repository::init(Arc::new(MemoryBackend::new()), &[slot], &options).expect("a repository")
}

/// Takes a snapshot of one directory.
pub(crate) fn take(repository: &Repository, path: &Path) -> (SnapshotReport, Manifest) {
    take_from(repository, &LocalSource::new(&[path]).expect("it is there"))
}

pub(crate) fn take_from(repository: &Repository, source: &dyn Source) -> (SnapshotReport, Manifest) {
    let report = lbak::snapshot(repository, source, &SnapshotOptions::default()).expect("a snapshot");
    let catalog = repository.catalog().expect("a catalog");
    let committed = catalog.snapshots.into_iter().find(|found| found.manifest.id == report.snapshot);
    (report, committed.expect("it was committed").manifest)
}

pub(crate) fn restored(repository: &Repository, manifest: &Manifest, target: &Path) -> RestoreReport {
    let options = RestoreOptions { sync: false, ..RestoreOptions::default() };
    lbak::restore(repository, manifest, target, &options).expect("a restore")
}

/// Findings, one line each, with paths from the tree on.
pub(crate) fn told(findings: &[Finding], tree: &Path) -> BTreeSet<String> {
    let show = |finding: &Finding| {
        let path = finding.path.strip_prefix(tree.as_os_str().as_bytes()).unwrap_or(&finding.path);
        format!("{} {}: {}", finding.kind, escape(path), finding.message)
    };
    findings.iter().map(show).collect()
}

/// What is not the same, one line each.
pub(crate) fn lines(comparison: &Comparison) -> BTreeSet<String> {
    comparison.differences.iter().map(ToString::to_string).collect()
}

pub(crate) fn compared(left: &Path, right: &Path) -> BTreeSet<String> {
    lines(&compare_trees(left, right))
}

pub(crate) fn expected<const N: usize>(lines: [&str; N]) -> BTreeSet<String> {
    lines.map(str::to_owned).into()
}
