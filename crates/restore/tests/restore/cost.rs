//! What a restore asks of the store.

use std::{collections::BTreeMap, fs, sync::Arc};

use lbak_core::backend::{MemoryBackend, ObjectName};
use lbak_restore::{RestoreOptions, restore};
use lbak_testkit::{Operation, RecordingBackend, objects::noise};

use crate::support::{blocks_of_files, folders, quick, repository, take};

#[test]
fn every_block_is_read_once_in_few_large_reads() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    for number in 0..400 {
        // Names that do not sort as they are stored, and every tenth file twice.
        let seed = if number % 10 == 0 { 0 } else { number };
        fs::write(folders.source.join(format!("{}-{number}", number * 7919 % 400)), noise(seed, 100_000))
            .expect("write");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let blocks: BTreeMap<_, _> = blocks_of_files(&repository, &manifest)
        .into_iter()
        .flat_map(|(_, blocks)| blocks)
        .map(|block| (block.key(), block))
        .collect();
    backend.take();
    restore(&repository, &manifest, &folders.target, &quick()).expect("restore");
    let data_packs: Vec<String> = blocks.keys().map(|(pack, _)| ObjectName::Pack(*pack).to_string()).collect();
    let records = backend.records();
    let reads: Vec<_> = records
        .iter()
        .filter(|record| record.operation == Operation::GetRange && data_packs.contains(&record.name))
        .collect();
    for block in blocks.values() {
        let name = ObjectName::Pack(block.pack.id).to_string();
        let start = u64::from(block.offset);
        let times = reads
            .iter()
            .filter(|read| read.name == name && read.offset <= start)
            .filter(|read| start + u64::from(block.sealed_length) <= read.offset + read.bytes)
            .count();
        assert_eq!(times, 1, "{name} {start}");
    }
    assert!(reads.len() <= blocks.len(), "{} reads, {} blocks", reads.len(), blocks.len());
    assert!(reads.iter().all(|read| read.bytes <= (4 << 20) + (128 << 10)));
    assert!(records.iter().all(|record| !record.operation.is_change()), "nothing is written to the repository");
}

#[test]
fn a_part_reads_only_its_own_blocks() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    for number in 0..20 {
        fs::write(folders.source.join(number.to_string()), noise(number, 3_000_000)).expect("write");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    backend.take();
    let options = RestoreOptions { path: Some(b"7".to_vec()), ..quick() };
    restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert_eq!(fs::read(folders.target.join("7")).expect("read"), noise(7, 3_000_000));
    assert!(backend.bytes(Operation::GetRange, "packs/") < 8_000_000);
    assert_eq!(backend.count(Operation::Get, "packs/"), 0);
}
