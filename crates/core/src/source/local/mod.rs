//! Files and directories of this machine.
//!
//! Everything is reached from an open folder by a single name, so that no path can be exchanged under the walk, no
//! path is too long, and no symbolic link is followed. What is opened is looked at again through its descriptor: a
//! FIFO that took a file's place is refused, and nothing ever waits.

use std::{
    io,
    os::{fd::AsFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{Directory, Source, SourceError, SourceKind};
use crate::error::{Error, Result};

mod roots;

mod directory;

mod handles;

mod holes;

mod file;

mod attributes;

mod people;

mod pseudo;

mod system;

#[cfg(test)]
mod tests;

/// Paths on this machine.
#[derive(Debug)]
pub struct LocalSource {
    paths: Vec<PathBuf>,
    people: Arc<people::People>,
    skipped: Vec<(u64, u64)>,
}

impl LocalSource {
    /// Takes paths as a user names them.
    ///
    /// They are made absolute, `.` and `..` are taken out, duplicates and what lies below another one dropped. A path
    /// that is a symbolic link to a file or a directory stands for what it points to, under the name that was given.
    /// Everything below them is shown, pseudo file systems too: [`SelectedSource`](super::SelectedSource) leaves out what is not wanted.
    /// Names of users and groups are read from `/etc/passwd` and `/etc/group`, once; others stay numbers.
    ///
    /// # Errors
    /// [`Error::Source`] for a path that does not exist or can not be looked at; [`Error::Invalid`] for none at all.
    pub fn new<P: AsRef<Path>>(paths: &[P]) -> Result<Self> {
        if paths.is_empty() {
            return Err(Error::Invalid { what: "no path was named".into() });
        }
        let paths = roots::resolve(paths)?;
        Ok(Self { paths, people: Arc::new(people::People::read()), skipped: Vec::new() })
    }

    /// Never shows the folder with this device and inode, wherever it lies: a repository is not backed up into itself.
    #[must_use]
    pub fn skip_identity(mut self, device: u64, inode: u64) -> Self {
        self.skipped.push((device, inode));
        self
    }

    /// The roots: absolute, sorted by raw bytes, no one below another.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

impl Source for LocalSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Files
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
        let walk = Walk {
            people: Arc::clone(&self.people),
            skipped: self.skipped.clone(),
            handles: handles::Handles::default(),
            clocks: Mutex::default(),
        };
        Ok(Arc::new(roots::Roots::new(self.paths.clone(), Arc::new(walk))))
    }
}

/// What all directories of one walk share.
#[derive(Debug)]
struct Walk {
    people: Arc<people::People>,
    skipped: Vec<(u64, u64)>,
    handles: handles::Handles,
    /// Devices, and whether other machines keep their clock: a question for each file system, not for each file.
    clocks: Mutex<Vec<(u64, bool)>>,
}

impl Walk {
    fn is_skipped(&self, device: u64, inode: u64) -> bool {
        self.skipped.contains(&(device, inode))
    }

    /// Tells whether the times of an open file on this device may come from another machine's clock.
    fn has_shared_clock(&self, device: u64, file: impl AsFd) -> bool {
        let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, is_shared)) = clocks.iter().find(|(known, _)| *known == device) {
            return *is_shared;
        }
        let is_shared = crate::backend::is_shared(file);
        clocks.push((device, is_shared));
        is_shared
    }
}

fn source_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Source { path: path.to_owned(), source }
}

fn raw(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
