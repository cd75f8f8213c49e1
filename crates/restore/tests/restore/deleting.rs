//! What the snapshot does not have is deleted when that was asked for, and nothing else.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
    sync::Arc,
};

use lbak_core::{
    error::Error,
    observe::{Action, FindingKind},
    patterns::Patterns,
    source::{LocalSource, MemoryNode, MemorySource, SelectedSource, SelectionRules},
};
use lbak_restore::{Delete, InPlace, Overwrite, Place, RestoreOptions, restore};
use lbak_testkit::objects::noise;

use crate::{
    dry_runs::Listener,
    in_place::{differences, in_place, with_delete},
    support::{Folders, blocks_of_files, damage_block, folders, found, quick, restored, shared, take, take_from},
    targets::mount,
};

fn none() -> &'static [&'static str] {
    &[]
}

fn fill(folders: &Folders) {
    fs::create_dir_all(folders.source.join("sub/deep")).expect("directory");
    for name in ["a", "sub/b", "sub/deep/c"] {
        fs::write(folders.source.join(name), name).expect("write");
    }
}

fn add_extra(folders: &Folders) {
    fs::create_dir_all(folders.target.join("sub/extra/deep")).expect("directory");
    for name in ["extra", "sub/extra/one", "sub/extra/deep/two", "sub/keep.log"] {
        fs::write(folders.target.join(name), "not in the snapshot").expect("write");
    }
    symlink(&folders.source, folders.target.join("sub/link")).expect("link");
}

#[test]
fn only_what_the_snapshot_does_not_have_is_deleted_and_a_dry_run_says_so() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    restored(&repository, &manifest, &folders.target);
    add_extra(&folders);
    let listener = Arc::new(Listener::default());
    let told = RestoreOptions { observer: listener.clone(), ..with_delete(Overwrite::IfChanged) };
    let dry = RestoreOptions { dry_run: true, ..told.clone() };
    let shown = restore(&repository, &manifest, &folders.target, &dry).expect("dry run");
    let deleted = || -> Vec<String> {
        let told = listener.take();
        let source = folders.source.to_str().expect("text");
        let deleted = told.into_iter().filter(|(action, _)| *action == Action::Deleted);
        let mut deleted: Vec<String> = deleted.map(|(_, path)| path.replacen(source, "", 1)).collect();
        deleted.sort();
        deleted
    };
    let expected = [
        "/extra",
        "/sub/extra",
        "/sub/extra/deep",
        "/sub/extra/deep/two",
        "/sub/extra/one",
        "/sub/keep.log",
        "/sub/link",
    ];
    assert_eq!(deleted(), expected);
    assert!(folders.target.join("sub/extra/deep/two").exists(), "a dry run deletes nothing");
    let report = restore(&repository, &manifest, &folders.target, &told).expect("restore");
    assert_eq!(deleted(), expected);
    assert_eq!((report.actions.deleted, shown.actions), (7, report.actions));
    assert_eq!(differences(&folders), Vec::<String>::new());
    assert!(folders.source.join("sub/b").exists(), "a link is deleted, not what it leads to");
}

#[test]
fn without_being_asked_nothing_is_deleted() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    restored(&repository, &manifest, &folders.target);
    add_extra(&folders);
    let report = restore(&repository, &manifest, &folders.target, &in_place(Overwrite::Always)).expect("restore");
    assert_eq!(report.actions.deleted, 0);
    assert!(folders.target.join("sub/extra/deep/two").exists());
}

#[test]
fn what_is_left_out_is_not_deleted() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    for (exclude, include, is_left) in [
        (&["*.log", "two"][..], none(), &["sub/keep.log", "sub/extra/deep/two"][..]),
        (none(), &["sub/extra/"][..], &["extra", "sub/keep.log", "sub/link"][..]),
        (none(), &["*.log"][..], &["extra", "sub/extra/one", "sub/extra/deep/two", "sub/link"][..]),
    ] {
        restored(&repository, &manifest, &folders.target);
        add_extra(&folders);
        let patterns = Patterns::new(exclude, include).expect("patterns");
        let options = RestoreOptions { patterns, ..with_delete(Overwrite::IfChanged) };
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        assert_eq!(report.findings, []);
        let exists = |name: &&str| fs::symlink_metadata(folders.target.join(name)).is_ok();
        let all =
            ["extra", "sub/extra/one", "sub/extra/deep/two", "sub/keep.log", "sub/link", "a", "sub/b", "sub/deep/c"];
        let left: Vec<&str> = all.into_iter().filter(exists).collect();
        let mut expected = is_left.to_vec();
        expected.extend(["a", "sub/b", "sub/deep/c"]);
        expected.sort_unstable_by_key(|name| all.iter().position(|one| one == name));
        assert_eq!(left, expected, "{exclude:?} {include:?}");
        fs::remove_dir_all(&folders.target).expect("remove");
    }
}

