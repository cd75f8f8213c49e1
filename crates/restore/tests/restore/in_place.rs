//! Restores into what is there: what differs is changed, the rest is left alone.

use std::{
    fs::{self, File, FileTimes},
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Command,
    sync::Arc,
};

use lbak_core::{
    backend::{MemoryBackend, ObjectName},
    observe::FindingKind,
    repository::Repository,
    snapshot::Manifest,
};
use lbak_restore::{ActionCounts, Delete, InPlace, Overwrite, Place, RestoreOptions, RestoreReport, restore};
use lbak_testkit::{
    Operation, RecordingBackend,
    objects::noise,
    trees::{compare, tree, write_tree},
};
use proptest::prelude::*;

use crate::support::{Folders, blocks_of_files, folders, found, quick, repository, restored, shared, take};

pub(crate) fn in_place(overwrite: Overwrite) -> RestoreOptions {
    RestoreOptions { in_place: Some(InPlace { overwrite, delete: Delete::Nothing }), ..quick() }
}

pub(crate) fn with_delete(overwrite: Overwrite) -> RestoreOptions {
    RestoreOptions { in_place: Some(InPlace { overwrite, delete: Delete::Extra }), ..quick() }
}

/// What differs between the source and the target, the target itself included.
pub(crate) fn differences(folders: &Folders) -> Vec<String> {
    compare(&folders.source, &folders.target)
}

pub(crate) fn copy_of(folders: &Folders) {
    let copied = Command::new("cp").arg("-a").arg(&folders.source).arg(&folders.target).status().expect("cp");
    assert!(copied.success());
}

pub(crate) fn again(
    repository: &Repository,
    manifest: &Manifest,
    folders: &Folders,
    overwrite: Overwrite,
) -> RestoreReport {
    restore(repository, manifest, &folders.target, &in_place(overwrite)).expect("restore")
}

fn set_modified(path: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    // A directory can not be opened to be written, and the times of what is one's own need no such right.
    File::open(path).expect("open").set_times(FileTimes::new().set_modified(time)).expect("time");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_becomes_any_other(
        before in tree(),
        after in tree(),
        window in prop::sample::select(&[1, 4096, 64 << 20][..]),
    ) {
        let (_, repository) = shared();
        let folders = folders();
        write_tree(&after, &folders.source).expect("write");
        let manifest = take(&repository, std::slice::from_ref(&folders.source));
        fs::create_dir(&folders.target).expect("target");
        write_tree(&before, &folders.target).expect("write");
        fs::write(folders.target.join("not empty"), "").expect("write");

        let options = RestoreOptions { window_bytes: window, ..with_delete(Overwrite::Always) };
        let shown = restore(&repository, &manifest, &folders.target, &RestoreOptions { dry_run: true, ..options.clone() })
            .expect("dry run");
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        prop_assert_eq!(&report.findings, &[]);
        prop_assert_eq!(differences(&folders), Vec::<String>::new());
        prop_assert_eq!(report.totals, manifest.totals);
        prop_assert_eq!(report.actions, shown.actions);

        // Nothing is left to do.
        let nothing = restore(&repository, &manifest, &folders.target, &with_delete(Overwrite::IfChanged)).expect("again");
        prop_assert_eq!(nothing.actions.created + nothing.actions.deleted + nothing.written_bytes, 0);
        prop_assert_eq!(differences(&folders), Vec::<String>::new());
    }
}

#[test]
fn what_is_there_is_refused_until_it_is_asked_for() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "of the snapshot").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::create_dir(&folders.target).expect("target");
    fs::write(folders.target.join("a"), "mine").expect("write");
    fs::write(folders.target.join("b"), "mine too").expect("write");
    fs::set_permissions(&folders.target, fs::Permissions::from_mode(0o711)).expect("mode");
    restore(&repository, &manifest, &folders.target, &quick()).expect_err("it is not empty");
    let report = again(&repository, &manifest, &folders, Overwrite::default());
    assert_eq!(fs::read(folders.target.join("a")).expect("read"), b"of the snapshot");
    assert_eq!(fs::read(folders.target.join("b")).expect("read"), b"mine too");
    let mode = fs::metadata(&folders.target).expect("target").permissions().mode();
    let expected = fs::metadata(&folders.source).expect("source").permissions().mode();
    assert_eq!(mode, expected, "the target is what the snapshot's directory was");
    assert_eq!(report.actions, ActionCounts { updated: 2, ..ActionCounts::default() });
}

