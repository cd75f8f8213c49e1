//! `repair_packs`: what still opens of a damaged pack is saved, and the next snapshot of the same data stores the rest.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use common::*;
use lbak_core::{
    backend::{BackendErrorKind, MemoryBackend},
    codec::Kind,
    error::Error,
    repository::Repository,
    source::MemoryNode,
};
use lbak_testkit::{CrashingBackend, Effect, Fault, FaultyBackend, LastChange, Operation};
use lbak_verify::repair::{PacksRepairReport, RepairOptions, repair_packs};

/// Two snapshots of one host and one of another.
fn small() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    take_all(&repository);
    (backend, repository)
}

fn take_all(repository: &Repository) {
    take(repository, "h", MemoryNode::directory(small_tree()));
    let mut more = small_tree();
    more.push(("z", MemoryNode::file(lbak_testkit::objects::noise(50, 200_000))));
    take(repository, "h", MemoryNode::directory(more));
    take(repository, "x", with_attributes());
}

fn repair(repository: &Repository) -> PacksRepairReport {
    repair_packs(repository, &RepairOptions::default()).unwrap()
}

fn assert_only_added(before: &BTreeMap<String, Bytes>, backend: &MemoryBackend) {
    let after = backend.contents();
    for (name, bytes) in before {
        assert_eq!(after.get(name), Some(bytes), "{name}");
    }
}

/// What the repository held is there again, and verify is content.
fn assert_healed(repository: &Repository, expected: &Contents, case: &str) {
    let verified = read_data(repository);
    assert!(verified.is_sound(), "{case}: {:?} {:?}", verified.damage, verified.hurt);
    let mut found = contents(repository);
    found.retain(|id, _| expected.contains_key(id));
    assert!(found == *expected, "{case}: something is lost");
}

#[test]
fn a_sound_repository_is_left_as_it_is() {
    let (backend, repository) = small();
    let before = backend.contents();
    let report = repair(&repository);
    assert!(report.is_whole() && report.damaged.is_empty(), "{report:?}");
    assert_eq!(report.packs_read, names(&backend, "packs/").len() as u64);
    assert_eq!(backend.contents(), before);
}

#[test]
fn whatever_becomes_of_a_pack_the_rest_is_saved_and_the_next_snapshots_heal_it() {
    let (backend, repository) = small();
    let expected = contents(&repository);
    let all = backend.contents();
    let (mut cases, mut whole) = (0, 0);
    for (name, bytes) in all.iter().filter(|(name, _)| name.starts_with("packs/")) {
        let last = bytes.len() - 1;
        let (kind, directory) = directory(&repository, name);
        let blocks = directory.blocks.iter().filter(|block| !block.is_padding);
        let inside = blocks.map(|block| block.offset as usize + block.sealed_length as usize / 2);
        let places = [0, 4, 5, 6, 8, 16, 40, 79, last - 300, last - 3, last].into_iter().chain(inside);
        let flips = places.map(|place| {
            let mut spoilt = bytes.to_vec();
            spoilt[place] ^= 1;
            (format!("flip at {place}"), Some(Bytes::from(spoilt)))
        });
        let cuts =
            [0, 1, 79, 5000, last / 2, last].map(|length| (format!("cut to {length}"), Some(bytes.slice(..length))));
        let longer = ("longer".to_owned(), Some(Bytes::from([bytes.as_ref(), &[0]].concat())));
        for (how, spoilt) in flips.chain(cuts).chain([longer, ("missing".to_owned(), None)]) {
            let case = format!("{kind:?} {name}: {how}");
            cases += 1;
            spoiled(
                &backend,
                || backend.tamper(name, spoilt.clone()),
                || {
                    let before = backend.contents();
                    let hurt = read_data(&repository).hurt.len();
                    let dry = RepairOptions { dry_run: true, ..RepairOptions::default() };
                    let dry = repair_packs(&repository, &dry).unwrap();
                    assert_eq!(backend.contents(), before, "{case}");
                    let report = repair(&repository);
                    assert_only_added(&before, &backend);
                    let [pack] = report.damaged.as_slice() else { panic!("{case}: {report:?}") };
                    assert!(pack.pack == pack_id(name) && pack.is_known, "{case}: {report:?}");
                    assert_eq!(
                        (pack.salvaged_chunks, pack.lost_chunks),
                        (dry.damaged[0].salvaged_chunks, dry.damaged[0].lost_chunks)
                    );
                    assert_eq!(names(&backend, "damaged/").len(), 1);
                    if how == "missing" || how == "cut to 0" {
                        assert_eq!(pack.salvaged_chunks, 0);
                    }
                    if report.is_whole() {
                        whole += 1;
                        assert_healed(&repository, &expected, &case);
                    } else {
                        assert!(read_data(&repository).hurt.len() <= hurt, "{case}");
                    }
                    take_all(&repository);
                    assert_healed(&repository, &expected, &case);
                    let again = repair(&repository);
                    assert!(again.is_whole() && again.packs_written == 0, "{case}: {again:?}");
                },
            );
        }
    }
    println!("{cases} kinds of damage to packs, {whole} of which cost nothing");
    assert!(cases > 80 && whole > 30, "{cases} {whole}");
}

