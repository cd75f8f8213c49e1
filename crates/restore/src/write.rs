//! Writes a window: what is in its place already is left alone, the rest is fetched in few large reads, every block
//! opened once, every chunk hashed before it is written.
//!
//! A chunk whose block is damaged is looked for in other packs; when there is none, and the index read again knows none
//! either, it costs the files that have it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use lbak_core::{
    browse::{Chunks, in_words},
    error::{Error, Result},
    id::{ChunkId, ChunkKind, PackId},
    index::Location,
    observe::FindingKind,
    store::{BlockBuffers, BlockPlace, ChunkReader, SecondReading, is_doubtful},
    tree::{Content, Node, ReadChunk},
};
use rayon::prelude::*;

use crate::{
    begin,
    file::File,
    links::Link,
    node,
    target::Target,
    window::{Cursor, Wanted, Window},
};

/// Most bytes that are read at once.
const LONGEST_RUN: u64 = 4 << 20;
/// Shorter reads are not worth making more workers busy.
const SHORTEST_RUN: u64 = 256 << 10;
/// Bytes between two blocks that are read and thrown away: less than another request costs, even on a disk that turns.
const LARGEST_GAP: u64 = 256 << 10;
/// Chunks that a worker asks the index for at once.
pub(crate) const LOCATED_AT_ONCE: usize = 1024;

/// Writes windows.
pub(crate) struct Writer<'a> {
    pub(crate) chunks: &'a Chunks,
    pub(crate) target: &'a Target,
    pub(crate) window_bytes: usize,
    pub(crate) spare: Spare,
}

/// A wanted chunk and where it lies.
struct Found {
    location: Location,
    /// Its number in the window.
    number: u32,
}

impl Found {
    fn key(&self) -> (PackId, u32, u32) {
        (self.location.pack.id, self.location.block_offset, self.location.offset)
    }
}

/// A block and the wanted chunks in it.
struct Block<'f> {
    place: BlockPlace,
    found: &'f [Found],
}

impl Block<'_> {
    fn end(&self) -> u64 {
        u64::from(self.place.offset) + u64::from(self.place.sealed_length)
    }
}

/// A chunk that a pack did not give.
struct Failure {
    number: u32,
    pack: PackId,
    error: String,
}

/// Buffers that no worker is using just now.
#[derive(Default)]
pub(crate) struct Spare(Mutex<Vec<BlockBuffers>>);

impl Spare {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut BlockBuffers) -> T) -> T {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffers = free.unwrap_or_default();
        let done = work(&mut buffers);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        done
    }
}

