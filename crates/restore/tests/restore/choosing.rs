//! What is restored of a snapshot, what is set on it, and what is checked and announced.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use lbak_core::{
    backend::{BackendErrorKind, MemoryBackend},
    metadata::{FileKind, Metadata},
    observe::{Event, FindingKind, Observer, Stage},
    patterns::Patterns,
    source::{MemoryNode, MemorySource},
};
use lbak_restore::{Overwrite, Ownership, RestoreOptions, restore};
use lbak_testkit::{
    Effect, Fault, FaultyBackend, Operation, RecordingBackend, not_run, objects::noise, trees::compare,
};

use crate::{
    in_place::in_place,
    support::{folders, found, quick, repository, shared, take, take_from},
};

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Every path below a directory.
fn paths(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("list") {
            let path = entry.expect("entry").path();
            found.insert(path.strip_prefix(folder).expect("below").to_str().expect("text").to_owned());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

#[test]
fn patterns_choose_and_directories_on_the_way_are_made_only_when_needed() {
    let (_, repository) = shared();
    let folders = folders();
    for path in ["a.txt", "a.bin", "sub/b.txt", "sub/b.bin", "other/c.bin", "deep/down/d.txt", "deep/down/d.bin"] {
        let path = folders.source.join(path);
        fs::create_dir_all(path.parent().expect("below")).expect("directory");
        fs::write(&path, "content").expect("write");
    }
    for directory in ["sub", "deep", "deep/down"] {
        fs::set_permissions(folders.source.join(directory), fs::Permissions::from_mode(0o750)).expect("mode");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let absolute = folders.source.join("deep").to_str().expect("text").to_owned();
    let above = folders.folder.path().to_str().expect("text").to_owned();
    let text = ["a.txt", "deep", "deep/down", "deep/down/d.txt", "sub", "sub/b.txt"];
    #[expect(clippy::type_complexity, reason = "a table: exclude, include, path, what is there")]
    let cases: [(&[&str], &[&str], Option<&str>, &[&str]); 8] = [
        (&[], &["*.txt"], None, &text),
        (&["*.bin", "other"], &[], None, &text),
        (&["sub/"], &["*.txt"], None, &["a.txt", "deep", "deep/down", "deep/down/d.txt"]),
        (&[], &[&absolute], None, &["deep", "deep/down", "deep/down/d.bin", "deep/down/d.txt"]),
        (&[&absolute, "*.bin"], &[], None, &["a.txt", "other", "sub", "sub/b.txt"]),
        // What is above the root means all of it.
        (&["*.bin", "other"], &[&above], None, &text),
        // Relative to the part that is restored.
        (&["down/*.bin"], &[], Some("deep"), &["down", "down/d.txt"]),
        (&[], &["nothing"], None, &[]),
    ];
    for (exclude, include, path, expected) in cases {
        let patterns = Patterns::new(exclude, include).expect("patterns");
        let options = RestoreOptions { patterns, path: path.map(|path| path.as_bytes().to_vec()), ..quick() };
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        assert_eq!(report.findings, []);
        assert_eq!(
            paths(&folders.target),
            expected.iter().map(|path| (*path).to_owned()).collect(),
            "{exclude:?} {include:?}"
        );
        for directory in ["sub", "deep"].iter().filter(|path| expected.contains(path)) {
            let mode = fs::metadata(folders.target.join(directory)).expect("directory").permissions().mode();
            assert_eq!(mode & 0o777, 0o750, "a directory on the way is as it was too");
        }
        fs::remove_dir_all(&folders.target).expect("remove");
    }
}

#[test]
fn what_is_left_out_is_not_read() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    let large = folders.source.join("large");
    fs::create_dir(&large).expect("directory");
    for number in 0..10 {
        fs::write(large.join(number.to_string()), noise(number, 3_000_000)).expect("write");
    }
    fs::write(folders.source.join("small"), "small").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    backend.take();
    let patterns = Patterns::new(&["large/"], &[] as &[&str]).expect("patterns");
    restore(&repository, &manifest, &folders.target, &RestoreOptions { patterns, ..quick() }).expect("restore");
    assert!(backend.bytes(Operation::GetRange, "packs/") < 4_000_000);
    assert_eq!(paths(&folders.target), ["small".to_owned()].into());
}

#[test]
fn several_roots_are_chosen_from() {
    let (_, repository) = shared();
    let directory = |name: &'static str| MemoryNode::directory([(name, MemoryNode::file("content"))]);
    let roots = [("/one", directory("a")), ("/two", directory("b")), ("/three", MemoryNode::file("content"))];
    let manifest = take_from(&repository, &MemorySource::new(roots));
    for (include, expected) in [
        (&["/two"][..], &["two", "two/b"][..]),
        (&["a"][..], &["one", "one/a"][..]),
        (&["/three", "b"][..], &["three", "two", "two/b"][..]),
    ] {
        let folders = folders();
        let patterns = Patterns::new(&[] as &[&str], include).expect("patterns");
        let options = RestoreOptions { patterns, ..quick() };
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        // Only root can give files away.
        let others = report.findings.iter().filter(|finding| finding.kind != FindingKind::MetadataUnset);
        assert_eq!(others.count(), 0, "{:?}", report.findings);
        assert_eq!(paths(&folders.target), expected.iter().map(|path| (*path).to_owned()).collect());
    }
}

#[test]
fn owners_are_given_by_number_by_name_or_not_at_all() {
    let (_, repository) = shared();
    let passwd = fs::read_to_string("/etc/passwd").expect("users");
    let known = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), fields.nth(1)?.parse::<u32>().ok()?))
    });
    let Some((name, number)) = known.into_iter().find(|(_, number)| *number != 0 && *number != 4242) else {
        return not_run("this system knows no user but root");
    };
    let owned = |user: &str| {
        let metadata = Metadata {
            kind: FileKind::File,
            mode: 0o644,
            uid: 4242,
            gid: 4243,
            user: Arc::from(user.as_bytes()),
            group: Arc::from(&b"no such group"[..]),
            ..Metadata::default()
        };
        let mut node = MemoryNode::file("content");
        node.metadata = Metadata { size: node.metadata.size, ..metadata };
        node
    };
    let roots = [("/root", MemoryNode::directory([("known", owned(&name)), ("unknown", owned("no such user"))]))];
    let manifest = take_from(&repository, &MemorySource::new(roots));
    for (ownership, expected) in [
        (Ownership::Numbers, [(4242, 4243), (4242, 4243)]),
        (Ownership::Names, [(number, 4243), (4242, 4243)]),
        (Ownership::Nobody, [(0, 0), (0, 0)]),
    ] {
        let folders = folders();
        let options = RestoreOptions { ownership, ..quick() };
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        let owners = ["known", "unknown"].map(|name| {
            let found = fs::metadata(folders.target.join(name)).expect("metadata");
            (found.uid(), found.gid())
        });
        if is_root() {
            assert_eq!(owners, expected, "{ownership:?}");
            assert_eq!(report.findings, []);
        } else {
            // Only root gives files away, which is told once and not when nobody asked for it.
            let mine = rustix::process::geteuid().as_raw();
            assert!(owners.iter().all(|(uid, _)| *uid == mine));
            assert_eq!(report.findings.len(), usize::from(ownership != Ownership::Nobody));
        }
    }
}

