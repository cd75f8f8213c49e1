//! Extended attributes that were too long for an entry: stored like a file, and read whole.

use super::{Content, ContentReader, ReadChunk, decode_attributes};
use crate::{
    error::{Error, Result},
    id::ChunkKind,
};

/// Most bytes of extended attributes of one file that are believed: Linux allows 64 KiB of each, some of its file systems more.
pub(super) const MOST_ATTRIBUTES: usize = 64 << 20;

/// Reads extended attributes that are stored apart.
///
/// # Errors
/// What `read` returns; [`Error::Damaged`] of "attributes" when what is stored are none.
pub fn read_attributes(content: &Content, read: &ReadChunk<'_>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut bytes = Vec::new();
    for placed in ContentReader::new(content, None, read) {
        let piece = placed.map_err(|lost| lost.error)?.piece;
        let Some(id) = piece.chunk else { return Err(Error::damaged("attributes", "they have a hole")) };
        let chunk = read(ChunkKind::Data, &id)?;
        if bytes.len() + chunk.len() > MOST_ATTRIBUTES {
            return Err(too_many("attributes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    decode_attributes("attributes", &bytes)
}

pub(super) fn too_many(object: &str) -> Error {
    Error::damaged(object, "no file system allows attributes this long")
}
