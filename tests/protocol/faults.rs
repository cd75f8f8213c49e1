//! Operations of the store that fail, and runs that stop.

use std::sync::Arc;

use lbak_core::{
    backend::BackendErrorKind,
    capture::{SnapshotOptions, snapshot},
    error::Error,
    observe::{Cancellation, Event, Observer},
    snapshot::LineageKind,
    source::LocalSource,
    store::WriterOptions,
};
use lbak_testkit::{CrashingBackend, Effect, Fault, FaultyBackend, LastChange, Operation};

use crate::{
    house::{Tree, filled, init, memory, open},
    sweep::all_faults,
};

/// Cancels as soon as something was stored.
struct Impatient(Cancellation);

impl Observer for Impatient {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Progress(progress) if progress.new_bytes > 1_000_000) {
            self.0.cancel();
        }
    }
}

#[test]
fn an_interrupted_run_commits_nothing_and_the_next_one_uses_what_it_stored() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    for number in 0..20 {
        tree.write(&format!("more-{number}"), 2_000_000 + number);
    }
    let cancellation = Cancellation::default();
    let observer = Arc::new(Impatient(cancellation.clone()));
    let options = SnapshotOptions { observer, cancellation, ..SnapshotOptions::default() };
    let source = LocalSource::new(&[tree.path()]).unwrap();
    let error = snapshot(&repository, &source, &options).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(repository.catalog().unwrap().snapshots.is_empty());

    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(second.sizes.new + 1_000_000 < second.sizes.logical, "{:?}", second.sizes);
    tree.assert_restores(&repository, &second);
}

#[test]
fn what_fitted_into_a_full_store_is_used_when_there_is_room() {
    let (tree, (_, memory)) = (Tree::new(), memory());
    drop(init(&memory));
    for number in 0..20 {
        tree.write(&format!("more-{number}"), 1_000_000 + number);
    }
    let full = Fault::new(Operation::Put, Effect::FailBefore(BackendErrorKind::Full)).on("packs/").after(5);
    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&memory), [full]));
    let writer = WriterOptions { data_pack_bytes: 1 << 20, uploads: 1, ..WriterOptions::default() };
    let options = SnapshotOptions { writer, ..SnapshotOptions::default() };
    let source = LocalSource::new(&[tree.path()]).unwrap();
    let error = snapshot(&open(Arc::clone(&faulty) as _), &source, &options).unwrap_err();
    assert!(matches!(&error, Error::Store { action: "write", .. }), "{error}");

    let second = tree.snapshot(&open(memory), LineageKind::Incremental).unwrap();
    assert!(second.sizes.new + 3_000_000 < second.sizes.logical, "{:?}", second.sizes);
}

/// Tries it with every effect at every operation, the lasting ones on every operation from there on.
#[test]
fn whichever_operation_fails_nothing_is_lost_and_the_next_run_succeeds() {
    let before = Tree::new();
    let (memory, backend) = memory();
    let first = before.snapshot(&init(&backend), LineageKind::Full).unwrap();
    let stored = memory.contents();
    let (mut faults, mut failed, mut committed) = (0, 0, 0);
    for (operation, effect, lasting) in
        all_faults(&[Operation::Put, Operation::Get, Operation::GetRange, Operation::List])
    {
        for skip in 0.. {
            let what = format!("{operation:?} {effect:?} {lasting:?} after {skip}");
            let tree = before.keep();
            tree.write("changing", 50_000 + usize::try_from(skip).unwrap());
            let (_, backend) = filled(&stored);
            let faulty = Arc::new(FaultyBackend::new(Arc::clone(&backend), []));
            let failing = open(Arc::clone(&faulty) as _);
            faulty.add(lasting.fault(operation, effect, skip));
            let outcome = tree.snapshot(&failing, LineageKind::Incremental);

            // The store is well again, and somebody else looks.
            let repository = open(backend);
            match &outcome {
                // A lost acknowledgement may be survived; what was reported restores.
                Ok(report) => tree.assert_restores(&repository, report),
                Err(error) => assert_names_an_object(error, operation, effect, &what),
            }
            let is_there = repository.catalog().unwrap().snapshots.len() == 2;
            assert!(outcome.is_err() || is_there, "{what}: success means that it is there");
            let third = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
            tree.assert_restores(&repository, &third);
            before.assert_restores(&repository, &first);
            if faulty.struck() == 0 {
                break;
            }
            faults += 1;
            failed += u64::from(outcome.is_err());
            committed += u64::from(is_there);
        }
    }
    println!(
        "failures of the store in a snapshot: {faults}; {failed} runs said that they failed, {committed} had committed; each commit that \
         was reported restored, and so did what each next run stored"
    );
    assert!(faults > 200 && failed > 100 && committed > 50, "{faults} {failed} {committed}");
}

/// A store that fails is told as that, with the object; what it gave wrongly, as damage of the object.
#[track_caller]
fn assert_names_an_object(error: &Error, operation: Operation, effect: Effect, what: &str) {
    use BackendErrorKind::{Corrupt, NotFound};
    let is_wrong = matches!(effect, Effect::FlipBit(_) | Effect::CutShort(_) | Effect::TruncateList(_));
    let says_so = matches!(effect, Effect::FailBefore(NotFound | Corrupt));
    match error {
        Error::Store { object, .. } => assert!(!object.is_empty(), "{what}: {error}"),
        _ if operation != Operation::Put && (is_wrong || says_so) => {
            assert!(
                error.is_damage() && error.damaged_object().is_some_and(|object| !object.is_empty()),
                "{what}: {error}"
            );
        }
        _ => panic!("{what}: {error}"),
    }
}

#[test]
fn stopped_after_any_change_it_continues_and_what_was_there_is_unharmed() {
    let before = Tree::new();
    let mut stops = 0;
    for last in [LastChange::Lost, LastChange::Done] {
        for changes in 0.. {
            let (tree, (_, memory)) = (before.keep(), memory());
            let first = tree.snapshot(&init(&memory), LineageKind::Full).unwrap();
            tree.write("changing", 50_000 + usize::try_from(changes).unwrap());
            let crashing = Arc::new(CrashingBackend::new(Arc::clone(&memory), changes, last));
            let outcome = tree.snapshot(&open(Arc::clone(&crashing) as _), LineageKind::Incremental);
            assert!(outcome.is_err() || !crashing.has_crashed());

            let repository = open(memory);
            let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
            tree.assert_restores(&repository, &second);
            before.assert_restores(&repository, &first);
            if outcome.is_ok() {
                assert!(changes >= 4, "session, two packs, segment, slot");
                break;
            }
            stops += 1;
        }
    }
    println!("snapshots that were stopped at a change: {stops}; each next run went on, and everything restored");
    assert!(stops >= 8, "{stops}");
}
