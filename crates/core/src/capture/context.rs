//! What the walk, the readers and the workers of one run share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
    mpsc::Sender,
};

use super::{
    SnapshotOptions,
    batch::{Job, Message},
    buffers::Buffers,
};
use crate::{
    chunk::Cutter,
    codec::{BlockEncoder, Compression},
    error::{Error, Result, escape},
    keys::Keys,
    metadata::Timestamp,
    observe::{Cancellation, Event, Observer},
    repository::Repository,
    store::ChunkWriter,
};

/// Shared by all threads of a run.
pub(super) struct Context<'a> {
    pub(super) repository: &'a Repository,
    pub(super) cutter: Arc<Cutter>,
    pub(super) writer: &'a ChunkWriter,
    pub(super) observer: &'a dyn Observer,
    pub(super) cancellation: &'a Cancellation,
    pub(super) results: Sender<Message>,
    pub(super) read_bytes: AtomicU64,
    pub(super) buffers: Arc<Buffers>,
    /// A file can be opened and read a second time; a stream can not, and says nothing of itself before it is read.
    pub(super) is_repeatable: bool,
    compression: Compression,
    benches: Mutex<Vec<Bench>>,
}

/// A worker's tools, kept from one block to the next.
pub(super) struct Bench {
    pub(super) encoder: BlockEncoder,
    /// Plain bytes of a block whose chunks do not lie together.
    pub(super) plain: Vec<u8>,
    /// A block that became shorter.
    pub(super) scratch: Vec<u8>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        repository: &'a Repository,
        writer: &'a ChunkWriter,
        options: &'a SnapshotOptions,
        results: Sender<Message>,
    ) -> Self {
        Self {
            repository,
            cutter: Arc::clone(repository.cutter()),
            writer,
            observer: &*options.observer,
            cancellation: &options.cancellation,
            results,
            read_bytes: AtomicU64::new(0),
            buffers: Buffers::new(repository.workers().current_num_threads()),
            is_repeatable: true,
            compression: options.compression,
            benches: Mutex::default(),
        }
    }

    pub(super) fn keys(&self) -> &Keys {
        self.repository.codec().keys()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.repository.now()
    }

    /// Passes while nobody asked to stop and nothing failed.
    pub(super) fn check(&self) -> Result<()> {
        self.cancellation.check()?;
        self.writer.check()
    }

    pub(super) fn send(&self, message: Message) {
        // The receiver is the walk; it is gone only when the run was given up.
        let _ = self.results.send(message);
    }

    /// Stops the run with an error and wakes the walk.
    pub(super) fn fail(&self, error: Error) {
        // Who was asked to stop still stores what was read, for the next run.
        if !matches!(error, Error::Cancelled) {
            self.writer.fail(error);
        }
        self.send(Message::Failed);
    }

    /// Tells that a file is read once more.
    pub(super) fn note_again(&self, job: &Job, why: &str) {
        self.observer.event(&Event::Note(&format!("read again because {why}: {}", escape(&job.path()))));
    }

    pub(super) fn count_read(&self, bytes: u64) {
        self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Lends a worker's tools for one piece of work.
    pub(super) fn with_bench<T>(&self, work: impl FnOnce(&mut Bench) -> Result<T>) -> Result<T> {
        let bench = self.benches().pop();
        let mut bench = match bench {
            Some(bench) => bench,
            None => Bench { encoder: BlockEncoder::new(self.compression)?, plain: Vec::new(), scratch: Vec::new() },
        };
        let outcome = work(&mut bench);
        self.benches().push(bench);
        outcome
    }

    fn benches(&self) -> MutexGuard<'_, Vec<Bench>> {
        self.benches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