/// No snapshot has a socket, so every one looked like something that the snapshot does not have.
#[test]
fn a_socket_is_deleted_only_with_its_directory() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    restored(&repository, &manifest, &folders.target);
    add_extra(&folders);
    let sockets = ["live", "sub/live", "sub/extra/live"].map(|name| folders.target.join(name));
    let _listeners = sockets.each_ref().map(|path| UnixListener::bind(path).expect("bind"));
    let report = restore(&repository, &manifest, &folders.target, &with_delete(Overwrite::IfChanged)).expect("restore");
    assert_eq!(report.findings, []);
    assert_eq!(sockets.each_ref().map(|path| path.exists()), [true, true, false]);
    assert!(!folders.target.join("sub/extra").exists());
}

/// A file was lost, and the copy beside it that somebody had made by hand was deleted.
#[test]
fn nothing_is_deleted_beside_what_could_not_be_restored() {
    let (backend, repository) = shared();
    let folders = folders();
    fill(&folders);
    fs::write(folders.source.join("sub/lost"), noise(1, 300_000)).expect("write");
    fs::create_dir(folders.source.join("taken")).expect("directory");
    fs::create_dir(folders.source.join("taken/directory")).expect("directory");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    restored(&repository, &manifest, &folders.target);
    let (_, blocks) = blocks_of_files(&repository, &manifest)
        .into_iter()
        .find(|(path, _)| path.ends_with("sub/lost"))
        .expect("it is in the snapshot");
    blocks.iter().for_each(|block| damage_block(&backend, block));
    let there = |name: &str| folders.target.join(name);
    fs::rename(there("sub/lost"), there("sub/copy")).expect("rename");
    fs::remove_dir(there("taken/directory")).expect("remove");
    for name in ["taken/directory", "taken/copy", "sub/deep/extra", "extra"] {
        fs::write(there(name), name).expect("write");
    }
    let report = restore(&repository, &manifest, &folders.target, &with_delete(Overwrite::IfNewer)).expect("restore");
    let is_left = ["sub/copy", "taken/copy", "sub/deep/extra", "extra"].map(|name| there(name).exists());
    assert_eq!(is_left, [true, true, false, false], "{:?}", report.findings);
    let path = |name: &str| folders.source.join(name).to_str().expect("text").to_owned();
    assert_eq!(found(&report, FindingKind::Skipped), [path("sub"), path("taken")].into());
    assert_eq!(found(&report, FindingKind::Lost), [path("sub/lost")].into());
    assert_eq!(found(&report, FindingKind::Unwritable), [path("taken/directory")].into());
}

/// A directory in the way of a file was emptied whatever the patterns said.
#[test]
fn a_directory_in_the_way_stays_whole_when_patterns_leave_out_something_in_it() {
    let (_, repository) = shared();
    let folders = folders();
    for name in ["file", "another"] {
        fs::write(folders.source.join(name), name).expect("write");
    }
    symlink("nowhere", folders.source.join("link")).expect("link");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    for name in ["file/deep", "link/deep", "another/deep"] {
        fs::create_dir_all(folders.target.join(name)).expect("directory");
    }
    let kept = ["file/a", "file/deep/keep.log", "file/z", "link/a", "link/deep/keep.log"];
    for name in kept.iter().chain(&["another/deep/a"]) {
        fs::write(folders.target.join(name), "mine").expect("write");
    }
    let patterns = Patterns::new(&["*.log"], none()).expect("patterns");
    let options = RestoreOptions { patterns, ..with_delete(Overwrite::IfChanged) };
    let path = |name: &str| folders.source.join(name).to_str().expect("text").to_owned();
    for dry_run in [true, false] {
        let report = restore(&repository, &manifest, &folders.target, &RestoreOptions { dry_run, ..options.clone() })
            .expect("restore");
        assert_eq!(found(&report, FindingKind::Unwritable), [path("file"), path("link")].into());
        assert!(report.findings.iter().all(|finding| finding.message.contains("left out")), "{:?}", report.findings);
        assert_eq!(kept.map(|name| folders.target.join(name).exists()), [true; 5]);
    }
    assert_eq!(fs::read(folders.target.join("another")).expect("read"), b"another");
}

