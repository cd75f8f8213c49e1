//! Targets that can not take what is restored.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
};

use lbak_core::{
    error::Error,
    observe::{Cancellation, Event, Observer},
};
use lbak_restore::{RestoreOptions, restore};
use lbak_testkit::{not_run, objects::noise};

use crate::{
    damage::assert_complete_files_only,
    support::{Folders, folders, quick, restored, shared, take},
};

#[test]
fn a_target_that_holds_something_is_left_alone() {
    let (_, repository) = shared();
    let folders = folders();
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::create_dir(&folders.target).expect("target");
    restored(&repository, &manifest, &folders.target); // empty is fine
    fs::write(folders.target.join("mine"), "mine").expect("write");
    for dry_run in [false, true] {
        let options = RestoreOptions { dry_run, ..quick() };
        let outcome = restore(&repository, &manifest, &folders.target, &options);
        assert!(matches!(outcome, Err(Error::TargetNotEmpty { .. })));
    }
    let beyond = folders.folder.path().join("missing/target");
    for dry_run in [false, true] {
        let options = RestoreOptions { dry_run, ..quick() };
        let outcome = restore(&repository, &manifest, &beyond, &options);
        assert!(matches!(outcome, Err(Error::Target { .. })));
    }
    let file = folders.folder.path().join("file");
    fs::write(&file, "a file").expect("write");
    let outcome = restore(&repository, &manifest, &file, &quick());
    assert!(matches!(outcome, Err(Error::Target { .. })));
}

pub(crate) struct Mounted<'a>(&'a Path);

/// Mounts a small file system; `None`, and a word about it, where that is not allowed.
pub(crate) fn mount<'a>(path: &'a Path, options: &str) -> Option<Mounted<'a>> {
    fs::create_dir(path).expect("mount point");
    let output = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(path).output();
    if !output.is_ok_and(|output| output.status.success()) {
        not_run("this user can not mount anything");
        return None;
    }
    Some(Mounted(path))
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

fn fill(folders: &Folders) {
    for number in 0..40 {
        fs::write(folders.source.join(number.to_string()), noise(number, 500_000)).expect("write");
    }
}

#[test]
fn a_full_target_stops_it_and_keeps_only_whole_files() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let Some(_mounted) = mount(&folders.target, "size=4m") else { return };
    let outcome = restore(&repository, &manifest, &folders.target, &quick());
    assert!(matches!(&outcome, Err(Error::Target { action: "write", .. })), "{outcome:?}");
    assert_complete_files_only(&folders);
}

#[test]
fn a_target_that_is_read_only_is_an_error() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let Some(_mounted) = mount(&folders.target, "size=4m,ro") else { return };
    let outcome = restore(&repository, &manifest, &folders.target, &quick());
    assert!(matches!(outcome, Err(Error::Target { .. })));
}

/// Asks to stop when so many bytes are there.
struct Impatient {
    cancellation: Cancellation,
    bytes: u64,
    seen: AtomicU64,
}

impl Observer for Impatient {
    fn event(&self, event: &Event<'_>) {
        if let Event::Progress(progress) = event {
            self.seen.fetch_max(progress.bytes, Ordering::Relaxed);
            if progress.bytes >= self.bytes {
                self.cancellation.cancel();
            }
        }
    }
}

#[test]
fn a_cancelled_restore_leaves_only_whole_files() {
    let (_, repository) = shared();
    let folders = folders();
    fill(&folders);
    fs::write(folders.source.join("large"), noise(99, 30_000_000)).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    for bytes in [1, 10_000_000, 30_000_000] {
        let cancellation = Cancellation::default();
        let observer = Impatient { cancellation: cancellation.clone(), bytes, seen: AtomicU64::new(0) };
        let observer = std::sync::Arc::new(observer);
        let options = RestoreOptions { cancellation, observer: observer.clone(), window_bytes: 4 << 20, ..quick() };
        let outcome = restore(&repository, &manifest, &folders.target, &options);
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
        assert!(observer.seen.load(Ordering::Relaxed) < 50_000_000);
        assert_complete_files_only(&folders);
        fs::remove_dir_all(&folders.target).expect("remove");
    }
    let cancellation = Cancellation::default();
    cancellation.cancel();
    let options = RestoreOptions { cancellation, ..quick() };
    assert!(matches!(restore(&repository, &manifest, &folders.target, &options), Err(Error::Cancelled)));
    assert!(!folders.target.exists());
}
