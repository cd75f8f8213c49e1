//! Objects in a directory: every object is a file, its name the path below the root.
//!
//! ```text
//! put:  anonymous file → write → fsync → link without overwrite → fsync the folder        (rule I1)
//! ```
//!
//! What a crash can leave behind is an anonymous file, which the file system takes back by itself, or, where there
//! are none, a file named `.tmp-…`. File systems that can do less are served with less, see `publish`.
//!
//! Everything goes through descriptors of folders, opened one component at a time and never through a symbolic link:
//! what is below the root stays below it, also while somebody moves folders about. Whether the bytes are good is not
//! asked here; whoever reads an object checks it.

mod folders;
mod handles;
mod list;
mod owner;
mod parts;
mod platform;
mod publish;
#[cfg(test)]
mod tests;

use std::{
    fs::{DirBuilder, File},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::DirBuilderExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use rustix::{
    buffer::spare_capacity,
    fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, unlinkat},
    io::{Errno, pread, retry_on_intr},
};

use self::{
    folders::DurableFolders,
    handles::{Handle, Handles},
    owner::Owner,
    parts::Permits,
    publish::Publisher,
};
use super::{
    Backend, BackendError, BackendErrorKind, Description, Latency, ObjectName, Parts, Promise, Sealed, refuse_longer,
};
use crate::error::escape;

/// Keeps objects in a directory of a file system.
///
/// Several programs on one machine may use the same directory at once. What root stores in a directory of somebody else
/// belongs to that somebody, so that both can use it; no other users can share one. On network file systems and FUSE
/// [`describe`](Backend::describe) says that nothing is known about it.
///
/// A `put` that fails at its very last step, the `fsync` of the folder, may have made the object visible without making
/// it durable. The same `put` again answers that the object exists, and only after it has synced the folder.
#[derive(Debug)]
pub struct LocalBackend {
    path: PathBuf,
    root: OwnedFd,
    identity: (u64, u64),
    owner: Owner,
    folders: DurableFolders,
    publisher: Publisher,
    handles: Handles,
    permits: Arc<Permits>,
}

/// Tells whether other machines keep the state of the file system that an open file lies on, and so its clock: network file
/// systems, FUSE, and whatever can not be told.
pub(crate) fn is_shared(file: impl AsFd) -> bool {
    platform::coherence(file.as_fd()) != Promise::Kept
}

impl LocalBackend {
    /// Opens the directory, making it first when it is not there (not its parents), readable by its owner alone.
    ///
    /// What is in it already is left as it is and not looked at.
    ///
    /// # Errors
    /// [`BackendErrorKind::NotFound`] when the folder that should hold it is not there.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, BackendError> {
        let path = path.into();
        let made = DirBuilder::new().mode(0o700).create(&path);
        match &made {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = for_people(path.parent().unwrap_or(Path::new("/")));
                return Err(BackendError::new(
                    BackendErrorKind::NotFound,
                    format!("the folder {parent}, which should hold it, is not there"),
                ));
            }
            Err(_) => made?,
        }
        let backend = Self::open(path)?;
        backend.sync_parent()?;
        Ok(backend)
    }

    /// Opens a directory that is there.
    ///
    /// # Errors
    /// [`BackendErrorKind::NotFound`] when it is not.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, BackendError> {
        let path = path.into();
        // The path to the root is the user's and may go through symbolic links.
        let root = retry_on_intr(|| rustix::fs::open(&path, folders::OPEN_FOLDER, Mode::empty())).map_err(failed)?;
        let status = fstat(&root).map_err(failed)?;
        Ok(Self {
            path,
            root,
            identity: platform::identity(&status),
            owner: Owner::of(&status),
            folders: DurableFolders::default(),
            publisher: Publisher::default(),
            handles: Handles::default(),
            permits: Arc::default(),
        })
    }

    /// The directory, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Device and inode number of the directory: by them a walk recognises it under any path.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Device and inode numbers of the directory and of the folders of objects in it: by them something else that writes recognises
    /// where it must not, also when only a part of the repository is mounted there.
    #[must_use]
    pub fn identities(&self) -> Vec<(u64, u64)> {
        let mut identities = vec![self.identity];
        let mut note = |folder: &OwnedFd| folders::below(folder, |identity| identities.push(identity));
        note(&self.root);
        if let Ok(packs) = self.open_folder("packs") {
            note(&packs);
        }
        identities
    }

    /// Makes the root's own name durable. A parent that may be searched but not read can not be synced: it is not
    /// where a new root comes from, so that is no error.
    fn sync_parent(&self) -> Result<(), BackendError> {
        let parent = match self.path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Ok(()),
        };
        match File::open(parent) {
            Ok(folder) => platform::sync_folder(folder.as_fd()).map_err(failed),
            Err(_) => Ok(()),
        }
    }

    /// An object that is read part by part: its file stays open.
    fn handle_of(&self, name: &ObjectName) -> Result<Arc<Handle>, BackendError> {
        if let Some(handle) = self.handles.get(&self.root, name) {
            return Ok(handle);
        }
        let (file, status) = self.open_object(name)?;
        let handle = Handle::new(&name.to_string(), file, &status).ok_or_else(|| corrupt("no file has such a name"))?;
        let handle = Arc::new(handle);
        // Only parts of packs and of the index are read again and again.
        if matches!(name, ObjectName::Pack(_) | ObjectName::Segment(_) | ObjectName::MergedSegment(_)) {
            self.handles.keep(name, Arc::clone(&handle));
        }
        Ok(handle)
    }

    /// Opens an object for reading.
    fn open_object(&self, name: &ObjectName) -> Result<(OwnedFd, Stat), BackendError> {
        // Not blocking: a FIFO that somebody put in an object's place would wait for a writer for ever.
        const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
        let name = name.to_string();
        let (folder, leaf) = split(&name);
        let folder = self.open_folder(folder)?;
        let file = match retry_on_intr(|| openat(&folder, leaf, FLAGS, Mode::empty())) {
            // What a link leads to is not what was stored.
            Err(Errno::LOOP) => return Err(corrupt("a symbolic link is in its place, which is not followed")),
            file => file.map_err(failed)?,
        };
        let status = fstat(&file).map_err(failed)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(corrupt("something that is not a file is in its place"));
        }
        Ok((file, status))
    }
}

