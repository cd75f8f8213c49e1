//! Differences between snapshots, against a naive comparison.

use std::collections::BTreeMap;

use lbak_core::{
    error::Error,
    metadata::{FileKind, Timestamp},
    repository::Repository,
    snapshot::Manifest,
    source::{MemoryNode, MemorySource},
};
use lbak_inspect::{ChangeKind, DiffOptions, DiffReport, DiffSide, MetadataField, diff};
use lbak_testkit::objects::noise;

use crate::support::{file, folder, packs, shared, take, take_from, text};

type Told = Vec<(ChangeKind, String)>;

fn side<'a>(snapshot: &'a Manifest, path: Option<&'a str>) -> DiffSide<'a> {
    DiffSide { snapshot, path: path.map(str::as_bytes) }
}

fn compare(repository: &Repository, before: DiffSide<'_>, after: DiffSide<'_>) -> (Told, DiffReport) {
    let mut told = Told::new();
    let report = diff(repository, before, after, &DiffOptions::default(), &mut |change| {
        told.push((change.kind, text(change.path)));
        Ok(())
    });
    (told, report.expect("diff"))
}

#[test]
fn every_kind_of_change_is_told_in_the_order_of_names() {
    let (_, repository) = shared();
    let one = take(
        &repository,
        folder([
            ("a", file("same")),
            ("b", file("before")),
            ("gone", folder([("x", file("12345"))])),
            ("link", MemoryNode::symlink("old")),
            ("node", MemoryNode::special(FileKind::CharacterDevice, 1, 2)),
            ("turns", folder([("inside", file("1"))])),
        ]),
    );
    let other = take(
        &repository,
        folder([
            ("a", file("same")),
            ("b", file("after!")),
            ("link", MemoryNode::symlink("new")),
            ("new", folder([("y", file("123"))])),
            ("node", MemoryNode::special(FileKind::CharacterDevice, 1, 3)),
            ("turns", file("a file now")),
        ]),
    );
    use ChangeKind::{Added, Modified, Removed, Type};
    let (told, report) = compare(&repository, side(&one, None), side(&other, None));
    let expected = [
        (Modified, "/r/b"),
        (Removed, "/r/gone"),
        (Removed, "/r/gone/x"),
        (Modified, "/r/link"),
        (Added, "/r/new"),
        (Added, "/r/new/y"),
        (Modified, "/r/node"),
        (Type, "/r/turns"),
        (Removed, "/r/turns/inside"),
    ];
    assert_eq!(told, expected.map(|(kind, path)| (kind, path.to_owned())));
    let differing = report.differing;
    let counts = |counts: lbak_inspect::ChangeCounts| (counts.files, counts.directories, counts.others, counts.bytes);
    assert_eq!(counts(differing.added), (2, 1, 0, 13));
    assert_eq!(counts(differing.removed), (2, 2, 0, 6));
    assert_eq!(counts(differing.modified), (1, 0, 2, 6));
    assert_eq!((differing.new_bytes, differing.gone_bytes), (Some(6), Some(6)));
    assert!(report.in_common && differing.is_any());

    let (told, report) = compare(&repository, side(&one, None), side(&one, None));
    assert!(told.is_empty() && report.in_common && !report.differing.is_any());
}

