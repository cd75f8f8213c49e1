//! Walks one snapshot and writes its trees anew with all that is left.
//!
//! What is whole encodes to the chunks that are there already, so only the way from the root to what is lost is new. Whatever
//! can be read, but lies only in packs that nobody may refer to any more, is stored anew on the way.

use std::ops::Range;

use lbak_core::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    index::{IdPrefix, Location},
    keys::Keys,
    observe::Finding,
    repository::View,
    snapshot::{Extent, Manifest, StoredFindings, Totals},
    store::ChunkReader,
    tree::{
        Attributes, Content, ContentReader, ContentWriter, Entry, EntryFlags, NameRule, Node, Piece, ReadChunk, Roots,
        TreeReader, TreeWriter, read_attributes,
    },
    wire,
};

use super::{Mended, lost::Losses, storing::Storing};
use crate::{hurt::append, ledger::Ledger, packs::Packs, places::BadPlaces};

/// Where chunks are, and which of the places can be relied on.
pub(super) struct Sound<'a> {
    pub(super) ledger: &'a Ledger<'a>,
    pub(super) reader: &'a ChunkReader,
    pub(super) view: &'a View,
    pub(super) packs: &'a Packs,
    pub(super) bad: &'a BadPlaces,
}

/// What is left of a snapshot.
pub(super) struct Left {
    pub(super) root: ChunkId,
    pub(super) totals: Totals,
    pub(super) logical_bytes: u64,
    pub(super) findings: StoredFindings,
}

/// Why nothing is written of a snapshot.
pub(super) struct Unmended {
    pub(super) outcome: Mended,
    pub(super) reason: String,
}

/// One walk.
pub(super) struct Mender<'a> {
    sound: &'a Sound<'a>,
    keys: &'a Keys,
    pub(super) storing: Storing<'a>,
    pub(super) losses: Losses,
    totals: Totals,
    logical_bytes: u64,
}

/// A directory that is being written.
struct Frame<'a> {
    entries: TreeReader<'a>,
    writer: TreeWriter<'a>,
    /// Its own entry; `None` for the list of roots.
    entry: Option<Entry>,
    path_length: usize,
    is_hurt: bool,
}

impl<'a> Mender<'a> {
    pub(super) fn new(sound: &'a Sound<'a>, storing: Storing<'a>, losses: Losses) -> Self {
        let keys = sound.reader.codec().keys();
        Self { sound, keys, storing, losses, totals: Totals::default(), logical_bytes: 0 }
    }

    /// Writes what is left of a snapshot that may show so much, or tells why that is nothing.
    pub(super) fn mend(&mut self, manifest: &Manifest, extent: Extent) -> Result<Result<Left, Unmended>> {
        let sound = self.sound;
        let read = |kind: ChunkKind, id: &ChunkId| {
            sound.ledger.check_cancelled()?;
            sound.reader.read(kind, id)
        };
        self.keep_findings(manifest, &read)?;
        let root = match self.trees(manifest.root, extent, &read)? {
            Ok(root) => root,
            Err(unmended) => return Ok(Err(unmended)),
        };
        let findings = self.losses.finish(&mut self.storing)?;
        self.storing.flush()?;
        Ok(Ok(Left { root, totals: self.totals, logical_bytes: self.logical_bytes, findings }))
    }

    /// What was wrong when the snapshot was taken is still so.
    fn keep_findings(&mut self, manifest: &Manifest, read: &ReadChunk<'_>) -> Result<()> {
        let mut all: Vec<Finding> = Vec::new();
        for id in &manifest.findings.all {
            let findings =
                read(ChunkKind::List, id).and_then(|chunk| wire::decode::<Vec<Finding>>("findings", 1, &chunk));
            all.extend(outlive(findings)?.unwrap_or_default());
        }
        if all.is_empty() {
            all.clone_from(&manifest.findings.first);
        }
        all.into_iter().try_for_each(|finding| self.losses.keep(finding, &mut self.storing))
    }

