//! `repair_index`: whatever becomes of the index, it comes back from the packs, and nothing is worse off on the way.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use common::*;
use lbak_core::{
    backend::{Backend, BackendErrorKind, MemoryBackend, ObjectName},
    error::Error,
    repository::Repository,
    source::MemoryNode,
};
use lbak_testkit::{CrashingBackend, Effect, Fault, FaultyBackend, LastChange, Operation};
use lbak_verify::repair::{IndexRepairReport, RepairOptions, repair_index};

/// Two snapshots of one host and one of another.
fn small() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    take(&repository, "h", MemoryNode::directory(small_tree()));
    let mut more = small_tree();
    more.push(("z", MemoryNode::file(lbak_testkit::objects::noise(50, 200_000))));
    take(&repository, "h", MemoryNode::directory(more));
    take(&repository, "x", with_attributes());
    (backend, repository)
}

fn repair(repository: &Repository) -> IndexRepairReport {
    repair_index(repository, &RepairOptions::default()).unwrap()
}

/// Everything that was there is there, as it was.
fn assert_only_added(before: &BTreeMap<String, Bytes>, backend: &MemoryBackend) {
    let after = backend.contents();
    for (name, bytes) in before {
        assert_eq!(after.get(name), Some(bytes), "{name}");
    }
}

#[test]
fn a_sound_index_is_left_as_it_is() {
    let (backend, repository) = small();
    let before = backend.contents();
    let report = repair(&repository);
    assert!(!report.is_changed && report.is_whole(), "{report:?}");
    assert_eq!((report.damage.len(), report.packs_indexed, report.segments_written), (0, 0, 0));
    assert_only_added(&before, &backend);
    assert_eq!(names(&backend, "fin/").len(), 0);
    assert!(read_data(&repository).is_sound());
}

#[test]
fn a_lost_index_comes_back_from_the_packs() {
    let (backend, repository) = small();
    let expected = contents(&repository);
    for name in names(&backend, "index/") {
        backend.tamper(&name, None);
    }
    assert!(!read_data(&repository).is_sound());
    let dry = repair_index(&repository, &RepairOptions { dry_run: true, ..RepairOptions::default() }).unwrap();
    assert!(dry.is_changed && names(&backend, "index/").is_empty() && names(&backend, "fin/").is_empty());
    let report = repair(&repository);
    assert!(report.is_changed && report.is_whole(), "{report:?}");
    assert_eq!((report.packs_indexed, report.packs_carried), (report.packs, 0));
    assert_eq!((dry.packs_indexed, dry.chunks_indexed), (report.packs_indexed, report.chunks_indexed));
    let verified = read_data(&repository);
    assert_eq!((verified.damage.as_slice(), verified.unreferenced_packs), (&[][..], 0));
    assert_eq!(contents(&repository), expected);
    // Nothing is left to do, and the next snapshot finds everything.
    assert!(!repair(&repository).is_changed);
    let mut more = small_tree();
    more.push(("z", MemoryNode::file(lbak_testkit::objects::noise(50, 200_000))));
    assert_eq!(take(&repository, "h", MemoryNode::directory(more)).sizes.new, 0);
    assert!(read_data(&repository).is_sound());
}

#[test]
fn every_segment_is_replaced_whatever_became_of_it() {
    let (backend, repository) = small();
    let expected = contents(&repository);
    let all = backend.contents();
    let mut cases = 0;
    for (name, bytes) in all.iter().filter(|(name, _)| name.starts_with("index/")) {
        let last = bytes.len() - 1;
        let flips = [0, 4, 5, 6, 7, 8, 16, 40, 79, 80, 150, 223, 224, 1247, 1248, last - 40, last - 1, last];
        let flips = flips.into_iter().chain((0..20).map(|part| last * part / 20)).map(|place| {
            let mut spoiled = bytes.to_vec();
            spoiled[place] ^= 1;
            Some(Bytes::from(spoiled))
        });
        let cuts = [0, 1, 79, 223, 224, last / 2, last].map(|length| Some(bytes.slice(..length)));
        for spoilt in flips.chain(cuts).chain([None]) {
            cases += 1;
            spoiled(
                &backend,
                || backend.tamper(name, spoilt.clone()),
                || {
                    let before = backend.contents();
                    let report = repair(&repository);
                    assert!(report.is_changed && report.is_whole(), "{report:?}");
                    assert_eq!(report.segments_set_aside, u64::from(spoilt.is_some()));
                    assert_only_added(&before, &backend);
                    let verified = read_data(&repository);
                    assert!(verified.is_sound(), "{:?}", verified.damage);
                    assert_eq!(verified.set_aside.len(), usize::from(spoilt.is_some()));
                    assert_eq!(contents(&repository), expected);
                },
            );
        }
    }
    println!("{cases} kinds of damage to segments repaired");
    assert!(cases > 100);
}

