//! The directory that a restore goes into becomes what it is in the snapshot.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use lbak_core::observe::Action;
use lbak_restore::{Overwrite, Place, RestoreOptions, restore};
use lbak_testkit::not_run;
use rustix::fs::XattrFlags;

use crate::{
    dry_runs::Listener,
    in_place::{copy_of, differences, in_place},
    support::{Folders, folders, quick, shared, take},
};

/// A list that lets somebody else read, and a mask: owner rw-, user 65534 r--, group r--, mask r--, others ---.
const ACCESS_LIST: &[u8] = &[
    2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 5, 0, 254, 255, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 5,
    0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
];

/// A source whose own directory has everything that a directory can have.
fn fill(folders: &Folders) {
    fs::write(folders.source.join("a"), "a").expect("write");
    if rustix::fs::setxattr(&folders.source, "user.root", b"of the snapshot", XattrFlags::empty()).is_err() {
        not_run("the temporary directory has no extended attributes");
    }
    if rustix::fs::setxattr(&folders.source, "system.posix_acl_access", ACCESS_LIST, XattrFlags::empty()).is_err() {
        not_run("the temporary directory has no access lists");
    }
    fs::set_permissions(&folders.source, fs::Permissions::from_mode(0o2750)).expect("mode");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&folders.source, Some(4242), Some(4243)).expect("chown");
        fs::set_permissions(&folders.source, fs::Permissions::from_mode(0o2750)).expect("mode");
    }
    set_time(&folders.source, 1_000_000);
}

fn set_time(path: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    File::open(path).expect("open").set_modified(time).expect("time");
}

/// Makes it another directory than that of the snapshot, with the same things in it.
fn spoil(path: &Path) {
    fs::write(path.join("mine"), "mine").expect("write");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(0), Some(0)).expect("chown");
    }
    let _ = rustix::fs::removexattr(path, "user.root");
    let _ = rustix::fs::removexattr(path, "system.posix_acl_access");
    let _ = rustix::fs::setxattr(path, "user.extra", b"mine", XattrFlags::empty());
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("mode");
    set_time(path, 2_000_000);
}

fn but_mine(folders: &Folders) -> Vec<String> {
    differences(folders).into_iter().filter(|line| !line.starts_with("/mine")).collect()
}

/// A target that held something kept its mode, owner, attributes and time, and the report said that nothing differed.
#[test]
fn in_place_the_target_becomes_what_the_root_of_the_snapshot_was() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    copy_of(&folders);
    spoil(&folders.target);
    let listener = std::sync::Arc::new(Listener::default());
    let told = RestoreOptions { observer: listener.clone(), ..in_place(Overwrite::IfChanged) };
    for dry_run in [true, false] {
        let report = restore(&repository, &manifest, &folders.target, &RestoreOptions { dry_run, ..told.clone() });
        let report = report.expect("restore");
        assert_eq!((report.actions.updated, report.actions.kept, report.findings), (1, 1, vec![]));
        let root = (Action::Updated, folders.source.to_str().expect("text").to_owned());
        assert!(listener.take().contains(&root));
        assert_eq!(but_mine(&folders).is_empty(), !dry_run, "{:?}", but_mine(&folders));
    }
    let again = restore(&repository, &manifest, &folders.target, &told).expect("restore");
    assert_eq!((again.actions.updated, again.actions.kept), (0, 2));

    // Who wants nothing changed that is there wants that of the target, too.
    for (overwrite, seconds) in [(Overwrite::Never, 3), (Overwrite::IfNewer, 2_000_000)] {
        spoil(&folders.target);
        set_time(&folders.target, seconds);
        restore(&repository, &manifest, &folders.target, &in_place(overwrite)).expect("restore");
        assert_eq!(fs::metadata(&folders.target).expect("target").mode() & 0o7777, 0o777, "{overwrite:?}");
    }
}

#[test]
fn what_is_put_back_where_it_was_becomes_what_it_was() {
    for is_in_place in [false, true] {
        let (_, repository) = shared();
        let folders = folders();
        fill(&folders);
        fs::create_dir(folders.source.join("sub")).expect("directory");
        fs::set_permissions(folders.source.join("sub"), fs::Permissions::from_mode(0o710)).expect("mode");
        set_time(&folders.source, 1_000_000);
        let manifest = take(&repository, std::slice::from_ref(&folders.source));
        copy_of(&folders);
        fs::remove_file(folders.source.join("a")).expect("remove");
        spoil(&folders.source);
        fs::set_permissions(folders.source.join("sub"), fs::Permissions::from_mode(0o700)).expect("mode");
        let options = if is_in_place { in_place(Overwrite::IfChanged) } else { quick() };
        let options = RestoreOptions { place: Place::Original, ..options };
        let report = restore(&repository, &manifest, Path::new("/"), &options).expect("restore");
        assert_eq!(report.findings, []);
        assert_eq!((report.actions.created, report.actions.updated), (1, 2));
        assert_eq!(but_mine(&folders), Vec::<String>::new());
    }
}
