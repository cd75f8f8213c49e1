//! Which snapshots and paths need what can not be read. Walks the snapshots once more, only when damage was found.
//!
//! Each directory and each list is looked through once, however many paths lead to it: what is hurt below it is the same at all of them. After that
//! it is walked only for the names of the first paths.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use lbak_core::{
    backend::ObjectName,
    error::{Error, Result},
    id::{ChunkId, ChunkKind, PackId},
    index::{IdPrefix, Ordinal},
    store::ChunkReader,
    tree::{
        Attributes, Content, Entry, ListNode, NameRule, Node, Piece, ReadChunk, Roots, TreeReader, decode_list,
        read_attributes,
    },
};
use rayon::prelude::*;

use crate::{
    HurtSnapshot, bits::Bits, ledger::Ledger, node::ListExtent, packs::Packs, places::BadPlaces, records::KnownSnapshot,
};

/// Paths of a snapshot that are named; the others are counted.
const NAMED_PATHS: usize = 100;

/// What the second walk needs.
pub(crate) struct Hurt<'a> {
    ledger: &'a Ledger<'a>,
    reader: &'a ChunkReader,
    packs: &'a Packs,
    bad: &'a BadPlaces,
    /// Packs of a wrong length were tried block by block.
    are_misfits_tried: bool,
    /// Trees below which everything is sound.
    sound: Bits,
    /// How many paths are hurt below each other tree that was walked.
    counts: Mutex<HashMap<Ordinal, u64>>,
    /// Of each list that was opened how much it says that it holds, and whether all of that can be read.
    lists: Mutex<HashMap<Ordinal, (ListExtent, bool)>>,
    /// Packs of which something was needed and could not be read.
    needed: Mutex<BTreeSet<PackId>>,
}

/// A directory that is being walked.
struct Frame<'a> {
    id: ChunkId,
    entries: TreeReader<'a>,
    path_length: usize,
    /// Paths that are hurt in it, as far as it was walked.
    count: u64,
    /// The same in all of it, when it was walked before.
    known: Option<u64>,
}

impl<'a> Hurt<'a> {
    pub(crate) fn new(
        ledger: &'a Ledger<'a>,
        reader: &'a ChunkReader,
        packs: &'a Packs,
        bad: &'a BadPlaces,
        are_misfits_tried: bool,
    ) -> Self {
        let sound = Bits::new(&reader.index().segments());
        Self {
            ledger,
            reader,
            packs,
            bad,
            are_misfits_tried,
            sound,
            counts: Mutex::default(),
            lists: Mutex::default(),
            needed: Mutex::default(),
        }
    }

