//! Sources that can be read only once.

use std::{path::Path, sync::Arc};

use lbak_core::{
    backend::{Backend, BackendErrorKind, Folder, ObjectName},
    capture::{SnapshotOptions, SnapshotReport, snapshot},
    codec::Kind,
    error::Error,
    id::SessionId,
    metadata::Timestamp,
    repository::Repository,
    snapshot::{Lineage, MarkRecord, SourceKind},
    source::{CommandSource, Source, StreamSource},
    store::WriterOptions,
};
use lbak_restore::{RestoreOptions, restore};
use lbak_testkit::{Effect, Fault, FaultyBackend, Operation, objects::noise};

use crate::{
    house::{init, memory, open},
    meddling::meddled,
    objects::{close, names, pack_ids, packs},
};

/// A stream of some bytes that no other has, and a command that prints them.
fn streams(folder: &Path, seed: u64) -> (Vec<u8>, [Box<dyn Source>; 2]) {
    let bytes = noise(seed, 5_000_000);
    let file = folder.join(seed.to_string());
    std::fs::write(&file, &bytes).unwrap();
    let stream = StreamSource::new("db/dump", std::io::Cursor::new(bytes.clone())).unwrap();
    let command = CommandSource::new("db/dump", [Path::new("cat"), &file]).unwrap();
    (bytes, [Box::new(stream), Box::new(command)])
}

fn restored(repository: &Repository, report: &SnapshotReport) -> Vec<u8> {
    let catalog = repository.catalog().unwrap();
    let found = catalog.snapshots.iter().find(|found| found.manifest.id == report.snapshot).unwrap();
    let out = tempfile::tempdir().unwrap();
    restore(repository, &found.manifest, out.path(), &RestoreOptions::default()).unwrap();
    std::fs::read(out.path().join("dump")).unwrap()
}

#[test]
fn a_stream_whose_session_was_closed_is_committed_without_being_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, sources) = streams(folder.path(), 1);
    for (source, is_command) in sources.iter().zip([false, true]) {
        let (_, backend) = memory();
        let codec = init(&backend).codec().clone();
        let repository = meddled(&backend, move |backend, session| close(&codec, backend, session));
        let report = snapshot(&repository, &**source, &SnapshotOptions::default()).unwrap();
        assert_eq!((report.lost_sessions, report.lineage, report.is_complete), (1, Lineage::Full, true));
        assert_eq!((report.files.read_bytes, report.sizes.logical), (0, 5_000_000));
        assert!(restored(&repository, &report) == bytes);
        let catalog = repository.catalog().unwrap();
        let recorded = matches!(&catalog.snapshots[0].manifest.source, SourceKind::Command { words, status: 0 } if words[0] == b"cat");
        assert_eq!(
            (recorded, catalog.snapshots[0].manifest.paths.as_slice()),
            (is_command, &[b"/db/dump".to_vec()][..])
        );
    }
}

#[test]
fn a_stream_of_which_a_collector_took_a_part_is_not_committed() {
    let folder = tempfile::tempdir().unwrap();
    let (_, [stream, command]) = streams(folder.path(), 2);
    for (source, is_removed) in [(stream, false), (command, true)] {
        let (_, backend) = memory();
        let owner = init(&backend);
        let codec = owner.codec().clone();
        let condemn = move |backend: &dyn Backend, session| {
            close(&codec, backend, session);
            let mark = MarkRecord { condemned: pack_ids(backend) }.encode().unwrap();
            let sealed = codec.seal_object(&ObjectName::Mark(0), Kind::Mark, SessionId([9; 16]), &mark).unwrap();
            backend.put(&ObjectName::Mark(0), &sealed).unwrap();
            let gone = if is_removed { [packs(backend), names(backend, Folder::Index)].concat() } else { Vec::new() };
            gone.iter().for_each(|name| backend.remove(name).unwrap());
        };
        let repository = meddled(&backend, condemn);
        let error = snapshot(&repository, &*source, &SnapshotOptions::default()).unwrap_err();
        assert!(matches!(&error, Error::ReadOnce { path } if path == "/db/dump"), "{error}");
        assert!(owner.catalog().unwrap().snapshots.is_empty(), "nothing is committed");
    }
}

#[test]
fn a_stream_is_always_read_and_stored_once() {
    let (_, backend) = memory();
    let repository = init(&backend);
    // The same time of last change, and the length that is said before it is read is always 0: nothing but reading tells.
    let at = Timestamp { seconds: 1_700_000_000, nanoseconds: 0 };
    let take = |bytes: &[u8]| {
        let source = StreamSource::new("dump", std::io::Cursor::new(bytes.to_vec())).unwrap();
        let source = source.modified_at(at).allow_empty(true);
        snapshot(&repository, &source, &SnapshotOptions::default()).unwrap()
    };
    let first = take(b"");
    let second = take(&noise(3, 4_000_000));
    assert_eq!(second.lineage, Lineage::Incremental { parent: first.snapshot });
    let third = take(&noise(3, 4_000_000));
    assert_eq!((third.files.read_bytes, third.files.changed, third.files.unchanged), (4_000_000, 1, 0));
    assert_eq!(third.sizes.new, 0);
    let fourth = take(b"");
    assert_eq!((fourth.files.unchanged, fourth.sizes.logical), (0, 0));
}

#[test]
fn a_full_store_ends_the_command_that_would_fill_it() {
    let (_, memory) = memory();
    drop(init(&memory));
    let full = Fault::new(Operation::Put, Effect::FailBefore(BackendErrorKind::Full)).on("packs/").after(2);
    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&memory), [full]));
    let writer = WriterOptions { data_pack_bytes: 1 << 20, uploads: 1, ..WriterOptions::default() };
    let options = SnapshotOptions { writer, ..SnapshotOptions::default() };
    // When it has sent its last byte it waits: only a signal ends it.
    let script = "head -c 60000000 /dev/urandom; sleep 1000";
    let source = CommandSource::new("noise", ["sh", "-c", script]).unwrap();
    let error = snapshot(&open(Arc::clone(&faulty) as _), &source, &options).unwrap_err();
    assert!(matches!(&error, Error::Store { action: "write", .. }), "{error}");
    assert!(open(memory).catalog().unwrap().snapshots.is_empty());
}
