//! Whole objects: put so that a lost acknowledgement does no harm, read with the object's name in every error.

use bytes::Bytes;

use crate::{
    backend::{Backend, BackendErrorKind, ObjectName, Sealed},
    error::{Error, Result},
};

/// Puts an object whose name is its own: one that is there already must be the same.
///
/// # Errors
/// [`Error::Store`]; a name that holds other bytes is an error too.
pub fn put_object(backend: &dyn Backend, name: &ObjectName, sealed: &Sealed) -> Result<()> {
    if put_slot(backend, name, sealed)? {
        return Ok(());
    }
    Err(Error::store("write", name, BackendErrorKind::AlreadyExists.into()))
}

/// Puts an object into a slot that others may want too; tells whether it now holds these bytes.
///
/// A store's word that it did is not enough: the end of the object is read back.
///
/// # Errors
/// [`Error::Store`] when that can not be told.
pub fn put_slot(backend: &dyn Backend, name: &ObjectName, sealed: &Sealed) -> Result<bool> {
    let error = match backend.put(name, sealed) {
        Ok(()) => return confirm(backend, name, sealed).map(|()| true),
        Err(error) => error,
    };
    // It may have been stored without the answer reaching us. Reading it back would show that it is visible, not that it
    // is durable; a second put tells both: "there already" is said of what will stay.
    if error.kind != BackendErrorKind::AlreadyExists {
        match backend.put(name, sealed) {
            Ok(()) => return confirm(backend, name, sealed).map(|()| true),
            Err(again) if again.kind == BackendErrorKind::AlreadyExists => {}
            Err(_) => return Err(Error::store("write", name, error)),
        }
    }
    match backend.get(name) {
        Ok(stored) => Ok(stored == *sealed.as_bytes()),
        Err(_) => Err(Error::store("write", name, error)),
    }
}

/// Reads the end of an object back: it is there, and as long as it should be.
fn confirm(backend: &dyn Backend, name: &ObjectName, sealed: &Sealed) -> Result<()> {
    const CONFIRMED: usize = 64;
    let bytes = sealed.as_bytes();
    let start = bytes.len().saturating_sub(CONFIRMED);
    let stored = backend
        .get_range(name, start as u64, (bytes.len() - start) as u64)
        .map_err(|error| Error::store("confirm", name, error))?;
    if stored == bytes[start..] { Ok(()) } else { Err(Error::store("confirm", name, BackendErrorKind::Corrupt.into())) }
}

/// More than any object that is sealed as one: records are limited to 64 MiB.
pub const LARGEST_WHOLE: u64 = 65 << 20;

/// Reads a whole object that is sealed as one. What is larger than any such object counts as damaged, and is not read.
///
/// # Errors
/// [`Error::Store`].
pub fn get_object(backend: &dyn Backend, name: &ObjectName) -> Result<Bytes> {
    backend.get_at_most(name, LARGEST_WHOLE).map_err(|error| Error::store("read", name, error))
}

/// Reads a whole object that was listed with this size; for one that is larger than any such object the store is not asked.
///
/// # Errors
/// [`Error::Damaged`] or [`Error::Store`].
pub fn get_listed(backend: &dyn Backend, name: &ObjectName, size: u64) -> Result<Bytes> {
    if size > LARGEST_WHOLE {
        return Err(Error::damaged(name, format!("it has {size} bytes, more than any such object")));
    }
    // Not `get_object`: a store that hears of lengths only in lists would be asked for one again.
    backend.get(name).map_err(|error| Error::store("read", name, error))
}

/// Lists the objects under a prefix with their sizes; names that the format does not know are passed over.
///
/// # Errors
/// [`Error::Store`].
pub fn list_names(backend: &dyn Backend, prefix: &str) -> Result<Vec<(ObjectName, u64)>> {
    let mut names = Vec::new();
    backend
        .list(prefix, &mut |name, size| {
            names.extend(ObjectName::parse(name).map(|name| (name, size)));
            Ok(())
        })
        .map_err(|error| Error::store("list", prefix, error))?;
    names.sort_unstable();
    Ok(names)
}
