//! To which packs parity is added, and when it is enough.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{parity::*, *};
use lbak_core::{
    backend::{Backend, MemoryBackend, ObjectName},
    id::PackId,
    parity::SECTOR,
    repository::Repository,
};
use lbak_testkit::{Effect, Fault, FaultyBackend, Operation};
use lbak_verify::{
    VerifyReport,
    repair::{Healed, ParityOptions, ParityReport, RepairOptions, add_parity, repair_packs},
};

#[test]
fn parity_is_added_once_and_only_where_it_lacks() {
    let (backend, repository, _) = packs_of(12, 300_000);
    let before = backend.contents();
    let dry = add_parity(&repository, &ParityOptions { dry_run: true, ..with(5) }).unwrap();
    assert_eq!(backend.contents(), before);
    let added = add_parity(&repository, &with(5)).unwrap();
    assert_eq!(
        (dry.packs_added, dry.objects, dry.stored_bytes),
        (added.packs_added, added.objects, added.stored_bytes)
    );
    assert_eq!((added.packs, added.packs_added, added.packs_skipped), (24, 24, 0));
    only_added(&before, &backend);
    let again = add_parity(&repository, &with(5)).unwrap();
    assert_eq!((again.packs_skipped, again.objects), (24, 0));
    // More than is there, for two of them.
    let packs: Vec<_> = data_packs(&backend).iter().take(2).map(|(name, _)| pack_id(name)).collect();
    let more = add_parity(&repository, &ParityOptions { packs: packs.clone(), ..with(50) }).unwrap();
    assert_eq!((more.packs, more.packs_added, more.packs_outlived), (2, 2, 2));
    assert_eq!(add_parity(&repository, &ParityOptions { packs, ..with(50) }).unwrap().objects, 0);
    // New packs alone.
    add_packs(&repository, 99..100, 300_000);
    let new = add_parity(&repository, &with(5)).unwrap();
    assert_eq!((new.packs_added, new.packs_skipped), (2, 24));
    let report = read_data(&repository);
    assert!(report.is_sound() && report.parity_objects == 3, "{report:?}");
    for percent in [0, 101] {
        assert!(add_parity(&repository, &with(percent)).is_err());
    }
}

/// After every backup as in one go: packs of groups that are too small are taken again, once.
#[test]
fn many_small_groups_become_one_that_outlives_the_loss_of_a_pack() {
    let (backend, repository, expected) = packs_of(5, 300_000);
    let first = add_parity(&repository, &with(12)).unwrap();
    // Packs of trees are short.
    assert_eq!((first.packs_added, first.packs_outlived), (10, 5));
    add_packs(&repository, 5..12, 300_000);
    let dry = add_parity(&repository, &ParityOptions { dry_run: true, ..with(12) }).unwrap();
    let second = add_parity(&repository, &with(12)).unwrap();
    for report in [dry, second] {
        assert_eq!((report.packs, report.packs_skipped), (24, 5), "{report:?}");
        assert_eq!((report.packs_added, report.packs_outlived, report.objects), (19, 19, 1), "{report:?}");
    }
    let (name, bytes) = data_packs(&backend).remove(0);
    backend.tamper(&name, None);
    let healed = repair_packs(&repository, &RepairOptions::default()).unwrap();
    assert_eq!(healed.damaged[0].healed, Some(Healed::PutBack));
    assert_eq!(backend.contents()[&name], bytes);
    let mut found = contents(&repository);
    found.retain(|id, _| expected.contains_key(id));
    assert!(found == expected);
    // Once: the next ones come to groups of their own.
    assert_eq!(add_parity(&repository, &with(12)).unwrap().objects, 0);
    add_packs(&repository, 12..13, 300_000);
    let third = add_parity(&repository, &with(12)).unwrap();
    assert_eq!((third.packs_added, third.packs_skipped), (2, 24));
}