#[test]
fn a_pack_without_its_directory_is_carried_over_from_a_damaged_segment() {
    let (backend, repository) = small();
    let expected = contents(&repository);
    let pack = names(&backend, "packs/").into_iter().next().unwrap();
    let last = backend.contents()[&pack].len() - 1;
    flip(&backend, &pack, last - 300);
    for name in names(&backend, "index/") {
        // In the filter: every page still opens.
        let place = backend.contents()[&name].len() - 20;
        flip(&backend, &name, place);
    }
    let before = backend.contents();
    let report = repair(&repository);
    assert!(report.is_changed && report.is_whole(), "{report:?}");
    assert_eq!((report.packs_carried, report.packs_indexed), (1, report.packs - 1));
    assert_only_added(&before, &backend);
    let verified = read_data(&repository);
    assert_eq!((damaged(&verified), verified.hurt.as_slice()), (vec![pack.as_str()], &[][..]));
    assert_eq!(contents(&repository), expected);

    // Without any segment only the packs can tell, and this one does not.
    for name in names(&backend, "index/") {
        backend.tamper(&name, None);
    }
    let report = repair(&repository);
    assert_eq!(report.packs_unknown, [pack_id(&pack)]);
    assert!(!report.is_whole());
}

#[test]
fn damaged_records_of_reclaiming_no_longer_stop_writers() {
    let (backend, repository) = small();
    let expected = contents(&repository);
    // A first repair leaves a fin and merged segments.
    let lost = names(&backend, "index/").into_iter().next().unwrap();
    backend.tamper(&lost, None);
    repair(&repository);
    let fin = names(&backend, "fin/").pop().unwrap();
    flip(&backend, &fin, 100);
    let announcement = lbak_core::repository::Announcement {
        host: "h".into(),
        user: String::new(),
        paths: vec![],
        purpose: lbak_core::snapshot::Purpose::Rewrite,
        program: String::new(),
        pinned: vec![],
    };
    assert!(matches!(repository.announce(&announcement), Err(Error::Damaged { .. })));
    let report = repair(&repository);
    assert!(report.is_changed && report.is_whole(), "{report:?}");
    take(&repository, "y", MemoryNode::directory(small_tree()));
    let verified = read_data(&repository);
    assert!(verified.is_sound(), "the old fin is damaged, and nobody asks it: {:?}", verified.damage);
    assert_eq!(verified.set_aside.iter().map(|damage| damage.object.as_str()).collect::<Vec<_>>(), [fin.as_str()]);
    assert_eq!(verified.hurt, []);
    let mut found = contents(&repository);
    found.retain(|id, _| expected.contains_key(id));
    assert_eq!(found, expected);
}

#[test]
fn a_crash_at_every_change_leaves_a_repository_that_the_next_repair_mends() {
    let states = crash_everywhere(&|backend| {
        let lost = names(backend, "index/");
        backend.tamper(&lost[0], None);
        flip(backend, &lost[1], 300);
    });
    // In the filters: every page still opens, and nothing is hurt before the repair, nor at any moment of it.
    let states_unhurt = crash_everywhere(&|backend| {
        for name in names(backend, "index/") {
            let place = backend.contents()[&name].len() - 20;
            flip(backend, &name, place);
        }
    });
    println!("{states} and {states_unhurt} states after a crash");
    assert!(states >= 6 && states_unhurt >= 6, "{states} {states_unhurt}");
}

fn crash_everywhere(spoil: &dyn Fn(&MemoryBackend)) -> u64 {
    let (backend, repository) = small();
    let expected = contents(&repository);
    spoil(&backend);
    let spoilt = backend.contents();
    let hurt_before = read_data(&repository).hurt.len();
    drop(repository);
    let mut states = 0;
    'all: for last in [LastChange::Lost, LastChange::Done] {
        for changes in 0.. {
            let store = Arc::new(MemoryBackend::new());
            spoilt.iter().for_each(|(name, bytes)| store.tamper(name, Some(bytes.clone())));
            let crashing = Arc::new(CrashingBackend::new(Arc::clone(&store), changes, last));
            let outcome = repair_index(&reopen(Arc::clone(&crashing) as _), &RepairOptions::default());
            assert_only_added(&spoilt, &store);
            let repository = reopen(Arc::clone(&store) as _);
            assert!(read_data(&repository).hurt.len() <= hurt_before, "never worse");
            if !crashing.has_crashed() {
                outcome.unwrap();
                if last == LastChange::Done {
                    break 'all;
                }
                break;
            }
            states += 1;
            repair(&repository);
            assert!(read_data(&repository).is_sound());
            assert_eq!(contents(&repository), expected);
        }
    }
    states
}

