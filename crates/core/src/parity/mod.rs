//! Parity objects: recovery sectors for a group of packs, so that damage within the packs, or one of them that is gone, is healed.
//!
//! ```text
//! header 80 · list of packs · tag 16 · recovery sectors · checksums of all sectors · signature · its length u16
//!
//! packs, cut into sectors of 4 KiB and runs of 16:   A0 A1 A2 A3  B0 B1 B2  C0 C1 C2 C3 C4     each pack begins with a run of its own
//! three slices, dealt out in turn:                   A0 A3 B2 C2 │ A1 B0 C0 C3 │ A2 B1 C1 C4   each has recovery sectors of its own
//! ```
//!
//! Each slice is one Reed–Solomon code: as many of its sectors may be lost as it has recovery sectors. Runs are dealt out, so that a long
//! gap, or a whole pack, takes the same from every slice. The checksums tell which sectors are lost.
//!
//! Nothing in it is encrypted: all of it follows from stored bytes, so that whoever has no key can use it. The tag tells who has one that the list
//! is a writer's own. What is healed is believed only when it has the hash that the pack is named by; here nothing is coded or healed.

mod list;
mod object;
#[cfg(test)]
mod tests;

pub use list::{CoveredPack, ParityList, Run, SectorPlace};
pub use object::{ParityBuilder, ParityObject};

/// What is lost and healed as one: what disks lose at once, and what the length of every pack is a multiple of.
pub const SECTOR: usize = 4096;
/// Sectors of a run: they stay together, so that healing reads packs in steps of 64 KiB.
pub const RUN: usize = 16;
/// Bytes of a sector's checksum: enough against chance, and the pack's own hash is the proof.
pub const CHECKSUM: usize = 8;

/// Longest pack that is covered: it is held while it is healed.
pub const LARGEST_COVERED: u32 = 64 << 20;
/// Most packs of one object.
pub const MOST_PACKS: usize = 4096;
/// Most sectors of packs in one slice, and most recovery sectors: decoding holds twice as many.
pub const MOST_IN_SLICE: usize = 4096;
/// Most sectors of packs in one object, which are 4 GiB: their checksums are held.
pub const MOST_SECTORS: usize = 1 << 20;
/// Most recovery sectors in one object, which are 128 MiB: it is put from memory.
pub const MOST_RECOVERY: usize = 32 << 10;
/// More bytes than any object has: recovery sectors, checksums, and a list of less than one MiB.
pub const LARGEST_PARITY: u64 = (MOST_RECOVERY * SECTOR + (MOST_SECTORS + MOST_RECOVERY) * CHECKSUM + (1 << 20)) as u64;

/// The checksum of a sector, one that is cut short by the end of its pack filled with zeros.
#[must_use]
pub fn checksum(sector: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(sector);
    hasher.update(ZEROS.get(sector.len()..).unwrap_or_default());
    *hasher.finalize().as_bytes().first_chunk().expect("a hash has 32 bytes")
}

static ZEROS: [u8; SECTOR] = [0; SECTOR];
