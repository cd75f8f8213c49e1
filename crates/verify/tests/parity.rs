//! Parity: every pattern of damage up to the limit is healed, one beyond is said, and nothing stored leads to wrong bytes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use bytes::Bytes;
use common::{parity::*, *};
use lbak_core::parity::SECTOR;
use lbak_verify::{
    VerifyOptions,
    repair::{Healed, RepairOptions, add_parity, repair_packs},
    verify_without_key,
};

/// Objects with what becomes of them.
type Changes = Vec<(String, Option<Bytes>)>;

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

#[test]
fn every_pattern_of_damage_up_to_the_limit_is_healed_and_one_beyond_is_said() {
    let (backend, repository, expected) = packs_of(12, 300_000);
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
                assert_eq!(keyless.healable, hurt, "{case}: {:?}", keyless.damage);
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
    let (backend, repository, _) = packs_of(12, 300_000);
    add_parity(&repository, &with(12)).unwrap();
    let object = the_parity(&backend);
    let parity = backend.contents()[&object.name().to_string()].clone();
    let (name, bytes) = data_packs(&backend).remove(0);
    backend.tamper(&name, None);
    backend.tamper(&object.name().to_string(), None);
    let middle = usize::try_from(object.list.recovery_at(0)).unwrap() + 500;
    let behind = usize::try_from(object.list.checksums_at()).unwrap() + 16;
    let (mut healed, mut refused) = (0, 0);
    let mut hostile: Vec<(String, Vec<u8>)> = Vec::new();
    for place in [4, 20, 50, 85, 90, 100, 130, 100 + 36 * 24, middle, behind, parity.len() - 1] {
        let mut changed = parity.to_vec();
        changed[place] ^= 1;
        hostile.push((format!("byte {place}"), changed));
    }
    for (place, changed) in hostile {
        let id = blake3::hash(&changed).to_hex();
        spoiled(
            &backend,
            || backend.tamper(&format!("parity/{id}"), Some(changed.into())),
            || {
                let is_promised = structure(&repository).healable.contains(&pack_id(&name));
                let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
                assert_eq!(backend.contents().contains_key(&name), is_promised, "as verify said, {place}");
                match backend.contents().get(&name) {
                    Some(found) => {
                        assert_eq!(found, &bytes, "{place}");
                        healed += 1;
                    }
                    None => {
                        assert!(!report.is_whole(), "{place}");
                        refused += 1;
                    }
                }
            },
        );
    }
    assert!(healed >= 2 && refused >= 5, "{healed} {refused}");
}

/// All of it is right, and belongs to another pack: what comes out are the bytes of that one, under the wrong name. Without the key nothing but the
/// hash of the pack tells.
#[test]
fn hostile_parity_with_the_names_of_two_packs_swapped_heals_neither() {
    let (backend, repository, _) = packs_of(6, 300_000);
    add_parity(&repository, &with(100)).unwrap();
    let object = the_parity(&backend);
    let parity = backend.contents()[&object.name().to_string()].clone();
    let (name, bytes) = data_packs(&backend).remove(0);
    let others: Vec<String> = data_packs(&backend)
        .into_iter()
        .skip(1)
        .filter(|other| other.1.len() == bytes.len())
        .map(|other| other.0)
        .collect();
    flip(&backend, &name, 5_000);
    backend.tamper(&object.name().to_string(), None);
    let place_of = |name: &String| {
        let id = pack_id(name).0;
        parity.windows(id.len()).position(|window| window == id).unwrap()
    };
    assert!(!others.is_empty(), "packs of one length");
    for other in others {
        let (one, other) = (place_of(&name), place_of(&other));
        let mut changed = parity.to_vec();
        changed[one..one + 32].copy_from_slice(&parity[other..other + 32]);
        changed[other..other + 32].copy_from_slice(&parity[one..one + 32]);
        let id = blake3::hash(&changed).to_hex();
        let lie = || backend.tamper(&format!("parity/{id}"), Some(changed.into()));
        spoiled(&backend, lie, || {
            let report = verify_without_key(&*backend, &VerifyOptions::default()).unwrap();
            assert_eq!(
                (damaged(&report).contains(&name.as_str()), &report.healable[..]),
                (true, &[][..]),
                "{report:?}"
            );
        });
    }
}

/// What parity was made of stands in it in the clear: so much is missed without a key, unless it may have been reclaimed.
#[test]
fn a_missing_pack_that_has_parity_is_missed_without_a_key() {
    let (backend, repository, _) = packs_of(12, 300_000);
    add_parity(&repository, &with(12)).unwrap();
    let look = || verify_without_key(&*backend, &VerifyOptions::default()).unwrap();
    assert!(look().is_sound() && look().notes.is_empty());
    let (name, parity) = (data_packs(&backend).remove(0).0, the_parity(&backend).name().to_string());
    spoiled(
        &backend,
        || backend.tamper(&name, None),
        || {
            let report = look();
            assert_eq!(damaged(&report), [&*name]);
            assert_eq!(report.damage[0].what, format!("it is missing: {parity} was made of it"));
            assert_eq!(report.healable, [pack_id(&name)]);
        },
    );
    // A list that is damaged itself names nothing.
    let lie = || {
        backend.tamper(&name, None);
        flip(&backend, &parity, 130);
    };
    spoiled(&backend, lie, || assert_eq!(damaged(&look()), [&*parity]));
    // Reclaiming takes packs away that parity was made of.
    let reclaimed = || {
        let snapshots = repository.catalog().unwrap().snapshots;
        put_records(&repository, snapshots[0].session, snapshots[1].session);
        backend.tamper(&name, None);
    };
    spoiled(&backend, reclaimed, || {
        let report = look();
        assert!(report.is_sound() && report.notes.iter().any(|note| note.starts_with("1 of the packs")), "{report:?}");
    });
}