#[test]
fn metadata_is_told_when_it_is_asked_for() {
    let (_, repository) = shared();
    let changed = |change: &dyn Fn(&mut MemoryNode)| {
        let mut node = file("content");
        change(&mut node);
        node
    };
    let one = take(
        &repository,
        folder([("g", file("content")), ("m", file("content")), ("o", file("content")), ("t", file("content"))]),
    );
    let other = take(
        &repository,
        folder([
            ("g", changed(&|node| node.metadata.gid = 7)),
            ("m", changed(&|node| node.metadata.mode = 0o600)),
            ("o", changed(&|node| node.attributes = vec![(b"user.x".to_vec(), b"1".to_vec())])),
            ("t", changed(&|node| node.metadata.mtime = Timestamp { seconds: 9, nanoseconds: 0 })),
        ]),
    );
    let (told, _) = compare(&repository, side(&one, None), side(&other, None));
    assert!(told.is_empty(), "{told:?}");
    let mut told = Vec::new();
    let options = DiffOptions { metadata: true, ..Default::default() };
    let report = diff(&repository, side(&one, None), side(&other, None), &options, &mut |change| {
        assert_eq!(change.kind, ChangeKind::Metadata);
        told.push((text(change.path), change.fields.to_vec()));
        Ok(())
    });
    let expected = [
        ("/r/g".to_owned(), vec![MetadataField::Group]),
        ("/r/m".to_owned(), vec![MetadataField::Mode]),
        ("/r/o".to_owned(), vec![MetadataField::Attributes]),
        ("/r/t".to_owned(), vec![MetadataField::Mtime]),
    ];
    assert_eq!(told, expected);
    assert_eq!(report.expect("diff").differing.metadata.files, 4);
}

#[test]
fn a_file_that_changed_though_no_time_did_is_silent() {
    let (_, repository) = shared();
    let one = take(&repository, folder([("a", file("one")), ("b", file("one"))]));
    let mut touched = file("two");
    touched.metadata.mtime.seconds = 1;
    let other = take(&repository, folder([("a", file("two")), ("b", touched)]));
    let mut told = Vec::new();
    let report = diff(&repository, side(&one, None), side(&other, None), &DiffOptions::default(), &mut |change| {
        told.push(change.is_silent);
        Ok(())
    });
    report.expect("diff");
    assert_eq!(told, [true, false]);
}

#[test]
fn parts_are_compared_by_the_paths_below_them() {
    let (_, repository) = shared();
    let tree = folder([("x", folder([("a", file("1")), ("b", file("2"))])), ("y", folder([("a", file("3"))]))]);
    let manifest = take(&repository, tree);
    let (told, _) = compare(&repository, side(&manifest, Some("x")), side(&manifest, Some("/r/y")));
    assert_eq!(told, [(ChangeKind::Modified, "a".to_owned()), (ChangeKind::Removed, "b".to_owned())]);
    let (told, _) = compare(&repository, side(&manifest, Some("x/a")), side(&manifest, Some("x/b")));
    assert_eq!(told, [(ChangeKind::Modified, ".".to_owned())]);
    let (told, _) = compare(&repository, side(&manifest, Some("x")), side(&manifest, Some("x")));
    assert!(told.is_empty());

    let several = take_from(&repository, &MemorySource::new([("/p", file("1")), ("/q", file("2"))]));
    let outcome =
        diff(&repository, side(&manifest, Some("x")), side(&several, None), &Default::default(), &mut |_| Ok(()));
    assert!(matches!(outcome, Err(Error::Invalid { .. })));
    let missing =
        diff(&repository, side(&manifest, Some("z")), side(&manifest, None), &Default::default(), &mut |_| Ok(()));
    assert!(matches!(missing, Err(Error::NotInSnapshot { .. })));
    let (told, report) = compare(&repository, side(&manifest, None), side(&several, None));
    assert!(!report.in_common && told.len() > 3);
}

#[test]
fn new_bytes_are_those_of_pieces_that_were_not_there() {
    let (_, repository) = shared();
    let before = noise(1, 12 << 20);
    let mut after = before.clone();
    after[6 << 20] ^= 1;
    let one = take(&repository, folder([("large", MemoryNode::file(before))]));
    let other = take(&repository, folder([("large", MemoryNode::file(after))]));
    let (_, report) = compare(&repository, side(&one, None), side(&other, None));
    let (new, gone) = (report.differing.new_bytes.expect("told"), report.differing.gone_bytes.expect("told"));
    assert!((1..=8 << 20).contains(&new) && (1..=8 << 20).contains(&gone), "{new} {gone}");
    assert_eq!(report.differing.modified.bytes, 12 << 20);
}

