//! Directories under construction: each waits for its files and subdirectories, then becomes a tree.
//!
//! A directory whose entries are all as the parent snapshot has them keeps the parent's tree: it is neither encoded
//! nor hashed nor looked up. Only one with very many entries is encoded while it is listed, so that they need not all be
//! held in memory.

use std::collections::VecDeque;

use super::{batch::Ticket, chunks::ChunkStore};
use crate::{
    error::Result,
    id::ChunkId,
    keys::Keys,
    tree::{Entry, EntryFlags, NameRule, Node, TreeWriter},
};

/// Entries of one directory that are held before the first of them are encoded: a few MiB.
const HELD_ENTRIES: usize = 4096;

/// A directory whose entries are coming in.
pub(super) struct Directory<'k> {
    /// Where its own entry goes; `None` for the list of roots.
    parent: Option<Ticket>,
    /// Its own entry; the tree in it is put in at the end.
    entry: Option<Entry>,
    /// Its own entry in the parent snapshot.
    known: Option<Entry>,
    /// Its tree in the parent snapshot, when that may be used again.
    known_tree: Option<ChunkId>,
    /// Something in it is not as the parent snapshot has it.
    differs: bool,
    rule: NameRule,
    /// Those that are not encoded yet.
    slots: VecDeque<Slot>,
    /// How many were encoded and are no longer there.
    passed: usize,
    writer: Option<TreeWriter<'k>>,
    /// Slots that something is still to come for.
    missing: usize,
    /// No more slots will be added.
    is_listed: bool,
}

/// The place of one name.
enum Slot {
    /// Something is still to come.
    Expected,
    Here(Box<Entry>),
    LeftOut,
}

/// All directories under construction.
pub(super) struct Directories<'k> {
    keys: &'k Keys,
    open: Vec<Option<Directory<'k>>>,
    free: Vec<usize>,
    /// The tree of the roots, when it is there.
    pub(super) root: Option<ChunkId>,
}

/// What a new directory begins with.
pub(super) struct Beginning {
    pub(super) parent: Option<Ticket>,
    pub(super) entry: Option<Entry>,
    pub(super) known: Option<Entry>,
    pub(super) known_tree: Option<ChunkId>,
}

impl<'k> Directories<'k> {
    pub(super) fn new(keys: &'k Keys) -> Self {
        Self { keys, open: Vec::new(), free: Vec::new(), root: None }
    }

    /// Begins a directory and returns its number.
    pub(super) fn begin(&mut self, beginning: Beginning) -> usize {
        let rule = if beginning.parent.is_some() { NameRule::Component } else { NameRule::AbsolutePath };
        let directory = Directory {
            parent: beginning.parent,
            entry: beginning.entry,
            known: beginning.known,
            known_tree: beginning.known_tree,
            differs: false,
            rule,
            slots: VecDeque::new(),
            passed: 0,
            writer: None,
            missing: 0,
            is_listed: false,
        };
        match self.free.pop() {
            Some(number) => {
                self.open[number] = Some(directory);
                number
            }
            None => {
                self.open.push(Some(directory));
                self.open.len() - 1
            }
        }
    }

    /// Adds the next entry in the order of names.
    pub(super) fn add(&mut self, number: usize, entry: Entry, chunks: &mut ChunkStore<'_>) -> Result<()> {
        let keys = self.keys;
        let directory = self.get(number);
        directory.slots.push_back(Slot::Here(Box::new(entry)));
        directory.encode_some(keys, chunks)
    }

    /// Keeps a place for an entry that is still to come.
    pub(super) fn expect(&mut self, number: usize) -> Ticket {
        let directory = self.get(number);
        directory.slots.push_back(Slot::Expected);
        directory.missing += 1;
        Ticket { directory: number, slot: directory.passed + directory.slots.len() - 1 }
    }

    /// Notes that a directory is not as the parent snapshot has it.
    pub(super) fn differs(&mut self, number: usize) {
        self.get(number).differs = true;
    }

