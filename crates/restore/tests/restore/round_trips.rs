//! What was taken comes back as it was.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use lbak_core::{
    error::Error,
    metadata::FileKind,
    observe::FindingKind,
    source::{MemoryNode, MemorySource},
};
use lbak_restore::{ListOptions, Place, RestoreOptions, list, restore};
use lbak_testkit::{
    not_run,
    objects::noise,
    trees::{compare, tree, write_tree},
};
use proptest::prelude::*;

use crate::support::{folders, found, quick, restored, shared, take, take_from};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_restored_tree_equals_its_source(tree in tree(), window in prop::sample::select(&[1, 4096, 300_000, 64 << 20][..])) {
        let (_, repository) = shared();
        let folders = folders();
        write_tree(&tree, &folders.source).expect("write");
        let manifest = take(&repository, std::slice::from_ref(&folders.source));
        let options = RestoreOptions { window_bytes: window, ..quick() };
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        prop_assert_eq!(&report.findings, &[]);
        prop_assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
        prop_assert_eq!(report.totals, manifest.totals);
        prop_assert_eq!(report.bytes, manifest.sizes.logical);
        prop_assert_eq!(report.lost, 0);

        let dry = RestoreOptions { dry_run: true, ..quick() };
        let dry_target = folders.folder.path().join("dry");
        let dry = restore(&repository, &manifest, &dry_target, &dry).expect("dry run");
        prop_assert!(!dry_target.exists());
        prop_assert_eq!((dry.totals, dry.bytes), (report.totals, report.bytes));
    }
}

#[test]
fn ten_thousand_small_files_come_back() {
    let (_, repository) = shared();
    let folders = folders();
    for directory in 0..100 {
        let path = folders.source.join(format!("directory {directory}"));
        fs::create_dir(&path).expect("directory");
        for file in 0..100 {
            fs::write(path.join(format!("{file}")), format!("file {file} of {directory}").repeat(file)).expect("write");
        }
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let report = restored(&repository, &manifest, &folders.target);
    assert_eq!((report.totals.files, report.totals.directories), (10_000, 101));
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
}

#[test]
fn a_file_larger_than_a_window_is_written_by_and_by() {
    let (_, repository) = shared();
    let folders = folders();
    let content = noise(1, 100 << 20);
    let file = MemoryNode::sparse_file([(5 << 20, content.clone()), (1 << 20, Vec::new())]);
    let source =
        MemorySource::new([("/source", MemoryNode::directory([("a", MemoryNode::file("a")), ("large", file)]))]);
    let manifest = take_from(&repository, &source);
    let options = RestoreOptions { window_bytes: 8 << 20, ..quick() };
    let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert!(found(&report, FindingKind::Lost).is_empty());
    let large = fs::read(folders.target.join("large")).expect("read");
    assert!(large.len() == 106 << 20 && large[5 << 20..105 << 20] == content);
    let blocks = fs::metadata(folders.target.join("large")).expect("metadata").blocks() * 512;
    assert!(blocks < 104 << 20, "holes are holes: {blocks}");
}

#[test]
fn a_list_of_many_pieces_is_read_window_by_window() {
    let (_, repository) = shared();
    let folders = folders();
    // Holes between bytes: more pieces than stand in an entry.
    let parts = (0..2000_u32).map(|number| (4096, number.to_le_bytes().to_vec()));
    let source = MemorySource::new([("/source", MemoryNode::directory([("a", MemoryNode::sparse_file(parts))]))]);
    let manifest = take_from(&repository, &source);
    let options = RestoreOptions { window_bytes: 1000, ..quick() };
    restore(&repository, &manifest, &folders.target, &options).expect("restore");
    let bytes = fs::read(folders.target.join("a")).expect("read");
    assert_eq!(bytes.len(), 2000 * 4100);
    for (number, part) in bytes.chunks_exact(4100).enumerate() {
        assert!(part[..4096].iter().all(|&byte| byte == 0));
        assert_eq!(part[4096..], u32::try_from(number).expect("few").to_le_bytes());
    }
}

#[test]
fn a_tree_deeper_than_a_path_can_be_comes_back() {
    let (_, repository) = shared();
    let folders = folders();
    let mut node = MemoryNode::directory([("leaf", MemoryNode::file("deep"))]);
    for _ in 0..700 {
        node = MemoryNode::directory([("a name of twenty...", node), ("z", MemoryNode::file("z"))]);
    }
    let manifest = take_from(&repository, &MemorySource::new([("/source", node)]));
    let report = restored(&repository, &manifest, &folders.target);
    assert_eq!((report.totals.directories, report.totals.files), (701, 701));
    assert!(report.findings.iter().all(|finding| finding.kind == FindingKind::MetadataUnset), "{:?}", report.findings);
    // The standard library would need a path.
    assert!(std::process::Command::new("rm").arg("-rf").arg(&folders.target).status().expect("rm").success());
}

#[test]
fn modes_that_keep_everybody_out_are_set_at_last() {
    let (_, repository) = shared();
    let folders = folders();
    let closed = folders.source.join("closed");
    fs::create_dir(&closed).expect("directory");
    fs::write(closed.join("file"), "x").expect("write");
    fs::set_permissions(closed.join("file"), fs::Permissions::from_mode(0o400)).expect("mode");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).expect("mode");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    restored(&repository, &manifest, &folders.target);
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("mode");
    fs::set_permissions(folders.target.join("closed"), fs::Permissions::from_mode(0o700)).expect("mode");
}

