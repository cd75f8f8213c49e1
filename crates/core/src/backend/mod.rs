//! Where objects lie. A backend knows names and bytes, nothing of chunks, keys or formats.
//!
//! # The contract
//! A stranger can implement [`Backend`] from this page; `lbak-testkit` holds a suite that checks it.
//!
//! - **Objects are written once, whole, and never changed.** [`Backend::put`] creates a name or fails with
//!   [`AlreadyExists`](BackendErrorKind::AlreadyExists) and changes nothing; of two that race, one wins. A reader never sees part of an object.
//!   When `put` returns `Ok` the object is durable: it survives a loss of power. A failed `put` may be repeated
//!   with the same bytes; it may also have succeeded without saying so, and then the repetition answers that the name is taken.
//!   That answer is given only of an object that is durable.
//! - **Reads are fresh.** A `get`, `get_range` or `list` that begins after a `put` or `remove` returned, to anybody, reflects it.
//! - **Lists are complete.** [`Backend::list`] reports every object under the prefix that was there throughout, with its
//!   true size, or fails. Leftovers of interrupted writes are not reported.
//! - Names are lower-case ASCII letters, digits, `-` and `/`, at most 128 bytes; see [`ObjectName`].
//! - All methods may be called from several threads at once.
//!
//! A store that can not promise the first two points says so in [`Backend::describe`].

mod local;
mod memory;
mod misread;
mod name;
mod sealed;

use std::{fmt, sync::Arc};

use bytes::Bytes;

pub use local::LocalBackend;
pub(crate) use local::is_shared;
pub use memory::MemoryBackend;
pub use misread::Misread;
pub use name::{Folder, ObjectName};
pub use sealed::{Sealed, check_stored};

pub use crate::error::{BackendError, BackendErrorKind};

/// A store of objects. See the [contract](self).
pub trait Backend: Send + Sync + fmt::Debug {
    /// Creates the object, durably, or fails and leaves whatever has that name as it is.
    ///
    /// # Errors
    /// [`BackendErrorKind::AlreadyExists`] when the name is taken, even by the same bytes.
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError>;

    /// Returns the whole object.
    ///
    /// # Errors
    /// [`BackendErrorKind::NotFound`] when there is none.
    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError>;

    /// Returns the whole object, as [`get`](Self::get) does, unless it has more than `most` bytes: then nothing of it is read or held.
    ///
    /// The default lists the object first. A store that hears of the length before the bytes come can spare that; a wrapper passes it on.
    ///
    /// # Errors
    /// As [`get`](Self::get); [`BackendErrorKind::Corrupt`] when it is longer.
    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        let object = name.to_string();
        let mut size = 0;
        self.list(&object, &mut |listed, bytes| {
            if listed == object {
                size = bytes;
            }
            Ok(())
        })?;
        refuse_longer(size, most)?;
        self.get(name)
    }

    /// Returns exactly `length` bytes from `offset` on.
    ///
    /// # Errors
    /// [`BackendErrorKind::NotFound`] when there is no such object, [`BackendErrorKind::Corrupt`] when it ends earlier.
    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError>;

    /// Fills `buffer` with the bytes from `offset` on: [`Backend::get_range`] for those who read much and keep their buffers. After an
    /// error the buffer holds anything.
    ///
    /// A store that can not read into a buffer of its caller needs no other than this one, which copies.
    ///
    /// # Errors
    /// As [`Backend::get_range`].
    fn get_range_into(&self, name: &ObjectName, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError> {
        let bytes = self.get_range(name, offset, buffer.len() as u64)?;
        if bytes.len() != buffer.len() {
            return Err(BackendError::new(
                BackendErrorKind::Corrupt,
                "it gave another number of bytes than was asked for",
            ));
        }
        buffer.copy_from_slice(&bytes);
        Ok(())
    }

    /// Opens an object whose parts will be read often, or says with `None` that here nothing is gained by it: then, and that is
    /// the default, every part is read with [`get_range`](Self::get_range).
    ///
    /// What is read are the bytes that the object had when it was opened, also when its name was removed since. For objects
    /// that tell by themselves whether they still matter: pages of the index.
    ///
    /// # Errors
    /// [`BackendErrorKind::NotFound`] when there is no such object.
    fn open_parts(&self, _name: &ObjectName) -> Result<Option<Box<dyn Parts>>, BackendError> {
        Ok(None)
    }

    /// Calls `found` with the name and size of every object whose name begins with `prefix`, in any order.
    ///
    /// There may be millions: they are reported as they are found, not collected. A prefix is a folder
    /// (`"packs/"`), or the beginning of names in it (`"sessions/3f2a"`). No object is no error. `found` asks nothing of the store and
    /// waits for nobody who does: a store with one connection may list on it.
    ///
    /// # Errors
    /// The first error of the store ends the listing; an error that `found` returns does too and is passed on.
    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError>;

    /// Removes the object. One that is not there is no error.
    ///
    /// # Errors
    /// When it may still be there.
    fn remove(&self, name: &ObjectName) -> Result<(), BackendError>;

    /// Has the next read of an object come from where it lies, not from memory that holds what was read before. For whoever doubts what was
    /// read; best effort, and nothing where there is no such memory. A wrapper passes it on.
    fn forget_cached(&self, name: &ObjectName) {
        let _ = name;
    }

    /// Says what this store is and what it promises.
    fn describe(&self) -> Description;
}

/// Refuses an object that is longer than what is asked for may be.
fn refuse_longer(size: u64, most: u64) -> Result<(), BackendError> {
    if size <= most {
        return Ok(());
    }
    Err(BackendError::new(BackendErrorKind::Corrupt, format!("it has {size} bytes, more than any such object")))
}

/// An object that was opened with [`Backend::open_parts`].
pub trait Parts: Send + Sync + fmt::Debug {
    /// Fills the buffer with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`BackendErrorKind::Corrupt`] when the object ends earlier.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError>;
}

/// What a store is and what it promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Where it is, for people: a path or an address without secrets.
    pub place: String,
    /// Whether of two `put`s of one name exactly one succeeds.
    pub exclusive_create: Promise,
    /// Whether reads and lists reflect everything that returned before they began.
    pub fresh_reads: Promise,
    /// How long a read takes.
    pub latency: Latency,
}

/// How long a read takes before its first byte comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Microseconds, or some milliseconds where a disk of this machine turns: read by whoever needs it.
    Low,
    /// There is a network in between: read by threads that may wait, while workers have other things to do.
    High,
}

/// How sure a store is of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It holds.
    Kept,
    /// It does not hold.
    Broken,
    /// It can not be told (network file systems, FUSE).
    Unknown,
}

impl<T: Backend + ?Sized> Backend for Arc<T> {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        (**self).put(name, object)
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        (**self).get(name)
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        (**self).get_at_most(name, most)
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        (**self).get_range(name, offset, length)
    }

    fn get_range_into(&self, name: &ObjectName, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError> {
        (**self).get_range_into(name, offset, buffer)
    }

    fn open_parts(&self, name: &ObjectName) -> Result<Option<Box<dyn Parts>>, BackendError> {
        (**self).open_parts(name)
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        (**self).list(prefix, found)
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        (**self).remove(name)
    }

    fn forget_cached(&self, name: &ObjectName) {
        (**self).forget_cached(name);
    }

    fn describe(&self) -> Description {
        (**self).describe()
    }
}
