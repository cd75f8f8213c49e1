//! Finds chunks and reads them, each proven by its id (rule I14).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use crate::{
    backend::{Backend, BackendErrorKind, Misread, ObjectName},
    codec::{BlockDecoder, Codec, Domain},
    error::{Error, Result},
    id::{ChunkId, ChunkKind, PackId},
    index::{Index, Location, PackRow},
};

/// Range reads begin and end on multiples of this many bytes, so that reading does not show where blocks end.
const READ_STEP: u64 = 64 << 10;

/// Bytes of opened blocks that are kept: trees of one directory lie beside those of the next.
const CACHED_BYTES: usize = 8 << 20;

/// Blocks that did not open and are remembered: a few hundred bytes each.
const MOST_LOST_BLOCKS: usize = 4 << 10;

/// A block in a pack.
#[derive(Clone, Debug)]
pub struct BlockPlace {
    /// The pack.
    pub pack: Arc<PackRow>,
    /// Where the block begins.
    pub offset: u32,
    /// Stored bytes with the tag.
    pub sealed_length: u32,
    /// Bytes after decoding.
    pub plain_length: u32,
}

impl BlockPlace {
    /// The block that holds a chunk.
    #[must_use]
    pub fn of(location: &Location) -> Self {
        Self {
            pack: Arc::clone(&location.pack),
            offset: location.block_offset,
            sealed_length: location.sealed_length,
            plain_length: location.block_length,
        }
    }

    /// What identifies it.
    #[must_use]
    pub fn key(&self) -> (PackId, u32) {
        (self.pack.id, self.offset)
    }
}

/// What whoever opens many blocks uses again and again: memory of megabytes that the system would have to fill with zeros each time.
#[derive(Debug, Default)]
pub struct BlockBuffers {
    /// What is stored, opened where it lies.
    pub stored: Vec<u8>,
    /// What had to be unpacked.
    pub plain: Vec<u8>,
    /// For what did not open and is read once more.
    pub again: SecondReading,
}

/// Memory for a block that is read a second time.
#[derive(Debug, Default)]
pub struct SecondReading {
    stored: Vec<u8>,
    plain: Vec<u8>,
}

/// What the index does not know is lost.
fn unknown(kind: ChunkKind, id: &ChunkId) -> Error {
    Error::Lost { what: format!("{kind:?} chunk {id}").to_lowercase() }
}

/// Reads chunks of one repository. All methods may be called from several threads at once.
#[derive(Debug)]
pub struct ChunkReader {
    backend: Arc<dyn Backend>,
    codec: Codec,
    index: Arc<Index>,
    decoders: Mutex<Vec<BlockDecoder>>,
    cache: Mutex<BlockCache>,
    /// Packs of which a block opened at the second reading only.
    misread: Misread,
    /// Blocks that did not open twice, and why: each may hold a thousand chunks, and is not read for every one of them.
    lost: Mutex<HashMap<(PackId, u32), String>>,
}

