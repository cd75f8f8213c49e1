//! Whatever object is damaged in whatever way: all repairs, and the next snapshots, leave nothing worse, and what can be healed is.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use common::*;
use lbak_core::{
    backend::{Backend, MemoryBackend},
    codec::slot::Credential,
    error::Error,
    repository::{OpenOptions, Repository},
    source::MemoryNode,
};
use lbak_testkit::{Effect, Fault, FaultyBackend, Operation};
use lbak_verify::{
    Depth, Share,
    repair::{RepairOptions, repair_index, repair_packs, repair_snapshots},
};

fn small() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    let first = take(&repository, "h", MemoryNode::directory(small_tree()));
    let mut more = small_tree();
    more.push(("z", MemoryNode::file(lbak_testkit::objects::noise(50, 200_000))));
    take(&repository, "h", MemoryNode::directory(more.clone()));
    take(&repository, "x", with_attributes());
    more.push(("zz", MemoryNode::file("forgotten")));
    let forgotten = take(&repository, "h", MemoryNode::directory(more));
    put_records(&repository, first.session, forgotten.session);
    (backend, repository)
}

fn take_all(repository: &Repository) {
    take(repository, "h", MemoryNode::directory(small_tree()));
    let mut more = small_tree();
    more.push(("z", MemoryNode::file(lbak_testkit::objects::noise(50, 200_000))));
    take(repository, "h", MemoryNode::directory(more));
    take(repository, "x", with_attributes());
}

fn deep() -> RepairOptions {
    RepairOptions { depth: Depth::ReadData { share: Share::All }, ..RepairOptions::default() }
}

fn open(backend: &Arc<MemoryBackend>) -> Result<Repository, Error> {
    let options = OpenOptions { threads: Some(2), ..Default::default() };
    Repository::open(Arc::clone(backend) as Arc<dyn Backend>, &Credential::password("p"), &options)
}

/// Every file that could be read before can be read, and holds the same.
fn assert_not_worse(before: &Contents, after: &Contents, case: &str) {
    for (id, files) in before {
        let now = after.get(id).unwrap_or_else(|| panic!("{case}: snapshot {id} is gone"));
        for (path, hash) in files {
            if hash.is_some() {
                assert_eq!(now.get(path), Some(hash), "{case}: {}", String::from_utf8_lossy(path));
            }
        }
    }
}

/// Ways to spoil an object.
fn spoilt(bytes: &Bytes) -> Vec<(String, Option<Bytes>)> {
    let last = bytes.len() - 1;
    let mut ways: Vec<(String, Option<Bytes>)> = vec![("missing".into(), None)];
    for place in [4, 20, 79, 100, last / 2, last] {
        let mut flipped = bytes.to_vec();
        let place = place.min(last);
        flipped[place] ^= 1;
        ways.push((format!("flip at {place}"), Some(Bytes::from(flipped))));
    }
    ways.extend([0, last / 2, last].map(|length| (format!("cut to {length}"), Some(bytes.slice(..length)))));
    ways
}

#[test]
fn damage_of_any_object_is_never_made_worse_and_healed_where_that_can_be() {
    let (backend, repository) = small();
    drop(repository);
    let all = backend.contents();
    let (mut cases, mut sound, mut unopened) = (0, 0, 0);
    let mut left: BTreeMap<String, u32> = BTreeMap::new();
    for (name, bytes) in &all {
        let folder = name.split('/').next().unwrap().to_owned();
        for (how, spoilt) in spoilt(bytes) {
            let case = format!("{name}: {how}");
            cases += 1;
            spoiled(
                &backend,
                || backend.tamper(name, spoilt),
                || {
                    let Ok(repository) = open(&backend) else {
                        assert_eq!(folder, "keys", "{case}");
                        unopened += 1;
                        return;
                    };
                    let before = contents(&repository);
                    let damage_before = damaged(&read_data(&repository)).len();
                    let stored = backend.contents();
                    let index = repair_index(&repository, &RepairOptions::default());
                    index.unwrap_or_else(|error| panic!("{case}: {error}"));
                    repair_packs(&repository, &RepairOptions::default())
                        .unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert_not_worse(&before, &contents(&repository), &case);
                    repair_snapshots(&repository, &deep()).unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert_not_worse(&before, &contents(&repository), &case);
                    assert!(damaged(&read_data(&repository)).len() <= damage_before, "{case}");
                    take_all(&repository);
                    assert_not_worse(&before, &contents(&repository), &case);
                    let verified = read_data(&repository);
                    for (name, bytes) in &stored {
                        assert_eq!(backend.contents().get(name), Some(bytes), "{case}: {name}");
                    }
                    if verified.is_sound() {
                        sound += 1;
                    } else {
                        assert_eq!(verified.hurt, [], "{case}: what every snapshot needs is stored again");
                        *left.entry(folder.clone()).or_default() += 1;
                    }
                },
            );
        }
    }
    println!("{cases} kinds of damage: {sound} without any left, {unopened} without a key; left as told: {left:?}");
    // Nothing of content or index is left; small records that do not open stay damaged, and nothing hangs on them.
    assert!(!left.contains_key("packs") && !left.contains_key("index"), "{left:?}");
    assert!(cases >= 250, "{cases}");
}

#[test]
fn a_failure_of_every_operation_of_repairing_snapshots_leaves_nothing_worse() {
    let (backend, repository) = small();
    let contents_of = backend.contents();
    let packs = contents_of.iter().filter(|(name, _)| name.starts_with("packs/"));
    let largest = packs.max_by_key(|(_, bytes)| bytes.len()).unwrap().0.clone();
    flip(&backend, &largest, 200);
    let before = contents(&repository);
    let spoilt = backend.contents();
    drop(repository);
    let effects = |operation| -> Vec<Effect> {
        use lbak_core::backend::BackendErrorKind::{Denied, NotFound, Unreachable};
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
                    let store = Arc::new(MemoryBackend::new());
                    spoilt.iter().for_each(|(name, bytes)| store.tamper(name, Some(bytes.clone())));
                    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&store), []));
                    let repository = reopen(Arc::clone(&faulty) as _);
                    faulty.add(Fault { times, ..Fault::new(operation, effect).after(skip) });
                    let outcome = repair_snapshots(&repository, &deep());
                    if faulty.struck() == 0 {
                        outcome.unwrap();
                        break;
                    }
                    faults += 1;
                    let case = format!("{operation:?} {effect:?} {times} times after {skip}");
                    for (name, bytes) in &spoilt {
                        assert_eq!(store.contents().get(name), Some(bytes), "{case}: {name}");
                    }
                    let repository = reopen(Arc::clone(&store) as _);
                    assert_not_worse(&before, &contents(&repository), &case);
                    // Whatever was committed holds what it says it does.
                    let hurt = read_data(&repository).hurt;
                    let old: Vec<String> = before.keys().cloned().collect();
                    assert!(hurt.iter().all(|hurt| old.contains(&hurt.snapshot.to_string())), "{case}: {hurt:?}");
                }
            }
        }
    }
    println!("{faults} failures of the store");
    assert!(faults > 100, "{faults}");
}
