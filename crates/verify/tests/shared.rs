//! Directories and lists that stand at many places: 2^40 of them end, and what is hurt in them is counted wherever they stand.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{
    forge::{Forge, counts, directory, file},
    *,
};
use lbak_core::{
    amend::{AmendOptions, Changes, amend},
    backend::{MemoryBackend, ObjectName},
    id::{ChunkId, ChunkKind, SnapshotId},
    repository::Repository,
    tree::{Content, Entry, ListChild, ListNode, Piece},
};
use lbak_testkit::objects::noise;
use lbak_verify::{
    VerifyReport,
    repair::{FoundAgain, Mended, RepairOptions, repair_packs, repair_snapshots},
};

fn empty() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    (backend, repository)
}

/// A piece that is nowhere.
fn lost_piece() -> Piece {
    Piece::data(10, ChunkId([7; 32]))
}

fn lost_file(name: &str) -> Entry {
    file(name, 10, Content::Inline(vec![lost_piece()]))
}

/// So many levels of directories `a` and `b`, both the one below.
fn doubled(forge: &mut Forge<'_>, levels: usize, mut entries: Vec<Entry>) -> Vec<Entry> {
    for _ in 0..levels {
        let below = forge.tree(entries);
        entries = vec![directory("a", below), directory("b", below)];
    }
    entries
}

/// The paths of a snapshot that somebody who reads all of it does not get.
fn lost_paths(repository: &Repository, snapshot: SnapshotId) -> Vec<Vec<u8>> {
    let files = contents(repository).remove(&snapshot.to_string()).unwrap();
    files.into_iter().filter(|(_, hash)| hash.is_none()).map(|(path, _)| path).collect()
}

fn hurt_of(report: &VerifyReport, snapshot: SnapshotId) -> (&[Vec<u8>], u64) {
    let hurt = report.hurt.iter().find(|hurt| hurt.snapshot == snapshot).unwrap();
    (&hurt.paths, hurt.path_count)
}

#[test]
fn two_to_the_forty_hurt_paths_are_counted() {
    let (_, repository) = empty();
    let mut forge = Forge::new(&repository);
    let leaf = vec![forge.file("sound"), lost_file("x")];
    let entries = doubled(&mut forge, 40, leaf);
    let totals = counts(2 << 40, (2 << 40) - 1);
    let id = forge.commit(entries, totals, 20 << 40);
    for report in [structure(&repository), read_data(&repository)] {
        let (paths, count) = hurt_of(&report, id);
        assert_eq!((paths.len(), count), (100, 1 << 40));
        assert_eq!(paths[0], [&b"/r"[..], &b"/a".repeat(40), b"/x"].concat());
        assert_eq!(paths[1], [&b"/r"[..], &b"/a".repeat(39), b"/b/x"].concat());
        assert!(report.notes.is_empty(), "it counts rightly: {:?}", report.notes);
    }
}

#[test]
fn a_list_of_very_many_pieces_is_asked_once_for_each_of_its_nodes() {
    let (_, repository) = empty();
    let mut forge = Forge::new(&repository);
    let mut all = forge.pieces(1024);
    all[5] = lost_piece();
    let (mut id, mut pieces, mut level) = (forge.list(&ListNode::Pieces(all)), 1024, 0);
    for _ in 0..4 {
        level += 1;
        id = forge.list(&ListNode::Inner { level, children: vec![ListChild { id, pieces, bytes: pieces * 10 }; 512] });
        pieces *= 512;
    }
    let (lost, size) = (Content::List { id, level, pieces }, pieces * 10);
    let entries = vec![file("a", size, lost.clone()), forge.file("b"), file("c", size, lost)];
    let id = forge.commit(entries, counts(3, 1), 2 * size + 10);
    let report = structure(&repository);
    assert_eq!(hurt_of(&report, id), (&[b"/r/a".to_vec(), b"/r/c".to_vec()][..], 2));
}

#[test]
fn what_is_hurt_is_named_and_counted_as_if_nothing_was_shared() {
    for levels in [1, 3, 6, 8] {
        let (_, repository) = empty();
        let mut ids = Vec::new();
        // The second snapshot finds what the first one knows; the third is sound.
        for is_hurt in [true, true, false] {
            let mut forge = Forge::new(&repository);
            let gone = directory("gone", ChunkId([8; 32]));
            let leaf = match is_hurt {
                true => vec![forge.file("e"), gone, lost_file("x")],
                false => vec![forge.file("e")],
            };
            let mut entries = doubled(&mut forge, levels, leaf);
            if is_hurt {
                entries.push(lost_file("z"));
            }
            ids.push(forge.commit(entries, counts(1 << 10, 1 << 10), 10 << 10));
        }
        let report = structure(&repository);
        assert_eq!(report.hurt.len(), 2);
        for &id in &ids[..2] {
            let mut expected = lost_paths(&repository, id);
            expected
                .iter_mut()
                .for_each(|path| path.truncate(path.strip_suffix(b"/*").map_or(path.len(), <[u8]>::len)));
            let (paths, count) = hurt_of(&report, id);
            assert_eq!(count, expected.len() as u64, "{levels}");
            expected.truncate(100);
            assert!(paths == expected, "{levels} levels");
        }
    }
}

