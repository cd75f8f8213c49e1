//! Paths with their versions, against a naive look at every snapshot.

use std::collections::BTreeMap;

use lbak_core::{observe::FindingKind, repository::Repository, snapshot::Manifest};
use lbak_inspect::{FindOptions, HistoryReport, find, history};

use crate::support::{file, folder, packs, shared, take, text};

/// Path, then for each version: number of the first snapshot, of the last, how many.
type Told = Vec<(String, Vec<(usize, usize, u64)>)>;

fn look(repository: &Repository, snapshots: &[Manifest], patterns: &[&str]) -> (Told, HistoryReport) {
    let patterns = patterns.iter().map(|&pattern| pattern.into()).collect();
    let options = FindOptions { patterns, ..Default::default() };
    let number = |id| snapshots.iter().position(|snapshot| snapshot.id == id).expect("one of them");
    let mut told = Told::new();
    // Given newest first: the order does not matter.
    let report = history(repository, snapshots.iter().rev(), &options, &mut |path| {
        let versions = path.versions.iter();
        let versions =
            versions.map(|version| (number(version.first.id), number(version.last.id), version.snapshots)).collect();
        told.push((text(path.path), versions));
        Ok(())
    });
    (told, report.expect("history"))
}

#[test]
fn versions_are_different_contents_with_the_snapshots_that_have_them() {
    let (_, repository) = shared();
    let contents = ["one", "two", "one", "one", "three"];
    let snapshots: Vec<Manifest> = contents
        .iter()
        .enumerate()
        .map(|(number, content)| {
            let mut tree = vec![("a", file(content)), ("same", folder([("x", file("x"))]))];
            if number == 3 {
                tree.push(("z-only", file("here")));
            }
            take(&repository, lbak_core::source::MemoryNode::directory(tree))
        })
        .collect();
    let (told, _) = look(&repository, &snapshots, &["a", "z-only", "x", "same"]);
    let expected = [
        ("/r/a".to_owned(), vec![(0, 3, 3), (1, 1, 1), (4, 4, 1)]),
        ("/r/same".to_owned(), vec![(0, 4, 5)]),
        ("/r/same/x".to_owned(), vec![(0, 4, 5)]),
        ("/r/z-only".to_owned(), vec![(3, 3, 1)]),
    ];
    assert_eq!(told, expected);
    let (told, report) = look(&repository, &snapshots, &["/r/same/x"]);
    assert_eq!((told.len(), report.paths, report.searched), (1, 1, 5));
    // Four different lists of roots and /r (snapshots 0 and 2 are equal), /r/same once.
    assert_eq!(report.directories_read, 4 + 4 + 1);
}

#[test]
fn every_path_is_told_once_with_as_many_snapshots_as_find_finds() {
    let (_, repository) = shared();
    let snapshots: Vec<Manifest> = (0..12_u32)
        .map(|number| {
            let inner = |salt: u32| {
                let files = (0..6).filter(move |name| !(number * 7 + name * salt).is_multiple_of(3));
                let named = files.map(|name| (format!("f{name}"), file(&format!("{}", number / (name + 1)))));
                lbak_core::source::MemoryNode::directory(named)
            };
            // What is a directory now and then is a file at other times.
            let third = if number % 4 == 0 { file("a file") } else { inner(5) };
            take(&repository, folder([("p", inner(1)), ("q", folder([("s", inner(2))])), ("t", third)]))
        })
        .collect();
    let mut naive: BTreeMap<String, u64> = BTreeMap::new();
    let found = find(&repository, &snapshots, &FindOptions::default(), &mut |hit| {
        *naive.entry(text(hit.path)).or_default() += 1;
        Ok(())
    });
    found.expect("find");
    let (told, report) = look(&repository, &snapshots, &[]);
    let sums: Vec<(String, u64)> =
        told.iter().map(|(path, versions)| (path.clone(), versions.iter().map(|version| version.2).sum())).collect();
    assert_eq!(sums.iter().cloned().collect::<BTreeMap<_, _>>(), naive);
    assert_eq!(sums.len() as u64, report.paths);
    assert!(sums.iter().any(|(path, _)| path == "/r/t/f1") && sums.contains(&("/r/t".to_owned(), 12)));
}

#[test]
fn a_lost_version_of_a_directory_is_told_and_the_others_are_shown() {
    let (backend, repository) = shared();
    let first = take(&repository, folder([("d", folder([("x", file("1"))]))]));
    let old = packs(&backend);
    let second = take(&repository, folder([("d", folder([("x", file("2"))])), ("e", file("3"))]));
    old.iter().for_each(|name| backend.tamper(name, None));
    let (told, report) = look(&repository, &[first, second], &["x"]);
    assert_eq!(told, [("/r/d/x".to_owned(), vec![(1, 1, 1)])]);
    assert_eq!(report.lost, 1);
    assert!(report.findings.iter().any(|finding| finding.kind == FindingKind::Lost));
}
