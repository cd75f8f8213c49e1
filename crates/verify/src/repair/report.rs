//! What came of a repair.

use std::time::Duration;

use lbak_core::id::PackId;

use crate::Damage;

/// What came of [`repair_index`](super::repair_index).
#[derive(Clone, Debug, Default)]
pub struct IndexRepairReport {
    /// Something was, or in a dry run would be, written.
    pub is_changed: bool,
    /// What was wrong with the index, sorted by object.
    pub damage: Vec<Damage>,
    /// Packs that are there.
    pub packs: u64,
    /// Packs whose chunks no sound segment told of, and that their own directories have told of now.
    pub packs_indexed: u64,
    /// Chunks of those packs.
    pub chunks_indexed: u64,
    /// Packs without a readable directory, or missing, whose records were taken over from damaged segments.
    pub packs_carried: u64,
    /// Packs without a readable directory that nothing else tells of: what they hold can not be found. Sorted.
    pub packs_unknown: Vec<PackId>,
    /// Damaged segments that do not count any more; they are still there.
    pub segments_set_aside: u64,
    /// Segments that were written.
    pub segments_written: u64,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
}

impl IndexRepairReport {
    /// Tells whether every pack's chunks can be found.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.packs_unknown.is_empty()
    }
}
