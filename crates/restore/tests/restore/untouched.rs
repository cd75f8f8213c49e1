//! What a restore never touches, whatever the snapshot has.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use lbak_core::{error::Error, observe::FindingKind};
use lbak_restore::{Overwrite, Place, RestoreOptions, lies_in, restore};
use lbak_testkit::not_run;

use crate::{
    in_place::with_delete,
    support::{Folders, folders, found, shared, take},
};

/// Something mounted at another place too.
struct Bound(PathBuf);

/// `None`, and a word about it, where that is not allowed.
fn bind(from: &Path, to: &Path) -> Option<Bound> {
    let output = Command::new("mount").arg("--bind").args([from, to]).output();
    if !output.is_ok_and(|output| output.status.success()) {
        not_run("this user can not mount anything");
        return None;
    }
    Some(Bound(to.to_owned()))
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn identity(path: &Path) -> (u64, u64) {
    let metadata = fs::metadata(path).expect("it is there");
    (metadata.dev(), metadata.ino())
}

/// A directory that stands for a repository, and options that never touch it.
fn repository_in(folders: &Folders) -> (PathBuf, RestoreOptions) {
    let place = folders.folder.path().join("repository");
    fs::create_dir_all(place.join("packs/00")).expect("directory");
    fs::write(place.join("packs/00/pack"), "a pack").expect("write");
    let untouched = [&place, &place.join("packs"), &place.join("packs/00")].map(|path| identity(path)).to_vec();
    (place, RestoreOptions { untouched, ..with_delete(Overwrite::Always) })
}

fn assert_refused(folders: &Folders, target: &Path, options: &RestoreOptions) {
    let (_, repository) = shared();
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    for dry_run in [true, false] {
        let options = RestoreOptions { dry_run, ..options.clone() };
        let outcome = restore(&repository, &manifest, target, &options);
        let is_refused = matches!(&outcome, Err(Error::Invalid { what }) if what.contains("lies in, the repository"));
        assert!(is_refused, "{}: {outcome:?}", target.display());
    }
    let place = folders.folder.path().join("repository");
    let mut names: Vec<_> = fs::read_dir(&place).expect("list").map(|name| name.expect("a name").file_name()).collect();
    names.sort();
    assert_eq!(names, ["packs"], "nothing is made in it");
    assert_eq!(fs::read(place.join("packs/00/pack")).expect("it is there"), b"a pack");
}

/// `restore --delete` into the repository deleted every pack.
#[test]
fn a_target_in_the_repository_is_refused_by_whatever_name() {
    let folders = folders();
    fs::write(folders.source.join("a"), "a").expect("write");
    let (place, options) = repository_in(&folders);
    let link = folders.folder.path().join("link");
    symlink(place.join("packs"), &link).expect("link");
    for target in [
        place.clone(),
        place.join("packs"),
        place.join("packs/00"),
        place.join("new"),
        link.join("00"),
        link.join("new"),
        place.join("packs/../../repository/."),
    ] {
        assert_refused(&folders, &target, &options);
    }
    let bound = folders.folder.path().join("bound");
    fs::create_dir(&bound).expect("directory");
    // Mounted on its own, a part of it lies below nothing that would tell.
    let Some(_bound) = bind(&place.join("packs"), &bound) else { return };
    assert_refused(&folders, &bound, &options);
    assert_refused(&folders, &bound.join("00"), &options);
    assert_refused(&folders, &bound.join("new"), &options);
}

/// What was once backed up from where the repository is now.
#[test]
fn nothing_is_put_back_into_the_repository() {
    let (_, repository) = shared();
    let mut folders = folders();
    folders.source = folders.folder.path().join("repository/packs");
    fs::create_dir_all(&folders.source).expect("directory");
    fs::write(folders.source.join("old"), "old").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::remove_file(folders.source.join("old")).expect("remove");
    let (place, options) = repository_in(&folders);
    let original = RestoreOptions { place: Place::Original, ..options.clone() };
    let outcome = restore(&repository, &manifest, Path::new("/"), &original);
    assert!(matches!(outcome, Err(Error::Invalid { .. })), "{outcome:?}");

    // Below the target it costs no more than itself.
    let manifest = take(&repository, &[folders.folder.path().to_owned()]);
    fs::write(place.join("packs/00/pack"), "changed").expect("write");
    fs::write(place.join("packs/00/another"), "another").expect("write");
    let report = restore(&repository, &manifest, folders.folder.path(), &options).expect("restore");
    let path = place.to_str().expect("text").to_owned();
    assert_eq!(found(&report, FindingKind::Unwritable), [path].into());
    assert_eq!(fs::read(place.join("packs/00/pack")).expect("read"), b"changed");
    assert!(place.join("packs/00/another").exists());
}

#[test]
fn a_place_beside_is_none_inside() {
    let folders = folders();
    let (place, options) = repository_in(&folders);
    assert!(lies_in(&place.join("packs/00/pack"), &options.untouched));
    for beside in [folders.folder.path().join("repository-2"), folders.folder.path().to_owned(), folders.target] {
        assert!(!lies_in(&beside, &options.untouched), "{}", beside.display());
    }
}

/// The key file that the restore was opened with was deleted, or replaced by an old one.
#[test]
fn a_file_that_opens_the_repository_is_neither_deleted_nor_changed() {
    let (_, repository) = shared();
    let folders = folders();
    fs::create_dir(folders.source.join("dir")).expect("directory");
    for name in ["old", "dir/within", "link", "one", "two"] {
        fs::write(folders.source.join(name), "old").expect("write");
    }
    fs::remove_file(folders.source.join("link")).expect("remove");
    symlink("nowhere", folders.source.join("link")).expect("link");
    fs::remove_file(folders.source.join("two")).expect("remove");
    fs::hard_link(folders.source.join("one"), folders.source.join("two")).expect("link");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::create_dir_all(folders.target.join("extra/deep")).expect("directory");
    let keys = ["key", "extra/deep/key", "old", "link", "one", "dir"].map(|name| folders.target.join(name));
    for key in &keys {
        fs::write(key, "the key").expect("write");
    }
    fs::write(folders.target.join("extra/gone"), "gone").expect("write");
    let untouched = keys.iter().map(|key| identity(key)).collect();
    let options = RestoreOptions { untouched, ..with_delete(Overwrite::Always) };
    for dry_run in [true, false] {
        let options = RestoreOptions { dry_run, ..options.clone() };
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        let path = |name: &str| folders.source.join(name).to_str().expect("text").to_owned();
        let named: Vec<String> = report
            .findings
            .iter()
            .filter(|finding| finding.kind == FindingKind::Skipped && finding.message.contains("key"))
            .map(|finding| String::from_utf8_lossy(&finding.path).into_owned())
            .collect();
        for name in ["old", "link", "one", "dir"] {
            assert!(named.contains(&path(name)), "{name} is not named: {:?}", report.findings);
        }
        for key in &keys {
            assert_eq!(fs::read_to_string(key).expect("it is there"), "the key", "{}", key.display());
        }
    }
    assert_eq!(fs::read_to_string(folders.target.join("two")).expect("it is there"), "old");
}

#[test]
fn a_key_stays_where_all_else_is_deleted() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "a").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::create_dir_all(folders.target.join("extra/deep")).expect("directory");
    let keys = ["key", "extra/deep/key"].map(|name| folders.target.join(name));
    keys.iter().for_each(|key| fs::write(key, "the key").expect("write"));
    fs::write(folders.target.join("extra/gone"), "gone").expect("write");
    let untouched = keys.iter().map(|key| identity(key)).collect();
    let options = RestoreOptions { untouched, ..with_delete(Overwrite::IfChanged) };
    for dry_run in [true, false] {
        let options = RestoreOptions { dry_run, ..options.clone() };
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        let path = |name: &str| folders.source.join(name).to_str().expect("text").to_owned();
        assert_eq!(found(&report, FindingKind::Skipped), [path("key"), path("extra/deep/key")].into());
        assert_eq!(report.actions.deleted, 1);
    }
    assert!(keys.iter().all(|key| key.exists()) && !folders.target.join("extra/gone").exists());
}

/// A dry run counted files that the restore could not delete.
#[test]
fn a_dry_run_knows_that_a_mounted_file_stays() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "a").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::create_dir_all(folders.target.join("extra")).expect("directory");
    let mounted = ["a", "b", "extra/c"].map(|name| folders.target.join(name));
    mounted.iter().for_each(|path| fs::write(path, "not of the snapshot").expect("write"));
    let outside = folders.folder.path().join("outside");
    fs::write(&outside, "mounted").expect("write");
    let bound: Vec<Option<Bound>> = mounted.iter().map(|path| bind(&outside, path)).collect();
    if bound.iter().any(Option::is_none) {
        return;
    }
    let options = with_delete(Overwrite::Always);
    let dry = RestoreOptions { dry_run: true, ..options.clone() };
    let shown = restore(&repository, &manifest, &folders.target, &dry).expect("dry run");
    let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert_eq!(shown.findings, report.findings);
    assert_eq!(shown.actions, report.actions);
    assert_eq!((report.actions.deleted, found(&report, FindingKind::Unwritable).is_empty()), (0, false));
}
