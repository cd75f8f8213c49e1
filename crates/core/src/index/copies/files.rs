//! Copies as a store that is only read, and the way back to what they stand for.

use std::{
    collections::HashMap,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use super::{
    super::{load::open_index, lookup::Index},
    failed,
    list::{Copy, copy_name},
};
use crate::{
    backend::{
        Backend, BackendError, BackendErrorKind, Description, Latency, Misread, ObjectName, Parts, Promise, Sealed,
    },
    cache::CacheFolder,
    codec::Codec,
    error::{Error, Result},
};

/// The files of a group, open: another client may remove their names at any time.
#[derive(Debug)]
pub(super) struct Files {
    place: PathBuf,
    files: HashMap<ObjectName, Arc<File>>,
}

impl Files {
    pub(super) fn open(folder: &CacheFolder, copies: &[Copy]) -> Result<Self> {
        let open = |copy: &Copy| {
            let path = folder.file(&copy_name(copy.segment));
            let file = File::open(&path).map_err(|error| failed("open", &path, error))?;
            let length = file.metadata().map_err(|error| failed("open", &path, error))?.len();
            if length != copy.size {
                return Err(Error::damaged(path.display(), format!("it has {length} bytes instead of {}", copy.size)));
            }
            Ok((ObjectName::MergedSegment(copy.segment), Arc::new(file)))
        };
        Ok(Self { place: folder.path().to_owned(), files: copies.iter().map(open).collect::<Result<_>>()? })
    }
}

impl Backend for Files {
    fn put(&self, _: &ObjectName, _: &Sealed) -> Result<(), BackendError> {
        Err(BackendErrorKind::Other.into())
    }

    fn get(&self, _: &ObjectName) -> Result<Bytes, BackendError> {
        Err(BackendErrorKind::Other.into())
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        let file = self.files.get(name).ok_or(BackendErrorKind::NotFound)?;
        let length = usize::try_from(length).map_err(|error| BackendError::new(BackendErrorKind::Other, error))?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|error| BackendError::new(BackendErrorKind::Other, error))?;
        bytes.resize(length, 0);
        file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes.into())
    }

    fn open_parts(&self, name: &ObjectName) -> Result<Option<Box<dyn Parts>>, BackendError> {
        let file = self.files.get(name).ok_or(BackendErrorKind::NotFound)?;
        Ok(Some(Box::new(CopyFile(Arc::clone(file)))))
    }

    fn list(&self, _: &str, _: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>) -> Result<(), BackendError> {
        Err(BackendErrorKind::Other.into())
    }

    fn remove(&self, _: &ObjectName) -> Result<(), BackendError> {
        Err(BackendErrorKind::Other.into())
    }

    fn describe(&self) -> Description {
        let place = self.place.display().to_string();
        let latency = Latency::Low;
        Description { place, exclusive_create: Promise::Broken, fresh_reads: Promise::Kept, latency }
    }
}

/// A copy whose pages are read one by one.
#[derive(Debug)]
struct CopyFile(Arc<File>);

impl Parts for CopyFile {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError> {
        Ok(self.0.read_exact_at(buffer, offset)?)
    }
}

/// The segments that a group of copies stands for, opened only when a copy can not be read.
#[derive(Debug)]
pub(in super::super) struct Originals {
    backend: Arc<dyn Backend>,
    codec: Codec,
    names: Vec<(ObjectName, u64)>,
    list: PathBuf,
    misread: Misread,
    index: OnceLock<(Index, bool)>,
}

impl Originals {
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        codec: Codec,
        names: Vec<(ObjectName, u64)>,
        list: PathBuf,
        misread: Misread,
    ) -> Self {
        Self { backend, codec, names, list, misread, index: OnceLock::new() }
    }

    /// An index of them alone. Those that are damaged answer nothing, as if they had been opened in the first place.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(in super::super) fn index(&self) -> Result<&Index> {
        if let Some((index, _)) = self.index.get() {
            return Ok(index);
        }
        // Whoever opens the repository next makes the copies anew.
        let _ = fs::remove_file(&self.list);
        let index = open_index(&self.backend, &self.codec, &self.names, &self.misread)?;
        Ok(&self.index.get_or_init(|| index).0)
    }

    /// Tells whether all of them could be opened, so that what they do not name is not there.
    pub(in super::super) fn are_whole(&self) -> bool {
        self.index.get().is_some_and(|(_, are_whole)| *are_whole)
    }
}