    fn trees(&mut self, root: ChunkId, mut extent: Extent, read: &ReadChunk<'_>) -> Result<Result<ChunkId, Unmended>> {
        let entries = match TreeReader::open(NameRule::AbsolutePath, root, read) {
            Ok(entries) => entries,
            Err(error) => return unmended(Mended::Nothing, error),
        };
        let writer = TreeWriter::new(self.keys, NameRule::AbsolutePath);
        let mut open = vec![Frame { entries, writer, entry: None, path_length: 0, is_hurt: false }];
        let (mut path, mut roots) = (Vec::new(), Roots::default());
        loop {
            let is_root = open.len() == 1;
            let frame = open.last_mut().expect("the walk ends with the first one");
            path.truncate(frame.path_length);
            match frame.entries.next() {
                Some(Ok(mut entry)) => {
                    if let Err(error) = extent.meet(&entry) {
                        return unmended(Mended::TooMuch, error);
                    }
                    append(&mut path, &entry.name);
                    if let Some(told) = is_root.then(|| roots.meet(&entry.name)).flatten() {
                        self.losses.lose(&path, told, &mut self.storing)?;
                        continue;
                    }
                    self.count(&entry);
                    self.attributes(&path, &mut entry, read)?;
                    let Node::Directory { tree } = entry.node else {
                        self.file(&path, &mut entry, read)?;
                        frame.writer.push(&entry, &mut |kind, chunk| self.storing.store(kind, &chunk))?;
                        continue;
                    };
                    match TreeReader::open(NameRule::Component, tree, read) {
                        Ok(entries) => {
                            let writer = TreeWriter::new(self.keys, NameRule::Component);
                            let path_length = path.len();
                            open.push(Frame { entries, writer, entry: Some(entry), path_length, is_hurt: false });
                        }
                        Err(error) => {
                            let what = format!("all that was in it is lost: {error}");
                            outlive::<()>(Err(error))?;
                            self.losses.entries(&path, what, &mut self.storing)?;
                            let empty = TreeWriter::new(self.keys, NameRule::Component);
                            let tree = empty.finish(&mut |kind, chunk| self.storing.store(kind, &chunk))?;
                            entry.node = Node::Directory { tree };
                            entry.flags.insert(EntryFlags::CONTENT_LOST);
                            frame.writer.push(&entry, &mut |kind, chunk| self.storing.store(kind, &chunk))?;
                        }
                    }
                }
                Some(Err(lost)) => {
                    let what = lost.to_string();
                    outlive::<()>(Err(lost.error))?;
                    frame.is_hurt = true;
                    let path = if path.is_empty() { b"/".as_slice() } else { &path };
                    self.losses.entries(path, what, &mut self.storing)?;
                }
                None => {
                    let Frame { writer, entry, is_hurt, .. } = open.pop().expect("it was just looked at");
                    let tree = writer.finish(&mut |kind, chunk| self.storing.store(kind, &chunk))?;
                    let (Some(mut entry), Some(above)) = (entry, open.last_mut()) else { return Ok(Ok(tree)) };
                    entry.node = Node::Directory { tree };
                    if is_hurt {
                        entry.flags.insert(EntryFlags::CONTENT_LOST);
                    }
                    above.writer.push(&entry, &mut |kind, chunk| self.storing.store(kind, &chunk))?;
                }
            }
        }
    }

    fn file(&mut self, path: &[u8], entry: &mut Entry, read: &ReadChunk<'_>) -> Result<()> {
        let Node::File { content } = &entry.node else { return Ok(()) };
        let mut lost = Vec::new();
        let Some(content) = self.content(content, Some(entry.size), read, &mut lost)? else { return Ok(()) };
        entry.node = Node::File { content };
        if !lost.is_empty() {
            entry.flags.insert(EntryFlags::CONTENT_LOST);
            self.losses.ranges(path, &lost, &mut self.storing)?;
        }
        Ok(())
    }

