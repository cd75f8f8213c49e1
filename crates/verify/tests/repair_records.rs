//! Small objects that do not open: every kind is told by verify, repaired, and told to be set aside; stopped at any change, and again.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use common::*;
use lbak_core::{
    amend::{AmendOptions, Changes, amend},
    backend::{Backend, BackendErrorKind, MemoryBackend, ObjectName},
    codec::Kind,
    error::Error,
    id::SessionId,
    metadata::Timestamp,
    repository::Repository,
    snapshot::{AsideObject, ReadingRecord, set_aside},
    source::MemoryNode,
};
use lbak_testkit::{CrashingBackend, Effect, Fault, FaultyBackend, LastChange, Operation};
use lbak_verify::repair::{FoundAgain, RepairOptions, repair_index, repair_packs, repair_records, repair_snapshots};

/// A repository with an object of every kind, a session that is still undecided, and one that has amended a snapshot.
fn small() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    let first = take(&repository, "h", MemoryNode::directory(small_tree()));
    let mut more = small_tree();
    more.push(("z", MemoryNode::file("more")));
    let forgotten = take(&repository, "h", MemoryNode::directory(more));
    put_records(&repository, first.session, forgotten.session);
    let put = |name: &ObjectName, kind, plain: Vec<u8>| {
        let sealed = repository.codec().seal_object(name, kind, SessionId([0; 16]), &plain).unwrap();
        backend.put(name, &sealed).unwrap();
    };
    let reading = ReadingRecord { by: "test".into(), at: Timestamp::default(), packs: vec![[1; 16]] };
    put(&ObjectName::Reading(0), Kind::Reading, reading.encode().unwrap());
    let object = AsideObject { name: "readings/000000000000ffff".into(), what: "a test".into() };
    set_aside(&*backend, repository.codec(), "test".into(), Timestamp::default(), vec![object]).unwrap();
    let announcement = lbak_core::repository::Announcement {
        host: "undecided".into(),
        user: "u".into(),
        paths: vec![],
        purpose: lbak_core::snapshot::Purpose::Restore,
        program: "test".into(),
        pinned: vec![first.session],
    };
    repository.announce_only(&announcement).unwrap();
    (backend, repository)
}

fn records(repository: &Repository) -> lbak_verify::repair::RecordsRepairReport {
    repair_records(repository, &RepairOptions::default()).unwrap()
}

fn slots(repository: &Repository) -> Vec<lbak_verify::repair::DamagedSlot> {
    repair_snapshots(repository, &RepairOptions::default()).unwrap().slots
}

fn stays(backend: &MemoryBackend, before: &BTreeMap<String, Bytes>, what: &str) {
    for (name, bytes) in before {
        assert_eq!(backend.contents().get(name), Some(bytes), "{what}: {name}");
    }
}

