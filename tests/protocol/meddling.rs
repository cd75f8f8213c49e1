//! A store to which something is done just before a snapshot is committed.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, BackendError, Description, ObjectName, Sealed},
    id::SessionId,
    repository::Repository,
};

use crate::house::open;

/// Does something to the store just before a slot is written.
struct Meddling {
    inner: Arc<dyn Backend>,
    meddle: Mutex<Option<Meddler>>,
}

type Meddler = Box<dyn FnOnce(&dyn Backend, SessionId) + Send>;

impl std::fmt::Debug for Meddling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddling")
    }
}

impl Backend for Meddling {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        if let ObjectName::Snapshot(session) = name
            && let Some(meddle) = self.meddle.lock().unwrap().take()
        {
            meddle(&*self.inner, *session);
        }
        self.inner.put(name, object)
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.inner.get(name)
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.inner.get_range(name, offset, length)
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        self.inner.list(prefix, found)
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.inner.remove(name)
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}

pub(crate) fn meddled(inner: &Arc<dyn Backend>, meddle: Meddler) -> Repository {
    open(Arc::new(Meddling { inner: Arc::clone(inner), meddle: Mutex::new(Some(meddle)) }))
}
