//! `repair_snapshots`: a new snapshot beside the damaged one, with all that is left and a list of what is not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use common::{
    mended::{
        Files, check_new, deep_repair, files, largest_pack, lose, lost_ranges, order, small, snapshot_of, written,
    },
    *,
};
use lbak_core::{
    amend::{AmendOptions, Changes, amend},
    backend::{MemoryBackend, ObjectName},
    codec::Kind,
    error::Error,
    id::SnapshotId,
    observe::FindingKind,
    repository::Repository,
    source::MemoryNode,
};
use lbak_testkit::{CrashingBackend, LastChange};
use lbak_verify::{
    Depth, Share,
    repair::{Mended, RepairOptions, repair_index, repair_packs, repair_snapshots},
};

#[test]
fn nothing_is_written_where_nothing_is_lost() {
    let (backend, repository) = small();
    let before = backend.contents();
    let report = deep_repair(&repository);
    assert_eq!((report.checked, report.hurt.as_slice()), (2, &[][..]));
    assert_eq!(backend.contents(), before);
}

#[test]
fn every_block_that_is_lost_costs_exactly_what_the_new_snapshot_says() {
    let (backend, repository) = small();
    let whole: BTreeMap<SnapshotId, Files> = repository
        .catalog()
        .unwrap()
        .snapshots
        .iter()
        .map(|snapshot| (snapshot.manifest.id, files(&repository, snapshot.manifest.id)))
        .collect();
    let (mut blocks, mut written) = (0, 0);
    for name in names(&backend, "packs/") {
        let (_, directory) = directory(&repository, &name);
        let step = directory.blocks.len().div_ceil(12);
        for block in directory.blocks.iter().rev().step_by(step) {
            blocks += 1;
            let place = block.offset as usize + block.sealed_length as usize / 2;
            spoiled(
                &backend,
                || flip(&backend, &name, place),
                || {
                    let before = backend.contents();
                    let hurt_before = read_data(&repository).hurt;
                    let report = deep_repair(&repository);
                    assert_eq!(report.hurt.len(), hurt_before.len());
                    for hurt in &report.hurt {
                        let new = match hurt.outcome {
                            Mended::Written(new) => new,
                            Mended::Nothing => continue,
                            other => panic!("{other:?}"),
                        };
                        written += 1;
                        check_new(&repository, &whole[&hurt.snapshot], hurt.snapshot, new);
                    }
                    for (name, bytes) in &before {
                        assert_eq!(backend.contents().get(name), Some(bytes), "{name}");
                    }
                    // The new ones lack nothing of what they say they have, and a second repair finds its work done.
                    let hurt: Vec<SnapshotId> = read_data(&repository).hurt.iter().map(|hurt| hurt.snapshot).collect();
                    let old: Vec<SnapshotId> = hurt_before.iter().map(|hurt| hurt.snapshot).collect();
                    assert_eq!(hurt, old);
                    let again = deep_repair(&repository);
                    assert!(
                        again.hurt.iter().all(|hurt| matches!(hurt.outcome, Mended::Already(_) | Mended::Nothing)),
                        "{again:?}"
                    );
                },
            );
        }
    }
    println!("{blocks} blocks lost, {written} snapshots written");
    assert!(blocks > 8 && written > 8, "{blocks} {written}");
}

/// A hole where bytes were lost has the size and times of the file: it must not be taken over for the file.
#[test]
fn what_was_lost_is_read_again_by_the_next_snapshot() {
    let (backend, repository) = small();
    let expected = files(&repository, repository.catalog().unwrap().snapshots[0].manifest.id);
    let data = largest_pack(&backend);
    flip(&backend, &data, 200);
    repair_packs(&repository, &RepairOptions::default()).unwrap();
    let report = repair_snapshots(&repository, &RepairOptions::default()).unwrap();
    assert!(!report.hurt.is_empty(), "packs that are marked are known to be damaged");
    assert!(report.hurt[0].lost_files > 0, "{report:?}");
    let next = take(&repository, "h", MemoryNode::directory(large_tree()));
    assert_eq!(files(&repository, next.snapshot), expected);
    take(&repository, "x", with_attributes());
    let verified = read_data(&repository);
    assert!(verified.is_sound(), "{:?} {:?}", verified.damage, verified.hurt);
    assert_eq!(verified.set_aside.len(), 1);
}

