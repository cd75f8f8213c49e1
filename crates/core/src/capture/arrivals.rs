//! What comes back from readers and workers: pieces of files, in any order, become entries.

use std::collections::HashMap;

use super::{
    batch::{FileOutcome, FileRead, Message, Ticket},
    walk::Walk,
};
use crate::{
    error::Result,
    id::ChunkKind,
    observe::FindingKind,
    source::{ExtendedAttributes, SourceError},
    tree::{Attributes, Content, ContentWriter, Entry, EntryFlags, INLINE_ATTRIBUTES, Node, Piece, encode_attributes},
};

/// A large file whose parts are coming in.
#[derive(Default)]
pub(super) struct LargeFile {
    content: ContentWriter,
    next: u64,
    early: HashMap<u64, Vec<Piece>>,
    end: Option<(u64, FileOutcome)>,
}

impl Walk<'_> {
    /// Takes what came back.
    pub(super) fn take(&mut self, message: Message) -> Result<()> {
        match message {
            Message::File { ticket, outcome, pieces } => {
                let mut content = ContentWriter::new();
                let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
                pieces.into_iter().try_for_each(|piece| content.push(piece, &mut store))?;
                self.finish_file(ticket, outcome, content)
            }
            Message::Part { ticket, number, pieces } => {
                self.large_file(ticket).early.insert(number, pieces);
                self.advance(ticket)
            }
            Message::End { ticket, parts, outcome } => {
                self.large_file(ticket).end = Some((parts, outcome));
                self.advance(ticket)
            }
            Message::Failed => self.context.check(),
        }
    }

    fn large_file(&mut self, ticket: Ticket) -> &mut LargeFile {
        self.large.entry((ticket.directory, ticket.slot)).or_default()
    }

    /// Appends the parts of a large file that are next, and finishes it after the last.
    fn advance(&mut self, ticket: Ticket) -> Result<()> {
        let key = (ticket.directory, ticket.slot);
        let Some(file) = self.large.get_mut(&key) else { return Ok(()) };
        let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
        while let Some(pieces) = file.early.remove(&file.next) {
            file.next += 1;
            for piece in pieces {
                self.finished_bytes = self.finished_bytes.saturating_add(piece.length);
                file.content.push(piece, &mut store)?;
            }
        }
        let is_done = file.end.as_ref().is_some_and(|(parts, _)| *parts == file.next);
        if is_done
            && let Some(file) = self.large.remove(&key)
            && let Some((_, outcome)) = file.end
        {
            self.finished_bytes = self.finished_bytes.saturating_sub(file.content.bytes()); // counted again as a whole
            self.finish_file(ticket, outcome, file.content)?;
        }
        self.tell_progress();
        Ok(())
    }

    fn finish_file(&mut self, ticket: Ticket, outcome: FileOutcome, content: ContentWriter) -> Result<()> {
        let entry = match outcome {
            FileOutcome::Lost { path, kind, message } => {
                self.note(kind, path, message)?;
                None
            }
            FileOutcome::Read { name, path, file } => Some(self.file_entry(name, path, file, content)?),
        };
        if let Some(entry) = &entry {
            self.finished_files += 1;
            self.finished_bytes = self.finished_bytes.saturating_add(entry.size);
            self.count(entry);
        }
        self.directories.arrived(ticket, entry, self.keys, &mut self.chunks)?;
        self.tell_progress();
        Ok(())
    }

    fn file_entry(&mut self, name: Vec<u8>, path: Vec<u8>, file: FileRead, content: ContentWriter) -> Result<Entry> {
        let FileRead { metadata, flags, attributes, findings } = file;
        let size = content.bytes();
        let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
        let content = content.finish(&mut store)?;
        let mut entry = Entry::new(name, Node::File { content }, &metadata);
        entry.size = size;
        entry.link_group = self.link_group(&metadata);
        entry.flags = flags;
        self.set_attributes(&mut entry, Ok(attributes), &path)?;
        for (kind, message) in findings {
            self.note(kind, path.clone(), message)?;
        }
        Ok(entry)
    }

    /// Puts extended attributes into an entry; what could not be read becomes a flag and a finding.
    pub(super) fn set_attributes(
        &mut self,
        entry: &mut Entry,
        attributes: Result<ExtendedAttributes, SourceError>,
        path: &[u8],
    ) -> Result<()> {
        let attributes = match attributes {
            Ok(attributes) => attributes,
            Err(error) => {
                entry.flags.insert(EntryFlags::METADATA_INCOMPLETE);
                return self.note(FindingKind::MetadataUnread, path.to_vec(), &error);
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
