//! A backend that dies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lbak_core::backend::{Backend, BackendError, BackendErrorKind, Description, ObjectName, Parts, Sealed};

/// What becomes of the change during which the store dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastChange {
    /// It did not reach the store.
    Lost,
    /// It was done; only nobody hears of it.
    Done,
}

/// Lets so many changes (`put`, `remove`) through, dies during the next, and then answers nothing any more, reads included.
///
/// Reads before are not counted: a crash between two changes leaves the same store wherever it happens. So a test that
/// tries every count, with both kinds of [`LastChange`], has tried every store that a crash can leave.
///
/// What is left is in [`inner`](Self::inner), or behind an `Arc` that the test has kept.
#[derive(Debug)]
pub struct CrashingBackend<B> {
    inner: B,
    last: LastChange,
    /// Changes that still go through; `None` after the crash.
    left: Arc<Mutex<Option<u64>>>,
}

/// An object that was opened before.
#[derive(Debug)]
struct CrashingParts {
    inner: Box<dyn Parts>,
    left: Arc<Mutex<Option<u64>>>,
}

impl Parts for CrashingParts {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError> {
        if lock(&self.left).is_none() { Err(dead()) } else { self.inner.read(offset, buffer) }
    }
}

fn lock(left: &Mutex<Option<u64>>) -> MutexGuard<'_, Option<u64>> {
    left.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B: Backend> CrashingBackend<B> {
    /// Wraps a backend that dies during the change after so many.
    pub fn new(inner: B, changes: u64, last: LastChange) -> Self {
        Self { inner, last, left: Arc::new(Mutex::new(Some(changes))) }
    }

    /// What is left.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// Tells whether it has died. A sweep over all counts ends where the work came through without that.
    pub fn has_crashed(&self) -> bool {
        self.left().is_none()
    }

    fn left(&self) -> MutexGuard<'_, Option<u64>> {
        lock(&self.left)
    }

    fn change(&self, change: impl FnOnce() -> Result<(), BackendError>) -> Result<(), BackendError> {
        {
            let mut left = self.left();
            match *left {
                None => return Err(dead()),
                Some(0) => *left = None,
                Some(more) => {
                    *left = Some(more - 1);
                    // The lock is not held during the change: others may be under way at the same time.
                    drop(left);
                    return change();
                }
            }
        }
        if self.last == LastChange::Done {
            // Whether it went well is what nobody hears of.
            let _ = change();
        }
        Err(dead())
    }

    fn read<T>(&self, read: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
        if self.has_crashed() { Err(dead()) } else { read() }
    }
}

fn dead() -> BackendError {
    BackendError::new(BackendErrorKind::Unreachable, "the store does not answer (killed by a test)")
}

impl<B: Backend> Backend for CrashingBackend<B> {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        self.change(|| self.inner.put(name, object))
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.read(|| self.inner.get(name))
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        self.read(|| self.inner.get_at_most(name, most))
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.read(|| self.inner.get_range(name, offset, length))
    }

    fn get_range_into(&self, name: &ObjectName, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError> {
        self.read(|| self.inner.get_range_into(name, offset, buffer))
    }

    fn open_parts(&self, name: &ObjectName) -> Result<Option<Box<dyn Parts>>, BackendError> {
        let inner = self.read(|| self.inner.open_parts(name))?;
        Ok(inner.map(|inner| Box::new(CrashingParts { inner, left: Arc::clone(&self.left) }) as Box<dyn Parts>))
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        self.read(|| self.inner.list(prefix, found))
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.change(|| self.inner.remove(name))
    }

    fn forget_cached(&self, name: &ObjectName) {
        self.inner.forget_cached(name);
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}
