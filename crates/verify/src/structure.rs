//! Walks all snapshots at once: every tree and list is opened, every other chunk is located. What several snapshots
//! share is visited once, and compared with what each of those who refer to it says of it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use lbak_core::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    index::{Location, Ordinal},
    observe::Finding,
    store::ChunkReader,
    tree::{
        Attributes, Content, Entry, ListNode, NameRule, Node as EntryNode, Piece, Roots, TreeNode, TreeReader,
        decode_list, decode_tree, read_attributes,
    },
    wire,
};
use rayon::prelude::*;

use crate::{
    bits::Bits,
    heard::Heard,
    ledger::Ledger,
    node::{Node, Promise, Said},
    packs::Packs,
    records::KnownSnapshot,
    sums::{Sums, Tally},
};

/// Nodes that are opened in parallel, the last found first: what is still to be visited stays a few directories.
const AT_ONCE: usize = 64;
/// Chunks that are read to tell whether the index or a tree is wrong about their length: a look at the structure reads no more data.
const MOST_LENGTHS_TRIED: u64 = 1000;

/// The walk over everything that snapshots refer to.
pub(crate) struct Structure<'a> {
    ledger: &'a Ledger<'a>,
    reader: &'a ChunkReader,
    packs: &'a Packs,
    /// Data is read, too: then attributes that are stored apart are looked into.
    reads_data: bool,
    seen: Bits,
    /// Trees and lists that were opened, and what is in them entered.
    opened: Bits,
    heard: Heard,
    trees: AtomicU64,
    chunks: AtomicU64,
    lengths_tried: AtomicU64,
}

/// A node to open.
struct Visit {
    node: Node,
    ordinal: Ordinal,
    /// It was met before, and somebody else says something else of it.
    is_again: bool,
}

/// What was found in a node.
#[derive(Default)]
struct Found {
    /// It had not been opened before.
    is_first: bool,
    open: Vec<Visit>,
    /// The trees that stand in it, each as often as it does; none for one that is lost.
    below: Vec<Option<Ordinal>>,
    sums: Sums,
}

impl<'a> Structure<'a> {
    pub(crate) fn new(ledger: &'a Ledger<'a>, reader: &'a ChunkReader, packs: &'a Packs, reads_data: bool) -> Self {
        Self {
            ledger,
            reader,
            packs,
            reads_data,
            seen: Bits::new(&reader.index().segments()),
            opened: Bits::new(&reader.index().segments()),
            heard: Heard::default(),
            trees: AtomicU64::new(0),
            chunks: AtomicU64::new(0),
            lengths_tried: AtomicU64::new(0),
        }
    }

    pub(crate) fn trees(&self) -> u64 {
        self.trees.load(Ordering::Relaxed)
    }

    pub(crate) fn chunks(&self) -> u64 {
        self.chunks.load(Ordering::Relaxed)
    }

    /// Visits everything that these snapshots refer to, and marks those that hold far more than they count.
    pub(crate) fn walk(&self, snapshots: &mut [KnownSnapshot]) -> Result<()> {
        let segments = self.reader.index().segments();
        let mut tally = Tally::new(segments.iter().map(|segment| &**segment));
        for snapshot in snapshots.iter_mut().filter(|snapshot| !snapshot.is_forgotten) {
            let by: Arc<str> = format!("snapshot {}", snapshot.id).into();
            let mut found = Found::default();
            let said = Said::Tree { rule: NameRule::AbsolutePath, below: None };
            self.enter(&mut found, Node { id: snapshot.root, said, by: Arc::clone(&by) })?;
            for &id in &snapshot.findings {
                self.enter(&mut found, Node { id, said: Said::Findings, by: Arc::clone(&by) })?;
            }
            self.drain(found.open, &mut tally)?;
            if let Some(sums) = found.below.first().copied().flatten().and_then(|root| tally.of(root)) {
                self.compare(snapshot, &sums)?;
            }
        }
        Ok(())
    }

