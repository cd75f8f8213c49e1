//! What is doubted is read again from where it lies, not from the memory of the system that holds what was read wrongly.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use common::*;
use lbak_core::{
    backend::{Backend, BackendError, Description, MemoryBackend, ObjectName, Sealed},
    source::MemoryNode,
};
use lbak_verify::repair::{RepairOptions, repair_packs};

/// Holds what was read in memory, as a system does: an object that was spoiled on its way stays so until it is forgotten.
#[derive(Debug)]
struct Caching {
    inner: Arc<MemoryBackend>,
    /// Objects that are spoiled in memory, and how often each was forgotten.
    spoiled: Mutex<BTreeSet<String>>,
    forgotten: Mutex<BTreeMap<String, u32>>,
}

impl Caching {
    fn spoil(&self, name: &ObjectName, bytes: Bytes, offset: usize) -> Bytes {
        const PLACE: usize = 300;
        let is_spoiled = self.spoiled.lock().unwrap().contains(&name.to_string());
        if !is_spoiled || !(offset..offset + bytes.len()).contains(&PLACE) {
            return bytes;
        }
        let mut bytes = bytes.to_vec();
        bytes[PLACE - offset] ^= 1;
        bytes.into()
    }
}

impl Backend for Caching {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        self.inner.put(name, object)
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.inner.get(name).map(|bytes| self.spoil(name, bytes, 0))
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        let bytes = self.inner.get_range(name, offset, length)?;
        Ok(self.spoil(name, bytes, usize::try_from(offset).unwrap()))
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        self.inner.list(prefix, found)
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.inner.remove(name)
    }

    fn forget_cached(&self, name: &ObjectName) {
        self.spoiled.lock().unwrap().remove(&name.to_string());
        *self.forgotten.lock().unwrap().entry(name.to_string()).or_default() += 1;
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}

#[test]
fn a_pack_that_is_spoiled_only_in_memory_is_sound_and_said() {
    let memory = Arc::new(MemoryBackend::new());
    take(&new_repository(Arc::clone(&memory) as _), "h", MemoryNode::directory(small_tree()));
    let caching =
        Arc::new(Caching { inner: Arc::clone(&memory), spoiled: Mutex::default(), forgotten: Mutex::default() });
    let repository = reopen(Arc::clone(&caching) as _);
    let packs = names(&memory, "packs/");
    let before = memory.contents();
    let spoil = || caching.spoiled.lock().unwrap().insert(packs[0].clone());

    spoil();
    let report = read_data(&repository);
    assert!(report.is_sound(), "{:?}", report.damage);
    let said =
        |notes: &[String]| notes.iter().any(|note| note.starts_with(&packs[0]) && note.contains("read wrongly once"));
    assert!(said(&report.notes), "{:?}", report.notes);
    assert_eq!(
        *caching.forgotten.lock().unwrap(),
        BTreeMap::from([(packs[0].clone(), 1)]),
        "nothing else was in doubt"
    );

    spoil();
    let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
    assert!(report.damaged.is_empty() && said(&report.notes), "{:?}", report.notes);
    assert_eq!(memory.contents(), before, "a sound pack is not condemned");

    // What is wrong where it lies is damage, however often it is read.
    flip(&memory, &packs[0], 200);
    let report = read_data(&repository);
    assert_eq!(damaged(&report), [packs[0].as_str()]);
    assert!(!said(&report.notes));
}
