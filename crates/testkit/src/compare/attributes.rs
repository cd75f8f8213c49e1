//! Extended attributes of a name, of whatever kind it is.

use std::{collections::BTreeMap, os::fd::BorrowedFd};

use rustix::{
    fs::{FileType, OFlags, fgetxattr, flistxattr, lgetxattr, llistxattr},
    io::{Errno, Result},
};

use super::system;

/// What the system allows for a value; the list of names may be as long.
const LARGEST: usize = 64 << 10;

/// Reads them all; none where the file system has none.
pub(super) fn read(at: BorrowedFd<'_>, name: &[u8], kind: FileType) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    if let Some(path) = system::path_to(at, name) {
        let path = path.as_slice();
        return collect(|list| llistxattr(path, list), |name, value| lgetxattr(path, name, value));
    }
    if !matches!(kind, FileType::RegularFile | FileType::Directory) {
        return Ok(BTreeMap::new());
    }
    let fd = system::open(at, name, OFlags::empty())?;
    collect(|list| flistxattr(&fd, list), |name, value| fgetxattr(&fd, name, value))
}

fn collect(
    list: impl Fn(&mut [u8]) -> Result<usize>,
    get: impl Fn(&[u8], &mut [u8]) -> Result<usize>,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut attributes = BTreeMap::new();
    let names = match grow(list) {
        Ok(names) => names,
        Err(Errno::NOTSUP) => return Ok(attributes),
        Err(errno) => return Err(errno),
    };
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        attributes.insert(name.to_vec(), grow(|value| get(name, value))?);
    }
    Ok(attributes)
}

/// Most lists and values are short; for the others there is room for the longest.
fn grow(call: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    for room in [256, LARGEST] {
        let mut buffer = vec![0; room];
        match call(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(Errno::RANGE) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::RANGE)
}
