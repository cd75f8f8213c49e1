//! What is particular to directories; the contract itself is checked by `lbak-testkit`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    process::Command,
    sync::Barrier,
};

use super::{
    publish::{Publisher, Way},
    *,
};
use crate::{
    id::{PackId, SessionId},
    not_run::not_run,
};

const WAYS: [Way; 4] = [Way::AnonymousThenLink, Way::TemporaryThenLink, Way::TemporaryThenRename, Way::FinalName];

fn store() -> (tempfile::TempDir, LocalBackend) {
    let folder = tempfile::tempdir().unwrap();
    let backend = LocalBackend::create(folder.path().join("store")).unwrap();
    (folder, backend)
}

fn sealed(bytes: impl Into<Bytes>) -> Sealed {
    Sealed::from_sealer(bytes.into())
}

fn session(number: u8) -> ObjectName {
    ObjectName::Session(SessionId([number; 16]))
}

fn listed(backend: &LocalBackend, prefix: &str) -> Vec<(String, u64)> {
    let mut listed = Vec::new();
    backend
        .list(prefix, &mut |name, bytes| {
            listed.push((name.to_owned(), bytes));
            Ok(())
        })
        .unwrap();
    listed.sort();
    listed
}

/// By the command: macOS has no such call that is relative to a folder.
fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_store_is_made_but_not_its_parents() {
    let folder = tempfile::tempdir().unwrap();
    let error = LocalBackend::create(folder.path().join("no/store")).unwrap_err();
    assert_eq!(error.kind, BackendErrorKind::NotFound);
    assert!(error.to_string().contains("/no, which should hold it, is not there"), "{error}");
    assert!(!folder.path().join("no").exists());

    let path = folder.path().join("store");
    assert_eq!(LocalBackend::open(&path).unwrap_err().kind, BackendErrorKind::NotFound);
    let made = LocalBackend::create(&path).unwrap();
    let status = fs::metadata(&path).unwrap();
    assert_eq!((status.dev(), status.ino()), made.identity());
    assert_eq!(status.mode() & 0o7777, 0o700);
    assert_eq!(LocalBackend::create(&path).unwrap().identity(), made.identity());
    assert_eq!(LocalBackend::open(&path).unwrap().path(), path);

    for folder in ["packs/3f", "index", "Trash"] {
        fs::create_dir_all(path.join(folder)).unwrap();
    }
    let identity = |path: std::path::PathBuf| fs::metadata(path).map(|status| (status.dev(), status.ino())).unwrap();
    let identities = made.identities();
    for folder in ["", "packs", "packs/3f", "index"] {
        assert!(identities.contains(&identity(path.join(folder))), "{folder}");
    }
    assert_eq!(identities.len(), 4, "what is no folder of objects is not one");

    fs::write(folder.path().join("file"), "").unwrap();
    assert!(LocalBackend::create(folder.path().join("file")).is_err());
}

#[test]
fn objects_are_files_that_nobody_can_change() {
    let (folder, backend) = store();
    let pack = ObjectName::Pack(PackId([0xab; 32]));
    backend.put(&pack, &sealed("bytes")).unwrap();
    backend.put(&ObjectName::Config, &sealed("config")).unwrap();
    let root = folder.path().join("store");
    assert_eq!(fs::metadata(root.join(pack.to_string())).unwrap().mode() & 0o7777, 0o400);
    assert_eq!(fs::metadata(root.join("packs/ab")).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::read(root.join("config")).unwrap(), b"config");
}

#[test]
fn every_way_of_publishing_keeps_the_first_and_leaves_nothing_behind() {
    for way in WAYS {
        let (folder, mut backend) = store();
        backend.publisher = Publisher::beginning_with(way);
        backend.put(&session(1), &sealed("first")).unwrap();
        let error = backend.put(&session(1), &sealed("second")).unwrap_err();
        assert_eq!(error.kind, BackendErrorKind::AlreadyExists, "{way:?}");
        assert_eq!(backend.get(&session(1)).unwrap(), "first", "{way:?}");
        let there = fs::read_dir(folder.path().join("store/sessions")).unwrap().count();
        assert_eq!(there, 1, "{way:?} left something");
        let promised = if way == Way::FinalName { Promise::Broken } else { Promise::Kept };
        assert_eq!(backend.describe().exclusive_create, promised, "{way:?}");
    }
}

