//! A chunk of a directory or of a list that is to be opened, and what whoever refers to it says of it.
//!
//! What several refer to is opened once, and each of them may say something else: a restore compares what each says, so verify does, too.
//! It remembers a number for what was found true, and opens a node again for whoever says something else.

use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

use lbak_core::{
    error::{Error, Result, escape},
    id::{ChunkId, ChunkKind},
    tree::{Entry, ListNode, NameRule, TreeChild, TreeNode},
};

/// A node, and what is said of it.
pub(crate) struct Node {
    pub(crate) id: ChunkId,
    pub(crate) said: Said,
    /// Who says it: a tree, a list, a snapshot.
    pub(crate) by: Arc<str>,
}

/// What is said of a node.
pub(crate) enum Said {
    Tree { rule: NameRule, below: Option<Promise> },
    List { level: u8, pieces: u64, bytes: Option<u64> },
    Findings,
}

/// What an inner node of a directory promises of a child.
#[derive(Hash)]
pub(crate) struct Promise {
    level: u8,
    entries: u64,
    last: Vec<u8>,
    /// The last name before it.
    after: Option<Vec<u8>>,
}

impl Node {
    /// What errors call it.
    pub(crate) fn object(&self) -> String {
        match self.kind() {
            ChunkKind::Tree => format!("tree {}", self.id.short()),
            _ => format!("list {}", self.id.short()),
        }
    }

    pub(crate) fn kind(&self) -> ChunkKind {
        match self.said {
            Said::Tree { .. } => ChunkKind::Tree,
            Said::List { .. } | Said::Findings => ChunkKind::List,
        }
    }

    /// That what was said of a node does not hold.
    fn contradicted(&self, said: &str, holds: &str) -> Error {
        let by = &self.by;
        let what = if said == holds { String::new() } else { format!(": {by} says {said}, and it holds {holds}") };
        Error::damaged(self.object(), format!("it does not hold what {by} tells of{what}"))
    }

    /// Compares a tree with what is said of it.
    pub(crate) fn compare_tree(&self, below: Option<&Promise>, node: &TreeNode) -> Result<()> {
        let Some(promise) = below else { return Ok(()) };
        let (level, entries, first, last) = bounds(node);
        let is_behind = |after: &Vec<u8>| first.is_some_and(|first| first > after.as_slice());
        if !promise.after.as_ref().is_none_or(is_behind) {
            let after = escape(promise.after.as_deref().unwrap_or_default());
            let first = escape(first.unwrap_or_default());
            return Err(self.contradicted(&format!("names behind \"{after}\""), &format!("names from \"{first}\" on")));
        }
        let tell = |level: u8, entries: u64, last: &[u8]| {
            format!("{entries} entries up to \"{}\" at level {level}", escape(last))
        };
        let (said, holds) = (tell(promise.level, promise.entries, &promise.last), (level, entries, last));
        match holds == (promise.level, promise.entries, Some(promise.last.as_slice())) {
            true => Ok(()),
            false => Err(self.contradicted(&said, &tell(level, entries, last.unwrap_or_default()))),
        }
    }

    /// Compares a list with what is said of it.
    pub(crate) fn compare_list(&self, level: u8, pieces: u64, bytes: Option<u64>, node: &ListNode) -> Result<()> {
        let holds = ListExtent::of(node);
        if holds.is(level, pieces, bytes) {
            return Ok(());
        }
        let said = ListExtent { level, pieces, bytes: bytes.unwrap_or(holds.bytes) };
        Err(self.contradicted(&said.to_string(), &holds.to_string()))
    }
}

/// How much a list holds, as its own node says.
#[derive(Clone, Copy)]
pub(crate) struct ListExtent {
    level: u8,
    pieces: u64,
    bytes: u64,
}

impl ListExtent {
    pub(crate) fn of(node: &ListNode) -> Self {
        // Sums do not overflow: decoding has checked them.
        match node {
            ListNode::Pieces(pieces) => {
                let bytes = pieces.iter().map(|piece| piece.length).sum();
                Self { level: 0, pieces: pieces.len() as u64, bytes }
            }
            ListNode::Inner { level, children } => Self {
                level: *level,
                pieces: children.iter().map(|child| child.pieces).sum(),
                bytes: children.iter().map(|child| child.bytes).sum(),
            },
        }
    }

    /// Tells whether that is what somebody says of it, who may not know of the bytes.
    pub(crate) fn is(&self, level: u8, pieces: u64, bytes: Option<u64>) -> bool {
        (self.level, self.pieces) == (level, pieces) && bytes.is_none_or(|bytes| bytes == self.bytes)
    }
}

impl fmt::Display for ListExtent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, pieces, bytes } = self;
        write!(f, "{pieces} pieces with {bytes} bytes at level {level}")
    }
}

impl Said {
    /// The entries of a directory, whichever they are.
    pub(crate) fn directory() -> Self {
        Self::Tree { rule: NameRule::Component, below: None }
    }

    /// A number for what is said; none for what is said of nearly every tree, that it is a directory.
    pub(crate) fn number(&self, numbers: &impl BuildHasher) -> Option<u64> {
        let mut hasher = numbers.build_hasher();
        match self {
            Self::Tree { rule: NameRule::Component, below: None } => return None,
            Self::Tree { rule, below } => (0, *rule == NameRule::Component, below).hash(&mut hasher),
            Self::List { level, pieces, bytes } => (1, level, pieces, bytes).hash(&mut hasher),
            Self::Findings => 2.hash(&mut hasher),
        }
        Some(hasher.finish())
    }
}

impl Promise {
    /// What a node of this level says of a child, behind this name.
    pub(crate) fn of(level: u8, child: TreeChild, after: Option<Vec<u8>>) -> Self {
        Self { level: level - 1, entries: child.entries, last: child.last, after }
    }

    /// The last name before what it is about.
    pub(crate) fn after(&self) -> Option<&Vec<u8>> {
        self.after.as_ref()
    }
}

/// Level, entries, first and last name.
fn bounds(node: &TreeNode) -> (u8, u64, Option<&[u8]>, Option<&[u8]>) {
    fn name(entry: Option<&Entry>) -> Option<&[u8]> {
        entry.map(|entry| entry.name.as_slice())
    }
    fn last(child: Option<&TreeChild>) -> Option<&[u8]> {
        child.map(|child| child.last.as_slice())
    }
    match node {
        TreeNode::Run(entries) => (0, entries.len() as u64, name(entries.first()), name(entries.last())),
        TreeNode::Inner { level, children } => {
            // No overflow: decoding has added them up.
            (*level, children.iter().map(|child| child.entries).sum(), last(children.first()), last(children.last()))
        }
    }
}
