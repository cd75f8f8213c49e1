//! Which packs are there, how long they are, and how many records of the index name each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use lbak_core::{
    backend::{Backend, Folder, ObjectName},
    error::{Error, Result},
    id::PackId,
    index::PackRow,
};

use crate::without_key::list;

/// A pack that is there.
pub(crate) struct ListedPack {
    pub(crate) id: PackId,
    pub(crate) size: u64,
    records: AtomicU32,
}

impl ListedPack {
    pub(crate) fn name(&self) -> ObjectName {
        ObjectName::Pack(self.id)
    }

    /// Records of the index that name it.
    pub(crate) fn records(&self) -> u32 {
        self.records.load(Ordering::Relaxed)
    }
}

/// All packs of the repository.
pub(crate) struct Packs {
    /// Sorted by id.
    listed: Vec<ListedPack>,
    /// Named by the index and not listed.
    missing: Mutex<BTreeSet<PackId>>,
    /// Listed with another length than the index has.
    misfits: Mutex<BTreeMap<PackId, PackRow>>,
}

impl Packs {
    pub(crate) fn new(listed: Vec<(PackId, u64)>) -> Self {
        let mut listed: Vec<ListedPack> =
            listed.into_iter().map(|(id, size)| ListedPack { id, size, records: AtomicU32::new(0) }).collect();
        listed.sort_unstable_by_key(|pack| pack.id);
        Self { listed, missing: Mutex::default(), misfits: Mutex::default() }
    }

    /// Lists the packs of a store. Nothing but their ids and sizes is held: there may be millions.
    pub(crate) fn list(backend: &dyn Backend) -> Result<Self> {
        let mut listed = Vec::new();
        list(backend, Folder::Packs.prefix(), &mut |name, size| {
            if let Some(ObjectName::Pack(pack)) = ObjectName::parse(name) {
                listed.push((pack, size));
            }
        })?;
        Ok(Self::new(listed))
    }

    pub(crate) fn listed(&self) -> &[ListedPack] {
        &self.listed
    }

    pub(crate) fn get(&self, id: &PackId) -> Option<&ListedPack> {
        let place = self.listed.binary_search_by(|pack| pack.id.cmp(id)).ok()?;
        self.listed.get(place)
    }

    /// The places in [`listed`](Self::listed) of the packs whose ids begin like this: one, but for the rarest chance.
    pub(crate) fn places_of(&self, prefix: &[u8; 16]) -> std::ops::Range<usize> {
        let begins = |pack: &ListedPack| *pack.id.0.first_chunk::<16>().expect("an id has 32 bytes");
        let first = self.listed.partition_point(|pack| begins(pack) < *prefix);
        first..self.listed.partition_point(|pack| begins(pack) <= *prefix)
    }

    /// Notes how many records of a segment name a pack.
    pub(crate) fn name(&self, row: &PackRow, records: u32) {
        match self.get(&row.id) {
            Some(listed) => {
                listed.records.fetch_add(records, Ordering::Relaxed);
                if listed.size != u64::from(row.stored_length) {
                    self.misfits.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id, *row);
                }
            }
            None => _ = self.missing.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id),
        }
    }

    /// What is wrong with the place of a pack, as a segment tells of it.
    pub(crate) fn fault(&self, row: &PackRow) -> Option<Error> {
        let name = ObjectName::Pack(row.id);
        match self.get(&row.id) {
            Some(listed) if listed.size == u64::from(row.stored_length) => None,
            Some(listed) => {
                let (size, expected) = (listed.size, row.stored_length);
                Some(Error::damaged(name, format!("it has {size} bytes instead of {expected}")))
            }
            None => Some(Error::damaged(name, "it is missing")),
        }
    }

    /// What is wrong with a pack that has more bytes than a segment tells.
    pub(crate) fn excess(&self, pack: &ListedPack) -> Option<Error> {
        let misfits = self.misfits.lock().unwrap_or_else(PoisonError::into_inner);
        self.fault(misfits.get(&pack.id).filter(|row| pack.size > u64::from(row.stored_length))?)
    }

    pub(crate) fn missing(&self) -> BTreeSet<PackId> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn misfits(&self) -> BTreeMap<PackId, PackRow> {
        self.misfits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
