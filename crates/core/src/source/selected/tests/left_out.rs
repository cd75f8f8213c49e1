//! Directories tell when names were left out of them, so that nobody takes what is not there for gone.

use std::os::unix::net::UnixListener;

use super::*;
use crate::tree::EntryFlags;

/// Paths below `/r` of the directories that say so; the root itself is empty.
fn partial(entries: &[(String, Entry)]) -> Vec<&str> {
    let is_partial = |(_, entry): &&(String, Entry)| entry.flags.contains(EntryFlags::NAMES_LEFT_OUT);
    let paths = entries.iter().filter(is_partial).map(|(path, _)| path.strip_prefix("/r").expect("below the root"));
    paths.collect()
}

fn tree() -> MemorySource {
    let mut repository = directory([("config", file("c"))]);
    (repository.metadata.device, repository.metadata.inode) = (1, 77);
    root([
        ("cache", directory([("CACHEDIR.TAG", file(SIGNATURE)), ("c", file("cached"))])),
        ("holder", on_device(1, directory([("repository", repository)]))),
        ("marked", directory([(".skip", file("")), ("s", file("marked"))])),
        ("mount", on_device(2, directory([("m", on_device(2, file("mounted")))]))),
        ("proc", on_device(9, directory([("p", on_device(9, file("running")))]))),
        ("sub", directory([("a.log", file("log")), ("b", directory([("keep", file("kept"))]))])),
        ("vast", directory([("v", file("very long")), ("w", file("w"))])),
    ])
}

#[test]
fn a_directory_says_when_names_were_left_out_of_it() {
    let all = || SelectionRules { include_pseudo_file_systems: true, ..SelectionRules::default() };
    let marker = || vec![Marker::new(".skip", "").expect("marker")];
    let patterns = |exclude, include| SelectionRules { patterns: selecting(exclude, include).patterns, ..all() };
    let cases: [(SelectionRules, &[&str]); 12] = [
        (all(), &[]),
        (patterns(&["*.txt"], &[]), &[]),
        (patterns(&["*.log"], &[]), &["/sub"]),
        (patterns(&["sub/"], &[]), &[""]),
        (patterns(&["keep"], &[]), &["/sub/b"]),
        (patterns(&[], &["keep"]), &["", "/sub"]),
        (SelectionRules { exclude_caches: true, ..all() }, &["/cache"]),
        (SelectionRules { exclude_marked: marker(), ..all() }, &["/marked"]),
        (SelectionRules { exclude_larger_than: Some(8), exclude_caches: true, ..all() }, &["/cache", "/vast"]),
        (SelectionRules { one_file_system: true, ..all() }, &["/mount", "/proc"]),
        (SelectionRules::default(), &["/proc"]),
        (SelectionRules { repositories: vec![(1, 77)], ..all() }, &["/holder"]),
    ];
    for (rules, expected) in cases {
        let repository = repository();
        let source = tree();
        let counting = Counting(&source, Arc::default());
        let (_, entries) = take_entries(&repository, &counting, rules.clone());
        assert_eq!(partial(&entries), expected, "{rules:?}");
        // The same once more, taken from the snapshot before it.
        let (again, same) = take_entries(&repository, &counting, rules.clone());
        assert_eq!((partial(&same), again.sizes.new), (expected.to_vec(), 0), "{rules:?}");
        // Without the rules nothing is missing any more, though no time stamp has moved.
        let (_, entries) = take_entries(&repository, &counting, all());
        assert_eq!(partial(&entries), [""; 0], "{rules:?}");
        let (_, entries) = take_entries(&repository, &counting, rules.clone());
        assert_eq!(partial(&entries), expected, "{rules:?}");
    }
}

/// What was left out is gone by now, so that the directory is whole.
#[test]
fn a_directory_that_has_nothing_more_to_leave_out_does_not_say_so() {
    let repository = repository();
    let log = root([("sub", directory([("a", file("a")), ("a.log", file("log"))]))]);
    let without = root([("sub", directory([("a", file("a"))]))]);
    for (source, expected) in [(&log, &["/sub"][..]), (&without, &[]), (&log, &["/sub"])] {
        let (_, entries) = take_entries(&repository, source, excluding(&["*.log"]));
        assert_eq!(partial(&entries), expected);
    }
}

/// Nobody has chosen that, and it is told.
#[test]
fn a_socket_is_not_left_out_by_choice() {
    let folder = tempfile::tempdir().expect("folder");
    let _listener = UnixListener::bind(folder.path().join("socket")).expect("socket");
    let source = LocalSource::new(&[folder.path()]).expect("it is there");
    let selected = SelectedSource::new(&source, SelectionRules::default());
    let roots = selected.roots().expect("roots");
    let found = roots.entries().expect("list").next().expect("one").expect("found");
    let root = roots.directory(&found.name, &found.metadata).expect("open");
    assert_eq!(root.entries().expect("list").count(), 1);
    assert!(!root.has_left_out());
}

#[test]
fn a_source_that_skips_a_folder_says_so_too() {
    let folder = tempfile::tempdir().expect("folder");
    for name in ["holder/repository", "other"] {
        fs::create_dir_all(folder.path().join(name)).expect("folders");
    }
    let skipped = fs::metadata(folder.path().join("holder/repository")).expect("stat");
    let source = LocalSource::new(&[folder.path()]).expect("it is there").skip_identity(skipped.dev(), skipped.ino());
    let (_, entries) = take_entries(&repository(), &source, SelectionRules::default());
    let partial = entries.iter().filter(|(_, entry)| entry.flags.contains(EntryFlags::NAMES_LEFT_OUT));
    let names: Vec<&[u8]> = partial.map(|(_, entry)| entry.name.as_slice()).collect();
    assert_eq!(names, [b"holder"]);
}
