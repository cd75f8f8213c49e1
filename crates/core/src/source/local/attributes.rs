//! Extended attributes: access lists, capabilities, labels, and what users put there.

use std::{
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{OFlags, fgetxattr, flistxattr, lgetxattr, llistxattr},
    io::{Errno, Result},
};

use super::{
    super::{ExtendedAttributes, SourceError, SourceErrorKind},
    system::{self, Links},
};
use crate::metadata::FileKind;

/// Values grow up to here; Linux itself stops at 64 KiB, some of its file systems do not.
const LARGEST: usize = 16 << 20;

pub(super) fn of_open(fd: impl AsFd) -> std::result::Result<ExtendedAttributes, SourceError> {
    let fd = fd.as_fd();
    read(|list| flistxattr(fd, list), |name, value| fgetxattr(fd, name, value)).map_err(system::error)
}

pub(super) fn of_name(
    at: BorrowedFd<'_>,
    name: &[u8],
    links: Links,
    kind: FileKind,
) -> std::result::Result<ExtendedAttributes, SourceError> {
    match kind {
        FileKind::File => of_open(system::open(at, name, links, OFlags::empty())?),
        FileKind::Directory => match system::open(at, name, links, OFlags::DIRECTORY) {
            // Who may not look into a directory may know its access list all the same.
            Err(error) if error.kind == SourceErrorKind::Denied => of_path(at, name),
            opened => of_open(opened?),
        },
        // These are never opened, and a descriptor that only names them has no attributes.
        _ => of_path(at, name),
    }
}

fn of_path(at: BorrowedFd<'_>, name: &[u8]) -> std::result::Result<ExtendedAttributes, SourceError> {
    let Some(path) = system::path_to(at, name) else { return Ok(Vec::new()) };
    let path = path.as_slice();
    read(|list| llistxattr(path, list), |name, value| lgetxattr(path, name, value)).map_err(system::error)
}

fn read(
    list: impl Fn(&mut [u8]) -> Result<usize>,
    get: impl Fn(&CStr, &mut [u8]) -> Result<usize>,
) -> Result<ExtendedAttributes> {
    let names = match grow(256, list) {
        Ok(names) => names,
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Err(errno) => return Err(errno),
    };
    let mut attributes = Vec::new();
    for name in names.split_inclusive(|&byte| byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        match grow(256, |value| get(name, value)) {
            Ok(value) => attributes.push((name.to_bytes().to_vec(), value)),
            // Taken away since it was listed.
            Err(Errno::NODATA) => {}
            Err(errno) => return Err(errno),
        }
    }
    attributes.sort_unstable();
    attributes.dedup_by(|one, other| one.0 == other.0);
    Ok(attributes)
}

/// Repeats a call with more room until the answer fits: its length may change between two calls.
fn grow(first: usize, call: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut buffer = vec![0; first];
    loop {
        match call(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(Errno::RANGE) if buffer.len() < LARGEST => buffer.resize(buffer.len() * 8, 0),
            Err(errno) => return Err(errno),
        }
    }
}
