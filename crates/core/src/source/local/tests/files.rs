//! Bytes, holes and attributes of files.

use super::*;
use crate::not_run::not_run;

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
            Err(rustix::io::Errno::NOTSUP) => return not_run("the temporary directory has no extended attributes"),
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
