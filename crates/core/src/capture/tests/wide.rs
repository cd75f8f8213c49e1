//! Directories with very many entries, which are encoded while they are listed; and what is ignored on request.

use super::*;

/// A directory of this many files, and of one directory that comes before them all.
fn wide(count: u64, change: impl Fn(u64, &mut MemoryNode)) -> MemorySource {
    let mut nodes = vec![("a".to_owned(), MemoryNode::directory([("x", MemoryNode::file("inside"))]))];
    for number in 0..count {
        let mut node = MemoryNode::file(format!("{number}"));
        node.metadata.inode = 1000 + number;
        change(number, &mut node);
        nodes.push((format!("f{number:06}"), node));
    }
    for (name, node) in &mut nodes[..1] {
        (node.metadata.inode, *name) = (999, "a".to_owned());
    }
    let mut top = MemoryNode::directory(nodes);
    top.metadata.inode = 998;
    MemorySource::new([("/r", top)])
}

#[test]
fn a_directory_with_more_entries_than_are_held_comes_back_whole() {
    const COUNT: u64 = 15_000;
    let backend = Arc::new(MemoryBackend::new());
    drop(repository(&backend));
    let repository = later(&backend);
    let check = |report: &SnapshotReport, changed: Option<u64>| {
        let found = contents(&repository, report);
        assert_eq!(found.len() as u64, COUNT + 3);
        for number in 0..COUNT {
            let expected = if changed == Some(number) { "changed".to_owned() } else { number.to_string() };
            assert_eq!(found[&format!("//r/f{number:06}")], expected.as_bytes());
        }
    };
    let source = wide(COUNT, |_, _| {});
    let first = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
    check(&first, None);
    let second = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
    assert_eq!((second.files.unchanged, second.sizes.stored), (COUNT + 1, 0));
    check(&second, None);
    for changed in [0, 4_096, COUNT - 1] {
        let source = wide(COUNT, |number, node| {
            if number == changed {
                let inode = node.metadata.inode;
                *node = MemoryNode::file("changed");
                node.metadata.inode = inode;
            }
        });
        let third = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
        assert!(third.files.changed >= 1);
        check(&third, Some(changed));
    }
}

#[test]
fn what_is_to_be_ignored_is_no_reason_to_read() {
    use Difference as D;
    use ReadReason as R;
    type Change = fn(&mut MemoryNode);
    let changes: [(&str, Change); 4] = [
        ("ctime", |node| node.metadata.ctime.nanoseconds += 1),
        ("inode", |node| (node.metadata.inode, node.metadata.ctime.seconds) = (77, 7)),
        ("mode", |node| (node.metadata.ctime.nanoseconds, node.metadata.mode) = (5, 0o600)),
        ("mtime", |node| node.metadata.mtime.nanoseconds += 1),
    ];
    let tree = |is_changed: bool| {
        let nodes = changes.map(|(name, change)| {
            let mut node = MemoryNode::file(name);
            node.metadata.inode = 10;
            if is_changed {
                change(&mut node);
            }
            (name, node)
        });
        let mut top = MemoryNode::directory(nodes);
        // As a server numbers its files anew.
        top.metadata.inode = if is_changed { 4 } else { 3 };
        MemorySource::new([("/r", top)])
    };
    const MTIME: (&str, ReadReason) = ("mtime", R::Changed(D::Mtime));
    type Case = (bool, bool, &'static [(&'static str, ReadReason)]);
    let cases: [Case; 4] = [
        (
            false,
            false,
            &[
                ("ctime", R::Changed(D::Ctime)),
                ("inode", R::Changed(D::Inode)),
                ("mode", R::Changed(D::Metadata)),
                MTIME,
            ],
        ),
        (true, false, &[("inode", R::Changed(D::Inode)), MTIME]),
        (false, true, &[MTIME]),
        (true, true, &[MTIME]),
    ];
    for (ignore_ctime, ignore_inode, expected) in cases {
        let repository = repository(&Arc::new(MemoryBackend::new()));
        let first = snapshot(&repository, &tree(false), &SnapshotOptions::default()).expect("snapshot");
        let heard = Arc::new(Reasons::default());
        let observer = Arc::<Reasons>::clone(&heard);
        let options = SnapshotOptions { observer, ignore_ctime, ignore_inode, ..Default::default() };
        let report = snapshot(&repository, &tree(true), &options).expect("snapshot");
        let heard: Vec<_> = heard.0.lock().expect("lock").iter().map(|(name, told)| (name.clone(), told.1)).collect();
        let expected: Vec<_> = expected.iter().map(|(name, reason)| ((*name).to_owned(), *reason)).collect();
        assert_eq!(heard, expected);
        assert_eq!(report.files.unchanged, 4 - expected.len() as u64);
        // The content is the old one, all else is as it is now.
        let (before, after) = (entries(&repository, &first), entries(&repository, &report));
        assert_eq!((&after["//r/mode"].1[..], after["//r/mode"].0.mode), (&b"mode"[..], 0o600));
        for path in ["//r/inode", "//r"] {
            let is_kept = after[path].0.inode == before[path].0.inode;
            assert_eq!(is_kept, ignore_inode, "{path} has nothing but another number");
        }
    }
}

/// A file system that numbers its files anew at each mount must not make every tree new.
#[test]
fn a_tree_of_which_nothing_but_the_numbers_changed_is_stored_again_by_nobody() {
    let tree = |base: u64| {
        let mut file = MemoryNode::file("content");
        file.metadata.inode = base + 1;
        let mut link = MemoryNode::symlink("x");
        link.metadata.inode = base + 2;
        let mut inner = MemoryNode::directory([("file", file), ("link", link)]);
        inner.metadata.inode = base + 3;
        let mut top = MemoryNode::directory([("d", inner)]);
        top.metadata.inode = base + 4;
        MemorySource::new([("/r", top)])
    };
    let repository = repository(&Arc::new(MemoryBackend::new()));
    snapshot(&repository, &tree(100), &SnapshotOptions::default()).expect("snapshot");
    let options = SnapshotOptions { ignore_inode: true, ..Default::default() };
    let report = snapshot(&repository, &tree(200), &options).expect("snapshot");
    assert_eq!((report.files.unchanged, report.sizes.stored), (1, 0));
}
