//! One side of a comparison: names in their order, stored in a tree or found in a source.

use std::sync::Arc;

use lbak_core::{
    browse::{Findings, Selected, find, pass, roots},
    error::{Error, Result},
    id::ChunkId,
    metadata::{FileKind, Metadata},
    observe::FindingKind,
    source::{Directory, Found, Listing, Source, SourceError, SourceErrorKind, Unlisted},
    tree::{Content, Entry, Node, ReadChunk, TreeReader},
};

use super::DiffSide;

/// Something on one side.
pub(super) struct Thing {
    /// What is stored of it. Made from its metadata when it was found: then it has neither content nor attributes.
    pub(super) entry: Entry,
    /// Where it was found.
    pub(super) place: Option<Place>,
}

/// Where something of a source was found.
pub(super) struct Place {
    pub(super) directory: Arc<dyn Directory>,
    pub(super) metadata: Metadata,
}

/// A thing with its path.
pub(super) struct Placed {
    pub(super) path: Vec<u8>,
    pub(super) thing: Thing,
}

/// What comes next in a directory.
pub(super) enum Item {
    Thing(Box<Thing>),
    /// Something stands under this name and can not be looked at.
    Unknown(Vec<u8>),
}

impl Item {
    pub(super) fn name(&self) -> &[u8] {
        match self {
            Self::Thing(thing) => &thing.entry.name,
            Self::Unknown(name) => name,
        }
    }
}

/// What is in a directory of one side.
pub(super) struct Things<'a> {
    from: From<'a>,
    head: Option<Item>,
    /// Names behind the first and up to the second may be there: that part of the directory is lost.
    hidden: Option<(Option<Vec<u8>>, Vec<u8>)>,
}

enum From<'a> {
    Tree(TreeReader<'a>),
    Source(Arc<dyn Directory>, Listing),
    /// A directory that is not there.
    Nothing,
}

impl<'a> Things<'a> {
    pub(super) fn nothing() -> Self {
        Self { from: From::Nothing, head: None, hidden: None }
    }

    pub(super) fn stored(entries: TreeReader<'a>) -> Self {
        Self { from: From::Tree(entries), head: None, hidden: None }
    }

    /// Lists a directory of a source.
    pub(super) fn found(directory: Arc<dyn Directory>) -> Result<Self, SourceError> {
        let listing = directory.entries()?;
        Ok(Self { from: From::Source(directory, listing), head: None, hidden: None })
    }

    /// What comes next in the directory at this path.
    pub(super) fn peek(&mut self, findings: &Findings, path: &[u8]) -> Result<Option<&Item>> {
        if self.head.is_none() {
            self.head = self.advance(findings, path)?;
        }
        Ok(self.head.as_ref())
    }

    pub(super) fn take(&mut self) -> Option<Item> {
        self.head.take()
    }

    /// Tells whether this name may be there unseen.
    pub(super) fn may_hide(&self, name: &[u8]) -> bool {
        self.hidden.as_ref().is_some_and(|(after, last)| {
            after.as_ref().is_none_or(|after| name > after.as_slice()) && name <= last.as_slice()
        })
    }

    fn advance(&mut self, findings: &Findings, path: &[u8]) -> Result<Option<Item>> {
        loop {
            match &mut self.from {
                From::Nothing => return Ok(None),
                From::Tree(entries) => match entries.next() {
                    None => return Ok(None),
                    Some(Ok(entry)) => return Ok(Some(Item::Thing(Box::new(Thing { entry, place: None })))),
                    Some(Err(lost)) => {
                        self.hidden = Some(match self.hidden.take() {
                            // Lost parts side by side are one.
                            Some((after, last)) if Some(&last) == lost.after.as_ref() => (after, lost.last.clone()),
                            _ => (lost.after.clone(), lost.last.clone()),
                        });
                        pass(lost, findings, path)?;
                    }
                },
                From::Source(directory, listing) => match listing.next() {
                    None => return Ok(None),
                    Some(Err(Unlisted { name, error })) => {
                        let is_there = tell(findings, path, &name, &error);
                        if is_there {
                            return Ok(Some(Item::Unknown(name)));
                        }
                    }
                    // Never backed up: neither missing nor new.
                    Some(Ok(found)) if found.metadata.kind == FileKind::Socket => {}
                    Some(Ok(found)) => match thing(directory, &found) {
                        Ok(thing) => return Ok(Some(Item::Thing(Box::new(thing)))),
                        Err(error) => {
                            if tell(findings, path, &found.name, &error) {
                                return Ok(Some(Item::Unknown(found.name)));
                            }
                        }
                    },
                },
            }
        }
    }
}