#[test]
fn a_copy_of_the_repository_gives_what_is_damaged_here() {
    let (backend, repository) = small();
    let expected = contents(&repository);
    let mirror = Arc::new(MemoryBackend::new());
    backend.contents().into_iter().for_each(|(name, bytes)| mirror.tamper(&name, Some(bytes)));
    for (number, name) in names(&backend, "packs/").iter().enumerate() {
        // Both are damaged, each in other packs.
        match number % 3 {
            0 => backend.tamper(name, None),
            1 => flip(&backend, name, 200),
            _ => flip(&mirror, name, 200),
        }
    }
    let options = RepairOptions { from: vec![reopen(mirror as _)], ..RepairOptions::default() };
    let report = repair_packs(&repository, &options).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert!(report.damaged.iter().any(|pack| pack.copied_chunks > 0));
    assert_healed(&repository, &expected, "from a copy");

    let stranger = new_repository(Arc::new(MemoryBackend::new()) as _);
    let options = RepairOptions { from: vec![stranger], ..RepairOptions::default() };
    assert!(matches!(repair_packs(&repository, &options), Err(Error::OtherRepository { .. })));
}

/// What is marked is not read again: the mark alone must not make a loss look mended.
#[test]
fn what_a_marked_pack_has_lost_is_told_without_reading_data_too() {
    let (backend, repository) = small();
    let data =
        names(&backend, "packs/").into_iter().find(|name| directory(&repository, name).0 == Kind::DataPack).unwrap();
    flip(&backend, &data, 200);
    let deep = read_data(&repository);
    assert!(repair(&repository).lost_chunks() > 0);
    let verified = structure(&repository);
    assert_eq!(damaged(&verified), [data.as_str()]);
    assert_eq!(verified.hurt, deep.hurt);
    take_all(&repository);
    let verified = structure(&repository);
    assert!(verified.is_sound() && verified.hurt.is_empty(), "{:?} {:?}", verified.damage, verified.hurt);
}

#[test]
fn a_damaged_copy_spreads_no_damage() {
    let (backend, repository) = small();
    let mirror = Arc::new(MemoryBackend::new());
    backend.contents().into_iter().for_each(|(name, bytes)| mirror.tamper(&name, Some(bytes)));
    let name =
        names(&backend, "packs/").into_iter().find(|name| directory(&repository, name).0 == Kind::DataPack).unwrap();
    flip(&backend, &name, 200);
    flip(&mirror, &name, 300);
    let options = RepairOptions { from: vec![reopen(mirror as _)], ..RepairOptions::default() };
    let report = repair_packs(&repository, &options).unwrap();
    assert!(report.lost_chunks() > 0 && report.damaged[0].copied_chunks == 0, "{report:?}");
    assert_eq!(damaged(&read_data(&repository)), [name.as_str()]);
}

/// A cable that spoils a read now and then must not condemn a sound pack.
#[test]
fn what_is_read_rightly_the_second_time_is_not_damaged() {
    let (backend, repository) = small();
    drop(repository);
    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&backend), []));
    let repository = reopen(Arc::clone(&faulty) as _);
    let pack = names(&backend, "packs/").pop().unwrap();
    faulty.add(Fault::new(Operation::GetRange, Effect::FlipBit(5000)).on(pack.as_str()).once());
    let before = backend.contents();
    let report = repair(&repository);
    assert_eq!(faulty.struck(), 1);
    assert!(report.damaged.is_empty() && report.misread == [pack], "{report:?}");
    assert_eq!(backend.contents(), before);
}

