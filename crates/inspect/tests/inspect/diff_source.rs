//! Differences between a snapshot and a source.

use std::fs;

use lbak_core::{
    metadata::{FileKind, Timestamp},
    observe::FindingKind,
    repository::Repository,
    snapshot::Manifest,
    source::{LocalSource, MemoryNode, MemorySource, Source, SourceErrorKind},
};
use lbak_inspect::{ChangeKind, DiffOptions, DiffReport, DiffSide, MetadataField, diff_with_source};
use lbak_testkit::objects::noise;

use crate::support::{file, folder, shared, take, take_from, text};

type Told = Vec<(ChangeKind, String)>;

fn compare(
    repository: &Repository,
    manifest: &Manifest,
    source: &dyn Source,
    options: &DiffOptions,
) -> (Told, DiffReport) {
    let mut told = Told::new();
    let side = DiffSide { snapshot: manifest, path: None };
    let report = diff_with_source(repository, side, source, options, &mut |change| {
        told.push((change.kind, text(change.path)));
        Ok(())
    });
    (told, report.expect("diff"))
}

fn with_content() -> DiffOptions {
    DiffOptions { content: true, ..Default::default() }
}

fn aged(seconds: i64, content: &str) -> MemoryNode {
    let mut node = file(content);
    node.metadata.mtime = Timestamp { seconds, nanoseconds: 0 };
    node
}

#[test]
fn size_tells_of_a_change_time_of_a_possible_one_and_content_knows() {
    let (_, repository) = shared();
    let manifest = take(
        &repository,
        folder([
            ("grown", file("1")),
            ("secret", aged(1, "aaa")),
            ("touched", aged(1, "bbb")),
            ("written", aged(1, "ccc")),
        ]),
    );
    let now = MemorySource::new([(
        "/r",
        folder([
            ("grown", file("12")),
            ("new", file("x")),
            ("secret", aged(1, "xxx")),
            ("socket", MemoryNode::special(FileKind::Socket, 0, 0)),
            ("touched", aged(2, "bbb")),
            ("written", aged(2, "xxx")),
        ]),
    )]);
    use ChangeKind::{Added, MaybeModified, Modified};
    let told = |options: &DiffOptions| {
        let told = compare(&repository, &manifest, &now, options).0;
        told.into_iter().map(|(kind, path)| (kind, path.replace("/r/", ""))).collect::<Vec<_>>()
    };
    let named = |expected: &[(ChangeKind, &str)]| -> Told {
        expected.iter().map(|(kind, path)| (*kind, (*path).to_owned())).collect()
    };
    assert_eq!(
        told(&DiffOptions::default()),
        named(&[(Modified, "grown"), (Added, "new"), (MaybeModified, "touched"), (MaybeModified, "written")])
    );
    assert_eq!(
        told(&with_content()),
        named(&[(Modified, "grown"), (Added, "new"), (Modified, "secret"), (Modified, "written")])
    );
}

#[test]
fn an_unchanged_source_has_no_difference_however_it_is_made() {
    let large = || MemoryNode::file(noise(3, 9 << 20));
    // More pieces than stand in an entry, most of them holes.
    let sparse = || MemoryNode::sparse_file((0..700_u32).map(|number| (1 << 20, number.to_le_bytes().to_vec())));
    let with_attributes = || {
        let mut node = file("x");
        node.attributes = vec![(b"user.large".to_vec(), noise(5, 40_000)), (b"user.small".to_vec(), Vec::new())];
        node
    };
    let tree = || {
        folder([
            ("attributes", with_attributes()),
            ("d", folder([("empty", file("")), ("link", MemoryNode::symlink("x"))])),
            ("fifo", MemoryNode::special(FileKind::Fifo, 0, 0)),
            ("large", large()),
            ("sparse", sparse()),
        ])
    };
    let (_, repository) = shared();
    let manifest = take(&repository, tree());
    let options = DiffOptions { metadata: true, content: true, ..Default::default() };
    let (told, report) = compare(&repository, &manifest, &MemorySource::new([("/r", tree())]), &options);
    assert!(told.is_empty() && report.findings.is_empty(), "{told:?} {:?}", report.findings);
}

