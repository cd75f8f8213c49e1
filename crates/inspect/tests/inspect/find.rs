//! What `find` finds, in which order, and what it does not read.

use lbak_core::{
    metadata::{FileKind, Timestamp},
    observe::FindingKind,
    repository::Repository,
    snapshot::Manifest,
    source::{MemoryNode, MemorySource},
};
use lbak_inspect::{FindOptions, FindReport, find};

use crate::support::{file, folder, lose_packs, packs, shared, take, take_from, text};

fn search(
    repository: &Repository,
    snapshots: &[&Manifest],
    options: &FindOptions,
) -> (Vec<(usize, String)>, FindReport) {
    let mut hits = Vec::new();
    let report = find(repository, snapshots.iter().copied(), options, &mut |hit| {
        let number = snapshots.iter().position(|snapshot| snapshot.id == hit.snapshot.id).expect("one of them");
        hits.push((number, text(hit.path)));
        Ok(())
    });
    (hits, report.expect("find"))
}

fn patterns(patterns: &[&str]) -> FindOptions {
    FindOptions { patterns: patterns.iter().map(|&pattern| pattern.into()).collect(), ..Default::default() }
}

fn found(tree: MemoryNode, options: &FindOptions) -> Vec<String> {
    let (_, repository) = shared();
    let manifest = take(&repository, tree);
    search(&repository, &[&manifest], options).0.into_iter().map(|(_, path)| path).collect()
}

fn tree() -> MemoryNode {
    let aged = |seconds, mut node: MemoryNode| {
        node.metadata.mtime = Timestamp { seconds, nanoseconds: 0 };
        node
    };
    folder([
        ("a.txt", aged(100, file("one"))),
        ("b.TXT", aged(200, file("twenty"))),
        ("deep", folder([("a.txt", aged(300, file(""))), ("down", folder([("a.txt", aged(400, file("four")))]))])),
        ("fifo", MemoryNode::special(FileKind::Fifo, 0, 0)),
        ("link", MemoryNode::symlink("a.txt")),
    ])
}

#[test]
fn names_match_anywhere_and_paths_where_they_are() {
    assert_eq!(found(tree(), &patterns(&["a.txt"])), ["/r/a.txt", "/r/deep/a.txt", "/r/deep/down/a.txt"]);
    assert_eq!(found(tree(), &patterns(&["/r/a.txt"])), ["/r/a.txt"]);
    assert_eq!(found(tree(), &patterns(&["/r/*/a.txt"])), ["/r/deep/a.txt"]);
    assert_eq!(found(tree(), &patterns(&["deep/*.txt"])), ["/r/deep/a.txt"]);
    assert_eq!(found(tree(), &patterns(&["/r/**/a.txt"])), ["/r/a.txt", "/r/deep/a.txt", "/r/deep/down/a.txt"]);
    assert_eq!(found(tree(), &patterns(&["r"])), ["/r"], "a root is found by its last name");
    assert_eq!(found(tree(), &patterns(&["*.txt", "!/r/a.txt"])), ["/r/deep/a.txt", "/r/deep/down/a.txt"]);
    let any_case = FindOptions { patterns_any_case: vec!["*.txt".into()], ..Default::default() };
    assert_eq!(found(tree(), &any_case).len(), 4);
    assert_eq!(found(tree(), &FindOptions::default()).len(), 9, "without conditions everything is found");
}

#[test]
fn every_condition_narrows() {
    let at = |seconds| Some(Timestamp { seconds, nanoseconds: 0 });
    let txt = || patterns(&["*.txt"]);
    assert_eq!(found(tree(), &FindOptions { newer: at(300), ..txt() }), ["/r/deep/a.txt", "/r/deep/down/a.txt"]);
    assert_eq!(found(tree(), &FindOptions { older: at(300), ..txt() }), ["/r/a.txt"]);
    assert_eq!(found(tree(), &FindOptions { larger: Some(4), ..Default::default() }), ["/r/b.TXT"]);
    assert_eq!(found(tree(), &FindOptions { smaller: Some(1), ..Default::default() }), ["/r/deep/a.txt"]);
    let kinds = vec![FileKind::Symlink, FileKind::Fifo];
    assert_eq!(found(tree(), &FindOptions { kinds, ..Default::default() }), ["/r/fifo", "/r/link"]);
}

#[test]
fn a_pattern_that_says_nothing_is_refused() {
    let (_, repository) = shared();
    let manifest = take(&repository, tree());
    for pattern in ["# a comment", "", "/", "[a"] {
        let outcome = find(&repository, [&manifest], &patterns(&[pattern]), &mut |_| Ok(()));
        assert!(outcome.is_err(), "{pattern:?}");
    }
}

