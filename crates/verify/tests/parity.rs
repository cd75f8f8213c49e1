//! Parity: every pattern of damage up to the limit is healed, one beyond is said, and nothing stored leads to wrong bytes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use common::*;
use lbak_core::{
    backend::MemoryBackend,
    parity::{ParityObject, SECTOR},
    repository::Repository,
    source::MemoryNode,
};
use lbak_testkit::{CrashingBackend, LastChange, objects::noise};
use lbak_verify::{
    repair::{Healed, ParityOptions, RepairOptions, add_parity, repair_packs},
    verify_without_key,
};

/// Twelve packs of data of about one length, and some of trees.
fn repository() -> (Arc<MemoryBackend>, Repository, Contents) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    for number in 0..12 {
        let file = MemoryNode::file(noise(number, 300_000));
        take(&repository, &format!("h{number}"), MemoryNode::directory([("file", file)]));
    }
    let expected = contents(&repository);
    (backend, repository, expected)
}

/// Objects with what becomes of them.
type Changes = Vec<(String, Option<Bytes>)>;

fn with(percent: u32) -> ParityOptions {
    ParityOptions { percent, ..ParityOptions::default() }
}

fn data_packs(backend: &MemoryBackend) -> Vec<(String, Bytes)> {
    let packs = backend.contents().into_iter().filter(|(name, _)| name.starts_with("packs/"));
    packs.filter(|(_, bytes)| bytes.len() > 200_000).collect()
}

fn the_parity(backend: &MemoryBackend) -> ParityObject {
    let (name, bytes) = backend.contents().into_iter().find(|(name, _)| name.starts_with("parity/")).unwrap();
    let Some(lbak_core::backend::ObjectName::Parity(id)) = lbak_core::backend::ObjectName::parse(&name) else {
        panic!("{name}")
    };
    ParityObject::read(backend, None, id, bytes.len() as u64).unwrap()
}

fn spoil(bytes: &Bytes, ranges: &[std::ops::Range<usize>]) -> Bytes {
    let mut spoilt = bytes.to_vec();
    for range in ranges {
        spoilt[range.clone()].iter_mut().for_each(|byte| *byte ^= 0xa5);
    }
    spoilt.into()
}

fn flipped(bytes: &Bytes, place: usize) -> Bytes {
    let mut changed = bytes.to_vec();
    changed[place] ^= 1;
    changed.into()
}

fn only_added(before: &BTreeMap<String, Bytes>, backend: &MemoryBackend) {
    let after = backend.contents();
    before.iter().for_each(|(name, bytes)| assert_eq!(after.get(name), Some(bytes), "{name}"));
}

#[test]
fn parity_is_added_once_and_only_where_it_lacks() {
    let (backend, repository, _) = repository();
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
    take(&repository, "new", MemoryNode::directory([("file", MemoryNode::file(noise(99, 300_000)))]));
    let new = add_parity(&repository, &with(5)).unwrap();
    assert_eq!((new.packs_added, new.packs_skipped), (2, 24));
    let report = read_data(&repository);
    assert!(report.is_sound() && report.parity_objects == 3, "{report:?}");
    for percent in [0, 101] {
        assert!(add_parity(&repository, &with(percent)).is_err());
    }
}