#[test]
fn what_is_in_its_place_is_not_read_from_the_repository() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    let large = noise(1, 30_000_000);
    fs::write(folders.source.join("large"), &large).expect("write");
    fs::write(folders.source.join("same"), noise(2, 4_000_000)).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let data: Vec<String> = blocks_of_files(&repository, &manifest)
        .into_iter()
        .flat_map(|(_, blocks)| blocks)
        .map(|block| ObjectName::Pack(block.pack.id).to_string())
        .collect();
    let read_bytes = |backend: &RecordingBackend<MemoryBackend>| -> u64 {
        let reads = backend.take().into_iter();
        reads
            .filter(|read| read.operation == Operation::GetRange && data.contains(&read.name))
            .map(|read| read.bytes)
            .sum()
    };
    copy_of(&folders);
    let target = folders.target.join("large");
    let number = fs::metadata(folders.target.join("same")).expect("same").ino();
    let status = |path: &str| fs::metadata(folders.target.join(path)).map(|found| (found.ctime(), found.ctime_nsec()));
    let before = status("same").expect("same");

    // Only its time differs: all of it is compared, nothing is read or written.
    set_modified(&target, 1);
    backend.take();
    let report = again(&repository, &manifest, &folders, Overwrite::IfChanged);
    assert_eq!((read_bytes(&backend), report.written_bytes), (0, 0));
    assert_eq!(differences(&folders), Vec::<String>::new());
    assert_eq!((report.actions.updated, report.actions.kept), (1, 2));

    // A few bytes in the middle differ, and some are missing at the end.
    File::options().write(true).open(&target).expect("open").write_all_at(b"changed", 12_345_678).expect("write");
    File::options().write(true).open(&target).expect("open").set_len(29_999_000).expect("cut");
    let report = again(&repository, &manifest, &folders, Overwrite::IfChanged);
    let read = read_bytes(&backend);
    assert!(read > 0 && read < 12_000_000, "{read}");
    assert!(report.written_bytes < 10_000_000, "{}", report.written_bytes);
    assert_eq!(fs::read(&target).expect("read"), large);
    assert_eq!(differences(&folders), Vec::<String>::new());

    // What stayed was not touched: the next snapshot need not read it.
    assert_eq!(fs::metadata(folders.target.join("same")).expect("same").ino(), number);
    assert_eq!(status("same").expect("same"), before);
}

#[test]
fn size_and_time_are_trusted_unless_all_is_to_be_read() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "right").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    copy_of(&folders);
    let target = folders.target.join("a");
    let modified = fs::metadata(&target).expect("a").modified().expect("time");
    fs::write(&target, "wrong").expect("write");
    File::options().append(true).open(&target).expect("open").set_modified(modified).expect("time");
    again(&repository, &manifest, &folders, Overwrite::IfChanged);
    assert_eq!(fs::read(&target).expect("read"), b"wrong");
    let checked = RestoreOptions { verify: true, ..in_place(Overwrite::IfChanged) };
    let report = restore(&repository, &manifest, &folders.target, &checked).expect("restore");
    assert_eq!((found(&report, FindingKind::Unwritable).len(), report.verified_files), (1, 0));
    again(&repository, &manifest, &folders, Overwrite::Always);
    assert_eq!(fs::read(&target).expect("read"), b"right");
}

#[test]
fn each_kind_of_overwriting_changes_its_own_files() {
    for (overwrite, changed) in [
        (Overwrite::Never, &[][..]),
        (Overwrite::IfNewer, &["older"][..]),
        (Overwrite::IfChanged, &["older", "newer"][..]),
        (Overwrite::Always, &["older", "newer"][..]),
    ] {
        let (_, repository) = shared();
        let folders = folders();
        for name in ["older", "newer", "missing"] {
            fs::write(folders.source.join(name), "of the snapshot").expect("write");
            set_modified(&folders.source.join(name), 1_000_000);
        }
        // Two directories that are made in one tick of the system's clock have the same time.
        set_modified(&folders.source, 1_000_000);
        let manifest = take(&repository, std::slice::from_ref(&folders.source));
        fs::create_dir(&folders.target).expect("target");
        for (name, time) in [("older", 999_999), ("newer", 1_000_001)] {
            fs::write(folders.target.join(name), "what is there").expect("write");
            set_modified(&folders.target.join(name), time);
        }
        let report = again(&repository, &manifest, &folders, overwrite);
        assert_eq!(fs::read(folders.target.join("missing")).expect("read"), b"of the snapshot");
        for name in ["older", "newer"] {
            let is_changed = fs::read(folders.target.join(name)).expect("read") == b"of the snapshot";
            assert_eq!(is_changed, changed.contains(&name), "{overwrite:?} {name}");
        }
        // The target itself is newer than the snapshot's directory.
        let is_target_changed = matches!(overwrite, Overwrite::IfChanged | Overwrite::Always);
        let updated = changed.len() as u64 + u64::from(is_target_changed);
        let expected = ActionCounts { created: 1, updated, kept: 3 - updated, ..ActionCounts::default() };
        assert_eq!(report.actions, expected);
    }
}

