//! Parity under faults of the store: whoever is stopped goes on with the next run, and nothing is said that is not so.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests, which tell their figures")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use common::{parity::*, *};
use lbak_core::{
    backend::{BackendErrorKind, MemoryBackend},
    error::Error,
    repository::Repository,
};
use lbak_testkit::{CrashingBackend, Effect, Fault, FaultyBackend, LastChange, Operation};
use lbak_verify::repair::{RepairOptions, add_parity, repair_packs};

fn flipped(bytes: &Bytes, place: usize) -> Bytes {
    let mut changed = bytes.to_vec();
    changed[place] ^= 1;
    changed.into()
}

/// Everything is as it was, for who restores.
fn assert_holds(backend: &Arc<MemoryBackend>, expected: &Contents, what: &str) {
    let mut found = contents(&reopen(Arc::clone(backend) as _));
    found.retain(|id, _| expected.contains_key(id));
    assert!(found == *expected, "{what}: something is lost");
}

/// Stopped at every change, of adding and of healing: what was there stays, and the next run ends it.
#[test]
fn whoever_is_stopped_goes_on_with_the_next_run() {
    let (backend, _, expected) = packs_of(12, 300_000);
    let sound = backend.contents();
    let mut states = 0;
    for last in [LastChange::Lost, LastChange::Done] {
        for changes in 0.. {
            let disk = filled(&sound);
            let crashing = Arc::new(CrashingBackend::new(Arc::clone(&disk), changes, last));
            let _ = add_parity(&reopen(Arc::clone(&crashing) as _), &with(12));
            only_added(&sound, &disk);
            let repository = reopen(Arc::clone(&disk) as _);
            add_parity(&repository, &with(12)).unwrap();
            assert_eq!(add_parity(&repository, &with(12)).unwrap().objects, 0);
            if !crashing.has_crashed() {
                break;
            }
            states += 1;
        }
    }
    add_parity(&reopen(Arc::clone(&backend) as _), &with(12)).unwrap();
    let packs = data_packs(&backend);
    for change in [None, Some(flipped(&packs[0].1, 9000))] {
        backend.tamper(&packs[0].0, change);
        let before = backend.contents();
        for last in [LastChange::Lost, LastChange::Done] {
            for changes in 0.. {
                let disk = filled(&before);
                let crashing = Arc::new(CrashingBackend::new(Arc::clone(&disk), changes, last));
                let _ = repair_packs(&reopen(Arc::clone(&crashing) as _), &RepairOptions::default());
                only_added(&before, &disk);
                let repository = reopen(Arc::clone(&disk) as _);
                let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
                assert!(report.is_whole(), "{report:?}");
                assert!(read_data(&repository).is_sound());
                assert_holds(&disk, &expected, &format!("{last:?} after {changes}"));
                if !crashing.has_crashed() {
                    break;
                }
                states += 1;
            }
        }
    }
    println!("parity: stopped in {states} states, 0 violations");
    assert!(states > 10, "{states}");
}

/// Each kind of operation with what may become of it.
fn faults() -> Vec<(Operation, Vec<Effect>)> {
    use BackendErrorKind::{Corrupt, Denied, Full, NotFound, Unreachable};
    let put = vec![Effect::Pretend, Effect::FailBefore(Full), Effect::FailAfter(Unreachable)];
    let get = vec![
        Effect::FailBefore(NotFound),
        Effect::FailBefore(Denied),
        Effect::FailBefore(Corrupt),
        Effect::FlipBit(100),
        Effect::CutShort(9),
    ];
    let list = vec![Effect::FailBefore(Denied), Effect::TruncateList(1)];
    vec![(Operation::Put, put), (Operation::Get, get.clone()), (Operation::GetRange, get), (Operation::List, list)]
}

/// Has a look at a store after the work on it: which operation failed, what came of the work, and how to call it.
type Check<'a, T> = &'a dyn Fn(&Arc<MemoryBackend>, Operation, Result<T, Error>, &str);