#[test]
fn every_pattern_of_damage_up_to_the_limit_is_healed_and_one_beyond_is_said() {
    let (backend, repository, expected) = repository();
    add_parity(&repository, &with(12)).unwrap();
    let list = the_parity(&backend).list;
    assert_eq!(list.slices(), 1, "what may be lost is one number");
    let most = list.recovery();
    let packs = data_packs(&backend);
    let (name, bytes) = &packs[0];
    let sectors = bytes.len() / SECTOR;
    let tail = |count: usize| bytes.slice(..bytes.len() - count * SECTOR);
    let every = |count: usize| (0..count).map(|sector| sector * SECTOR + 7..sector * SECTOR + 8).collect::<Vec<_>>();
    assert!(sectors <= most, "{sectors} {most}: a whole pack may be lost");
    let zeroed = || Bytes::from([&vec![0; 9 * SECTOR][..], &bytes[9 * SECTOR..]].concat());
    let swapped = || Bytes::from([&bytes[SECTOR..2 * SECTOR], &bytes[..SECTOR], &bytes[2 * SECTOR..]].concat());
    let mut cases: Vec<(String, Changes)> = vec![
        ("missing".into(), vec![(name.clone(), None)]),
        ("emptied".into(), vec![(name.clone(), Some(Bytes::new()))]),
        ("zeroed".into(), vec![(name.clone(), Some(zeroed()))]),
        ("sectors swapped".into(), vec![(name.clone(), Some(swapped()))]),
        ("every sector".into(), vec![(name.clone(), Some(spoil(bytes, &every(sectors))))]),
        ("cut".into(), vec![(name.clone(), Some(tail(sectors / 2)))]),
        ("cut within a sector".into(), vec![(name.clone(), Some(bytes.slice(..bytes.len() - 100)))]),
        ("longer".into(), vec![(name.clone(), Some([bytes.as_ref(), b"more"].concat().into()))]),
    ];
    for place in [0, 79, 80, bytes.len() / 2, bytes.len() - 1] {
        cases.push((format!("flip at {place}"), vec![(name.clone(), Some(flipped(bytes, place)))]));
    }
    // In every pack some, together as many as may be lost, or one more.
    let spread = |beyond: usize| {
        let share = |number: usize| (most + beyond) / packs.len() + usize::from(number < (most + beyond) % packs.len());
        let changes = packs.iter().enumerate();
        changes
            .map(|(number, (name, bytes))| (name.clone(), Some(spoil(bytes, &every(share(number))))))
            .collect::<Vec<_>>()
    };
    cases.push(("as much as may be lost".into(), spread(0)));
    for (case, changes) in cases {
        spoiled(
            &backend,
            || changes.iter().for_each(|(name, bytes)| backend.tamper(name, bytes.clone())),
            || {
                let found = read_data(&repository);
                let keyless = verify_without_key(&*backend, &deep(lbak_verify::Share::All)).unwrap();
                let mut hurt: Vec<_> = changes.iter().map(|(name, _)| pack_id(name)).collect();
                hurt.sort_unstable();
                assert_eq!(found.healable, hurt, "{case}: {:?}", found.damage);
                // Without a key nobody knows that a pack is missing.
                assert_eq!(keyless.healable.len(), if case == "missing" { 0 } else { hurt.len() }, "{case}");
                let before = backend.contents();
                let dry =
                    repair_packs(&repository, &RepairOptions { dry_run: true, ..RepairOptions::default() }).unwrap();
                assert_eq!(backend.contents(), before, "{case}");
                let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
                assert!(report.is_whole() && dry.is_whole(), "{case}: {report:?}");
                only_added(&before, &backend);
                if case == "missing" {
                    assert_eq!(report.damaged[0].healed, Some(Healed::PutBack));
                    assert_eq!(backend.contents().get(name), Some(bytes), "it is there as it was");
                    assert_eq!(names(&backend, "damaged/").len(), 0);
                } else {
                    assert!(report.damaged.iter().all(|pack| pack.healed == Some(Healed::StoredAnew)), "{case}");
                }
                assert!(read_data(&repository).is_sound(), "{case}");
                let mut found = contents(&repository);
                found.retain(|id, _| expected.contains_key(id));
                assert!(found == expected, "{case}: something is lost");
            },
        );
    }
    let changes = spread(1);
    spoiled(
        &backend,
        || changes.iter().for_each(|(name, bytes)| backend.tamper(name, bytes.clone())),
        || {
            let found = read_data(&repository);
            assert!(found.healable.is_empty() && found.damage.len() >= 12, "{:?}", found.healable);
            let before = backend.contents();
            let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
            assert!(!report.is_whole() && report.damaged.iter().all(|pack| pack.healed.is_none()));
            only_added(&before, &backend);
        },
    );
}

