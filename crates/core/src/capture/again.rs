//! Something else has taken a name's place between listing and reading: it is looked at once more, and what is there now is
//! recorded. Who replaces it again in between is told of as unreadable: this must end.

use std::sync::Arc;

use super::{
    batch::{Job, Ticket},
    listing::Visit,
    path::Path,
    special::NO_SOCKETS,
    walk::{Walk, finding_kind},
};
use crate::{
    error::Result,
    metadata::FileKind,
    observe::{FindingKind, ReadReason},
    source::{Directory, Found},
    tree::Entry,
};

/// A name to look at once more; its place is kept.
pub(super) struct Again {
    pub(super) ticket: Ticket,
    pub(super) parent: Arc<dyn Directory>,
    pub(super) parent_path: Path,
    pub(super) name: Vec<u8>,
    /// Its entry in the parent snapshot, for a directory.
    pub(super) known: Option<Box<Entry>>,
    /// Why it was to be read, if it was a file.
    pub(super) reason: Option<ReadReason>,
}

impl From<Job> for Again {
    fn from(job: Job) -> Self {
        let Job { ticket, parent, parent_path, name, reason, .. } = job;
        Self { ticket, parent, parent_path, name, known: None, reason }
    }
}

impl From<Visit> for Again {
    fn from(visit: Visit) -> Self {
        let Visit { ticket, parent, parent_path, found, known, .. } = visit;
        Self { ticket, parent, parent_path, name: found.name, known, reason: None }
    }
}

impl Walk<'_> {
    /// Takes what stands for a name now.
    pub(super) fn look_again(&mut self, again: Again) -> Result<()> {
        let Again { ticket, parent, parent_path, name, known, reason } = again;
        // The same name in the parent snapshot was something else, too.
        self.directories.differs(ticket.directory);
        let found = match parent.look(&name) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.walked.files.not_read(reason, Some(finding_kind(&error)));
                self.note(finding_kind(&error), parent_path.of(&name), error)?;
                return self.directories.arrived(ticket, None, &mut self.chunks);
            }
        };
        if found.kind != FileKind::File {
            self.walked.files.not_read(reason, None);
        }
        match found.kind {
            FileKind::File => {
                return self.read(Job { ticket, parent, parent_path, name, found, is_second_look: true, reason });
            }
            FileKind::Directory => {
                let found = Found { name, metadata: found };
                self.visits.push(Visit { ticket, parent, parent_path, found, known, is_second_look: true });
                return Ok(());
            }
            FileKind::Socket => {
                self.note(FindingKind::Skipped, parent_path.of(&name), NO_SOCKETS)?;
                return self.directories.arrived(ticket, None, &mut self.chunks);
            }
            _ => {}
        }
        let entry = match self.special_entry(&*parent, &parent_path, &name, &found)? {
            Ok(entry) => {
                self.count(&entry);
                Some(entry)
            }
            Err(error) => {
                self.note(finding_kind(&error), parent_path.of(&name), error)?;
                None
            }
        };
        self.directories.arrived(ticket, entry, &mut self.chunks)
    }
}