#[test]
fn every_kind_of_record_is_told_then_set_aside_then_told_as_that() {
    let (backend, repository) = small();
    let sound = contents(&repository);
    let (mut kinds, mut cases) = (BTreeMap::<String, u32>::new(), 0);
    for name in backend.contents().into_keys() {
        let kind = name.split('/').next().unwrap().to_owned();
        if !["sessions", "forgotten", "damaged", "removals", "readings", "aside", "marks", "fin"].contains(&&*kind) {
            continue;
        }
        for place in [4, 90, backend.contents()[&name].len() - 1] {
            cases += 1;
            let what = format!("{name} at {place}");
            spoiled(
                &backend,
                || flip(&backend, &name, place),
                || {
                    assert_eq!(damaged(&structure(&repository)), [&*name], "{what}");
                    let before = backend.contents();
                    let dry = RepairOptions { dry_run: true, ..RepairOptions::default() };
                    let would = repair_records(&repository, &dry).unwrap();
                    assert_eq!(backend.contents(), before, "{what}: a dry run changes nothing");
                    let report = records(&repository);
                    assert_eq!((&would.set_aside, would.closed), (&report.set_aside, report.closed), "{what}");
                    if kind == "marks" || kind == "fin" {
                        // What writers wait for is decided by a round.
                        assert_eq!((report.left.len(), report.set_aside.len()), (1, 0), "{what}");
                        repair_index(&repository, &RepairOptions::default()).unwrap();
                    } else {
                        assert_eq!((report.left.len(), report.set_aside.len()), (0, 1), "{what}");
                    }
                    let verified = read_data(&repository);
                    assert!(verified.is_sound(), "{what}: {:?}", verified.damage);
                    assert!(verified.set_aside.iter().any(|damage| damage.object == name), "{what}");
                    stays(&backend, &before, &what);
                    assert_eq!(contents(&repository), sound, "{what}");
                    assert!(records(&repository).set_aside.is_empty(), "{what}: done");
                    take(&repository, "h", MemoryNode::directory(small_tree()));
                },
            );
        }
        *kinds.entry(kind).or_default() += 1;
    }
    println!("{cases} kinds of damage of {kinds:?}");
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

#[test]
fn a_session_that_nothing_tells_of_is_closed_and_a_decided_one_is_not_touched() {
    let (backend, repository) = small();
    let slots = names(&backend, "snapshots/").len();
    for name in names(&backend, "sessions/") {
        flip(&backend, &name, 100);
    }
    let report = records(&repository);
    assert_eq!((report.closed, report.left.len()), (1, 0));
    assert_eq!(names(&backend, "snapshots/").len(), slots + 1);
    assert!(structure(&repository).is_sound());
}

#[test]
fn the_record_of_what_was_set_aside_may_be_damaged_too() {
    let (backend, repository) = small();
    let reading = names(&backend, "readings/").remove(0);
    flip(&backend, &reading, 100);
    records(&repository);
    let record = names(&backend, "aside/").pop().unwrap();
    flip(&backend, &record, 100);
    assert_eq!(damaged(&structure(&repository)), [&*record, &*reading], "nothing says it any more");
    assert_eq!(records(&repository).set_aside.len(), 2);
    assert!(structure(&repository).is_sound());
    // One that is put back is no damage any more, and what opens is believed.
    flip(&backend, &reading, 100);
    let verified = structure(&repository);
    assert!(verified.is_sound() && verified.set_aside.len() == 1);
}

#[test]
fn what_is_missing_is_never_hidden_by_what_was_set_aside() {
    let (backend, repository) = small();
    let slot = names(&backend, "snapshots/")
        .into_iter()
        .find(|name| {
            repository.catalog().unwrap().snapshots.iter().any(|snapshot| name.ends_with(&snapshot.session.to_string()))
        })
        .unwrap();
    let object = AsideObject { name: slot.clone(), what: "a test".into() };
    set_aside(&*backend, repository.codec(), "test".into(), Timestamp::default(), vec![object]).unwrap();
    assert!(structure(&repository).is_sound(), "it opens");
    backend.tamper(&slot, None);
    assert!(damaged(&structure(&repository)).contains(&&*slot), "the round says that it was live");
}

#[test]
fn what_a_lost_snapshot_held_is_found_again() {
    let (backend, repository) = small();
    let before = contents(&repository);
    let snapshot = repository.catalog().unwrap().snapshots.remove(0);
    let slot = ObjectName::Snapshot(snapshot.session).to_string();
    flip(&backend, &slot, 200);
    assert_eq!(damaged(&structure(&repository)), [&*slot]);
    assert_eq!(repository.catalog().unwrap().damaged.len(), 1);
    let spoilt = backend.contents();
    let dry = RepairOptions { dry_run: true, ..RepairOptions::default() };
    assert_eq!(repair_snapshots(&repository, &dry).unwrap().slots[0].found, FoundAgain::WouldBe(1));
    assert_eq!(backend.contents(), spoilt);

    let found = slots(&repository).remove(0);
    let FoundAgain::Snapshots(ids) = &found.found else { panic!("{found:?}") };
    assert_eq!(found.announced.unwrap().author, "@h");
    stays(&backend, &spoilt, "found");
    let verified = read_data(&repository);
    assert!(verified.is_sound(), "{:?}", verified.damage);
    assert!(
        verified
            .set_aside
            .iter()
            .any(|damage| damage.object == slot && damage.what.contains(ids[0].short().to_string().as_str()))
    );
    let catalog = repository.catalog().unwrap();
    assert!(catalog.damaged.is_empty());
    let again = catalog.snapshots.iter().find(|found| found.manifest.id == ids[0]).unwrap();
    assert_eq!((&*again.manifest.host, &again.manifest.paths), ("h", &snapshot.manifest.paths), "of the same group");
    assert_eq!(contents(&repository)[&ids[0].to_string()], before[&snapshot.manifest.id.to_string()]);
    assert!(slots(&repository).is_empty(), "done");
    // It serves the next snapshot as the one before.
    let next = take(&repository, "h", MemoryNode::directory(small_tree()));
    assert_eq!((next.lineage.compared_with(), next.sizes.new), (Some(ids[0]), 0));
}

#[test]
fn a_lost_change_of_tags_brings_back_the_version_before_it() {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    take(&repository, "h", MemoryNode::directory(small_tree()));
    let old = repository.catalog().unwrap().snapshots.remove(0);
    let changes = Changes { add_tags: vec!["kept".into()], ..Changes::default() };
    let amended = amend(&repository, &old, &AmendOptions { changes, ..AmendOptions::default() }).unwrap();
    flip(&backend, &ObjectName::Snapshot(amended.snapshot.session).to_string(), 200);
    assert!(repository.catalog().unwrap().snapshots.is_empty(), "the old version was forgotten");
    assert!(matches!(&slots(&repository)[0].found, FoundAgain::Snapshots(ids) if ids.len() == 1));
    let again = repository.catalog().unwrap().snapshots.remove(0);
    assert_eq!((again.manifest.root, again.manifest.is_complete), (old.manifest.root, true));
    assert!(read_data(&repository).is_sound());
}

#[test]
fn a_lost_record_of_nothing_is_set_aside_and_one_that_held_the_same_is_said_to_be_lost() {
    let (backend, repository) = small();
    let closed = names(&backend, "sessions/").into_iter().map(|name| name.replace("sessions", "snapshots"));
    let is_snapshot = |name: &String| {
        let catalog = repository.catalog().unwrap();
        catalog.snapshots.iter().chain(&catalog.forgotten).any(|found| name.ends_with(&found.session.to_string()))
    };
    let closed = closed.filter(|name| backend.contents().contains_key(name)).find(|name| !is_snapshot(name)).unwrap();
    flip(&backend, &closed, 150);
    assert_eq!(slots(&repository)[0].found, FoundAgain::WasNone);
    assert!(structure(&repository).is_sound());

    let same = take(&repository, "h", MemoryNode::directory(small_tree()));
    flip(&backend, &ObjectName::Snapshot(same.session).to_string(), 200);
    assert_eq!(slots(&repository)[0].found, FoundAgain::Nowhere);
    assert!(structure(&repository).is_sound(), "it is said, and set aside");
    let forgotten = ObjectName::Forgotten(same.session).to_string();
    assert!(!backend.contents().contains_key(&forgotten), "nobody may reclaim for that");
}

#[test]
fn what_is_left_of_a_lost_snapshot_whose_packs_are_damaged_too_is_written() {
    let (backend, repository) = small();
    let snapshot = repository.catalog().unwrap().snapshots.remove(0);
    flip(&backend, &ObjectName::Snapshot(snapshot.session).to_string(), 200);
    let largest = names(&backend, "packs/").into_iter().max_by_key(|name| backend.contents()[name].len()).unwrap();
    backend.tamper(&largest, None);
    repair_packs(&repository, &RepairOptions::default()).unwrap();
    let found = slots(&repository).remove(0);
    let FoundAgain::Snapshots(ids) = found.found else { panic!("{found:?}") };
    let again = repository.catalog().unwrap().snapshots.into_iter().find(|found| found.manifest.id == ids[0]).unwrap();
    assert!(!again.manifest.is_complete && !again.manifest.findings.first.is_empty());
    assert!(read_data(&repository).hurt.is_empty());
}

#[test]
fn a_record_that_was_read_wrongly_once_is_said_and_stays() {
    let (backend, _) = small();
    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&backend), []));
    let repository = reopen(Arc::clone(&faulty) as _);
    let reading = names(&backend, "readings/").remove(0);
    faulty.add(Fault::new(Operation::Get, Effect::FlipBit(100)).on(reading.as_str()).once());
    let before = backend.contents();
    let report = records(&repository);
    assert!(report.set_aside.is_empty() && report.misread == [reading] && backend.contents() == before, "{report:?}");

    let slot = names(&backend, "snapshots/").remove(0);
    faulty.add(Fault::new(Operation::Get, Effect::FlipBit(100)).on(slot.as_str()).once());
    let report = repair_snapshots(&repository, &RepairOptions::default()).unwrap();
    assert!(report.slots.is_empty() && report.misread == [slot] && backend.contents() == before, "{report:?}");
}

