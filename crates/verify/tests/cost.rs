//! What a verification costs, what it tells while it works, and when it stops.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use common::*;
use lbak_core::{
    backend::{Backend, BackendErrorKind, MemoryBackend},
    codec::Kind,
    error::Error,
    observe::{Cancellation, Event, Observer, Progress, Stage},
    repository::Repository,
    source::MemoryNode,
};
use lbak_testkit::{Effect, Fault, FaultyBackend, Operation, RecordingBackend};
use lbak_verify::{Depth, Share, VerifyOptions, verify, verify_without_key};

type Recorded = Arc<RecordingBackend<FaultyBackend<MemoryBackend>>>;

fn recorded(snapshots: u32) -> (Recorded, Repository) {
    let backend = Arc::new(RecordingBackend::new(FaultyBackend::new(MemoryBackend::new(), [])));
    let repository = new_repository(Arc::clone(&backend) as _);
    (0..snapshots).for_each(|number| take_numbered(&repository, number));
    backend.take();
    (backend, repository)
}

fn take_numbered(repository: &Repository, number: u32) {
    let mut tree = large_tree();
    let mut file = MemoryNode::file(number.to_string());
    file.metadata.mtime.seconds = number.into();
    tree.push(("n", MemoryNode::directory([("number", file)])));
    take(repository, "h", MemoryNode::directory(tree));
}

#[test]
fn structure_reads_no_pack_of_data() {
    let (backend, repository) = recorded(2);
    let report = structure(&repository);
    assert!(report.is_sound());
    let records = backend.take();
    let mut ranges: BTreeMap<String, u64> = BTreeMap::new();
    for record in
        records.iter().filter(|record| record.name.starts_with("packs/") && record.operation != Operation::List)
    {
        assert_eq!(record.operation, Operation::GetRange);
        *ranges.entry(record.name.clone()).or_default() += record.bytes;
    }
    assert!(!ranges.is_empty(), "trees are read");
    for name in ranges.keys() {
        assert_eq!(directory(&repository, name).0, Kind::TreePack);
    }
}

#[test]
fn reading_data_reads_every_pack_once() {
    let (backend, repository) = recorded(1);
    let tree_packs: Vec<String> = names(backend.inner().inner(), "packs/")
        .into_iter()
        .filter(|name| directory(&repository, name).0 == Kind::TreePack)
        .collect();
    backend.take();
    assert!(read_data(&repository).is_sound());
    let contents = backend.inner().inner().contents();
    for (name, bytes) in contents.iter().filter(|(name, _)| name.starts_with("packs/") && !tree_packs.contains(name)) {
        assert_eq!(backend.bytes(Operation::GetRange, name), bytes.len() as u64);
    }
    backend.take();
    verify_without_key(&*backend, &VerifyOptions::default()).unwrap();
    let read = backend.bytes(Operation::GetRange, "") + backend.bytes(Operation::Get, "");
    assert_eq!(read, contents.values().map(|bytes| bytes.len() as u64).sum::<u64>());
}

#[test]
fn what_snapshots_share_is_visited_once() {
    let (backend, repository) = recorded(1);
    let one = structure(&repository);
    let ranges = backend.take().iter().filter(|record| record.name.starts_with("packs/")).count();
    (1..6).for_each(|number| take_numbered(&repository, number));
    backend.take();
    let six = structure(&repository);
    let again = backend.take().iter().filter(|record| record.name.starts_with("packs/")).count();
    // A changed file makes three trees new: its directory's, that of /r, and that of the roots.
    assert_eq!((six.snapshots, six.trees), (6, one.trees + 5 * 3));
    assert_eq!(six.chunks, one.chunks + 5 * 4);
    assert!(again <= ranges + 5 * 3, "{again} reads instead of {ranges} for one");
}

