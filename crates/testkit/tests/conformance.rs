//! lbak's own stores keep the contract, and the suite finds those that do not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use lbak_core::backend::{LocalBackend, MemoryBackend};
use lbak_testkit::{CrashingBackend, FaultyBackend, LastChange, RecordingBackend, conformance};

#[test]
fn memory_keeps_the_contract() {
    conformance::check(&mut || Box::new(MemoryBackend::new()));
}

#[test]
fn a_directory_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let mut stores = 0;
    conformance::check(&mut || {
        stores += 1;
        Box::new(LocalBackend::create(folder.path().join(stores.to_string())).unwrap())
    });
}

#[test]
fn wrappers_that_do_nothing_keep_the_contract() {
    conformance::check(&mut || {
        let faulty = FaultyBackend::new(MemoryBackend::new(), []);
        Box::new(RecordingBackend::new(CrashingBackend::new(faulty, u64::MAX, LastChange::Lost)))
    });
}
