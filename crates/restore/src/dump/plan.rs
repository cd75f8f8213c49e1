//! Walks what is to be streamed, in the order of its names, and tells what the stream is made of.
//!
//! What is lost stands in the stream as [`Part::Lost`], and the walk goes on behind it: whoever only checks wants to hear of
//! everything, whoever delivers stops there.

use std::collections::HashMap;

use lbak_core::{
    browse::{in_words, join},
    error::{Error, Result, escape},
    snapshot::Extent,
    tree::{
        Attributes, Content, ContentReader, Entry, EntryFlags, LostPieces, NameRule, Node, PlacedPiece, ReadChunk,
        TreeReader, check_name, read_attributes,
    },
};

use super::{
    header::{BLOCK, Heading, Kind},
    part::{Feed, Part},
    sparse::Layout,
};
use crate::links::content_hash;

/// What is streamed.
pub(super) enum Subject {
    /// The bytes of one file.
    File {
        /// Its path in the snapshot.
        path: Vec<u8>,
        /// Its entry.
        entry: Box<Entry>,
    },
    /// An archive of these.
    Archive(Vec<Member>),
}

/// Something that goes into an archive with everything below.
pub(super) struct Member {
    /// Its name there; empty when it is what the archive as a whole stands for.
    pub(super) name: Vec<u8>,
    /// Its path in the snapshot.
    pub(super) path: Vec<u8>,
    /// Its entry.
    pub(super) entry: Entry,
}

/// Why a file can not be told to its end.
enum Stop {
    /// Stored bytes are lost.
    Lost(String),
    /// Everything stops.
    All(Error),
}

impl From<LostPieces> for Stop {
    fn from(lost: LostPieces) -> Self {
        if lost.error.is_damage() { Self::Lost(in_words(&lost)) } else { Self::All(lost.error) }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::All(error)
    }
}

/// Why a file is not told that a repair has found only a part of.
const PARTIAL: &str = "a part of it was lost before this snapshot was made of the rest: restore it to get what is left";

/// Tells all parts of a stream.
pub(super) fn plan(subject: &Subject, extent: &mut Extent, read: &ReadChunk<'_>, feed: &mut Feed<'_>) -> Result<()> {
    match subject {
        Subject::File { path, entry } => {
            extent.meet(entry)?;
            plan_file(path, entry, read, feed)?;
        }
        Subject::Archive(members) => {
            let mut links = Links::default();
            for member in members {
                Walk { member, extent: &mut *extent, read, feed: &mut *feed, links: &mut links }.run()?;
            }
            feed.push(Part::Zeros(2 * BLOCK))?;
        }
    }
    feed.flush()
}

fn plan_file(path: &[u8], entry: &Entry, read: &ReadChunk<'_>, feed: &mut Feed<'_>) -> Result<()> {
    feed.push(Part::Begin(path.to_vec()))?;
    let Node::File { content } = &entry.node else {
        return Err(Error::Invalid { what: format!("\"{}\" is no regular file", escape(path)) });
    };
    let pushed = match entry.flags.contains(EntryFlags::CONTENT_LOST) {
        true => Err(Stop::Lost(PARTIAL.to_owned())),
        false => push_pieces(content, entry.size, read, feed, true),
    };
    match pushed {
        Ok(()) => feed.push(Part::End),
        Err(Stop::Lost(reason)) => feed.push(Part::Lost { path: path.to_vec(), entries: 1, reason }),
        Err(Stop::All(error)) => Err(error),
    }
}

/// Tells the pieces of a file, with or without its holes.
fn push_pieces(
    content: &Content,
    size: u64,
    read: &ReadChunk<'_>,
    feed: &mut Feed<'_>,
    with_holes: bool,
) -> Result<(), Stop> {
    for placed in ContentReader::new(content, Some(size), read) {
        let piece = placed?.piece;
        match piece.chunk {
            Some(id) => {
                let length = u32::try_from(piece.length)
                    .map_err(|_| Stop::Lost("a piece of it is longer than a chunk can be".to_owned()))?;
                feed.push(Part::Chunk { id, length })?;
            }
            None if with_holes => feed.push(Part::Zeros(piece.length))?,
            None => {}
        }
    }
    Ok(())
}

/// First names of files that have several: about 200 bytes for each, until the end.
#[derive(Default)]
struct Links(HashMap<(u64, u64), (u64, Vec<u8>)>);

impl Links {
    /// The first name of what this is another name of.
    fn meet(&mut self, name: &[u8], entry: &Entry) -> Option<Vec<u8>> {
        if entry.link_group == 0 {
            return None;
        }
        let content = content_hash(&entry.node);
        let (first_content, first) =
            self.0.entry((entry.link_group, entry.inode)).or_insert_with(|| (content, name.to_vec()));
        // A number that was used again while the snapshot was taken does not make two files one.
        (first != name && *first_content == content).then(|| first.clone())
    }
}

/// Names and values of attributes.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// The walk through one member.
struct Walk<'a, 'f> {
    member: &'a Member,
    extent: &'a mut Extent,
    read: &'a ReadChunk<'a>,
    feed: &'a mut Feed<'f>,
    links: &'a mut Links,
}