#[test]
fn a_store_that_does_not_answer_is_an_error_and_no_damage() {
    let (backend, repository) = recorded(1);
    for (operation, prefix) in [
        (Operation::List, "packs/"),
        (Operation::List, ""),
        (Operation::Get, "snapshots/"),
        (Operation::Get, "config"),
        (Operation::GetRange, "index/"),
        (Operation::GetRange, "packs/"),
    ] {
        backend.inner().heal();
        backend.inner().add(Fault::new(operation, Effect::FailBefore(BackendErrorKind::Unreachable)).on(prefix));
        let outcome = verify(&repository, &deep(Share::All));
        if backend.inner().struck() > 0 && prefix != "packs/" || operation == Operation::GetRange {
            assert!(matches!(outcome, Err(Error::Store { .. })), "{operation:?} of {prefix}");
        }
    }
    // A medium that can not give bytes back is damage: of that object alone.
    backend.inner().heal();
    let pack = names(backend.inner().inner(), "packs/").pop().unwrap();
    backend.inner().add(Fault::new(Operation::GetRange, Effect::FailBefore(BackendErrorKind::Corrupt)).on(&pack));
    assert_eq!(damaged(&read_data(&repository)), [pack.as_str()]);
    let keyless = verify_without_key(&*backend, &VerifyOptions::default()).unwrap();
    assert_eq!(damaged(&keyless), [pack.as_str()]);
}

#[derive(Default)]
struct Heard {
    stages: Mutex<Vec<Stage>>,
    progress: Mutex<Progress>,
    findings: Mutex<Vec<String>>,
    cancel_at: Option<(Stage, Cancellation)>,
}

impl Observer for Heard {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Stage(stage) => {
                self.stages.lock().unwrap().push(*stage);
                if let Some((_, cancellation)) = self.cancel_at.as_ref().filter(|(at, _)| at == stage) {
                    cancellation.cancel();
                }
            }
            Event::Progress(progress) => {
                let mut last = self.progress.lock().unwrap();
                if progress.bytes >= last.bytes {
                    *last = *progress;
                }
            }
            Event::Finding(finding) => self.findings.lock().unwrap().push(finding.to_string()),
            _ => {}
        }
    }
}

#[test]
fn it_tells_how_far_it_is_and_stops_when_asked() {
    let (backend, repository) = recorded(1);
    let heard = Arc::new(Heard::default());
    let options = VerifyOptions { observer: Arc::clone(&heard) as _, ..deep(Share::All) };
    let pack = names(backend.inner().inner(), "packs/").pop().unwrap();
    flip(backend.inner().inner(), &pack, 3);
    let report = verify(&repository, &options).unwrap();
    assert_eq!(*heard.stages.lock().unwrap(), [Stage::Structure, Stage::ReadingData]);
    let last = *heard.progress.lock().unwrap();
    assert_eq!((last.bytes, last.total_bytes), (report.bytes_read, Some(report.bytes_read)));
    assert_eq!(heard.findings.lock().unwrap().len(), 1);

    for stage in [Stage::Structure, Stage::ReadingData] {
        let cancellation = Cancellation::default();
        let heard = Heard { cancel_at: Some((stage, cancellation.clone())), ..Heard::default() };
        let depth = Depth::ReadData { share: Share::All };
        let options = VerifyOptions { depth, observer: Arc::new(heard), cancellation, ..VerifyOptions::default() };
        assert!(matches!(verify(&repository, &options), Err(Error::Cancelled)));
        if stage == Stage::ReadingData {
            assert!(matches!(verify_without_key(&*backend, &options), Err(Error::Cancelled)));
        }
    }
}

#[test]
fn a_share_that_is_none_is_refused() {
    let (_, repository) = recorded(0);
    assert!(matches!(verify(&repository, &deep(Share::Part { part: 4, of: 3 })), Err(Error::Invalid { .. })));
    assert!(structure(&repository).is_sound(), "a repository without snapshots");
    let nothing: &dyn Backend = &MemoryBackend::new();
    assert!(matches!(verify_without_key(nothing, &VerifyOptions::default()), Err(Error::NoRepository { .. })));
}
