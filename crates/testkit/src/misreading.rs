//! A backend whose memory holds wrongly what lies rightly below it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use lbak_core::backend::{Backend, BackendError, Description, ObjectName, Sealed};

/// Reads objects wrongly until they are [forgotten](Backend::forget_cached): as a system does whose memory holds what was spoiled on its way
/// from the disk.
#[derive(Debug, Default)]
pub struct MisreadingBackend<B> {
    inner: B,
    /// Of each object that is spoiled, the byte.
    spoiled: Mutex<BTreeMap<String, u64>>,
    forgotten: Mutex<BTreeMap<String, u32>>,
}

impl<B> MisreadingBackend<B> {
    /// Reads everything rightly, so far.
    pub fn new(inner: B) -> Self {
        Self { inner, spoiled: Mutex::default(), forgotten: Mutex::default() }
    }

    /// From now on one bit of this byte of an object is read wrongly, until the object is forgotten.
    pub fn spoil(&self, object: impl ToString, byte: u64) {
        lock(&self.spoiled).insert(object.to_string(), byte);
    }

    /// How often each object was forgotten.
    pub fn forgotten(&self) -> BTreeMap<String, u32> {
        lock(&self.forgotten).clone()
    }

    fn read(&self, name: &ObjectName, bytes: Bytes, offset: u64) -> Bytes {
        let place = lock(&self.spoiled).get(&name.to_string()).and_then(|byte| byte.checked_sub(offset));
        let Some(place) = place.and_then(|place| usize::try_from(place).ok()) else { return bytes };
        let mut bytes = bytes.to_vec();
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1;
        }
        bytes.into()
    }
}

impl<B: Backend> Backend for MisreadingBackend<B> {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        self.inner.put(name, object)
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        Ok(self.read(name, self.inner.get(name)?, 0))
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        Ok(self.read(name, self.inner.get_at_most(name, most)?, 0))
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        Ok(self.read(name, self.inner.get_range(name, offset, length)?, offset))
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

    fn forget_cached(&self, name: &ObjectName) {
        lock(&self.spoiled).remove(&name.to_string());
        *lock(&self.forgotten).entry(name.to_string()).or_default() += 1;
        self.inner.forget_cached(name);
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