/// Damage of a data pack, a tree pack and a missing one at once.
fn spoilt() -> (BTreeMap<String, Bytes>, Contents, usize) {
    let (backend, repository) = small();
    let expected = contents(&repository);
    let of = |wanted: Kind| {
        names(&backend, "packs/").into_iter().find(|name| directory(&repository, name).0 == wanted).unwrap()
    };
    let (data, trees) = (of(Kind::DataPack), of(Kind::TreePack));
    let place = directory(&repository, &data).1.blocks[0].offset as usize + 100;
    flip(&backend, &data, place);
    let last = backend.contents()[&trees].len() - 1;
    flip(&backend, &trees, last);
    let hurt = read_data(&repository).hurt.len();
    (backend.contents(), expected, hurt)
}

fn store_of(contents: &BTreeMap<String, Bytes>) -> Arc<MemoryBackend> {
    let store = Arc::new(MemoryBackend::new());
    contents.iter().for_each(|(name, bytes)| store.tamper(name, Some(bytes.clone())));
    store
}

#[test]
fn a_crash_at_every_change_leaves_a_repository_that_the_next_repair_mends() {
    let (spoilt, expected, hurt_before) = spoilt();
    let mut states = 0;
    for last in [LastChange::Lost, LastChange::Done] {
        for changes in 0.. {
            let store = store_of(&spoilt);
            let crashing = Arc::new(CrashingBackend::new(Arc::clone(&store), changes, last));
            let outcome = repair_packs(&reopen(Arc::clone(&crashing) as _), &RepairOptions::default());
            assert_only_added(&spoilt, &store);
            let repository = reopen(Arc::clone(&store) as _);
            assert!(read_data(&repository).hurt.len() <= hurt_before, "never worse");
            if !crashing.has_crashed() {
                outcome.unwrap();
                break;
            }
            states += 1;
            repair(&repository);
            take_all(&repository);
            assert_healed(&repository, &expected, &format!("crash after {changes}, {last:?}"));
        }
    }
    println!("{states} states after a crash");
    assert!(states >= 10, "{states}");
}

#[test]
fn a_failure_of_every_operation_leaves_nothing_worse() {
    let (spoilt, expected, hurt_before) = spoilt();
    let effects = |operation| -> Vec<Effect> {
        use BackendErrorKind::{Denied, NotFound, Unreachable};
        match operation {
            Operation::Put => vec![Effect::FailBefore(Unreachable), Effect::FailAfter(Unreachable), Effect::Pretend],
            Operation::List => vec![Effect::FailBefore(Denied), Effect::TruncateList(0), Effect::TruncateList(1)],
            _ => vec![Effect::FailBefore(Unreachable), Effect::FailBefore(NotFound), Effect::FlipBit(90)],
        }
    };
    let mut faults = 0;
    for operation in [Operation::Put, Operation::List, Operation::Get, Operation::GetRange] {
        for effect in effects(operation) {
            // Once, and from there on.
            for times in [1, u64::MAX] {
                for skip in 0.. {
                    let store = store_of(&spoilt);
                    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&store), []));
                    let repository = reopen(Arc::clone(&faulty) as _);
                    faulty.add(Fault { times, ..Fault::new(operation, effect).after(skip) });
                    let outcome = repair_packs(&repository, &RepairOptions::default());
                    if faulty.struck() == 0 {
                        outcome.unwrap();
                        break;
                    }
                    faults += 1;
                    let case = format!("{operation:?} {effect:?} {times} times after {skip}");
                    assert_only_added(&spoilt, &store);
                    let repository = reopen(Arc::clone(&store) as _);
                    let hurt = read_data(&repository).hurt;
                    assert!(hurt.len() <= hurt_before, "{case}: {hurt:?}");
                    repair(&repository);
                    take_all(&repository);
                    assert_healed(&repository, &expected, &case);
                }
            }
        }
    }
    println!("{faults} failures of the store");
    assert!(faults > 100, "{faults}");
}
