//! Walks all snapshots at once: every tree and list is opened, every other chunk is located. What several snapshots
//! share is visited once.

use std::sync::atomic::{AtomicU64, Ordering};

use lbak_core::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    observe::Finding,
    store::ChunkReader,
    tree::{
        Attributes, Content, Entry, ListNode, NameRule, Node, Piece, TreeChild, TreeNode, decode_list, decode_tree,
    },
    wire,
};
use rayon::prelude::*;

use crate::{bits::Bits, ledger::Ledger, packs::Packs, records::KnownSnapshot};

/// Nodes that are opened in parallel, the last found first: what is still to be visited stays a few directories.
const AT_ONCE: usize = 64;

/// The walk over everything that snapshots refer to.
pub(crate) struct Structure<'a> {
    ledger: &'a Ledger<'a>,
    reader: &'a ChunkReader,
    packs: &'a Packs,
    seen: Bits,
    trees: AtomicU64,
    chunks: AtomicU64,
}

/// A node to open, and what the node above says about it.
enum Visit {
    Tree { id: ChunkId, rule: NameRule, below: Option<Promise> },
    List { id: ChunkId, level: u8, pieces: u64, bytes: Option<u64> },
    Findings { id: ChunkId },
}

/// What an inner node of a directory promises of a child.
struct Promise {
    level: u8,
    child: TreeChild,
    /// The last name before it.
    after: Option<Vec<u8>>,
}

impl<'a> Structure<'a> {
    pub(crate) fn new(ledger: &'a Ledger<'a>, reader: &'a ChunkReader, packs: &'a Packs) -> Self {
        let seen = Bits::new(&reader.index().segments());
        Self { ledger, reader, packs, seen, trees: AtomicU64::new(0), chunks: AtomicU64::new(0) }
    }

    pub(crate) fn trees(&self) -> u64 {
        self.trees.load(Ordering::Relaxed)
    }

    pub(crate) fn chunks(&self) -> u64 {
        self.chunks.load(Ordering::Relaxed)
    }

    /// Visits everything that these snapshots refer to.
    pub(crate) fn walk(&self, snapshots: &[KnownSnapshot]) -> Result<()> {
        let mut open = Vec::new();
        for snapshot in snapshots.iter().filter(|snapshot| !snapshot.is_forgotten) {
            self.enter(&mut open, Visit::Tree { id: snapshot.root, rule: NameRule::AbsolutePath, below: None })?;
            for &id in &snapshot.findings {
                self.enter(&mut open, Visit::Findings { id })?;
            }
            self.drain(&mut open)?;
        }
        Ok(())
    }

    fn drain(&self, open: &mut Vec<Visit>) -> Result<()> {
        while !open.is_empty() {
            self.ledger.check_cancelled()?;
            let batch = open.split_off(open.len().saturating_sub(AT_ONCE));
            let found: Result<Vec<Vec<Visit>>> = batch.into_par_iter().map(|visit| self.visit(visit)).collect();
            open.extend(found?.into_iter().flatten());
        }
        Ok(())
    }

    /// Adds a node to those that are visited next, unless it was visited.
    fn enter(&self, open: &mut Vec<Visit>, visit: Visit) -> Result<()> {
        let (kind, id) = visit.chunk();
        if self.is_first_visit(kind, &id)? {
            open.push(visit);
        }
        Ok(())
    }

    /// Tells whether a chunk was not met before, and counts it. One that is not in the index is damage.
    fn is_first_visit(&self, kind: ChunkKind, id: &ChunkId) -> Result<bool> {
        let ordinal = self.reader.index().ordinal(id, kind);
        match ordinal.and_then(|ordinal| ordinal.ok_or_else(|| lost(kind, id))) {
            Ok(ordinal) => {
                let is_first = self.seen.set(ordinal);
                self.chunks.fetch_add(u64::from(is_first), Ordering::Relaxed);
                Ok(is_first)
            }
            Err(error) => self.ledger.blame(error).map(|()| false),
        }
    }

    /// Opens a node and returns the nodes that it refers to.
    fn visit(&self, visit: Visit) -> Result<Vec<Visit>> {
        let mut found = Vec::new();
        let (kind, id) = visit.chunk();
        let visited = self.reader.read(kind, &id).and_then(|chunk| match visit {
            Visit::Tree { rule, below, .. } => {
                self.trees.fetch_add(1, Ordering::Relaxed);
                self.tree(&id, rule, below.as_ref(), &chunk, &mut found)
            }
            Visit::List { level, pieces, bytes, .. } => self.list(&id, level, pieces, bytes, &chunk, &mut found),
            Visit::Findings { .. } => wire::decode::<Vec<Finding>>("findings", 1, &chunk).map(|_| ()),
        });
        self.ledger.outlive(visited)?;
        Ok(found)
    }

