//! Writes a window: what is in its place already is left alone, the rest is fetched in few large reads (`runs.rs`).
//!
//! A chunk whose block is damaged is looked for in other packs; when there is none, and the index read again knows none
//! either, it costs the files that have it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use lbak_core::{
    browse::{Chunks, in_words},
    error::Result,
    id::{ChunkId, ChunkKind, PackId},
    index::Location,
    observe::FindingKind,
    store::{BlockBuffers, ChunkReader},
    tree::{Content, Node, ReadChunk},
};
use rayon::prelude::*;

use crate::{
    begin,
    links::Link,
    node,
    runs::{self, Block, Failure, Found, Task},
    target::Target,
    window::{Cursor, Window, file, wanted},
};

/// Chunks that a worker asks the index for at once.
pub(crate) const LOCATED_AT_ONCE: usize = 1024;

/// Writes windows.
pub(crate) struct Writer<'a> {
    pub(crate) chunks: &'a Chunks,
    pub(crate) target: &'a Target,
    pub(crate) window_bytes: usize,
    pub(crate) spare: Spare,
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
        let blocks = runs::blocks(&found);
        let runs = runs::runs(&blocks, self.chunks.workers().current_num_threads());
        let failures = Mutex::new(Vec::new());
        let task = Task { workers: self.chunks.workers(), target, reader, window, failures: &failures };
        let write_run = |run: &&[Block<'_>]| self.spare.with(|buffers| task.write_run(run, buffers));
        self.chunks.map_reading(&runs, write_run)?;
        Ok(failures.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}
