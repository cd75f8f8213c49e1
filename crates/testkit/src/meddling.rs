//! A backend to which something is done at a certain moment.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, BackendError, Description, ObjectName, Sealed},
    id::SessionId,
};

use crate::Operation;

/// When somebody meddles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// Is shown the backend and what is asked for: the name of an object, or the prefix of a list.
type Meddler<B> = Box<dyn FnOnce(&B, &str) + Send>;

/// Somebody who waits for an operation.
struct Waiting<B> {
    moment: Moment,
    operation: Operation,
    prefix: String,
    meddle: Meddler<B>,
}

/// What a list says of an object in place of its size.
struct Misstated {
    object: String,
    size: u64,
}

/// Passes everything on, and lets others act just before or after an operation, each once and in the order in which they were asked for: what another writer, a collector or a failing
/// disk does while a verb is at work, at exactly that moment and without waiting for any clock.
///
/// ```
/// use lbak_core::backend::{Backend, Folder, MemoryBackend, ObjectName};
/// use lbak_testkit::{MeddlingBackend, Operation, objects};
///
/// let (name, pack) = objects::pack(vec![1; 100]);
/// let backend = MeddlingBackend::new(MemoryBackend::new());
/// backend.put(&name, &pack).unwrap();
/// backend.before(Operation::Get, "packs/", |inner, name| inner.tamper(name, None));
/// assert!(backend.get(&name).is_err(), "it was gone when it was read");
/// assert!(backend.is_done());
/// ```
pub struct MeddlingBackend<B> {
    inner: B,
    waiting: Mutex<Vec<Waiting<B>>>,
    misstated: Mutex<Option<Misstated>>,
}

impl<B> fmt::Debug for MeddlingBackend<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeddlingBackend").field("waiting", &lock(&self.waiting).len()).finish_non_exhaustive()
    }
}

impl<B> MeddlingBackend<B> {
    /// Nobody meddles, so far.
    pub fn new(inner: B) -> Self {
        Self { inner, waiting: Mutex::default(), misstated: Mutex::default() }
    }

    /// The backend that it passes everything on to.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// Does this just before the next such operation on an object whose name begins so, or on a list of such a prefix. It may meddle with
    /// the backend below. Of several who wait for the same, each has an operation of its own.
    pub fn before(&self, operation: Operation, prefix: &str, meddle: impl FnOnce(&B, &str) + Send + 'static) {
        self.wait(Moment::Before, operation, prefix, Box::new(meddle));
    }

    /// Does this just after it, before whoever asked hears of it, whether it succeeded or not.
    pub fn after(&self, operation: Operation, prefix: &str, meddle: impl FnOnce(&B, &str) + Send + 'static) {
        self.wait(Moment::After, operation, prefix, Box::new(meddle));
    }

    /// Does this just before the next session is decided: its packs and segments are there, and its slot is not.
    pub fn before_commit(&self, meddle: impl FnOnce(&B, SessionId) + Send + 'static) {
        self.before(Operation::Put, "snapshots/", move |inner, slot| match ObjectName::parse(slot) {
            Some(ObjectName::Snapshot(session)) => meddle(inner, session),
            _ => panic!("{slot} is no slot"),
        });
    }

    /// The next list that names this object says that it has this size.
    pub fn misstate(&self, object: impl ToString, size: u64) {
        *lock(&self.misstated) = Some(Misstated { object: object.to_string(), size });
    }

    /// Tells whether all that was asked for has happened.
    pub fn is_done(&self) -> bool {
        lock(&self.waiting).is_empty() && lock(&self.misstated).is_none()
    }

    fn wait(&self, moment: Moment, operation: Operation, prefix: &str, meddle: Meddler<B>) {
        lock(&self.waiting).push(Waiting { moment, operation, prefix: prefix.to_owned(), meddle });
    }

    fn meddle(&self, moment: Moment, operation: Operation, name: &str) {
        let is_now = |waiting: &Waiting<B>| {
            waiting.moment == moment && waiting.operation == operation && name.starts_with(&waiting.prefix)
        };
        let due = {
            let mut waiting = lock(&self.waiting);
            waiting.iter().position(is_now).map(|place| waiting.remove(place))
        };
        if let Some(due) = due {
            (due.meddle)(&self.inner, name);
        }
    }

    fn with<T>(&self, operation: Operation, name: impl ToString, act: impl FnOnce(&B) -> T) -> T {
        let name = name.to_string();
        self.meddle(Moment::Before, operation, &name);
        let outcome = act(&self.inner);
        self.meddle(Moment::After, operation, &name);
        outcome
    }
}

impl<B: Backend> Backend for MeddlingBackend<B> {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        self.with(Operation::Put, name, |inner| inner.put(name, object))
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.with(Operation::Get, name, |inner| inner.get(name))
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        self.with(Operation::Get, name, |inner| inner.get_at_most(name, most))
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.with(Operation::GetRange, name, |inner| inner.get_range(name, offset, length))
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        self.with(Operation::List, prefix, |inner| {
            inner.list(prefix, &mut |name, size| {
                let misstated = lock(&self.misstated).take_if(|misstated| misstated.object == name);
                found(name, misstated.map_or(size, |misstated| misstated.size))
            })
        })
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.with(Operation::Remove, name, |inner| inner.remove(name))
    }

    fn forget_cached(&self, name: &ObjectName) {
        self.inner.forget_cached(name);
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
