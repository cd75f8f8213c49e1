//! A real file system, with everything on it that makes trouble.

use std::{
    collections::BTreeMap,
    fs,
    io::{Seek, SeekFrom, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::{MetadataExt, PermissionsExt, symlink},
            net::UnixListener,
        },
    },
    path::Path,
    sync::Arc,
};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, XattrFlags};
use tempfile::TempDir;

use super::{
    super::{Directory, Found, Portion, SourceErrorKind, SourceFile},
    *,
};
use crate::metadata::FileKind;

fn temporary() -> TempDir {
    tempfile::tempdir().expect("a folder for tests")
}

/// Opens the only root of a source.
fn open_root(source: &LocalSource) -> Arc<dyn Directory> {
    let roots = source.roots().expect("roots");
    let root = roots.entries().expect("list").next().expect("one root").expect("found");
    roots.directory(&root.name, &root.metadata).expect("open")
}

fn open(path: &Path) -> Arc<dyn Directory> {
    open_root(&LocalSource::new(&[path]).expect("it is there"))
}

fn list(directory: &dyn Directory) -> BTreeMap<String, Found> {
    let listed = directory.entries().expect("list").map(|found| found.expect("looked at"));
    listed.map(|found| (String::from_utf8(found.name.clone()).expect("text"), found)).collect()
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("make a FIFO");
}

fn read_all(file: &mut dyn SourceFile, buffer: usize) -> (Vec<u8>, u64) {
    let (mut bytes, mut hole_bytes, mut buffer) = (Vec::new(), 0, vec![0; buffer]);
    loop {
        match file.read(&mut buffer).expect("read") {
            Portion::Data(length) => bytes.extend_from_slice(&buffer[..length]),
            Portion::Hole(length) => {
                hole_bytes += length;
                bytes.resize(bytes.len() + usize::try_from(length).expect("small"), 0);
            }
            Portion::End => return (bytes, hole_bytes),
        }
    }
}

