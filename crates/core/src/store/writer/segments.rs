//! Collects rows of stored packs and puts them as segments of the index.

use std::sync::{Arc, MutexGuard, PoisonError, atomic::Ordering};

use super::{Shared, read_back::prove_segment};
use crate::{
    codec::Kind,
    error::{Error, Result},
    id::ChunkId,
    index::{ChunkRow, PackRow, Segment, SegmentBuilder},
    pack::{Directory, FinishedPack},
    store::put_object,
};

/// The rows that no segment holds yet.
#[derive(Debug, Default)]
pub(super) struct PendingSegment {
    builder: SegmentBuilder,
    ids: Vec<ChunkId>,
    bytes: u64,
}

impl Shared {
    /// Notes where the chunks of a stored pack lie.
    pub(super) fn add_rows(&self, pack: FinishedPack) -> Result<()> {
        let stored_bytes = pack.sealed.as_bytes().len();
        let stored_length = u32::try_from(stored_bytes)
            .map_err(|_| Error::TooLarge { what: "a pack".into(), limit: "4 GiB".into() })?;
        let rows = chunk_rows(&pack.directory);
        let mut pending = self.pending();
        pending.ids.extend(rows.iter().map(|row| row.id));
        pending.bytes += stored_bytes as u64;
        pending.builder.add_pack(PackRow { id: pack.id, stored_length, header: pack.header }, &rows)
    }

    /// Puts a segment when enough has come together, or when this is the end.
    pub(super) fn put_segment(&self, is_end: bool) -> Result<()> {
        let mut pending = self.pending();
        let is_due = pending.ids.len() >= self.options.segment_chunks || pending.bytes >= self.options.segment_bytes;
        if pending.ids.is_empty() || !(is_due || is_end) {
            return Ok(());
        }
        let PendingSegment { builder, ids, .. } = std::mem::take(&mut *pending);
        drop(pending);

        let (name, sealed) = builder.finish(&self.codec, Kind::Segment, self.session)?;
        if self.read_back.is_of_everything() {
            prove_segment(&self.codec, &name, &sealed, &ids)?;
        }
        put_object(&*self.backend, &name, &sealed)?;
        let size = sealed.as_bytes().len() as u64;
        self.counters.segments.fetch_add(1, Ordering::Relaxed);
        self.counters.rows.fetch_add(ids.len() as u64, Ordering::Relaxed);
        self.counters.bytes.fetch_add(size, Ordering::Relaxed);
        self.index.add(Segment::open(&self.backend, &self.codec, &name, size)?);
        self.claims.remove(&ids);
        Ok(())
    }

    fn pending(&self) -> MutexGuard<'_, PendingSegment> {
        self.segment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index's rows for all chunks of a pack.
#[must_use]
pub fn chunk_rows(directory: &Directory) -> Vec<ChunkRow> {
    let mut rows = Vec::new();
    for block in &directory.blocks {
        let mut offset = 0;
        for chunk in &block.chunks {
            rows.push(ChunkRow {
                id: chunk.id,
                kind: chunk.kind,
                has_base: chunk.base.is_some(),
                block_offset: block.offset,
                sealed_length: block.sealed_length,
                block_length: block.plain_length,
                offset,
                length: chunk.length,
            });
            offset += chunk.length;
        }
    }
    rows
}

const _: fn() = || {
    fn assert_sync<T: Sync + Send>() {}
    assert_sync::<Arc<Shared>>();
};