impl Writer<'_> {
    /// Writes a window; when it returns an error, what was begun in it is removed.
    pub(crate) fn write(&self, mut window: Window) -> Result<()> {
        let links = std::mem::take(&mut window.links);
        self.write_files(&window).inspect_err(|_| window.abandon(self.target))?;
        drop(window);
        self.make_links(links)
    }

    /// Links names to files that are complete now; those that can not be linked are restored as files of their own.
    fn make_links(&self, links: Vec<Link>) -> Result<()> {
        let mut window = Window::new(self.window_bytes);
        let chunks = self.chunks;
        let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
        for link in links {
            self.target.cancellation.check()?;
            if let Some(unmade) = link.make(self.target)? {
                self.add_copy(unmade, &mut window, &read)?;
            }
        }
        self.write_files(&window).inspect_err(|_| window.abandon(self.target))
    }

    fn add_copy(&self, link: Link, window: &mut Window, read: &ReadChunk<'_>) -> Result<()> {
        let Link { directory, mut entry, .. } = link;
        let Node::File { content } = &mut entry.node else {
            node::make(self.target, &directory, &entry)?;
            directory.release(self.target);
            return Ok(());
        };
        let content: Content = std::mem::take(content);
        let begun = begin::file(self.target, &directory, entry, None)?;
        let Some(file) = begun else {
            directory.release(self.target);
            return Ok(());
        };
        let mut cursor = Cursor::new(file, content);
        // The file holds the directory now.
        directory.release(self.target);
        loop {
            let is_placed = cursor.fill(window, read).inspect_err(|_| cursor.file.abandon(self.target))?;
            if !window.is_full() && is_placed {
                return Ok(());
            }
            let full = std::mem::replace(window, Window::new(self.window_bytes));
            self.write_files(&full).inspect_err(|_| full.abandon(self.target))?;
            if is_placed {
                return Ok(());
            }
        }
    }

    fn write_files(&self, window: &Window) -> Result<()> {
        let target = self.target;
        target.cancellation.check()?;
        window.ended.iter().for_each(|&number| file(window, number).is_planned_now());
        let numbers = self.compare(window)?;
        self.chunks
            .workers()
            .install(|| window.ended.par_iter().try_for_each(|&number| file(window, number).release(target)))?;
        let lost = self.write_chunks(window, numbers)?;
        for (number, reason) in lost {
            let file = file(window, wanted(window, number).file);
            file.fail(FindingKind::Lost, reason);
            file.release(target)?;
        }
        target.tell_progress();
        Ok(())
    }

    /// Compares files of which something is there; returns the numbers of the chunks that are to be written.
    fn compare(&self, window: &Window) -> Result<Vec<u32>> {
        let target = self.target;
        let compare_chunk = |buffer: &mut Vec<u8>, number: u32| -> Result<Option<u32>> {
            let wanted = wanted(window, number);
            let file = file(window, wanted.file);
            let Some(base) = &file.base else { return Ok(Some(number)) };
            target.cancellation.check()?;
            let holds = base.holds(target, file, wanted.offset, wanted.length, &wanted.id, buffer);
            if !holds && !target.is_reading_back {
                return Ok(Some(number));
            }
            crate::target::add(&target.restored.done, u64::from(wanted.length));
            target.tell_progress();
            file.release(target).map(|()| None)
        };
        // Nothing is written before everything is compared: whether a copy is worth making shows only then.
        let numbers: Vec<u32> = (0..).take(window.chunks.len()).collect();
        let compared: Result<Vec<Option<u32>>> = self.chunks.workers().install(|| {
            numbers.par_iter().map_init(Vec::new, |buffer, &number| compare_chunk(buffer, number)).collect()
        });
        let numbers = compared?.into_iter().flatten().collect();
        self.chunks.workers().install(|| {
            window.holes.par_iter().try_for_each(|hole| {
                let file = file(window, hole.file);
                let is_hole =
                    file.base.as_ref().is_none_or(|base| base.has_hole(target, file, hole.offset, hole.length));
                if !is_hole && !target.dry_run {
                    file.make_hole(target, hole.offset, hole.length)?;
                }
                file.release(target)
            })
        })?;
        Ok(numbers)
    }

    /// Writes every chunk of which some copy is whole; returns the others and why.
    fn write_chunks(&self, window: &Window, mut numbers: Vec<u32>) -> Result<Vec<(u32, String)>> {
        let mut reader = self.chunks.reader();
        let mut tried: HashMap<u32, Vec<PackId>> = HashMap::new();
        let mut reasons: HashMap<u32, String> = HashMap::new();
        let mut lost: Vec<u32> = Vec::new();
        loop {
            let (found, missing) = self.locate(&reader, window, &numbers, &tried)?;
            for (number, reason) in missing {
                reasons.entry(number).or_insert(reason);
                lost.push(number);
            }
            numbers.clear();
            for failure in self.write_found(&reader, window, found)? {
                tried.entry(failure.number).or_default().push(failure.pack);
                reasons.entry(failure.number).or_insert(failure.error);
                numbers.push(failure.number);
            }
            if !numbers.is_empty() {
                continue; // other copies
            }
            if lost.is_empty() {
                break;
            }
            let Some(newer) = self.chunks.reload(&reader)? else { break };
            reader = newer;
            tried.clear();
            numbers = std::mem::take(&mut lost);
        }
        let reason = |number| reasons.remove(&number).unwrap_or_else(|| "its content is lost".to_owned());
        Ok(lost.iter().copied().zip(lost.iter().copied().map(reason)).collect())
    }

    /// Asks the index where chunks lie, in packs that were not tried.
    #[expect(clippy::type_complexity, reason = "two lists, taken apart at once")]
    fn locate(
        &self,
        reader: &ChunkReader,
        window: &Window,
        numbers: &[u32],
        tried: &HashMap<u32, Vec<PackId>>,
    ) -> Result<(Vec<Found>, Vec<(u32, String)>)> {
        let locate = |numbers: &[u32]| -> Vec<(u32, Result<Location>)> {
            let ids: Vec<ChunkId> = numbers.iter().map(|&number| wanted(window, number).id).collect();
            let is_wanted = &mut |place: usize, location: &Location| {
                let tried = numbers.get(place).and_then(|number| tried.get(number));
                !tried.is_some_and(|tried| tried.contains(&location.pack.id))
            };
            let located = reader.locate_many(ChunkKind::Data, &ids, is_wanted);
            numbers.iter().copied().zip(located).collect()
        };
        let parts: Vec<&[u32]> = numbers.chunks(LOCATED_AT_ONCE).collect();
        let located = self.chunks.map_reading(&parts, |part| Ok(locate(part)))?;
        let (mut found, mut missing) = (Vec::with_capacity(numbers.len()), Vec::new());
        for (number, location) in located.into_iter().flatten() {
            match location {
                Ok(location) => found.push(Found { location, number }),
                Err(error) if error.is_damage() => missing.push((number, in_words(&error))),
                Err(error) => return Err(error),
            }
        }
        Ok((found, missing))
    }

    fn write_found(&self, reader: &Arc<ChunkReader>, window: &Window, mut found: Vec<Found>) -> Result<Vec<Failure>> {
        let target = self.target;
        if target.dry_run {
            for found in &found {
                let wanted = wanted(window, found.number);
                crate::target::add(&target.restored.written, u64::from(wanted.length));
                crate::target::add(&target.restored.done, u64::from(wanted.length));
                file(window, wanted.file).release(target)?;
            }
            return Ok(Vec::new());
        }
        found.sort_unstable_by_key(Found::key);
        let blocks: Vec<Block<'_>> = found
            .chunk_by(|one, next| (one.key().0, one.key().1) == (next.key().0, next.key().1))
            .filter_map(|found| found.first().map(|first| Block { place: BlockPlace::of(&first.location), found }))
            .collect();
        let sealed: u64 = blocks.iter().map(|block| u64::from(block.place.sealed_length)).sum();
        let workers = self.chunks.workers().current_num_threads() as u64;
        // Sixteen reads for each worker, so that none waits long for another at the end of the window.
        let limit = (sealed / (16 * workers)).clamp(SHORTEST_RUN, LONGEST_RUN);
        let runs = runs(&blocks, limit);
        let failures = Mutex::new(Vec::new());
        let task = WindowTask { workers: self.chunks.workers(), target, reader, window, failures: &failures };
        let write_run = |run: &&[Block<'_>]| self.spare.with(|buffers| task.write_run(run, buffers));
        self.chunks.map_reading(&runs, write_run)?;
        Ok(failures.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Groups neighbours in one pack into runs of at most `limit` bytes, or one block.
fn runs<'b, 'f>(blocks: &'b [Block<'f>], limit: u64) -> Vec<&'b [Block<'f>]> {
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
struct WindowTask<'a> {
    workers: &'a rayon::ThreadPool,
    target: &'a Target,
    reader: &'a ChunkReader,
    window: &'a Window,
    failures: &'a Mutex<Vec<Failure>>,
}

impl WindowTask<'_> {
    fn write_run(&self, run: &[Block<'_>], buffers: &mut BlockBuffers) -> Result<()> {
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
        if is_doubtful(error) {
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

fn wanted(window: &Window, number: u32) -> &Wanted {
    &window.chunks[number as usize]
}

fn file(window: &Window, number: u32) -> &File {
    &window.files[number as usize]
}