/// Packs that have more parity already are in no group of the next run: what it takes without them was not what was advised.
#[test]
fn who_follows_the_advice_hears_no_more_of_packs_that_may_not_be_lost() {
    // What was there before the new packs came, with how much parity.
    for (before, percent) in [(12, Some(30)), (12, Some(5)), (3, Some(1)), (0, None)] {
        let (backend, repository, _) = packs_of(before, 300_000);
        if let Some(percent) = percent {
            add_parity(&repository, &with(percent)).unwrap();
        }
        add_packs(&repository, 20..23, 250_000);
        let found = backend.contents();
        let may_not_be_lost = |report: &ParityReport| report.groups.iter().any(|group| group.may_lose == 0);
        for dry_run in [true, false] {
            let repository = reopen(filled(&found) as _);
            let dry = |percent| add_parity(&repository, &ParityOptions { dry_run: true, ..with(percent) }).unwrap();
            let report = add_parity(&repository, &ParityOptions { dry_run, ..with(5) }).unwrap();
            assert!(may_not_be_lost(&report), "{report:?}");
            let advised = report.percent_to_outlive.unwrap();
            assert!(advised > 5);
            let less = dry(advised - 1);
            assert!(less.groups.is_empty() || may_not_be_lost(&less), "{advised} is the least: {less:?}");
            let followed = add_parity(&repository, &with(advised)).unwrap();
            assert!(
                followed.objects > 0 && !may_not_be_lost(&followed),
                "{before} {percent:?} {advised}: {followed:?}"
            );
            assert_eq!(followed.percent_to_outlive, None);
            assert_eq!(dry(advised).objects, 0);
        }
    }
}

/// Damages a pack, heals it, and tells how many packs are covered anew by what is then run.
fn covered_anew_after(spoil: impl Fn(&MemoryBackend, &str, &Bytes)) -> u64 {
    let (backend, repository, _) = packs_of(12, 300_000);
    assert_eq!(add_parity(&repository, &with(12)).unwrap().packs_added, 24);
    let (name, bytes) = data_packs(&backend).remove(0);
    spoil(&backend, &name, &bytes);
    assert!(repair_packs(&repository, &RepairOptions::default()).unwrap().is_whole());
    let packs = add_parity(&repository, &with(12)).unwrap();
    assert_eq!(packs.damage, []);
    assert_eq!(add_parity(&repository, &with(12)).unwrap().objects, 0, "once");
    // What was healed was stored anew, in packs that have no parity yet.
    packs.packs_added
}

#[test]
fn a_healed_pack_costs_its_group_the_sectors_that_it_lacks() {
    let flip = |backend: &MemoryBackend, name: &str, _: &Bytes| flip(backend, name, 9000);
    let one = covered_anew_after(flip);
    assert!(one < 4, "{one}: what the others have is still enough");
    let emptied = |backend: &MemoryBackend, name: &str, _: &Bytes| backend.tamper(name, Some(Bytes::new()));
    let all = covered_anew_after(emptied);
    assert!(all >= 23, "{all}: nothing is left of what the others had");
    // As long as it was, and nothing in it right.
    let zeroed = |backend: &MemoryBackend, name: &str, bytes: &Bytes| {
        backend.tamper(name, Some(vec![0; bytes.len()].into()));
    };
    assert_eq!(covered_anew_after(zeroed), all);
}

#[test]
fn what_was_reclaimed_is_lost_to_its_group() {
    let (backend, repository, _) = packs_of(12, 300_000);
    add_parity(&repository, &with(12)).unwrap();
    let (name, _) = data_packs(&backend).remove(0);
    let marked =
        lbak_core::snapshot::DamagedRecord { by: "test".into(), what: "a test".into(), at: Default::default() };
    let mark = ObjectName::Damaged(pack_id(&name));
    let session = lbak_testkit::objects::session_id(7);
    let sealed =
        repository.codec().seal_object(&mark, lbak_core::codec::Kind::Damaged, session, &marked.encode().unwrap());
    backend.put(&mark, &sealed.unwrap()).unwrap();
    assert_eq!(add_parity(&repository, &with(12)).unwrap().objects, 0, "it is there, and its sectors are right");
    backend.tamper(&name, None);
    let report = add_parity(&repository, &with(12)).unwrap();
    assert_eq!((report.packs, report.packs_added, report.damage.len()), (23, 23, 0));
}

#[test]
fn damaged_parity_is_told_and_replaced() {
    let (backend, repository, _) = packs_of(12, 300_000);
    add_parity(&repository, &with(5)).unwrap();
    let sound = backend.contents();
    let name = the_parity(&backend).name().to_string();
    // Within its recovery sectors, its list, and its header: then nobody knows what it was of.
    for (place, is_seen) in [(10_000, false), (130, true), (4, true), (81, true)] {
        let backend = filled(&sound);
        let repository = reopen(Arc::clone(&backend) as _);
        flip(&backend, &name, place);
        assert_eq!(damaged(&read_data(&repository)), [&*name], "{place}");
        assert_eq!(structure(&repository).is_sound(), !is_seen, "{place}");
        if !is_seen {
            assert_eq!(add_parity(&repository, &with(5)).unwrap().objects, 0);
        }
        let dry = ParityOptions { read_parity: true, dry_run: true, ..with(5) };
        let before = backend.contents();
        let would = add_parity(&repository, &dry).unwrap();
        assert_eq!((would.objects, would.replaced.len(), backend.contents() == before), (1, 1, true));
        let report = add_parity(&repository, &ParityOptions { read_parity: true, ..with(5) }).unwrap();
        assert_eq!((report.objects, report.damage.len(), report.replaced.len()), (1, 0, 1), "{report:?}");
        only_added(&before, &backend);
        let verified = read_data(&repository);
        assert!(verified.is_sound() && verified.set_aside.len() == 1, "{place}: {:?}", verified.damage);
        assert_eq!(add_parity(&repository, &ParityOptions { read_parity: true, ..with(5) }).unwrap().damage, []);
    }
}

