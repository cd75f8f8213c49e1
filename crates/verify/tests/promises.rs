//! What several refer to is compared with what each of them says: what verify calls sound, nobody who reads refuses.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{
    forge::{Forge, counts, directory, entry, file},
    *,
};
use lbak_core::{
    backend::{Backend, MemoryBackend},
    capture::{SnapshotOptions, snapshot},
    codec::Kind,
    id::{ChunkId, ChunkKind},
    index::SegmentBuilder,
    repository::Repository,
    source::{MemoryNode, MemorySource},
    tree::{Attributes, Content, Entry, ListChild, ListNode, Node, Piece, TreeChild, encode_attributes},
};
use lbak_testkit::objects::noise;
use lbak_verify::VerifyReport;

fn empty() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    (backend, repository)
}

/// What a report says of one snapshot: the paths that are hurt.
fn hurt_paths(report: &VerifyReport) -> Vec<String> {
    let paths = report.hurt.iter().flat_map(|hurt| hurt.paths.clone());
    paths.map(|path| String::from_utf8(path).unwrap()).collect()
}

/// The paths that somebody who reads all of them does not get.
fn lost_paths(repository: &Repository) -> Vec<String> {
    let files = contents(repository).into_values().flatten();
    let lost = files.filter(|(_, hash)| hash.is_none()).map(|(path, _)| String::from_utf8(path).unwrap());
    lost.map(|path| path.trim_end_matches("/*").to_owned()).collect()
}

/// Verifies a snapshot of these entries, and that just what it says is what can not be read.
fn check(make: impl FnOnce(&mut Forge<'_>) -> Vec<Entry>, expected: &[&str]) -> VerifyReport {
    let (_, repository) = empty();
    let mut forge = Forge::new(&repository);
    let entries = make(&mut forge);
    forge.commit(entries, counts(100, 100), 1 << 20);
    let report = structure(&repository);
    assert_eq!(lost_paths(&repository), expected, "{:?}", report.damage);
    assert_eq!(hurt_paths(&report), expected, "{:?}", report.damage);
    assert_eq!(report.is_sound(), expected.is_empty());
    let deep = read_data(&repository);
    assert_eq!(deep.damage, report.damage);
    report
}

#[test]
fn a_list_is_compared_with_what_every_file_says_of_it() {
    let right = (0, 600, 6000);
    // By name the truth is met first, or the lie.
    for (is_truth_first, lie) in [true, false]
        .into_iter()
        .flat_map(|first| [(0, 600, 6001), (0, 601, 6000), (1, 600, 6000)].map(|lie| (first, lie)))
    {
        for is_apart in [false, true] {
            let (told, path) = match (is_truth_first, is_apart) {
                (true, false) => (("a", "b"), "/r/b"),
                (false, false) => (("b", "a"), "/r/a"),
                (true, true) => (("a", "b"), "/r/d/b"),
                (false, true) => (("b", "a"), "/r/d/a"),
            };
            let report = check(
                |forge| {
                    let pieces = forge.pieces(600);
                    let id = forge.list(&ListNode::Pieces(pieces));
                    let says = |name, (level, pieces, size)| file(name, size, Content::List { id, level, pieces });
                    let (truth, lie) = (says(told.0, right), says(told.1, lie));
                    let mut entries = match is_apart {
                        true => vec![directory("d", forge.tree(vec![lie])), truth],
                        false => vec![truth, lie],
                    };
                    entries.sort_by(|one, other| one.name.cmp(&other.name));
                    entries
                },
                &[path],
            );
            let [damage] = &report.damage[..] else { panic!("{:?}", report.damage) };
            assert!(damage.object.starts_with("list ") && damage.more == 0, "{damage:?}");
            let said = format!("{} pieces with {} bytes at level {}", lie.1, lie.2, lie.0);
            assert!(damage.what.contains("tree ") && damage.what.contains(&said), "{damage:?}");
            assert!(damage.what.contains("it holds 600 pieces with 6000 bytes at level 0"), "{damage:?}");
        }
    }
}

#[test]
fn a_list_is_compared_with_what_every_list_above_says_of_it() {
    let report = check(
        |forge| {
            let pieces = forge.pieces(600);
            let leaf = forge.list(&ListNode::Pieces(pieces));
            let mut inner = |bytes| {
                let children = vec![ListChild { id: leaf, pieces: 600, bytes }; 2];
                forge.list(&ListNode::Inner { level: 1, children })
            };
            let (truth, lie) = (inner(6000), inner(6001));
            let of = |name, id, size| file(name, size, Content::List { id, level: 1, pieces: 1200 });
            vec![of("a", truth, 12_000), of("b", lie, 12_002), of("c", truth, 12_000)]
        },
        &["/r/b"],
    );
    assert!(report.damage[0].what.contains("list "), "{:?}", report.damage);
}

/// A run of five names that is a directory of its own, too.
fn run(forge: &mut Forge<'_>) -> ChunkId {
    let entries = ["m1", "m2", "m3", "m4", "m5"].map(|name| forge.file(name)).to_vec();
    forge.tree(entries)
}

#[test]
fn a_run_is_compared_with_what_every_directory_says_of_it() {
    let child = |id, entries, last: &str| TreeChild { id, entries, last: last.as_bytes().to_vec() };
    // What is said of it: how many entries, the last of them, of which level, behind which name.
    for (entries, last, level, after) in
        [(6, "m5", 1, "l"), (5, "m6", 1, "l"), (5, "m5", 2, "l"), (5, "m5", 1, "m1"), (5, "m5", 1, "m3")]
    {
        for (truth, lie) in [("a", "b"), ("b", "a")] {
            for is_alone in [true, false] {
                let lost = format!("/r/{lie}");
                check(
                    |forge| {
                        let run = run(forge);
                        let before = |forge: &mut Forge<'_>, name: &str| {
                            let entries = vec![forge.file(name)];
                            let id = forge.tree(entries);
                            // One level up for a run that is said to be an inner node.
                            child(id, 1, name)
                        };
                        let honest = match is_alone {
                            // The very run is a directory.
                            true => run,
                            false => {
                                let before = before(forge, "l");
                                forge.inner_tree(1, vec![before, child(run, 5, "m5")])
                            }
                        };
                        let mut before = before(forge, after);
                        if level == 2 {
                            before.id = forge.inner_tree(1, vec![before.clone()]);
                        }
                        let false_one = forge.inner_tree(level, vec![before, child(run, entries, last)]);
                        let mut entries = vec![directory(truth, honest), directory(lie, false_one)];
                        entries.sort_by(|one, other| one.name.cmp(&other.name));
                        entries
                    },
                    &[&lost],
                );
            }
        }
    }
}