#[test]
fn of_writers_that_race_one_wins_in_every_way() {
    for way in WAYS {
        let (_folder, mut backend) = store();
        backend.publisher = Publisher::beginning_with(way);
        for round in 0..20 {
            let barrier = Barrier::new(4);
            let won: Vec<u8> = std::thread::scope(|scope| {
                let writers: Vec<_> = (0..4_u8)
                    .map(|writer| {
                        let (backend, barrier) = (&backend, &barrier);
                        scope.spawn(move || {
                            barrier.wait();
                            backend.put(&session(round), &sealed(vec![writer; 5000])).is_ok().then_some(writer)
                        })
                    })
                    .collect();
                writers.into_iter().filter_map(|writer| writer.join().unwrap()).collect()
            });
            let &[winner] = won.as_slice() else { panic!("{way:?}: {won:?} won") };
            assert_eq!(backend.get(&session(round)).unwrap(), vec![winner; 5000], "{way:?}");
        }
    }
}

#[test]
fn leftovers_and_strange_names_are_not_listed() {
    let (folder, backend) = store();
    backend.put(&session(7), &sealed("bytes")).unwrap();
    let root = folder.path().join("store");
    let sessions = root.join("sessions");
    fs::write(sessions.join(".tmp-0123456789abcdef"), "half an obj").unwrap();
    fs::write(sessions.join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "").unwrap();
    symlink("/etc/passwd", sessions.join("0a")).unwrap();
    make_fifo(&sessions.join("0b"));
    fs::create_dir_all(root.join("lost+found/deep")).unwrap();
    fs::write(root.join("lost+found/deep/file"), "").unwrap();
    // Could pass for an object: whoever lists decides.
    fs::write(sessions.join("notes.txt"), "12").unwrap();

    let (name, notes) = (session(7).to_string(), "sessions/notes.txt".to_owned());
    let expected = vec![(name, 5), (notes, 2)];
    assert_eq!(listed(&backend, "sessions/"), expected);
    assert_eq!(listed(&backend, ""), expected);
    assert_eq!(listed(&backend, "sess"), expected);
    assert_eq!(listed(&backend, "sessions/07"), expected[..1]);
    for nothing in ["sessions/0a", "sessions/../", "../", "/", "//", "lost+found/", "\0/", "keys/", "packs/aa/bb"] {
        assert_eq!(listed(&backend, nothing), [], "{nothing:?}");
    }
}

#[test]
fn a_leftover_does_not_stand_in_the_way() {
    for way in WAYS {
        let (folder, mut backend) = store();
        backend.publisher = Publisher::beginning_with(way);
        fs::create_dir(folder.path().join("store/sessions")).unwrap();
        fs::write(folder.path().join("store/sessions/.tmp-0123456789abcdef"), "half").unwrap();
        backend.put(&session(1), &sealed("whole")).unwrap();
        assert_eq!(listed(&backend, "sessions/"), [(session(1).to_string(), 5)]);
    }
}

#[test]
fn what_is_no_file_is_damage_and_is_never_followed() {
    let (folder, backend) = store();
    let root = folder.path().join("store");
    fs::create_dir(root.join("sessions")).unwrap();
    fs::write(folder.path().join("outside"), "secret").unwrap();
    symlink("../../outside", root.join(session(1).to_string())).unwrap();
    symlink("/nowhere", root.join(session(2).to_string())).unwrap();
    make_fifo(&root.join(session(3).to_string()));
    fs::create_dir(root.join(session(4).to_string())).unwrap();
    for number in 1..=4 {
        assert_eq!(backend.get(&session(number)).unwrap_err().kind, BackendErrorKind::Corrupt, "{number}");
        assert_eq!(backend.get_range(&session(number), 0, 1).unwrap_err().kind, BackendErrorKind::Corrupt);
        let error = backend.put(&session(number), &sealed("bytes")).unwrap_err();
        assert_eq!(error.kind, BackendErrorKind::AlreadyExists, "{number}");
    }
    backend.remove(&session(1)).unwrap();
    assert_eq!(fs::read(folder.path().join("outside")).unwrap(), b"secret");

    // Nor is a folder: listing nothing there would say that everything is gone.
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    symlink("../elsewhere", root.join("packs")).unwrap();
    let pack = ObjectName::Pack(PackId([1; 32]));
    assert!(backend.put(&pack, &sealed("bytes")).is_err());
    assert!(backend.list("packs/", &mut |_, _| Ok(())).is_err());
    assert_ne!(backend.get(&pack).unwrap_err().kind, BackendErrorKind::NotFound);
    assert_eq!(fs::read_dir(folder.path().join("elsewhere")).unwrap().count(), 0);
}

