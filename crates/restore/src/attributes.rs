//! Extended attributes that were too long for an entry: stored like a file, read before they are set.

use lbak_core::{
    browse::in_words,
    error::{Error, Result},
    id::ChunkKind,
    observe::FindingKind,
    tree::{Attributes, Content, ContentReader, Entry, EntryFlags, ReadChunk, decode_attributes},
};

use crate::{directory::Directory, target::Target};

/// Most bytes of extended attributes of one file that are believed: Linux allows 64 KiB of each, some of its file systems more.
const MOST_ATTRIBUTES: usize = 64 << 20;

/// Reads those of an entry into it. Their loss is damage, but does not cost the file.
pub(crate) fn read_into(entry: &mut Entry, target: &Target, directory: &Directory, read: &ReadChunk<'_>) -> Result<()> {
    let Attributes::Stored(content) = &entry.attributes else { return Ok(()) };
    entry.attributes = match read_stored(content, read) {
        Ok(pairs) => Attributes::Inline(pairs),
        Err(error) if error.is_damage() => {
            let message = format!("its extended attributes are lost: {}", in_words(&error));
            target.findings.note(FindingKind::DamagedObject, directory.path_of(&entry.name), message);
            // What is there of them is not removed for that.
            entry.flags.insert(EntryFlags::METADATA_INCOMPLETE);
            Attributes::None
        }
        Err(error) => return Err(error),
    };
    Ok(())
}

/// Reads them.
pub(crate) fn read_stored(content: &Content, read: &ReadChunk<'_>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut bytes = Vec::new();
    for placed in ContentReader::new(content, None, read) {
        let piece = placed.map_err(|lost| lost.error)?.piece;
        let Some(id) = piece.chunk else { return Err(Error::damaged("attributes", "they have a hole")) };
        let chunk = read(ChunkKind::Data, &id)?;
        if bytes.len() + chunk.len() > MOST_ATTRIBUTES {
            return Err(Error::damaged("attributes", "they are longer than any file system allows"));
        }
        bytes.extend_from_slice(&chunk);
    }
    decode_attributes("attributes", &bytes)
}
