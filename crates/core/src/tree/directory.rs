//! Writes a directory: entries in the order of their names, cut into runs, runs into levels.
//!
//! A node is closed only when an item comes that does not belong to it any more, so that a directory of one run never
//! gets a level above it. One open node per level is all that is held, however large the directory.

use super::{
    Entry, NameRule, RUN_LIMIT, StoreChunk, TREE_LEVEL_LIMIT, TreeChild, check,
    encode::{VERSION, put_entry, put_tree_child},
};
use crate::{
    chunk::LARGEST_CHUNK,
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    keys::Keys,
};

/// Takes the entries of one directory in the order of their names.
#[derive(Debug)]
pub struct TreeWriter<'k> {
    keys: &'k Keys,
    rule: NameRule,
    levels: Vec<OpenNode>,
    item: Vec<u8>,
}

/// The node of one level that items still come to.
#[derive(Debug)]
struct OpenNode {
    bytes: Vec<u8>,
    entries: u64,
    last: Vec<u8>,
    is_cut: bool,
    has_closed_one: bool,
}

impl OpenNode {
    fn new(level: u8) -> Self {
        Self { bytes: vec![VERSION, level], entries: 0, last: Vec::new(), is_cut: false, has_closed_one: false }
    }

    /// Stores the node and starts the next one.
    fn close(&mut self, level: u8, store: &mut StoreChunk<'_>) -> Result<TreeChild> {
        let bytes = std::mem::replace(&mut self.bytes, vec![VERSION, level]);
        let child = TreeChild {
            id: store(ChunkKind::Tree, bytes)?,
            entries: std::mem::take(&mut self.entries),
            last: std::mem::take(&mut self.last),
        };
        self.is_cut = false;
        self.has_closed_one = true;
        Ok(child)
    }
}

impl<'k> TreeWriter<'k> {
    /// A writer for one directory.
    #[must_use]
    pub fn new(keys: &'k Keys, rule: NameRule) -> Self {
        Self { keys, rule, levels: vec![OpenNode::new(0)], item: Vec::new() }
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// What `store` returns; [`Error::Invalid`] for an entry that is out of order or that could not be read back;
    /// [`Error::TooLarge`] when it does not fit into a chunk.
    pub fn push(&mut self, entry: &Entry, store: &mut StoreChunk<'_>) -> Result<()> {
        check::entry(self.rule, entry).map_err(|malformed| invalid(&entry.name, &malformed.in_object("it")))?;
        let is_first = self.levels.len() == 1 && self.levels[0].entries == 0;
        if !is_first && self.last_name() >= entry.name.as_slice() {
            return Err(invalid(&entry.name, &"names are out of order or twice"));
        }
        let mut item = std::mem::take(&mut self.item);
        item.clear();
        put_entry(&mut item, entry);
        let pushed = if item.len() + 2 > LARGEST_CHUNK as usize {
            let what = format!("the entry \"{}\"", crate::error::escape(&entry.name));
            Err(Error::TooLarge { what, limit: format!("{LARGEST_CHUNK} bytes") })
        } else {
            self.add(0, &item, 1, &entry.name, store)
        };
        self.item = item;
        pushed
    }

    /// Stores what is still open and returns the id of the one chunk of the highest level.
    ///
    /// # Errors
    /// What `store` returns.
    pub fn finish(mut self, store: &mut StoreChunk<'_>) -> Result<ChunkId> {
        let mut level = 0;
        loop {
            let node = &mut self.levels[usize::from(level)];
            let is_root = !node.has_closed_one;
            let child = node.close(level, store)?;
            if is_root {
                return Ok(child.id);
            }
            self.add_child(level + 1, &child, store)?;
            level += 1;
        }
    }

    fn last_name(&self) -> &[u8] {
        // A closed node has left its last name in a level above.
        self.levels.iter().map(|node| node.last.as_slice()).find(|last| !last.is_empty()).unwrap_or_default()
    }

    /// Adds an encoded item to a level, closing its open node first when the item belongs to the next one.
    fn add(&mut self, level: u8, item: &[u8], entries: u64, last: &[u8], store: &mut StoreChunk<'_>) -> Result<()> {
        let node = &mut self.levels[usize::from(level)];
        let is_full = node.entries > 0 && node.bytes.len() + item.len() > RUN_LIMIT;
        if node.is_cut || is_full {
            let child = node.close(level, store)?;
            self.add_child(level + 1, &child, store)?;
        }
        let is_cut = is_cut(self.keys.run_hash(last), level);
        let node = &mut self.levels[usize::from(level)];
        node.bytes.extend_from_slice(item);
        node.entries += entries;
        last.clone_into(&mut node.last);
        node.is_cut = is_cut;
        Ok(())
    }

    fn add_child(&mut self, level: u8, child: &TreeChild, store: &mut StoreChunk<'_>) -> Result<()> {
        if level > TREE_LEVEL_LIMIT {
            return Err(Error::TooLarge { what: "a directory".into(), limit: format!("{TREE_LEVEL_LIMIT} levels") });
        }
        if self.levels.len() == usize::from(level) {
            self.levels.push(OpenNode::new(level));
        }
        let mut item = Vec::new();
        put_tree_child(&mut item, child);
        self.add(level, &item, child.entries, &child.last, store)
    }
}

/// Tells whether a node of this level ends after the item: eight bits of the name's hash for each of eight levels, none above.
fn is_cut(hash: u64, level: u8) -> bool {
    hash.checked_shr(u32::from(level) * 8).is_some_and(|bits| bits & 0xff == 0)
}

fn invalid(name: &[u8], what: &dyn std::fmt::Display) -> Error {
    Error::Invalid { what: format!("the entry \"{}\" can not be stored: {what}", crate::error::escape(name)) }
}