#[test]
fn attributes_are_chosen_by_name_and_go_when_the_snapshot_has_none() {
    let (_, repository) = shared();
    let folders = folders();
    let set = |path: &PathBuf, name: &str| rustix::fs::setxattr(path, name, b"value", rustix::fs::XattrFlags::empty());
    let has = |path: &PathBuf, name: &str| rustix::fs::getxattr_query(path, name).is_ok();
    let file = folders.source.join("a");
    fs::write(&file, "content").expect("write");
    if set(&file, "user.one").and_then(|()| set(&file, "user.two")).is_err() {
        return not_run("the temporary directory has no extended attributes");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let target = folders.target.join("a");
    let none: &[&str] = &[];
    for (exclude, include, one, two) in
        [(none, none, true, true), (&["user.t*"][..], none, true, false), (none, &["user.two"][..], false, true)]
    {
        let attributes = Patterns::new(exclude, include).expect("patterns");
        let options = RestoreOptions { attributes, ..quick() };
        restore(&repository, &manifest, &folders.target, &options).expect("restore");
        assert_eq!((has(&target, "user.one"), has(&target, "user.two")), (one, two));
        // One that is there and not in the snapshot goes, unless it is not asked about.
        set(&target, "user.three").expect("attribute");
        let options = RestoreOptions { in_place: in_place(Overwrite::IfChanged).in_place, ..options };
        restore(&repository, &manifest, &folders.target, &options).expect("restore");
        assert_eq!((has(&target, "user.one"), has(&target, "user.two")), (one, two));
        let is_asked_about = include.is_empty() && !exclude.contains(&"user.t*");
        assert_eq!(has(&target, "user.three"), !is_asked_about);
        fs::remove_dir_all(&folders.target).expect("remove");
    }
}

/// Changes a byte of a file when reading back begins, as a disk that loses writes would.
struct Forgetful(PathBuf);

impl Observer for Forgetful {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Stage(Stage::ReadingData)) {
            fs::File::options()
                .write(true)
                .open(&self.0)
                .and_then(|file| file.write_all_at(b"?", 70_000))
                .expect("write");
        }
    }
}

