//! Targets that keep times to the second.

use std::{fs, path::Path, process::Command};

use lbak_core::observe::FindingKind;
use lbak_restore::{Overwrite, RestoreOptions, restore};
use lbak_testkit::not_run;

use crate::{
    in_place::in_place,
    support::{folders, quick, shared, take},
};

/// A file system in a file, mounted.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// ext4 with inodes that have no room for parts of seconds; `None` where that can not be mounted.
fn mount_coarse<'a>(image: &Path, at: &'a Path) -> Option<Mounted<'a>> {
    let run = |program: &str, arguments: &[&str], paths: &[&Path]| {
        let output = Command::new(program).args(arguments).args(paths).output().ok()?;
        output.status.success().then_some(())
    };
    fs::File::create(image).and_then(|file| file.set_len(8 << 20)).expect("image");
    fs::create_dir(at).expect("mount point");
    run("mkfs.ext4", &["-q", "-F", "-I", "128"], &[image])?;
    run("mount", &["-o", "loop"], &[image, at])?;
    Some(Mounted(at))
}

/// The same file was written again by every run, and nobody said that its time was another.
#[test]
fn times_that_are_kept_to_the_second_are_told_once_and_are_no_change() {
    let (_, repository) = shared();
    let folders = folders();
    for name in ["a", "b", "c"] {
        fs::write(folders.source.join(name), name).expect("write");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let mounted = folders.folder.path().join("mounted");
    let Some(_mounted) = mount_coarse(&folders.folder.path().join("image"), &mounted) else {
        return not_run("no such file system can be mounted here");
    };
    let target = mounted.join("target");
    let assert_told = |report: &lbak_restore::RestoreReport| {
        let told: Vec<_> = report.findings.iter().filter(|one| one.message.contains("kept to the second")).collect();
        assert_eq!((told.len(), report.findings.len()), (1, 1), "{:?}", report.findings);
        assert_eq!(told[0].kind, FindingKind::MetadataUnset);
    };
    assert_told(&restore(&repository, &manifest, &target, &quick()).expect("restore"));
    for overwrite in [Overwrite::IfChanged, Overwrite::IfNewer, Overwrite::Always] {
        for dry_run in [true, false] {
            let options = RestoreOptions { dry_run, ..in_place(overwrite) };
            let report = restore(&repository, &manifest, &target, &options).expect("restore");
            assert_eq!((report.actions.updated, report.actions.created), (0, 0), "{overwrite:?} {dry_run}");
            assert_eq!(report.written_bytes, 0, "{overwrite:?}");
            assert_told(&report);
        }
    }
}
