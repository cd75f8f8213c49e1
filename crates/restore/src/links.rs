//! Names of one file: the first that is met is restored, the others are linked to it when it is complete.
//!
//! Nothing tells how many names a file has, so the first names are kept until the end: about 200 bytes for each file that
//! has several.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
};

use lbak_core::{
    error::Result,
    observe::{Action, FindingKind},
    tree::{Content, Entry, Node},
};
use rustix::{
    fs::{AtFlags, FileType, Stat},
    io::Errno,
};

use crate::{
    begin,
    directory::Directory,
    existing::{self, Fate},
    node,
    system::{self, Identity},
    target::{Target, add},
    temporary,
};

/// The first name of a file.
pub(crate) struct Origin {
    directory: Arc<Directory>,
    name: Vec<u8>,
    /// Of what it holds: a number that was used again while the snapshot was taken must not make two files one.
    content: u64,
    state: Mutex<OriginState>,
}

#[derive(Clone, Copy)]
enum OriginState {
    Pending,
    Complete(Identity),
    Failed,
}

impl Origin {
    pub(crate) fn complete(&self, identity: Identity) {
        self.set(OriginState::Complete(identity));
    }

    pub(crate) fn failed(&self) {
        self.set(OriginState::Failed);
    }

    fn set(&self, state: OriginState) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn state(&self) -> OriginState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first names that were met.
#[derive(Default)]
pub(crate) struct Links(HashMap<(u64, u64), Arc<Origin>>);

/// What a name is.
pub(crate) enum Name {
    /// The only one.
    Alone,
    /// The first of several, which is told when it is complete.
    First(Arc<Origin>),
    /// One more of these.
    More(Arc<Origin>),
    /// One more by its number, but it holds something else.
    Other(Arc<Origin>),
}

impl Links {
    pub(crate) fn meet(&mut self, directory: &Arc<Directory>, entry: &Entry) -> Name {
        if entry.link_group == 0 {
            return Name::Alone;
        }
        let content = content_hash(&entry.node);
        match self.0.entry((entry.link_group, entry.inode)) {
            std::collections::hash_map::Entry::Occupied(met) if met.get().content == content => {
                Name::More(Arc::clone(met.get()))
            }
            std::collections::hash_map::Entry::Occupied(met) => Name::Other(Arc::clone(met.get())),
            std::collections::hash_map::Entry::Vacant(vacant) => {
                let origin = Arc::new(Origin {
                    directory: Arc::clone(directory),
                    name: entry.name.clone(),
                    content,
                    state: Mutex::new(OriginState::Pending),
                });
                vacant.insert(Arc::clone(&origin));
                Name::First(origin)
            }
        }
    }
}

impl Origin {
    /// Its path in the snapshot.
    pub(crate) fn path(&self) -> Vec<u8> {
        self.directory.path_of(&self.name)
    }
}

/// A name to be linked, in a directory that waits for it.
pub(crate) struct Link {
    pub(crate) directory: Arc<Directory>,
    pub(crate) entry: Entry,
    pub(crate) origin: Arc<Origin>,
}

impl Link {
    pub(crate) fn new(directory: &Arc<Directory>, entry: Entry, origin: Arc<Origin>) -> Self {
        directory.hold();
        Self { directory: Arc::clone(directory), entry, origin }
    }

    /// Makes the link; gives itself back when it has to be restored as a file of its own.
    pub(crate) fn make(self, target: &Target) -> Result<Option<Self>> {
        let OriginState::Complete(identity) = self.origin.state() else { return Ok(Some(self)) };
        let replaced = match self.fate(target, identity) {
            Ok(Some(replaced)) => replaced,
            Ok(None) => {
                self.directory.release(target);
                return Ok(None);
            }
            Err(errno) => {
                self.directory.note_unwritable(target, "link", &self.entry.name, errno)?;
                self.directory.release(target);
                return Ok(None);
            }
        };
        let made = if target.dry_run { Ok(()) } else { self.try_make(target, identity, replaced.as_ref()) };
        match made {
            Ok(()) => {
                self.count(target);
                let action = if replaced.is_some() { Action::Updated } else { Action::Created };
                target.act(action, self.entry.size, &|| self.directory.path_of(&self.entry.name));
            }
            Err(errno @ (Errno::EXIST | Errno::NOTEMPTY)) => {
                self.directory.note_unwritable(target, "link", &self.entry.name, errno)?;
            }
            Err(errno) => {
                let path = self.directory.path_of(&self.entry.name);
                let message = target.judge("link", &path, errno)?;
                let message = format!("{message}; it is a copy now, no hard link");
                target.findings.note(FindingKind::MetadataUnset, path, message);
                return Ok(Some(self));
            }
        }
        self.directory.release(target);
        Ok(None)
    }