/// Repairs everything there is; what fails may fail with the store.
fn repair_all(repository: &Repository) -> Result<(), Error> {
    repair_snapshots(repository, &RepairOptions::default())?;
    repair_records(repository, &RepairOptions::default()).map(|_| ())
}

/// A slot, an announcement of a session that goes on, and a mark are damaged.
fn spoil_three(backend: &MemoryBackend, repository: &Repository) {
    let snapshot = repository.catalog().unwrap().snapshots.remove(0);
    flip(backend, &ObjectName::Snapshot(snapshot.session).to_string(), 200);
    for name in names(backend, "sessions/").into_iter().chain(names(backend, "damaged/")) {
        if !name.ends_with(&snapshot.session.to_string()) {
            flip(backend, &name, 100);
        }
    }
}

#[test]
fn stopped_after_any_change_a_repair_can_be_run_again() {
    let (sound, repository) = small();
    let before = contents(&repository);
    spoil_three(&sound, &repository);
    let spoilt = sound.contents();
    let mut stops = 0;
    for last in [LastChange::Lost, LastChange::Done] {
        for changes in 0.. {
            let backend = Arc::new(MemoryBackend::new());
            spoilt.iter().for_each(|(name, bytes)| backend.tamper(name, Some(bytes.clone())));
            let crashing = Arc::new(CrashingBackend::new(Arc::clone(&backend), changes, last));
            let outcome = repair_all(&reopen(Arc::clone(&crashing) as _));
            assert!(outcome.is_err() || !crashing.has_crashed());
            let what = format!("{last:?} after {changes}");
            stays(&backend, &spoilt, &what);
            let repository = reopen(Arc::clone(&backend) as _);
            repair_all(&repository).unwrap();
            let verified = read_data(&repository);
            assert!(verified.is_sound(), "{what}: {:?}", verified.damage);
            let held: Vec<_> = contents(&repository).into_values().collect();
            assert!(before.values().all(|files| held.contains(files)), "{what}");
            assert_eq!(held.len(), before.len(), "{what}: once");
            if outcome.is_ok() {
                break;
            }
            stops += 1;
        }
    }
    println!("{stops} stops");
    assert!(stops >= 10, "{stops}");
}

