//! Repositories, snapshots, restores, and a way to store what no snapshot would.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use lbak_core::{
    backend::{Backend, MemoryBackend, ObjectName},
    capture::{SnapshotOptions, snapshot},
    codec::{BlockEncoder, Compression, slot::Credential},
    error::Result,
    id::{ChunkId, ChunkKind},
    keys::PasswordCost,
    observe::FindingKind,
    pack::ChunkEntry,
    repository::{InitOptions, NewSlot, OpenOptions, Repository},
    snapshot::Manifest,
    source::{LocalSource, Source},
    store::{BlockPlace, ChunkWriter, WriterOptions},
    tree::{ContentReader, Entry, Node},
};
use lbak_restore::{ListOptions, RestoreOptions, RestoreReport, list, restore};
use lbak_testkit::objects;

pub(crate) fn repository(backend: impl Backend + 'static) -> Repository {
    let slot = NewSlot { credential: Credential::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
    let options = InitOptions { threads: Some(3), ..Default::default() };
    Repository::init(Arc::new(backend), &[slot], &options).expect("init")
}

pub(crate) fn opened(backend: impl Backend + 'static) -> Repository {
    let options = OpenOptions { threads: Some(3), ..Default::default() };
    Repository::open(Arc::new(backend), &Credential::password("p"), &options).expect("open")
}

pub(crate) fn shared() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    (Arc::clone(&backend), repository(backend))
}

pub(crate) fn take_from(repository: &Repository, source: &dyn Source) -> Manifest {
    let report = snapshot(repository, source, &SnapshotOptions::default()).expect("snapshot");
    let catalog = repository.catalog().expect("catalog");
    let found = catalog.snapshots.into_iter().find(|found| found.manifest.id == report.snapshot);
    found.expect("it was committed").manifest
}

pub(crate) fn take(repository: &Repository, paths: &[PathBuf]) -> Manifest {
    take_from(repository, &LocalSource::new(paths).expect("source"))
}

/// A directory that files are taken from and one that they are restored to.
pub(crate) struct Folders {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
}

pub(crate) fn folders() -> Folders {
    let folder = tempfile::tempdir().expect("folder");
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    std::fs::create_dir(&source).expect("source");
    Folders { folder, source, target }
}

/// A test does not wait for the disk.
pub(crate) fn quick() -> RestoreOptions {
    RestoreOptions { sync: false, ..Default::default() }
}

pub(crate) fn restored(repository: &Repository, manifest: &Manifest, target: &Path) -> RestoreReport {
    restore(repository, manifest, target, &quick()).expect("restore")
}

/// Paths of all findings of a kind. There must be no more of them than a report keeps.
pub(crate) fn found(report: &RestoreReport, kind: FindingKind) -> BTreeSet<String> {
    let paths: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| finding.kind == kind)
        .map(|finding| String::from_utf8_lossy(&finding.path).into_owned())
        .collect();
    let count = report.finding_counts.iter().find(|count| count.kind == kind).map_or(0, |count| count.count);
    assert_eq!(paths.len() as u64, count, "{:?}", report.findings);
    paths.into_iter().collect()
}

/// Every file of a snapshot with the blocks that its chunks lie in.
pub(crate) fn blocks_of_files(repository: &Repository, manifest: &Manifest) -> Vec<(String, Vec<BlockPlace>)> {
    let view = repository.view().expect("view");
    let reader = repository.reader(&view);
    let read = |kind: ChunkKind, id: &ChunkId| reader.read(kind, id);
    let mut files = Vec::new();
    let mut note = |listed: lbak_restore::ListedEntry<'_>| -> Result<()> {
        if let Node::File { content } = &listed.entry.node {
            let blocks = ContentReader::new(content, Some(listed.entry.size), &read)
                .filter_map(|piece| piece.expect("piece").piece.chunk)
                .map(|id| BlockPlace::of(&reader.locate(ChunkKind::Data, &id, &mut |_| true).expect("known")))
                .collect();
            files.push((String::from_utf8(listed.path).expect("text"), blocks));
        }
        Ok(())
    };
    list(repository, manifest, None, &ListOptions { recursive: true, ..ListOptions::default() }, &mut note)
        .expect("list");
    files
}

/// Turns a bit over in the middle of a block.
pub(crate) fn damage_block(backend: &MemoryBackend, block: &BlockPlace) {
    let name = ObjectName::Pack(block.pack.id).to_string();
    let mut bytes = backend.contents()[&name].to_vec();
    bytes[block.offset as usize + block.sealed_length as usize / 2] ^= 1;
    backend.tamper(&name, Some(bytes.into()));
}

/// Stores chunks of any content, known or not.
pub(crate) struct Forge {
    writer: ChunkWriter,
    encoder: BlockEncoder,
    repository: Repository,
}

impl Forge {
    pub(crate) fn new(repository: &Repository, session: u64) -> Self {
        let writer = ChunkWriter::start(
            Arc::clone(repository.backend()),
            repository.codec().clone(),
            Arc::new(lbak_core::index::Index::new()),
            objects::session_id(session),
            Arc::new(|_| false),
            false,
            WriterOptions::default(),
        );
        let encoder = BlockEncoder::new(Compression::Auto).expect("memory");
        Self { writer: writer.expect("writer"), encoder, repository: repository.clone() }
    }

    pub(crate) fn store(&mut self, kind: ChunkKind, chunk: Vec<u8>) -> ChunkId {
        let id = self.repository.codec().keys().chunk_id(kind, &chunk);
        if self.writer.claim(kind, &id).expect("claim") {
            let length = u32::try_from(chunk.len()).expect("small");
            let entry = ChunkEntry { kind, length, id, base: None };
            self.writer.store_block(&mut self.encoder, &chunk, vec![entry], &mut Vec::new()).expect("store");
        }
        id
    }

    /// Stores a chunk under the id of another.
    pub(crate) fn store_as(&mut self, kind: ChunkKind, id: ChunkId, chunk: &[u8]) -> ChunkId {
        let chunk_entry = ChunkEntry { kind, length: u32::try_from(chunk.len()).expect("small"), id, base: None };
        // A block that is stored as it is.
        let encoded = [&[0], chunk].concat();
        crate::bounded::put_falsely(&**self.repository.backend(), &self.repository, &encoded, chunk_entry);
        id
    }

    /// Stores a directory as it is given: not sorted, not checked.
    pub(crate) fn tree(&mut self, entries: Vec<Entry>) -> ChunkId {
        let bytes = lbak_core::tree::encode_tree(&lbak_core::tree::TreeNode::Run(entries));
        self.store(ChunkKind::Tree, bytes)
    }

    pub(crate) fn finish(self) {
        self.writer.finish().expect("finish");
    }
}