impl Backend for LocalBackend {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        let name = name.to_string();
        let (folder, leaf) = split(&name);
        let folder = self.folders.open_or_make(self.root.as_fd(), folder, self.owner).map_err(failed)?;
        if self.folders.has_lost_sync() {
            let what = "a folder could not be synced before: what was written may not survive a loss of power";
            return Err(BackendError::new(BackendErrorKind::Other, what));
        }
        let published = self.publisher.publish(folder.as_fd(), leaf, object.as_bytes(), self.owner);
        match published {
            // Its writer may not have synced the folder yet, or have failed to: whoever takes this answer for
            // "it is stored" must be right.
            Ok(()) | Err(Errno::EXIST) => self.folders.sync(folder.as_fd()).map_err(failed)?,
            Err(_) => {}
        }
        published.map_err(failed)
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.get_at_most(name, u64::MAX)
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        let (file, status) = self.open_object(name)?;
        let size = u64::try_from(status.st_size).unwrap_or(0);
        refuse_longer(size, most)?;
        read_exactly(&file, 0, size)
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        let handle = self.handle_of(name)?;
        // Checked before anything is allocated: the length may come from a damaged object.
        handle.check_range(offset, length)?;
        read_exactly(&handle.file, offset, length)
    }

    fn get_range_into(&self, name: &ObjectName, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError> {
        let handle = self.handle_of(name)?;
        handle.check_range(offset, buffer.len() as u64)?;
        let mut filled = 0;
        while filled < buffer.len() {
            let position = offset + filled as u64;
            match retry_on_intr(|| pread(&handle.file, &mut buffer[filled..], position)).map_err(failed)? {
                0 => return Err(BackendErrorKind::Corrupt.into()),
                length => filled += length,
            }
        }
        Ok(())
    }

    fn open_parts(&self, name: &ObjectName) -> Result<Option<Box<dyn Parts>>, BackendError> {
        let Some(permit) = self.permits.take() else { return Ok(None) };
        let (file, _) = self.open_object(name)?;
        Ok(Some(Box::new(permit.with(file))))
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let (folder, _) = split(prefix);
        if !folders::is_folder_path(folder) {
            return Ok(());
        }
        match self.open_folder(folder) {
            Ok(descriptor) => list::list(&descriptor, folder, prefix, found),
            Err(error) if error.kind == BackendErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        let name = name.to_string();
        let (folder, leaf) = split(&name);
        let folder = match self.open_folder(folder) {
            Ok(folder) => folder,
            Err(error) if error.kind == BackendErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        match retry_on_intr(|| unlinkat(&folder, leaf, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
        }
        // Also when it was gone: whoever removed it may have failed here, and after a loss of power it would be back.
        platform::sync_folder(folder.as_fd()).map_err(failed)
    }

    fn forget_cached(&self, name: &ObjectName) {
        if let Ok((file, _)) = self.open_object(name) {
            platform::forget_cached(file.as_fd());
        }
    }

    fn describe(&self) -> Description {
        let shared = platform::coherence(self.root.as_fd());
        let exclusive_create = if self.publisher.shows_partial_objects() { Promise::Broken } else { shared };
        // What is coherent has no network in between, and what can not be told may have one.
        let latency = if shared == Promise::Kept { Latency::Low } else { Latency::High };
        Description { place: for_people(&self.path), exclusive_create, fresh_reads: shared, latency }
    }
}

impl LocalBackend {
    fn open_folder(&self, path: &str) -> Result<OwnedFd, BackendError> {
        folders::open(self.root.as_fd(), path).map_err(failed)
    }
}

fn for_people(path: &Path) -> String {
    escape(path.as_os_str().as_bytes())
}

/// Splits a name into its folder (empty for the root) and the name in it.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

/// Reads exactly these bytes; the caller has compared them with the file's size.
fn read_exactly(file: &OwnedFd, offset: u64, length: u64) -> Result<Bytes, BackendError> {
    let length = usize::try_from(length).map_err(|error| BackendError::new(BackendErrorKind::Other, error))?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|error| BackendError::new(BackendErrorKind::Other, error))?;
    while bytes.len() < length {
        let position = offset + bytes.len() as u64;
        if retry_on_intr(|| pread(file, spare_capacity(&mut bytes), position)).map_err(failed)? == 0 {
            return Err(BackendErrorKind::Corrupt.into());
        }
    }
    // More than was reserved may have been allocated, and read into.
    bytes.truncate(length);
    Ok(bytes.into())
}

fn failed(errno: impl Into<io::Error>) -> BackendError {
    BackendError::from(errno.into())
}

fn corrupt(what: &'static str) -> BackendError {
    BackendError::new(BackendErrorKind::Corrupt, what)
}
