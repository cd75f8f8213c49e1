//! One folder: its names in order, and what stands behind them.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    fs::{CWD, OFlags},
    io::Errno,
};

use super::{
    super::{
        Directory, ExtendedAttributes, Found, Listing, SourceError, SourceErrorKind, SourceFile, Unlisted,
        UnreadAttributes,
    },
    Walk, attributes,
    file::LocalFile,
    handles::Handle,
    pseudo,
    system::{self, Links},
};
use crate::metadata::{FileKind, Metadata};

/// A folder of a walk.
#[derive(Debug)]
pub(super) struct LocalDirectory(Arc<Folder>);

/// How to come to a folder, and its descriptor while it is open.
#[derive(Debug)]
struct Folder {
    walk: Arc<Walk>,
    parent: Option<Arc<Folder>>,
    /// A name of the parent; an absolute path where there is none.
    name: Vec<u8>,
    device: u64,
    inode: u64,
    handle: Arc<Handle>,
    /// Held while names are read: the descriptor has one position for all.
    listing: Mutex<()>,
    /// Something in it is not shown.
    has_left_out: AtomicBool,
}

impl LocalDirectory {
    /// Opens a folder that the user has named.
    pub(super) fn root(walk: &Arc<Walk>, path: &[u8], expected: &Metadata) -> Result<Self, SourceError> {
        Self::open(walk, None, path, expected)
    }

    fn open(
        walk: &Arc<Walk>,
        parent: Option<Arc<Folder>>,
        name: &[u8],
        expected: &Metadata,
    ) -> Result<Self, SourceError> {
        let folder = Folder {
            walk: Arc::clone(walk),
            parent,
            name: name.to_vec(),
            device: expected.device,
            inode: expected.inode,
            handle: Arc::default(),
            listing: Mutex::default(),
            has_left_out: AtomicBool::new(false),
        };
        folder.fd()?;
        Ok(Self(Arc::new(folder)))
    }
}

impl Folder {
    /// The open folder; opened again, from the nearest folder above that is still open, if it was closed.
    fn fd(&self) -> Result<Arc<OwnedFd>, SourceError> {
        if let Some(fd) = self.handle.get() {
            return Ok(fd);
        }
        let mut closed = vec![self];
        let mut nearest = None;
        while let Some(parent) = closed.last().and_then(|folder| folder.parent.as_deref()) {
            nearest = parent.handle.get();
            if nearest.is_some() {
                break;
            }
            closed.push(parent);
        }
        // All on the way are kept open, so that a walk back up a deep tree seldom has to do this.
        let mut fd = None;
        for folder in closed.into_iter().rev() {
            fd = Some(folder.open_in(nearest.as_deref())?);
            nearest.clone_from(&fd);
        }
        fd.ok_or_else(|| SourceError::new(SourceErrorKind::Other, "a folder has no place"))
    }

    fn open_in(&self, parent: Option<&OwnedFd>) -> Result<Arc<OwnedFd>, SourceError> {
        let (at, links) = parent.map_or((CWD, Links::Follow), |parent| (parent.as_fd(), Links::Refuse));
        let fd = system::open(at, &self.name, links, OFlags::DIRECTORY)?;
        let found = system::look_at_open(&fd, &self.walk.people)?;
        if (found.device, found.inode) != (self.device, self.inode) {
            return Err(SourceError::new(SourceErrorKind::Changed, "another directory has its name"));
        }
        Ok(self.walk.handles.keep(&self.handle, fd))
    }
}

impl Drop for Folder {
    /// Lets go of the folders above one by one: left to the compiler, a tree that is 100,000 deep would overflow the stack.
    fn drop(&mut self) {
        let mut above = self.parent.take();
        while let Some(mut folder) = above.and_then(Arc::into_inner) {
            above = folder.parent.take();
        }
    }
}