    fn attributes(&mut self, path: &[u8], entry: &mut Entry, read: &ReadChunk<'_>) -> Result<()> {
        let Attributes::Stored(stored) = &entry.attributes else { return Ok(()) };
        let mut lost = Vec::new();
        // First, as there is an end to what they may be: all of their bytes may be there, and be none, or far too many.
        let content = match outlive(read_attributes(stored, read))? {
            Some(_) => self.content(stored, None, read, &mut lost)?,
            None => None,
        };
        match content.filter(|_| lost.is_empty()) {
            Some(content) => entry.attributes = Attributes::Stored(content),
            None => {
                entry.attributes = Attributes::None;
                entry.flags.insert(EntryFlags::METADATA_INCOMPLETE);
                self.losses.lose(path, "its extended attributes are lost".into(), &mut self.storing)?;
            }
        }
        Ok(())
    }

    /// The same pieces, with holes where chunks are lost; `None` when it can not even be told how many bytes there were.
    fn content(
        &mut self,
        content: &Content,
        size: Option<u64>,
        read: &ReadChunk<'_>,
        lost: &mut Vec<Range<u64>>,
    ) -> Result<Option<Content>> {
        let mut writer = ContentWriter::new();
        for placed in ContentReader::new(content, size, read) {
            let (offset, mut piece, is_there) = match placed {
                Ok(placed) => {
                    let is_there = match &placed.piece.chunk {
                        Some(id) => self.secure(id, placed.piece.length)?,
                        None => true,
                    };
                    (placed.offset, placed.piece, is_there)
                }
                Err(gone) => {
                    outlive::<()>(Err(gone.error))?;
                    let Some(bytes) = gone.bytes else { return Ok(None) };
                    (gone.offset, Piece { length: bytes, chunk: None }, false)
                }
            };
            if !is_there {
                let end = offset.saturating_add(piece.length);
                match lost.last_mut().filter(|last| last.end == offset) {
                    Some(last) => last.end = end,
                    None => lost.push(offset..end),
                }
                piece.chunk = None;
            }
            writer.push(piece, &mut |kind, chunk| self.storing.store(kind, &chunk))?;
        }
        writer.finish(&mut |kind, chunk| self.storing.store(kind, &chunk)).map(Some)
    }

    /// Tells whether a data chunk lies where it may be referred to; one that can only be read elsewhere is stored anew.
    fn secure(&mut self, id: &ChunkId, length: u64) -> Result<bool> {
        let sound = self.sound;
        let prefix = IdPrefix::from(id);
        let is_sound = |location: &Location| {
            !location.has_base
                && u64::from(location.length) == length
                && sound.view.is_usable(&location.pack.id)
                && sound.packs.fault(&location.pack).is_none()
                && !sound.bad.contains(location, &prefix)
        };
        let found = sound.reader.index().find(id, ChunkKind::Data, &mut |location| is_sound(location));
        if outlive(found)?.flatten().is_some() {
            return Ok(true);
        }
        match outlive(sound.reader.read(ChunkKind::Data, id))? {
            Some(bytes) if bytes.len() as u64 == length => {
                self.storing.add(ChunkKind::Data, *id, &bytes)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn count(&mut self, entry: &Entry) {
        match entry.node {
            Node::File { .. } => {
                self.totals.files += 1;
                self.logical_bytes = self.logical_bytes.saturating_add(entry.size);
            }
            Node::Directory { .. } => self.totals.directories += 1,
            Node::Symlink { .. } => self.totals.links += 1,
            _ => self.totals.others += 1,
        }
    }
}

/// Nothing is written because of this error, which must be damage.
fn unmended<T>(outcome: Mended, error: Error) -> Result<Result<T, Unmended>> {
    let reason = error.to_string();
    outlive::<()>(Err(error))?;
    Ok(Err(Unmended { outcome, reason }))
}

/// Nothing where there was damage.
fn outlive<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if Error::is_of_one_object(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