impl<'a> Walk<'a, '_> {
    /// Trees may be deeper than the stack: the levels are kept in a list.
    fn run(mut self) -> Result<()> {
        let mut name = self.member.name.clone();
        let mut levels: Vec<(TreeReader<'a>, usize)> = Vec::new();
        levels.extend(self.entry(&name, &self.member.entry)?.map(|entries| (entries, name.len())));
        while let Some((entries, length)) = levels.last_mut() {
            name.truncate(*length);
            match entries.next() {
                Some(Ok(entry)) => {
                    if !name.is_empty() {
                        name.push(b'/');
                    }
                    name.extend_from_slice(&entry.name);
                    levels.extend(self.entry(&name, &entry)?.map(|entries| (entries, name.len())));
                }
                Some(Err(lost)) if lost.error.is_damage() => self.lose(&name, lost.entries, in_words(&lost))?,
                Some(Err(lost)) => return Err(lost.error),
                None => {
                    levels.pop();
                }
            }
        }
        Ok(())
    }

    /// Tells one entry; returns what is in it when it is a directory.
    fn entry(&mut self, name: &[u8], entry: &Entry) -> Result<Option<TreeReader<'a>>> {
        self.extent.meet(entry)?;
        self.feed.push(Part::Begin(self.shown(name)))?;
        if let Node::Socket = entry.node {
            self.feed.push(Part::Skipped(self.shown(name)))?;
            return Ok(None);
        }
        match self.try_entry(name, entry) {
            Ok(()) => self.feed.push(Part::End)?,
            Err(Stop::Lost(reason)) => self.lose(name, 1, reason)?,
            Err(Stop::All(error)) => return Err(error),
        }
        let Node::Directory { tree } = entry.node else { return Ok(None) };
        match TreeReader::open(NameRule::Component, tree, self.read) {
            Ok(entries) => Ok(Some(entries)),
            Err(error) if error.is_damage() => {
                self.lose(name, 1, format!("everything in it is lost: {}", in_words(&error)))?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn try_entry(&mut self, name: &[u8], entry: &Entry) -> Result<(), Stop> {
        // Trees are checked when they are read; that no name leads out of its directory is worth asking twice.
        if let Some(Err(what)) = name.rsplit(|&byte| byte == b'/').next().map(is_sound_name) {
            return Err(Stop::Lost(format!("its name {what}")));
        }
        let attributes = self.attributes(entry)?;
        let mut heading = Heading {
            name,
            kind: Kind::File,
            entry,
            link: b"",
            device: (0, 0),
            size: 0,
            attributes: &attributes,
            sparse: None,
        };
        if let Some(first) = self.links.meet(name, entry) {
            return Ok(self.push_header(&Heading {
                kind: Kind::HardLink,
                link: &first,
                attributes: &[],
                ..heading
            })?);
        }
        match &entry.node {
            Node::File { content } => return self.file(heading, content),
            Node::Directory { .. } => {
                let name = if name.is_empty() { b"./".to_vec() } else { [name, b"/"].concat() };
                return Ok(self.push_header(&Heading { name: &name, kind: Kind::Directory, ..heading })?);
            }
            Node::Symlink { target } => (heading.kind, heading.link) = (Kind::Symlink, target),
            Node::Fifo | Node::Socket => heading.kind = Kind::Fifo,
            Node::CharacterDevice { major, minor } => {
                (heading.kind, heading.device) = (Kind::CharacterDevice, (*major, *minor));
            }
            Node::BlockDevice { major, minor } => {
                (heading.kind, heading.device) = (Kind::BlockDevice, (*major, *minor));
            }
        }
        Ok(self.push_header(&heading)?)
    }

    /// Tells a file; of one with holes, a map and what is there.
    fn file(&mut self, heading: Heading<'_>, content: &Content) -> Result<(), Stop> {
        let size = heading.entry.size;
        if heading.entry.flags.contains(EntryFlags::CONTENT_LOST) {
            return Err(Stop::Lost(PARTIAL.to_owned()));
        }
        let pieces = || ContentReader::new(content, Some(size), self.read);
        let layout = Layout::measure(&mut pieces())?;
        let mut stored = size;
        if layout.has_holes {
            stored = layout.map_bytes().saturating_add(layout.data);
            let mut pieces: Box<dyn Iterator<Item = Result<PlacedPiece, LostPieces>>> = Box::new(pieces());
            self.push_header(&Heading { size: stored, sparse: Some(size), ..heading })?;
            layout.map(&mut pieces, &mut |map| self.feed.push(Part::Bytes(map)).map_err(Stop::from))?;
        } else {
            self.push_header(&Heading { size, ..heading })?;
        }
        push_pieces(content, size, self.read, self.feed, false)?;
        Ok(self.feed.push(Part::Zeros(stored.next_multiple_of(BLOCK) - stored))?)
    }

    fn push_header(&mut self, heading: &Heading<'_>) -> Result<()> {
        self.feed.push(Part::Bytes(heading.encode()))
    }

    fn attributes(&self, entry: &Entry) -> Result<Pairs, Stop> {
        match &entry.attributes {
            Attributes::None => Ok(Vec::new()),
            Attributes::Inline(pairs) => Ok(pairs.clone()),
            Attributes::Stored(content) => read_attributes(content, self.read).map_err(|error| {
                if error.is_damage() {
                    Stop::Lost(format!("its extended attributes are lost: {}", in_words(&error)))
                } else {
                    Stop::All(error)
                }
            }),
        }
    }

    fn lose(&mut self, name: &[u8], entries: u64, reason: String) -> Result<()> {
        self.feed.push(Part::Lost { path: self.shown(name), entries, reason })
    }

    /// The path in the snapshot of a name in the archive.
    fn shown(&self, name: &[u8]) -> Vec<u8> {
        let below = name.get(self.member.name.len()..).unwrap_or_default();
        let below = below.strip_prefix(b"/").unwrap_or(below);
        let mut path = self.member.path.clone();
        if !below.is_empty() {
            join(&mut path, below);
        }
        path
    }
}

/// Only what stands for the archive itself has no name.
fn is_sound_name(name: &[u8]) -> std::result::Result<(), &'static str> {
    if name.is_empty() { Ok(()) } else { check_name(NameRule::Component, name) }
}
