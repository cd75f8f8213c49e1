//! Which places of packs can not be read: found only where something is damaged already.
//!
//! What a restore would do is done here: blocks are opened by what the index says of them, and what opens and proves
//! itself is not lost, whatever else is wrong with its pack.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use lbak_core::{
    error::Result,
    id::{ChunkKind, PackId},
    index::{IdPrefix, Location},
    store::{BlockBuffers, BlockPlace, ChunkReader},
};
use rayon::prelude::*;

use crate::ledger::Ledger;

/// Damaged packs whose records are held at once; each such round reads the whole index.
const PACKS_AT_ONCE: usize = 64;

/// Places that can not be read.
#[derive(Default)]
pub(crate) struct BadPlaces {
    blocks: BTreeSet<(PackId, u32)>,
    chunks: BTreeSet<(PackId, u32, IdPrefix)>,
}

/// A chunk in a block, as the index tells.
pub(crate) struct Wanted {
    pub(crate) id: IdPrefix,
    pub(crate) kind: ChunkKind,
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

/// Blocks by everything that opening them takes.
pub(crate) type Blocks = BTreeMap<(PackId, u32, u32, u32, [u8; 80]), (BlockPlace, Vec<Wanted>)>;

impl BadPlaces {
    /// Tries every block of these packs.
    pub(crate) fn find(reader: &ChunkReader, damaged: &BTreeSet<PackId>, ledger: &Ledger<'_>) -> Result<Self> {
        let bad = Mutex::new(Self::default());
        let damaged: Vec<PackId> = damaged.iter().copied().collect();
        for packs in damaged.chunks(PACKS_AT_ONCE) {
            let blocks = blocks_of(reader, packs, ledger)?;
            blocks.par_iter().try_for_each_init(BlockBuffers::default, |buffers, (_, (place, chunks))| {
                ledger.check_cancelled()?;
                try_block(reader, place, chunks, buffers, &bad)
            })?;
        }
        Ok(bad.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells whether a copy of a chunk can not be read.
    pub(crate) fn contains(&self, location: &Location, id: &IdPrefix) -> bool {
        let block = (location.pack.id, location.block_offset);
        self.blocks.contains(&block) || self.chunks.contains(&(block.0, block.1, *id))
    }
}

/// The blocks of these packs, which are sorted, as the index tells of them.
pub(crate) fn blocks_of(reader: &ChunkReader, packs: &[PackId], ledger: &Ledger<'_>) -> Result<Blocks> {
    let mut blocks = Blocks::new();
    for segment in reader.index().segments() {
        ledger.check_cancelled()?;
        let Some(records) = ledger.outlive(segment.records())? else { continue };
        for record in records {
            let Some(record) = ledger.outlive(record)? else { continue };
            let location = &record.location;
            if packs.binary_search(&location.pack.id).is_err() {
                continue;
            }
            let lengths = (location.sealed_length, location.block_length);
            let key = (location.pack.id, location.block_offset, lengths.0, lengths.1, location.pack.header.encode());
            let (_, chunks) = blocks.entry(key).or_insert_with(|| (BlockPlace::of(location), Vec::new()));
            let (kind, offset, length) = (location.kind, location.offset, location.length);
            chunks.push(Wanted { id: record.id, kind, offset, length });
        }
    }
    Ok(blocks)
}

fn try_block(
    reader: &ChunkReader,
    place: &BlockPlace,
    chunks: &[Wanted],
    buffers: &mut BlockBuffers,
    bad: &Mutex<BadPlaces>,
) -> Result<()> {
    let (pack, offset) = place.key();
    let bad = || bad.lock().unwrap_or_else(PoisonError::into_inner);
    let plain = match reader.open_block(place, buffers) {
        Ok(plain) => plain,
        Err(error) if error.is_damage() || matches!(error, lbak_core::error::Error::Newer { .. }) => {
            bad().blocks.insert((pack, offset));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for chunk in chunks {
        let start = chunk.offset as usize;
        let is_right = plain
            .get(start..start + chunk.length as usize)
            .is_some_and(|bytes| IdPrefix::from(&reader.codec().keys().chunk_id(chunk.kind, bytes)) == chunk.id);
        if !is_right {
            bad().chunks.insert((pack, offset, chunk.id));
        }
    }
    Ok(())
}
