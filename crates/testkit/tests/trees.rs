//! Trees are written as they were made up, and no difference is overlooked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::{Duration, SystemTime},
};

use lbak_testkit::trees::{Content, Directory, File, Metadata, Node, Piece, Symlink, Time, compare, tree, write_tree};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_tree_written_twice_is_the_same(tree in tree()) {
        let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_tree(&tree, left.path()).unwrap();
        write_tree(&tree, right.path()).unwrap();
        prop_assert_eq!(compare(left.path(), right.path()), Vec::<String>::new());
    }
}

fn model() -> Directory {
    let mut tree = Directory::default();
    let modified = Time { seconds: -5, nanoseconds: 17 };
    let attributes = [("user.a".to_owned(), b"value".to_vec())].into();
    let content = Content(vec![Piece::Noise { seed: 1, length: 100_000 }, Piece::Hole(100_000)]);
    tree.entries.insert(
        b"file".to_vec(),
        Node::File(File { content, metadata: Metadata { mode: 0o640, modified, attributes } }),
    );
    // The first file is the one in `directory`.
    tree.entries.insert(b"link".to_vec(), Node::HardLink(1));
    tree.entries.insert(b"other".to_vec(), Node::file("other"));
    tree.entries.insert(b"pipe".to_vec(), Node::Fifo(Metadata::default()));
    tree.entries.insert(b"symlink".to_vec(), Node::Symlink(Symlink { target: b"/nowhere".to_vec(), modified }));
    let mut inner = Directory::default();
    inner.entries.insert(b"\xff".to_vec(), Node::file(""));
    tree.entries.insert(b"directory".to_vec(), Node::Directory(inner));
    tree
}

#[test]
fn a_model_is_written_as_it_is() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    write_tree(&model(), folder.path()).unwrap();
    let status = fs::metadata(folder.path().join("file")).unwrap();
    assert_eq!((status.mtime(), status.mtime_nsec(), status.mode() & 0o7777), (-5, 17, 0o640));
    assert_eq!((status.len(), status.nlink()), (200_000, 2));
    assert_eq!(fs::symlink_metadata(folder.path().join("symlink")).unwrap().mtime(), -5);
    assert_eq!(fs::metadata(folder.path().join("directory")).unwrap().mtime(), 0);
    assert_eq!(fs::metadata(folder.path()).unwrap().mtime(), 0);
}

/// A change to a tree.
type Change = fn(&Path);

#[test]
fn every_difference_is_listed() {
    let changes: [(&str, Change); 17] = [
        ("/file: byte 99999 differs", |path| {
            let mut bytes = fs::read(path.join("file")).unwrap();
            bytes[99_999] ^= 1;
            fs::write(path.join("file"), bytes).unwrap();
        }),
        ("/file: byte 199999 differs", |path| {
            let mut bytes = fs::read(path.join("file")).unwrap();
            bytes[199_999] ^= 1;
            fs::write(path.join("file"), bytes).unwrap();
        }),
        ("/other: size is 5 on the left, 6 on the right", |path| fs::write(path.join("other"), "others").unwrap()),
        ("/other: mode is 644 on the left, 600 on the right", |path| {
            fs::set_permissions(path.join("other"), fs::Permissions::from_mode(0o600)).unwrap();
        }),
        ("/directory: mode is 755 on the left, 700 on the right", |path| {
            fs::set_permissions(path.join("directory"), fs::Permissions::from_mode(0o700)).unwrap();
        }),
        ("/: mode is 755 on the left, 711 on the right", |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o711)).unwrap();
        }),
        ("/other: mtime is 0 s + 0 ns on the left, 0 s + 1 ns on the right", |path| {
            let file = fs::File::open(path.join("other")).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_nanos(1)).unwrap();
        }),
        ("/other: missing on the right", |path| fs::remove_file(path.join("other")).unwrap()),
        ("/directory/\\x09: missing on the left", |path| fs::write(path.join("directory/\t"), "").unwrap()),
        ("/directory/\\xff: missing on the right", |path| {
            fs::remove_dir_all(path.join("directory")).unwrap();
            fs::create_dir(path.join("directory")).unwrap();
        }),
        ("/symlink: target is /nowhere on the left, elsewhere on the right", |path| {
            fs::remove_file(path.join("symlink")).unwrap();
            symlink("elsewhere", path.join("symlink")).unwrap();
        }),
        ("/symlink: kind is symbolic link on the left, file on the right", |path| {
            fs::remove_file(path.join("symlink")).unwrap();
            fs::write(path.join("symlink"), "").unwrap();
        }),
        ("/pipe: kind is named pipe on the left, directory on the right", |path| {
            fs::remove_file(path.join("pipe")).unwrap();
            fs::create_dir(path.join("pipe")).unwrap();
        }),
        ("/link: hard links is /file = /link on the left, none on the right", |path| {
            fs::copy(path.join("file"), path.join("copy")).unwrap();
            fs::rename(path.join("copy"), path.join("link")).unwrap();
        }),
        ("/other: hard links is none on the left, /file = /link = /other on the right", |path| {
            fs::remove_file(path.join("other")).unwrap();
            fs::hard_link(path.join("file"), path.join("other")).unwrap();
        }),
        ("/file: attribute user.a is \"value\" on the left, \"other\" on the right", |path| {
            let flags = rustix::fs::XattrFlags::REPLACE;
            rustix::fs::setxattr(path.join("file"), "user.a", b"other", flags).unwrap();
        }),
        ("/other: attribute user.b is nothing on the left, \"\" on the right", |path| {
            let flags = rustix::fs::XattrFlags::CREATE;
            rustix::fs::setxattr(path.join("other"), "user.b", b"", flags).unwrap();
        }),
    ];
    for (expected, change) in changes {
        let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_tree(&model(), left.path()).unwrap();
        write_tree(&model(), right.path()).unwrap();
        assert_eq!(compare(left.path(), right.path()), Vec::<String>::new());
        change(right.path());
        let found = compare(left.path(), right.path());
        assert!(found.iter().any(|line| line == expected), "expected {expected:?} in {found:#?}");
        fs::set_permissions(right.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
}
