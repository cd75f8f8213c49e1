//! Links, pipes and devices: everything about them is in their entry, and they are never opened.

use super::{
    again::Again,
    compare::keep_identity,
    listing::Place,
    path::Path,
    walk::{Walk, finding_kind},
};
use crate::{
    error::Result,
    metadata::{FileKind, Metadata},
    source::{Directory, SourceError, SourceErrorKind},
    tree::{Entry, Node},
};

/// What is said of a socket: it is nothing without the program that listens.
pub(super) const NO_SOCKETS: &str = "sockets are not backed up";

impl Walk<'_> {
    /// Takes a name that stands for no file and no directory.
    pub(super) fn take_special(
        &mut self,
        place: &Place<'_>,
        name: Vec<u8>,
        metadata: &Metadata,
        known: Option<Entry>,
    ) -> Result<()> {
        let &Place { number, directory, path } = place;
        match self.special_entry(&**directory, path, &name, metadata)? {
            Ok(mut entry) => {
                if let Some(known) = &known {
                    keep_identity(&mut entry, known, self.ignored);
                }
                if known.as_ref() != Some(&entry) {
                    self.directories.differs(number);
                }
                self.count(&entry);
                self.directories.add(number, entry, &mut self.chunks)
            }
            Err(error) if error.kind == SourceErrorKind::Changed => {
                let ticket = self.directories.expect(number);
                let (parent, parent_path) = (std::sync::Arc::clone(directory), path.clone());
                self.look_again(Again { ticket, parent, parent_path, name, known: known.map(Box::new), reason: None })
            }
            Err(error) => {
                self.directories.differs(number);
                self.note(finding_kind(&error), path.of(&name), error)
            }
        }
    }

    /// The entry of a name that stands for no file and no directory. The inner error is the source's.
    pub(super) fn special_entry(
        &mut self,
        directory: &dyn Directory,
        path: &Path,
        name: &[u8],
        metadata: &Metadata,
    ) -> Result<Result<Entry, SourceError>> {
        let (major, minor) = (metadata.major, metadata.minor);
        let node = match metadata.kind {
            FileKind::Symlink => match directory.link_target(name) {
                Ok(target) => Node::Symlink { target },
                Err(error) => return Ok(Err(error)),
            },
            FileKind::CharacterDevice => Node::CharacterDevice { major, minor },
            FileKind::BlockDevice => Node::BlockDevice { major, minor },
            _ => Node::Fifo,
        };
        let attributes = directory.attributes(name, metadata.kind);
        let mut entry = Entry::new(name.to_vec(), node, metadata);
        entry.link_group = self.link_group(metadata);
        self.set_attributes(&mut entry, attributes, path)?;
        Ok(Ok(entry))
    }
}