    /// Notes that a directory could not be listed: it stands empty, with a flag.
    pub(super) fn unread(&mut self, number: usize) {
        let directory = self.get(number);
        directory.differs = true;
        if let Some(entry) = &mut directory.entry {
            entry.flags.insert(EntryFlags::CONTENT_UNREAD);
        }
    }

    /// Notes that names of a directory were left out by choice, which its entry tells.
    pub(super) fn left_out(&mut self, number: usize) {
        if let Some(entry) = &mut self.get(number).entry {
            entry.flags.insert(EntryFlags::NAMES_LEFT_OUT);
        }
    }

    /// Notes that a directory has no more entries than were added or are expected.
    pub(super) fn listed(&mut self, number: usize, chunks: &mut ChunkStore<'_>) -> Result<()> {
        self.get(number).is_listed = true;
        self.complete(number, chunks)
    }

    /// Puts an expected entry in its place, or none when it is left out.
    pub(super) fn arrived(&mut self, ticket: Ticket, entry: Option<Entry>, chunks: &mut ChunkStore<'_>) -> Result<()> {
        let keys = self.keys;
        let directory = self.get(ticket.directory);
        directory.differs |= entry.is_none();
        directory.fill(ticket, entry);
        directory.encode_some(keys, chunks)?;
        self.complete(ticket.directory, chunks)
    }

    /// Turns a directory into a tree when nothing is missing any more, and then, perhaps, the one above it.
    fn complete(&mut self, mut number: usize, chunks: &mut ChunkStore<'_>) -> Result<()> {
        let keys = self.keys;
        while self.get(number).is_complete() {
            let mut directory = self.open[number].take().expect("an open directory: it was just looked at");
            self.free.push(number);
            let tree = directory.tree(keys, chunks)?;
            let (Some(ticket), Some(mut entry)) = (directory.parent, directory.entry) else {
                self.root = Some(tree);
                return Ok(());
            };
            entry.node = Node::Directory { tree };
            let above = self.get(ticket.directory);
            above.differs |= directory.known.as_ref() != Some(&entry);
            above.fill(ticket, Some(entry));
            above.encode_some(keys, chunks)?;
            number = ticket.directory;
        }
        Ok(())
    }

    fn get(&mut self, number: usize) -> &mut Directory<'k> {
        self.open[number].as_mut().expect("tickets are given out for open directories alone")
    }
}

impl<'k> Directory<'k> {
    fn is_complete(&self) -> bool {
        self.is_listed && self.missing == 0
    }

    fn fill(&mut self, ticket: Ticket, entry: Option<Entry>) {
        self.slots[ticket.slot - self.passed] = entry.map_or(Slot::LeftOut, |entry| Slot::Here(Box::new(entry)));
        self.missing -= 1;
    }

    /// Encodes from the front while very many entries are held, up to the first that is still to come.
    fn encode_some(&mut self, keys: &'k Keys, chunks: &mut ChunkStore<'_>) -> Result<()> {
        while self.slots.len() > HELD_ENTRIES && !matches!(self.slots.front(), None | Some(Slot::Expected)) {
            self.encode_first(keys, chunks)?;
        }
        Ok(())
    }

    fn encode_first(&mut self, keys: &'k Keys, chunks: &mut ChunkStore<'_>) -> Result<()> {
        let writer = self.writer.get_or_insert_with(|| TreeWriter::new(keys, self.rule));
        let mut store = |kind, chunk: Vec<u8>| chunks.store(kind, &chunk);
        if let Some(slot) = self.slots.pop_front() {
            self.passed += 1;
            if let Slot::Here(entry) = slot {
                writer.push(&entry, &mut store)?;
            }
        }
        Ok(())
    }

    fn tree(&mut self, keys: &'k Keys, chunks: &mut ChunkStore<'_>) -> Result<ChunkId> {
        if let Some(tree) = self.known_tree.filter(|_| !self.differs) {
            return Ok(tree);
        }
        while !self.slots.is_empty() {
            self.encode_first(keys, chunks)?;
        }
        let writer = self.writer.take().unwrap_or_else(|| TreeWriter::new(keys, self.rule));
        let mut store = |kind, chunk: Vec<u8>| chunks.store(kind, &chunk);
        writer.finish(&mut store)
    }
}
