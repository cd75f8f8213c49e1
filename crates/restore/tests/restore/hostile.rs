//! Repositories that were made to lead a restore out of its target.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use lbak_core::{
    id::{ChunkId, ChunkKind},
    metadata::{FileKind, Metadata, Timestamp},
    observe::FindingKind,
    snapshot::Manifest,
    tree::{Content, Entry, Node, Piece},
};
use lbak_restore::{Place, RestoreOptions, RestoreReport, restore};
use lbak_testkit::trees::compare;

use crate::support::{Folders, Forge, folders, quick, shared, take};

fn entry(name: &[u8], node: Node) -> Entry {
    let metadata = Metadata {
        kind: FileKind::File,
        mode: 0o777,
        mtime: Timestamp { seconds: 1, nanoseconds: 2 },
        size: if matches!(node, Node::File { .. }) { 4 } else { 0 },
        ..Metadata::default()
    };
    Entry::new(name.to_vec(), node, &metadata)
}

/// Restores what `make` has stored, beside a canary that must stay as it is.
fn attack(
    make: impl Fn(&mut Forge, &Path, &dyn Fn(&[u8]) -> Entry) -> (Vec<Entry>, Vec<Vec<u8>>),
) -> (Folders, RestoreReport) {
    let (_, repository) = shared();
    let folders = folders();
    let canary = folders.folder.path().join("canary");
    fs::create_dir(&canary).expect("canary");
    fs::write(canary.join("file"), "do not touch").expect("write");
    let before = folders.folder.path().join("before");
    assert!(std::process::Command::new("cp").arg("-a").arg(&canary).arg(&before).status().expect("cp").success());
    let number = fs::metadata(&canary).expect("metadata").ctime_nsec();

    let honest = take(&repository, std::slice::from_ref(&folders.source));
    let mut forge = Forge::new(&repository, 5);
    let evil = forge.store(ChunkKind::Data, b"evil".to_vec());
    let file = |name: &[u8]| entry(name, Node::File { content: Content::Inline(vec![Piece::data(4, evil)]) });
    let (roots, paths) = make(&mut forge, &canary, &file);
    let root = forge.tree(roots);
    forge.finish();
    let manifest = Manifest { root, paths, ..honest };
    let report = restore(&repository, &manifest, &folders.target, &quick()).expect("restore");
    // And again as if it were in place.
    let original = RestoreOptions { place: Place::Original, ..quick() };
    let place = folders.folder.path().join("place");
    restore(&repository, &manifest, &place, &original).expect("restore");

    assert_eq!(compare(&before, &canary), Vec::<String>::new());
    assert_eq!(fs::metadata(&canary).expect("metadata").ctime_nsec(), number);
    let mut names: Vec<_> = fs::read_dir(folders.folder.path())
        .expect("list")
        .map(|found| found.expect("entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, ["before", "canary", "place", "source", "target"]);
    (folders, report)
}

fn directory(tree: ChunkId) -> Node {
    Node::Directory { tree }
}

fn one(tree: ChunkId) -> (Vec<Entry>, Vec<Vec<u8>>) {
    (vec![entry(b"/source", directory(tree))], vec![b"/source".to_vec()])
}

fn link_to(path: &Path) -> Node {
    Node::Symlink { target: path.to_str().expect("text").into() }
}

#[test]
fn names_that_lead_out_are_refused() {
    let (_, canary) = ((), b"../canary/file");
    for name in [&b".."[..], b".", b"", b"/", b"/etc", b"a/b", canary, b"a\0b"] {
        for is_directory in [false, true] {
            let (folders, report) = attack(|forge, _, file| {
                let bad = if is_directory {
                    let below = forge.tree(vec![file(b"file")]);
                    entry(name, directory(below))
                } else {
                    file(name)
                };
                let tree = forge.tree(vec![bad]);
                one(tree)
            });
            assert!(report.lost > 0, "{name:?}: {:?}", report.findings);
            assert_eq!(fs::read_dir(&folders.target).expect("list").count(), 0);
        }
    }
}

#[test]
fn roots_that_lead_out_are_refused() {
    for name in [&b"/../canary"[..], b"/a/../../canary", b"canary", b"//canary"] {
        let (_, report) = attack(|_, _, file| (vec![file(name)], vec![name.to_vec(), b"/other".to_vec()]));
        assert!(report.lost > 0, "{name:?}");
    }
}

#[test]
fn a_link_and_a_directory_of_one_name_are_refused() {
    let (_, report) = attack(|forge, canary, file| {
        let below = forge.tree(vec![file(b"file"), file(b"new")]);
        let tree = forge.tree(vec![entry(b"x", link_to(canary)), entry(b"x", directory(below))]);
        one(tree)
    });
    assert!(report.lost > 0);
}

#[test]
fn a_root_below_a_link_does_not_go_through_it() {
    let (folders, report) = attack(|forge, canary, file| {
        let below = forge.tree(vec![file(b"file"), file(b"new")]);
        let roots = vec![
            entry(b"/x", link_to(canary)),
            entry(b"/x/directory", directory(below)),
            entry(b"/x/file", file(b"f").node.clone()),
        ];
        let sized = roots.into_iter().map(|mut root| {
            root.size = if matches!(root.node, Node::File { .. }) { 4 } else { 0 };
            root
        });
        (sized.collect(), [&b"/x"[..], b"/x/directory", b"/x/file"].map(<[u8]>::to_vec).to_vec())
    });
    assert!(fs::symlink_metadata(folders.target.join("x")).expect("link").is_symlink());
    let refused = report.findings.iter().filter(|finding| finding.kind == FindingKind::Unwritable).count();
    assert_eq!(refused, 2, "{:?}", report.findings);
}

#[test]
fn names_of_one_file_that_are_different_things_stay_so() {
    let (folders, report) = attack(|forge, canary, file| {
        let together = |mut entry: Entry| {
            (entry.link_group, entry.inode) = (1, 1);
            entry
        };
        let to_file = canary.join("file");
        let tree = forge.tree(vec![
            together(entry(b"a", link_to(&to_file))),
            together(entry(b"b", link_to(&to_file))),
            together(file(b"c")),
            together(file(b"d")),
        ]);
        one(tree)
    });
    assert!(fs::symlink_metadata(folders.target.join("b")).expect("link").is_symlink());
    for name in ["c", "d"] {
        assert_eq!(fs::read(folders.target.join(name)).expect("read"), b"evil");
    }
    assert_eq!(report.totals.files, 2);
}

#[test]
fn the_mode_of_a_link_is_not_set_on_what_it_points_to() {
    let (_, report) = attack(|forge, canary, _| {
        let mut link = entry(b"a", link_to(&canary.join("file")));
        (link.mode, link.uid) = (0o4777, 4242);
        let tree = forge.tree(vec![link]);
        one(tree)
    });
    assert_eq!(report.totals.links, 1);
}

#[test]
fn a_file_that_lies_about_its_size_is_withheld() {
    let (folders, report) = attack(|forge, _, file| {
        let mut content = file(b"a");
        let Node::File { content: Content::Inline(pieces) } = &mut content.node else { unreachable!() };
        pieces[0].length = 5;
        content.size = 5;
        let tree = forge.tree(vec![content, file(b"b")]);
        one(tree)
    });
    assert_eq!((report.lost, report.totals.files), (1, 1));
    assert!(!folders.target.join("a").exists());
}