#[test]
fn devices_and_owners_come_back_for_root() {
    if fs::metadata("/proc/self").expect("proc").uid() != 0 {
        return not_run("only root can make devices and give files away");
    }
    let (_, repository) = shared();
    let folders = folders();
    let mut owned = MemoryNode::file("x");
    (owned.metadata.uid, owned.metadata.gid, owned.metadata.mode) = (1234, 4321, 0o6755);
    let source = MemorySource::new([(
        "/source",
        MemoryNode::directory([
            ("null", MemoryNode::special(FileKind::CharacterDevice, 1, 3)),
            ("owned", owned),
            ("pipe", MemoryNode::special(FileKind::Fifo, 0, 0)),
        ]),
    )]);
    let manifest = take_from(&repository, &source);
    let report = restored(&repository, &manifest, &folders.target);
    let owned = fs::metadata(folders.target.join("owned")).expect("metadata");
    assert_eq!((owned.uid(), owned.gid(), owned.mode() & 0o7777), (1234, 4321, 0o6755));
    // Containers may forbid devices: that is a finding, and nothing else is hurt.
    if found(&report, FindingKind::Unwritable).is_empty() {
        let null = fs::metadata(folders.target.join("null")).expect("metadata");
        assert_eq!((null.rdev(), null.mode() & 0o7777), (fs::metadata("/dev/null").expect("null").rdev(), 0o600));
    }
}

#[test]
fn hard_links_across_windows_and_kinds_are_linked() {
    let (_, repository) = shared();
    let folders = folders();
    for number in 0..20 {
        let (a, z) = (folders.source.join(format!("a{number}")), folders.source.join(format!("z{number}")));
        fs::write(&a, noise(number, 100_000)).expect("write");
        fs::hard_link(&a, &z).expect("link");
    }
    symlink("nowhere", folders.source.join("link")).expect("link");
    fs::hard_link(folders.source.join("link"), folders.source.join("other link")).expect("link");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let options = RestoreOptions { window_bytes: 150_000, ..quick() };
    let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert_eq!(report.totals, manifest.totals);
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
}

#[test]
fn several_roots_lie_under_their_own_paths() {
    let (_, repository) = shared();
    let folders = folders();
    for name in ["one", "two/deep"] {
        fs::create_dir_all(folders.source.join(name)).expect("directory");
        fs::write(folders.source.join(name).join("file"), name).expect("write");
    }
    fs::write(folders.source.join("single"), "single").expect("write");
    let roots = ["one", "single", "two/deep"].map(|name| folders.source.join(name));
    let manifest = take(&repository, &roots);
    let report = restored(&repository, &manifest, &folders.target);
    assert_eq!(report.findings, []);
    for root in roots {
        let below = folders.target.join(root.strip_prefix("/").expect("absolute"));
        assert_eq!(compare(&root, &below), Vec::<String>::new(), "{}", root.display());
    }
    assert_eq!(report.totals, manifest.totals);
}