#[test]
fn holes_and_zeros_are_the_same_content() {
    let holes = || MemoryNode::sparse_file([(5 << 20, b"end".to_vec())]);
    let zeros = || MemoryNode::file([vec![0; 5 << 20], b"end".to_vec()].concat());
    for (stored, found, expected) in [(holes(), zeros(), 0), (zeros(), holes(), 0), (holes(), holes(), 0)] {
        let (_, repository) = shared();
        let manifest = take(&repository, folder([("f", stored)]));
        let source = MemorySource::new([("/r", folder([("f", found)]))]);
        assert_eq!(compare(&repository, &manifest, &source, &with_content()).0.len(), expected);
    }
    let (_, repository) = shared();
    let manifest = take(&repository, folder([("f", holes())]));
    let mut bytes = [vec![0; 5 << 20], b"end".to_vec()].concat();
    bytes[3 << 20] = 1;
    let source = MemorySource::new([("/r", folder([("f", MemoryNode::file(bytes))]))]);
    assert_eq!(compare(&repository, &manifest, &source, &with_content()).0.len(), 1);
}

#[test]
fn metadata_of_a_source_is_compared_when_asked_for() {
    let (_, repository) = shared();
    let manifest = take(&repository, folder([("a", file("1"))]));
    let mut node = file("1");
    node.metadata.mode = 0o777;
    node.attributes = vec![(b"user.x".to_vec(), b"1".to_vec())];
    let source = MemorySource::new([("/r", folder([("a", node)]))]);
    let options = DiffOptions { metadata: true, ..Default::default() };
    let mut told = Vec::new();
    let side = DiffSide { snapshot: &manifest, path: None };
    let report = diff_with_source(&repository, side, &source, &options, &mut |change| {
        told.extend(change.fields.to_vec());
        Ok(())
    });
    report.expect("diff");
    assert_eq!(told, [MetadataField::Mode, MetadataField::Attributes]);
}

#[test]
fn what_can_not_be_read_is_a_finding_and_not_a_difference() {
    let (_, repository) = shared();
    let manifest = take(&repository, folder([("d", folder([("x", file("1"))])), ("f", file("1"))]));
    let denied = |node: MemoryNode| node.with_trouble(SourceErrorKind::Denied);
    let source =
        MemorySource::new([("/r", folder([("d", denied(folder([("x", file("1"))]))), ("f", denied(file("1")))]))]);
    let (told, report) = compare(&repository, &manifest, &source, &with_content());
    assert!(told.is_empty(), "{told:?}");
    let paths: Vec<String> = report.findings.iter().map(|finding| text(&finding.path)).collect();
    assert_eq!(paths, ["/r/f", "/r/d"].map(String::from).into_iter().rev().collect::<Vec<_>>());
    assert!(report.findings.iter().all(|finding| finding.kind == FindingKind::Unreadable));
    assert_eq!(report.lost, 0);
}

#[test]
fn a_directory_elsewhere_is_compared_by_paths_below_and_roots_by_their_own() {
    let (_, repository) = shared();
    let manifest = take(&repository, folder([("a", file("1")), ("b", file("2"))]));
    let elsewhere = MemorySource::new([("/restored", folder([("a", file("1"))]))]);
    let (told, _) = compare(&repository, &manifest, &elsewhere, &with_content());
    assert_eq!(told, [(ChangeKind::Removed, "b".to_owned())]);

    let roots = |names: &[&str]| MemorySource::new(names.iter().map(|&name| (name, file("1"))));
    let several = take_from(&repository, &roots(&["/p", "/q"]));
    let (told, _) = compare(&repository, &several, &roots(&["/q"]), &with_content());
    assert_eq!(told, [(ChangeKind::Removed, "/p".to_owned())]);
    let side = DiffSide { snapshot: &several, path: Some(b"/p") };
    let outcome = diff_with_source(&repository, side, &roots(&["/p", "/q"]), &with_content(), &mut |_| Ok(()));
    assert!(outcome.is_err(), "one part against two roots");
}

#[test]
fn files_of_this_machine_are_compared() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join("data");
    fs::create_dir_all(root.join("sub")).expect("folders");
    fs::write(root.join("a"), "one").expect("a file");
    fs::write(root.join("sub/b"), noise(1, 100_000)).expect("a file");
    let (_, repository) = shared();
    let source = || LocalSource::new(std::slice::from_ref(&root)).expect("source");
    let manifest = take_from(&repository, &source());
    let options = DiffOptions { metadata: true, content: true, ..Default::default() };
    assert!(compare(&repository, &manifest, &source(), &options).0.is_empty());
    let mut bytes = noise(1, 100_000);
    bytes[99_999] ^= 1;
    fs::write(root.join("sub/b"), bytes).expect("a file");
    let (told, _) = compare(&repository, &manifest, &source(), &with_content());
    assert_eq!(told.len(), 1);
    assert!(told[0].0 == ChangeKind::Modified && told[0].1.ends_with("/data/sub/b"), "{told:?}");
}