/// A directory that was opened to delete in it, and then stayed, was left with the mode that this had needed.
#[test]
fn a_directory_that_stays_keeps_its_mode() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    restored(&repository, &manifest, &folders.target);
    add_extra(&folders);
    let closed =
        [("sub/extra/deep", 0o050), ("sub/extra", 0o510)].map(|(name, mode)| (folders.target.join(name), mode));
    for (path, mode) in &closed {
        fs::set_permissions(path, fs::Permissions::from_mode(*mode)).expect("mode");
    }
    let patterns = Patterns::new(&["two"], none()).expect("patterns");
    let options = RestoreOptions { patterns, ..with_delete(Overwrite::IfChanged) };
    let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert_eq!(report.findings, []);
    for (path, mode) in closed.iter().rev() {
        assert_eq!(fs::metadata(path).expect("it stays").permissions().mode() & 0o7777, *mode, "{path:?}");
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("mode");
    }
    assert!(folders.target.join("sub/extra/deep/two").exists());
    assert!(!folders.target.join("sub/extra/one").exists());
}

/// Names were left out of a directory by choice, and what had them then was deleted.
#[test]
fn nothing_is_deleted_where_names_were_left_out_of_the_snapshot() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    fs::write(folders.source.join("sub/left out.log"), "left out").expect("write");
    let rules = SelectionRules { patterns: Patterns::new(&["*.log"], none()).expect("patterns"), ..Default::default() };
    let source = LocalSource::new(std::slice::from_ref(&folders.source)).expect("source");
    let manifest = take_from(&repository, &SelectedSource::new(&source, rules));
    restored(&repository, &manifest, &folders.target);
    fs::write(folders.target.join("sub/left out.log"), "left out").expect("write");
    fs::write(folders.target.join("sub/deep/extra"), "extra").expect("write");
    let spared = folders.source.join("sub").to_str().expect("text").to_owned();
    for dry_run in [true, false] {
        let options = RestoreOptions { dry_run, ..with_delete(Overwrite::IfChanged) };
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        assert_eq!(found(&report, FindingKind::Skipped), [spared.clone()].into());
        assert!(report.findings[0].message.contains("left out of it by choice"), "{:?}", report.findings);
        assert_eq!((report.spared_directories, report.actions.deleted), (1, 1), "below it all is known");
    }
    assert!(folders.target.join("sub/left out.log").exists() && !folders.target.join("sub/deep/extra").exists());
    // Where nothing would go there is nothing to be said.
    fs::remove_file(folders.target.join("sub/left out.log")).expect("remove");
    let report = restore(&repository, &manifest, &folders.target, &with_delete(Overwrite::IfChanged)).expect("restore");
    assert_eq!((report.spared_directories, report.findings), (0, vec![]));

    fs::write(folders.target.join("sub/left out.log"), "left out").expect("write");
    let insisting = InPlace { overwrite: Overwrite::IfChanged, delete: Delete::ExtraOfIncomplete };
    let options = RestoreOptions { in_place: Some(insisting), ..quick() };
    let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert_eq!((report.spared_directories, report.actions.deleted, report.findings), (0, 1, vec![]));
    assert!(!folders.target.join("sub/left out.log").exists());
}

