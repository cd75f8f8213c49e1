//! Fetches the chunks of a window: every block read and opened once, by all workers, every chunk hashed (rule I14).
//!
//! The block that the last chunk of a window lies in is kept for the next window, which mostly begins in it. A chunk whose
//! block is damaged is looked for in other packs, and in the index as it is by then; what is lost all the same is told in
//! its place.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use super::part::{Part, Window};
use crate::write::{LOCATED_AT_ONCE, Spare};
use bytes::Bytes;
use lbak_core::{
    browse::{Chunks, in_words},
    error::{Error, Result},
    id::{ChunkId, ChunkKind, PackId},
    index::Location,
    observe::Cancellation,
    store::{BlockBuffers, BlockPlace, ChunkReader, SecondReading},
};

/// Most bytes that are read at once.
const LONGEST_RUN: u64 = 4 << 20;

/// What is to be known of the chunks of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// The index knows where they lie.
    Known,
    /// Their bytes.
    Read,
}

/// A window whose chunks are here.
pub(super) struct Fetched {
    pub(super) parts: Window,
    /// Bytes of every chunk, or why it is lost; none where only its place was asked for.
    pub(super) chunks: HashMap<ChunkId, Result<Bytes, String>>,
}

/// Fetches one window after another.
pub(super) struct Fetcher<'a> {
    chunks: &'a Chunks,
    cancellation: &'a Cancellation,
    depth: Depth,
    /// The last block of the window before.
    kept: Option<Kept>,
    spare: Spare,
}

struct Kept {
    key: (PackId, u32),
    plain: Vec<u8>,
}

/// A wanted chunk and where it lies.
struct Found {
    id: ChunkId,
    location: Location,
}

impl Found {
    fn key(&self) -> (PackId, u32) {
        (self.location.pack.id, self.location.block_offset)
    }

    fn end(&self) -> u64 {
        u64::from(self.location.block_offset) + u64::from(self.location.sealed_length)
    }
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(chunks: &'a Chunks, cancellation: &'a Cancellation, depth: Depth) -> Self {
        Self { chunks, cancellation, depth, kept: None, spare: Spare::default() }
    }

    /// Fetches what a window needs. An error only when the store does not answer: what is lost is told in its place.
    pub(super) fn fetch(&mut self, parts: Window) -> Result<Fetched> {
        self.cancellation.check()?;
        let mut seen = HashSet::new();
        let wanted: Vec<ChunkId> = parts.iter().filter_map(chunk_of).filter(|id| seen.insert(*id)).collect();
        let reader = self.chunks.reader();
        let (found, unknown) = self.locate(&reader, &wanted)?;
        let mut chunks = match self.depth {
            Depth::Known => self.look_again(&reader, unknown)?,
            Depth::Read => self.read(&reader, found)?,
        };
        if self.depth == Depth::Read {
            for id in wanted {
                if let Entry::Vacant(missing) = chunks.entry(id) {
                    missing.insert(self.read_elsewhere(&id)?);
                }
            }
        }
        Ok(Fetched { parts, chunks })
    }

    fn locate(&self, reader: &ChunkReader, wanted: &[ChunkId]) -> Result<(Vec<Found>, Vec<ChunkId>)> {
        let locate = |ids: &[ChunkId]| -> Vec<(ChunkId, Result<Location>)> {
            ids.iter().copied().zip(reader.locate_many(ChunkKind::Data, ids, &mut |_, _| true)).collect()
        };
        let parts: Vec<&[ChunkId]> = wanted.chunks(LOCATED_AT_ONCE).collect();
        let located = self.chunks.map_reading(&parts, |part| Ok(locate(part)))?;
        let (mut found, mut unknown) = (Vec::with_capacity(wanted.len()), Vec::new());
        for (id, location) in located.into_iter().flatten() {
            match location {
                Ok(location) => found.push(Found { id, location }),
                Err(error) if error.is_damage() => unknown.push(id),
                Err(error) => return Err(error),
            }
        }
        Ok((found, unknown))
    }

