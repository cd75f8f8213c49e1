//! Directories as they are stored: entries, the runs and levels of large directories, the lists of large files.
//!
//! ```text
//! directory            level 1   ┌ child ┐┌ child ┐         file of many pieces     level 1   ┌ child ┐┌ child ┐
//! (kind tree)          level 0   entries  entries           (kind list)             level 0    pieces   pieces
//! ```
//!
//! A small directory is one chunk of entries, a small file a few pieces inside its entry. Both grow by levels that are
//! cut where their content says so, so that an insertion rewrites a few chunks and nothing has to be held whole.
//!
//! No I/O happens here: writers get a closure that stores a chunk, readers one that gives it. All decoding is total and
//! strict (rule I7): what decodes encodes to the same bytes. `docs/format.md` section 8 describes the bytes.

mod name;

mod entry;

mod varint;

mod check;

mod encode;

mod decode;

mod directory;

mod reader;

mod list;

mod pieces;

mod attributes;

mod references;

mod roots;

#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod list_tests;

use bytes::Bytes;

pub use attributes::read_attributes;
pub use decode::{decode_attributes, decode_list, decode_tree};
pub use directory::TreeWriter;
pub use encode::{encode_attributes, encode_list, encode_tree};
pub use entry::{Attributes, Content, Entry, EntryFlags, Node, Piece};
pub use list::ContentWriter;
pub use name::{NAME_LIMIT, NameRule, check_name};
pub use pieces::{ContentReader, LostPieces, PlacedPiece};
pub use reader::{LostRun, TreeReader};
pub use references::{Reference, for_each_reference};
pub use roots::Roots;

use crate::{
    error::Result,
    id::{ChunkId, ChunkKind},
};

/// Stores one chunk and returns its id.
pub type StoreChunk<'a> = dyn FnMut(ChunkKind, Vec<u8>) -> Result<ChunkId> + 'a;

/// Returns the plain bytes of one chunk, hashed and compared with its id by the callee (rule I14).
pub type ReadChunk<'a> = dyn Fn(ChunkKind, &ChunkId) -> Result<Bytes> + 'a;

/// Most bytes of a tree chunk that holds more than one item.
pub const RUN_LIMIT: usize = 61_440;

/// Highest level of a directory's nodes. Levels fall by one, so no reader goes deeper than this.
pub const TREE_LEVEL_LIMIT: u8 = 15;

/// Highest level of a list's nodes: 128 items to the tenth are more than 2^63 pieces.
pub const LIST_LEVEL_LIMIT: u8 = 10;

/// Most pieces that stand in the entry itself.
pub const INLINE_PIECES: usize = 512;

/// A list node is not cut before this many items.
pub const LIST_MINIMUM: usize = 128;

/// A list node is cut after this many items at the latest.
pub const LIST_MAXIMUM: usize = 2_048;

/// Attributes whose encoding is longer are stored as chunks of their own.
pub const INLINE_ATTRIBUTES: usize = 16_384;

/// One chunk of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeNode {
    /// Level 0: entries in the order of their names.
    Run(Vec<Entry>),
    /// A higher level: where the nodes of the level below are.
    Inner {
        /// One more than the level of the children.
        level: u8,
        /// At least one.
        children: Vec<TreeChild>,
    },
}

/// Where a node of the level below is, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeChild {
    /// The chunk.
    pub id: ChunkId,
    /// Entries below it, on all levels.
    pub entries: u64,
    /// The last name below it.
    pub last: Vec<u8>,
}

/// One chunk of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListNode {
    /// Level 0: pieces in the order of the file.
    Pieces(Vec<Piece>),
    /// A higher level.
    Inner {
        /// One more than the level of the children.
        level: u8,
        /// At least one.
        children: Vec<ListChild>,
    },
}

/// Where a list node of the level below is, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListChild {
    /// The chunk.
    pub id: ChunkId,
    /// Pieces below it.
    pub pieces: u64,
    /// Bytes of the file below it.
    pub bytes: u64,
}
