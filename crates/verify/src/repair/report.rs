//! What came of a repair.

use std::time::Duration;

use lbak_core::{
    id::{PackId, SessionId, SnapshotId},
    snapshot::{FindingCount, SessionRecord},
};

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
    /// Packs of sessions that are under way, or were interrupted: their segments are still to come, or nobody needs them.
    pub packs_left: u64,
    /// Damaged segments that do not count any more; they are still there.
    pub segments_set_aside: u64,
    /// Segments that were written.
    pub segments_written: u64,
    /// Objects that were read wrongly once and rightly the second time: no damage of the repository, but a machine to look at. Sorted.
    pub misread: Vec<String>,
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

/// What came of [`repair_packs`](super::repair_packs).
#[derive(Clone, Debug, Default)]
pub struct PacksRepairReport {
    /// Packs that were read.
    pub packs_read: u64,
    /// Packs that are damaged or missing, sorted by id.
    pub damaged: Vec<DamagedPack>,
    /// Packs that are intact and need a newer version, which are left alone.
    pub newer: Vec<PackId>,
    /// Packs that were put, and bytes stored; in a dry run 0.
    pub packs_written: u64,
    /// Bytes of packs and segments that were stored.
    pub stored_bytes: u64,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// Objects that were read wrongly once and rightly the second time: no damage of the repository, but a machine to look at. Sorted.
    pub misread: Vec<String>,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
}

impl PacksRepairReport {
    /// Chunks that could not be read anywhere.
    #[must_use]
    pub fn lost_chunks(&self) -> u64 {
        self.damaged.iter().map(|pack| pack.lost_chunks).sum()
    }

    /// Tells whether nothing is lost, as far as can be told: every chunk of the damaged packs has a sound copy.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.newer.is_empty() && self.damaged.iter().all(|pack| pack.is_known && pack.lost_chunks == 0)
    }
}

/// A damaged or missing pack, and what became of its chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedPack {
    /// Its id.
    pub pack: PackId,
    /// What is wrong with it.
    pub what: String,
    /// The index or its own directory told what it holds, so that the counts mean something.
    pub is_known: bool,
    /// It was named in `damaged/` before.
    pub was_marked: bool,
    /// Chunks that had a sound copy in another pack.
    pub elsewhere_chunks: u64,
    /// Chunks that were read from it, or from a copy of the repository, and stored anew.
    pub salvaged_chunks: u64,
    /// Their plain bytes.
    pub salvaged_bytes: u64,
    /// Of those, chunks that came from a copy of the repository.
    pub copied_chunks: u64,
    /// Of the salvaged ones, chunks that came from what parity has made whole.
    pub healed_chunks: u64,
    /// Parity gave all of its bytes back.
    pub healed: Option<Healed>,
    /// Chunks that could not be read anywhere: the next snapshot that meets the same bytes stores them anew.
    pub lost_chunks: u64,
    /// Their plain bytes.
    pub lost_bytes: u64,
}

/// What became of the bytes of a pack that parity gave back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Healed {
    /// The pack was missing and is there again as it was, or in a dry run would be.
    PutBack,
    /// Something else stands under its name: its chunks were stored anew.
    StoredAnew,
}

/// What came of [`repair_snapshots`](super::repair_snapshots).
#[derive(Clone, Debug, Default)]
pub struct SnapshotsRepairReport {
    /// Snapshots that were looked at.
    pub checked: u64,
    /// Snapshots of which something is lost, in the order in which they were taken.
    pub hurt: Vec<MendedSnapshot>,
    /// Slots that do not open, whatever snapshots were asked for, in the order of their sessions.
    pub slots: Vec<DamagedSlot>,
    /// Objects that were read wrongly once and rightly the second time: no damage of the repository, but a machine to look at. Sorted.
    pub misread: Vec<String>,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
}

/// A snapshot of which something is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MendedSnapshot {
    /// The snapshot, which stays as it is.
    pub snapshot: SnapshotId,
    /// What stands beside it now.
    pub outcome: Mended,
    /// Files that lack some of their bytes.
    pub lost_files: u64,
    /// Directories that lack some or all of their entries.
    pub lost_directories: u64,
    /// Bytes of files that are lost, as far as their files are known.
    pub lost_bytes: u64,
    /// What is recorded, counted by kind.
    pub finding_counts: Vec<FindingCount>,
    /// Why nothing was written, where that is so.
    pub reason: Option<String>,
}

/// What stands beside a snapshot of which something is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// A new snapshot, with all that is left.
    Written(SnapshotId),
    /// In a dry run: a new snapshot would be written.
    WouldBe,
    /// An earlier repair has written just that, and it is whole.
    Already(SnapshotId),
    /// Nothing: not even the tree of its roots can be read.
    Nothing,
    /// Nothing: it shows far more than it counts, and nobody walks all of that. How much of it is lost is not known.
    TooMuch,
}

/// A slot, `snapshots/<s>`, that does not open: what is recorded of a snapshot, or that there is none, is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedSlot {
    /// Its session.
    pub session: SessionId,
    /// What is wrong with it.
    pub what: String,
    /// What its session said when it was begun; `None` when that is lost, too.
    pub announced: Option<SessionRecord>,
    /// What became of the snapshot.
    pub found: FoundAgain,
}

/// What became of a snapshot whose record is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundAgain {
    /// The list of roots that its session stored was found; these snapshots hold all that is below, or what is left of it. The slot was
    /// set aside.
    Snapshots(Vec<SnapshotId>),
    /// In a dry run: so many snapshots would be written.
    WouldBe(usize),
    /// The list of roots was found, and nothing is written of it; why. The slot was set aside.
    Unmended(String),
    /// Its session was there to read or to reclaim: it can not have held a snapshot. The slot was set aside.
    WasNone,
    /// Its session stored no list of roots: either it took no snapshot, or what it took was, to the last time stamp, what an earlier
    /// snapshot held. Which one is not known. The slot was set aside.
    Nowhere,
}

/// What came of [`repair_records`](super::repair_records).
#[derive(Clone, Debug, Default)]
pub struct RecordsRepairReport {
    /// Small objects that do not open, and that were set aside, or in a dry run would be; sorted.
    pub set_aside: Vec<Damage>,
    /// What is damaged and waits for another repair, or for somebody's decision; sorted.
    pub left: Vec<Damage>,
    /// Sessions without an outcome that were closed, as nothing tells any more what they hold fast.
    pub closed: u64,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// Objects that were read wrongly once and rightly the second time: no damage of the repository, but a machine to look at. Sorted.
    pub misread: Vec<String>,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
}