#[test]
fn what_damage_hides_is_neither_added_nor_removed() {
    let (backend, repository) = shared();
    let one = take(&repository, folder([("d", folder([("x", file("1")), ("y", file("1"))])), ("k", file("1"))]));
    let old = packs(&backend);
    let other = take(&repository, folder([("d", folder([("x", file("2"))])), ("k", file("2"))]));
    let old_roots: Vec<String> = old.clone();
    old_roots.iter().for_each(|name| backend.tamper(name, None));
    // The first snapshot has lost everything: nothing can be said of it.
    let (told, report) = compare(&repository, side(&one, None), side(&other, None));
    assert!(told.is_empty(), "{told:?}");
    assert!(report.lost > 0);

    let (backend, repository) = shared();
    let stays = || folder([("x", file("1"))]);
    take(&repository, folder([("d", stays())]));
    let old = packs(&backend);
    let one = take(&repository, folder([("d", stays()), ("k", file("1"))]));
    let other = take(&repository, folder([("d", folder([("x", file("2"))])), ("k", file("2"))]));
    old.iter().for_each(|name| backend.tamper(name, None));
    let (told, report) = compare(&repository, side(&one, None), side(&other, None));
    assert_eq!(told, [(ChangeKind::Modified, "/r/k".to_owned())]);
    assert_eq!(report.lost, 1);
    assert_eq!(text(&report.findings[0].path), "/r/d");
}

#[test]
fn deep_trees_are_compared() {
    let deep = |bottom: &str| {
        let mut node = folder([("bottom", file(bottom))]);
        for _ in 0..2_000 {
            node = folder([("d", node)]);
        }
        node
    };
    let (_, repository) = shared();
    let (one, other) = (take(&repository, deep("1")), take(&repository, deep("2")));
    let (told, _) = compare(&repository, side(&one, None), side(&other, None));
    assert_eq!(told.len(), 1);
    assert!(told[0].1.ends_with("/d/bottom"));
}

/// Paths with what stands there: a directory, or the content of a file.
type Flat = BTreeMap<String, Option<u64>>;

/// A tree that looks random, and the same flat.
fn random_tree(state: &mut u64, path: &str, depth: u32, flat: &mut Flat) -> MemoryNode {
    let mut next = |below: u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % below
    };
    let names: Vec<(u64, u64, u64)> = (0..6).map(|name| (name, next(4), next(3))).collect();
    let mut entries = Vec::new();
    for (name, kind, content) in names {
        let (name, path) = (format!("n{name}"), format!("{path}/n{name}"));
        match kind {
            0 => {}
            1 if depth > 0 => {
                flat.insert(path.clone(), None);
                entries.push((name, random_tree(state, &path, depth - 1, flat)));
            }
            _ => {
                flat.insert(path, Some(content));
                entries.push((name, file(&content.to_string())));
            }
        }
    }
    MemoryNode::directory(entries)
}

#[test]
fn random_trees_differ_as_a_naive_comparison_says() {
    let (_, repository) = shared();
    let mut state = 7;
    let mut taken = Vec::new();
    for _ in 0..12 {
        let mut flat = Flat::new();
        let tree = random_tree(&mut state, "/r", 3, &mut flat);
        taken.push((take(&repository, tree), flat));
    }
    for (one, before) in &taken {
        for (other, after) in &taken {
            let (told, _) = compare(&repository, side(one, None), side(other, None));
            let told: BTreeMap<(String, u8), ()> =
                told.into_iter().map(|(kind, path)| ((path, kind as u8), ())).collect();
            let mut expected = BTreeMap::new();
            for path in before.keys().chain(after.keys()) {
                let kind = match (before.get(path), after.get(path)) {
                    (Some(_), None) => ChangeKind::Removed,
                    (None, Some(_)) => ChangeKind::Added,
                    (Some(None), Some(Some(_))) | (Some(Some(_)), Some(None)) => ChangeKind::Type,
                    (Some(Some(one)), Some(Some(other))) if one != other => ChangeKind::Modified,
                    _ => continue,
                };
                expected.insert((path.clone(), kind as u8), ());
            }
            assert_eq!(told, expected);
        }
    }
}
