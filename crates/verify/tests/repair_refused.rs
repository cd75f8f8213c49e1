//! `repair_snapshots` of what a restore refuses although every chunk of it can be read; and of records of large snapshots.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{
    forge::{Forge, counts, directory},
    mended::{deep_repair, snapshot_of, written},
    *,
};
use lbak_core::{
    backend::MemoryBackend,
    id::{ChunkKind, SnapshotId},
    observe::FindingKind,
    repository::Repository,
    source::MemoryNode,
    tree::{Attributes, Content, Entry, EntryFlags, NameRule, Node, Piece, TreeReader, encode_attributes},
};
use lbak_testkit::objects::noise;
use lbak_verify::repair::{FoundAgain, Mended, RepairOptions, repair_snapshots};

fn empty() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    (backend, repository)
}

fn entries(repository: &Repository, rule: NameRule, tree: lbak_core::id::ChunkId) -> Vec<Entry> {
    let view = repository.view().unwrap();
    let reader = repository.reader(&view);
    let read = |kind: ChunkKind, id: &lbak_core::id::ChunkId| reader.read(kind, id);
    TreeReader::open(rule, tree, &read).unwrap().map(Result::unwrap).collect()
}

/// The roots of the snapshot that is written beside this one, which is sound, and is written once; and what it says is lost.
fn mended(repository: &Repository, old: SnapshotId) -> (Vec<Entry>, Vec<(Vec<u8>, String)>) {
    let [new] = written(&deep_repair(repository))[..] else { panic!("one is written") };
    let hurt: Vec<SnapshotId> = read_data(repository).hurt.iter().map(|hurt| hurt.snapshot).collect();
    assert_eq!(hurt, [old]);
    let again = deep_repair(repository);
    assert_eq!(again.hurt.iter().map(|hurt| hurt.outcome).collect::<Vec<_>>(), [Mended::Already(new)]);
    let manifest = snapshot_of(repository, new).manifest;
    let lost = manifest.findings.first.iter().filter(|finding| finding.kind == FindingKind::Lost);
    let lost = lost.map(|finding| (finding.path.clone(), finding.message.clone())).collect();
    (entries(repository, NameRule::AbsolutePath, manifest.root), lost)
}

#[test]
fn attributes_that_are_none_are_lost_and_the_file_is_not() {
    let too_short = Content::Inline(vec![Piece::hole(20_000)]);
    for is_hole in [false, true] {
        let (_, repository) = empty();
        let mut forge = Forge::new(&repository);
        let none = Piece::data(20_000, forge.store(ChunkKind::Data, &noise(2, 20_000)));
        let some = encode_attributes(&[(b"user.a".to_vec(), noise(1, 20_000))]);
        let some = Piece::data(some.len() as u64, forge.store(ChunkKind::Data, &some));
        let mut entry = |name, content| {
            let mut entry = forge.file(name);
            entry.attributes = Attributes::Stored(content);
            entry
        };
        let bad = if is_hole { too_short.clone() } else { Content::Inline(vec![none]) };
        let (bad, good) = (entry("bad", bad), entry("good", Content::Inline(vec![some])));
        let old = forge.commit(vec![bad.clone(), good.clone()], counts(2, 1), 20);
        let (roots, lost) = mended(&repository, old);
        assert_eq!(lost, [(b"/r/bad".to_vec(), "its extended attributes are lost".to_owned())]);
        let Node::Directory { tree } = roots[0].node else { panic!("a directory") };
        let mut left = bad;
        left.attributes = Attributes::None;
        left.flags.insert(EntryFlags::METADATA_INCOMPLETE);
        assert_eq!(entries(&repository, NameRule::Component, tree), [left, good]);
    }
}

#[test]
fn a_root_below_another_is_left_out_and_told() {
    let (_, repository) = empty();
    let mut forge = Forge::new(&repository);
    let files = vec![forge.file("x")];
    let below = forge.tree(files);
    let roots = ["/r", "/r b", "/r/x"].map(|name| directory(name, below)).to_vec();
    let old = forge.commit_roots(roots.clone(), counts(3, 3), 30);
    let (left, lost) = mended(&repository, old);
    assert_eq!(left, roots[..2]);
    let [(path, told)] = &lost[..] else { panic!("{lost:?}") };
    assert!(path == b"/r/x" && told.contains("lies below another, \"/r\""), "{lost:?}");
}

/// How much it held was in the record, and nobody may ask for that: a few thousand entries were let pass, and no more.
#[test]
fn the_lost_record_of_a_large_snapshot_is_found_again() {
    let (backend, repository) = empty();
    let files: Vec<(String, MemoryNode)> =
        (0..10_500).map(|number| (format!("{number:05}"), MemoryNode::file(""))).collect();
    let huge = MemoryNode::sparse_file([(3 << 30, b"end".to_vec())]);
    let tree = MemoryNode::directory([("many", MemoryNode::directory(files)), ("huge", huge)]);
    let report = take(&repository, "h", tree);
    let slot = names(&backend, "snapshots/").remove(0);
    flip(&backend, &slot, 100);
    let repaired = repair_snapshots(&repository, &RepairOptions::default()).unwrap();
    let [slot] = &repaired.slots[..] else { panic!("one slot") };
    let FoundAgain::Snapshots(found) = &slot.found else { panic!("{:?}", slot.found) };
    let manifest = snapshot_of(&repository, found[0]).manifest;
    assert_eq!((manifest.totals, manifest.sizes.logical), (report.totals, report.sizes.logical));
    assert!(structure(&repository).is_sound());
}
