//! Writes the pieces of a file: a few into its entry, more into chunks of kind list, level by level.
//!
//! One open node per level is all that is held. As in a directory, a node is closed only when an item comes that does
//! not belong to it any more, so that no level stands above a single node.

use super::{
    Content, INLINE_PIECES, LIST_LEVEL_LIMIT, LIST_MAXIMUM, LIST_MINIMUM, ListChild, Piece, StoreChunk, check,
    encode::{VERSION, put_list_child, put_piece},
};
use crate::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
};

/// Takes the pieces of one file in their order. Holes that touch become one, so that equal files have equal lists.
#[derive(Debug, Default)]
pub struct ContentWriter {
    inline: Vec<Piece>,
    hole_bytes: u64,
    levels: Vec<OpenList>,
    pieces: u64,
    bytes: u64,
}

/// The node of one level that items still come to.
#[derive(Debug)]
struct OpenList {
    encoded: Vec<u8>,
    items: usize,
    pieces: u64,
    bytes: u64,
    is_cut: bool,
    has_closed_one: bool,
}

/// What an item adds to the node that it comes to.
struct Item<'a> {
    encoded: &'a [u8],
    chunk: Option<ChunkId>,
    pieces: u64,
    bytes: u64,
}

impl OpenList {
    fn new(level: u8) -> Self {
        Self { encoded: vec![VERSION, level], items: 0, pieces: 0, bytes: 0, is_cut: false, has_closed_one: false }
    }

    /// Stores the node and starts the next one.
    fn close(&mut self, level: u8, store: &mut StoreChunk<'_>) -> Result<ListChild> {
        let node = std::mem::replace(self, Self { has_closed_one: true, ..Self::new(level) });
        Ok(ListChild { id: store(ChunkKind::List, node.encoded)?, pieces: node.pieces, bytes: node.bytes })
    }
}

impl ContentWriter {
    /// A writer for one file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of all pieces so far: the size of the entry.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds the next piece. A hole of no length is nothing.
    ///
    /// # Errors
    /// What `store` returns; [`Error::Invalid`] for a piece that could not be read back, or more than 2^63 bytes in all.
    pub fn push(&mut self, piece: Piece, store: &mut StoreChunk<'_>) -> Result<()> {
        let is_hole = piece.chunk.is_none();
        if is_hole && piece.length == 0 {
            return Ok(());
        }
        check::pieces(&[piece]).map_err(|_| invalid("a piece has an impossible length"))?;
        let bytes = self.bytes.checked_add(piece.length).filter(|&bytes| bytes <= u64::MAX >> 1);
        self.bytes = bytes.ok_or_else(|| invalid("a file has more than 2^63 bytes"))?;
        if is_hole {
            self.hole_bytes += piece.length;
            return Ok(());
        }
        self.end_hole(store)?;
        self.place(piece, store)
    }

    /// Stores what is still open.
    ///
    /// # Errors
    /// What `store` returns.
    pub fn finish(mut self, store: &mut StoreChunk<'_>) -> Result<Content> {
        self.end_hole(store)?;
        if self.levels.is_empty() {
            return Ok(Content::Inline(self.inline));
        }
        let mut level = 0;
        loop {
            let node = &mut self.levels[usize::from(level)];
            let is_root = !node.has_closed_one;
            let child = node.close(level, store)?;
            if is_root {
                return Ok(Content::List { id: child.id, level, pieces: self.pieces });
            }
            self.add_child(level + 1, &child, store)?;
            level += 1;
        }
    }

    fn end_hole(&mut self, store: &mut StoreChunk<'_>) -> Result<()> {
        match std::mem::take(&mut self.hole_bytes) {
            0 => Ok(()),
            length => self.place(Piece::hole(length), store),
        }
    }

    fn place(&mut self, piece: Piece, store: &mut StoreChunk<'_>) -> Result<()> {
        self.pieces += 1;
        if self.levels.is_empty() && self.inline.len() < INLINE_PIECES {
            self.inline.push(piece);
            return Ok(());
        }
        if self.levels.is_empty() {
            self.levels.push(OpenList::new(0));
            for earlier in std::mem::take(&mut self.inline) {
                self.add_piece(&earlier, store)?;
            }
        }
        self.add_piece(&piece, store)
    }

    fn add_piece(&mut self, piece: &Piece, store: &mut StoreChunk<'_>) -> Result<()> {
        let mut encoded = Vec::with_capacity(ChunkId::LENGTH + 10);
        put_piece(&mut encoded, piece);
        self.add(0, &Item { encoded: &encoded, chunk: piece.chunk, pieces: 1, bytes: piece.length }, store)
    }

    fn add_child(&mut self, level: u8, child: &ListChild, store: &mut StoreChunk<'_>) -> Result<()> {
        if level > LIST_LEVEL_LIMIT {
            return Err(invalid("a list has more levels than there can be pieces"));
        }
        if self.levels.len() == usize::from(level) {
            self.levels.push(OpenList::new(level));
        }
        let mut encoded = Vec::new();
        put_list_child(&mut encoded, child);
        let item = Item { encoded: &encoded, chunk: Some(child.id), pieces: child.pieces, bytes: child.bytes };
        self.add(level, &item, store)
    }

    /// Adds an item to a level, closing its open node first when that was cut.
    fn add(&mut self, level: u8, item: &Item<'_>, store: &mut StoreChunk<'_>) -> Result<()> {
        let node = &mut self.levels[usize::from(level)];
        if node.is_cut {
            let child = node.close(level, store)?;
            self.add_child(level + 1, &child, store)?;
        }
        let node = &mut self.levels[usize::from(level)];
        node.encoded.extend_from_slice(item.encoded);
        node.items += 1;
        node.pieces += item.pieces;
        node.bytes += item.bytes;
        let is_cut_here = node.items >= LIST_MINIMUM && item.chunk.is_some_and(|chunk| ends_in_nine_zero_bits(&chunk));
        node.is_cut = is_cut_here || node.items == LIST_MAXIMUM;
        Ok(())
    }
}

fn ends_in_nine_zero_bits(chunk: &ChunkId) -> bool {
    matches!(chunk.as_bytes(), [.., high, 0] if high & 1 == 0)
}

fn invalid(what: &str) -> Error {
    Error::Invalid { what: what.to_owned() }
}
