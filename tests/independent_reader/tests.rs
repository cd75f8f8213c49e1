//! The reader on the golden repository and on fresh ones.

use std::{collections::HashMap, ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use lbak_core::{
    backend::{Backend, LocalBackend},
    capture::{SnapshotOptions, snapshot},
    chunk::ChunkSizes,
    codec::slot::Credential as Opens,
    keys::PasswordCost,
    repository::{InitOptions, NewSlot},
    source::LocalSource,
};
use lbak_testkit::trees;

use crate::{
    index, listing, nodes, outcomes,
    reader::{repository::Repository, restore::restore, seal::Credential, tree::directory},
};

pub(crate) const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1");

pub(crate) fn golden(file: &str) -> String {
    fs::read_to_string(Path::new(GOLDEN).join(file)).expect("a golden file")
}

fn open_golden(credential: &Credential) -> Repository {
    Repository::open(Path::new(GOLDEN).join("repository"), credential).expect("it opens")
}

#[test]
fn the_golden_repository_lists_as_expected_by_password_and_by_key_file() {
    let key = golden("key");
    for credential in [Credential::Password("golden"), Credential::KeyFile(&key)] {
        let lines = listing::of_repository(&open_golden(&credential)).expect("everything is read");
        assert_lines(&lines, golden("expected.txt").lines());
    }
}

#[test]
fn the_golden_index_says_what_the_packs_say() {
    assert!(index::check(&open_golden(&Credential::Password("golden"))).expect("they agree") > 500);
}

#[test]
fn golden_nodes_say_what_lies_below_them() {
    let [trees, lists] = nodes::check(&open_golden(&Credential::Password("golden"))).expect("they do");
    assert!(trees > 0 && lists > 0, "{trees} children in trees, {lists} in lists");
}

#[test]
fn the_golden_config_is_as_the_format_says() {
    outcomes::check_config(&open_golden(&Credential::Password("golden"))).expect("it opens as a record");
}

#[test]
fn a_wrong_password_opens_nothing() {
    let opened = Repository::open(Path::new(GOLDEN).join("repository"), &Credential::Password("Golden"));
    assert_eq!(opened.err().expect("refused").to_string(), "no slot opens with this password or key");
}

#[test]
fn every_golden_snapshot_is_restored_as_expected() {
    let repository = open_golden(&Credential::Password("golden"));
    let expected = golden("expected.txt");
    let (snapshots, sections) = (repository.snapshots().expect("snapshots"), sections_on_disk(&expected));
    assert_eq!(snapshots.len(), sections.len());
    for (snapshot, section) in snapshots.iter().zip(sections) {
        let names = directory(&repository, &snapshot.root).expect("a root").into_iter().map(|entry| entry.name);
        let names: Vec<Vec<u8>> = names.collect();
        let target = tempfile::tempdir().expect("folder");
        restore(&repository, &snapshot.root, target.path(), &mut HashMap::new()).expect("restored");
        let paths: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        assert_lines(&lines_of_folder(target.path(), &paths, &expected), section.into_iter());
    }
}

/// For every snapshot of `expected.txt` the lines of what any program can restore.
pub(crate) fn sections_on_disk(expected: &str) -> Vec<Vec<&str>> {
    let mut sections = Vec::new();
    for line in expected.lines() {
        if line.starts_with(|first: char| first.is_ascii_digit()) && !line.contains(": closed by ") {
            sections.push(Vec::new());
        } else if ["file ", "directory ", "link "].iter().any(|kind| line.starts_with(kind)) {
            sections.last_mut().expect("it begins with a number").push(line);
        }
    }
    sections
}

/// The lines of what was restored below `target`, each path under itself.
pub(crate) fn lines_of_folder(target: &Path, paths: &[&[u8]], expected: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for path in paths {
        let folder = target.join(OsStr::from_bytes(path.strip_prefix(b"/").expect("absolute")));
        listing::of_folder(&folder, path, &mut HashMap::new(), &mut lines).expect("listed");
    }
    // What could not be listed is restored as an empty directory.
    let unread: Vec<&str> = expected.lines().filter_map(|line| line.strip_prefix("unread ")).collect();
    lines.retain(|line| !unread.iter().any(|unread| line.strip_prefix("directory ") == Some(unread)));
    lines
}

/// Random trees, small chunks, written by lbak and read by this reader.
#[test]
fn what_was_just_written_is_restored_equal_to_the_source() {
    use proptest::test_runner::{Config, TestRunner};
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(12) });
    runner
        .run(&trees::tree(), |tree| {
            round_trip(&tree);
            Ok(())
        })
        .expect("every tree comes back");
}