    /// The packs of which something was needed and could not be read.
    pub(crate) fn into_needed(self) -> BTreeSet<PackId> {
        self.needed.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn need(&self, packs: impl IntoIterator<Item = PackId>) {
        self.needed.lock().unwrap_or_else(PoisonError::into_inner).extend(packs);
    }

    /// Passes over damage, which the first walk has told of.
    fn outlive(&self, error: Error) -> Result<()> {
        if !error.is_of_one_object() {
            return Err(error);
        }
        if let Error::Damaged { object, .. } | Error::Newer { object, .. } | Error::Store { object, .. } = &error
            && let Some(ObjectName::Pack(pack)) = ObjectName::parse(object)
        {
            self.need([pack]);
        }
        Ok(())
    }

    /// The snapshots that something can not be restored of.
    pub(crate) fn find(&self, snapshots: &[KnownSnapshot]) -> Result<Vec<HurtSnapshot>> {
        let kept = snapshots.par_iter().filter(|snapshot| !snapshot.is_forgotten);
        let hurt: Result<Vec<HurtSnapshot>> = kept.map(|snapshot| self.snapshot(snapshot)).collect();
        Ok(hurt?.into_iter().filter(|snapshot| snapshot.path_count > 0).collect())
    }

    fn snapshot(&self, snapshot: &KnownSnapshot) -> Result<HurtSnapshot> {
        let mut hurt = HurtSnapshot { snapshot: snapshot.id, paths: Vec::new(), path_count: 0 };
        hurt.path_count = self.walk(snapshot, &mut hurt.paths)?;
        // Nobody restores it to its end, wherever that is. What it needs was asked all the same.
        if snapshot.is_overfull {
            hurt.paths.clear();
            hurt.path_count = name_all(&snapshot.paths, &mut hurt.paths);
        }
        Ok(hurt)
    }

    /// Counts the paths that are hurt, and names the first of them.
    fn walk(&self, snapshot: &KnownSnapshot, names: &mut Vec<Vec<u8>>) -> Result<u64> {
        let read = |kind: ChunkKind, id: &ChunkId| {
            self.ledger.check_cancelled()?;
            self.reader.read(kind, id)
        };
        for id in &snapshot.findings {
            read(ChunkKind::List, id).map_or_else(|error| self.outlive(error), |_| Ok(()))?;
        }
        let (mut path, mut roots) = (Vec::new(), Roots::default());
        let mut open = match TreeReader::open(NameRule::AbsolutePath, snapshot.root, &read) {
            Ok(entries) => vec![Frame { id: snapshot.root, entries, path_length: 0, count: 0, known: None }],
            Err(error) => {
                self.outlive(error)?;
                return Ok(name_all(&snapshot.paths, names));
            }
        };
        loop {
            let is_root = open.len() == 1;
            let frame = open.last_mut().expect("the walk ends with the first one");
            path.truncate(frame.path_length);
            let next = match frame.known.filter(|_| names.len() == NAMED_PATHS) {
                Some(known) => {
                    frame.count = known;
                    None
                }
                None => frame.entries.next(),
            };
            match next {
                Some(Ok(entry)) => {
                    append(&mut path, &entry.name);
                    let is_below = is_root && roots.meet(&entry.name).is_some();
                    let is_whole = self.is_whole(&entry, &read)? && !is_below;
                    if !is_whole {
                        frame.add(&path, names);
                    }
                    let Node::Directory { tree } = entry.node else { continue };
                    let known = self.count_below(&tree)?;
                    if let Some(known) = known.filter(|&known| known == 0 || names.len() == NAMED_PATHS) {
                        frame.count = frame.count.saturating_add(known);
                        continue;
                    }
                    match TreeReader::open(NameRule::Component, tree, &read) {
                        Ok(entries) => {
                            open.push(Frame { id: tree, entries, path_length: path.len(), count: 0, known });
                        }
                        Err(error) => {
                            self.outlive(error)?;
                            if is_whole {
                                frame.add(&path, names);
                            }
                        }
                    }
                }
                Some(Err(lost)) => {
                    self.outlive(lost.error)?;
                    frame.add(if path.is_empty() { b"/" } else { &path }, names);
                }
                None => {
                    let Frame { id, count, .. } = open.pop().expect("it was just looked at");
                    // A list of roots is no directory, whatever says so.
                    let Some(above) = open.last_mut() else { return Ok(count) };
                    above.count = above.count.saturating_add(count);
                    self.remember(&id, count)?;
                }
            }
        }
    }

    /// How many paths are hurt below a tree that was walked.
    fn count_below(&self, tree: &ChunkId) -> Result<Option<u64>> {
        match self.reader.index().ordinal(tree, ChunkKind::Tree) {
            Ok(Some(ordinal)) if self.sound.is_set(ordinal) => Ok(Some(0)),
            Ok(ordinal) => Ok(ordinal.and_then(|ordinal| held(&self.counts).get(&ordinal).copied())),
            Err(error) => self.outlive(error).map(|()| None),
        }
    }

    fn remember(&self, tree: &ChunkId, count: u64) -> Result<()> {
        match (self.reader.index().ordinal(tree, ChunkKind::Tree)?, count) {
            (Some(ordinal), 0) => _ = self.sound.set(ordinal),
            (Some(ordinal), count) => _ = held(&self.counts).insert(ordinal, count),
            (None, _) => {}
        }
        Ok(())
    }

    /// Tells whether everything but the tree of an entry can be read.
    fn is_whole(&self, entry: &Entry, read: &ReadChunk<'_>) -> Result<bool> {
        let mut is_whole = self.are_attributes_right(entry, read)?;
        // Every one is asked: what is needed of which pack is remembered.
        if let Node::File { content } = &entry.node {
            is_whole &= self.is_content_whole(content, Some(entry.size), read)?;
        }
        if let Attributes::Stored(content) = &entry.attributes {
            is_whole &= self.is_content_whole(content, None, read)?;
        }
        Ok(is_whole)
    }

    fn is_content_whole(&self, content: &Content, bytes: Option<u64>, read: &ReadChunk<'_>) -> Result<bool> {
        match content {
            Content::Inline(pieces) => self.are_readable(pieces),
            Content::List { id, level, pieces } => {
                let is_meant = |extent: &ListExtent| extent.is(*level, *pieces, bytes);
                self.is_list_whole(id, &is_meant, read)
            }
        }
    }

    /// Tells whether a list is what somebody says of it, and everything below it can be read.
    fn is_list_whole(
        &self,
        id: &ChunkId,
        is_meant: &dyn Fn(&ListExtent) -> bool,
        read: &ReadChunk<'_>,
    ) -> Result<bool> {
        let outlive = |error| self.outlive(error).map(|()| false);
        let ordinal = match self.reader.index().ordinal(id, ChunkKind::List) {
            Ok(ordinal) => ordinal,
            Err(error) => return outlive(error),
        };
        let known = ordinal.and_then(|ordinal| held(&self.lists).get(&ordinal).copied());
        if let Some((extent, is_whole)) = known {
            return Ok(is_whole && is_meant(&extent));
        }
        let list = match read(ChunkKind::List, id).and_then(|chunk| decode_list("list", &chunk)) {
            Ok(list) => list,
            Err(error) => return outlive(error),
        };
        let extent = ListExtent::of(&list);
        if !is_meant(&extent) {
            return Ok(false);
        }
        let mut is_whole = true;
        match &list {
            ListNode::Pieces(pieces) => is_whole &= self.are_readable(pieces)?,
            // Levels fall by one: it does not go deep.
            ListNode::Inner { level, children } => {
                for child in children {
                    let is_meant = |extent: &ListExtent| extent.is(level - 1, child.pieces, Some(child.bytes));
                    is_whole &= self.is_list_whole(&child.id, &is_meant, read)?;
                }
            }
        }
        if let Some(ordinal) = ordinal {
            held(&self.lists).insert(ordinal, (extent, is_whole));
        }
        Ok(is_whole)
    }

    fn are_readable(&self, pieces: &[Piece]) -> Result<bool> {
        let mut are_readable = true;
        for piece in pieces {
            if let Some(id) = &piece.chunk {
                are_readable &= self.is_readable(id, piece.length)?;
            }
        }
        Ok(are_readable)
    }

    /// Tells whether attributes that are stored apart are some, where data is read. Whether they can be read is asked of their chunks.
    fn are_attributes_right(&self, entry: &Entry, read: &ReadChunk<'_>) -> Result<bool> {
        let Attributes::Stored(content) = &entry.attributes else { return Ok(true) };
        if !self.are_misfits_tried {
            return Ok(true);
        }
        match read_attributes(content, read) {
            Err(error) if !error.is_of_one_object() => Err(error),
            outcome => Ok(outcome.is_ok()),
        }
    }

    /// Tells whether some copy of a data chunk can be read.
    fn is_readable(&self, id: &ChunkId, length: u64) -> Result<bool> {
        let prefix = IdPrefix::from(id);
        let mut tried = Vec::new();
        let found = self.reader.index().find(id, ChunkKind::Data, &mut |location| {
            let is_there = if self.are_misfits_tried {
                self.packs.get(&location.pack.id).is_some()
            } else {
                self.packs.fault(&location.pack).is_none()
            };
            tried.push(location.pack.id);
            is_there && length == u64::from(location.length) && !self.bad.contains(location, &prefix)
        });
        match found {
            Ok(Some(_)) => Ok(true),
            Ok(None) => {
                self.need(tried);
                Ok(false)
            }
            Err(error) => self.outlive(error).map(|()| false),
        }
    }
}

impl Frame<'_> {
    fn add(&mut self, path: &[u8], names: &mut Vec<Vec<u8>>) {
        self.count = self.count.saturating_add(1);
        name(path, names);
    }
}

fn name(path: &[u8], names: &mut Vec<Vec<u8>>) {
    if names.len() < NAMED_PATHS {
        names.push(path.to_vec());
    }
}

fn name_all(paths: &[Vec<u8>], names: &mut Vec<Vec<u8>>) -> u64 {
    paths.iter().for_each(|path| name(path, names));
    paths.len() as u64
}

fn held<T>(locked: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one call.
    locked.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names in the root tree are absolute paths.
pub(crate) fn append(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() && path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}