/// Lost directories are written anew as empty ones. An empty directory's tree lay in the pack that is gone, too, where the index still
/// says it is: a new snapshot that believed that would be damaged from the beginning.
#[test]
fn the_new_snapshot_relies_on_nothing_in_packs_that_are_gone_or_damaged() {
    let is_tree_pack = |repository: &Repository, name: &str| directory(repository, name).0 == Kind::TreePack;
    for is_missing in [true, false] {
        let backend = Arc::new(MemoryBackend::new());
        let repository = new_repository(Arc::clone(&backend) as _);
        take(&repository, "h", MemoryNode::directory(large_tree()));
        let trees: Vec<String> =
            names(&backend, "packs/").into_iter().filter(|name| is_tree_pack(&repository, name)).collect();
        let mut more = large_tree();
        more.push(("z", MemoryNode::file("another tree of the root")));
        take(&repository, "h", MemoryNode::directory(more));
        for name in trees {
            match directory(&repository, &name).1.blocks.iter().find(|block| !block.is_padding) {
                Some(block) if !is_missing => flip(&backend, &name, block.offset as usize + 5),
                _ => backend.tamper(&name, None),
            }
        }
        let report = deep_repair(&repository);
        let written: Vec<SnapshotId> = report
            .hurt
            .iter()
            .filter_map(|hurt| if let Mended::Written(new) = hurt.outcome { Some(new) } else { None })
            .collect();
        assert!(!written.is_empty() && report.hurt.iter().any(|hurt| hurt.lost_directories > 0), "{report:?}");
        let verified = read_data(&repository);
        assert!(verified.hurt.iter().all(|hurt| !written.contains(&hurt.snapshot)), "{:?}", verified.hurt);
    }
}

/// A file with many gaps has several findings, and one path: what was compared was never equal, and every run wrote a snapshot.
#[test]
fn a_file_with_very_many_gaps_is_mended_once_even_when_a_tag_changes_meanwhile() {
    let (backend, repository) = small();
    let old = repository.catalog().unwrap().snapshots[0].manifest.id;
    let mut gaps = places(&repository)[&old.to_string()][&b"/r/h"[..]].clone();
    gaps.retain(|(pack, _)| directory(&repository, &ObjectName::Pack(*pack).to_string()).0 == Kind::DataPack);
    lose(&backend, &gaps);
    let report = deep_repair(&repository);
    let [new] = written(&report)[..] else { panic!("{report:?}") };
    let lost = snapshot_of(&repository, new).manifest.findings;
    assert!(lost.count(FindingKind::Lost) > 1, "{lost:?}");
    let again = deep_repair(&repository);
    assert_eq!(again.hurt.iter().map(|hurt| hurt.outcome).collect::<Vec<_>>(), [Mended::Already(new)]);

    let changes = Changes { description: Some("another one".into()), ..Changes::default() };
    amend(&repository, &snapshot_of(&repository, old), &AmendOptions { changes, ..AmendOptions::default() }).unwrap();
    let again = deep_repair(&repository);
    assert_eq!(again.hurt.iter().map(|hurt| hurt.outcome).collect::<Vec<_>>(), [Mended::Already(new)]);
}

/// A snapshot that lacks one file is not what is left when that one is there again and another one is lost.
#[test]
fn each_loss_has_its_own_snapshot_and_they_stand_in_their_order() {
    let (backend, repository) = small();
    let whole = files(&repository, repository.catalog().unwrap().snapshots[0].manifest.id);
    let old = repository.catalog().unwrap().snapshots[0].manifest.id;
    let places = places(&repository)[&old.to_string()].clone();
    let (one, other) = (&places[&b"/r/a"[..]], &places[&b"/r/b"[..]]);
    assert!(one.is_disjoint(other));
    lose(&backend, one);
    let [first] = written(&deep_repair(&repository))[..] else { panic!("one snapshot is hurt") };
    check_new(&repository, &whole, old, first);

    // The first loss is mended, and another one follows.
    lose(&backend, one);
    lose(&backend, other);
    let report = deep_repair(&repository);
    let outcomes: BTreeMap<SnapshotId, Mended> = report.hurt.iter().map(|hurt| (hurt.snapshot, hurt.outcome)).collect();
    let (Mended::Written(second), Mended::Written(both)) = (outcomes[&old], outcomes[&first]) else {
        panic!("{outcomes:?}")
    };
    check_new(&repository, &whole, old, second);
    assert!(lost_ranges(&repository, second).keys().all(|path| path.ends_with(b"/b")));
    assert!(lost_ranges(&repository, both).len() > lost_ranges(&repository, second).len());
    let order = order(&repository, &[old, first, second, both]);
    assert!(order.is_sorted_by(|one, other| one.0 < other.0), "{order:?}");
    let verified: BTreeSet<SnapshotId> = read_data(&repository).hurt.iter().map(|hurt| hurt.snapshot).collect();
    assert_eq!(verified, BTreeSet::from([old, first]));

    // Both at once: what was left of the first one is what is left of the old one.
    lose(&backend, one);
    let report = deep_repair(&repository);
    let outcome = report.hurt.iter().find(|hurt| hurt.snapshot == old).unwrap().outcome;
    assert_eq!(outcome, Mended::Already(both));
    assert_eq!(written(&report), []);
}

