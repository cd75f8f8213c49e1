//! A window: so much of a snapshot as is planned, read and written at once.

use std::sync::Arc;

use lbak_core::{
    browse::in_words,
    error::{Error, Result},
    id::ChunkId,
    observe::FindingKind,
    tree::{Content, ContentReader, ReadChunk},
};

use crate::{file::File, links::Link, target::Target};

/// Files and links in a window: some 10 MB of names.
const MOST_FILES: usize = 16 << 10;
/// Chunks in a window: 4 MB.
const MOST_CHUNKS: usize = 64 << 10;

/// Files, whole or in part, and the chunks that they are made of.
#[derive(Default)]
pub(crate) struct Window {
    limit: u64,
    bytes: u64,
    pub(crate) files: Vec<Arc<File>>,
    /// Files that have nothing behind this window.
    pub(crate) ended: Vec<u32>,
    pub(crate) chunks: Vec<Wanted>,
    /// Holes of files of which something is there.
    pub(crate) holes: Vec<Hole>,
    pub(crate) links: Vec<Link>,
}

/// A chunk and where it goes.
pub(crate) struct Wanted {
    pub(crate) id: ChunkId,
    pub(crate) length: u32,
    /// Number of the file in the window.
    pub(crate) file: u32,
    pub(crate) offset: u64,
}

/// A hole where there may be something else.
pub(crate) struct Hole {
    /// Number of the file in the window.
    pub(crate) file: u32,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Window {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { limit: limit_bytes as u64, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.links.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= self.limit
            || self.files.len() + self.links.len() >= MOST_FILES
            || self.chunks.len() + self.holes.len() >= MOST_CHUNKS
    }

    /// Removes what was begun, because the whole restore has stopped.
    pub(crate) fn abandon(&self, target: &Target) {
        self.files.iter().for_each(|file| file.abandon(target));
    }
}

/// A file whose content is being planned: a large one goes through several windows.
pub(crate) struct Cursor {
    pub(crate) file: Arc<File>,
    content: Content,
    /// Where the next piece begins.
    offset: u64,
}

impl Cursor {
    pub(crate) fn new(file: Arc<File>, content: Content) -> Self {
        Self { file, content, offset: 0 }
    }

    /// Puts the next pieces into a window until that is full; tells whether the file has ended.
    pub(crate) fn fill(&mut self, window: &mut Window, read: &ReadChunk<'_>) -> Result<bool> {
        let number = u32::try_from(window.files.len()).expect("a window has few files");
        window.files.push(Arc::clone(&self.file));
        let mut pieces = ContentReader::new(&self.content, Some(self.file.size()), read);
        if self.offset > 0 {
            pieces.seek(self.offset);
        }
        let mut ends_in_hole = false;
        while !self.file.has_failed() {
            if window.is_full() && self.offset < self.file.size() {
                return Ok(false);
            }
            let placed = match pieces.next() {
                Some(Ok(placed)) => placed,
                Some(Err(lost)) if lost.error.is_damage() => {
                    self.file.fail(FindingKind::Lost, in_words(&lost));
                    break;
                }
                Some(Err(lost)) => return Err(lost.error),
                None => break,
            };
            let (offset, piece) = (placed.offset, placed.piece);
            self.offset = offset.saturating_add(piece.length);
            ends_in_hole = piece.chunk.is_none();
            if let Some(id) = piece.chunk {
                let length = u32::try_from(piece.length)
                    .map_err(|_| Error::damaged("a tree", "a piece is longer than a chunk can be"))?;
                self.file.expect_piece();
                window.chunks.push(Wanted { id, length, file: number, offset });
                window.bytes += piece.length;
            } else if self.file.base.is_some() {
                self.file.expect_piece();
                window.holes.push(Hole { file: number, offset, length: piece.length });
            }
        }
        if ends_in_hole {
            self.file.end_in_hole();
        }
        window.ended.push(number);
        Ok(true)
    }
}

/// A chunk of a window, by its number.
pub(crate) fn wanted(window: &Window, number: u32) -> &Wanted {
    &window.chunks[number as usize]
}

/// A file of a window, by its number.
pub(crate) fn file(window: &Window, number: u32) -> &File {
    &window.files[number as usize]
}
