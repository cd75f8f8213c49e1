//! Objects in memory: for tests, examples and embedders' own tests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{
    Backend, BackendError, BackendErrorKind, Description, Latency, ObjectName, Promise, Sealed, refuse_longer,
};

/// Keeps objects in memory; they are gone with it.
#[derive(Debug, Default)]
pub struct MemoryBackend {
    objects: Mutex<BTreeMap<String, Bytes>>,
}

impl MemoryBackend {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces what is stored under a name, as decay or an attacker would: for tests. `None` takes the object away.
    pub fn tamper(&self, name: &str, bytes: Option<Bytes>) {
        let mut objects = self.objects();
        match bytes {
            Some(bytes) => objects.insert(name.to_owned(), bytes),
            None => objects.remove(name),
        };
    }

    /// Every object with its bytes, in the order of names.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<String, Bytes> {
        self.objects().clone()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        // A panic elsewhere can not leave the map half changed: each change is one call.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for MemoryBackend {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        let mut objects = self.objects();
        let name = name.to_string();
        if objects.contains_key(&name) {
            return Err(BackendErrorKind::AlreadyExists.into());
        }
        objects.insert(name, object.as_bytes().clone());
        Ok(())
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.objects().get(&name.to_string()).cloned().ok_or_else(|| BackendErrorKind::NotFound.into())
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        let object = self.get(name)?;
        refuse_longer(object.len() as u64, most)?;
        Ok(object)
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        let object = self.get(name)?;
        let range = usize::try_from(offset)
            .ok()
            .zip(offset.checked_add(length).and_then(|end| usize::try_from(end).ok()))
            .filter(|&(_, end)| end <= object.len());
        match range {
            Some((start, end)) => Ok(object.slice(start..end)),
            None => Err(BackendErrorKind::Corrupt.into()),
        }
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let listed: Vec<(String, u64)> = self
            .objects()
            .range(prefix.to_owned()..)
            .take_while(|(name, _)| name.starts_with(prefix))
            .map(|(name, bytes)| (name.clone(), bytes.len() as u64))
            .collect();
        listed.iter().try_for_each(|(name, size)| found(name, *size))
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.objects().remove(&name.to_string());
        Ok(())
    }

    fn describe(&self) -> Description {
        let place = "memory".into();
        Description { place, exclusive_create: Promise::Kept, fresh_reads: Promise::Kept, latency: Latency::Low }
    }
}
