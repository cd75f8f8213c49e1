//! Files with several names.

use std::fs;

use super::{changing::take, hooked::Step, *};
use crate::not_run::not_run;

#[test]
fn a_file_with_several_names_is_read_once() {
    for length in [300_000, 4_000_000] {
        let folder = tempfile::tempdir().expect("folder");
        let tree = folder.path().join("tree");
        write(&tree.join("b/first"), &noise(1, length));
        for name in ["tree/a", "tree/b/second", "tree/z", "outside"] {
            fs::hard_link(tree.join("b/first"), folder.path().join(name)).expect("link");
        }
        write(&tree.join("alone"), b"one name");
        let (report, found) = take(&tree, |_| {});
        assert_eq!(report.files.read_bytes, length as u64 + 8);
        assert_eq!((report.files.new, report.totals.files, report.findings), (5, 5, vec![]));
        assert_eq!(report.sizes.logical, 4 * length as u64 + 8);
        let (first, content) = &found["first"];
        assert!(*content == noise(1, length) && first.link_group != 0);
        for name in ["a", "second", "z"] {
            let entry = Entry { name: b"first".to_vec(), ..found[name].0.clone() };
            assert_eq!(entry, *first, "{name}");
        }
        assert_eq!(found["alone"].0.link_group, 0);
    }
}

#[test]
fn a_name_whose_file_was_changed_since_it_was_listed_is_read_for_itself() {
    for length in [1_000, 4_000_000] {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a");
        write(&path, &noise(1, length));
        fs::hard_link(&path, folder.path().join("b")).expect("link");
        let (report, found) = take(folder.path(), move |step| {
            if step == Step::Open("a") {
                fs::write(&path, noise(2, length)).expect("write");
            }
        });
        assert!(found["a"].1 == noise(2, length) && found["b"].1 == noise(2, length));
        assert_eq!(report.files.read_bytes, 2 * length as u64);
        assert_eq!(found["a"].0.mtime, found["b"].0.mtime);
    }
}

#[test]
fn a_name_that_another_file_took_lends_nothing_to_the_others() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a");
    write(&path, b"the file of both names");
    fs::hard_link(&path, folder.path().join("b")).expect("link");
    let (_, found) = take(folder.path(), move |step| {
        if step == Step::Open("a") {
            fs::remove_file(&path).expect("remove");
            fs::write(&path, b"another file altogether").expect("write");
        }
    });
    assert_eq!(
        (&found["a"].1[..], &found["b"].1[..]),
        (&b"another file altogether"[..], &b"the file of both names"[..])
    );
}

#[test]
fn links_pipes_and_devices_have_several_names_too() {
    let mut nodes = Vec::new();
    for (number, mut node) in [
        MemoryNode::symlink("x"),
        MemoryNode::special(crate::metadata::FileKind::Fifo, 0, 0),
        MemoryNode::special(crate::metadata::FileKind::CharacterDevice, 1, 3),
        MemoryNode::special(crate::metadata::FileKind::BlockDevice, 8, 1),
    ]
    .into_iter()
    .enumerate()
    {
        (node.metadata.inode, node.metadata.links) = (100 + number as u64, 2);
        nodes.push((format!("{number}"), node.clone()));
        nodes.push((format!("{number} again"), node));
    }
    let repository = repository(&Arc::new(MemoryBackend::new()));
    let source = MemorySource::new([("/r", MemoryNode::directory(nodes))]);
    let report = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
    let found = entries(&repository, &report);
    for number in 0..4 {
        let (one, other) = (&found[&format!("//r/{number}")].0, &found[&format!("//r/{number} again")].0);
        assert_eq!((one.link_group, one.inode), (other.link_group, other.inode));
        assert!(one.link_group > 0 && one.node == other.node);
    }
    // And on a disk, where the system lets one link symbolic links.
    let folder = tempfile::tempdir().expect("folder");
    std::os::unix::fs::symlink("target", folder.path().join("link")).expect("symlink");
    match fs::hard_link(folder.path().join("link"), folder.path().join("same")) {
        Ok(()) => {
            let (_, found) = take(folder.path(), |_| {});
            assert_eq!((found["link"].0.link_group, found["link"].0.inode), (1, found["same"].0.inode));
        }
        Err(error) => not_run(format_args!("links to symbolic links are refused: {error}")),
    }
}
