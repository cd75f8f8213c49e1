//! Slots that a client keeps as they are stored, so that ten thousand snapshots are one file to read and not ten thousand.
//!
//! A slot is written once (rule I1), and what is kept of it is opened under its own name like what the store gives: its seal proves it,
//! and what does not open is read from the store (rule I5). Only a listing of the store tells which slots there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use bytes::Bytes;

use crate::{cache::CacheFolder, id::SessionId};

/// What the file is called.
const SLOTS: &str = "slots";
/// So many slots that are not kept are worth writing the file anew.
const LEAST_NEW: usize = 64;
/// Larger slots are not kept: few snapshots have so many findings.
const LARGEST_SLOT: usize = 64 << 10;
/// Most bytes that are kept.
const MOST_BYTES: usize = 64 << 20;
/// Session and length before the stored bytes of each slot.
const HEAD: usize = 16 + 4;

/// The slots that a client keeps of one repository.
#[derive(Clone, Debug)]
pub struct KeptSlots {
    folder: CacheFolder,
}

/// What the file holds, and what comes to it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    slots: BTreeMap<SessionId, Bytes>,
    /// Slots that were read from the store.
    new: usize,
}

impl KeptSlots {
    /// Slots in a file of the folder of a repository.
    #[must_use]
    pub fn new(folder: CacheFolder) -> Self {
        Self { folder }
    }

    pub(super) fn read(&self) -> Kept {
        Kept { slots: read(&self.folder.file(SLOTS)), new: 0 }
    }

    /// Writes the file anew when that is worth it, with those of the `listed` slots, or of all where only some were listed.
    pub(super) fn write(&self, mut kept: Kept, listed: Option<&BTreeSet<SessionId>>) {
        if kept.new < LEAST_NEW {
            return;
        }
        if let Some(listed) = listed {
            kept.slots.retain(|session, _| listed.contains(session));
        }
        let mut bytes = Vec::new();
        for (session, stored) in &kept.slots {
            if bytes.len() + HEAD + stored.len() > MOST_BYTES {
                break;
            }
            let Ok(length) = u32::try_from(stored.len()) else { continue };
            bytes.extend_from_slice(&session.0);
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(stored);
        }
        // Without the file everything is as true, only slower.
        let _ = self.folder.replace(SLOTS, &bytes);
    }
}

impl Kept {
    /// The stored bytes of a slot that was listed with this size.
    pub(super) fn get(&self, session: SessionId, size: u64) -> Option<&Bytes> {
        self.slots.get(&session).filter(|stored| stored.len() as u64 == size)
    }

    /// Keeps what the store gave.
    pub(super) fn keep(&mut self, session: SessionId, stored: Bytes) {
        if stored.len() <= LARGEST_SLOT {
            self.slots.insert(session, stored);
            self.new += 1;
        }
    }
}

/// What can be read of the file: it may end anywhere.
fn read(path: &Path) -> BTreeMap<SessionId, Bytes> {
    let is_sane = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= MOST_BYTES as u64);
    let mut rest = Bytes::from(if is_sane { fs::read(path).unwrap_or_default() } else { Vec::new() });
    let mut slots = BTreeMap::new();
    while let Some((head, _)) = rest.split_first_chunk::<HEAD>() {
        let [session @ .., a, b, c, d] = *head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some(end) = length.checked_add(HEAD).filter(|&end| end <= rest.len()) else { break };
        slots.insert(SessionId(session), rest.slice(HEAD..end));
        rest = rest.slice(end..);
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_again_and_a_file_may_end_anywhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = KeptSlots::new(CacheFolder::new(folder.path()));
        let mut kept = file.read();
        for number in 0..100 {
            kept.keep(SessionId([number; 16]), Bytes::from(vec![number; 10 + usize::from(number)]));
        }
        let listed = (0..90).map(|number| SessionId([number; 16])).collect();
        file.write(kept, Some(&listed));
        let kept = file.read();
        assert_eq!(kept.slots.len(), 90);
        assert_eq!(kept.get(SessionId([7; 16]), 17).map(|stored| &stored[..]), Some(&[7; 17][..]));
        assert_eq!(kept.get(SessionId([7; 16]), 18), None, "another size is another object");

        let bytes = fs::read(file.folder.file(SLOTS)).expect("the file");
        for length in 0..bytes.len() {
            fs::write(file.folder.file(SLOTS), &bytes[..length]).expect("it is ours");
            let read = file.read().slots;
            assert!(read.iter().all(|(session, stored)| kept.slots.get(session) == Some(stored)), "cut at {length}");
        }
        // What is told then is opened under its own name like what a store gives; nothing is set aside for it that is not there.
        for bit in (0..bytes.len() * 8).step_by(7) {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            fs::write(file.folder.file(SLOTS), &changed).expect("it is ours");
            let held: usize = file.read().slots.values().map(|stored| HEAD + stored.len()).sum();
            assert!(held <= bytes.len(), "bit {bit}");
        }
    }

    #[test]
    fn few_new_slots_and_large_ones_are_not_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = KeptSlots::new(CacheFolder::new(folder.path()));
        let mut kept = file.read();
        (0..63).for_each(|number| kept.keep(SessionId([number; 16]), Bytes::from_static(b"slot")));
        kept.keep(SessionId([99; 16]), Bytes::from(vec![0; LARGEST_SLOT + 1]));
        file.write(kept, None);
        assert!(!folder.path().join("slots").exists());
    }
}