    /// Looks into the index as it is now.
    fn look_again(
        &self,
        reader: &Arc<ChunkReader>,
        unknown: Vec<ChunkId>,
    ) -> Result<HashMap<ChunkId, Result<Bytes, String>>> {
        let mut lost = HashMap::new();
        if unknown.is_empty() {
            return Ok(lost);
        }
        let newer = self.chunks.reload(reader)?;
        for id in unknown {
            let located = newer.as_ref().unwrap_or(reader).locate(ChunkKind::Data, &id, &mut |_| true);
            match located {
                Ok(_) => {}
                Err(error) if error.is_damage() => {
                    lost.insert(id, Err(in_words(&error)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(lost)
    }

    /// Reads what lies where the index says; what does not is left out.
    fn read(&mut self, reader: &ChunkReader, mut found: Vec<Found>) -> Result<HashMap<ChunkId, Result<Bytes, String>>> {
        let last = found.last().map(Found::key);
        found.sort_unstable_by_key(|found| (found.key(), found.location.offset));
        let blocks: Vec<&[Found]> = found.chunk_by(|one, next| one.key() == next.key()).collect();
        let task = Task {
            workers: self.chunks.workers(),
            reader,
            cancellation: self.cancellation,
            kept: self.kept.take(),
            last,
            keep: Mutex::default(),
            read: Mutex::default(),
        };
        let (kept, missing): (Vec<&[Found]>, Vec<&[Found]>) = blocks.into_iter().partition(|block| task.has(block));
        if let (Some(block), Some(kept)) = (kept.first(), &task.kept) {
            task.take_chunks(block, &kept.plain);
        }
        let read_run = |run: &&[&[Found]]| self.spare.with(|buffers| task.read_run(run, buffers));
        self.chunks.map_reading(&runs(&missing), read_run)?;
        self.kept = task.keep.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_kept_on = |kept: &Kept| Some(kept.key) == last;
        self.kept = self.kept.take().or(task.kept.filter(is_kept_on));
        Ok(task.read.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a chunk that was not where the index says: other copies, and the index as it is now.
    fn read_elsewhere(&self, id: &ChunkId) -> Result<Result<Bytes, String>> {
        self.cancellation.check()?;
        match self.chunks.read(ChunkKind::Data, id) {
            // The cache keeps whole blocks: a piece of one would hold all of it in memory.
            Ok(chunk) => Ok(Ok(Bytes::copy_from_slice(&chunk))),
            Err(error) if error.is_damage() => Ok(Err(in_words(&error))),
            Err(error) => Err(error),
        }
    }
}

fn chunk_of(part: &Part) -> Option<ChunkId> {
    match part {
        Part::Chunk { id, .. } => Some(*id),
        _ => None,
    }
}

/// Groups blocks that follow one another in a pack.
fn runs<'b, 'f>(blocks: &'b [&'f [Found]]) -> Vec<&'b [&'f [Found]]> {
    let mut runs = Vec::new();
    let mut rest = blocks;
    while let Some(start) = rest.first().and_then(|block| block.first()) {
        let first = u64::from(start.location.block_offset);
        let mut end = start.end();
        let mut length = 1;
        for next in rest.iter().skip(1).filter_map(|block| block.first()) {
            let is_next = next.location.pack.id == start.location.pack.id
                && u64::from(next.location.block_offset) == end
                && next.end() <= first + LONGEST_RUN;
            if !is_next {
                break;
            }
            (end, length) = (next.end(), length + 1);
        }
        let (run, behind) = rest.split_at(length);
        runs.push(run);
        rest = behind;
    }
    runs
}

/// What the workers of one window share.
struct Task<'a> {
    workers: &'a rayon::ThreadPool,
    reader: &'a ChunkReader,
    cancellation: &'a Cancellation,
    kept: Option<Kept>,
    /// The block that the next window may begin in.
    last: Option<(PackId, u32)>,
    keep: Mutex<Option<Kept>>,
    read: Mutex<HashMap<ChunkId, Result<Bytes, String>>>,
}

impl Task<'_> {
    fn has(&self, block: &[Found]) -> bool {
        let key = block.first().map(Found::key);
        self.kept.as_ref().is_some_and(|kept| Some(kept.key) == key)
    }

    fn read_run(&self, run: &[&[Found]], buffers: &mut BlockBuffers) -> Result<()> {
        self.cancellation.check()?;
        let ends = (run.first().and_then(|block| block.first()), run.last().and_then(|block| block.first()));
        let (Some(first), Some(last)) = ends else { return Ok(()) };
        let start = first.location.block_offset;
        let length = u32::try_from(last.end() - u64::from(start)).unwrap_or(u32::MAX);
        let BlockBuffers { stored, plain, again } = buffers;
        let stored = match self.reader.read_run(&first.location.pack, start, length, stored) {
            Ok(stored) => stored,
            // What can not be read in one piece may be readable but for one block.
            Err(error) if error.is_damage() && run.len() > 1 => {
                return run.iter().try_for_each(|block| self.read_run(std::slice::from_ref(block), buffers));
            }
            Err(error) => {
                let place = BlockPlace::of(&first.location);
                return run.first().map_or(Ok(()), |block| self.open_second(block, &place, error, again));
            }
        };
        // Nobody waits for a second reading on a worker.
        let unopened = self.workers.install(|| self.open_blocks(run, start, stored, plain))?;
        unopened.into_iter().try_for_each(|(block, place, error)| self.open_second(block, &place, error, again))
    }

    /// Takes what is in the blocks of a run that was read; returns those that do not open.
    fn open_blocks<'f>(
        &self,
        run: &[&'f [Found]],
        start: u32,
        stored: &mut [u8],
        scratch: &mut Vec<u8>,
    ) -> Result<Vec<(&'f [Found], BlockPlace, Error)>> {
        let mut unopened = Vec::new();
        for block in run {
            self.cancellation.check()?;
            let Some(place) = block.first().map(|found| BlockPlace::of(&found.location)) else { continue };
            let from = (place.offset - start) as usize;
            let sealed = stored.get_mut(from..from + place.sealed_length as usize).unwrap_or_default();
            match self.reader.open_sealed(&place, sealed, scratch) {
                Ok(plain) => self.take_block(block, &place, plain),
                Err(error) if error.is_damage() => unopened.push((*block, place, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(unopened)
    }

    /// Reads a block once more that could not be read or opened; what is lost all the same is left out.
    fn open_second(&self, block: &[Found], place: &BlockPlace, error: Error, again: &mut SecondReading) -> Result<()> {
        if !error.is_damage() {
            return Err(error);
        }
        if error.is_doubtful() {
            match self.reader.open_again(place, again) {
                Ok(plain) => self.take_block(block, place, plain),
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take_block(&self, block: &[Found], place: &BlockPlace, plain: &[u8]) {
        self.take_chunks(block, plain);
        if self.last == Some(place.key()) {
            let kept = Kept { key: place.key(), plain: plain.to_vec() };
            *self.keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
    }

    /// Copies the chunks that are what their ids say: a window holds no more than it needs of a block.
    fn take_chunks(&self, block: &[Found], plain: &[u8]) {
        let check = |found: &Found| -> Result<Bytes> {
            let range = self.reader.check_chunk(&found.location, &found.id, plain)?;
            let chunk = plain.get(range).ok_or_else(|| Error::damaged("a block", "it is shorter than its chunks"))?;
            Ok(Bytes::copy_from_slice(chunk))
        };
        let sound: Vec<(ChunkId, Bytes)> =
            block.iter().filter_map(|found| check(found).ok().map(|chunk| (found.id, chunk))).collect();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.extend(sound.into_iter().map(|(id, chunk)| (id, Ok(chunk))));
    }
}
