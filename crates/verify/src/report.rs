//! What came of a verification.

use std::time::Duration;

use lbak_core::id::{PackId, SnapshotId};

/// What came of a verification.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// Objects of the repository.
    pub objects: u64,
    /// Bytes of objects that were read whole.
    pub bytes_read: u64,
    /// Snapshots whose trees were walked.
    pub snapshots: u64,
    /// Different chunks of directories that were opened: one each, more for large ones.
    pub trees: u64,
    /// Different chunks that snapshots refer to, trees and lists included.
    pub chunks: u64,
    /// Packs that are there.
    pub packs: u64,
    /// Packs that were read, opened and hashed.
    pub packs_read: u64,
    /// Packs that no segment names: left by interrupted runs, or of runs that are still going on.
    pub unreferenced_packs: u64,
    /// Their bytes.
    pub unreferenced_bytes: u64,
    /// What is damaged or missing, sorted by object, each once.
    pub damage: Vec<Damage>,
    /// What is damaged or missing and was set aside by a repair, sorted by object: nothing needs it any more, so it is no damage
    /// of the repository. Without a key nobody can tell, and it is in `damage`.
    pub set_aside: Vec<Damage>,
    /// What can not be restored because of damage.
    pub hurt: Vec<HurtSnapshot>,
    /// Parity objects that are there.
    pub parity_objects: u64,
    /// Damaged or missing packs that were made whole with parity, for a try: [`repair_packs`](crate::repair::repair_packs) heals them.
    pub healable: Vec<PackId>,
    /// How much was read when, after this run; only of a [steady](crate::Steady) one.
    pub coverage: Option<Coverage>,
    /// Worth knowing, and no damage.
    pub notes: Vec<String>,
    /// Objects that were read wrongly once and rightly the second time: no damage of the repository, but a machine to look at. Sorted.
    pub misread: Vec<String>,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
}

impl VerifyReport {
    /// Tells whether no damage was found.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }
}

/// How much of the packs that are there was read, and when.
///
/// Only what was found sound counts as read. Packs that are marked as damaged are left out: nobody relies on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The age that was asked for; without it every pack that was ever read is covered.
    pub max_age: Option<Duration>,
    /// Packs that are there.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packs that were read within that age.
    pub packs_covered: u64,
    /// Their bytes.
    pub bytes_covered: u64,
    /// Packs that were never read.
    pub packs_never: u64,
    /// When the pack was read that was unread longest, of those that ever were: seconds since 1970.
    pub oldest: Option<i64>,
}

/// A damaged or missing object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its name; `index` when the index as a whole lacks something, `head …` for a snapshot that history alone remembers, `snapshot …` for one
    /// that holds far more than it counts, `tree …` and `list …` for what was written wrongly.
    pub object: String,
    /// What is wrong with it, completing "object: …".
    pub what: String,
    /// How often more was found wrong with it.
    pub more: u64,
}

/// A snapshot of which something can not be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HurtSnapshot {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The first hundred paths in the order of their directories: files that lack content, directories that lack entries. Raw bytes.
    pub paths: Vec<Vec<u8>>,
    /// How many there are. A directory that does not open is one, whatever was in it.
    pub path_count: u64,
}
