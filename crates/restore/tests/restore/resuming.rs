//! A restore that was interrupted goes on where it was.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use lbak_core::{
    backend::MemoryBackend,
    error::Error,
    observe::{Cancellation, Event, Observer},
    repository::Repository,
    snapshot::Manifest,
};
use lbak_restore::{Overwrite, RestoreOptions, restore};
use lbak_testkit::{Operation, RecordingBackend, objects::noise, trees::compare};

use crate::{
    in_place::in_place,
    support::{Folders, folders, quick, repository, take},
    targets::mount,
};

/// Asks to stop when so many bytes are there.
struct Impatient {
    cancellation: Cancellation,
    bytes: u64,
    seen: AtomicU64,
    told: Mutex<String>,
}

impl Observer for Impatient {
    fn event(&self, event: &Event<'_>) {
        if let Event::Progress(progress) = event {
            self.seen.fetch_max(progress.bytes, Ordering::Relaxed);
            if progress.bytes >= self.bytes {
                self.cancellation.cancel();
            }
        }
        if let Event::Finding(finding) = event {
            self.told.lock().expect("not poisoned").push_str(&finding.message);
        }
    }
}

/// Restores until so many bytes are there; returns how many were.
fn begin(repository: &Repository, manifest: &Manifest, folders: &Folders, bytes: u64, options: RestoreOptions) -> u64 {
    let cancellation = Cancellation::default();
    let (seen, told) = (AtomicU64::new(0), Mutex::default());
    let observer = Arc::new(Impatient { cancellation: cancellation.clone(), bytes, seen, told });
    let options = RestoreOptions { cancellation, observer: observer.clone(), window_bytes: 8 << 20, ..options };
    let outcome = restore(repository, manifest, &folders.target, &options);
    assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
    let left = names(&folders.target).into_iter().filter(|name| name.starts_with(".lbak-update-"));
    let told = observer.told.lock().expect("not poisoned");
    left.for_each(|name| assert!(told.contains(&name), "a file that lost its name can be found: {told}"));
    observer.seen.load(Ordering::Relaxed)
}

fn names(folder: &Path) -> Vec<String> {
    let listed = fs::read_dir(folder).expect("list");
    let mut names: Vec<String> =
        listed.map(|found| found.expect("entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn what_is_there_of_a_large_file_is_not_read_again() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    fs::write(folders.source.join("large"), noise(1, 100_000_000)).expect("write");
    for number in 0..20 {
        fs::write(folders.source.join(format!("small {number}")), noise(number + 2, 500_000)).expect("write");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let first = begin(&repository, &manifest, &folders, 60_000_000, quick());
    let left = names(&folders.target);
    assert!(left.contains(&".lbak-restore-unfinished".to_owned()), "{left:?}");
    assert!(!left.contains(&"large".to_owned()), "{left:?}");
    let partial = left.iter().filter(|name| name.starts_with(".lbak-restore-") && !name.ends_with("unfinished"));
    assert_eq!(partial.count(), 1, "{left:?}");

    backend.take();
    let report = restore(&repository, &manifest, &folders.target, &in_place(Overwrite::IfChanged)).expect("restore");
    let read = backend.bytes(Operation::GetRange, "packs/");
    let missing = manifest.sizes.logical - first;
    // Blocks that were only half written, and what lies between two that are read.
    assert!(read < missing + 16_000_000, "{read} read, {missing} missing");
    assert!(report.written_bytes < missing + 12_000_000, "{} written", report.written_bytes);
    assert_eq!(report.findings, []);
    // Also the directory itself is as it was: it was made by the same restore.
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
}

#[test]
fn a_large_file_that_was_there_is_gone_on_with_whatever_is_to_be_overwritten() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    let content = noise(1, 100_000_000);
    fs::write(folders.source.join("large"), &content).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    for overwrite in [Overwrite::Never, Overwrite::IfNewer, Overwrite::IfChanged] {
        fs::create_dir(&folders.target).expect("target");
        // Another version: half of it is the same.
        let mut other = noise(2, 50_000_000);
        other.extend_from_slice(&content[50_000_000..]);
        fs::write(folders.target.join("large"), other).expect("write");
        begin(&repository, &manifest, &folders, 20_000_000, in_place(Overwrite::IfChanged));
        assert!(!folders.target.join("large").exists() || names(&folders.target).len() > 1, "clones are left beside");
        let is_moved = !folders.target.join("large").exists();
        backend.take();
        let report = restore(&repository, &manifest, &folders.target, &in_place(overwrite)).expect("restore");
        if is_moved {
            assert!(backend.bytes(Operation::GetRange, "packs/") < 60_000_000);
            assert_eq!(report.findings, []);
            assert_eq!(fs::read(folders.target.join("large")).expect("read"), content, "{overwrite:?}");
            assert_eq!(names(&folders.target), ["large"]);
        }
        fs::remove_dir_all(&folders.target).expect("remove");
    }
}

#[test]
fn a_restore_that_is_stopped_again_and_again_comes_to_its_end() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    for directory in 0..8 {
        let path = folders.source.join(format!("d{directory}"));
        fs::create_dir(&path).expect("directory");
        for file in 0..20 {
            fs::write(path.join(file.to_string()), noise(directory * 100 + file, 150_000)).expect("write");
        }
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    begin(&repository, &manifest, &folders, 1, quick());
    for bytes in [2_000_000, 6_000_000, 12_000_000, 18_000_000] {
        begin(&repository, &manifest, &folders, bytes, in_place(Overwrite::IfChanged));
    }
    backend.take();
    let report = restore(&repository, &manifest, &folders.target, &in_place(Overwrite::IfChanged)).expect("restore");
    assert!(report.written_bytes < 10_000_000, "{} written", report.written_bytes);
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
}

#[test]
fn what_a_killed_restore_has_left_is_removed_by_the_next() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    fs::create_dir(folders.source.join("sub")).expect("directory");
    fs::write(folders.source.join("sub/a"), "a").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    begin_and_kill(&folders);
    restore(&repository, &manifest, &folders.target, &in_place(Overwrite::IfChanged)).expect("restore");
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
}

/// What is found after a restore was killed in the middle of a small file, whose name is free.
fn begin_and_kill(folders: &Folders) {
    fs::create_dir_all(folders.target.join("sub")).expect("directory");
    fs::write(folders.target.join(".lbak-restore-unfinished"), "").expect("write");
    fs::write(folders.target.join("sub/.lbak-restore-0123456789abcdef01234567"), "half").expect("write");
}

#[test]
fn when_there_is_room_again_a_restore_goes_on() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    for number in 0..40 {
        fs::write(folders.source.join(number.to_string()), noise(number, 500_000)).expect("write");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let Some(_mounted) = mount(&folders.target, "size=8m") else { return };
    let outcome = restore(&repository, &manifest, &folders.target, &quick());
    assert!(matches!(&outcome, Err(Error::Target { action: "write", .. })), "{outcome:?}");
    let resized = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&folders.target).status().expect("mount");
    assert!(resized.success());
    let report = restore(&repository, &manifest, &folders.target, &in_place(Overwrite::IfChanged)).expect("restore");
    assert!(report.actions.kept > 0, "{:?}", report.actions);
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
}