#[test]
fn a_file_that_is_kept_does_not_get_the_other_names_of_the_snapshots() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "of the snapshot").expect("write");
    fs::hard_link(folders.source.join("a"), folders.source.join("b")).expect("link");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::create_dir(&folders.target).expect("target");
    fs::write(folders.target.join("a"), "mine").expect("write");
    again(&repository, &manifest, &folders, Overwrite::Never);
    assert_eq!(fs::read(folders.target.join("a")).expect("read"), b"mine");
    assert_eq!(fs::read(folders.target.join("b")).expect("read"), b"of the snapshot");
}

#[test]
fn nothing_is_written_through_a_hard_link() {
    let (_, repository) = shared();
    let folders = folders();
    for name in ["alone", "one", "other"] {
        fs::write(folders.source.join(name), format!("{name} of the snapshot")).expect("write");
    }
    fs::remove_file(folders.source.join("other")).expect("remove");
    fs::hard_link(folders.source.join("one"), folders.source.join("other")).expect("link");
    fs::write(folders.source.join("same"), "the same").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    copy_of(&folders);
    let outside = folders.folder.path().join("outside");
    fs::create_dir(&outside).expect("directory");
    for name in ["alone", "one", "same"] {
        fs::hard_link(folders.target.join(name), outside.join(name)).expect("link");
    }
    for name in ["alone", "one"] {
        fs::write(folders.target.join(name), "changed").expect("write");
    }
    let report = again(&repository, &manifest, &folders, Overwrite::IfChanged);
    assert_eq!(report.findings, []);
    assert_eq!(differences(&folders), Vec::<String>::new());
    for name in ["alone", "one"] {
        assert_eq!(fs::read(outside.join(name)).expect("read"), b"changed", "{name}");
    }
    let number = |path: &Path| fs::metadata(path).expect("metadata").ino();
    assert_eq!(number(&folders.target.join("one")), number(&folders.target.join("other")));
    // It stands alone in the snapshot, so it must not change when the other does.
    assert_ne!(number(&folders.target.join("same")), number(&outside.join("same")));
}

#[test]
fn what_is_of_another_kind_is_replaced_and_a_full_directory_only_by_deleting() {
    let (_, repository) = shared();
    let folders = folders();
    fs::create_dir(folders.source.join("directory")).expect("directory");
    fs::write(folders.source.join("directory/a"), "a").expect("write");
    symlink("nowhere", folders.source.join("link")).expect("link");
    symlink("nowhere", folders.source.join("link to another")).expect("link");
    for name in ["file", "in the way of an empty one", "in the way of a full one"] {
        fs::write(folders.source.join(name), name).expect("write");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));

    fs::create_dir(&folders.target).expect("target");
    let there = |name: &str| folders.target.join(name);
    fs::write(there("directory"), "a file").expect("write");
    fs::create_dir(there("link")).expect("directory");
    symlink("elsewhere", there("link to another")).expect("link");
    symlink("/etc/passwd", there("file")).expect("link");
    fs::create_dir(there("in the way of an empty one")).expect("directory");
    fs::create_dir_all(there("in the way of a full one").join("deep")).expect("directory");
    fs::write(there("in the way of a full one").join("deep/mine"), "mine").expect("write");

    let report = again(&repository, &manifest, &folders, Overwrite::IfChanged);
    let path = folders.source.join("in the way of a full one");
    assert_eq!(found(&report, FindingKind::Unwritable), [path.to_str().expect("text").to_owned()].into());
    assert!(report.findings[0].message.contains("not empty"), "{:?}", report.findings);
    assert_eq!(fs::read(there("in the way of a full one").join("deep/mine")).expect("read"), b"mine");
    let report = restore(&repository, &manifest, &folders.target, &with_delete(Overwrite::IfChanged)).expect("restore");
    assert_eq!(report.findings, []);
    assert_eq!(differences(&folders), Vec::<String>::new());
}

