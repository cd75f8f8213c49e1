//! Removes a tree of any depth, and whatever modes its directories have.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags},
    io::Errno,
};

/// Removes a directory and everything in it, with three of them open at a time.
///
/// Directories are moved up to the top before they are emptied, so depth does not matter. What is not there is no error.
///
/// # Errors
/// When something stays: a mount point, what belongs to somebody else.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let path = path.as_os_str().as_bytes();
    let top = match enter(CWD, path) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let mut moved = 0_u64;
    loop {
        let directories = remove_files(&top)?;
        if directories.is_empty() {
            break;
        }
        for name in directories {
            let inner = enter(top.as_fd(), &name)?;
            for below in remove_files(&inner)? {
                // To be moved, a directory must be writable itself: its `..` changes.
                drop(enter(inner.as_fd(), &below)?);
                moved += 1;
                rustix::fs::renameat(&inner, &below, &top, format!("moved up {moved}"))?;
            }
            rustix::fs::unlinkat(&top, &name, AtFlags::REMOVEDIR)?;
        }
    }
    Ok(rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

/// Opens a directory after giving its owner all rights.
fn enter(at: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let found = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if found.st_mode & 0o700 != 0o700 {
        rustix::fs::chmodat(at, name, Mode::RWXU, AtFlags::empty())?;
    }
    rustix::fs::openat(at, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Removes all but directories; returns their names.
fn remove_files(fd: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut directories = Vec::new();
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        match rustix::fs::unlinkat(fd, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => directories.push(name.to_vec()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(directories)
}