    fn tree(
        &self,
        id: &ChunkId,
        rule: NameRule,
        below: Option<&Promise>,
        chunk: &[u8],
        found: &mut Vec<Visit>,
    ) -> Result<()> {
        let object = format!("tree {}", id.short());
        let node = decode_tree(&object, rule, chunk)?;
        if below.is_some_and(|promise| !promise.is_kept(&node)) {
            return Err(Error::damaged(object, "it does not hold what the level above tells of"));
        }
        match node {
            TreeNode::Run(entries) => entries.iter().try_for_each(|entry| self.entry(entry, found)),
            TreeNode::Inner { level, children } => {
                let mut after = below.and_then(|promise| promise.after.clone());
                for child in children {
                    let last = child.last.clone();
                    let promise = Promise { level: level - 1, child, after: after.replace(last) };
                    self.enter(found, Visit::Tree { id: promise.child.id, rule, below: Some(promise) })?;
                }
                Ok(())
            }
        }
    }

    fn entry(&self, entry: &Entry, found: &mut Vec<Visit>) -> Result<()> {
        match &entry.node {
            Node::Directory { tree } => {
                self.enter(found, Visit::Tree { id: *tree, rule: NameRule::Component, below: None })?;
            }
            Node::File { content } => self.content(content, Some(entry.size), found)?,
            _ => {}
        }
        match &entry.attributes {
            Attributes::Stored(content) => self.content(content, None, found),
            Attributes::None | Attributes::Inline(_) => Ok(()),
        }
    }

    fn content(&self, content: &Content, bytes: Option<u64>, found: &mut Vec<Visit>) -> Result<()> {
        match content {
            Content::Inline(pieces) => self.pieces(pieces),
            Content::List { id, level, pieces } => {
                self.enter(found, Visit::List { id: *id, level: *level, pieces: *pieces, bytes })
            }
        }
    }

    fn list(
        &self,
        id: &ChunkId,
        level: u8,
        pieces: u64,
        bytes: Option<u64>,
        chunk: &[u8],
        found: &mut Vec<Visit>,
    ) -> Result<()> {
        let object = format!("list {}", id.short());
        let node = decode_list(&object, chunk)?;
        // Sums do not overflow: decoding has checked them.
        let holds = match &node {
            ListNode::Pieces(pieces) => (0, pieces.len() as u64, pieces.iter().map(|piece| piece.length).sum()),
            ListNode::Inner { level, children } => (
                *level,
                children.iter().map(|child| child.pieces).sum(),
                children.iter().map(|child| child.bytes).sum::<u64>(),
            ),
        };
        if holds != (level, pieces, bytes.unwrap_or(holds.2)) {
            return Err(Error::damaged(object, "it does not hold what the level above tells of"));
        }
        match node {
            ListNode::Pieces(pieces) => self.pieces(&pieces),
            ListNode::Inner { level, children } => children.into_iter().try_for_each(|child| {
                let (pieces, bytes) = (child.pieces, Some(child.bytes));
                self.enter(found, Visit::List { id: child.id, level: level - 1, pieces, bytes })
            }),
        }
    }

    fn pieces(&self, pieces: &[Piece]) -> Result<()> {
        for piece in pieces {
            if let Some(id) = &piece.chunk {
                self.data(id, piece.length)?;
            }
        }
        Ok(())
    }

    /// Looks for a copy of a data chunk with the right length in a pack that is as it should be.
    fn data(&self, id: &ChunkId, length: u64) -> Result<()> {
        let mut trouble = None;
        let found = self.reader.index().find(id, ChunkKind::Data, &mut |location| {
            let fault = if u64::from(location.length) == length {
                self.packs.fault(&location.pack)
            } else {
                Some(Error::damaged("index", format!("it says another length of data chunk {id} than its file")))
            };
            let is_sound = fault.is_none();
            trouble = trouble.take().or(fault);
            is_sound
        });
        match found {
            Ok(Some(_)) => self.is_first_visit(ChunkKind::Data, id).map(|_| ()),
            Ok(None) => self.ledger.blame(trouble.unwrap_or_else(|| lost(ChunkKind::Data, id))),
            Err(error) => self.ledger.blame(error),
        }
    }
}

impl Visit {
    fn chunk(&self) -> (ChunkKind, ChunkId) {
        match self {
            Self::Tree { id, .. } => (ChunkKind::Tree, *id),
            Self::List { id, .. } | Self::Findings { id } => (ChunkKind::List, *id),
        }
    }
}

impl Promise {
    fn is_kept(&self, node: &TreeNode) -> bool {
        let (level, entries, first, last) = match node {
            TreeNode::Run(entries) => {
                let name = |entry: Option<&'_ Entry>| entry.map(|entry| entry.name.clone());
                (0, entries.len() as u64, name(entries.first()), name(entries.last()))
            }
            TreeNode::Inner { level, children } => {
                let last = |child: Option<&'_ TreeChild>| child.map(|child| child.last.clone());
                // No overflow: decoding has added them up.
                (
                    *level,
                    children.iter().map(|child| child.entries).sum(),
                    last(children.first()),
                    last(children.last()),
                )
            }
        };
        let is_behind = |after: &Vec<u8>| first.as_ref().is_some_and(|first| first > after);
        level == self.level
            && entries == self.child.entries
            && last.as_ref() == Some(&self.child.last)
            && self.after.as_ref().is_none_or(is_behind)
    }
}

fn lost(kind: ChunkKind, id: &ChunkId) -> Error {
    Error::Lost { what: format!("{kind:?} chunk {id}").to_lowercase() }
}
