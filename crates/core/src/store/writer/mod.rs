//! Stores new chunks: claims, open packs, uploads, segments.
//!
//! ```text
//! worker: claim ids → encode one block → reserve a place → seal → fill ──┐ a pack is complete
//!                                                                        ▼
//! upload thread: finish the pack → put → confirm → rows for the index → now and then a segment → put
//! ```
//!
//! Workers never wait for the backend. Whoever brings bytes in waits at the [`Budget`], which also counts the packs
//! on their way: a slow store slows the readers and nothing piles up.

mod budget;
mod claims;
mod doubt;
mod failure;
mod known;
mod options;
mod read_back;
mod segments;
#[cfg(test)]
mod tests;
mod upload;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

pub use self::{
    budget::{Budget, Share},
    options::{Stored, WriterOptions},
    read_back::{Encode, ReadBack},
    segments::chunk_rows,
};
use self::{
    claims::Claims, doubt::Doubt, failure::Failure, read_back::ReadingBack, segments::PendingSegment, upload::Upload,
};
use crate::{
    backend::Backend,
    codec::{Codec, Kind},
    error::{Error, Result},
    id::{ChunkKind, PackId, SessionId},
    index::Index,
    pack::{ChunkEntry, PackBuffers, PackBuilder, padded_length},
};

/// Tells whether chunks in a pack may be referred to: it is not condemned and not known to be damaged.
pub type UsablePacks = Arc<dyn Fn(&PackId) -> bool + Send + Sync>;

/// Stores new chunks of one session. All methods but `finish` may be called from several threads at once.
pub struct ChunkWriter {
    shared: Arc<Shared>,
    uploads: Option<mpsc::Sender<Upload>>,
    threads: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for ChunkWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkWriter").field("session", &self.shared.session).finish_non_exhaustive()
    }
}

/// What workers and upload threads have in common.
struct Shared {
    backend: Arc<dyn Backend>,
    codec: Codec,
    session: SessionId,
    index: Arc<Index>,
    usable: UsablePacks,
    doubt: Doubt,
    read_back: ReadingBack,
    /// Count, and store nothing.
    is_dry_run: bool,
    options: WriterOptions,
    claims: Claims,
    budget: Arc<Budget>,
    failure: Arc<Failure>,
    segment: Mutex<PendingSegment>,
    open_packs: [Mutex<Option<Arc<PackBuilder>>>; 2],
    /// Buffers for packs of data, and of trees.
    buffers: [PackBuffers; 2],
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    packs: AtomicU64,
    segments: AtomicU64,
    bytes: AtomicU64,
    new_data_bytes: AtomicU64,
    chunks: AtomicU64,
    /// Chunks in segments that were put.
    rows: AtomicU64,
}

impl ChunkWriter {
    /// Starts a writer for an announced session; its threads are joined by `finish` or when it is dropped.
    ///
    /// # Errors
    /// [`Error::System`] when no thread can be had.
    pub fn start(
        backend: Arc<dyn Backend>,
        codec: Codec,
        index: Arc<Index>,
        session: SessionId,
        usable: UsablePacks,
        is_dry_run: bool,
        options: WriterOptions,
    ) -> Result<Self> {
        let failure = Arc::new(Failure::default());
        let buffers = [options.data_pack_bytes, options.tree_pack_bytes]
            .map(|bytes| PackBuffers::new(usize::try_from(padded_length(u64::from(bytes))).unwrap_or(bytes as usize)));
        let shared = Arc::new(Shared {
            backend,
            codec,
            session,
            index,
            usable,
            doubt: Doubt::default(),
            read_back: ReadingBack::new(options.read_back),
            is_dry_run,
            claims: Claims::default(),
            budget: Arc::new(Budget::new(options.read_bytes, options.queued_bytes, Arc::clone(&failure))),
            failure,
            segment: Mutex::default(),
            open_packs: Default::default(),
            buffers,
            counters: Counters::default(),
            options,
        });
        let (sender, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut writer = Self { shared, uploads: Some(sender), threads: Vec::new() };
        for _ in 0..writer.shared.options.uploads.max(1) {
            let (shared, receiver) = (Arc::clone(&writer.shared), Arc::clone(&receiver));
            let thread = std::thread::Builder::new()
                .name("lbak-upload".into())
                .spawn(move || upload::run(&shared, &receiver))
                .map_err(|source| Error::System { what: "an upload thread", source })?;
            writer.threads.push(thread);
        }
        Ok(writer)
    }

    /// The budget that whoever brings bytes in takes its share of first.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.shared.budget
    }

    /// Takes note that an object was met which is damaged or missing: chunks in it are stored anew when they come again, and
    /// any other pack is asked for before it is relied on.
    pub fn doubt(&self, object: Option<&str>) {
        self.shared.doubt.raise(object);
    }

