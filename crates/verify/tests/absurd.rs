//! Objects of absurd size. A file with a hole of a terabyte is told by its size and mended like any other damage, and nobody reads it to its end:
//! without that these tests would take hours.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    sync::Arc,
};

use common::*;
use lbak_core::{backend::LocalBackend, error::Error, repository::Repository, source::MemoryNode};
use lbak_verify::{
    Share, Steady, VerifyOptions, VerifyReport,
    repair::{ParityOptions, RepairOptions, add_parity, repair_index, repair_packs, repair_records},
    verify, verify_without_key,
};

const TERABYTE: u64 = 1 << 40;
/// More than all of the repository.
const LITTLE: u64 = 64 << 20;

struct Stored {
    backend: Arc<LocalBackend>,
    folder: tempfile::TempDir,
}

impl Stored {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Arc::new(LocalBackend::create(folder.path().join("r")).unwrap());
        let repository = new_repository(Arc::clone(&backend) as _);
        take(&repository, "h", MemoryNode::directory(large_tree()));
        Self { backend, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("r").join(name)
    }

    fn open(&self) -> Repository {
        reopen(Arc::clone(&self.backend) as _)
    }

    /// The name of the largest object in a folder.
    fn largest(&self, folder: &str) -> String {
        let mut files = Vec::new();
        below(&self.path(folder), &mut files);
        let largest = files.into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
        largest.strip_prefix(self.path("")).unwrap().to_str().unwrap().to_owned()
    }

    /// Makes an object longer, with a hole behind it.
    fn stretch(&self, name: &str, length: u64) {
        OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(length).unwrap();
    }

    fn without_key(&self) -> VerifyReport {
        verify_without_key(&*self.backend, &VerifyOptions::default()).unwrap()
    }
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { below(&path, files) } else { files.push(path) }
    }
}

#[track_caller]
fn check_told(report: &VerifyReport, name: &str) {
    assert_eq!(damaged(report), [name]);
    assert!(report.damage[0].what.contains("bytes"), "{:?}", report.damage);
    assert!(report.bytes_read < LITTLE, "{} bytes were read", report.bytes_read);
}

#[test]
fn a_pack_of_a_terabyte_is_damaged_and_is_saved() {
    let stored = Stored::new();
    let pack = stored.largest("packs");
    stored.stretch(&pack, TERABYTE);
    check_told(&stored.without_key(), &pack);
    let repository = stored.open();
    check_told(&structure(&repository), &pack);
    check_told(&read_data(&repository), &pack);
    // It takes nothing from what a turn may read.
    let steady = Steady { max_bytes: Some(LITTLE), ..Steady::default() };
    let turn = verify(&repository, &VerifyOptions { steady: Some(steady), ..deep(Share::All) }).unwrap();
    check_told(&turn, &pack);
    assert_eq!(turn.packs_read, turn.packs);

    let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
    assert_eq!((report.damaged.len(), report.damaged[0].lost_chunks), (1, 0));
    assert!(report.damaged[0].salvaged_chunks > 0);
    assert!(read_data(&stored.open()).is_sound());
}

#[test]
fn a_pack_that_is_longer_than_the_index_tells_is_damaged_and_is_saved() {
    let stored = Stored::new();
    let pack = stored.largest("packs");
    stored.stretch(&pack, 4 * LITTLE);
    check_told(&read_data(&stored.open()), &pack);
    let report = repair_packs(&stored.open(), &RepairOptions::default()).unwrap();
    assert_eq!((report.damaged.len(), report.damaged[0].lost_chunks), (1, 0));
    assert!(read_data(&stored.open()).is_sound());
}

#[test]
fn a_segment_of_a_terabyte_is_damaged_and_made_anew() {
    let stored = Stored::new();
    let segment = stored.largest("index");
    stored.stretch(&segment, TERABYTE);
    check_told(&stored.without_key(), &segment);
    let report = read_data(&stored.open());
    assert!(damaged(&report).contains(&segment.as_str()), "{:?}", report.damage);
    assert!(report.bytes_read < LITTLE);
    assert!(repair_index(&stored.open(), &RepairOptions::default()).unwrap().is_whole());
    let report = read_data(&stored.open());
    assert!(report.is_sound() && report.bytes_read < LITTLE, "{:?}", report.damage);
}

#[test]
fn parity_of_a_terabyte_is_damaged_and_made_anew() {
    let stored = Stored::new();
    add_parity(&stored.open(), &ParityOptions::default()).unwrap();
    let parity = stored.largest("parity");
    stored.stretch(&parity, TERABYTE);
    for report in [stored.without_key(), read_data(&stored.open())] {
        check_told(&report, &parity);
    }
    add_parity(&stored.open(), &ParityOptions::default()).unwrap();
    assert!(read_data(&stored.open()).is_sound());
}

#[test]
fn records_of_a_terabyte_are_damaged_and_set_aside() {
    let stored = Stored::new();
    let session = stored.largest("sessions");
    stored.stretch(&session, TERABYTE);
    check_told(&stored.without_key(), &session);
    check_told(&structure(&stored.open()), &session);
    assert_eq!(repair_records(&stored.open(), &RepairOptions::default()).unwrap().set_aside.len(), 1);
    assert!(structure(&stored.open()).is_sound());
}

#[test]
fn a_config_of_a_terabyte_costs_nothing_but_itself() {
    let stored = Stored::new();
    stored.stretch("config", TERABYTE);
    check_told(&stored.without_key(), "config");
    let repository = stored.open();
    let told: Vec<_> = repository.damage().iter().map(Error::damaged_object).collect();
    assert_eq!(told, [Some("config")]);
    take(&repository, "h", MemoryNode::directory(large_tree()));
    check_told(&structure(&repository), "config");
    assert!(matches!(
        Repository::init(Arc::clone(&stored.backend) as _, &[slot()], &Default::default()),
        Err(Error::NotEmpty { .. })
    ));
    assert!(repository.config_damage().unwrap().is_some());
    assert!(repository.mend_config("test").unwrap());
    assert!(structure(&stored.open()).is_sound());
}