#[test]
fn folders_that_vanish_are_made_again() {
    let (folder, backend) = store();
    backend.put(&session(1), &sealed("bytes")).unwrap();
    backend.remove(&session(1)).unwrap();
    fs::remove_dir(folder.path().join("store/sessions")).unwrap();
    backend.put(&session(1), &sealed("bytes")).unwrap();
    assert_eq!(backend.get(&session(1)).unwrap(), "bytes");
}

#[test]
fn an_impossible_range_allocates_nothing() {
    let (folder, backend) = store();
    backend.put(&session(1), &sealed("bytes")).unwrap();
    for (offset, length) in [(0, u64::MAX), (u64::MAX, u64::MAX), (5, 1), (6, 0)] {
        assert_eq!(backend.get_range(&session(1), offset, length).unwrap_err().kind, BackendErrorKind::Corrupt);
    }
    // A file that claims to be larger than any memory.
    let file = fs::File::create(folder.path().join("store").join(session(2).to_string())).unwrap();
    match file.set_len(1 << 43) {
        Ok(()) => assert_eq!(backend.get_range(&session(2), (1 << 43) - 3, 3).unwrap(), [0, 0, 0].as_slice()),
        Err(error) => not_run(format_args!("this file system has no files of 8 TiB: {error}")),
    }
}

#[test]
fn a_folder_that_may_not_be_written_says_so() {
    if rustix::process::geteuid().is_root() {
        // To whom everything is allowed.
        return as_ordinary_user("backend::local::tests::a_folder_that_may_not_be_written_says_so");
    }
    let (folder, backend) = store();
    let root = folder.path().join("store");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o500)).unwrap();
    assert_eq!(backend.put(&session(1), &sealed("bytes")).unwrap_err().kind, BackendErrorKind::Denied);
    fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Runs a test again, as somebody who is not root, from a copy of this program: where it lies others may not look.
