//! Records of damaged segments about packs that nothing else tells of: their own directories are damaged, or they are not
//! there. Who loses a pack must hear of it, and a pack without its directory still has its blocks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lbak_core::{
    error::Result,
    id::{ChunkId, PackId},
    index::{ChunkRow, IdPrefix, PackRow, Record, Segment},
};

use crate::ledger::Ledger;

/// Rows of packs, in the order of their ids.
pub(super) type Rows = BTreeMap<PackId, (PackRow, Vec<ChunkRow>)>;

/// What still opens of a segment, about the packs that are wanted.
///
/// # Errors
/// When the store does not answer.
pub(super) fn rows_of(
    segment: &Arc<Segment>,
    is_wanted: &dyn Fn(&PackId) -> bool,
    ledger: &Ledger<'_>,
) -> Result<Rows> {
    let mut rows = Rows::new();
    let Some(records) = ledger.outlive(segment.records())? else { return Ok(rows) };
    let mut seen = BTreeSet::new();
    for record in records {
        let Some(Record { id, location, .. }) = ledger.outlive(record)? else { continue };
        if !is_wanted(&location.pack.id) || !seen.insert((location.pack.id, location.block_offset, location.offset)) {
            continue;
        }
        let row = ChunkRow {
            id: padded(&id),
            kind: location.kind,
            has_base: location.has_base,
            block_offset: location.block_offset,
            sealed_length: location.sealed_length,
            block_length: location.block_length,
            offset: location.offset,
            length: location.length,
        };
        rows.entry(location.pack.id).or_insert_with(|| (*location.pack, Vec::new())).1.push(row);
    }
    Ok(rows)
}

/// An id of which only the beginning is known: the index keeps no more of it.
pub(super) fn padded(prefix: &IdPrefix) -> ChunkId {
    let mut id = [0; 32];
    id[..20].copy_from_slice(&prefix.0);
    ChunkId(id)
}
