//! Reads a directory in the order of its names, one run at a time.
//!
//! What a node promises about its children (level, count of entries, last name) is compared with what they hold. A run
//! that is damaged or lost is told once, with what is known about it, and reading goes on behind it.

use std::vec;

use bytes::Bytes;

use super::{Entry, NameRule, ReadChunk, TreeChild, TreeNode, check, decode_tree};
use crate::{
    error::{Error, Result, escape},
    id::{ChunkId, ChunkKind},
};

/// Part of a directory that can not be read.
#[derive(Debug, thiserror::Error)]
#[error("{entries} entries up to \"{}\" are lost", escape(last))]
pub struct LostRun {
    /// All of them sort behind this name; `None` at the front of the directory.
    pub after: Option<Vec<u8>>,
    /// The last of them.
    pub last: Vec<u8>,
    /// How many there are.
    pub entries: u64,
    /// Why. Ask [`Error::is_damage`] before going on: a store that does not answer is not damage.
    #[source]
    pub error: Error,
}

/// The entries of one directory. Holds one run and one node per level.
#[expect(missing_debug_implementations, reason = "holds a closure")]
pub struct TreeReader<'a> {
    read: &'a ReadChunk<'a>,
    rule: NameRule,
    id: ChunkId,
    root: Bytes,
    entries: Option<u64>,
    run: vec::IntoIter<Entry>,
    above: Vec<(u8, vec::IntoIter<TreeChild>)>,
    /// The last name that was passed, read or lost.
    passed: Option<Vec<u8>>,
}

impl<'a> TreeReader<'a> {
    /// Reads the chunk of the highest level.
    ///
    /// # Errors
    /// What `read` returns; [`Error::Damaged`] or [`Error::Newer`] when the chunk does not decode.
    pub fn open(rule: NameRule, id: ChunkId, read: &'a ReadChunk<'a>) -> Result<Self> {
        let root = read(ChunkKind::Tree, &id)?;
        let mut reader =
            Self { read, rule, id, root, entries: None, run: Vec::new().into_iter(), above: Vec::new(), passed: None };
        let node = reader.decode_root()?;
        reader.entries = Some(match &node {
            TreeNode::Run(entries) => entries.len() as u64,
            TreeNode::Inner { children, .. } => children.iter().map(|child| child.entries).sum(),
        });
        reader.descend(node);
        Ok(reader)
    }

    /// How many entries the whole directory has, as its highest level says.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries.unwrap_or_default()
    }

    /// Looks for one name in the whole directory, wherever the iteration stands; reads one chunk per level.
    ///
    /// # Errors
    /// When a chunk on the way to the name can not be read: the entry may or may not be there.
    pub fn find(&self, name: &[u8]) -> Result<Option<Entry>> {
        let mut node = self.decode_root()?;
        let mut after: Option<Vec<u8>> = None;
        loop {
            let (level, children) = match node {
                TreeNode::Run(mut entries) => {
                    let found = entries.binary_search_by(|entry| entry.name.as_slice().cmp(name));
                    return Ok(found.ok().map(|place| entries.swap_remove(place)));
                }
                TreeNode::Inner { level, children } => (level, children),
            };
            let place = children.partition_point(|child| child.last.as_slice() < name);
            let mut children = children.into_iter().skip(place.saturating_sub(1));
            if place > 0 {
                after = children.next().map(|child| child.last);
            }
            let Some(child) = children.next() else {
                return Ok(None);
            };
            node = self.read_child(level, &child, after.as_deref())?;
        }
    }

    fn decode_root(&self) -> Result<TreeNode> {
        decode_tree(&object(&self.id), self.rule, &self.root)
    }

    fn descend(&mut self, node: TreeNode) {
        match node {
            TreeNode::Run(entries) => self.run = entries.into_iter(),
            TreeNode::Inner { level, children } => self.above.push((level, children.into_iter())),
        }
    }

    /// Reads a node and compares it with what the node above says about it.
    fn read_child(&self, level: u8, child: &TreeChild, after: Option<&[u8]>) -> Result<TreeNode> {
        let bytes = (self.read)(ChunkKind::Tree, &child.id)?;
        let node = decode_tree(&object(&child.id), self.rule, &bytes)?;
        let damaged = |what: &str| Error::damaged(object(&child.id), what);
        let (found_level, entries, first, last) = match &node {
            TreeNode::Run(entries) => {
                let name = |entry: Option<&Entry>| entry.map(|entry| entry.name.clone());
                (0, entries.len() as u64, name(entries.first()), name(entries.last()))
            }
            TreeNode::Inner { level, children } => {
                let entries = check::tree_children(self.rule, children)
                    .map_err(|malformed| malformed.in_object(&object(&child.id)))?;
                let last = |child: Option<&TreeChild>| child.map(|child| child.last.clone());
                (*level, entries, last(children.first()), last(children.last()))
            }
        };
        if found_level + 1 != level {
            return Err(damaged("its level is not the one below"));
        }
        if entries != child.entries || last.as_deref() != Some(child.last.as_slice()) {
            return Err(damaged("it does not hold the entries that the level above tells of"));
        }
        if after.is_some_and(|after| first.as_deref().is_none_or(|first| first <= after)) {
            return Err(damaged("its names lie before those of the part before it"));
        }
        Ok(node)
    }
}

impl Iterator for TreeReader<'_> {
    type Item = Result<Entry, LostRun>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.run.next() {
                if self.run.len() == 0 && !self.above.is_empty() {
                    self.passed = Some(entry.name.clone());
                }
                return Some(Ok(entry));
            }
            let (level, children) = self.above.last_mut()?;
            let level = *level;
            let Some(child) = children.next() else {
                self.above.pop();
                continue;
            };
            match self.read_child(level, &child, self.passed.as_deref()) {
                Ok(node) => self.descend(node),
                Err(error) => {
                    let after = self.passed.replace(child.last.clone());
                    return Some(Err(LostRun { after, last: child.last, entries: child.entries, error }));
                }
            }
        }
    }
}

fn object(id: &ChunkId) -> String {
    format!("tree {}", id.short())
}
