//! Who waits for a store behind a network: threads for that, and never a worker.

use std::{fs, sync::Arc};

use lbak_core::backend::MemoryBackend;
use lbak_restore::{DumpOptions, dump, restore};
use lbak_testkit::{Operation, RecordingBackend, objects::noise, trees::compare};

use crate::support::{folders, quick, repository, take};

#[test]
fn no_worker_asks_a_far_store_for_anything() {
    let backend = Arc::new(RecordingBackend::far(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    for number in 0..40 {
        fs::write(folders.source.join(number.to_string()), noise(number, 50_000)).expect("write");
    }
    fs::write(folders.source.join("large"), noise(40, 20_000_000)).expect("write");
    let asked_by_workers = |verb: &str, needed: &str| {
        let records = backend.take();
        let is_read = |name: &str| name.starts_with(needed);
        assert!(
            records.iter().any(|record| record.operation == Operation::GetRange && is_read(&record.name)),
            "{verb} read nothing of {needed}: it shows nothing"
        );
        let is_workers = |thread: &Option<String>| thread.as_ref().is_some_and(|name| name.starts_with("lbak-worker"));
        let asked: Vec<_> = records.iter().filter(|record| is_workers(&record.thread)).collect();
        assert!(asked.is_empty(), "{verb}: {asked:?}");
    };
    take(&repository, std::slice::from_ref(&folders.source));
    backend.take();
    // The same bytes in new files: everything is read, and the index is asked for each chunk.
    for name in fs::read_dir(&folders.source).expect("list").map(|entry| entry.expect("entry").path()) {
        fs::copy(&name, name.with_extension("new")).expect("copy");
        fs::remove_file(&name).expect("remove");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    asked_by_workers("a snapshot", "index/");
    restore(&repository, &manifest, &folders.target, &quick()).expect("restore");
    asked_by_workers("a restore", "packs/");
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
    let mut archive = Vec::new();
    dump(&repository, &manifest, &DumpOptions::default(), &mut archive).expect("dump");
    asked_by_workers("a dump", "packs/");
    assert!(archive.len() > 22_000_000, "{} bytes", archive.len());
}
