//! The verb `repair`: mends what damage has left. It adds objects and removes none.
//!
//! ```text
//! repair_index      every pack's own directory → what no sound segment tells → merged segments → the next fin names those that count
//! repair_packs      every pack read → what still opens of damaged ones, or what parity heals → new packs → damaged/<pack>: writers store the rest anew
//! repair_snapshots  every snapshot walked → of those that lack something, all that is left → a new snapshot beside the old one;
//!                   every slot that does not open → the tree that its session stored → a new snapshot → aside/<n>
//! repair_records    every small object opened → those that do not open and that nothing waits for → aside/<n>
//! add_parity        packs without parity, in groups → parity/<hash>: what is damaged later can be healed
//! ```
//!
//! What is new is put first, and one create-only object makes it count: a repair that is stopped leaves everything readable that was
//! readable before. What is damaged is set aside, never deleted: a segment is listed as replaced, a pack is named in `damaged/`, and
//! from then on writers pay for it by looking up every chunk. Running a repair again begins at the beginning; what an earlier
//! one has stored under segments that count is found and not stored again.

mod asking;
mod authority;
mod carried;
mod family;
mod index;
mod listing;
mod lost;
mod mender;
mod options;
mod packs;
mod place;
mod records;
mod report;
mod salvage;
mod slots;
mod snapshots;
mod storing;
mod suspects;

pub use index::repair_index;
pub(crate) use listing::list_packs_with;
pub use options::RepairOptions;
pub use packs::repair_packs;
pub use records::repair_records;
pub use report::{
    DamagedPack, DamagedSlot, FoundAgain, Healed, IndexRepairReport, Mended, MendedSnapshot, PacksRepairReport,
    RecordsRepairReport, SnapshotsRepairReport,
};
pub use snapshots::repair_snapshots;

pub use crate::parity::{ParityGroup, ParityOptions, ParityReport, add_parity};
