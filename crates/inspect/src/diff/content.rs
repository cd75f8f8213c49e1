//! Contents: which pieces two versions of a file do not share, and whether a file on this machine holds what is stored.

use lbak_core::{
    browse::{Findings, in_words},
    error::Result,
    id::ChunkKind,
    keys::Keys,
    observe::{Cancellation, FindingKind},
    source::{ExtendedAttributes, Portion, SourceError, SourceFile},
    tree::{Attributes, Content, ContentReader, Entry, LostPieces, Node, ReadChunk, decode_attributes},
};

use super::side::{Place, note};

/// Pieces after which those that are there twice are left out.
const MANY_PIECES: usize = 1 << 20;

/// Bytes that are looked at at once where zeros are expected.
const ZEROS_AT_ONCE: u64 = 1 << 20;

/// Sorts pieces, each once.
fn sort_once(pieces: &mut Vec<(u64, u64)>) {
    pieces.sort_unstable();
    pieces.dedup_by_key(|(beginning, _)| *beginning);
}

/// What a comparison needs.
pub(super) struct Contents<'a> {
    pub(super) keys: &'a Keys,
    pub(super) read: &'a ReadChunk<'a>,
    pub(super) findings: &'a Findings,
    pub(super) cancellation: &'a Cancellation,
}

