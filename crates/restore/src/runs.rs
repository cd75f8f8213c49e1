//! Runs of blocks: neighbours in a pack are read with one request, each block is opened once, every chunk hashed before it is written.
//!
//! What does not open is read once more from where it lies. What is lost all the same is left to whoever knows of other copies.

use std::sync::{Mutex, PoisonError};

use lbak_core::{
    browse::in_words,
    error::{Error, Result},
    id::{ChunkId, PackId},
    index::Location,
    store::{BlockBuffers, BlockPlace, ChunkReader, SecondReading},
};

use crate::{
    target::Target,
    window::{Window, file, wanted},
};

/// Most bytes that are read at once.
const LONGEST_RUN: u64 = 4 << 20;
/// Shorter reads are not worth making more workers busy.
const SHORTEST_RUN: u64 = 256 << 10;
/// Bytes between two blocks that are read and thrown away: less than another request costs, even on a disk that turns.
const LARGEST_GAP: u64 = 256 << 10;

/// A wanted chunk and where it lies.
pub(crate) struct Found {
    pub(crate) location: Location,
    /// Its number in the window.
    pub(crate) number: u32,
}

impl Found {
    pub(crate) fn key(&self) -> (PackId, u32, u32) {
        (self.location.pack.id, self.location.block_offset, self.location.offset)
    }
}

/// A block and the wanted chunks in it.
pub(crate) struct Block<'f> {
    place: BlockPlace,
    found: &'f [Found],
}

impl Block<'_> {
    fn end(&self) -> u64 {
        u64::from(self.place.offset) + u64::from(self.place.sealed_length)
    }
}

/// A chunk that a pack did not give.
pub(crate) struct Failure {
    pub(crate) number: u32,
    pub(crate) pack: PackId,
    pub(crate) error: String,
}

/// The blocks that these chunks lie in, which are sorted by their places.
pub(crate) fn blocks(found: &[Found]) -> Vec<Block<'_>> {
    found
        .chunk_by(|one, next| (one.key().0, one.key().1) == (next.key().0, next.key().1))
        .filter_map(|found| found.first().map(|first| Block { place: BlockPlace::of(&first.location), found }))
        .collect()
}

/// Groups neighbours in one pack into runs for so many workers: sixteen reads for each, so that none waits long for another at the end
/// of the window.
pub(crate) fn runs<'b, 'f>(blocks: &'b [Block<'f>], workers: usize) -> Vec<&'b [Block<'f>]> {
    let sealed: u64 = blocks.iter().map(|block| u64::from(block.place.sealed_length)).sum();
    let limit = (sealed / (16 * workers as u64)).clamp(SHORTEST_RUN, LONGEST_RUN);
    let mut runs = Vec::new();
    let mut start = 0;
    for (place, pair) in blocks.windows(2).enumerate() {
        let [one, next] = pair else { continue };
        let is_near = one.place.pack.id == next.place.pack.id
            && u64::from(next.place.offset) <= one.end() + LARGEST_GAP
            && blocks.get(start).is_some_and(|first| next.end() <= u64::from(first.place.offset) + limit);
        if !is_near {
            runs.extend(blocks.get(start..=place));
            start = place + 1;
        }
    }
    runs.extend(blocks.get(start..).filter(|run| !run.is_empty()));
    runs
}

/// What the workers of one window share.
pub(crate) struct Task<'a> {
    pub(crate) workers: &'a rayon::ThreadPool,
    pub(crate) target: &'a Target,
    pub(crate) reader: &'a ChunkReader,
    pub(crate) window: &'a Window,
    pub(crate) failures: &'a Mutex<Vec<Failure>>,
}