#[test]
fn snapshots_are_shown_one_after_the_other_as_given() {
    let (_, repository) = shared();
    let first = take(&repository, folder([("a", file("1")), ("b", file("1"))]));
    let second = take(&repository, folder([("a", file("2"))]));
    let (hits, report) = search(&repository, &[&second, &first], &patterns(&["a", "b"]));
    let expected = [(0, "/r/a".to_owned()), (1, "/r/a".to_owned()), (1, "/r/b".to_owned())];
    assert_eq!(hits, expected);
    assert_eq!((report.hits, report.snapshots, report.searched), (3, 2, 2));
    let (_, report) = search(&repository, &[&second, &first], &patterns(&["b"]));
    assert_eq!((report.hits, report.snapshots, report.searched), (1, 1, 2));
}

#[test]
fn a_directory_without_a_match_is_read_once_for_all_snapshots() {
    let (_, repository) = shared();
    let with = |content: &str| {
        folder([
            ("changes", folder([("wanted", file(content))])),
            ("stays", folder([("x", folder([("y", file("1"))])), ("z", folder([("y", file("1"))]))])),
        ])
    };
    let snapshots: Vec<Manifest> = (0..10).map(|number| take(&repository, with(&number.to_string()))).collect();
    let snapshots: Vec<&Manifest> = snapshots.iter().collect();
    let (hits, report) = search(&repository, &snapshots, &patterns(&["wanted"]));
    assert_eq!(hits.len(), 10);
    // Each time the roots, /r and /r/changes; once /r/stays, x and z.
    assert_eq!(report.directories_read, 10 * 3 + 3);
    let (_, report) = search(&repository, &snapshots, &patterns(&["/r/changes/wanted"]));
    assert_eq!(report.directories_read, 10 * 3, "what an absolute path does not lead through is not read");
    let same: Vec<&Manifest> = std::iter::repeat_n(snapshots[0], 10).collect();
    assert_eq!(search(&repository, &same, &patterns(&["nothing"])).1.directories_read, 6);
}

#[test]
fn equal_directories_at_other_places_are_looked_into() {
    let twice = || folder([("a", folder([("x", file("1"))])), ("b", folder([("x", file("1"))]))]);
    assert_eq!(found(twice(), &patterns(&["/r/b/x"])), ["/r/b/x"]);
    assert_eq!(found(twice(), &patterns(&["b/x"])), ["/r/b/x"]);
}

#[test]
fn damage_costs_what_lies_in_it_and_is_told_for_each_snapshot() {
    let (backend, repository) = shared();
    let stays = || folder([("wanted", file("1"))]);
    take(&repository, folder([("stays", stays())]));
    let old = packs(&backend);
    let second = take(&repository, folder([("stays", stays()), ("wanted", file("2"))]));
    let third = take(&repository, folder([("stays", stays()), ("wanted", file("3"))]));
    old.iter().for_each(|name| backend.tamper(name, None));
    let (hits, report) = search(&repository, &[&third, &second], &patterns(&["wanted"]));
    assert_eq!(hits, [(0, "/r/wanted".to_owned()), (1, "/r/wanted".to_owned())]);
    assert_eq!(report.lost, 2);
    let lost = report.findings.iter().filter(|finding| finding.kind == FindingKind::Lost);
    assert_eq!(lost.map(|finding| text(&finding.path)).collect::<Vec<_>>(), ["/r/stays", "/r/stays"]);

    lose_packs(&backend);
    let (hits, report) = search(&repository, &[&third], &patterns(&["wanted"]));
    assert!(hits.is_empty() && report.lost > 0);
}

#[test]
fn several_roots_and_deep_trees_are_walked() {
    let mut deep = folder([("bottom", file("x"))]);
    for _ in 0..2_000 {
        deep = folder([("d", deep)]);
    }
    let (_, repository) = shared();
    let manifest = take_from(&repository, &MemorySource::new([("/a", deep), ("/b/bottom", file("y"))]));
    let everything = take_from(&repository, &MemorySource::new([("/", folder([("a", folder([("x", file("1"))]))]))]));
    for pattern in ["/a/x", "a/x", "x"] {
        let (hits, _) = search(&repository, &[&everything], &patterns(&[pattern]));
        assert_eq!(hits, [(0, "/a/x".to_owned())], "{pattern}");
    }
    let (hits, _) = search(&repository, &[&manifest], &patterns(&["bottom"]));
    assert_eq!(hits.len(), 2);
    assert_eq!(hits[1].1, "/b/bottom");
}