    /// Encodes a block of claimed chunks, seals it and adds it to a pack. `scratch` is overwritten.
    ///
    /// # Errors
    /// When the writer failed; the chunks are not stored then and the session must not be committed. [`Error::Unreliable`] when what
    /// was sealed is not what was meant.
    pub fn store_block(
        &self,
        encoder: &mut dyn Encode,
        plain: &[u8],
        chunks: Vec<ChunkEntry>,
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        self.shared.failure.check()?;
        let Some(first) = chunks.first() else { return Ok(()) };
        let is_data = first.kind == ChunkKind::Data;
        let counters = &self.shared.counters;
        counters.chunks.fetch_add(chunks.len() as u64, Ordering::Relaxed);
        if is_data {
            counters.new_data_bytes.fetch_add(plain.len() as u64, Ordering::Relaxed);
        }
        if self.shared.is_dry_run {
            return Ok(());
        }
        let mut encoded = encoder.encode(plain, scratch);
        let plain_length = u32::try_from(plain.len())
            .ok()
            .filter(|&length| length as usize <= crate::codec::LARGEST_BLOCK)
            .ok_or_else(|| Error::TooLarge { what: "a block".into(), limit: "16 MiB".into() })?;

        let Shared { read_back, codec, .. } = &*self.shared;
        let mut is_read_back = read_back.is_due(is_data);
        loop {
            let pack = self.open_pack(is_data)?;
            let Some(place) = pack.reserve(encoded.length(), plain_length, chunks.clone()) else {
                if pack.close() {
                    self.upload(is_data, pack);
                }
                continue;
            };
            let (is_complete, proven) = match is_read_back {
                false => (pack.fill(place, encoded), Ok(())),
                true => pack.fill_if(place, encoded, |header, offset, sealed| {
                    read_back.prove_block(codec, header, offset, sealed, &chunks)
                }),
            };
            if is_complete {
                self.upload(is_data, pack);
            }
            let Err(fault) = proven else { return Ok(()) };
            read_back.take_note(codec, &fault, plain, &chunks)?;
            encoded = encoder.encode(plain, scratch);
            is_read_back = true;
        }
    }

    /// Plain bytes of new data chunks, and bytes stored, so far.
    #[must_use]
    pub fn stored(&self) -> Stored {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        Stored {
            packs: read(&counters.packs),
            segments: read(&counters.segments),
            bytes: read(&counters.bytes),
            new_data_bytes: read(&counters.new_data_bytes),
            chunks: read(&counters.chunks),
            spoiled_blocks: self.shared.read_back.spoiled(),
        }
    }

    /// Passes while nothing has failed.
    ///
    /// # Errors
    /// The first failure of any thread.
    pub fn check(&self) -> Result<()> {
        self.shared.failure.check()
    }

    /// Stops everything with an error: waiting readers are woken and told.
    pub fn fail(&self, error: Error) {
        self.shared.failure.set(error);
        self.shared.budget.wake();
    }

    /// Puts what is still open and returns when all of it is stored and confirmed, index included.
    ///
    /// # Errors
    /// The first failure of any thread.
    pub fn finish(mut self) -> Result<Stored> {
        self.close_packs();
        self.join();
        self.shared.failure.check()?;
        self.shared.put_segment(true)?;
        // Every chunk that was given to be stored has its row in a segment, or nothing may be committed.
        let (given, stored) = (&self.shared.counters.chunks, &self.shared.counters.rows);
        if given.load(Ordering::Relaxed) != stored.load(Ordering::Relaxed) && !self.shared.is_dry_run {
            return Err(Error::Panicked { doing: "storing packs: not every chunk arrived" });
        }
        Ok(self.stored())
    }

    /// Gives up, but makes a segment of the packs that are stored, so that the next run finds what is in them. Best
    /// effort: this is called after something failed.
    pub fn salvage(mut self) {
        self.close_packs();
        self.join();
        let _ = self.shared.put_segment(true);
    }

    /// Sends what is open on its way.
    fn close_packs(&self) {
        for is_data in [true, false] {
            let pack = self.slot(is_data).take();
            if let Some(pack) = pack.filter(|pack| pack.close()) {
                self.send(pack);
            }
        }
    }

    fn slot(&self, is_data: bool) -> MutexGuard<'_, Option<Arc<PackBuilder>>> {
        self.shared.open_packs[usize::from(!is_data)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_pack(&self, is_data: bool) -> Result<Arc<PackBuilder>> {
        let mut slot = self.slot(is_data);
        if let Some(pack) = slot.as_ref().filter(|pack| !pack.is_closed()) {
            return Ok(Arc::clone(pack));
        }
        let (kind, target) = if is_data {
            (Kind::DataPack, self.shared.options.data_pack_bytes)
        } else {
            (Kind::TreePack, self.shared.options.tree_pack_bytes)
        };
        let sealer = self.shared.codec.sealer(kind, self.shared.session)?;
        let buffer = self.shared.buffers[usize::from(!is_data)].lend();
        let pack = Arc::new(PackBuilder::new(sealer, target, buffer));
        *slot = Some(Arc::clone(&pack));
        Ok(pack)
    }

    /// Sends a complete pack on its way and forgets it.
    fn upload(&self, is_data: bool, pack: Arc<PackBuilder>) {
        let mut slot = self.slot(is_data);
        if slot.as_ref().is_some_and(|open| Arc::ptr_eq(open, &pack)) {
            *slot = None;
        }
        drop(slot);
        self.send(pack);
    }

    fn send(&self, pack: Arc<PackBuilder>) {
        let share = self.shared.budget.queue(pack.length());
        if let Some(uploads) = &self.uploads {
            // The receiver outlives this sender: it is held by the threads that `join` waits for.
            let _ = uploads.send(Upload { pack, share });
        }
    }

    fn join(&mut self) {
        self.uploads = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                self.shared.failure.set(Error::Panicked { doing: "storing packs" });
            }
        }
    }
}

impl Drop for ChunkWriter {
    fn drop(&mut self) {
        // Abandoned: what is on its way arrives and is used by the next run; what is open is dropped.
        self.join();
    }
}