/// Whatever stands under `parity/`, also behind a name that fits: a pack is what its name says, or it is not healed.
#[test]
fn hostile_parity_gives_no_wrong_bytes() {
    let (backend, repository, _) = repository();
    add_parity(&repository, &with(12)).unwrap();
    let object = the_parity(&backend);
    let parity = backend.contents()[&object.name().to_string()].clone();
    let (name, bytes) = data_packs(&backend).remove(0);
    backend.tamper(&name, None);
    backend.tamper(&object.name().to_string(), None);
    let middle = usize::try_from(object.list.recovery_at(0)).unwrap() + 500;
    let behind = usize::try_from(object.list.checksums_at()).unwrap() + 16;
    let (mut healed, mut refused) = (0, 0);
    for place in [4, 20, 50, 85, 90, 100, 130, 100 + 36 * 24, middle, behind, parity.len() - 1] {
        let mut changed = parity.to_vec();
        changed[place] ^= 1;
        let id = blake3::hash(&changed).to_hex();
        spoiled(
            &backend,
            || backend.tamper(&format!("parity/{id}"), Some(changed.into())),
            || {
                let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
                match backend.contents().get(&name) {
                    Some(found) => {
                        assert_eq!(found, &bytes, "byte {place}");
                        healed += 1;
                    }
                    None => {
                        assert!(!report.is_whole(), "byte {place}");
                        refused += 1;
                    }
                }
            },
        );
    }
    assert!(healed >= 2 && refused >= 5, "{healed} {refused}");
}

#[test]
fn damaged_parity_is_told_and_replaced() {
    let (backend, repository, _) = repository();
    add_parity(&repository, &with(5)).unwrap();
    let object = the_parity(&backend);
    flip(&backend, &object.name().to_string(), 10_000);
    let report = read_data(&repository);
    assert_eq!(damaged(&report), [object.name().to_string()]);
    assert!(structure(&repository).is_sound(), "its list is whole");
    assert_eq!(add_parity(&repository, &with(5)).unwrap().objects, 0);
    assert_eq!(add_parity(&repository, &ParityOptions { read_parity: true, ..with(5) }).unwrap().objects, 1);
    let report = read_data(&repository);
    assert!(report.is_sound() && report.set_aside.len() == 1, "{:?}", report.damage);
}

#[test]
fn a_damaged_pack_gets_no_parity() {
    let (backend, repository, _) = repository();
    let (name, _) = data_packs(&backend).remove(3);
    flip(&backend, &name, 5000);
    let report = add_parity(&repository, &with(5)).unwrap();
    assert_eq!((report.packs, report.packs_added, report.damage.len()), (24, 23, 1));
    assert_eq!(report.damage[0].object, name);
    assert!(the_parity(&backend).list.position(&pack_id(&name)).is_none());
}

/// Stopped at every change, of adding and of healing: what was there stays, and the next run ends it.
#[test]
fn whoever_is_stopped_goes_on_with_the_next_run() {
    let (backend, _, expected) = repository();
    let sound = backend.contents();
    let restored = |contents: BTreeMap<String, Bytes>| {
        let backend = Arc::new(MemoryBackend::new());
        contents.into_iter().for_each(|(name, bytes)| backend.tamper(&name, Some(bytes)));
        backend
    };
    let mut states = 0;
    for last in [LastChange::Lost, LastChange::Done] {
        for changes in 0.. {
            let disk = restored(sound.clone());
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
                let disk = restored(before.clone());
                let crashing = Arc::new(CrashingBackend::new(Arc::clone(&disk), changes, last));
                let _ = repair_packs(&reopen(Arc::clone(&crashing) as _), &RepairOptions::default());
                only_added(&before, &disk);
                let repository = reopen(Arc::clone(&disk) as _);
                let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
                assert!(report.is_whole(), "{report:?}");
                assert!(read_data(&repository).is_sound());
                let mut found = contents(&repository);
                found.retain(|id, _| expected.contains_key(id));
                assert!(found == expected);
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
