//! A store whose power fails: what was not yet acknowledged is lost, kept or torn.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use lbak_core::backend::{Backend, BackendError, BackendErrorKind, Description, MemoryBackend, ObjectName, Sealed};

/// What became of a change that nobody was told had been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing of it reached the disk.
    Lost,
    /// All of it did.
    Kept,
    /// The name did, with so many of the first bytes. A removal that is torn did not happen.
    ///
    /// A file system that can link or rename never shows this; one that writes straight under the final name does.
    Torn(usize),
}

/// A change that was under way when the power failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unacknowledged {
    /// The object's name.
    pub name: String,
    /// Its bytes; `None` when it was being removed.
    pub object: Option<Bytes>,
}

/// Keeps what it acknowledged, as a disk with a cache does behind `fsync`, and loses its power during a change.
///
/// Every change takes a moment, so that those of several threads are under way together; all that were when the power
/// failed share the question what became of them, and [`disk`](Self::disk) gives the store for each answer. Nothing is
/// answered after the failure, as with [`CrashingBackend`](crate::CrashingBackend), which knows one change under way, and whole ones.
#[derive(Debug)]
pub struct PowerCutBackend {
    /// What is on the disk for certain.
    durable: MemoryBackend,
    takes: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Changes that still begin and end well; `None` after the failure.
    left: Option<u64>,
    next: u64,
    under_way: BTreeMap<u64, Unacknowledged>,
}

impl PowerCutBackend {
    /// A store that holds this already and loses its power when the change after so many is under way.
    #[must_use]
    pub fn new(contents: BTreeMap<String, Bytes>, changes: u64) -> Self {
        let state = State { left: Some(changes), next: 0, under_way: BTreeMap::new() };
        Self { durable: filled(contents), takes: Duration::from_micros(200), state: Mutex::new(state) }
    }

    /// Tells whether the power has failed. A sweep over all counts ends where the work came through without that.
    pub fn has_failed(&self) -> bool {
        self.state().left.is_none()
    }

    /// What was under way when it did.
    pub fn unacknowledged(&self) -> Vec<Unacknowledged> {
        self.state().under_way.values().cloned().collect()
    }

    /// The disk after the failure: what was acknowledged, and of the rest what `fate` decides.
    pub fn disk(&self, mut fate: impl FnMut(&Unacknowledged) -> Fate) -> MemoryBackend {
        let disk = filled(self.durable.contents());
        for change in self.unacknowledged() {
            match (fate(&change), change.object) {
                (Fate::Lost, _) | (Fate::Torn(_), None) => {}
                (Fate::Kept, object) => disk.tamper(&change.name, object),
                (Fate::Torn(length), Some(object)) => {
                    disk.tamper(&change.name, Some(object.slice(..length.min(object.len()))));
                }
            }
        }
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(
        &self,
        name: &ObjectName,
        object: Option<Bytes>,
        change: impl FnOnce() -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let number = {
            let mut state = self.state();
            let left = state.left.ok_or_else(dead)?;
            state.left = left.checked_sub(1);
            let number = state.next;
            state.next += 1;
            state.under_way.insert(number, Unacknowledged { name: name.to_string(), object });
            number
        };
        std::thread::sleep(self.takes);
        let mut state = self.state();
        if state.left.is_none() {
            return Err(dead());
        }
        let done = change();
        state.under_way.remove(&number);
        done
    }

    fn read<T>(&self, read: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
        if self.has_failed() { Err(dead()) } else { read() }
    }
}

fn filled(contents: BTreeMap<String, Bytes>) -> MemoryBackend {
    let backend = MemoryBackend::new();
    contents.into_iter().for_each(|(name, bytes)| backend.tamper(&name, Some(bytes)));
    backend
}

fn dead() -> BackendError {
    BackendError::new(BackendErrorKind::Unreachable, "the power failed (cut by a test)")
}

impl Backend for PowerCutBackend {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        self.change(name, Some(object.as_bytes().clone()), || self.durable.put(name, object))
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.read(|| self.durable.get(name))
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        self.read(|| self.durable.get_at_most(name, most))
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.read(|| self.durable.get_range(name, offset, length))
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        self.read(|| self.durable.list(prefix, found))
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.change(name, None, || self.durable.remove(name))
    }

    fn describe(&self) -> Description {
        self.durable.describe()
    }
}