    fn drain(&self, mut open: Vec<Visit>, tally: &mut Tally) -> Result<()> {
        let mut unopened = Vec::new();
        while !open.is_empty() {
            self.ledger.check_cancelled()?;
            let batch = open.split_off(open.len().saturating_sub(AT_ONCE));
            let found: Result<Vec<Found>> = batch.par_iter().map(|visit| self.visit(visit)).collect();
            for (visit, found) in batch.iter().zip(found?) {
                open.extend(found.open);
                match visit.node.kind() {
                    ChunkKind::Tree if found.is_first => {
                        tally.take(visit.ordinal, found.sums, found.below.into_iter());
                    }
                    ChunkKind::Tree if !self.opened.is_set(visit.ordinal) => unopened.push(visit.ordinal),
                    _ => {}
                }
            }
        }
        // What is no directory may be a list of roots all the same: who opens it need not be the first to try.
        unopened.retain(|&tree| !self.opened.is_set(tree));
        unopened.into_iter().for_each(|tree| tally.take(tree, Sums::LOST, std::iter::empty()));
        Ok(())
    }

    /// Compares what a snapshot counts with what it holds.
    fn compare(&self, snapshot: &mut KnownSnapshot, sums: &Sums) -> Result<()> {
        if let Err(error) = snapshot.extent.allow(sums.totals.entries(), sums.bytes) {
            snapshot.is_overfull = true;
            return self.ledger.blame(error);
        }
        let counted = Sums { totals: snapshot.totals, bytes: snapshot.logical_bytes, lost: 0 };
        if counted != *sums && sums.lost == 0 {
            // No repair writes other numbers into a snapshot, and nobody lacks anything: damage it is not.
            let id = snapshot.id;
            self.ledger.note(format!(
                "snapshot {id} counts {counted} and holds {sums}: what is shown of it is wrong, nothing is lost"
            ));
        }
        Ok(())
    }

    /// Adds a node to those that are visited next, unless it was visited and nothing else was said of it.
    fn enter(&self, found: &mut Found, node: Node) -> Result<()> {
        let ordinal = self.ordinal(node.kind(), &node.id)?;
        if node.kind() == ChunkKind::Tree {
            found.below.push(ordinal);
        }
        let Some(ordinal) = ordinal else { return Ok(()) };
        if let Some(is_first) = self.heard.meet(ordinal, &node.said, || self.is_first(ordinal)) {
            found.open.push(Visit { node, ordinal, is_again: !is_first });
        }
        Ok(())
    }

    /// Tells which record is a chunk's. One that is not in the index is damage.
    fn ordinal(&self, kind: ChunkKind, id: &ChunkId) -> Result<Option<Ordinal>> {
        let ordinal = self.reader.index().ordinal(id, kind);
        match ordinal.and_then(|ordinal| ordinal.ok_or_else(|| lost(kind, id))) {
            Ok(ordinal) => Ok(Some(ordinal)),
            Err(error) => self.ledger.blame(error).map(|()| None),
        }
    }

    /// Tells whether a chunk was not met before, and counts it.
    fn is_first(&self, ordinal: Ordinal) -> bool {
        let is_first = self.seen.set(ordinal);
        self.chunks.fetch_add(u64::from(is_first), Ordering::Relaxed);
        is_first
    }

    /// Opens a node and returns what it refers to; nothing when it does not open.
    fn visit(&self, visit: &Visit) -> Result<Found> {
        let Visit { node, ordinal, is_again } = visit;
        let mut found = Found::default();
        // Others may have said the same, and were heard meanwhile.
        if *is_again && self.heard.is_true(*ordinal, &node.said) {
            return Ok(found);
        }
        let object: Arc<str> = node.object().into();
        let opened = self.reader.read(node.kind(), &node.id).and_then(|chunk| match &node.said {
            Said::Tree { rule, below } => {
                let tree = decode_tree(&object, *rule, &chunk)?;
                let is_right = self.hear(visit, node.compare_tree(below.as_ref(), &tree))?;
                found.is_first = self.opened.set(*ordinal);
                self.tree(&object, visit, is_right, tree, &mut found)
            }
            Said::List { level, pieces, bytes } => {
                let list = decode_list(&object, &chunk)?;
                self.hear(visit, node.compare_list(*level, *pieces, *bytes, &list))?;
                found.is_first = self.opened.set(*ordinal);
                if found.is_first { self.list(&object, list, &mut found) } else { Ok(()) }
            }
            Said::Findings => {
                wire::decode::<Vec<Finding>>("findings", 1, &chunk)?;
                self.heard.keep(*ordinal, &node.said);
                Ok(())
            }
        });
        opened.or_else(|error| self.tell(*ordinal, error)).map(|()| found)
    }

