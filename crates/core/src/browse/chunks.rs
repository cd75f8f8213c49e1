//! Reads chunks, and reads the index again when something is not where it says.
//!
//! While a verb reads, a collector may move chunks to other packs and remove the old ones: who meets a missing pack looks
//! into the index anew before a loss is reported. And what no segment names is looked for in the packs themselves: an index
//! that is damaged or gone costs time, never data.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::findings::{Findings, in_words};
use crate::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    observe::FindingKind,
    repository::Repository,
    store::ChunkReader,
};

/// The chunks of a repository, by its index as it was read last.
#[derive(Debug)]
pub struct Chunks {
    repository: Repository,
    latest: Mutex<Latest>,
}

#[derive(Debug)]
struct Latest {
    reader: Arc<ChunkReader>,
    /// The index was read again and did not know better: it is not asked a third time.
    is_final: bool,
}

impl Chunks {
    /// Reads the index. Segments that do not open are findings: what only they name is looked for in the packs themselves.
    ///
    /// # Errors
    /// [`Error::Store`] when the store does not answer, [`Error::Newer`].
    pub fn open(repository: &Repository, findings: &Findings) -> Result<Self> {
        let view = repository.view()?;
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
        Ok(Self { repository: repository.clone(), latest: Mutex::new(Latest { reader, is_final: false }) })
    }

    /// The reader over the index as it was read last.
    #[must_use]
    pub fn reader(&self) -> Arc<ChunkReader> {
        Arc::clone(&self.latest().reader)
    }

    /// The workers of the repository.
    #[must_use]
    pub fn workers(&self) -> &rayon::ThreadPool {
        self.repository.workers()
    }

    /// Reads the index again, unless someone else has done so since `seen`; `None` when that is known to be no use.
    pub fn reload(&self, seen: &Arc<ChunkReader>) -> Result<Option<Arc<ChunkReader>>> {
        let mut latest = self.latest();
        if Arc::ptr_eq(&latest.reader, seen) {
            if latest.is_final {
                return Ok(None);
            }
            // The other thread waits here for what it would do itself.
            let view = self.repository.view()?;
            self.repository.index_loose_packs(&view)?;
            latest.reader = Arc::new(self.repository.reader(&view));
        }
        Ok(Some(Arc::clone(&latest.reader)))
    }

    /// Notes that reading the index again has found nothing that was missing.
    pub fn reload_was_no_use(&self) {
        self.latest().is_final = true;
    }

    /// Reads one chunk of a tree, a list, or attributes.
    ///
    /// # Errors
    /// As [`ChunkReader::read`].
    pub fn read(&self, kind: ChunkKind, id: &ChunkId) -> Result<Bytes> {
        let reader = self.reader();
        match reader.read(kind, id) {
            Err(error) if error.is_damage() => {
                let Some(reader) = self.reload(&reader)? else { return Err(error) };
                let again = reader.read(kind, id);
                if again.is_err() {
                    self.reload_was_no_use();
                }
                again
            }
            outcome => outcome,
        }
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
