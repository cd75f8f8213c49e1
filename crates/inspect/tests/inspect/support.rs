//! Repositories, snapshots of trees made in code, and damage.

use std::sync::Arc;

use lbak_core::{
    backend::{Backend, MemoryBackend},
    capture::{SnapshotOptions, snapshot},
    codec::slot::Credential,
    keys::PasswordCost,
    repository::{InitOptions, NewSlot, Repository},
    snapshot::{LineageKind, Manifest},
    source::{MemoryNode, MemorySource, Source},
};

pub(crate) fn shared() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let slot = NewSlot { credential: Credential::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
    let options = InitOptions { threads: Some(2), ..Default::default() };
    let repository = Repository::init(Arc::<MemoryBackend>::clone(&backend), &[slot], &options).expect("init");
    (backend, repository)
}

pub(crate) fn take_from(repository: &Repository, source: &dyn Source) -> Manifest {
    // Full: trees in memory have no times, and all of them look unchanged.
    let options = SnapshotOptions { lineage: LineageKind::Full, ..SnapshotOptions::default() };
    let report = snapshot(repository, source, &options).expect("snapshot");
    let catalog = repository.catalog().expect("catalog");
    let found = catalog.snapshots.into_iter().find(|found| found.manifest.id == report.snapshot);
    found.expect("it was committed").manifest
}

/// A snapshot of one root, `/r`.
pub(crate) fn take(repository: &Repository, tree: MemoryNode) -> Manifest {
    take_from(repository, &MemorySource::new([("/r", tree)]))
}

pub(crate) fn file(content: &str) -> MemoryNode {
    MemoryNode::file(content)
}

pub(crate) fn folder<const N: usize>(entries: [(&str, MemoryNode); N]) -> MemoryNode {
    MemoryNode::directory(entries)
}

/// Takes away every pack that is there.
pub(crate) fn lose_packs(backend: &MemoryBackend) {
    for name in packs(backend) {
        backend.tamper(&name, None);
    }
}

pub(crate) fn packs(backend: &MemoryBackend) -> Vec<String> {
    let mut packs = Vec::new();
    let listed = backend.list("packs/", &mut |name, _| {
        packs.push(name.to_owned());
        Ok(())
    });
    listed.expect("list");
    packs
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
