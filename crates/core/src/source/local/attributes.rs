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
    super::{ExtendedAttributes, SourceErrorKind, UnreadAttributes},
    system::{self, Links},
};
use crate::metadata::FileKind;

/// Values grow up to here; Linux itself stops at 64 KiB, some of its file systems do not.
const LARGEST: usize = 16 << 20;

pub(super) fn of_open(fd: impl AsFd) -> std::result::Result<ExtendedAttributes, UnreadAttributes> {
    let fd = fd.as_fd();
    read(|list| flistxattr(fd, list), |name, value| fgetxattr(fd, name, value))
}

pub(super) fn of_name(
    at: BorrowedFd<'_>,
    name: &[u8],
    links: Links,
    kind: FileKind,
) -> std::result::Result<ExtendedAttributes, UnreadAttributes> {
    let flags = match kind {
        FileKind::File => OFlags::empty(),
        FileKind::Directory => OFlags::DIRECTORY,
        _ => return of_path(at, name),
    };
    match system::open(at, name, links, flags) {
        Ok(fd) => of_open(fd),
        // Who may not read a directory may still see its access list.
        Err(error) if error.kind == SourceErrorKind::Denied && links == Links::Refuse => of_path(at, name),
        Err(error) => Err(error.into()),
    }
}

/// Of what is not opened: a descriptor that only names something has no attributes.
fn of_path(at: BorrowedFd<'_>, name: &[u8]) -> std::result::Result<ExtendedAttributes, UnreadAttributes> {
    let Some(path) = system::path_to(at, name) else { return Ok(Vec::new()) };
    let path = path.as_slice();
    read(|list| llistxattr(path, list), |name, value| lgetxattr(path, name, value))
}

fn read(
    list: impl Fn(&mut [u8]) -> Result<usize>,
    get: impl Fn(&CStr, &mut [u8]) -> Result<usize>,
) -> std::result::Result<ExtendedAttributes, UnreadAttributes> {
    let names = match grow(256, list) {
        Ok(names) => names,
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Err(errno) => return Err(system::error(errno).into()),
    };
    let (mut attributes, mut unread) = (Vec::new(), Vec::new());
    for name in names.split_inclusive(|&byte| byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        match grow(256, |value| get(name, value)) {
            Ok(value) => attributes.push((name.to_bytes().to_vec(), value)),
            // Taken away since it was listed; or listed by a file system that will not show it, like some servers'.
            Err(Errno::NODATA | Errno::NOTSUP) => {}
            // One that can not be read is no reason to lose the others.
            Err(errno) => unread.push((name.to_bytes().to_vec(), system::error(errno))),
        }
    }
    attributes.sort_unstable();
    attributes.dedup_by(|one, other| one.0 == other.0);
    if unread.is_empty() { Ok(attributes) } else { Err(UnreadAttributes { read: attributes, unread }) }
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn put(buffer: &mut [u8], bytes: &[u8]) -> Result<usize> {
        let room = buffer.get_mut(..bytes.len()).ok_or(Errno::RANGE)?;
        room.copy_from_slice(bytes);
        Ok(bytes.len())
    }

    #[test]
    fn attributes_that_come_grow_and_go_while_they_are_read_do_no_harm() {
        let (listed, asked) = (Cell::new(0), Cell::new(0));
        let long = vec![b'x'; 65_536];
        let list = |buffer: &mut [u8]| {
            listed.set(listed.get() + 1);
            // More have come when there is room for those that were there.
            let names =
                if listed.get() == 1 { vec![b'n'; 300] } else { b"user.gone\0user.hidden\0user.b\0user.a\0".to_vec() };
            put(buffer, &names)
        };
        let get = |name: &CStr, buffer: &mut [u8]| match name.to_bytes() {
            b"user.gone" => Err(Errno::NODATA),
            b"user.hidden" => Err(Errno::NOTSUP),
            b"user.b" => put(buffer, b""),
            _ => {
                asked.set(asked.get() + 1);
                put(buffer, &long)
            }
        };
        let read = read(list, get).expect("read");
        assert_eq!(read, [(b"user.a".to_vec(), long.clone()), (b"user.b".to_vec(), Vec::new())]);
        assert_eq!((listed.get(), asked.get()), (2, 4));
        let refused = super::read(|_| Err(Errno::NOTSUP), |_, _| Err(Errno::IO)).expect("there are none");
        assert!(refused.is_empty());
    }

    /// One attribute that could not be read, on a bad disk or of a kind that the server keeps to itself, cost all of them.
    #[test]
    fn one_attribute_that_can_not_be_read_does_not_cost_the_others() {
        let list = |buffer: &mut [u8]| put(buffer, b"user.c\0user.bad\0user.a\0");
        let get = |name: &CStr, buffer: &mut [u8]| match name.to_bytes() {
            b"user.bad" => Err(Errno::IO),
            name => put(buffer, name),
        };
        let unread = read(list, get).expect_err("one can not be read");
        assert_eq!(unread.read, [(b"user.a".to_vec(), b"user.a".to_vec()), (b"user.c".to_vec(), b"user.c".to_vec())]);
        assert!(unread.to_string().starts_with("attribute user.bad: "), "{unread}");
        let unlisted = read(|_| Err(Errno::IO), |_, _| Err(Errno::IO)).expect_err("nothing can be read");
        assert!(unlisted.read.is_empty() && unlisted.to_string().starts_with("attributes: "), "{unlisted}");
    }
}
