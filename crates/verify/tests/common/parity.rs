//! A repository with packs that parity is made for, and what may have become of it afterwards.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use lbak_core::{
    backend::{MemoryBackend, ObjectName},
    parity::ParityObject,
    repository::Repository,
    source::MemoryNode,
};
use lbak_testkit::objects::noise;
use lbak_verify::repair::ParityOptions;

use super::{Contents, contents, new_repository, take};

/// So many packs of data of about one length, and as many of trees.
pub(crate) fn packs_of(count: u64, length: usize) -> (Arc<MemoryBackend>, Repository, Contents) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    add_packs(&repository, 0..count, length);
    let expected = contents(&repository);
    (backend, repository, expected)
}

/// Takes a snapshot for each number, of a file of this length.
pub(crate) fn add_packs(repository: &Repository, numbers: std::ops::Range<u64>, length: usize) {
    for number in numbers {
        let file = MemoryNode::file(noise(number, length));
        take(repository, &format!("h{number}"), MemoryNode::directory([("file", file)]));
    }
}

pub(crate) fn with(percent: u32) -> ParityOptions {
    ParityOptions { percent, ..ParityOptions::default() }
}

pub(crate) fn data_packs(backend: &MemoryBackend) -> Vec<(String, Bytes)> {
    let packs = backend.contents().into_iter().filter(|(name, _)| name.starts_with("packs/"));
    packs.filter(|(_, bytes)| bytes.len() > 200_000).collect()
}

pub(crate) fn the_parity(backend: &MemoryBackend) -> ParityObject {
    let (name, bytes) = backend.contents().into_iter().find(|(name, _)| name.starts_with("parity/")).unwrap();
    let Some(ObjectName::Parity(id)) = ObjectName::parse(&name) else { panic!("{name}") };
    ParityObject::read(backend, None, id, bytes.len() as u64).unwrap()
}

/// What was there is there, byte for byte.
pub(crate) fn only_added(before: &BTreeMap<String, Bytes>, backend: &MemoryBackend) {
    let after = backend.contents();
    before.iter().for_each(|(name, bytes)| assert_eq!(after.get(name), Some(bytes), "{name}"));
}

/// The store with these contents.
pub(crate) fn filled(contents: &BTreeMap<String, Bytes>) -> Arc<MemoryBackend> {
    let backend = Arc::new(MemoryBackend::new());
    contents.iter().for_each(|(name, bytes)| backend.tamper(name, Some(bytes.clone())));
    backend
}
