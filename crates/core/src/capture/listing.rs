//! One directory: its names side by side with the parent snapshot's tree of it, and what is to be done about each.

use std::sync::Arc;

use super::{
    batch::{Job, Ticket},
    compare::{Ignored, keep_identity, reason_to_read},
    directories::Beginning,
    known::Known,
    path::Path,
    special::NO_SOCKETS,
    walk::{Walk, finding_kind},
};
use crate::{
    error::{Result, escape},
    id::{ChunkId, ChunkKind},
    metadata::FileKind,
    observe::{Event, FindingKind, ReadReason},
    source::{Directory, Found, SourceError, SourceErrorKind},
    tree::{Entry, EntryFlags, NameRule, Node, TreeWriter},
};

/// Names of a directory after which what was read meanwhile is taken.
const NAMES_AT_ONCE: usize = 256;

/// A directory that is still to be listed.
pub(super) struct Visit {
    pub(super) ticket: Ticket,
    pub(super) parent: Arc<dyn Directory>,
    pub(super) parent_path: Path,
    pub(super) found: Found,
    pub(super) known: Option<Box<Entry>>,
    /// Something else had its place when it was to be read, and this is what a second look found.
    pub(super) is_second_look: bool,
}

/// The directory that is being listed.
pub(super) struct Place<'a> {
    pub(super) number: usize,
    pub(super) directory: &'a Arc<dyn Directory>,
    pub(super) path: &'a Path,
}