impl Task<'_> {
    pub(crate) fn write_run(&self, run: &[Block<'_>], buffers: &mut BlockBuffers) -> Result<()> {
        self.target.cancellation.check()?;
        let BlockBuffers { stored, plain, again } = buffers;
        match self.read_run(run, stored) {
            Ok((start, stored)) => {
                let unopened = self.workers.install(|| self.write_blocks(run, start, stored, plain))?;
                unopened.iter().try_for_each(|(block, error)| self.write_second(block, error, again))?;
            }
            // What can not be read in one piece may be readable but for one block.
            Err(error) if error.is_damage() && run.len() > 1 => {
                run.iter().try_for_each(|block| self.write_run(std::slice::from_ref(block), buffers))?;
            }
            Err(error) if error.is_damage() => {
                for block in run {
                    self.write_second(block, &error, again)?;
                }
            }
            Err(error) => return Err(error),
        }
        self.target.tell_progress();
        Ok(())
    }

    /// Reads a run of blocks; returns where in the pack its bytes begin.
    fn read_run<'b>(&self, run: &[Block<'_>], buffer: &'b mut Vec<u8>) -> Result<(u32, &'b mut [u8])> {
        let first = run.first().expect("runs are not empty");
        let end = run.iter().map(Block::end).max().unwrap_or_default();
        let (pack, start) = (&first.place.pack, first.place.offset);
        let length = u32::try_from(end - u64::from(start))
            .map_err(|_| Error::damaged("the index", "a block lies behind the end of its pack"))?;
        self.reader.read_run(pack, start, length, buffer).map(|stored| (start, stored))
    }

    /// Writes what is in the blocks of a run that was read; returns those that do not open.
    fn write_blocks<'b>(
        &self,
        run: &'b [Block<'b>],
        start: u32,
        stored: &mut [u8],
        scratch: &mut Vec<u8>,
    ) -> Result<Vec<(&'b Block<'b>, Error)>> {
        let mut unopened = Vec::new();
        for block in run {
            self.target.cancellation.check()?;
            let from = (block.place.offset - start) as usize;
            let sealed = stored.get_mut(from..from + block.place.sealed_length as usize).unwrap_or_default();
            match self.reader.open_sealed(&block.place, sealed, scratch) {
                Ok(plain) => self.write_plain(block, plain)?,
                Err(error) if error.is_damage() => unopened.push((block, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(unopened)
    }

    /// Reads a block once more that could not be read or opened, and writes what is in it.
    fn write_second(&self, block: &Block<'_>, error: &Error, again: &mut SecondReading) -> Result<()> {
        if error.is_doubtful() {
            match self.reader.open_again(&block.place, again) {
                Ok(plain) => return self.write_plain(block, plain),
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error),
            }
        }
        block.found.iter().for_each(|found| self.fail(found, error));
        Ok(())
    }

    fn write_plain(&self, block: &Block<'_>, plain: &[u8]) -> Result<()> {
        // Equal files have the same chunks, which lie beside one another here: each is hashed once.
        let mut checked: Option<(u32, u32, ChunkId)> = None;
        for found in block.found {
            let wanted = wanted(self.window, found.number);
            let (offset, length) = (found.location.offset, found.location.length);
            let is_checked = checked == Some((offset, length, wanted.id));
            let range = if is_checked {
                Ok(offset as usize..offset as usize + length as usize)
            } else {
                self.reader.check_chunk(&found.location, &wanted.id, plain)
            };
            let chunk = range.and_then(|range| {
                let chunk = plain.get(range).filter(|chunk| chunk.len() == wanted.length as usize);
                chunk.ok_or_else(|| {
                    Error::damaged(
                        "a list of pieces",
                        format!("it says another length than chunk {} has", wanted.id.short()),
                    )
                })
            });
            match chunk {
                Ok(chunk) => {
                    checked = Some((offset, length, wanted.id));
                    let file = file(self.window, wanted.file);
                    file.write(self.target, wanted.offset, chunk)?;
                    file.release(self.target)?;
                }
                Err(error) => self.fail(found, &error),
            }
        }
        Ok(())
    }

    fn fail(&self, found: &Found, error: &Error) {
        let failure = Failure { number: found.number, pack: found.location.pack.id, error: in_words(error) };
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }
}