#[test]
fn a_failure_of_every_operation_leaves_nothing_worse() {
    let (backend, repository) = small();
    let expected = contents(&repository);
    let lost = names(&backend, "index/");
    backend.tamper(&lost[0], None);
    flip(&backend, &lost[1], 300);
    let spoilt = backend.contents();
    let hurt_before = read_data(&repository).hurt.len();
    drop(repository);
    let effects = |operation| -> Vec<Effect> {
        use BackendErrorKind::{Denied, NotFound, Unreachable};
        match operation {
            Operation::Put => vec![Effect::FailBefore(Unreachable), Effect::FailAfter(Unreachable), Effect::Pretend],
            Operation::List => vec![Effect::FailBefore(Denied), Effect::TruncateList(0), Effect::TruncateList(1)],
            _ => vec![
                Effect::FailBefore(Unreachable),
                Effect::FailBefore(NotFound),
                Effect::FlipBit(90),
                Effect::CutShort(1),
            ],
        }
    };
    let mut faults = 0;
    for operation in [Operation::Put, Operation::List, Operation::Get, Operation::GetRange] {
        for effect in effects(operation) {
            // Once, and from there on.
            for times in [1, u64::MAX] {
                for skip in 0.. {
                    let store = Arc::new(MemoryBackend::new());
                    spoilt.iter().for_each(|(name, bytes)| store.tamper(name, Some(bytes.clone())));
                    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&store), []));
                    let repository = reopen(Arc::clone(&faulty) as _);
                    faulty.add(Fault { times, ..Fault::new(operation, effect).after(skip) });
                    let outcome = repair_index(&repository, &RepairOptions::default());
                    if faulty.struck() == 0 {
                        outcome.unwrap();
                        break;
                    }
                    faults += 1;
                    assert_only_added(&spoilt, &store);
                    let repository = reopen(Arc::clone(&store) as _);
                    let hurt = read_data(&repository).hurt;
                    assert!(hurt.len() <= hurt_before, "{operation:?} {effect:?} {times} times after {skip}: {hurt:?}");
                    // A repair that says that it was done was.
                    if operation == Operation::Put && outcome.is_ok() {
                        let verified = read_data(&repository);
                        assert!(verified.is_sound(), "{effect:?} {times} times after {skip}: {:?}", verified.damage);
                    }
                    repair(&repository);
                    let verified = read_data(&repository);
                    assert!(
                        verified.is_sound(),
                        "{operation:?} {effect:?} {times} times after {skip}: {:?}",
                        verified.damage
                    );
                    assert_eq!(contents(&repository), expected);
                }
            }
        }
    }
    println!("{faults} failures of the store");
    assert!(faults > 100, "{faults}");
}

#[test]
fn beside_a_round_of_reclaiming_nothing_is_repaired() {
    let (backend, repository) = small();
    let pack = pack_id(&names(&backend, "packs/")[0]);
    let record = lbak_core::snapshot::MarkRecord { condemned: vec![pack] };
    let name = ObjectName::Mark(0);
    let session = lbak_core::id::SessionId([9; 16]);
    let kind = lbak_core::codec::Kind::Mark;
    let sealed = repository.codec().seal_object(&name, kind, session, &record.encode().unwrap()).unwrap();
    repository.backend().put(&name, &sealed).unwrap();
    let error = repair_index(&repository, &RepairOptions::default()).unwrap_err();
    assert!(matches!(error, Error::TooLate { .. }), "{error}");
}

/// MinIO once listed nothing that began with `f`, and an index that was made anew from that list had lost all of it.
#[test]
fn what_a_list_that_ends_early_does_not_show_is_not_taken_for_gone() {
    let (backend, repository) = small();
    let expected = contents(&repository);
    // A first repair leaves a fin, and merged segments that it names.
    backend.tamper(&names(&backend, "index/")[0], None);
    repair(&repository);
    let before = backend.contents();
    for shown in 0..names(&backend, "index/").len() {
        let faulty = Arc::new(FaultyBackend::new(Arc::clone(&backend), []));
        let repository = reopen(Arc::clone(&faulty) as _);
        faulty.add(Fault::new(Operation::List, Effect::TruncateList(shown)).on("index/"));
        let outcome = repair_index(&repository, &RepairOptions::default());
        assert!(faulty.struck() > 0);
        // A segment of a session, which no fin names, may seem never to have come: what it told is then told anew.
        if let Ok(report) = outcome {
            assert_eq!(report.segments_set_aside, 0, "{shown} shown: {report:?}");
        }
        assert_only_added(&before, &backend);
        assert!(read_data(&reopen(Arc::clone(&backend) as _)).is_sound());
    }
    assert_eq!(contents(&repository), expected);
}