#[test]
fn what_does_not_read_back_is_named() {
    let (_, repository) = shared();
    let folders = folders();
    for name in ["a", "b", "c"] {
        fs::write(folders.source.join(name), noise(name.len() as u64, 3_000_000)).expect("write");
    }
    fs::hard_link(folders.source.join("c"), folders.source.join("d")).expect("link");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let options = RestoreOptions { verify: true, ..RestoreOptions::default() };
    let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert_eq!((report.verified_files, report.findings.len()), (4, 0));
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
    fs::remove_dir_all(&folders.target).expect("remove");

    let observer = Arc::new(Forgetful(folders.target.join("b")));
    let report =
        restore(&repository, &manifest, &folders.target, &RestoreOptions { observer, ..options }).expect("restore");
    let path = folders.source.join("b").to_str().expect("text").to_owned();
    assert_eq!(found(&report, FindingKind::Unwritable), [path].into());
    assert_eq!((report.verified_files, report.lost), (3, 0));
}

#[test]
fn a_long_restore_announces_a_session_that_pins_the_snapshot_and_closes_it() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    fs::write(folders.source.join("a"), "content").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let slot = repository.catalog().expect("catalog").snapshots.pop().expect("snapshot").session;

    backend.take();
    let dry = RestoreOptions { announce_from: 0, dry_run: true, ..quick() };
    restore(&repository, &manifest, &folders.target, &dry).expect("dry run");
    assert_eq!(backend.count(Operation::Put, ""), 0, "a dry run announces nothing");
    backend.take();
    let long = RestoreOptions { announce_from: 0, ..quick() };
    restore(&repository, &manifest, &folders.target, &long).expect("restore");
    let records = backend.take();
    let place = |operation: Operation, prefix: &str| {
        records.iter().position(|record| record.operation == operation && record.name.starts_with(prefix))
    };
    let (put, read) = (place(Operation::Put, "sessions/"), place(Operation::GetRange, "packs/"));
    assert!(put.is_some() && put < read, "announced before anything is read");
    let session = &records[put.expect("announced")].name;
    let name = lbak_core::backend::ObjectName::parse(session).expect("a name");
    let stored = backend.inner().contents()[session].clone();
    let plain = repository.codec().open_object(&name, &[lbak_core::snapshot::SessionRecord::KIND], None, &stored);
    let record =
        lbak_core::snapshot::SessionRecord::decode("session", &plain.expect("it opens").plain).expect("record");
    assert_eq!((record.purpose, record.pinned), (lbak_core::snapshot::Purpose::Restore, vec![slot]));
    let closed = session.replacen("sessions/", "snapshots/", 1);
    // What is put last of all; it is read back to see that it is there, and nothing comes after that.
    let last = |operation: Operation| records.iter().rposition(|record| record.operation == operation);
    let put = last(Operation::Put).expect("it was closed");
    assert_eq!(records[put].name, closed);
    assert!(records[put + 1..].iter().all(|record| record.name == closed), "{:?}", &records[put..]);
    assert_eq!(repository.catalog().expect("catalog").snapshots.len(), 1);
}

#[test]
fn a_repository_that_can_not_be_written_to_is_restored_from() {
    let backend = Arc::new(FaultyBackend::new(MemoryBackend::new(), []));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    fs::write(folders.source.join("a"), "content").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    backend.add(Fault::new(Operation::Put, Effect::FailBefore(BackendErrorKind::Denied)));
    let options = RestoreOptions { announce_from: 0, ..quick() };
    let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
    assert_eq!(report.findings, []);
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
}