/// Notes trouble with a name of a source; tells whether something is there all the same.
fn tell(findings: &Findings, directory: &[u8], name: &[u8], error: &SourceError) -> bool {
    let mut path = directory.to_vec();
    append(&mut path, name);
    note(findings, path, error);
    error.kind != SourceErrorKind::Vanished
}

/// Notes trouble with something of a source.
pub(super) fn note(findings: &Findings, path: Vec<u8>, error: &SourceError) {
    let is_gone = error.kind == SourceErrorKind::Vanished;
    findings.note(if is_gone { FindingKind::Vanished } else { FindingKind::Unreadable }, path, error);
}

fn thing(directory: &Arc<dyn Directory>, found: &Found) -> Result<Thing, SourceError> {
    let Metadata { kind, major, minor, .. } = found.metadata;
    let node = match kind {
        FileKind::File => Node::File { content: Content::default() },
        FileKind::Directory => Node::Directory { tree: ChunkId([0; 32]) },
        FileKind::Symlink => Node::Symlink { target: directory.link_target(&found.name)? },
        FileKind::Fifo => Node::Fifo,
        FileKind::CharacterDevice => Node::CharacterDevice { major, minor },
        FileKind::BlockDevice => Node::BlockDevice { major, minor },
        FileKind::Socket => Node::Socket,
    };
    let entry = Entry::new(found.name.clone(), node, &found.metadata);
    let place = Place { directory: Arc::clone(directory), metadata: found.metadata.clone() };
    Ok(Thing { entry, place: Some(place) })
}

/// The directory of a source's roots.
pub(super) fn roots_of(source: &dyn Source) -> Result<Arc<dyn Directory>> {
    source.roots().map_err(|error| Error::Source { path: "the source".into(), source: error.error })
}

/// All roots of a source that can be looked at.
pub(super) fn list_roots(roots: &Arc<dyn Directory>, findings: &Findings) -> Result<Vec<Placed>> {
    let listed = Things::found(Arc::clone(roots));
    let mut things = listed.map_err(|error| Error::Source { path: "the source".into(), source: error.error })?;
    let mut found = Vec::new();
    while things.peek(findings, b"")?.is_some() {
        if let Some(Item::Thing(thing)) = things.take() {
            found.push(Placed { path: thing.entry.name.clone(), thing: *thing });
        }
    }
    Ok(found)
}

/// The one thing that a side stands for: what its path names, or the snapshot's single root.
pub(super) fn part(side: DiffSide<'_>, read: &ReadChunk<'_>, findings: &Findings) -> Result<Placed> {
    let selected = match side.path {
        Some(path) => find(side.snapshot, path, read)?,
        None if side.snapshot.paths.len() > 1 => {
            return Err(not_one(&format!("snapshot {}", side.snapshot.id.short())));
        }
        None => {
            let lost = || Error::damaged(format!("snapshot {}", side.snapshot.id.short()), "its root is lost");
            roots(side.snapshot, read, findings)?.pop().ok_or_else(lost)?
        }
    };
    let Selected { path, entry } = selected;
    Ok(Placed { path, thing: Thing { entry, place: None } })
}

/// There is not one thing to compare.
pub(super) fn not_one(what: &str) -> Error {
    Error::Invalid { what: format!("{what} has several paths: name the one that is to be compared") }
}

/// Appends a name to a path. A root's name is a path itself; what lies below different paths has a path without a front.
pub(super) fn append(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() && !path.ends_with(b"/") && !name.starts_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}
