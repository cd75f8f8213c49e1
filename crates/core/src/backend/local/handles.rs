//! Files that stay open between reads of their parts: an index is asked for a page here and a page there, a pack for block after
//! block, and walking to the file anew costs several times what reading a page does.

use std::{
    ffi::CString,
    hash::{BuildHasher, RandomState},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::fs::{AtFlags, Stat, statat};

use super::platform;
use crate::backend::{BackendErrorKind, ObjectName};

/// Most files that are kept open. A process may often have no more than 1,024, and has others.
const MOST: usize = 128;

/// An open file of an object.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) file: OwnedFd,
    pub(super) size: u64,
    /// Its path below the root, and which file that was when it was opened.
    path: CString,
    identity: (u64, u64),
}

impl Handle {
    /// `None` for a name that no path can have.
    pub(super) fn new(name: &str, file: OwnedFd, status: &Stat) -> Option<Self> {
        let size = u64::try_from(status.st_size).unwrap_or(0);
        Some(Self { file, size, path: CString::new(name).ok()?, identity: platform::identity(status) })
    }

    /// Passes when so many bytes lie there.
    pub(super) fn check_range(&self, offset: u64, length: u64) -> Result<(), BackendErrorKind> {
        let is_there = offset.checked_add(length).is_some_and(|end| end <= self.size);
        if is_there { Ok(()) } else { Err(BackendErrorKind::Corrupt) }
    }

    /// Tells whether the name still leads to this file, unchanged: then reading it is reading the object.
    fn is_current(&self, root: BorrowedFd<'_>) -> bool {
        statat(root, &*self.path, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|status| {
            platform::identity(&status) == self.identity && u64::try_from(status.st_size).ok() == Some(self.size)
        })
    }
}

type Place = Mutex<Option<(ObjectName, Arc<Handle>)>>;

/// Open files of objects. Each name has one place, which it shares with others: the last one that was read stays.
#[derive(Debug)]
pub(super) struct Handles {
    hasher: RandomState,
    places: Box<[Place]>,
}

impl Default for Handles {
    fn default() -> Self {
        Self { hasher: RandomState::new(), places: (0..MOST).map(|_| Mutex::default()).collect() }
    }
}

impl Handles {
    /// The file of this name, if it is open and still what its name leads to: reads are fresh.
    pub(super) fn get(&self, root: &OwnedFd, name: &ObjectName) -> Option<Arc<Handle>> {
        let held = self.place(name).as_ref().filter(|(held, _)| held == name).map(|(_, handle)| Arc::clone(handle))?;
        let is_current = held.is_current(root.as_fd());
        if !is_current {
            // Closed before the name is opened anew, so that nobody keeps a file that was removed.
            let _ = self.place(name).take_if(|(_, handle)| Arc::ptr_eq(handle, &held));
        }
        is_current.then_some(held)
    }

    pub(super) fn keep(&self, name: &ObjectName, handle: Arc<Handle>) {
        let replaced = self.place(name).replace((name.clone(), handle));
        // Closed when nobody waits for the lock.
        drop(replaced);
    }

    fn place(&self, name: &ObjectName) -> MutexGuard<'_, Option<(ObjectName, Arc<Handle>)>> {
        let number = self.hasher.hash_one(name) % self.places.len() as u64;
        let place = &self.places[usize::try_from(number).expect("smaller than a length")];
        // What is in it is replaced in one step.
        place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
