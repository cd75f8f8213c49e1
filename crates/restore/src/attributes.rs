//! Extended attributes that were too long for an entry: stored like a file, read before they are set.

use lbak_core::{
    browse::in_words,
    error::Result,
    observe::FindingKind,
    tree::{Attributes, Entry, EntryFlags, ReadChunk, read_attributes},
};

use crate::{directory::Directory, target::Target};

/// Reads those of an entry into it. Their loss is damage, but does not cost the file.
pub(crate) fn read_into(entry: &mut Entry, target: &Target, directory: &Directory, read: &ReadChunk<'_>) -> Result<()> {
    let Attributes::Stored(content) = &entry.attributes else { return Ok(()) };
    entry.attributes = match read_attributes(content, read) {
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