    fn count(&self, target: &Target) {
        node::count(target, &self.entry);
        add(&target.restored.bytes, self.entry.size);
        add(&target.restored.done, self.entry.size);
    }

    /// What has to go for it, if anything; `None` when what is there stays.
    fn fate(&self, target: &Target, identity: Identity) -> rustix::io::Result<Option<Option<Stat>>> {
        // A file that looks the same and is another is no link: it is replaced like one that differs.
        let stat = match existing::fate(target, &self.directory, &self.entry, FileType::Unknown)? {
            Fate::Free => return Ok(Some(None)),
            Fate::Untouched => return Ok(None),
            Fate::Stay { stat, .. } => {
                begin::stay(target, &self.directory, &self.entry, &stat, system::identity(&stat) == identity);
                add(&target.restored.bytes, self.entry.size);
                return Ok(None);
            }
            Fate::Change(stat) | Fate::Replace(stat) => stat,
        };
        if system::identity(&stat) == identity {
            self.count(target);
            target.act(Action::Kept, self.entry.size, &|| self.directory.path_of(&self.entry.name));
            return Ok(None);
        }
        if target.in_place.is_none() { Err(Errno::EXIST) } else { Ok(Some(Some(stat))) }
    }

    fn try_make(&self, target: &Target, identity: Identity, replaced: Option<&Stat>) -> rustix::io::Result<()> {
        let (from, to) = (self.origin.directory.fd(target)?, self.directory.fd(target)?);
        let name = self.entry.name.as_slice();
        let is_directory = replaced.is_some_and(|stat| system::kind(stat) == FileType::Directory);
        if let Some(stat) = replaced.filter(|_| is_directory) {
            existing::make_free(target, &self.directory, name, stat)?;
        }
        let takes_place = replaced.is_some() && !is_directory;
        let made = if takes_place { temporary::new_name(&target.codec, name) } else { name.to_vec() };
        let made = made.as_slice();
        let link = || rustix::fs::linkat(&*from, self.origin.name.as_slice(), &*to, made, AtFlags::empty());
        match link() {
            Err(Errno::EXIST) if takes_place => {
                rustix::fs::unlinkat(&*to, made, AtFlags::empty())?;
                link()
            }
            outcome => outcome,
        }?;
        if system::identity(&system::look(to.as_fd(), made)?) != identity {
            // Somebody has put another file in its place.
            rustix::fs::unlinkat(&*to, made, AtFlags::empty())?;
            return Err(Errno::STALE);
        }
        if takes_place {
            rustix::fs::renameat(&*to, made, &*to, name)?;
        }
        Ok(())
    }
}

/// A number for what an entry holds. Whoever can make two contents with the same one can store either anyway.
pub(crate) fn content_hash(node: &Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    std::mem::discriminant(node).hash(&mut hasher);
    match node {
        Node::File { content: Content::Inline(pieces) } => {
            pieces.iter().for_each(|piece| (piece.length, piece.chunk).hash(&mut hasher));
        }
        Node::File { content: Content::List { id, .. } } => id.hash(&mut hasher),
        Node::Symlink { target } => target.hash(&mut hasher),
        Node::CharacterDevice { major, minor } | Node::BlockDevice { major, minor } => {
            (major, minor).hash(&mut hasher);
        }
        Node::Directory { .. } | Node::Fifo | Node::Socket => {}
    }
    hasher.finish()
}
