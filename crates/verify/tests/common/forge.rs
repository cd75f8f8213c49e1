//! Stores what no honest writer would: any chunk, and snapshots of any trees with any counts.

use std::sync::Arc;

use lbak_core::{
    codec::{BlockEncoder, Compression},
    id::{ChunkId, ChunkKind, SnapshotId},
    metadata::{FileKind, Metadata},
    pack::ChunkEntry,
    repository::{Announcement, Outcome, Repository, Session},
    snapshot::{Lineage, Manifest, Purpose, Sizes, SourceKind, StoredFindings, Totals},
    store::{ChunkWriter, WriterOptions},
    tree::{Content, Entry, ListNode, Node, Piece, TreeChild, TreeNode, encode_list, encode_tree},
};
use lbak_testkit::objects::noise;

/// A session that stores what it is told.
pub(crate) struct Forge<'a> {
    repository: &'a Repository,
    session: Session,
    writer: ChunkWriter,
    encoder: BlockEncoder,
}

impl<'a> Forge<'a> {
    pub(crate) fn new(repository: &'a Repository) -> Self {
        let announcement = Announcement {
            host: "forged".into(),
            user: "u".into(),
            paths: vec![b"/r".to_vec()],
            purpose: Purpose::Snapshot,
            program: "test".into(),
            pinned: vec![],
        };
        let session = repository.announce(&announcement).unwrap();
        let writer = ChunkWriter::start(
            Arc::clone(repository.backend()),
            repository.codec().clone(),
            Arc::clone(&session.view.index),
            session.id,
            Arc::new(|_| true),
            false,
            WriterOptions::default(),
        );
        Self { repository, session, writer: writer.unwrap(), encoder: BlockEncoder::new(Compression::Auto).unwrap() }
    }

    pub(crate) fn store(&mut self, kind: ChunkKind, chunk: &[u8]) -> ChunkId {
        let id = self.repository.codec().keys().chunk_id(kind, chunk);
        if self.writer.claim(kind, &id).unwrap() {
            let entry = ChunkEntry { kind, length: u32::try_from(chunk.len()).unwrap(), id, base: None };
            self.writer.store_block(&mut self.encoder, chunk, vec![entry], &mut Vec::new()).unwrap();
        }
        id
    }

    pub(crate) fn tree(&mut self, entries: Vec<Entry>) -> ChunkId {
        self.store(ChunkKind::Tree, &encode_tree(&TreeNode::Run(entries)))
    }

    pub(crate) fn inner_tree(&mut self, level: u8, children: Vec<TreeChild>) -> ChunkId {
        self.store(ChunkKind::Tree, &encode_tree(&TreeNode::Inner { level, children }))
    }

    pub(crate) fn list(&mut self, node: &ListNode) -> ChunkId {
        self.store(ChunkKind::List, &encode_list(node))
    }

    /// So many pieces of ten bytes.
    pub(crate) fn pieces(&mut self, count: u64) -> Vec<Piece> {
        (0..count).map(|number| Piece::data(10, self.store(ChunkKind::Data, &noise(number % 3, 10)))).collect()
    }

    /// A file of ten bytes.
    pub(crate) fn file(&mut self, name: &str) -> Entry {
        let pieces = self.pieces(1);
        file(name, 10, Content::Inline(pieces))
    }

    /// A snapshot of a directory `/r` of these entries, which counts what it holds.
    pub(crate) fn commit(mut self, entries: Vec<Entry>, totals: Totals, logical: u64) -> SnapshotId {
        let root = directory("/r", self.tree(entries));
        self.commit_roots(vec![root], totals, logical)
    }

    pub(crate) fn commit_roots(mut self, roots: Vec<Entry>, totals: Totals, logical: u64) -> SnapshotId {
        let root = self.tree(roots);
        self.writer.finish().unwrap();
        let manifest = Manifest {
            id: SnapshotId(self.session.id.0),
            root,
            lineage: Lineage::Full,
            started_at: self.repository.now(),
            ended_at: self.repository.now(),
            point_in_time: None,
            host: "forged".into(),
            user: "u".into(),
            paths: vec![b"/r".to_vec()],
            tags: vec![],
            description: String::new(),
            program: "test".into(),
            totals,
            sizes: Sizes { logical, new: 0, stored: 0 },
            source: SourceKind::Files,
            findings: StoredFindings::default(),
            is_complete: true,
            origin: None,
            heads: self.session.catalog.heads(),
        };
        let outcome = self.repository.commit(self.session.id, &manifest).unwrap();
        assert!(matches!(outcome, Outcome::Committed(_)));
        manifest.id
    }
}

pub(crate) fn entry(name: &str, node: Node) -> Entry {
    Entry::new(name.as_bytes().to_vec(), node, &Metadata { kind: FileKind::File, mode: 0o644, ..Metadata::default() })
}

pub(crate) fn file(name: &str, size: u64, content: Content) -> Entry {
    let mut file = entry(name, Node::File { content });
    file.size = size;
    file
}

pub(crate) fn directory(name: &str, tree: ChunkId) -> Entry {
    entry(name, Node::Directory { tree })
}

/// Counts of a snapshot of files and directories.
pub(crate) fn counts(files: u64, directories: u64) -> Totals {
    Totals { files, directories, ..Totals::default() }
}