#[test]
fn a_program_that_runs_is_replaced() {
    let (_, repository) = shared();
    let folders = folders();
    let program = ["/bin/sleep", "/usr/bin/sleep"].into_iter().find(|path| Path::new(path).exists()).expect("sleep");
    let mut content = fs::read(program).expect("read");
    fs::create_dir(&folders.target).expect("target");
    fs::write(folders.target.join("sleep"), &content).expect("write");
    fs::set_permissions(folders.target.join("sleep"), fs::Permissions::from_mode(0o755)).expect("mode");
    content.extend_from_slice(b"of another version");
    fs::write(folders.source.join("sleep"), content).expect("write");
    fs::set_permissions(folders.source.join("sleep"), fs::Permissions::from_mode(0o755)).expect("mode");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let mut running = Command::new(folders.target.join("sleep")).arg("600").spawn().expect("it runs");
    let report = again(&repository, &manifest, &folders, Overwrite::IfChanged);
    assert!(running.try_wait().expect("it is our child").is_none(), "it runs on");
    running.kill().expect("it is our child");
    running.wait().expect("it ends");
    assert_eq!(report.findings, []);
    assert_eq!(differences(&folders), Vec::<String>::new());
}

#[test]
fn files_and_directories_that_forbid_writing_are_restored_into() {
    let (_, repository) = shared();
    let folders = folders();
    let closed = folders.source.join("closed");
    fs::create_dir(&closed).expect("directory");
    fs::write(closed.join("a"), "of the snapshot").expect("write");
    fs::write(closed.join("b"), "of the snapshot").expect("write");
    for (path, mode) in [(closed.join("a"), 0o400), (closed.clone(), 0o500)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    copy_of(&folders);
    let there = folders.target.join("closed");
    fs::set_permissions(&there, fs::Permissions::from_mode(0o700)).expect("mode");
    fs::remove_file(there.join("a")).expect("remove");
    fs::write(there.join("a"), "changed").expect("write");
    fs::remove_file(there.join("b")).expect("remove");
    for (path, mode) in [(there.join("a"), 0o000), (there.clone(), 0o000)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
    }
    let report = again(&repository, &manifest, &folders, Overwrite::IfChanged);
    assert_eq!(report.findings, []);
    assert_eq!(differences(&folders), Vec::<String>::new());
    for path in [closed, there] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("mode");
    }
}

#[test]
fn originals_are_changed_when_that_is_asked_for() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "right").expect("write");
    fs::write(folders.source.join("b"), "right").expect("write");
    fs::hard_link(folders.source.join("b"), folders.source.join("c")).expect("link");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::write(folders.source.join("a"), "changed").expect("write");
    let original = RestoreOptions { place: Place::Original, ..quick() };
    let report = restore(&repository, &manifest, Path::new("/"), &original).expect("restore");
    assert_eq!(fs::read(folders.source.join("a")).expect("read"), b"changed");
    // A hard link beside a name is no other spelling of it.
    assert!(report.findings.iter().all(|finding| finding.message == "it is there already"), "{:?}", report.findings);
    let changing = RestoreOptions { place: Place::Original, ..in_place(Overwrite::IfChanged) };
    let report = restore(&repository, &manifest, Path::new("/"), &changing).expect("restore");
    assert_eq!(report.findings, []);
    assert_eq!(fs::read(folders.source.join("a")).expect("read"), b"right");
    assert_eq!(report.actions.updated, 1);
}

#[test]
fn two_restores_do_not_write_to_one_target() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "a").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    restored(&repository, &manifest, &folders.target);
    let locked = File::open(&folders.target).expect("open");
    locked.lock().expect("lock");
    let outcome = restore(&repository, &manifest, &folders.target, &in_place(Overwrite::IfChanged));
    assert!(outcome.expect_err("locked").to_string().contains("another restore"));
    drop(locked);
    again(&repository, &manifest, &folders, Overwrite::IfChanged);
}