/// Only the names of the first run tell whether all of a node comes behind a name, however many levels lie between.
#[test]
fn the_first_run_of_a_shared_node_is_compared_with_what_every_directory_says_of_the_node() {
    let child = |id, entries, last: &str| TreeChild { id, entries, last: last.as_bytes().to_vec() };
    // Who lies deeper is met later. Side by side, threads decide.
    let places = [("a", "b"), ("b", "a"), ("a", "d/b"), ("d/b", "a"), ("d/a", "b"), ("b", "d/a")];
    for ((truth, lie), levels) in places.into_iter().flat_map(|places| (1..4).map(move |levels| (places, levels))) {
        let lost = format!("/r/{lie}");
        let report = check(
            |forge| {
                let first = child(run(forge), 5, "m5");
                let entries = vec![forge.file("n1")];
                let second = child(forge.tree(entries), 1, "n1");
                let mut shared = child(forge.inner_tree(1, vec![first, second]), 6, "n1");
                for level in 2..=levels {
                    shared.id = forge.inner_tree(level, vec![shared.clone()]);
                }
                let mut above = |before: &str| {
                    let entries = vec![forge.file(before)];
                    let mut before = child(forge.tree(entries), 1, before);
                    for level in 1..=levels {
                        before.id = forge.inner_tree(level, vec![before.clone()]);
                    }
                    forge.inner_tree(levels + 1, vec![before, shared.clone()])
                };
                // Its own last names all come behind this one.
                let (honest, false_one) = (above("l"), above("m3"));
                let mut entries = Vec::new();
                for (path, tree) in [(truth, honest), (lie, false_one)] {
                    entries.push(match path.split_once('/') {
                        Some((above, name)) => directory(above, forge.tree(vec![directory(name, tree)])),
                        None => directory(path, tree),
                    });
                }
                entries.sort_by(|one, other| one.name.cmp(&other.name));
                entries
            },
            &[&lost],
        );
        let [damage] = &report.damage[..] else { panic!("{:?}", report.damage) };
        assert!(damage.what.contains("names behind \"m3\"") && damage.more == 0, "{damage:?}");
    }
}

/// A list of roots is no directory, and a directory no list of roots.
#[test]
fn a_tree_is_compared_with_what_kind_of_names_it_is_said_to_hold() {
    let (_, repository) = empty();
    let mut forge = Forge::new(&repository);
    let entries = vec![forge.file("x")];
    let below = forge.tree(entries);
    let list = forge.tree(vec![directory("/r", below)]);
    let lie = forge.tree(vec![directory("sub", list)]);
    forge.commit_roots(vec![directory("/r", lie)], counts(1, 3), 10);
    // Sessions are met in the order of their names, which are random: some of these before that one.
    for _ in 0..10 {
        Forge::new(&repository).commit_roots(vec![directory("/r", below)], counts(1, 1), 10);
    }
    let report = structure(&repository);
    assert_eq!(hurt_paths(&report), ["/r/sub"], "{:?}", report.damage);
    assert!(report.damage.len() == 1 && report.damage[0].object.starts_with("tree "), "{:?}", report.damage);
}