impl Walk<'_> {
    /// Opens and lists one directory.
    pub(super) fn visit(&mut self, visit: Visit) -> Result<()> {
        let path = visit.parent_path.below(&visit.found.name, &visit.found.metadata);
        if let Some(above) = path.same_above() {
            let what = format!("a mount shows {} here once more", escape(&above));
            let entry = self.directory_entry(&visit)?;
            self.note(FindingKind::Skipped, path.bytes(), what)?;
            return self.stands_empty(visit.ticket, entry);
        }
        let directory = match visit.parent.directory(&visit.found.name, &visit.found.metadata) {
            Ok(directory) => directory,
            Err(error) => return self.unopened(visit, &path, &error),
        };
        let entry = self.directory_entry(&visit)?;
        self.walked.totals.directories += 1;
        let known_tree = visit.known.as_ref().and_then(|known| match known.node {
            Node::Directory { tree } if !known.flags.contains(EntryFlags::CONTENT_UNREAD) => Some(tree),
            _ => None,
        });
        let number = self.directories.begin(Beginning {
            parent: Some(visit.ticket),
            entry: Some(entry),
            known: visit.known.map(|known| *known),
            known_tree: known_tree.filter(|_| self.is_trusted),
        });
        self.list(number, &directory, &path, known_tree)
    }

    /// The entry of a directory, whose tree is still to come.
    fn directory_entry(&mut self, visit: &Visit) -> Result<Entry> {
        let Visit { parent, parent_path, found, known, .. } = visit;
        let mut entry = Entry::new(found.name.clone(), Node::Directory { tree: ChunkId([0; 32]) }, &found.metadata);
        let unchanged = known.as_deref().filter(|known| {
            // Whatever is to be ignored: attributes of directories are few, and read when anything differs.
            reason_to_read(known, &found.metadata, 0, Ignored::default()).is_none()
        });
        // Attributes that are stored apart are chunks like any others.
        let is_stored = unchanged.map(|known| self.is_all_stored(known)).transpose()?.unwrap_or(false);
        match unchanged.filter(|_| is_stored) {
            Some(known) => entry.attributes = known.attributes.clone(),
            None => {
                let attributes = parent.attributes(&found.name, found.metadata.kind);
                self.set_attributes(&mut entry, attributes, parent_path)?;
            }
        }
        if let Some(known) = known {
            keep_identity(&mut entry, known, self.ignored);
        }
        Ok(entry)
    }

    /// A directory that can not be opened stands empty, unless it is gone or something else is there by now.
    fn unopened(&mut self, visit: Visit, path: &Path, error: &SourceError) -> Result<()> {
        match error.kind {
            SourceErrorKind::Changed if !visit.is_second_look => self.look_again(visit.into()),
            SourceErrorKind::Vanished => {
                self.note(FindingKind::Vanished, path.bytes(), error)?;
                self.directories.arrived(visit.ticket, None, &mut self.chunks)
            }
            _ => {
                self.note(FindingKind::Unreadable, path.bytes(), error)?;
                let entry = self.directory_entry(&visit)?;
                self.stands_empty(visit.ticket, entry)
            }
        }
    }

    /// Records a directory without its content, with a flag.
    fn stands_empty(&mut self, ticket: Ticket, mut entry: Entry) -> Result<()> {
        self.walked.totals.directories += 1;
        let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
        let tree = TreeWriter::new(self.context.keys(), NameRule::Component).finish(&mut store)?;
        entry.node = Node::Directory { tree };
        entry.flags.insert(EntryFlags::CONTENT_UNREAD);
        self.directories.differs(ticket.directory);
        self.directories.arrived(ticket, Some(entry), &mut self.chunks)
    }

    /// Goes through a directory and the parent snapshot's tree of it side by side.
    pub(super) fn list(
        &mut self,
        number: usize,
        directory: &Arc<dyn Directory>,
        path: &Path,
        known_tree: Option<ChunkId>,
    ) -> Result<()> {
        let listing = match directory.entries() {
            Ok(listing) => listing,
            Err(error) => {
                self.note(finding_kind(&error), path.bytes(), &error)?;
                self.directories.unread(number);
                return self.directories.listed(number, &mut self.chunks);
            }
        };
        let parent = self.parent;
        let read = move |kind: ChunkKind, id: &ChunkId| parent.read(kind, id);
        let rule = if path.is_top() { NameRule::AbsolutePath } else { NameRule::Component };
        let mut known = Known::open(rule, known_tree, &read);
        let place = Place { number, directory, path };
        let first_visit = self.visits.len();
        for (count, found) in listing.enumerate() {
            if count % NAMES_AT_ONCE == NAMES_AT_ONCE - 1 {
                self.context.check()?;
                self.take_arrived()?;
            }
            let found = match found {
                Ok(found) => found,
                Err(unlisted) => {
                    self.directories.differs(number);
                    self.note(finding_kind(&unlisted.error), path.of(&unlisted.name), &unlisted.error)?;
                    continue;
                }
            };
            let known_entry = known.find(&found.name);
            let is_uncompared = !self.is_compared || known.trouble.is_some();
            self.take_found(&place, found, known_entry, is_uncompared)?;
        }
        if directory.has_left_out() {
            self.directories.left_out(number);
        }
        known.finish();
        if known.is_passed_over || known_tree.is_none() {
            self.directories.differs(number);
        }
        if let Some(error) = known.trouble.take() {
            if !error.is_of_one_object() {
                return Err(error);
            }
            self.directories.differs(number);
            self.meet(&error);
            let path = if path.is_top() { b"/".to_vec() } else { path.bytes() };
            self.note(FindingKind::ParentUnread, path, &error)?;
        }
        // The last is taken first: reversed, directories come in the order of their names.
        self.visits[first_visit..].reverse();
        self.directories.listed(number, &mut self.chunks)
    }

    /// Decides what to do about one name.
    fn take_found(&mut self, place: &Place<'_>, found: Found, known: Option<Entry>, is_uncompared: bool) -> Result<()> {
        let &Place { number, directory, path } = place;
        if known.is_none() {
            self.directories.differs(number);
        }
        if found.metadata.kind == FileKind::Directory {
            let ticket = self.directories.expect(number);
            let (parent, parent_path) = (Arc::clone(directory), path.clone());
            let known = known.map(Box::new);
            self.visits.push(Visit { ticket, parent, parent_path, found, known, is_second_look: false });
            return Ok(());
        }
        if found.metadata.kind == FileKind::Socket {
            self.directories.differs(number);
            let path = path.of(&found.name);
            // Who names one wants it: that it is not there is less than was asked for.
            let is_named = self.attempt.roots.paths.binary_search(&path).is_ok();
            let kind = if is_named { FindingKind::Unreadable } else { FindingKind::Skipped };
            return self.note(kind, path, NO_SOCKETS);
        }
        let link_group = self.link_group(&found.metadata);
        // Everything else is read at once: only reading files is worth being saved by what was asked to be ignored.
        let ignored = if found.metadata.kind == FileKind::File { self.ignored } else { Ignored::default() };
        let mut known = known;
        let mut reason = match &known {
            None if is_uncompared => Some(ReadReason::Uncompared),
            None => Some(ReadReason::New),
            Some(known) => self.reuse.reason_to_read(known, &found.metadata, link_group, ignored),
        };
        if reason.is_none()
            && let Some(unchanged) = known.take()
        {
            if self.is_all_stored(&unchanged)? {
                return self.take_over(place, &found, unchanged, link_group);
            }
            known = Some(unchanged);
            reason = Some(ReadReason::Untrusted);
        }
        if let Some(reason) = reason {
            if found.metadata.kind == FileKind::File {
                self.reuse.check_readable(path, &found.name)?;
            }
            self.tell_read(path, &found, reason);
            self.count_reason(found.metadata.kind, reason);
        }
        let Found { name, metadata } = found;
        if metadata.kind != FileKind::File {
            return self.take_special(place, name, &metadata, known);
        }
        self.reuse.check_readable(path, &name)?;
        self.directories.differs(number);
        let ticket = self.directories.expect(number);
        self.read(Job {
            ticket,
            parent: Arc::clone(directory),
            parent_path: path.clone(),
            name,
            found: metadata,
            is_second_look: false,
            reason,
        })
    }

    fn count_reason(&mut self, kind: FileKind, reason: ReadReason) {
        if kind == FileKind::File {
            *self.walked.files.read_for(reason) += 1;
        }
    }

    fn tell_read(&self, path: &Path, found: &Found, reason: ReadReason) {
        if self.wants_paths {
            let bytes = if found.metadata.kind == FileKind::File { found.metadata.size } else { 0 };
            self.attempt.options.observer.event(&Event::Read { path: &path.of(&found.name), bytes, reason });
        }
    }
}
