//! Files that stay open between reads of their parts: an index is asked for a page here and a page there, a pack for block after
//! block, and finding the file anew costs four times what reading a page does.

use std::{
    hash::{BuildHasher, RandomState},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::backend::ObjectName;

/// Most files that are kept open. A process may often have no more than 1,024, and has others.
const MOST: usize = 128;

/// Open files of objects. Each name has one place, which it shares with others: the last one that was read stays.
#[derive(Debug)]
pub(super) struct Handles {
    hasher: RandomState,
    places: Box<[Mutex<Option<(ObjectName, Arc<OwnedFd>)>>]>,
}

impl Default for Handles {
    fn default() -> Self {
        Self { hasher: RandomState::new(), places: (0..MOST).map(|_| Mutex::default()).collect() }
    }
}

impl Handles {
    /// The file of this name, if it is open. It may have been removed since: whoever reads it looks.
    pub(super) fn get(&self, name: &ObjectName) -> Option<Arc<OwnedFd>> {
        self.place(name).as_ref().filter(|(held, _)| held == name).map(|(_, file)| Arc::clone(file))
    }

    pub(super) fn keep(&self, name: &ObjectName, file: Arc<OwnedFd>) {
        let replaced = self.place(name).replace((name.clone(), file));
        // Closed when nobody holds the lock.
        drop(replaced);
    }

    pub(super) fn forget(&self, name: &ObjectName) {
        let forgotten = self.place(name).take_if(|(held, _)| held == name);
        drop(forgotten);
    }

    fn place(&self, name: &ObjectName) -> MutexGuard<'_, Option<(ObjectName, Arc<OwnedFd>)>> {
        let number = self.hasher.hash_one(name) % self.places.len() as u64;
        let place = &self.places[usize::try_from(number).expect("smaller than a length")];
        // What is in it is replaced in one step.
        place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