#[test]
fn a_root_below_another_is_damage() {
    let (_, repository) = empty();
    let mut forge = Forge::new(&repository);
    let entries = vec![forge.file("x")];
    let below = forge.tree(entries);
    let roots = ["/r", "/r b", "/r/x"].map(|name| directory(name, below)).to_vec();
    forge.commit_roots(roots, counts(3, 3), 30);
    let report = structure(&repository);
    assert_eq!(hurt_paths(&report), ["/r/x"]);
    assert!(report.damage[0].what.contains("\"/r/x\" lies below another, \"/r\""), "{:?}", report.damage);
}

/// What would be damaged from the beginning is not taken.
#[test]
fn a_source_with_a_root_below_another_is_refused() {
    let (backend, repository) = empty();
    let tree = || MemoryNode::directory([("x", MemoryNode::file("x"))]);
    let nested = MemorySource::new([("/r", tree()), ("/r b", tree()), ("/r/x", tree())]);
    let before = backend.contents();
    let error = snapshot(&repository, &nested, &SnapshotOptions::default()).unwrap_err();
    assert!(error.to_string().contains("root \"/r/x\" lies below another, \"/r\""), "{error}");
    assert!(backend.contents() == before);
    let side_by_side = MemorySource::new([("/r", tree()), ("/r b", tree()), ("/rx", tree())]);
    snapshot(&repository, &side_by_side, &SnapshotOptions::default()).unwrap();
    assert!(structure(&repository).is_sound());
}

/// They are read where data is read, and must be what a restore can set.
#[test]
fn attributes_that_are_none_are_damage() {
    let pairs = |length: usize| encode_attributes(&[(b"user.a".to_vec(), noise(1, length))]);
    let cases = [(pairs(20_000), true), (noise(2, 20_000), false), ([&pairs(20_000)[..], b"more"].concat(), false)];
    for (bytes, is_right) in cases {
        let (_, repository) = empty();
        let mut forge = Forge::new(&repository);
        let mut entry = forge.file("a");
        let length = bytes.len() as u64;
        entry.attributes =
            Attributes::Stored(Content::Inline(vec![Piece::data(length, forge.store(ChunkKind::Data, &bytes))]));
        forge.commit(vec![entry], counts(1, 1), 10);
        assert!(structure(&repository).is_sound(), "that takes reading");
        let report = read_data(&repository);
        assert_eq!(report.is_sound(), is_right, "{:?}", report.damage);
        if let [damage] = &report.damage[..] {
            assert!(damage.object.starts_with("tree ") && damage.what.contains("extended attributes"), "{damage:?}");
            assert_eq!(hurt_paths(&report), ["/r/a"]);
        }
    }
    let (_, repository) = empty();
    let mut forge = Forge::new(&repository);
    let mut entry = forge.file("a");
    entry.attributes = Attributes::Stored(Content::Inline(vec![Piece::hole(20_000)]));
    forge.commit(vec![entry], counts(1, 1), 10);
    assert!(!read_data(&repository).is_sound());
}

/// Whoever is wrong about the length of a chunk is named: the tree here, the index there; and what each says.
#[test]
fn who_is_wrong_about_a_length_is_named() {
    for is_listed in [false, true] {
        let (_, repository) = empty();
        let mut forge = Forge::new(&repository);
        let mut pieces = forge.pieces(600);
        pieces[5].length = 11;
        let (size, content) = match is_listed {
            false => (11, Content::Inline(vec![pieces[5]])),
            true => (6001, Content::List { id: forge.list(&ListNode::Pieces(pieces)), level: 0, pieces: 600 }),
        };
        let entries = vec![file("a", size, content), forge.file("b")];
        forge.commit(entries, counts(2, 1), size + 10);
        let report = structure(&repository);
        let [damage] = &report.damage[..] else { panic!("{:?}", report.damage) };
        assert!(damage.object.starts_with(if is_listed { "list " } else { "tree " }), "{damage:?}");
        assert!(damage.what.contains("has 11 bytes, the index says 10, and 10 is what it has"), "{damage:?}");
        assert_eq!(hurt_paths(&report), ["/r/a"]);
    }
}