impl Directory for LocalDirectory {
    fn entries(&self) -> Result<Listing, SourceError> {
        let mut names = Names::default();
        {
            let fd = self.0.fd()?;
            let _alone = self.0.listing.lock().unwrap_or_else(PoisonError::into_inner);
            system::list_names(fd.as_fd(), |name| names.push(name))?;
        }
        names.sort();
        Ok(Box::new(LocalListing { folder: Arc::clone(&self.0), names, next: 0 }))
    }

    fn look(&self, name: &[u8]) -> Result<Metadata, SourceError> {
        let metadata = system::look(self.0.fd()?.as_fd(), name, Links::Refuse, &self.0.walk.people)?;
        match self.0.walk.is_skipped(metadata.device, metadata.inode) {
            true => Err(SourceError::new(SourceErrorKind::Vanished, "it is not shown")),
            false => Ok(metadata),
        }
    }

    fn directory(&self, name: &[u8], expected: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        Ok(Arc::new(Self::open(&self.0.walk, Some(Arc::clone(&self.0)), name, expected)?))
    }

    fn file(&self, name: &[u8], _: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        Ok(Box::new(LocalFile::open(self.0.fd()?.as_fd(), name, Links::Refuse, &self.0.walk)?))
    }

    fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, SourceError> {
        link_target(&*self.0.fd()?, name)
    }

    fn attributes(&self, name: &[u8], kind: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        attributes::of_name(self.0.fd()?.as_fd(), name, Links::Refuse, kind)
    }

    fn has_left_out(&self) -> bool {
        self.0.has_left_out.load(Ordering::Relaxed)
    }

    fn is_pseudo(&self, name: &[u8]) -> bool {
        self.0.fd().is_ok_and(|fd| pseudo::is_pseudo(fd.as_fd(), name))
    }
}

pub(super) fn link_target(at: impl AsFd, name: &[u8]) -> Result<Vec<u8>, SourceError> {
    match rustix::fs::readlinkat(at, name, Vec::new()) {
        Ok(target) => Ok(target.into_bytes()),
        Err(errno @ Errno::INVAL) => Err(system::changed(errno)),
        Err(errno) => Err(system::error(errno)),
    }
}

/// The names of a folder in one piece of memory: a million of them should not be a million allocations.
#[derive(Debug, Default)]
struct Names {
    bytes: Vec<u8>,
    spans: Vec<(usize, usize)>,
}

impl Names {
    fn push(&mut self, name: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.spans.push((start, self.bytes.len()));
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.spans.sort_unstable_by(|one, other| bytes[one.0..one.1].cmp(&bytes[other.0..other.1]));
    }

    fn get(&self, place: usize) -> Option<&[u8]> {
        self.spans.get(place).map(|&(start, end)| &self.bytes[start..end])
    }
}

/// Looks at one name after another. Holds the folder, not its descriptor.
struct LocalListing {
    folder: Arc<Folder>,
    names: Names,
    next: usize,
}

impl Iterator for LocalListing {
    type Item = Result<Found, Unlisted>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let place = self.next;
            let name = self.names.get(place)?;
            self.next += 1;
            let is_twice = place.checked_sub(1).and_then(|before| self.names.get(before)) == Some(name);
            // File systems in user space have been seen to do both.
            let looked = if is_twice || name.is_empty() || name.contains(&b'/') {
                Err(SourceError::new(SourceErrorKind::Other, "the file system lists an impossible name"))
            } else {
                let people = &self.folder.walk.people;
                self.folder.fd().and_then(|fd| system::look(fd.as_fd(), name, Links::Refuse, people))
            };
            match looked {
                Ok(metadata) if self.folder.walk.is_skipped(metadata.device, metadata.inode) => {
                    self.folder.has_left_out.store(true, Ordering::Relaxed);
                }
                Ok(metadata) => return Some(Ok(Found { name: name.to_vec(), metadata })),
                Err(error) => return Some(Err(Unlisted { name: name.to_vec(), error })),
            }
        }
    }
}
