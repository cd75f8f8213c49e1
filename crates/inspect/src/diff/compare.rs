//! Two things under one name: what of them differs.

use lbak_core::{
    error::Result,
    metadata::FileKind,
    tree::{Entry, EntryFlags},
};

use super::{DiffOptions, MetadataField, content::Contents, side::Thing};

/// What is known of two contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Same,
    Differs,
    /// It was not read, and its time is another one.
    MayDiffer,
    /// It could not be read, which was noted.
    Unknown,
}

/// Compares contents: of directories, whatever is not in them.
pub(super) fn content(
    contents: &Contents<'_>,
    options: &DiffOptions,
    path: &[u8],
    before: &Thing,
    after: &Thing,
) -> Result<Verdict> {
    let (stored, other) = (&before.entry, &after.entry);
    match (stored.kind(), &after.place) {
        (FileKind::Directory, _) => Ok(Verdict::Same),
        (FileKind::File, Some(place)) => {
            // Pseudo files say 0 and have content.
            let is_sized = stored.size == other.size || (options.content && other.size == 0);
            if !is_sized {
                return Ok(Verdict::Differs);
            }
            if options.content {
                let same = contents.is_as_stored(path, stored, place, &other.name)?;
                return Ok(same.map_or(Verdict::Unknown, |same| if same { Verdict::Same } else { Verdict::Differs }));
            }
            Ok(if stored.mtime == other.mtime { Verdict::Same } else { Verdict::MayDiffer })
        }
        _ => Ok(if stored.node == other.node { Verdict::Same } else { Verdict::Differs }),
    }
}

/// Lists what of the metadata differs.
pub(super) fn fields(
    contents: &Contents<'_>,
    path: &[u8],
    before: &Thing,
    after: &Thing,
) -> Result<Vec<MetadataField>> {
    let (one, other) = (&before.entry, &after.entry);
    let mut fields = Vec::new();
    let mut note = |field, differs: bool| fields.extend(differs.then_some(field));
    // The permissions of a link mean nothing and differ between systems.
    note(MetadataField::Mode, one.mode != other.mode && one.kind() != FileKind::Symlink);
    note(MetadataField::Owner, (one.uid, &one.user) != (other.uid, &other.user));
    note(MetadataField::Group, (one.gid, &one.group) != (other.gid, &other.group));
    note(MetadataField::Mtime, one.mtime != other.mtime);
    let is_known = |entry: &Entry| !entry.flags.contains(EntryFlags::METADATA_INCOMPLETE);
    if is_known(one) && is_known(other) {
        let same = match &after.place {
            Some(place) => contents.has_attributes_as_stored(path, one, place, &other.name)?,
            None => Some(one.attributes == other.attributes),
        };
        note(MetadataField::Attributes, same == Some(false));
    }
    Ok(fields)
}

/// Tells whether nothing but the content tells of a change.
pub(super) fn is_silent(before: &Entry, after: &Entry) -> bool {
    before.kind() == FileKind::File
        && (before.size, before.mtime, before.ctime, before.inode)
            == (after.size, after.mtime, after.ctime, after.inode)
}
