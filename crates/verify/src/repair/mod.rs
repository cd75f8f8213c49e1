//! The verb `repair`: mends what damage has left. It adds objects and removes none.
//!
//! ```text
//! repair_index      every pack's own directory → what no sound segment tells → merged segments → the next fin names those that count
//! repair_packs      every pack read → what still opens of damaged ones → new packs → damaged/<pack>: writers store the rest anew
//! repair_snapshots  every snapshot walked → of those that lack something, all that is left → a new snapshot beside the old one
//! ```
//!
//! Nothing that existed is worse off at any step: what is new is put first, and one create-only object makes it count. What
//! is damaged is set aside, never deleted: a segment is listed as replaced, a pack is named in `damaged/`. Running a repair
//! again goes on where the last one ended.

mod authority;
mod carried;
mod index;
mod lost;
mod mender;
mod options;
mod packs;
mod report;
mod salvage;
mod snapshots;
mod storing;

pub use index::repair_index;
pub use options::RepairOptions;
pub use packs::repair_packs;
pub use report::{DamagedPack, IndexRepairReport, Mended, MendedSnapshot, PacksRepairReport, SnapshotsRepairReport};
pub use snapshots::repair_snapshots;
