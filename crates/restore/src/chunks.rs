//! Reads chunks, and reads the index again when something is not where it says.
//!
//! While a restore runs, a collector may move chunks to other packs and remove the old ones: who meets a missing pack looks
//! into the index anew before a loss is reported. And what no segment names is looked for in the packs themselves: an index
//! that is damaged or gone costs time, never data.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use lbak_core::{
    backend::Folder,
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    observe::FindingKind,
    repository::{Repository, View},
    store::ChunkReader,
};

use crate::findings::{Findings, in_words};

/// The chunks of a repository, by its index as it was read last.
pub(crate) struct Chunks {
    repository: Repository,
    latest: Mutex<Latest>,
}

struct Latest {
    reader: Arc<ChunkReader>,
    /// What the index was made of when it was read again; nothing before that.
    seen: Option<Vec<u64>>,
}

impl Chunks {
    /// Reads the index. Segments that do not open are findings: what only they name will be missed.
    pub(crate) fn open(repository: &Repository, findings: &Findings) -> Result<Self> {
        Self::of_view(repository, repository.view_through_copies()?, findings)
    }

    /// The same with an index that was read already.
    pub(crate) fn of_view(repository: &Repository, view: View, findings: &Findings) -> Result<Self> {
        for error in &view.damage {
            let object = match error {
                Error::Damaged { object, .. } | Error::Store { object, .. } => object.clone(),
                _ => "index".to_owned(),
            };
            findings.note(FindingKind::DamagedObject, object.into_bytes(), in_words(error));
        }
        if !view.damage.is_empty() {
            repository.index_loose_packs(&view)?;
        }
        let reader = Arc::new(repository.reader(&view));
        Ok(Self { repository: repository.clone(), latest: Mutex::new(Latest { reader, seen: None }) })
    }

    /// The reader over the index as it was read last.
    pub(crate) fn reader(&self) -> Arc<ChunkReader> {
        Arc::clone(&self.latest().reader)
    }

    /// The workers of the repository.
    pub(crate) fn workers(&self) -> &rayon::ThreadPool {
        self.repository.workers()
    }

    /// Reads the index again, unless someone else has done so since `seen`; `None` when nothing was added to it since it
    /// was read again the last time. A restore may take days: packs can move more than once.
    pub(crate) fn reload(&self, seen: &Arc<ChunkReader>) -> Result<Option<Arc<ChunkReader>>> {
        let mut latest = self.latest();
        if Arc::ptr_eq(&latest.reader, seen) {
            let listed = self.list_index()?;
            if latest.seen.as_ref() == Some(&listed) {
                return Ok(None);
            }
            // The other thread waits here for what it would do itself.
            let view = self.repository.view_through_copies()?;
            self.repository.index_loose_packs(&view)?;
            *latest = Latest { reader: Arc::new(self.repository.reader(&view)), seen: Some(listed) };
        }
        Ok(Some(Arc::clone(&latest.reader)))
    }

    /// What the index is made of now: a number for each object.
    fn list_index(&self) -> Result<Vec<u64>> {
        let mut listed = Vec::new();
        for prefix in [Folder::Index.prefix(), Folder::Fin.prefix()] {
            let mut note = |name: &str, size: u64| {
                let mut hasher = DefaultHasher::new();
                (name, size).hash(&mut hasher);
                listed.push(hasher.finish());
                Ok(())
            };
            self.repository.backend().list(prefix, &mut note).map_err(|error| Error::store("list", prefix, error))?;
        }
        listed.sort_unstable();
        Ok(listed)
    }

    /// Reads one chunk of a tree, a list, or attributes.
    pub(crate) fn read(&self, kind: ChunkKind, id: &ChunkId) -> Result<Bytes> {
        let mut reader = self.reader();
        loop {
            match reader.read(kind, id) {
                Err(error) if error.is_damage() => {
                    let Some(newer) = self.reload(&reader)? else { return Err(error) };
                    reader = newer;
                }
                outcome => return outcome,
            }
        }
    }

    /// Why a chunk is lost, when no index knows it.
    pub(crate) fn missing(&self, kind: ChunkKind, id: &ChunkId) -> Result<Option<Error>> {
        let mut reader = self.reader();
        loop {
            match reader.locate(kind, id, &mut |_| true) {
                Ok(_) => return Ok(None),
                Err(error) if error.is_damage() => match self.reload(&reader)? {
                    Some(newer) => reader = newer,
                    None => return Ok(Some(error)),
                },
                Err(error) => return Err(error),
            }
        }
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