impl ChunkReader {
    /// A reader over an index.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>, codec: Codec, index: Arc<Index>) -> Self {
        let (decoders, cache) = (Mutex::default(), Mutex::default());
        Self { backend, codec, index, decoders, cache, misread: Misread::default(), lost: Mutex::default() }
    }

    /// The same; packs of which something is read wrongly once are noted there.
    #[must_use]
    pub fn noting(self, misread: &Misread) -> Self {
        Self { misread: misread.clone(), ..self }
    }

    /// The index that it looks in.
    #[must_use]
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// The keys and headers that it opens with.
    #[must_use]
    pub fn codec(&self) -> &Codec {
        &self.codec
    }

    /// Where a chunk lies; the first place that `is_wanted`.
    ///
    /// # Errors
    /// [`Error::Lost`] when the index knows none.
    pub fn locate(
        &self,
        kind: ChunkKind,
        id: &ChunkId,
        is_wanted: &mut dyn FnMut(&Location) -> bool,
    ) -> Result<Location> {
        self.index.find(id, kind, is_wanted)?.ok_or_else(|| unknown(kind, id))
    }

    /// Where each of many chunks lies, in their order; [`Index::find_many`] tells what that saves.
    ///
    /// # Errors
    /// Each chunk has its own, as for [`locate`](Self::locate).
    pub fn locate_many(
        &self,
        kind: ChunkKind,
        ids: &[ChunkId],
        is_wanted: &mut dyn FnMut(usize, &Location) -> bool,
    ) -> Vec<Result<Location>> {
        let found = self.index.find_many(ids, kind, is_wanted);
        let located = found.into_iter().zip(ids).map(|(found, id)| found?.ok_or_else(|| unknown(kind, id)));
        located.collect()
    }

    /// Reads one chunk, through a small cache of blocks: for trees and lists. A damaged copy is passed over when there is another.
    ///
    /// # Errors
    /// [`Error::Lost`], or the first copy's [`Error::Damaged`] or [`Error::Store`].
    pub fn read(&self, kind: ChunkKind, id: &ChunkId) -> Result<Bytes> {
        let mut tried: Vec<PackId> = Vec::new();
        let mut first_error = None;
        loop {
            let location = match self.locate(kind, id, &mut |location| !tried.contains(&location.pack.id)) {
                Ok(location) => location,
                Err(error) => return Err(first_error.unwrap_or(error)),
            };
            match self.read_at(&location, id) {
                Ok(chunk) => return Ok(chunk),
                Err(error) if error.is_damage() => {
                    first_error.get_or_insert(error);
                    tried.push(location.pack.id);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn read_at(&self, location: &Location, id: &ChunkId) -> Result<Bytes> {
        let place = BlockPlace::of(location);
        let cached = self.cache().get(place.key());
        if let Some(block) = &cached
            && let Ok(range) = self.check_chunk(location, id, block)
        {
            return Ok(block.slice(range));
        }
        let block = Bytes::copy_from_slice(self.open_block(&place, &mut BlockBuffers::default())?);
        let range = self.check_chunk(location, id, &block)?;
        if cached.is_some() {
            // It was sound when it was opened, and has changed in memory since.
            self.misread.note(&ObjectName::Pack(place.pack.id));
        }
        self.cache().insert(place.key(), block.clone());
        Ok(block.slice(range))
    }

    /// Finds a chunk in its opened block and compares its id. Returns where it lies in the block.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the block holds something else there.
    pub fn check_chunk(&self, location: &Location, id: &ChunkId, block: &[u8]) -> Result<std::ops::Range<usize>> {
        let range = location.offset as usize..location.offset as usize + location.length as usize;
        let is_right =
            block.get(range.clone()).is_some_and(|chunk| self.codec.keys().chunk_id(location.kind, chunk) == *id);
        if !is_right {
            let block = location.block_offset;
            let object = ObjectName::Pack(location.pack.id);
            return Err(Error::damaged(object, format!("the block at {block} does not hold chunk {id}")));
        }
        Ok(range)
    }

    /// Reads, opens and decodes a block. One that does not open is read [once more](Self::open_again).
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Newer`] or [`Error::Store`].
    pub fn open_block<'b>(&self, place: &BlockPlace, buffers: &'b mut BlockBuffers) -> Result<&'b [u8]> {
        let BlockBuffers { stored, plain, again } = buffers;
        if let Some(what) = self.lost().get(&place.key()) {
            return Err(Error::damaged(ObjectName::Pack(place.pack.id), what));
        }
        match self.open_once(place, stored, plain) {
            Err(error) if error.is_doubtful() => self.open_again(place, again),
            outcome => outcome,
        }
    }

    /// Reads and opens a block that did not open, from where it lies: what was read may have been spoiled on its way, and be held so in the
    /// system's memory. Where that helped is [noted](Self::noting).
    ///
    /// # Errors
    /// As [`open_block`](Self::open_block).
    pub fn open_again<'b>(&self, place: &BlockPlace, memory: &'b mut SecondReading) -> Result<&'b [u8]> {
        self.backend.forget_cached(&ObjectName::Pack(place.pack.id));
        let outcome = self.open_once(place, &mut memory.stored, &mut memory.plain);
        match &outcome {
            Ok(_) => self.misread.note(&ObjectName::Pack(place.pack.id)),
            Err(Error::Damaged { what, .. }) => {
                let mut lost = self.lost();
                if lost.len() < MOST_LOST_BLOCKS {
                    lost.insert(place.key(), what.clone());
                }
            }
            Err(_) => {}
        }
        outcome
    }

    fn open_once<'b>(&self, place: &BlockPlace, stored: &'b mut Vec<u8>, scratch: &'b mut Vec<u8>) -> Result<&'b [u8]> {
        let sealed = self.read_run(&place.pack, place.offset, place.sealed_length, stored)?;
        self.open_sealed(place, sealed, scratch)
    }

    /// Reads a run of stored bytes of a pack with one request: neighbouring blocks, each of which lies in what is returned where its
    /// offset says. `buffer` grows to what is read, and never shrinks.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the pack ends before the run does, [`Error::Store`].
    pub fn read_run<'b>(
        &self,
        pack: &PackRow,
        offset: u32,
        length: u32,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b mut [u8]> {
        let name = ObjectName::Pack(pack.id);
        let (start, end) = (u64::from(offset), u64::from(offset) + u64::from(length));
        let stored_length = u64::from(pack.stored_length);
        if end > stored_length {
            return Err(Error::damaged(name, format!("the index places a block at {start} behind its end")));
        }
        let from = start - start % READ_STEP;
        let to = end.next_multiple_of(READ_STEP).min(stored_length);
        let [start, end, read] = [start - from, end - from, to - from]
            .map(|length| usize::try_from(length).expect("a pack is shorter than 4 GiB"));
        if buffer.len() < read {
            buffer.resize(read, 0);
        }
        let rounded = self.backend.get_range_into(&name, from, &mut buffer[..read]);
        let outcome = match rounded {
            // A bad sector beside it, or a pack that was cut just behind it, is no loss.
            Err(error) if error.kind == BackendErrorKind::Corrupt && read > end - start => {
                self.backend.get_range_into(&name, from + start as u64, &mut buffer[start..end])
            }
            outcome => outcome,
        };
        outcome.map_err(|error| Error::store("read", &name, error))?;
        Ok(&mut buffer[start..end])
    }

    /// Opens the stored bytes of a block where they lie, and decodes them: what is returned lies there, or in `scratch`.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Newer`].
    pub fn open_sealed<'b>(
        &self,
        place: &BlockPlace,
        sealed: &'b mut [u8],
        scratch: &'b mut Vec<u8>,
    ) -> Result<&'b [u8]> {
        let object = ObjectName::Pack(place.pack.id).to_string();
        let opener = self.codec.opener(&object, &place.pack.header)?;
        let opened = opener.open(Domain::Block, u64::from(place.offset), &[], sealed)?;
        let decoder = self.decoders().pop();
        let mut decoder = match decoder {
            Some(decoder) => decoder,
            None => BlockDecoder::new()?,
        };
        let outcome = decoder.decode(&object, opened, place.plain_length as usize, scratch);
        self.decoders().push(decoder);
        outcome
    }

    fn decoders(&self) -> MutexGuard<'_, Vec<BlockDecoder>> {
        self.decoders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self) -> MutexGuard<'_, HashMap<(PackId, u32), String>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, BlockCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opened blocks, the least recently used forgotten first.
#[derive(Debug, Default)]
struct BlockCache {
    blocks: HashMap<(PackId, u32), (u64, Bytes)>,
    bytes: usize,
    uses: u64,
}

impl BlockCache {
    fn get(&mut self, key: (PackId, u32)) -> Option<Bytes> {
        self.uses += 1;
        let (used, block) = self.blocks.get_mut(&key)?;
        *used = self.uses;
        Some(block.clone())
    }

    fn insert(&mut self, key: (PackId, u32), block: Bytes) {
        self.uses += 1;
        self.bytes += block.len();
        if let Some((_, replaced)) = self.blocks.insert(key, (self.uses, block)) {
            self.bytes -= replaced.len();
        }
        while self.bytes > CACHED_BYTES && self.blocks.len() > 1 {
            // At most a few hundred blocks: looking through them costs less than opening one.
            let Some(oldest) = self.blocks.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key) else {
                return;
            };
            if let Some((_, block)) = self.blocks.remove(&oldest) {
                self.bytes -= block.len();
            }
        }
    }
}
