//! What the parent snapshot has already: its entry stands again, and nothing is read.

use super::{compare::keep_identity, listing::Place, reuse::Reuse, walk::Walk};
use crate::{
    backend::ObjectName,
    error::{Error, Result},
    id::ChunkKind,
    metadata::FileKind,
    source::Found,
    tree::{Entry, for_each_reference},
};

/// Damaged objects of the parent that are told one by one.
const MOST_DAMAGE: usize = 100;

impl Walk<'_> {
    /// Uses an entry of the parent snapshot again.
    pub(super) fn take_over(&mut self, place: &Place<'_>, found: &Found, known: Entry, link_group: u64) -> Result<()> {
        let looks_same = (known.inode, known.ctime) == (found.metadata.inode, found.metadata.ctime);
        // What can not be read again is as it was when it was read.
        let entry = if looks_same || self.reuse == Reuse::Everything {
            known
        } else {
            self.renewed(place, found, &known, link_group)?
        };
        self.count(&entry);
        if entry.kind() == FileKind::File {
            self.walked.files.unchanged += 1;
            self.finished_files += 1;
            self.finished_bytes = self.finished_bytes.saturating_add(entry.size);
        }
        self.directories.add(place.number, entry, &mut self.chunks)
    }

    /// The entry of a file whose content is taken over although something differs that was to be ignored: all but its
    /// content is as it is now.
    fn renewed(&mut self, place: &Place<'_>, found: &Found, known: &Entry, link_group: u64) -> Result<Entry> {
        let mut entry = Entry::new(found.name.clone(), known.node.clone(), &found.metadata);
        (entry.size, entry.link_group) = (known.size, link_group);
        if known.ctime == found.metadata.ctime {
            entry.attributes = known.attributes.clone();
        } else {
            let attributes = place.directory.attributes(&found.name, found.metadata.kind);
            self.set_attributes(&mut entry, attributes, place.path)?;
        }
        keep_identity(&mut entry, known, self.ignored);
        if entry != *known {
            self.directories.differs(place.number);
        }
        Ok(entry)
    }

    /// Tells whether everything that an entry of the parent refers to may be referred to again.
    pub(super) fn is_all_stored(&mut self, known: &Entry) -> Result<bool> {
        if self.is_trusted {
            return Ok(true);
        }
        let parent = self.parent;
        let read = move |kind: ChunkKind, id: &crate::id::ChunkId| parent.read(kind, id);
        let (mut is_all_stored, mut met) = (true, None);
        for_each_reference(known, &read, &mut |reference| {
            is_all_stored &= match reference {
                Ok(reference) => is_all_stored && self.context.writer.is_stored(reference.kind, &reference.id)?,
                Err(lost) if lost.error.is_of_one_object() => {
                    met = Some(lost.error);
                    false
                }
                Err(lost) => return Err(lost.error),
            };
            Ok(())
        })?;
        if let Some(error) = met {
            self.meet(&error);
        }
        Ok(is_all_stored)
    }

    /// Takes note of damage in what the parent refers to: nothing of it is taken over unseen from here on.
    pub(super) fn meet(&mut self, error: &Error) {
        if !error.is_damage() {
            return;
        }
        self.is_trusted = false;
        self.context.writer.doubt(error.damaged_object());
        let view = &self.attempt.session.view;
        let is_known = match error.damaged_object().and_then(ObjectName::parse) {
            // A repair has marked it: this run is what heals it.
            Some(ObjectName::Pack(pack)) => view.damaged_packs.contains(&pack),
            // What a damaged segment knew of is lost for now; the segment is told.
            _ => matches!(error, Error::Lost { .. }) && !view.damage.is_empty(),
        };
        if is_known {
            return;
        }
        let damage = error.to_string();
        if self.walked.damage.len() < MOST_DAMAGE && !self.walked.damage.contains(&damage) {
            self.walked.damage.push(damage);
        }
    }
}