#[test]
fn what_a_damaged_index_hides_is_not_taken_for_lost() {
    let (backend, repository) = small();
    let segments = names(&backend, "index/");
    let bytes = backend.contents()[&segments[0]].clone();
    backend.tamper(&segments[0], None);
    let error = repair_snapshots(&repository, &RepairOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    backend.tamper(&segments[0], Some(bytes.slice(..200)));
    let error = repair_snapshots(&repository, &RepairOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    backend.tamper(&segments[0], Some(bytes));
    // A part that does not open: that all of it does is not asked when it is opened.
    let mut refused = 0;
    for segment in &segments {
        let bytes = backend.contents()[segment].clone();
        for place in (224..bytes.len()).step_by(61) {
            flip(&backend, segment, place);
            let before = backend.contents();
            match repair_snapshots(&repository, &RepairOptions::default()) {
                Err(error) => {
                    assert!(matches!(error, Error::Damaged { .. }), "{error}");
                    refused += 1;
                }
                Ok(report) => assert_eq!(report.hurt, [], "byte {place} of {segment}"),
            }
            assert_eq!(backend.contents(), before, "nothing is written, byte {place} of {segment}");
            flip(&backend, segment, place);
        }
    }
    assert!(refused > 10, "{refused}");
    backend.tamper(&segments[0], None);
    repair_index(&repository, &RepairOptions::default()).unwrap();
    assert_eq!(repair_snapshots(&repository, &RepairOptions::default()).unwrap().hurt, []);
}

#[test]
fn a_crash_at_every_change_loses_nothing_and_the_next_repair_ends_it() {
    let (backend, repository) = small();
    let data = largest_pack(&backend);
    flip(&backend, &data, 200);
    let spoilt: BTreeMap<String, Bytes> = backend.contents();
    let hurt: Vec<SnapshotId> = read_data(&repository).hurt.iter().map(|hurt| hurt.snapshot).collect();
    let options = || RepairOptions { depth: Depth::ReadData { share: Share::All }, ..RepairOptions::default() };
    let mut states = 0;
    for last in [LastChange::Lost, LastChange::Done] {
        for changes in 0.. {
            let store = Arc::new(MemoryBackend::new());
            spoilt.iter().for_each(|(name, bytes)| store.tamper(name, Some(bytes.clone())));
            let crashing = Arc::new(CrashingBackend::new(Arc::clone(&store), changes, last));
            let outcome = repair_snapshots(&reopen(Arc::clone(&crashing) as _), &options());
            for (name, bytes) in &spoilt {
                assert_eq!(store.contents().get(name), Some(bytes), "{name}");
            }
            let repository = reopen(Arc::clone(&store) as _);
            let found: Vec<SnapshotId> = read_data(&repository).hurt.iter().map(|hurt| hurt.snapshot).collect();
            assert_eq!(found, hurt, "crash after {changes}");
            if !crashing.has_crashed() {
                outcome.unwrap();
                break;
            }
            states += 1;
            let report = deep_repair(&repository);
            assert!(
                report.hurt.iter().all(|hurt| matches!(hurt.outcome, Mended::Written(_) | Mended::Already(_))),
                "{report:?}"
            );
        }
    }
    println!("{states} states after a crash");
    assert!(states >= 8, "{states}");
}

#[test]
fn another_tag_does_not_make_a_repair_forget_what_it_has_done() {
    let (backend, repository) = small();
    flip(&backend, &largest_pack(&backend), 200);
    let first = deep_repair(&repository);
    assert!(!first.hurt.is_empty());
    for snapshot in repository.catalog().unwrap().snapshots {
        let changes = Changes { add_tags: vec!["seen".into()], ..Changes::default() };
        amend(&repository, &snapshot, &AmendOptions { changes, ..AmendOptions::default() }).unwrap();
    }
    let again = deep_repair(&repository);
    assert_eq!(again.hurt.len(), first.hurt.len());
    assert!(again.hurt.iter().all(|hurt| matches!(hurt.outcome, Mended::Already(_))), "{again:?}");
}