#[test]
fn a_single_file_goes_under_its_name() {
    let (_, repository) = shared();
    let folders = folders();
    let file = folders.source.join("file");
    fs::write(&file, "content").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&file));
    restored(&repository, &manifest, &folders.target);
    assert_eq!(compare(&file, &folders.target.join("file")), Vec::<String>::new());
}

#[test]
fn a_part_is_found_by_its_path() {
    let (_, repository) = shared();
    let folders = folders();
    fs::create_dir_all(folders.source.join("a/b")).expect("directory");
    fs::write(folders.source.join("a/b/file"), "content").expect("write");
    fs::write(folders.source.join("other"), "other").expect("write");
    symlink("a", folders.source.join("link")).expect("link");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let absolute = format!("{}/a/", folders.source.display());
    let mut number = 0;
    let mut part = |path: &str| {
        number += 1;
        let target = folders.folder.path().join(number.to_string());
        let options = RestoreOptions { path: Some(path.as_bytes().to_vec()), ..quick() };
        (target.clone(), restore(&repository, &manifest, &target, &options))
    };
    for path in [absolute.as_str(), "a", "./a"] {
        let (target, report) = part(path);
        assert_eq!(report.expect("restore").totals.files, 1);
        assert_eq!(compare(&folders.source.join("a"), &target), Vec::<String>::new(), "{path}");
    }
    let (target, report) = part("a/b/file");
    report.expect("restore");
    assert_eq!(compare(&folders.source.join("a/b/file"), &target.join("file")), Vec::<String>::new());
    let (target, _) = part("");
    assert_eq!(compare(&folders.source, &target), Vec::<String>::new());
    for path in ["b", "a/c", "link/b", "../other", "a/b/file/x", "/a", "/"] {
        let (target, report) = part(path);
        assert!(matches!(report, Err(Error::NotInSnapshot { .. })), "{path}");
        assert!(!target.exists());
    }
}

#[test]
fn originals_go_back_and_replace_nothing() {
    let (_, repository) = shared();
    let folders = folders();
    fs::create_dir_all(folders.source.join("a")).expect("directory");
    fs::write(folders.source.join("a/gone"), "gone").expect("write");
    fs::write(folders.source.join("a/kept"), "before").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::remove_file(folders.source.join("a/gone")).expect("remove");
    fs::write(folders.source.join("a/kept"), "after").expect("write");
    let options = RestoreOptions { place: Place::Original, ..quick() };
    let report = restore(&repository, &manifest, Path::new("/"), &options).expect("restore");
    assert_eq!(fs::read(folders.source.join("a/gone")).expect("read"), b"gone");
    assert_eq!(fs::read(folders.source.join("a/kept")).expect("read"), b"after");
    let kept = folders.source.join("a/kept").display().to_string();
    assert_eq!(found(&report, FindingKind::Unwritable), [kept].into());

    fs::remove_dir_all(&folders.source).expect("remove");
    let report = restore(&repository, &manifest, Path::new("/"), &options).expect("restore");
    assert_eq!(report.findings, []);
    assert_eq!(fs::read(folders.source.join("a/kept")).expect("read"), b"before");
}

#[test]
fn a_listing_shows_what_a_restore_makes() {
    let (_, repository) = shared();
    let folders = folders();
    fs::create_dir_all(folders.source.join("a/b")).expect("directory");
    fs::write(folders.source.join("a/b/file"), "content").expect("write");
    fs::write(folders.source.join("c"), "c").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let listed = |path: Option<&str>, recursive| {
        let options = ListOptions { recursive, ..ListOptions::default() };
        let mut paths = Vec::new();
        let mut note = |listed: lbak_restore::ListedEntry<'_>| {
            let path = String::from_utf8(listed.path).expect("text");
            paths.push(path.replace(folders.source.to_str().expect("text"), ""));
            Ok(())
        };
        list(&repository, &manifest, path.map(str::as_bytes), &options, &mut note).expect("list");
        paths
    };
    assert_eq!(listed(None, false), ["/a", "/c"]);
    assert_eq!(listed(None, true), ["/a", "/a/b", "/a/b/file", "/c"]);
    assert_eq!(listed(Some("a"), true), ["/a/b", "/a/b/file"]);
    assert_eq!(listed(Some("c"), true), ["/c"]);
}