#[test]
fn every_kind_of_file_is_listed_in_the_order_of_raw_bytes() {
    let place = temporary();
    let at = |name: &str| place.path().join(name);
    fs::write(at("file"), "content").expect("write");
    fs::set_permissions(at("file"), fs::Permissions::from_mode(0o4751)).expect("chmod");
    fs::hard_link(at("file"), at("again")).expect("link");
    fs::create_dir(at("Folder")).expect("mkdir");
    symlink("file\u{fc}", at("link")).expect("symlink");
    fifo(&at("pipe"));
    let _listener = UnixListener::bind(at("socket")).expect("socket");
    fs::write(place.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").expect("a name that is no text");

    let directory = open(place.path());
    let found: Vec<Found> = directory.entries().expect("list").map(|found| found.expect("looked at")).collect();
    let expected: [(&[u8], FileKind); 7] = [
        (b"Folder", FileKind::Directory),
        (b"again", FileKind::File),
        (b"file", FileKind::File),
        (b"link", FileKind::Symlink),
        (b"pipe", FileKind::Fifo),
        (b"socket", FileKind::Socket),
        (b"\xff", FileKind::File),
    ];
    assert!(found.iter().map(|found| (found.name.as_slice(), found.metadata.kind)).eq(expected));

    let (again, file) = (&found[1].metadata, &found[2].metadata);
    let real = fs::metadata(at("file")).expect("stat");
    assert_eq!(again, file);
    assert_eq!((file.mode, file.size, file.links), (0o4751, 7, 2));
    assert_eq!((file.inode, file.device), (real.ino(), real.dev()));
    assert_eq!((file.uid, file.gid), (real.uid(), real.gid()));
    assert_eq!((file.mtime.seconds, i64::from(file.mtime.nanoseconds)), (real.mtime(), real.mtime_nsec()));
    assert_eq!((file.ctime.seconds, i64::from(file.ctime.nanoseconds)), (real.ctime(), real.ctime_nsec()));
    assert_eq!(directory.link_target(b"link").expect("readlink"), "file\u{fc}".as_bytes());

    let mut opened = directory.file(b"file", file).expect("open");
    assert_eq!(&opened.metadata().expect("fstat"), file);
    assert_eq!(read_all(opened.as_mut(), 4), (b"content".to_vec(), 0));
}

#[test]
fn owners_have_their_names() {
    let place = temporary();
    fs::write(place.path().join("file"), "").expect("write");
    let own = list(&*open(place.path()))["file"].metadata.clone();
    let users = fs::read("/etc/passwd").unwrap_or_default();
    if own.uid == 0 && users.starts_with(b"root:") {
        assert_eq!(&*own.user, b"root");
    }
}

#[test]
fn what_took_a_files_place_is_refused_and_nothing_waits() {
    let place = temporary();
    let path = place.path().join("file");
    fs::write(&path, "content").expect("write");
    let directory = open(place.path());
    let expected = list(&*directory)["file"].metadata.clone();
    let trouble = || directory.file(b"file", &expected).err().expect("refused").kind;

    fs::remove_file(&path).expect("remove");
    assert_eq!(trouble(), SourceErrorKind::Vanished);
    fifo(&path);
    assert_eq!(trouble(), SourceErrorKind::Changed);
    fs::remove_file(&path).expect("remove");
    symlink("/etc/passwd", &path).expect("symlink");
    assert_eq!(trouble(), SourceErrorKind::Changed);
    fs::remove_file(&path).expect("remove");
    let listener = UnixListener::bind(&path).expect("socket");
    assert_eq!(trouble(), SourceErrorKind::Changed);
    drop(listener);
    fs::remove_file(&path).expect("remove");
    fs::create_dir(&path).expect("mkdir");
    assert_eq!(trouble(), SourceErrorKind::Changed);
    assert_eq!(directory.link_target(b"file").expect_err("no link").kind, SourceErrorKind::Changed);
    fs::remove_dir(&path).expect("remove");

    fs::write(&path, "another file of the same name").expect("write");
    let opened = directory.file(b"file", &expected).expect("a file replaced by a file is read");
    assert_eq!(opened.metadata().expect("fstat").size, 29);
}

#[test]
fn a_directory_that_was_exchanged_is_refused() {
    let place = temporary();
    let path = place.path().join("folder");
    fs::create_dir(&path).expect("mkdir");
    let directory = open(place.path());
    let expected = list(&*directory)["folder"].metadata.clone();
    fs::rename(&path, place.path().join("kept")).expect("rename");
    let trouble = || directory.directory(b"folder", &expected).err().expect("refused").kind;
    assert_eq!(trouble(), SourceErrorKind::Vanished);
    fs::create_dir(&path).expect("mkdir");
    assert_eq!(trouble(), SourceErrorKind::Changed);
    fs::remove_dir(&path).expect("remove");
    symlink("kept", &path).expect("symlink");
    assert_eq!(trouble(), SourceErrorKind::Changed);
}

#[test]
fn a_name_that_vanishes_while_listing_is_told_by_name() {
    let place = temporary();
    for name in ["a", "b", "c"] {
        fs::write(place.path().join(name), "").expect("write");
    }
    let directory = open(place.path());
    let listing = directory.entries().expect("list");
    fs::remove_file(place.path().join("b")).expect("remove");
    let looked: Vec<_> = listing.collect();
    let [Ok(_), Err(gone), Ok(_)] = looked.as_slice() else { panic!("{looked:?}") };
    assert_eq!((gone.name.as_slice(), gone.error.kind), (&b"b"[..], SourceErrorKind::Vanished));
}

#[test]
fn holes_are_told_and_the_bytes_are_the_files() {
    let place = temporary();
    let path = place.path().join("sparse");
    let mut file = fs::File::create(&path).expect("create");
    for (offset, bytes) in [(1_u64 << 20, "one"), (3 << 20, "two")] {
        file.seek(SeekFrom::Start(offset)).expect("seek");
        file.write_all(bytes.as_bytes()).expect("write");
    }
    file.set_len(5 << 20).expect("extend");
    file.sync_all().expect("sync");
    let expected = fs::read(&path).expect("read");
    let has_holes = fs::metadata(&path).expect("stat").blocks() * 512 < 5 << 20;

    let directory = open(place.path());
    let metadata = list(&*directory)["sparse"].metadata.clone();
    for buffer in [1 << 20, 4_097] {
        let mut file = directory.file(b"sparse", &metadata).expect("open");
        let (bytes, hole_bytes) = read_all(file.as_mut(), buffer);
        assert!(bytes == expected, "the bytes differ");
        assert!(!has_holes || hole_bytes >= 4 << 20, "{hole_bytes} bytes of holes");
    }
    let empty = place.path().join("hole");
    fs::File::create(&empty).expect("create").set_len(1 << 40).expect("extend");
    let metadata = list(&*directory)["hole"].metadata.clone();
    if metadata.allocated == 0 {
        let mut file = directory.file(b"hole", &metadata).expect("open");
        assert_eq!(file.read(&mut [0; 10]).expect("read"), Portion::Hole(1 << 40));
        assert_eq!(file.read(&mut [0; 10]).expect("read"), Portion::End);
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_read_just_ends() {
    let place = temporary();
    let path = place.path().join("file");
    fs::write(&path, vec![1; 100_000]).expect("write");
    let directory = open(place.path());
    let metadata = list(&*directory)["file"].metadata.clone();
    let mut file = directory.file(b"file", &metadata).expect("open");
    assert_eq!(file.read(&mut [0; 10]).expect("read"), Portion::Data(10));
    fs::File::options().write(true).open(&path).expect("open").set_len(5).expect("truncate");
    assert_eq!(file.read(&mut [0; 10]).expect("read"), Portion::End);
    assert_ne!(file.metadata().expect("fstat"), metadata);
}

#[test]
fn extended_attributes_are_read_of_every_kind() {
    let place = temporary();
    let at = |name: &str| place.path().join(name);
    fs::write(at("file"), "").expect("write");
    fs::create_dir(at("folder")).expect("mkdir");
    symlink("nowhere", at("link")).expect("symlink");
    fifo(&at("pipe"));
    let directory = open(place.path());
    assert!(directory.attributes(b"link", FileKind::Symlink).is_ok());
    assert!(directory.attributes(b"pipe", FileKind::Fifo).is_ok());
    assert!(directory.attributes(b"gone", FileKind::Fifo).is_err());

    let long = vec![b'x'; 3_000];
    for name in ["file", "folder"] {
        let set = |key: &str, value: &[u8]| rustix::fs::lsetxattr(at(name), key, value, XattrFlags::empty());
        match set("user.z", &long) {
            Err(rustix::io::Errno::NOTSUP) => return, // this file system has none
            result => result.expect("set"),
        }
        set("user.a", b"").expect("set");
    }
    let is_user = |pair: &(Vec<u8>, Vec<u8>)| pair.0.starts_with(b"user.");
    let expected = [(b"user.a".to_vec(), vec![]), (b"user.z".to_vec(), long)];
    for (name, kind) in [("file", FileKind::File), ("folder", FileKind::Directory)] {
        let mut attributes = directory.attributes(name.as_bytes(), kind).expect("read");
        attributes.retain(is_user);
        assert_eq!(attributes, expected);
    }
    let opened = directory.file(b"file", &list(&*directory)["file"].metadata).expect("open");
    assert!(opened.attributes().expect("read").into_iter().filter(is_user).eq(expected));
}

#[test]
fn the_skipped_folder_is_never_shown() {
    let place = temporary();
    fs::create_dir(place.path().join("repository")).expect("mkdir");
    fs::create_dir(place.path().join("other")).expect("mkdir");
    let skipped = fs::metadata(place.path().join("repository")).expect("stat");
    let source = LocalSource::new(&[place.path()]).expect("there").skip_identity(skipped.dev(), skipped.ino());
    assert!(list(&*open_root(&source)).keys().eq(["other"]));
    let inside = LocalSource::new(&[place.path().join("repository")]).expect("there");
    let inside = inside.skip_identity(skipped.dev(), skipped.ino());
    assert_eq!(inside.roots().expect("roots").entries().expect("list").count(), 0);
}

#[test]
fn roots_are_absolute_sorted_and_not_below_one_another() {
    let place = temporary();
    let base = fs::canonicalize(place.path()).expect("real path");
    let at = |name: &str| base.join(name);
    fs::create_dir_all(at("a/b/c")).expect("mkdir");
    fs::create_dir_all(at("elsewhere/deep")).expect("mkdir");
    fs::write(at("file"), "").expect("write");
    symlink(at("elsewhere"), at("a/link")).expect("symlink");
    symlink(at("elsewhere/deep"), at("jump")).expect("symlink");
    symlink("nowhere", at("a/dangling")).expect("symlink");

    let resolve = |names: &[&str]| -> Vec<PathBuf> {
        let paths: Vec<PathBuf> = names.iter().map(|name| at(name)).collect();
        LocalSource::new(&paths).expect("all are there").paths().to_vec()
    };
    assert_eq!(resolve(&["file", "a/b/c", "a", "./a/../file", "a/b/"]), [at("a"), at("file")]);
    assert_eq!(resolve(&["jump/../deep"]), [at("elsewhere/deep")], "`..` leads where the system would go");
    assert_eq!(resolve(&["a", "a/link/deep"]), [at("a"), at("elsewhere/deep")]);
    assert_eq!(resolve(&["a", "a/dangling"]), [at("a")]);
    assert_eq!(resolve(&["a/link"]), [at("a/link")], "the name that was given");

    let missing = LocalSource::new(&[at("a"), at("missing")]).expect_err("missing");
    assert!(matches!(missing, Error::Source { path, .. } if path == at("missing")));
    assert!(LocalSource::new::<&Path>(&[]).is_err());
    assert!(LocalSource::new(&[""]).is_err());
    let here = LocalSource::new(&["."]).expect("the working directory");
    assert_eq!(here.paths(), [std::env::current_dir().expect("it has a path")]);
}

/// Every path was compared with every other one: half an hour for a list of 100,000 files.
#[test]
fn long_lists_of_paths_are_resolved_once_each() {
    let place = temporary();
    let base = fs::canonicalize(place.path()).expect("real path");
    let names: Vec<PathBuf> = (0..20_000).map(|number| base.join(format!("file {number}"))).collect();
    for name in &names {
        fs::write(name, "").expect("write");
    }
    let alone = LocalSource::new(&names).expect("all are there");
    assert_eq!(alone.paths().len(), names.len());
    let roots = alone.roots().expect("roots");
    assert_eq!(roots.entries().expect("list").filter(Result::is_ok).count(), names.len());
    let (first, last) = (&names[0], &names[names.len() - 1]);
    for name in [first, last] {
        assert!(roots.attributes(name.as_os_str().as_bytes(), FileKind::File).is_ok());
    }
    assert!(roots.attributes(b"/etc", FileKind::Directory).is_err(), "nothing but what was named");
    let below: Vec<&PathBuf> = names.iter().chain([&base]).collect();
    assert_eq!(LocalSource::new(&below).expect("all are there").paths(), [base]);
}

#[test]
fn more_paths_than_a_snapshot_records_are_refused() {
    let place = temporary();
    let mut folder = fs::canonicalize(place.path()).expect("real path");
    for _ in 0..14 {
        folder.push("x".repeat(250));
        fs::create_dir(&folder).expect("mkdir");
    }
    let names: Vec<PathBuf> = (0..5_000).map(|number| folder.join(format!("{number}"))).collect();
    for name in &names {
        fs::write(name, "").expect("write");
    }
    assert!(LocalSource::new(&names[..4_000]).is_ok());
    let error = LocalSource::new(&names).expect_err("17 MB of paths");
    assert!(matches!(error, Error::TooLarge { .. }) && error.to_string().contains("5000 paths"), "{error}");
}

#[test]
fn a_root_that_is_a_link_stands_for_what_it_points_to() {
    let place = temporary();
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("folder")).expect("mkdir");
    fs::write(at("folder/file"), "content").expect("write");
    symlink("folder", at("to-folder")).expect("symlink");
    symlink("folder/file", at("to-file")).expect("symlink");
    symlink("nowhere", at("to-nothing")).expect("symlink");
    assert!(list(&*open(&at("to-folder"))).keys().eq(["file"]));

    let source = LocalSource::new(&[at("to-file"), at("to-nothing")]).expect("both are there");
    let roots = source.roots().expect("roots");
    let found: Vec<Found> = roots.entries().expect("list").map(|found| found.expect("looked at")).collect();
    assert_eq!([found[0].metadata.kind, found[1].metadata.kind], [FileKind::File, FileKind::Symlink]);
    assert_eq!(found[0].name, at("to-file").as_os_str().as_bytes());
    let mut file = roots.file(&found[0].name, &found[0].metadata).expect("open");
    assert_eq!(read_all(file.as_mut(), 100).0, b"content");
    assert!(roots.file(b"/etc/passwd", &found[0].metadata).is_err(), "nothing but what was named");
}

#[test]
fn a_tree_deeper_than_paths_and_descriptors_allow_is_walked_both_ways() {
    const DEPTH: usize = 3_000;
    let place = temporary();
    let make = |at: &OwnedFd| -> OwnedFd {
        rustix::fs::mkdirat(at, "d", Mode::RWXU).expect("mkdir");
        rustix::fs::openat(at, "d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("open")
    };
    let mut deepest: OwnedFd = fs::File::open(place.path()).expect("open").into();
    for _ in 0..DEPTH {
        deepest = make(&deepest);
    }

    let mut way = vec![open(place.path())];
    while let Some(found) = way.last().expect("the root").entries().expect("list").next() {
        let found = found.expect("looked at");
        way.push(way.last().expect("the root").directory(&found.name, &found.metadata).expect("open"));
    }
    assert_eq!(way.len(), DEPTH + 1);
    for directory in way.iter().rev().skip(1) {
        assert_eq!(directory.entries().expect("list again").filter(Result::is_ok).count(), 1);
    }
    drop(way); // from the root down: the deepest folder holds all others by then

    // The standard library would open every level at once to remove this.
    for _ in 0..DEPTH {
        let parent = rustix::fs::openat(deepest.as_fd(), "..", OFlags::RDONLY, Mode::empty()).expect("open");
        rustix::fs::unlinkat(&parent, "d", AtFlags::REMOVEDIR).expect("remove");
        deepest = parent;
    }
}

#[test]
fn two_listings_of_one_folder_do_not_disturb_each_other() {
    let place = temporary();
    for number in 0..5_000 {
        fs::write(place.path().join(format!("{number}")), "").expect("write");
    }
    let directory = open(place.path());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(list(&*directory).len(), 5_000));
        }
    });
    assert_eq!(list(&*directory).len(), 5_000);
}