fn round_trip(tree: &trees::Directory) {
    let folder = tempfile::tempdir().expect("folder");
    let [source, repository, target] = ["source", "repository", "target"].map(|name| folder.path().join(name));
    fs::create_dir(&source).expect("source");
    trees::write_tree(tree, &source).expect("a tree");

    let backend: Arc<dyn Backend> = Arc::new(LocalBackend::create(&repository).expect("backend"));
    let slot = NewSlot { credential: Opens::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
    let chunk_sizes = ChunkSizes { minimum: 256, average: 1024, maximum: 4096 };
    let options = InitOptions { chunk_sizes, threads: Some(2), ..Default::default() };
    let written = lbak_core::repository::Repository::init(backend, &[slot], &options).expect("init");
    let local = LocalSource::new(&[&source]).expect("source");
    snapshot(&written, &local, &SnapshotOptions::default()).expect("snapshot");

    let read = Repository::open(repository, &Credential::Password("p")).expect("it opens");
    let snapshots = read.snapshots().expect("snapshots");
    let [snapshot] = snapshots.as_slice() else { panic!("one snapshot") };
    restore(&read, &snapshot.root, &target, &mut HashMap::new()).expect("restored");
    let restored = target.join(source.strip_prefix("/").expect("absolute"));
    let [before, after] = [&source, &restored].map(|folder| {
        let mut lines = Vec::new();
        listing::of_folder(folder, b"", &mut HashMap::new(), &mut lines).expect("listed");
        lines
    });
    assert_lines(&after, before.iter().map(String::as_str));
}

/// The last lines of what a folder's repository lists: of its newest outcome.
fn listed(folder: &Path) -> Vec<String> {
    let repository = Repository::open(folder.to_owned(), &Credential::Password("p")).expect("it opens");
    let snapshots = repository.snapshots().expect("snapshots").len();
    let lines = listing::of_repository(&repository).expect("listed");
    let outcomes = lines.iter().filter(|line| line.contains(" of /")).count();
    assert_eq!(outcomes, snapshots);
    lines
}

#[test]
fn a_changed_snapshot_is_listed_once_as_it_was_changed_last() {
    use lbak_core::amend::{AmendOptions, Changes, amend};
    let folder = tempfile::tempdir().expect("folder");
    let backend: Arc<dyn Backend> = Arc::new(LocalBackend::create(folder.path()).expect("backend"));
    let slot = NewSlot { credential: Opens::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
    let options = InitOptions { threads: Some(2), ..Default::default() };
    let written = lbak_core::repository::Repository::init(backend, &[slot], &options).expect("init");
    let source = lbak_core::source::MemorySource::new([("/a", lbak_core::source::MemoryNode::file("content"))]);
    snapshot(&written, &source, &SnapshotOptions::default()).expect("snapshot");
    let before = listed(folder.path());
    assert!(before[0].starts_with("1: full of /a [] complete"), "{before:?}");
    for number in 0..6 {
        let found = written.catalog().expect("catalog").snapshots.pop().expect("it is there");
        let add_tags = vec![format!("t{number}")];
        let options = AmendOptions { changes: Changes { add_tags, ..Changes::default() }, ..AmendOptions::default() };
        amend(&written, &found, &options).expect("amended");
        // The second time as if whoever did it was stopped before the mark.
        let mark = folder.path().join("forgotten").join(found.session.to_string());
        for _ in 0..2 {
            let after = listed(folder.path());
            assert!(after[0].contains(&format!("t{number}] complete")), "{after:?}");
            assert_eq!(before[1..], after[1..]);
            let _ = fs::remove_file(&mark);
        }
    }
}

/// Compares lines; shows the first that differ.
pub(crate) fn assert_lines<'a>(found: &[String], expected: impl Iterator<Item = &'a str>) {
    let expected: Vec<&str> = expected.collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.get(expected.len()), None, "more than expected");
    assert_eq!(expected.get(found.len()), None, "less than expected");
}