/// Of a snapshot that shows far more than it counts nobody gets all: what it needs is needed all the same.
#[test]
fn what_only_an_overfull_snapshot_needs_is_not_set_aside() {
    let (backend, repository) = empty();
    let mut forge = Forge::new(&repository);
    let before = names(&backend, "packs/");
    let piece = Piece::data(100_000, forge.store(ChunkKind::Data, &noise(77, 100_000)));
    let leaf = vec![file("x", 100_000, Content::Inline(vec![piece]))];
    let entries = doubled(&mut forge, 14, leaf);
    let overfull = forge.commit(entries, counts(1, 1), 1 << 40);
    let pack = names(&backend, "packs/")
        .into_iter()
        .find(|name| !before.contains(name) && backend.contents()[name].len() > 90_000);
    let pack = pack.unwrap();
    flip(&backend, &pack, 1000);
    repair_packs(&repository, &RepairOptions::default()).unwrap();
    for report in [structure(&repository), read_data(&repository)] {
        assert_eq!(report.set_aside, []);
        assert!(damaged(&report).contains(&pack.as_str()), "{:?}", report.damage);
        assert!(damaged(&report).contains(&format!("snapshot {overfull}").as_str()), "{:?}", report.damage);
        assert_eq!(hurt_of(&report, overfull), (&[b"/r".to_vec()][..], 1));
    }
}

/// However much of a snapshot is lost: what is there shows too much.
#[test]
fn a_snapshot_that_shows_far_too_much_is_told_although_a_directory_of_it_is_lost() {
    let (_, repository) = empty();
    let mut forge = Forge::new(&repository);
    let leaf = vec![forge.file("e"), directory("gone", ChunkId([8; 32]))];
    let entries = doubled(&mut forge, 14, leaf);
    let id = forge.commit(entries, counts(1, 1), 1 << 40);
    let report = structure(&repository);
    assert_eq!(damaged(&report), ["index".to_owned(), format!("snapshot {id}")], "{:?}", report.damage);
}

#[test]
fn a_snapshot_that_can_not_be_walked_keeps_no_other_from_being_mended() {
    let (_, repository) = empty();
    let mut ids = Vec::new();
    for levels in [14, 0] {
        let mut forge = Forge::new(&repository);
        let leaf = vec![forge.file("e"), lost_file("x")];
        let entries = doubled(&mut forge, levels, leaf);
        ids.push(forge.commit(entries, counts(2, 1), 20));
    }
    for dry_run in [true, false, true, false] {
        let report = repair_snapshots(&repository, &RepairOptions { dry_run, ..RepairOptions::default() }).unwrap();
        let of = |id: SnapshotId| report.hurt.iter().find(|hurt| hurt.snapshot == id).unwrap();
        let (overfull, other) = (of(ids[0]), of(ids[1]));
        assert_eq!((overfull.outcome, overfull.lost_files, overfull.lost_bytes), (Mended::TooMuch, 0, 0));
        let reason = overfull.reason.as_deref().unwrap();
        assert!(reason.contains("far more than the 3 entries that it counts"), "{reason}");
        assert!(!matches!(other.outcome, Mended::TooMuch | Mended::Nothing), "{other:?}");
        assert_eq!((other.lost_files, other.reason.as_deref()), (1, None));
    }
    let written = repository.catalog().unwrap().snapshots.len();
    assert_eq!(written, 3, "one of them, once");
}

/// Its record is lost besides: what it held is found, nobody walks all of that, and so it is said.
#[test]
fn a_lost_record_of_a_snapshot_that_shows_far_too_much_is_told_as_that() {
    let (backend, repository) = empty();
    let mut forge = Forge::new(&repository);
    let leaf = vec![forge.file("e")];
    let entries = doubled(&mut forge, 14, leaf);
    forge.commit(entries, counts(1, 1), 1 << 40);
    let old = repository.catalog().unwrap().snapshots.remove(0);
    // The version before it tells how much it counts.
    let changes = Changes { add_tags: vec!["kept".into()], ..Changes::default() };
    let amended = amend(&repository, &old, &AmendOptions { changes, ..AmendOptions::default() }).unwrap();
    let slot = ObjectName::Snapshot(amended.snapshot.session).to_string();
    flip(&backend, &slot, 200);
    let found = repair_snapshots(&repository, &RepairOptions::default()).unwrap().slots.remove(0);
    let FoundAgain::Unmended(reason) = found.found else { panic!("{found:?}") };
    assert!(reason.contains("far more than the 2 entries that it counts"), "{reason}");
    let report = structure(&repository);
    let aside = report.set_aside.iter().find(|damage| damage.object == slot).unwrap();
    assert!(aside.what.contains("what it held is lost") && aside.what.contains("2 entries"), "{aside:?}");
}

#[test]
fn what_is_wrong_is_told_as_often_whoever_is_heard_first() {
    let (_, repository) = empty();
    let mut forge = Forge::new(&repository);
    let none = forge.store(ChunkKind::List, &noise(9, 100));
    let says = |number: u64| Content::List { id: none, level: 0, pieces: 600 + number };
    let mut entries = Vec::new();
    for above in 0..4 {
        let files = (0..60).map(|number| file(&format!("{number:02}"), 6000, says(above * 60 + number))).collect();
        entries.push(directory(&above.to_string(), forge.tree(files)));
    }
    forge.commit(entries, counts(240, 5), 240 * 6000);
    for _ in 0..20 {
        let report = structure(&repository);
        let [damage] = &report.damage[..] else { panic!("{:?}", report.damage) };
        assert!(damage.object.starts_with("list ") && damage.more == 0, "{damage:?}");
        assert_eq!(hurt_of(&report, report.hurt[0].snapshot).1, 240);
    }
}
