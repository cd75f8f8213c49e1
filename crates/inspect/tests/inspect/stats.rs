//! Weights, against sets of chunks gathered one by one.

use std::collections::{BTreeMap, BTreeSet};

use lbak_core::{
    error::Error,
    id::{ChunkId, ChunkKind, SnapshotId},
    repository::Repository,
    snapshot::Manifest,
    source::MemoryNode,
    tree::{NameRule, Node, TreeReader, for_each_reference},
};
use lbak_inspect::{StatsOptions, StatsReport, Weight, stats};
use lbak_testkit::objects::noise;

use crate::support::{file, folder, packs, shared, take};

type Chunks = BTreeMap<(u8, ChunkId), (u64, u64)>;

/// Everything that a snapshot refers to, with plain and stored bytes.
fn chunks_of(repository: &Repository, manifest: &Manifest) -> Chunks {
    let view = repository.view().expect("view");
    let reader = repository.reader(&view);
    let seen = std::cell::RefCell::new(BTreeSet::new());
    let read = |kind: ChunkKind, id: &ChunkId| {
        seen.borrow_mut().insert((kind, *id));
        reader.read(kind, id)
    };
    let mut open = vec![(NameRule::AbsolutePath, manifest.root)];
    while let Some((rule, tree)) = open.pop() {
        for entry in TreeReader::open(rule, tree, &read).expect("a tree") {
            let entry = entry.expect("an entry");
            let visited = for_each_reference(&entry, &read, &mut |reference| {
                let reference = reference.expect("a reference");
                seen.borrow_mut().insert((reference.kind, reference.id));
                Ok(())
            });
            visited.expect("references");
            if let Node::Directory { tree } = entry.node {
                open.push((NameRule::Component, tree));
            }
        }
    }
    let weigh = |(kind, id): (ChunkKind, ChunkId)| {
        let location = reader.locate(kind, &id, &mut |_| true).expect("it is known");
        let length = u64::from(location.length);
        let stored = u64::from(location.sealed_length) * length / u64::from(location.block_length);
        ((kind as u8, id), (length, stored))
    };
    seen.into_inner().into_iter().map(weigh).collect()
}

fn weight<'a>(chunks: impl Iterator<Item = &'a (u64, u64)>) -> Weight {
    chunks.fold(Weight::default(), |sum, (plain, stored)| Weight {
        chunks: sum.chunks + 1,
        plain_bytes: sum.plain_bytes + plain,
        stored_bytes: sum.stored_bytes + stored,
    })
}

fn weighed(repository: &Repository, ids: &[SnapshotId]) -> StatsReport {
    stats(repository, ids, &StatsOptions { each: true, ..Default::default() }).expect("stats")
}

fn tree(number: u64) -> MemoryNode {
    let mut attributed = file("with attributes");
    attributed.attributes = vec![(b"user.a".to_vec(), noise(number / 3, 20_000))];
    // A list of pieces; every other snapshot has the same.
    let sparse =
        MemoryNode::sparse_file((0..600_u64).map(|piece| (1 << 20, (piece * 2 + number % 2).to_le_bytes().to_vec())));
    folder([
        ("always", folder([("x", MemoryNode::file(noise(1, 200_000)))])),
        ("attributed", attributed),
        ("own", MemoryNode::file(noise(100 + number, 300_000))),
        ("pairs", folder([("y", MemoryNode::file(noise(200 + number / 2, 100_000)))])),
        ("sparse", sparse),
    ])
}

#[test]
fn weights_are_those_of_the_sets_of_chunks() {
    let (_, repository) = shared();
    let manifests: Vec<Manifest> = (0..5).map(|number| take(&repository, tree(number))).collect();
    let sets: Vec<Chunks> = manifests.iter().map(|manifest| chunks_of(&repository, manifest)).collect();
    for chosen in [vec![0], vec![4], vec![0, 1], vec![3, 1, 2], vec![0, 1, 2, 3, 4]] {
        let ids: Vec<SnapshotId> = chosen.iter().map(|&number| manifests[number].id).collect();
        let report = weighed(&repository, &ids);
        let all: Chunks = chosen.iter().flat_map(|&number| sets[number].clone()).collect();
        assert_eq!(report.all, weight(all.values()), "{chosen:?}");
        let others: BTreeSet<(u8, ChunkId)> =
            (0..5).filter(|number| !chosen.contains(number)).flat_map(|number| sets[number].keys().copied()).collect();
        let exclusive = all.iter().filter(|(id, _)| !others.contains(*id)).map(|(_, bytes)| bytes);
        assert_eq!(report.exclusive, weight(exclusive), "{chosen:?}");
        for (place, &number) in chosen.iter().enumerate() {
            let elsewhere: BTreeSet<(u8, ChunkId)> =
                (0..5).filter(|&other| other != number).flat_map(|other| sets[other].keys().copied()).collect();
            let own = sets[number].iter().filter(|(id, _)| !elsewhere.contains(*id)).map(|(_, bytes)| bytes);
            assert_eq!(report.each[place].snapshot, manifests[number].id);
            assert_eq!(report.each[place].exclusive, weight(own), "{chosen:?} {number}");
        }
        assert!(report.findings.is_empty());
    }
}

#[test]
fn a_snapshot_like_another_holds_nothing_alone() {
    let (_, repository) = shared();
    let (one, other) = (take(&repository, tree(1)), take(&repository, tree(1)));
    let report = stats(&repository, &[one.id], &StatsOptions::default()).expect("stats");
    assert_eq!(report.exclusive, Weight::default());
    assert!(report.all.chunks > 5 && report.each.is_empty());
    let both = weighed(&repository, &[one.id, other.id]);
    assert_eq!(both.exclusive, both.all);
    assert!(both.each.iter().all(|weight| weight.exclusive == Weight::default()));
}

#[test]
fn an_id_that_is_not_there_is_refused() {
    let (_, repository) = shared();
    take(&repository, tree(1));
    let outcome = stats(&repository, &[SnapshotId([9; 16])], &StatsOptions::default());
    assert!(matches!(outcome, Err(Error::NoSnapshot { .. })));
}

#[test]
fn lost_trees_and_slots_are_told_once() {
    let (backend, repository) = shared();
    take(&repository, tree(0));
    let old = packs(&backend);
    let second = take(&repository, tree(1));
    old.iter().for_each(|name| backend.tamper(name, None));
    let report = stats(&repository, &[second.id], &StatsOptions::default()).expect("stats");
    assert!(report.lost > 0);
    let mut told: Vec<_> = report.findings.iter().map(|finding| finding.path.clone()).collect();
    let count = told.len();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), count, "each once");
}
