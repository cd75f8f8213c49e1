//! Bounds how many folders are open at once.
//!
//! A walk holds every directory on its way down, and trees can be deeper than a process may have files open. So the
//! folders that were opened longest ago are closed; who needs one again opens it from its parent (see `directory.rs`).

use std::{
    collections::VecDeque,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Folders open at once; far below the usual limit of 1,024 files.
const LIMIT: usize = 128;

/// The place for one folder's descriptor: empty when it was closed.
#[derive(Debug, Default)]
pub(super) struct Handle(Mutex<Option<Arc<OwnedFd>>>);

/// The folders that are open, the longest open first.
#[derive(Debug, Default)]
pub(super) struct Handles(Mutex<VecDeque<Weak<Handle>>>);

impl Handle {
    /// The descriptor, if the folder is open. It stays open while the caller holds it.
    pub(super) fn get(&self) -> Option<Arc<OwnedFd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, fd: Option<Arc<OwnedFd>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fd;
    }
}

impl Handles {
    /// Keeps a folder open and closes the one that was opened longest ago, if there are too many.
    pub(super) fn keep(&self, handle: &Arc<Handle>, fd: OwnedFd) -> Arc<OwnedFd> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_that_were_opened_longest_ago_are_closed() {
        let handles = Handles::default();
        let folders: Vec<Arc<Handle>> = (0..LIMIT + 10).map(|_| Arc::default()).collect();
        for folder in &folders {
            handles.keep(folder, std::fs::File::open("/").expect("open").into());
        }
        let open: Vec<bool> = folders.iter().map(|folder| folder.get().is_some()).collect();
        assert_eq!(open.iter().filter(|is_open| **is_open).count(), LIMIT);
        assert!(!open[9] && open[10]);
    }
}