/// Does something to a store whose n-th operation fails, for each n, and has a look at it afterwards. Tells how many failed.
fn whichever_fails<T>(
    before: &BTreeMap<String, Bytes>,
    work: &dyn Fn(&Repository) -> Result<T, Error>,
    check: Check<'_, T>,
) -> u64 {
    let mut failed = 0;
    for (operation, effects) in faults() {
        for effect in effects {
            // Once, and from there on.
            for times in [1, u64::MAX] {
                for skip in 0.. {
                    let backend = filled(before);
                    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&backend), []));
                    let repository = reopen(Arc::clone(&faulty) as _);
                    faulty.add(Fault { times, ..Fault::new(operation, effect).after(skip) });
                    let outcome = work(&repository);
                    if faulty.struck() == 0 {
                        break;
                    }
                    let what =
                        format!("{operation:?} {effect:?} {times} times after {skip}: {:?}", outcome.as_ref().err());
                    only_added(before, &backend);
                    check(&backend, operation, outcome, &what);
                    failed += 1;
                }
            }
        }
    }
    failed
}

#[test]
fn whichever_operation_fails_parity_that_is_said_to_be_there_heals() {
    let (backend, _, expected) = packs_of(2, 60_000);
    let before = backend.contents();
    let failed = whichever_fails(
        &before,
        &|repository| add_parity(repository, &with(100)),
        &|backend, operation, outcome, what| {
            let repository = reopen(Arc::clone(backend) as _);
            match outcome {
                // Some of it was not to be had, and that was said.
                Ok(report) if !report.damage.is_empty() => assert!(operation != Operation::Put, "{what}"),
                // The list of segments ended early: what they name is told to be named by none.
                Ok(report) if report.packs_loose > 0 => assert!(operation == Operation::List, "{what}"),
                Ok(_) => assert_eq!(add_parity(&repository, &with(100)).unwrap().objects, 0, "{what}: it is not there"),
                Err(error) => assert!(matches!(error, Error::Store { .. } | Error::Damaged { .. }), "{what}"),
            }
            let found = read_data(&repository);
            assert!(found.is_sound(), "{what}: {:?}", found.damage);
            let again = add_parity(&repository, &with(100)).unwrap();
            assert!(again.damage.is_empty(), "{what}: {:?}", again.damage);
            // And it is worth something.
            names(backend, "packs/").iter().for_each(|name| flip(backend, name, 5000));
            assert!(repair_packs(&repository, &RepairOptions::default()).unwrap().is_whole(), "{what}");
            assert!(read_data(&repository).is_sound(), "{what}");
            assert_holds(backend, &expected, what);
        },
    );
    println!("parity: {failed} failures of the store while it was added, 0 violations");
    assert!(failed > 50, "{failed}");
}

#[test]
fn whichever_operation_fails_a_pack_that_is_said_to_be_healed_is() {
    let (backend, repository, expected) = packs_of(2, 60_000);
    add_parity(&repository, &with(100)).unwrap();
    let packs: Vec<String> =
        names(&backend, "packs/").into_iter().filter(|name| backend.contents()[name].len() > 60_000).collect();
    let mut failed = 0;
    for is_missing in [false, true] {
        let spoilt = filled(&backend.contents());
        match is_missing {
            true => spoilt.tamper(&packs[0], None),
            false => flip(&spoilt, &packs[0], 9000),
        }
        failed += whichever_fails(
            &spoilt.contents(),
            &|repository| repair_packs(repository, &RepairOptions::default()),
            &|backend, operation, outcome, what| {
                let repository = reopen(Arc::clone(backend) as _);
                if operation == Operation::Put && outcome.is_ok_and(|report| report.is_whole()) {
                    let found = read_data(&repository);
                    assert!(found.is_sound(), "{what}: {:?}", found.damage);
                }
                // What was read wrongly once may have been healed without need, or left to the next run: that one ends it.
                let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
                assert!(report.is_whole(), "{what}: {report:?}");
                let found = read_data(&repository);
                assert!(found.is_sound(), "{what}: {:?}", found.damage);
                assert_holds(backend, &expected, what);
            },
        );
    }
    println!("parity: {failed} failures of the store while packs were healed, 0 violations");
    assert!(failed > 100, "{failed}");
}
