//! Bounds how many directories are open at once.
//!
//! A restore holds every directory that something is still to come into, and trees can be deeper than a process may have
//! files open. So the directories that were opened longest ago are closed; who needs one again opens it from its parent
//! (see `directory.rs`).

use std::{
    collections::VecDeque,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Directories open at once. With the open files below it stays under the usual limit of 1,024.
const LIMIT: usize = 256;

/// The place for one directory's descriptor: empty when it was closed.
#[derive(Debug, Default)]
pub(crate) struct Handle(Mutex<Option<Arc<OwnedFd>>>);

/// The directories that are open, the longest open first.
#[derive(Debug, Default)]
pub(crate) struct Handles(Mutex<VecDeque<Weak<Handle>>>);

impl Handle {
    /// The descriptor, if the directory is open. It stays open while the caller holds it.
    pub(crate) fn get(&self) -> Option<Arc<OwnedFd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, fd: Option<Arc<OwnedFd>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fd;
    }
}

impl Handles {
    /// Keeps a directory open and closes the one that was opened longest ago, if there are too many.
    pub(crate) fn keep(&self, handle: &Arc<Handle>, fd: OwnedFd) -> Arc<OwnedFd> {
        let fd = Arc::new(fd);
        handle.set(Some(Arc::clone(&fd)));
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.push_back(Arc::downgrade(handle));
        while open.len() > LIMIT {
            if let Some(oldest) = open.pop_front().and_then(|oldest| oldest.upgrade()) {
                oldest.set(None);
            }
        }
        fd
    }
}
