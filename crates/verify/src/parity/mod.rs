//! Parity: what adds recovery sectors to groups of packs, and what heals packs with them.
//!
//! ```text
//! add_parity   packs that lack it → groups, the longest packs first → each read once, proven, coded → parity/<hash>
//! Healer       a damaged pack → its sectors that do not match their checksums → of each slice that has some, all other sectors → decoded
//!              → the whole pack, which has the hash that it is named by, or nothing
//! ```
//!
//! Memory: what a group's recovery sectors take, twice or four times (64 MiB for packs of 16 MiB and 5 %), and one pack to add; one pack and 32 MiB
//! to heal.

mod add;
mod code;
mod enough;
mod healer;
mod objects;
mod plan;

pub use add::{ParityGroup, ParityOptions, ParityReport, add_parity};
pub(crate) use healer::Healer;
pub(crate) use objects::{check_objects, read_objects};

/// Tells whether a pack of this length is covered: it is held while it is healed.
pub(crate) fn can_have_parity(stored_length: u64) -> bool {
    (1..=u64::from(lbak_core::parity::LARGEST_COVERED)).contains(&stored_length)
}
