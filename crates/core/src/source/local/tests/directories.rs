//! What a folder shows, whatever happens to it meanwhile.

use super::*;

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
fn the_skipped_folder_is_never_shown() {
    let place = temporary();
    fs::create_dir(place.path().join("repository")).expect("mkdir");
    fs::create_dir(place.path().join("other")).expect("mkdir");
    let skipped = fs::metadata(place.path().join("repository")).expect("stat");
    let source = LocalSource::new(&[place.path()]).expect("there").skip_identity(skipped.dev(), skipped.ino());
    let directory = open_root(&source);
    assert!(!directory.has_left_out(), "nobody has looked yet");
    assert!(list(&*directory).keys().eq(["other"]) && directory.has_left_out());
    let inside = LocalSource::new(&[place.path().join("repository")]).expect("there");
    let inside = inside.skip_identity(skipped.dev(), skipped.ino());
    assert_eq!(inside.roots().expect("roots").entries().expect("list").count(), 0);
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
