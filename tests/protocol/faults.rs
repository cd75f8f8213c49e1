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

use crate::house::{Tree, init, memory, open};

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

/// Every kind of error, before and after the operation was done; and of what changes the store, that it only says that it was done.
fn effects(operation: Operation) -> Vec<Effect> {
    use BackendErrorKind::{Corrupt, Denied, Full, NotFound, Other, Unreachable};
    let kinds = match operation {
        Operation::Put => vec![Full, Denied, Unreachable, Other],
        _ => vec![Denied, Unreachable, Other],
    };
    let mut effects: Vec<Effect> =
        kinds.into_iter().flat_map(|kind| [Effect::FailBefore(kind), Effect::FailAfter(kind)]).collect();
    match operation {
        Operation::Put => effects.push(Effect::Pretend),
        // What is missing or short where something refers to it is damage, and met as such.
        Operation::Get | Operation::GetRange => {
            effects.extend([Effect::FailBefore(NotFound), Effect::FailBefore(Corrupt)]);
        }
        _ => {}
    }
    effects
}

#[test]
fn whichever_operation_fails_nothing_is_lost_and_the_next_run_succeeds() {
    let before = Tree::new();
    for operation in [Operation::Put, Operation::Get, Operation::GetRange, Operation::List] {
        for effect in effects(operation) {
            for skip in 0.. {
                let (tree, (_, memory)) = (before.keep(), memory());
                let first = tree.snapshot(&init(&memory), LineageKind::Full).unwrap();
                tree.write("changing", 50_000 + usize::try_from(skip).unwrap());
                let repository = open(Arc::clone(&memory));

                let faulty = Arc::new(FaultyBackend::new(Arc::clone(&memory), []));
                let failing = open(Arc::clone(&faulty) as _);
                faulty.add(Fault::new(operation, effect).after(skip).once());
                let outcome = tree.snapshot(&failing, LineageKind::Incremental);
                let is_read = matches!(operation, Operation::Get | Operation::GetRange);
                let committed = repository.catalog().unwrap().snapshots.len();
                match &outcome {
                    // A lost acknowledgement may be survived; what was reported restores.
                    Ok(report) => tree.assert_restores(&repository, report),
                    Err(Error::Store { .. }) => {}
                    // The store said that what it has is not there.
                    Err(error) if error.is_damage() && is_read => {}
                    Err(error) => panic!("{operation:?} {effect:?} {skip}: {error}"),
                }
                assert!(outcome.is_err() || committed == 2, "success means that it is there");
                let third = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
                tree.assert_restores(&repository, &third);
                before.assert_restores(&repository, &first);
                if faulty.struck() == 0 {
                    break;
                }
            }
        }
    }
}

#[test]
fn stopped_after_any_change_it_continues_and_what_was_there_is_unharmed() {
    let before = Tree::new();
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
        }
    }
}
