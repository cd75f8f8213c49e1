//! What comes back from readers and workers: pieces of files, in any order, become entries.

use std::collections::HashMap;

use super::{
    batch::{FileOutcome, FileRead, Job, Message, Part, Ticket},
    links::Name,
    path::Path,
    walk::{Walk, finding_kind},
};
use crate::{
    error::Result,
    id::ChunkKind,
    observe::FindingKind,
    source::{ExtendedAttributes, SourceErrorKind, UnreadAttributes},
    tree::{Attributes, Content, ContentWriter, Entry, EntryFlags, INLINE_ATTRIBUTES, Node, Piece, encode_attributes},
};

/// A large file whose parts are coming in.
#[derive(Default)]
pub(super) struct LargeFile {
    content: ContentWriter,
    next: u64,
    early: HashMap<u64, Part>,
    end: Option<(u64, Job, FileOutcome)>,
}

impl Walk<'_> {
    /// Hands a file to the readers, unless it is read under another name.
    pub(super) fn read(&mut self, job: Job) -> Result<()> {
        match self.links.take(job) {
            Name::Read(job) => self.batch(job),
            Name::Waits => Ok(()),
            Name::Is(job, entry) => self.arrived(&job, Some(*entry)),
        }
    }

    /// Takes what came back.
    pub(super) fn take(&mut self, message: Message) -> Result<()> {
        match message {
            Message::File { job, outcome, pieces } => {
                let mut content = ContentWriter::new();
                let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
                pieces.into_iter().try_for_each(|piece| content.push(piece, &mut store))?;
                self.finish_file(job, outcome, content)
            }
            Message::Part { ticket, number, part } => {
                self.large_file(ticket).early.insert(number, part);
                self.append(ticket)?;
                self.finish_large_file(ticket)
            }
            Message::End { job, parts, outcome } => {
                let ticket = job.ticket;
                self.large_file(ticket).end = Some((parts, job, outcome));
                self.append(ticket)?;
                self.finish_large_file(ticket)
            }
            Message::ReaderIsFree => Ok(()),
            Message::Failed => self.context.check(),
        }
    }

    /// Takes a part of a large file, unless that may be its last.
    pub(super) fn take_part(&mut self, ticket: Ticket, number: u64, part: Part) -> Result<Option<Part>> {
        let file = self.large_file(ticket);
        if file.end.is_some() {
            return Ok(Some(part));
        }
        file.early.insert(number, part);
        self.append(ticket).map(|()| None)
    }

    fn large_file(&mut self, ticket: Ticket) -> &mut LargeFile {
        self.large.entry((ticket.directory, ticket.slot)).or_default()
    }

    /// Appends the parts of a large file that are next.
    fn append(&mut self, ticket: Ticket) -> Result<()> {
        let Some(file) = self.large.get_mut(&(ticket.directory, ticket.slot)) else { return Ok(()) };
        let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
        while let Some(part) = file.early.remove(&file.next) {
            file.next += 1;
            let pieces = match part {
                Part::Pieces(pieces) => pieces,
                Part::Again => {
                    let in_vain = std::mem::take(&mut file.content).bytes();
                    self.finished_bytes = self.finished_bytes.saturating_sub(in_vain);
                    continue;
                }
            };
            for piece in pieces {
                self.finished_bytes = self.finished_bytes.saturating_add(piece.length);
                file.content.push(piece, &mut store)?;
            }
        }
        self.tell_progress();
        Ok(())
    }

    /// Finishes a large file after its last part.
    fn finish_large_file(&mut self, ticket: Ticket) -> Result<()> {
        let key = (ticket.directory, ticket.slot);
        let Some(file) = self.large.get(&key) else { return Ok(()) };
        let is_done = file.end.as_ref().is_some_and(|(parts, ..)| *parts == file.next);
        if is_done
            && let Some(file) = self.large.remove(&key)
            && let Some((_, job, outcome)) = file.end
        {
            self.finished_bytes = self.finished_bytes.saturating_sub(file.content.bytes()); // counted again as a whole
            self.finish_file(job, outcome, file.content)?;
        }
        Ok(())
    }

    fn finish_file(&mut self, job: Job, outcome: FileOutcome, content: ContentWriter) -> Result<()> {
        let waiting = match outcome {
            Ok(file) => {
                let metadata = file.metadata.clone();
                let entry = self.file_entry(&job, file, content)?;
                let waiting = self.links.finish(&job.found, Some((&entry, &metadata)));
                self.arrived(&job, Some(entry))?;
                waiting
            }
            Err(error) => {
                let waiting = self.links.finish(&job.found, None);
                if error.kind == SourceErrorKind::Changed && !job.is_second_look {
                    self.look_again(job.into())?;
                } else {
                    self.walked.files.not_read(job.reason, Some(finding_kind(&error)));
                    self.note(finding_kind(&error), job.path(), error)?;
                    self.arrived(&job, None)?;
                }
                waiting
            }
        };
        waiting.into_iter().try_for_each(|job| self.read(job))
    }

    /// Puts the entry of a file that was waited for in its place, or none when it is left out.
    fn arrived(&mut self, job: &Job, entry: Option<Entry>) -> Result<()> {
        if let Some(entry) = &entry {
            self.finished_files += 1;
            self.finished_bytes = self.finished_bytes.saturating_add(entry.size);
            self.count(entry);
        }
        self.directories.arrived(job.ticket, entry, &mut self.chunks)?;
        self.tell_progress();
        Ok(())
    }

    fn file_entry(&mut self, job: &Job, file: FileRead, content: ContentWriter) -> Result<Entry> {
        let FileRead { metadata, flags, attributes, findings } = file;
        let size = content.bytes();
        let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
        let content = content.finish(&mut store)?;
        let mut entry = Entry::new(job.name.clone(), Node::File { content }, &metadata);
        entry.size = size;
        entry.link_group = self.link_group(&metadata);
        entry.flags = flags;
        self.set_attributes(&mut entry, Ok(attributes), &job.parent_path)?;
        for (kind, message) in findings {
            self.note(kind, job.path(), message)?;
        }
        Ok(entry)
    }

    /// Puts extended attributes into an entry of a directory; what could not be read becomes a flag and a finding.
    pub(super) fn set_attributes(
        &mut self,
        entry: &mut Entry,
        attributes: Result<ExtendedAttributes, UnreadAttributes>,
        parent_path: &Path,
    ) -> Result<()> {
        let attributes = match attributes {
            Ok(attributes) => attributes,
            Err(error) => {
                entry.flags.insert(EntryFlags::METADATA_INCOMPLETE);
                self.note(FindingKind::MetadataUnread, parent_path.of(&entry.name), &error)?;
                error.read
            }
        };
        if attributes.is_empty() {
            return Ok(());
        }
        let encoded = encode_attributes(&attributes);
        if encoded.len() <= INLINE_ATTRIBUTES {
            entry.attributes = Attributes::Inline(attributes);
            return Ok(());
        }
        let mut content = ContentWriter::new();
        let mut start = 0;
        for length in self.context.cutter.cut_all(&encoded) {
            let id = self.chunks.store(ChunkKind::Data, &encoded[start..start + length])?;
            let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
            content.push(Piece { length: length as u64, chunk: Some(id) }, &mut store)?;
            start += length;
        }
        let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
        let content: Content = content.finish(&mut store)?;
        entry.attributes = Attributes::Stored(content);
        Ok(())
    }
}