#[test]
fn whatever_the_store_does_a_repair_that_says_so_has_repaired() {
    use BackendErrorKind::{Denied, Full, NotFound, Unreachable};
    let (sound, repository) = small();
    let before = contents(&repository);
    spoil_three(&sound, &repository);
    let spoilt = sound.contents();
    let mut faults = 0;
    for (operation, effects) in [
        (Operation::Put, vec![Effect::Pretend, Effect::FailAfter(Unreachable), Effect::FailBefore(Full)]),
        (Operation::Get, vec![Effect::FailBefore(NotFound), Effect::FailBefore(Denied), Effect::FlipBit(100)]),
        (Operation::GetRange, vec![Effect::FailBefore(Denied), Effect::FlipBit(90)]),
        (Operation::List, vec![Effect::FailBefore(Denied)]),
    ] {
        for effect in effects {
            for skip in 0.. {
                let backend = Arc::new(MemoryBackend::new());
                spoilt.iter().for_each(|(name, bytes)| backend.tamper(name, Some(bytes.clone())));
                let faulty = Arc::new(FaultyBackend::new(Arc::clone(&backend), []));
                let repository = reopen(Arc::clone(&faulty) as _);
                faulty.add(Fault::new(operation, effect).after(skip).once());
                let outcome = repair_all(&repository);
                let what = format!("{operation:?} {effect:?} after {skip}: {outcome:?}");
                let struck = faulty.struck();
                faulty.heal();
                stays(&backend, &spoilt, &what);
                let verified = read_data(&repository);
                let is_read = matches!(operation, Operation::Get | Operation::GetRange);
                assert!(outcome.is_err() || is_read || verified.is_sound(), "{what}: {:?}", verified.damage);
                repair_all(&repository).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(read_data(&repository).is_sound(), "{what}");
                let held: Vec<_> = contents(&repository).into_values().collect();
                assert!(before.values().all(|files| held.contains(files)), "{what}");
                if struck == 0 {
                    break;
                }
                faults += 1;
            }
        }
    }
    println!("{faults} failures of the store");
    assert!(faults > 50, "{faults}");
}