/// A pack that is marked gets no parity, and nothing waits for it.
#[test]
fn damaged_parity_is_replaced_although_a_pack_of_it_is_given_up() {
    let (backend, repository, _) = packs_of(3, 300_000);
    add_parity(&repository, &with(100)).unwrap();
    let name = the_parity(&backend).name().to_string();
    flip(&backend, &data_packs(&backend)[0].0, 5000);
    assert!(repair_packs(&repository, &RepairOptions::default()).unwrap().is_whole());
    flip(&backend, &name, 4);
    assert_eq!(damaged(&structure(&repository)), [&*name]);
    assert_eq!(add_parity(&repository, &with(100)).unwrap().damage, []);
    assert!(read_data(&repository).is_sound());
}

#[test]
fn a_damaged_pack_gets_no_parity() {
    let (backend, repository, _) = packs_of(12, 300_000);
    let (name, _) = data_packs(&backend).remove(3);
    flip(&backend, &name, 5000);
    let report = add_parity(&repository, &with(5)).unwrap();
    assert_eq!((report.packs, report.packs_added, report.damage.len()), (24, 23, 1));
    assert_eq!(report.damage[0].object, name);
    assert!(the_parity(&backend).list.position(&pack_id(&name)).is_none());
}

/// "Everything has parity" is not said while something of the repository is not there to get any.
#[test]
fn what_is_missing_is_told() {
    let (backend, repository, _) = packs_of(3, 300_000);
    let sound = backend.contents();
    let (name, bytes) = data_packs(&backend).remove(0);
    for (spoilt, what) in [(None, "missing"), (Some(bytes.slice(..bytes.len() - SECTOR)), "instead of")] {
        let backend = filled(&sound);
        backend.tamper(&name, spoilt);
        let report = add_parity(&reopen(Arc::clone(&backend) as _), &with(5)).unwrap();
        assert_eq!((report.packs_added, report.damage.len()), (5, 1), "{report:?}");
        assert!(report.damage[0].object == name && report.damage[0].what.contains(what), "{report:?}");
    }
    // A damaged segment: what it names gets none.
    let backend = filled(&sound);
    for segment in names(&backend, "index/") {
        flip(&backend, &segment, 90);
    }
    let report = add_parity(&reopen(Arc::clone(&backend) as _), &with(5)).unwrap();
    assert!(report.objects == 0 && report.damage.len() >= 3, "{report:?}");
    drop(repository);
}

/// Trying reads the whole group of each: a look at the structure tries a few, and says so.
#[test]
fn a_quick_look_tries_to_heal_a_few_packs() {
    let (backend, repository, _) = packs_of(18, 300_000);
    add_parity(&repository, &with(100)).unwrap();
    for (name, _) in data_packs(&backend) {
        backend.tamper(&name, None);
    }
    let told = |report: &VerifyReport| report.notes.iter().filter(|note| note.contains("2 more damaged packs")).count();
    let report = structure(&repository);
    assert_eq!((report.damage.len(), report.healable.len(), told(&report)), (18, 16, 1), "{report:?}");
    let report = read_data(&repository);
    assert_eq!((report.damage.len(), report.healable.len(), told(&report)), (18, 18, 0), "{report:?}");
}

/// A list that ends early is no reason to say that all is done (rule I9).
#[test]
fn a_list_that_ends_early_is_no_answer() {
    let (backend, _, _) = packs_of(3, 300_000);
    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&backend), []));
    let repository: Repository = reopen(Arc::clone(&faulty) as _);
    faulty.add(Fault::new(Operation::List, Effect::TruncateList(2)).on("packs/"));
    assert!(add_parity(&repository, &with(5)).is_err());
    assert!(faulty.struck() > 0 && names(&backend, "parity/").is_empty());
}

#[test]
fn a_pack_that_nobody_knows_is_refused() {
    let (_, repository, _) = packs_of(1, 300_000);
    let packs = vec![PackId([7; 32])];
    let error = add_parity(&repository, &ParityOptions { packs, ..with(5) }).unwrap_err();
    assert!(error.to_string().contains("the index names no pack"), "{error}");
}