#[test]
fn an_incomplete_snapshot_deletes_only_when_that_is_insisted_on() {
    let (_, repository) = shared();
    let folders = folders();
    let unread = MemoryNode::directory([("hidden", MemoryNode::file("hidden"))])
        .with_trouble(lbak_core::source::SourceErrorKind::Denied);
    let source =
        MemorySource::new([("/source", MemoryNode::directory([("unread", unread), ("a", MemoryNode::file("a"))]))]);
    let manifest = take_from(&repository, &source);
    assert!(!manifest.is_complete);
    fs::create_dir_all(folders.target.join("unread")).expect("target");
    fs::write(folders.target.join("unread/hidden"), "hidden").expect("write");
    fs::write(folders.target.join("extra"), "extra").expect("write");
    let outcome = restore(&repository, &manifest, &folders.target, &with_delete(Overwrite::IfChanged));
    assert!(matches!(&outcome, Err(Error::Invalid { what }) if what.contains("incomplete")), "{outcome:?}");
    assert!(folders.target.join("extra").exists());
    let insisting = InPlace { overwrite: Overwrite::IfChanged, delete: Delete::ExtraOfIncomplete };
    let options = RestoreOptions { in_place: Some(insisting), ..quick() };
    let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert!(!folders.target.join("extra").exists());
    assert!(folders.target.join("unread/hidden").exists(), "nobody knows what was in it");
    let why = report.findings.iter().find(|finding| finding.path == b"/source/unread").expect("it is told why");
    assert!(why.message.contains("could not be read when"), "{why:?}");
}

#[test]
fn nothing_is_deleted_in_a_directory_that_is_lost() {
    let (backend, repository) = shared();
    let folders = folders();
    // Each tree lies in a block of its own.
    for directory in 0..3 {
        let path = folders.source.join(format!("d{directory}"));
        fs::create_dir(&path).expect("directory");
        for file in 0..700 {
            fs::write(path.join(format!("{directory}-{file}")), format!("{directory} {file}")).expect("write");
        }
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    restored(&repository, &manifest, &folders.target);
    let mut has_lost = false;
    for (name, whole) in backend.contents().into_iter().filter(|(name, _)| name.starts_with("packs/")) {
        for place in (100..whole.len()).step_by(6_000) {
            let mut bytes = whole.to_vec();
            bytes[place] ^= 1;
            backend.tamper(&name, Some(bytes.into()));
            if let Ok(report) = restore(&repository, &manifest, &folders.target, &with_delete(Overwrite::IfChanged)) {
                has_lost |= report.lost > 0;
                assert_eq!(report.actions.deleted, 0, "{:?}", report.findings);
            }
        }
        backend.tamper(&name, Some(whole));
    }
    assert!(has_lost);
    assert_eq!(differences(&folders), Vec::<String>::new());
}

#[test]
fn other_file_systems_are_left_alone() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    fs::create_dir(folders.source.join("mounted")).expect("directory");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    restored(&repository, &manifest, &folders.target);
    fs::create_dir(folders.target.join("extra")).expect("directory");
    // One that the snapshot has, as an empty directory, and one that it has not.
    let (known, unknown) = (folders.target.join("mounted"), folders.target.join("extra/deep"));
    fs::remove_dir(&known).expect("remove");
    let (Some(_known), Some(_unknown)) = (mount(&known, "size=1m"), mount(&unknown, "size=1m")) else { return };
    for path in [&known, &unknown] {
        fs::write(path.join("precious"), "precious").expect("write");
    }
    let report = restore(&repository, &manifest, &folders.target, &with_delete(Overwrite::IfChanged)).expect("restore");
    assert!(known.join("precious").exists() && unknown.join("precious").exists());
    assert_eq!(found(&report, FindingKind::Unwritable).len(), 1, "{:?}", report.findings);
    assert_eq!(found(&report, FindingKind::Skipped).len(), 1, "{:?}", report.findings);
    assert_eq!(report.actions.deleted, 0);
}

#[test]
fn the_root_of_the_system_is_never_cleaned_up() {
    let (_, repository) = shared();
    let source = MemorySource::new([("/", MemoryNode::directory([("no such name", MemoryNode::file("a"))]))]);
    let manifest = take_from(&repository, &source);
    let options = RestoreOptions { place: Place::Original, dry_run: true, ..with_delete(Overwrite::Never) };
    let outcome = restore(&repository, &manifest, Path::new("/"), &options);
    assert!(matches!(&outcome, Err(Error::Invalid { what }) if what.contains("refusing")), "{outcome:?}");
}
