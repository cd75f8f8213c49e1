//! Snapshots: what is recorded of one point in time, what it was compared with, and how one is chosen.
//!
//! A snapshot is the manifest in the slot of the session that took it. Its root tree is complete, so it restores alone;
//! its lineage is a record, never a chain.

mod aside;
mod catalog;
mod extent;
mod history;
mod kept;
mod lineage;
mod manifest;
mod protocol;
mod select;

pub use aside::{REPLACED_CONFIG, read_aside, set_aside};
pub use catalog::{Catalog, Committed, Slot, open_slot, read_slot};
pub use extent::Extent;
pub use history::{Version, replaced};
pub use kept::KeptSlots;
pub use lineage::{Base, Lineage, LineageKind, choose_base};
pub use manifest::{FindingCount, Manifest, Sizes, SourceKind, StoredFindings, Totals};
pub use protocol::{
    AsideObject, AsideRecord, ClosedRecord, DamagedRecord, FinRecord, ForgottenRecord, MarkRecord, Purpose,
    ReadingRecord, RemovalsRecord, SessionRecord,
};
pub use select::{Chosen, Pick, Selection};
