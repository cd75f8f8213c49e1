//! Visits everything that a snapshot refers to, except below what its owner was known to refer to before.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use lbak_core::{
    browse::{Chunks, Findings, in_words},
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    index::Index,
    observe::Cancellation,
    snapshot::Manifest,
    tree::{Attributes, Content, Entry, ListNode, NameRule, Node, Piece, TreeNode, decode_list, decode_tree},
};
use rayon::prelude::*;

use super::owners::{Owner, Owners};

/// Nodes that are opened in parallel, the last found first: what is still to be visited stays a few directories.
const AT_ONCE: usize = 64;

/// Damaged chunks that are remembered as told. Behind that many, one may be told twice.
const REMEMBERED: usize = 100_000;

/// What the visits need.
pub(super) struct Reach<'a> {
    pub(super) chunks: &'a Chunks,
    pub(super) index: &'a Index,
    pub(super) owners: &'a Owners,
    pub(super) findings: &'a Findings,
    /// Chunks that were found damaged or lost.
    pub(super) told: Mutex<HashSet<ChunkId>>,
}

/// A node to open.
enum Visit {
    Tree(ChunkId, NameRule),
    List(ChunkId),
}

impl Reach<'_> {
    /// Visits what one snapshot refers to.
    pub(super) fn walk(&self, snapshot: &Manifest, owner: Owner, cancellation: &Cancellation) -> Result<()> {
        let mut open = Vec::new();
        self.enter(owner, &mut open, Visit::Tree(snapshot.root, NameRule::AbsolutePath))?;
        for chunk in &snapshot.findings.all {
            self.refer(owner, ChunkKind::List, chunk)?;
        }
        while !open.is_empty() {
            cancellation.check()?;
            let batch = open.split_off(open.len().saturating_sub(AT_ONCE));
            let found: Result<Vec<Vec<Visit>>> = batch.into_par_iter().map(|visit| self.visit(owner, &visit)).collect();
            open.extend(found?.into_iter().flatten());
        }
        Ok(())
    }

    fn enter(&self, owner: Owner, open: &mut Vec<Visit>, visit: Visit) -> Result<()> {
        let (kind, id) = visit.chunk();
        if self.refer(owner, kind, id)? {
            open.push(visit);
        }
        Ok(())
    }

    /// Notes a reference; tells whether it is news. A chunk that is in no segment is a finding.
    fn refer(&self, owner: Owner, kind: ChunkKind, id: &ChunkId) -> Result<bool> {
        let missing = || Error::Lost { what: format!("{kind:?} chunk {id}").to_lowercase() };
        match self.index.place(id, kind).and_then(|place| place.ok_or_else(missing)) {
            Ok((ordinal, location)) => Ok(self.owners.refer(owner, ordinal, &location)),
            Err(error) => self.lose(id, error).map(|()| false),
        }
    }

    /// Opens a node and returns the nodes that it refers to.
    fn visit(&self, owner: Owner, visit: &Visit) -> Result<Vec<Visit>> {
        let mut found = Vec::new();
        let (kind, id) = visit.chunk();
        let object = format!("{kind:?} {}", id.short()).to_lowercase();
        let visited = self.chunks.read(kind, id).and_then(|chunk| match visit {
            Visit::Tree(_, rule) => match decode_tree(&object, *rule, &chunk)? {
                TreeNode::Run(entries) => entries.iter().try_for_each(|entry| self.entry(owner, entry, &mut found)),
                TreeNode::Inner { children, .. } => {
                    children.iter().try_for_each(|child| self.enter(owner, &mut found, Visit::Tree(child.id, *rule)))
                }
            },
            Visit::List(_) => match decode_list(&object, &chunk)? {
                ListNode::Pieces(pieces) => self.pieces(owner, &pieces),
                ListNode::Inner { children, .. } => {
                    children.iter().try_for_each(|child| self.enter(owner, &mut found, Visit::List(child.id)))
                }
            },
        });
        match visited {
            Ok(()) => {}
            Err(error) => self.lose(id, error)?,
        }
        Ok(found)
    }

    fn entry(&self, owner: Owner, entry: &Entry, found: &mut Vec<Visit>) -> Result<()> {
        match &entry.node {
            Node::Directory { tree } => self.enter(owner, found, Visit::Tree(*tree, NameRule::Component))?,
            Node::File { content } => self.content(owner, content, found)?,
            _ => {}
        }
        match &entry.attributes {
            Attributes::Stored(content) => self.content(owner, content, found),
            Attributes::None | Attributes::Inline(_) => Ok(()),
        }
    }

    fn content(&self, owner: Owner, content: &Content, found: &mut Vec<Visit>) -> Result<()> {
        match content {
            Content::Inline(pieces) => self.pieces(owner, pieces),
            Content::List { id, .. } => self.enter(owner, found, Visit::List(*id)),
        }
    }

    fn pieces(&self, owner: Owner, pieces: &[Piece]) -> Result<()> {
        let chunks = pieces.iter().filter_map(|piece| piece.chunk.as_ref());
        chunks.into_iter().try_for_each(|id| self.refer(owner, ChunkKind::Data, id).map(|_| ()))
    }

    /// Notes what is damaged or lost, once, and goes on.
    fn lose(&self, id: &ChunkId, error: Error) -> Result<()> {
        if !error.is_of_one_object() {
            return Err(error);
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.len() >= REMEMBERED || told.insert(*id);
        drop(told);
        if is_news {
            self.findings.lose(1, format!("chunk {id}").into_bytes(), in_words(&error));
        }
        Ok(())
    }
}

impl Visit {
    fn chunk(&self) -> (ChunkKind, &ChunkId) {
        match self {
            Self::Tree(id, _) => (ChunkKind::Tree, id),
            Self::List(id) => (ChunkKind::List, id),
        }
    }
}