impl Contents<'_> {
    /// Bytes in pieces that only the first has, and in pieces that only the second has.
    ///
    /// Holds 16 bytes for each piece of the two files: 16 MiB for each TiB of them.
    pub(super) fn apart(&self, path: &[u8], before: &Entry, after: &Entry) -> Result<(u64, u64)> {
        let (before, after) = (self.pieces(path, before)?, self.pieces(path, after)?);
        let only = |these: &[(u64, u64)], those: &[(u64, u64)]| {
            let is_alone = |piece: &&(u64, u64)| those.binary_search_by_key(&piece.0, |those| those.0).is_err();
            these.iter().filter(is_alone).map(|(_, length)| length).sum()
        };
        Ok((only(&before, &after), only(&after, &before)))
    }

    /// The beginnings of a file's chunk ids, sorted, each once, with their lengths. Holes take no room and are not among them.
    fn pieces(&self, path: &[u8], entry: &Entry) -> Result<Vec<(u64, u64)>> {
        let Node::File { content } = &entry.node else { return Ok(Vec::new()) };
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        let mut room = MANY_PIECES;
        for placed in ContentReader::new(content, Some(entry.size), self.read) {
            match placed {
                Ok(placed) => pieces.extend(placed.piece.chunk.map(|chunk| {
                    let beginning = chunk.as_bytes().first_chunk().expect("an id has 32 bytes");
                    (u64::from_be_bytes(*beginning), placed.piece.length)
                })),
                Err(lost) => self.lose(path, lost)?,
            }
            // A file may have the same pieces without end: their lists are shared like directories.
            if pieces.len() >= room {
                self.cancellation.check()?;
                sort_once(&mut pieces);
                room = MANY_PIECES.max(2 * pieces.len());
            }
        }
        sort_once(&mut pieces);
        Ok(pieces)
    }

    /// Tells whether a file holds exactly what is stored of it, piece by piece; `None` when that can not be told, which is noted.
    ///
    /// A hole and zeros are the same content.
    pub(super) fn is_as_stored(&self, path: &[u8], stored: &Entry, place: &Place, name: &[u8]) -> Result<Option<bool>> {
        let Node::File { content } = &stored.node else { return Ok(Some(false)) };
        let mut file = match place.directory.file(name, &place.metadata) {
            Ok(file) => Bytes { file, hole: 0 },
            Err(error) => {
                note(self.findings, path.to_vec(), &error);
                return Ok(None);
            }
        };
        let mut buffer = Vec::new();
        for placed in ContentReader::new(content, Some(stored.size), self.read) {
            self.cancellation.check()?;
            let piece = match placed {
                Ok(placed) => placed.piece,
                Err(lost) => {
                    self.lose(path, lost)?;
                    return Ok(None);
                }
            };
            let same = match piece.chunk {
                None => file.has_zeros(piece.length, &mut buffer, self.cancellation)?,
                Some(chunk) => {
                    let length = usize::try_from(piece.length).expect("a chunk is at most 8 MiB: checked in decoding");
                    buffer.resize(length, 0);
                    let read = file.fill(&mut buffer);
                    read.map(|read| read == length && self.keys.chunk_id(ChunkKind::Data, &buffer) == chunk)
                }
            };
            match same {
                Ok(true) => {}
                Ok(false) => return Ok(Some(false)),
                Err(error) => {
                    note(self.findings, path.to_vec(), &error);
                    return Ok(None);
                }
            }
        }
        match file.fill(&mut [0]) {
            Ok(more) => Ok(Some(more == 0)),
            Err(error) => {
                note(self.findings, path.to_vec(), &error);
                Ok(None)
            }
        }
    }

    /// Tells whether extended attributes are as stored; `None` when that can not be told, which is noted.
    pub(super) fn has_attributes_as_stored(
        &self,
        path: &[u8],
        stored: &Entry,
        place: &Place,
        name: &[u8],
    ) -> Result<Option<bool>> {
        let found = match place.directory.attributes(name, stored.kind()) {
            Ok(found) => found,
            Err(error) => {
                self.findings.note(FindingKind::MetadataUnread, path.to_vec(), &error);
                return Ok(None);
            }
        };
        Ok(match &stored.attributes {
            Attributes::None => Some(found.is_empty()),
            Attributes::Inline(attributes) => Some(*attributes == found),
            Attributes::Stored(content) => self.stored_attributes(path, content)?.map(|stored| stored == found),
        })
    }

    fn stored_attributes(&self, path: &[u8], content: &Content) -> Result<Option<ExtendedAttributes>> {
        let mut encoded = Vec::new();
        for placed in ContentReader::new(content, None, self.read) {
            let chunk = match placed {
                Ok(placed) => placed.piece.chunk,
                Err(lost) => {
                    self.lose(path, lost)?;
                    return Ok(None);
                }
            };
            let Some(chunk) = chunk else { continue };
            match (self.read)(ChunkKind::Data, &chunk) {
                Ok(bytes) => encoded.extend_from_slice(&bytes),
                Err(error) if error.is_damage() => {
                    self.findings.lose(1, path.to_vec(), in_words(&error));
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        match decode_attributes("attributes", &encoded) {
            Ok(attributes) => Ok(Some(attributes)),
            Err(error) if error.is_damage() => {
                self.findings.lose(1, path.to_vec(), in_words(&error));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn lose(&self, path: &[u8], lost: LostPieces) -> Result<()> {
        if !lost.error.is_damage() {
            return Err(lost.error);
        }
        self.findings.lose(1, path.to_vec(), in_words(&lost));
        Ok(())
    }
}

/// A file as plain bytes, its holes read as zeros.
struct Bytes {
    file: Box<dyn SourceFile>,
    /// Zeros that come before whatever is read next.
    hole: u64,
}

impl Bytes {
    /// Fills the buffer as far as the file goes.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            if self.hole > 0 {
                let zeros = usize::try_from(self.hole).unwrap_or(usize::MAX).min(room.len());
                room.iter_mut().take(zeros).for_each(|byte| *byte = 0);
                self.hole -= zeros as u64;
                filled += zeros;
                continue;
            }
            match self.file.read(room)? {
                Portion::Data(read) => filled += read,
                Portion::Hole(length) => self.hole = length,
                Portion::End => break,
            }
        }
        Ok(filled)
    }

    /// Tells whether so many zeros follow. Holes are not read.
    fn has_zeros(
        &mut self,
        mut length: u64,
        buffer: &mut Vec<u8>,
        cancellation: &Cancellation,
    ) -> Result<Result<bool, SourceError>> {
        while length > 0 {
            cancellation.check()?;
            let skipped = self.hole.min(length);
            (self.hole, length) = (self.hole - skipped, length - skipped);
            let wanted = usize::try_from(length.min(ZEROS_AT_ONCE)).expect("at most 1 MiB");
            if wanted == 0 {
                break;
            }
            buffer.resize(wanted, 0);
            match self.file.read(buffer) {
                Ok(Portion::Data(read)) => {
                    if buffer.iter().take(read).any(|&byte| byte != 0) {
                        return Ok(Ok(false));
                    }
                    length = length.saturating_sub(read as u64);
                }
                Ok(Portion::Hole(zeros)) => self.hole = zeros,
                Ok(Portion::End) => return Ok(Ok(false)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(true))
    }
}