#[test]
fn an_index_that_is_wrong_about_a_length_is_named() {
    let (backend, repository) = empty();
    let mut forge = Forge::new(&repository);
    let entries = vec![forge.file("a")];
    forge.commit(entries, counts(1, 1), 10);
    let name = names(&backend, "index/").remove(0);
    let view = repository.view().unwrap();
    let segment = view.index.segments().remove(0);
    let mut builder = SegmentBuilder::new();
    for row in segment.pack_rows().unwrap() {
        let pack = lbak_core::backend::ObjectName::Pack(row.id).to_string();
        let mut rows = lbak_core::store::chunk_rows(&common::directory(&repository, &pack).1);
        rows.iter_mut().filter(|row| row.kind == ChunkKind::Data).for_each(|row| row.length -= 1);
        builder.add_pack(*row, &rows).unwrap();
    }
    let (wrong, sealed) = builder.finish(repository.codec(), Kind::Segment, segment.session()).unwrap();
    backend.tamper(&name, None);
    backend.put(&wrong, &sealed).unwrap();
    let report = structure(&repository);
    let [damage] = &report.damage[..] else { panic!("{:?}", report.damage) };
    assert_eq!(damage.object, "index");
    assert!(damage.what.contains("tree ") && damage.what.contains("has 10 bytes, the index says 9"), "{damage:?}");
}

/// Directories that are shared, of several snapshots: counted wherever they are met, opened once.
#[test]
fn what_a_snapshot_counts_is_compared_with_what_it_holds() {
    let notes = |report: &VerifyReport| {
        report.notes.iter().filter(|note| note.contains(" counts ")).cloned().collect::<Vec<_>>()
    };
    let make = |forge: &mut Forge<'_>| {
        let entries =
            vec![forge.file("x"), entry("y", Node::Symlink { target: b"x".to_vec() }), entry("z", Node::Fifo)];
        let below = forge.tree(entries);
        let twice = forge.tree(vec![directory("a", below), directory("b", below)]);
        vec![directory("c", twice), directory("d", twice), directory("e", below), forge.file("f")]
    };
    let (_, repository) = empty();
    let right = lbak_core::snapshot::Totals { files: 6, directories: 8, links: 5, others: 5 };
    for (totals, logical, is_right) in [
        (right, 60, true),
        (right, 61, false),
        (lbak_core::snapshot::Totals { files: 7, ..right }, 60, false),
        (lbak_core::snapshot::Totals { directories: 0, ..right }, 60, false),
        (lbak_core::snapshot::Totals { links: 6, ..right }, 60, false),
        (lbak_core::snapshot::Totals { others: 6, ..right }, 60, false),
        (right, 60, true),
    ] {
        let before = notes(&structure(&repository)).len();
        let mut forge = Forge::new(&repository);
        let entries = make(&mut forge);
        let id = forge.commit(entries, totals, logical);
        let report = structure(&repository);
        assert!(report.is_sound(), "nothing is lost: {:?}", report.damage);
        let told = notes(&report);
        assert_eq!(told.len(), before + usize::from(!is_right), "{told:?}");
        let is_of = |note: &&String| note.contains(&id.to_string());
        let holds = "holds 6 files of 60 bytes, 8 directories, 5 links, 5 others";
        assert!(told.iter().filter(is_of).all(|note| note.contains(holds)), "{told:?}");
        assert_eq!(told.iter().any(|note| is_of(&note)), !is_right, "{told:?}");
    }
}

/// Restore, ls and find stop where there is far more than a snapshot counts: so it is damage.
#[test]
fn a_snapshot_that_holds_far_more_than_it_counts_is_damage() {
    let (_, repository) = empty();
    let mut ids = Vec::new();
    for is_counted in [true, false] {
        let mut forge = Forge::new(&repository);
        let mut tree = vec![forge.file("x")];
        for _ in 0..14 {
            let below = forge.tree(tree);
            tree = vec![directory("a", below), directory("b", below)];
        }
        let totals = if is_counted { counts(1 << 14, (1 << 15) - 1) } else { counts(1, 29) };
        ids.push(forge.commit(tree, totals, 10 << 14));
    }
    let report = structure(&repository);
    assert_eq!(damaged(&report), [format!("snapshot {}", ids[1])]);
    assert!(report.damage[0].what.contains("far more than the 30 entries"), "{:?}", report.damage);
    assert_eq!(hurt_paths(&report), ["/r"]);
    assert_eq!(report.hurt[0].snapshot, ids[1]);
}

#[test]
fn honest_snapshots_count_what_they_hold() {
    let (_, repository) = empty();
    take(&repository, "h", MemoryNode::directory(large_tree()));
    let mut more = large_tree();
    more.push(("z", MemoryNode::directory([("new", MemoryNode::file(noise(50, 200_000)))])));
    take(&repository, "h", MemoryNode::directory(more));
    take(&repository, "x", with_attributes());
    take(&repository, "y", MemoryNode::file("one file"));
    let many: Vec<(String, MemoryNode)> =
        (0..6000).map(|number| (format!("{number:05}"), MemoryNode::file(number.to_string()))).collect();
    take(&repository, "z", MemoryNode::directory(many));
    let report = read_data(&repository);
    assert!(report.is_sound() && report.notes.is_empty(), "{report:?}");
}
