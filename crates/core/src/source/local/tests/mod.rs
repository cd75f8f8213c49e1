//! A real file system, with everything on it that makes trouble.

mod directories;

mod files;

mod roots;

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
