//! Where chunks of damaged packs are taken from: the repository itself, copies of it, and what parity has made whole.

use std::sync::Arc;

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, BackendError, BackendErrorKind, Description, ObjectName, Sealed},
    codec::Codec,
    id::PackId,
    repository::{Repository, View},
    store::ChunkReader,
};

/// Whose bytes they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The repository's.
    Own,
    /// A pack's that parity has made whole.
    Parity,
    /// A copy of the repository's.
    Copy,
}

/// A place where packs of this repository lie.
pub(super) struct Place {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) codec: Codec,
    pub(super) reader: ChunkReader,
    pub(super) origin: Origin,
}

impl Place {
    pub(super) fn of(repository: &Repository, reader: ChunkReader, origin: Origin) -> Self {
        Self { backend: Arc::clone(repository.backend()), codec: repository.codec().clone(), reader, origin }
    }

    /// The repository as it is with one pack healed.
    pub(super) fn healed(repository: &Repository, view: &View, pack: PackId, bytes: Bytes) -> Self {
        let inner = Arc::clone(repository.backend());
        let backend: Arc<dyn Backend> = Arc::new(WithOnePack { inner, name: ObjectName::Pack(pack), bytes });
        let codec = repository.codec().clone();
        let reader =
            ChunkReader::new(Arc::clone(&backend), codec.clone(), Arc::clone(&view.index)).noting(repository.misread());
        Self { backend, codec, reader, origin: Origin::Parity }
    }
}

/// A store of which one pack is held in memory. Nothing is written through it.
#[derive(Debug)]
struct WithOnePack {
    inner: Arc<dyn Backend>,
    name: ObjectName,
    bytes: Bytes,
}

impl Backend for WithOnePack {
    fn put(&self, _: &ObjectName, _: &Sealed) -> Result<(), BackendError> {
        Err(BackendErrorKind::Denied.into())
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        if *name == self.name { Ok(self.bytes.clone()) } else { self.inner.get(name) }
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        if *name == self.name { Ok(self.bytes.clone()) } else { self.inner.get_at_most(name, most) }
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        if *name != self.name {
            return self.inner.get_range(name, offset, length);
        }
        let end = offset.checked_add(length).filter(|&end| end <= self.bytes.len() as u64);
        let range = usize::try_from(offset).ok().zip(end.and_then(|end| usize::try_from(end).ok()));
        range.map(|(start, end)| self.bytes.slice(start..end)).ok_or_else(|| BackendErrorKind::Corrupt.into())
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let name = self.name.to_string();
        if name.starts_with(prefix) {
            found(&name, self.bytes.len() as u64)?;
        }
        self.inner.list(prefix, &mut |other, size| if other == name { Ok(()) } else { found(other, size) })
    }

    fn remove(&self, _: &ObjectName) -> Result<(), BackendError> {
        Err(BackendErrorKind::Denied.into())
    }

    fn forget_cached(&self, name: &ObjectName) {
        self.inner.forget_cached(name);
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}
