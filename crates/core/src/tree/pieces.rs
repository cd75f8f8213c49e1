//! Reads the pieces of a file in their order, from any byte on, one list node per level at a time.
//!
//! What a node promises about its children (level, pieces, bytes) is compared with what they hold. A part of the list
//! that is damaged or lost is told once, with the bytes it stood for, and reading goes on behind it.

use std::vec;

use super::{
    Content, ListChild, ListNode, Piece, ReadChunk,
    attributes::{MOST_ATTRIBUTES, too_many},
    decode_list,
};
use crate::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
};

/// A piece and where in the file it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedPiece {
    /// Of its first byte.
    pub offset: u64,
    /// The piece.
    pub piece: Piece,
}

/// Part of a list that can not be read.
#[derive(Debug, thiserror::Error)]
#[error("{pieces} pieces from byte {offset} on are lost")]
pub struct LostPieces {
    /// Where in the file they lie.
    pub offset: u64,
    /// Their bytes; `None` when the whole list of a content of unknown size is lost.
    pub bytes: Option<u64>,
    /// How many there are.
    pub pieces: u64,
    /// Why. Ask [`Error::is_damage`] before going on: a store that does not answer is not damage.
    #[source]
    pub error: Error,
}

/// The pieces of one content. Holds one node per level.
#[expect(missing_debug_implementations, reason = "holds a closure")]
pub struct ContentReader<'a> {
    read: &'a ReadChunk<'a>,
    content: &'a Content,
    size: Option<u64>,
    root: Option<Child>,
    pieces: vec::IntoIter<Piece>,
    above: Vec<(u8, vec::IntoIter<ListChild>)>,
    /// Of the next piece.
    offset: u64,
    /// What ends at or before this is passed over.
    wanted: u64,
}

/// A node still to be read, and what is known about it.
#[derive(Clone, Copy)]
struct Child {
    id: ChunkId,
    level: u8,
    pieces: u64,
    bytes: Option<u64>,
}

impl<'a> ContentReader<'a> {
    /// Reads `content`, which has `size` bytes (an entry tells; `None` for attributes that are stored apart). Nothing is read yet.
    #[must_use]
    pub fn new(content: &'a Content, size: Option<u64>, read: &'a ReadChunk<'a>) -> Self {
        let nothing = Vec::new().into_iter();
        let mut reader =
            Self { read, content, size, root: None, pieces: nothing, above: Vec::new(), offset: 0, wanted: 0 };
        reader.seek(0);
        reader
    }

    /// Goes to the piece that holds this byte, or to the end; nodes that lie before it are not read.
    pub fn seek(&mut self, offset: u64) {
        self.above.clear();
        self.offset = 0;
        self.wanted = offset;
        (self.pieces, self.root) = match self.content {
            Content::Inline(pieces) => (pieces.clone().into_iter(), None),
            Content::List { id, level, pieces } => {
                (Vec::new().into_iter(), Some(Child { id: *id, level: *level, pieces: *pieces, bytes: self.size }))
            }
        };
    }

    fn next_child(&mut self) -> Option<Child> {
        if let Some(root) = self.root.take() {
            return Some(root);
        }
        loop {
            let (level, children) = self.above.last_mut()?;
            if let Some(child) = children.next() {
                return Some(Child { id: child.id, level: *level - 1, pieces: child.pieces, bytes: Some(child.bytes) });
            }
            self.above.pop();
        }
    }

    /// Reads a node and compares it with what the node above, or the entry, says about it.
    fn read_child(&self, child: &Child) -> Result<ListNode> {
        let object = format!("list {}", child.id.short());
        let node = decode_list(&object, &(self.read)(ChunkKind::List, &child.id)?)?;
        // Sums do not overflow: decoding has checked them.
        let (level, pieces, bytes) = match &node {
            ListNode::Pieces(pieces) => (0, pieces.len() as u64, pieces.iter().map(|piece| piece.length).sum::<u64>()),
            ListNode::Inner { level, children } => (
                *level,
                children.iter().map(|child| child.pieces).sum(),
                children.iter().map(|child| child.bytes).sum(),
            ),
        };
        if level != child.level {
            return Err(Error::damaged(object, "its level is not the one below"));
        }
        if pieces != child.pieces || child.bytes.is_some_and(|expected| expected != bytes) {
            return Err(Error::damaged(object, "it does not hold the pieces that the level above tells of"));
        }
        // No entry tells how long attributes are; a list of lists may tell of any number of bytes.
        if child.bytes.is_none() && bytes > MOST_ATTRIBUTES as u64 {
            return Err(too_many(&object));
        }
        Ok(node)
    }
}

impl Iterator for ContentReader<'_> {
    type Item = Result<PlacedPiece, LostPieces>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(piece) = self.pieces.next() {
                let offset = self.offset;
                self.offset = offset.saturating_add(piece.length);
                if self.offset <= self.wanted {
                    continue;
                }
                return Some(Ok(PlacedPiece { offset, piece }));
            }
            let child = self.next_child()?;
            let end = child.bytes.map(|bytes| self.offset.saturating_add(bytes));
            if end.is_some_and(|end| end <= self.wanted) {
                self.offset = end.unwrap_or(self.offset);
                continue;
            }
            match self.read_child(&child) {
                Ok(ListNode::Pieces(pieces)) => self.pieces = pieces.into_iter(),
                Ok(ListNode::Inner { level, children }) => self.above.push((level, children.into_iter())),
                Err(error) => {
                    let offset = self.offset;
                    self.offset = end.unwrap_or(offset);
                    return Some(Err(LostPieces { offset, bytes: child.bytes, pieces: child.pieces, error }));
                }
            }
        }
    }
}
