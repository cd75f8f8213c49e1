//! Reads chunks, and reads the index again when something is not where it says.
//!
//! While a verb reads, a collector may move chunks to other packs and remove the old ones: who meets a missing pack looks
//! into the index anew before a loss is reported. And what no segment names is looked for in the packs themselves: an index
//! that is damaged or gone costs time, never data.

use std::{
    collections::{BTreeSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::findings::{Findings, in_words};
use crate::{
    backend::{Folder, ObjectName},
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    observe::{Cancellation, Finding, FindingKind},
    repository::{Repository, View},
    store::{ChunkReader, map_reading},
};

/// The chunks of a repository, by its index as it was read last.
#[derive(Debug)]
pub struct Chunks {
    repository: Repository,
    /// Looking for what is lost may take hours.
    cancellation: Cancellation,
    /// Held for a moment only: whoever finds what it looks for goes on while others read the index again.
    latest: Mutex<Arc<ChunkReader>>,
    /// Held by whoever reads the index again; others wait here for what they would do themselves.
    reloaded: Mutex<Reloaded>,
}

#[derive(Debug, Default)]
struct Reloaded {
    /// What the index was made of when it was read again; nothing before that.
    seen: Option<Vec<u64>>,
    /// Segments of which a part did not open until then.
    hurt: BTreeSet<ObjectName>,
}

impl Chunks {
    /// Reads the index. Segments that do not open are findings: what only they name is looked for in the packs themselves, now or later,
    /// until somebody asks to stop.
    ///
    /// # Errors
    /// [`Error::Store`] when the store does not answer, [`Error::Newer`], [`Error::Cancelled`].
    pub fn open(repository: &Repository, findings: &Findings, cancellation: &Cancellation) -> Result<Self> {
        let repository = &repository.for_one_run();
        Self::of_view(repository, repository.view()?, findings, cancellation)
    }

    /// The same with an index that was read already, through [this handle](Repository::for_one_run) of the repository.
    ///
    /// # Errors
    /// As [`Chunks::open`].
    pub fn of_view(
        repository: &Repository,
        view: View,
        findings: &Findings,
        cancellation: &Cancellation,
    ) -> Result<Self> {
        for error in &view.damage {
            let object = match error {
                Error::Damaged { object, .. } | Error::Store { object, .. } => object.clone(),
                _ => "index".to_owned(),
            };
            findings.note(FindingKind::DamagedObject, object.into_bytes(), in_words(error));
        }
        if !view.damage.is_empty() {
            repository.index_loose_packs(&view, cancellation)?;
        }
        let reader = Arc::new(repository.reader(&view));
        let (latest, reloaded) = (Mutex::new(reader), Mutex::default());
        Ok(Self { repository: repository.clone(), cancellation: cancellation.clone(), latest, reloaded })
    }

    /// The reader over the index as it was read last.
    #[must_use]
    pub fn reader(&self) -> Arc<ChunkReader> {
        Arc::clone(&self.latest())
    }

    /// The workers of the repository.
    #[must_use]
    pub fn workers(&self) -> &rayon::ThreadPool {
        self.repository.workers()
    }

    /// Does `work` for each item, reading from the store where that keeps no worker waiting: see [`map_reading`].
    ///
    /// # Errors
    /// The first of `work`.
    pub fn map_reading<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
        map_reading(&**self.repository.backend(), self.workers(), items, work)
    }

    /// Reads the index again, unless someone else has done so since `seen`; `None` when nothing was added to it since it
    /// was read again the last time. Packs can move more than once while a verb runs.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Newer`]: the next call tries again.
    pub fn reload(&self, seen: &Arc<ChunkReader>) -> Result<Option<Arc<ChunkReader>>> {
        let newer = || Some(self.reader()).filter(|latest| !Arc::ptr_eq(latest, seen));
        if let Some(newer) = newer() {
            return Ok(Some(newer));
        }
        let mut reloaded = self.reloaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newer) = newer() {
            return Ok(Some(newer));
        }
        let listed = self.list_index()?;
        let hurt = seen.index().hurt();
        if reloaded.seen.as_ref() == Some(&listed) && hurt.is_subset(&reloaded.hurt) {
            return Ok(None);
        }
        let view = self.repository.view()?;
        reloaded.hurt.extend(hurt);
        // What a page hid that does not open stands in the directories of the packs.
        view.index.segments().iter().filter(|one| reloaded.hurt.contains(one.name())).for_each(|one| one.mark_hurt());
        self.repository.index_loose_packs(&view, &self.cancellation)?;
        let reader = Arc::new(self.repository.reader(&view));
        reloaded.seen = Some(listed);
        *self.latest() = Arc::clone(&reader);
        Ok(Some(reader))
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
    ///
    /// # Errors
    /// As [`ChunkReader::read`].
    pub fn read(&self, kind: ChunkKind, id: &ChunkId) -> Result<Bytes> {
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

    /// Notes what was read wrongly once and rightly the second time, each object once.
    pub fn tell_misread(&self, findings: &Findings) {
        self.repository.misread().take().iter().for_each(|name| findings.add(Finding::misread(name)));
    }

    /// Why a chunk is lost, when no index knows it.
    ///
    /// # Errors
    /// Trouble with the store.
    pub fn missing(&self, kind: ChunkKind, id: &ChunkId) -> Result<Option<Error>> {
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

    fn latest(&self) -> MutexGuard<'_, Arc<ChunkReader>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::{Backend, MemoryBackend},
        capture::{SnapshotOptions, snapshot},
        codec::slot::Credential,
        keys::PasswordCost,
        repository::{InitOptions, NewSlot},
        source::{MemoryNode, MemorySource},
    };

    #[test]
    fn a_chunk_that_is_lost_does_not_keep_later_ones_from_being_found() {
        let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
        let slot =
            NewSlot { credential: Credential::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
        let options = InitOptions { threads: Some(2), ..InitOptions::default() };
        let repository = Repository::init(backend, &[slot], &options).expect("init");
        let findings = Findings::new(Arc::new(crate::observe::Silent));
        let chunks = Chunks::open(&repository, &findings, &Cancellation::default()).expect("open");
        for round in 0..3 {
            let lost = chunks.read(ChunkKind::Tree, &ChunkId([9; 32])).expect_err("there is none");
            assert!(lost.is_damage(), "{lost}");
            // What the index does not know yet is to it like what was moved.
            let source = MemorySource::new([("/r", MemoryNode::file(format!("content {round}")))]);
            let report = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
            let catalog = repository.catalog().expect("catalog");
            let taken = catalog.snapshots.iter().find(|found| found.manifest.id == report.snapshot).expect("committed");
            chunks.read(ChunkKind::Tree, &taken.manifest.root).expect("it was stored meanwhile");
        }
    }
}