    /// Remembers what was said rightly of a node, and tells what was not. What is in it is looked at all the same.
    fn hear(&self, visit: &Visit, compared: Result<()>) -> Result<bool> {
        match compared {
            Ok(()) => self.heard.keep(visit.ordinal, &visit.node.said),
            Err(error) => return self.tell(visit.ordinal, error).map(|()| false),
        }
        Ok(true)
    }

    /// Tells once what is wrong with a node, however many visits find it, and in which order.
    fn tell(&self, ordinal: Ordinal, error: Error) -> Result<()> {
        if self.heard.is_new(ordinal, &error) { self.ledger.blame(error) } else { Ok(()) }
    }

    fn tree(&self, object: &Arc<str>, visit: &Visit, is_right: bool, tree: TreeNode, found: &mut Found) -> Result<()> {
        let Visit { node, ordinal, .. } = visit;
        let Said::Tree { rule, below } = &node.said else { return Ok(()) };
        let (rule, is_root) = (*rule, *rule == NameRule::AbsolutePath && below.is_none());
        self.trees.fetch_add(u64::from(found.is_first), Ordering::Relaxed);
        match tree {
            TreeNode::Run(entries) => {
                if is_root {
                    self.roots(object, *ordinal, entries.iter().map(|entry| entry.name.as_slice()))?;
                }
                if found.is_first {
                    entries.iter().try_for_each(|entry| self.entry(object, entry, found))
                } else {
                    Ok(())
                }
            }
            TreeNode::Inner { level, children } => {
                if is_root {
                    let read = |kind: ChunkKind, id: &ChunkId| self.reader.read(kind, id);
                    // What is lost of them is told when it is visited.
                    let entries = TreeReader::open(rule, node.id, &read)?.filter_map(|entry| Some(entry.ok()?.name));
                    self.roots(object, *ordinal, entries)?;
                }
                // Behind which name all of it must come, only the names of the first run tell. What does not hold here binds nothing below.
                let mut after = below.as_ref().filter(|_| is_right).and_then(|promise| promise.after().cloned());
                let entered = if found.is_first { children.len() } else { usize::from(after.is_some()) };
                for child in children.into_iter().take(entered) {
                    let (id, last) = (child.id, child.last.clone());
                    let below = Some(Promise::of(level, child, after.replace(last)));
                    self.enter(found, Node { id, said: Said::Tree { rule, below }, by: Arc::clone(object) })?;
                }
                Ok(())
            }
        }
    }

    /// No restore makes a root below another.
    fn roots(&self, object: &str, ordinal: Ordinal, names: impl Iterator<Item = impl AsRef<[u8]>>) -> Result<()> {
        let mut roots = Roots::default();
        for name in names {
            if let Some(told) = roots.meet(name.as_ref()) {
                self.tell(ordinal, Error::damaged(object, told))?;
            }
        }
        Ok(())
    }

    fn entry(&self, object: &Arc<str>, entry: &Entry, found: &mut Found) -> Result<()> {
        found.sums.meet(entry);
        match &entry.node {
            EntryNode::Directory { tree } => {
                self.enter(found, Node { id: *tree, said: Said::directory(), by: Arc::clone(object) })?;
            }
            EntryNode::File { content } => self.content(object, content, Some(entry.size), found)?,
            _ => {}
        }
        match &entry.attributes {
            Attributes::Stored(content) => {
                self.content(object, content, None, found)?;
                self.attributes(object, content)
            }
            Attributes::None | Attributes::Inline(_) => Ok(()),
        }
    }

