//! Packs that no segment names: their own directories tell what is in them, so a lost index costs time, never data (rule I5).
//!
//! For readers. A writer must not refer to chunks that only this finds: nobody promises that such packs stay.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    AT_ONCE, Repository,
    named::{Loose, for_each_pack},
    view::View,
};
use crate::{
    backend::{Backend, MemoryBackend, ObjectName},
    codec::Kind,
    error::{BackendErrorKind, Error, Result},
    id::{PackId, SessionId},
    index::{ChunkRow, PackRow, Segment, SegmentBuilder},
    pack::read_directory,
    store::{chunk_rows, for_each},
};

/// Chunks of one segment in memory.
const SEGMENT_CHUNKS: usize = 131_072;

impl Repository {
    /// Adds the packs that no readable segment names, or of which a damaged one hides something, to a view's index, from their own
    /// directories; returns how many.
    ///
    /// Holds eight bytes for each pack that is there while it finds out which those are, 40 for each of those while it reads them, and about
    /// 50 for each of their chunks until the view is dropped. Directories are read several at a time. Packs that do not open are passed over.
    ///
    /// # Errors
    /// [`Error::Store`] when the store does not answer.
    pub fn index_loose_packs(&self, view: &View) -> Result<u64> {
        let loose = Loose::of(self, view)?;
        if matches!(loose, Loose::None) {
            return Ok(0);
        }
        let collecting =
            Collecting { repository: self, view, memory: Arc::new(MemoryBackend::new()), collected: Mutex::default() };
        // Listed once more: before, nobody knew which of them would have to be held.
        let mut packs = Vec::new();
        for_each_pack(&**self.backend(), &mut |pack, size| {
            if loose.contains(&pack) {
                packs.push((pack, size));
            }
        })?;
        drop(loose);
        let find = |give: &mut dyn FnMut(_) -> bool| {
            let _all = packs.into_iter().all(give);
            Ok(())
        };
        for_each(AT_ONCE, find, &|(pack, size)| collecting.collect(pack, size))?;
        collecting.finish()
    }

    /// What a pack says is in it; `None` when it does not open.
    fn told_by_pack(&self, pack: PackId, size: u64) -> Result<Option<(PackRow, Vec<ChunkRow>)>> {
        let (backend, name) = (&**self.backend(), ObjectName::Pack(pack));
        let read = || read_directory(backend, self.codec(), pack, size);
        match self.misread().read_twice(backend, &name, &mut { read }) {
            Ok((header, directory)) => {
                let stored_length = u32::try_from(size).ok();
                Ok(stored_length
                    .map(|stored_length| (PackRow { id: pack, stored_length, header }, chunk_rows(&directory))))
            }
            Err(Error::Store { source, .. })
                if !matches!(source.kind, BackendErrorKind::Corrupt | BackendErrorKind::NotFound) =>
            {
                Err(Error::Store { action: "read", object: name.to_string(), source })
            }
            Err(_) => Ok(None),
        }
    }
}

/// What the directories of loose packs have told so far.
struct Collecting<'a> {
    repository: &'a Repository,
    view: &'a View,
    /// Where the segments lie that are made of it.
    memory: Arc<dyn Backend>,
    collected: Mutex<Collected>,
}

#[derive(Default)]
struct Collected {
    builder: SegmentBuilder,
    packs: u64,
}

impl Collecting<'_> {
    fn collect(&self, pack: PackId, size: u64) -> Result<()> {
        let Some((row, chunks)) = self.repository.told_by_pack(pack, size)? else { return Ok(()) };
        let full = {
            let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
            if collected.builder.add_pack(row, &chunks).is_err() {
                return Ok(());
            }
            collected.packs += 1;
            let is_full = collected.builder.record_count() >= SEGMENT_CHUNKS;
            is_full.then(|| std::mem::take(&mut collected.builder))
        };
        full.map_or(Ok(()), |builder| self.add_segment(builder))
    }

    fn finish(self) -> Result<u64> {
        let collected = std::mem::take(&mut *self.collected.lock().unwrap_or_else(PoisonError::into_inner));
        if collected.builder.record_count() > 0 {
            self.add_segment(collected.builder)?;
        }
        Ok(collected.packs)
    }

    fn add_segment(&self, builder: SegmentBuilder) -> Result<()> {
        let codec = self.repository.codec();
        let (name, sealed) = builder.finish(codec, Kind::Segment, SessionId([0; 16]))?;
        self.memory.put(&name, &sealed).map_err(|error| Error::store("keep", &name, error))?;
        self.view.index.add(Segment::open(&self.memory, codec, &name, sealed.as_bytes().len() as u64)?);
        Ok(())
    }
}