fn as_ordinary_user(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut again = Command::new(program);
    again.args(["--exact", test]).uid(65_534).gid(65_534).current_dir("/").env("TMPDIR", folder.path());
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Names the folder in which a small file system is mounted for the tests below.
const SMALL_DISK: &str = "LBAK_TEST_SMALL_DISK";

/// Mounting needs a mount namespace of its own: the test runs itself again in one.
#[test]
fn full_and_read_only_disks() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=256k,mode=700 none \"$LBAK_TEST_SMALL_DISK\" && echo mounted && exec \"$0\" \
                  --ignored --exact backend::local::tests::on_a_small_disk";
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(SMALL_DISK, folder.path())
        .output();
    let said = run.as_ref().map(|run| String::from_utf8_lossy(&run.stdout)).unwrap_or_default();
    if !said.starts_with("mounted") {
        return not_run(format_args!("nothing can be mounted here: {run:?}"));
    }
    assert!(run.as_ref().is_ok_and(|run| run.status.success()) && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by the test before it"]
fn on_a_small_disk() {
    let Some(disk) = std::env::var_os(SMALL_DISK) else { return };
    for way in WAYS {
        let path = Path::new(&disk).join("store");
        let mut backend = LocalBackend::create(&path).unwrap();
        backend.publisher = Publisher::beginning_with(way);
        backend.put(&session(1), &sealed(vec![1; 1000])).unwrap();
        let error = backend.put(&session(2), &sealed(vec![2; 1 << 20])).unwrap_err();
        assert_eq!(error.kind, BackendErrorKind::Full, "{way:?}");
        assert_eq!(fs::read_dir(path.join("sessions")).unwrap().count(), 1, "{way:?} left something");
        // What was half written gave its room back, and the same name can be used.
        backend.put(&session(2), &sealed(vec![2; 100_000])).unwrap();
        fs::remove_dir_all(path).unwrap();
    }
    let backend = LocalBackend::create(Path::new(&disk).join("store")).unwrap();
    backend.put(&session(1), &sealed("bytes")).unwrap();
    assert!(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(&disk).status().unwrap().success());
    assert_eq!(backend.put(&session(2), &sealed("bytes")).unwrap_err().kind, BackendErrorKind::Denied);
    assert_eq!(backend.remove(&session(1)).unwrap_err().kind, BackendErrorKind::Denied);
    assert_eq!(backend.get(&session(1)).unwrap(), "bytes");
}

/// Large objects go past the page cache where that is possible; what is stored is the same, aligned or not, in every way.
#[test]
fn large_objects_are_stored_whole_from_any_address() {
    let room: Vec<u8> = (0..(3_usize << 20) + 4096).map(|place| u8::try_from(place % 251).unwrap()).collect();
    let start = room.as_ptr().align_offset(4096);
    for way in WAYS {
        let (folder, backend) = store();
        let root = std::fs::File::open(folder.path().join("store")).unwrap();
        let publisher = Publisher::beginning_with(way);
        for (number, length) in [(1, 2 << 20), (2, (2 << 20) + 1), (3, (3 << 20) - 4096)] {
            let aligned = &room[start..start + length];
            for (suffix, bytes) in [("aligned", aligned), ("shifted", &aligned[1..])] {
                let name = format!("{number}-{suffix}");
                publisher.publish(root.as_fd(), &name, bytes, Owner::default()).unwrap();
                assert!(fs::read(backend.path().join(&name)).unwrap() == bytes, "{way:?} {name}");
            }
        }
    }
}

#[test]
fn a_file_that_stays_open_is_read_only_while_its_name_leads_to_it() {
    let (folder, backend) = store();
    let pack = ObjectName::Pack(PackId([0xab; 32]));
    let path = folder.path().join("store").join(pack.to_string());
    let part = || backend.get_range(&pack, 1, 3);
    backend.put(&pack, &sealed("bytes")).unwrap();
    assert_eq!((&part().unwrap()[..], &part().unwrap()[..]), (&b"yte"[..], &b"yte"[..]));

    // Somebody else removes it, keeping another name; puts it back; exchanges it; cuts it.
    fs::rename(&path, folder.path().join("aside")).unwrap();
    assert_eq!(part().unwrap_err().kind, BackendErrorKind::NotFound);
    fs::rename(folder.path().join("aside"), &path).unwrap();
    assert_eq!(&part().unwrap()[..], b"yte");
    fs::write(folder.path().join("other"), "others").unwrap();
    fs::rename(folder.path().join("other"), &path).unwrap();
    assert_eq!(&part().unwrap()[..], b"the");
    fs::write(&path, "ot").unwrap();
    assert_eq!(part().unwrap_err().kind, BackendErrorKind::Corrupt);

    backend.remove(&pack).unwrap();
    assert_eq!(part().unwrap_err().kind, BackendErrorKind::NotFound);
    for number in 0..=255 {
        let pack = ObjectName::Pack(PackId([number; 32]));
        backend.put(&pack, &sealed(vec![number; 9])).unwrap();
        assert_eq!(&backend.get_range(&pack, 8, 1).unwrap()[..], [number], "more files than stay open");
    }
}

/// How many bytes this process had read from disks so far; `None` where the system does not tell.
#[cfg(target_os = "linux")]
fn bytes_from_disks() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/thread-self/io").ok()?;
    told.lines().find_map(|line| line.strip_prefix("read_bytes: ")?.parse().ok())
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_forgotten_is_read_from_the_disk() {
    // The folder of the build lies on a disk more often than that of temporary files.
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target");
    let folder = tempfile::tempdir_in(built).or_else(|_| tempfile::tempdir()).expect("a folder");
    let backend = LocalBackend::create(folder.path().join("r")).expect("create");
    let name = ObjectName::Session(SessionId([1; 16]));
    let body: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
    let stored = [&body[..], blake3::hash(&body).as_bytes()].concat();
    let object = Sealed::from_stored(&name, stored.clone().into()).expect("it proves itself");
    backend.put(&name, &object).expect("put");
    let read = || {
        let before = bytes_from_disks();
        assert_eq!(backend.get(&name).expect("get"), stored);
        bytes_from_disks().zip(before).map(|(now, before)| now - before)
    };
    read();
    let kept = read();
    backend.forget_cached(&name);
    let forgotten = read();
    backend.forget_cached(&ObjectName::Session(SessionId([2; 16])));
    match (kept, forgotten) {
        (Some(0), Some(bytes)) if bytes > 0 => assert!(bytes >= stored.len() as u64, "{bytes}"),
        other => {
            not_run(format_args!("this system does not tell what is read from disks, or has none here ({other:?})"));
        }
    }
}