    /// Looks into attributes that are stored apart. What does not open of them is told where that is read.
    fn attributes(&self, object: &str, content: &Content) -> Result<()> {
        if !self.reads_data {
            return Ok(());
        }
        match read_attributes(content, &|kind, id| self.reader.read(kind, id)) {
            Err(Error::Damaged { object: of, what }) if of == "attributes" => self
                .ledger
                .blame(Error::damaged(object, format!("extended attributes of an entry in it are none: {what}"))),
            Err(error) if !error.is_of_one_object() => Err(error),
            _ => Ok(()),
        }
    }

    fn content(&self, object: &Arc<str>, content: &Content, bytes: Option<u64>, found: &mut Found) -> Result<()> {
        match content {
            Content::Inline(pieces) => self.pieces(object, pieces),
            Content::List { id, level, pieces } => {
                let said = Said::List { level: *level, pieces: *pieces, bytes };
                self.enter(found, Node { id: *id, said, by: Arc::clone(object) })
            }
        }
    }

    fn list(&self, object: &Arc<str>, node: ListNode, found: &mut Found) -> Result<()> {
        match node {
            ListNode::Pieces(pieces) => self.pieces(object, &pieces),
            ListNode::Inner { level, children } => children.into_iter().try_for_each(|child| {
                let said = Said::List { level: level - 1, pieces: child.pieces, bytes: Some(child.bytes) };
                self.enter(found, Node { id: child.id, said, by: Arc::clone(object) })
            }),
        }
    }

    fn pieces(&self, object: &str, pieces: &[Piece]) -> Result<()> {
        for piece in pieces {
            if let Some(id) = &piece.chunk {
                self.data(object, id, piece.length)?;
            }
        }
        Ok(())
    }

    /// Looks for a copy of a data chunk with the right length in a pack that is as it should be.
    fn data(&self, object: &str, id: &ChunkId, length: u64) -> Result<()> {
        let (mut trouble, mut other) = (None, None);
        let found = self.reader.index().find(id, ChunkKind::Data, &mut |location: &Location| {
            let fault = self.packs.fault(&location.pack);
            let is_there = fault.is_none();
            trouble = trouble.take().or(fault);
            let is_right = u64::from(location.length) == length;
            if is_there && !is_right {
                other = other.or(Some(location.length));
            }
            is_there && is_right
        });
        match (found, other) {
            (Ok(Some(_)), _) => {
                if let Some(ordinal) = self.ordinal(ChunkKind::Data, id)? {
                    self.is_first(ordinal);
                }
                Ok(())
            }
            (Ok(None), Some(other)) => self.ledger.blame(self.wrong_length(object, id, length, other)?),
            (Ok(None), None) => self.ledger.blame(trouble.unwrap_or_else(|| lost(ChunkKind::Data, id))),
            (Err(error), _) => self.ledger.blame(error),
        }
    }

    /// Whether the index is wrong about the length of a chunk, or who refers to it: the chunk itself tells.
    fn wrong_length(&self, object: &str, id: &ChunkId, said: u64, indexed: u32) -> Result<Error> {
        let told = format!("{object} says that data chunk {id} has {said} bytes, the index says {indexed}");
        if self.lengths_tried.fetch_add(1, Ordering::Relaxed) >= MOST_LENGTHS_TRIED {
            return Ok(Error::damaged(
                object,
                format!("{told}; so much is wrong that nobody looked which of them is right"),
            ));
        }
        match self.reader.read(ChunkKind::Data, id) {
            Ok(chunk) => {
                let length = chunk.len();
                Ok(Error::damaged(object, format!("{told}, and {length} is what it has")))
            }
            Err(error) if error.is_of_one_object() => {
                Ok(Error::damaged("index", format!("{told}, and of that length there is none where it leads")))
            }
            Err(error) => Err(error),
        }
    }
}

fn lost(kind: ChunkKind, id: &ChunkId) -> Error {
    Error::Lost { what: format!("{kind:?} chunk {id}").to_lowercase() }
}
