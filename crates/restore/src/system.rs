//! What differs between platforms, and the few calls that everything here is made of.
//!
//! Each takes one open directory and one name, and follows no link.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RawMode, Stat},
    io::{Errno, Result},
};

/// Device and inode: what names a file as long as it is there.
pub(crate) type Identity = (u64, u64);

/// Opens a directory; a symbolic link in its place is refused unless `follow`.
pub(crate) fn open_directory(at: BorrowedFd<'_>, name: &[u8], follow: bool) -> Result<OwnedFd> {
    let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    rustix::fs::openat(at, name, flags, Mode::empty())
}

/// Makes a file that is not there.
pub(crate) fn create_file(at: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::RUSR | Mode::WUSR)
}

/// Opens a file that was made before, and makes sure that it is that one.
pub(crate) fn reopen_file(at: BorrowedFd<'_>, name: &[u8], expected: Identity) -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(at, name, flags, Mode::empty())?;
    if identity(&rustix::fs::fstat(&fd)?) == expected { Ok(fd) } else { Err(Errno::STALE) }
}

/// Writes all bytes at a place.
pub(crate) fn write_at(fd: impl AsFd, mut bytes: &[u8], mut offset: u64) -> Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(&fd, bytes, offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Looks at a name.
pub(crate) fn look(at: BorrowedFd<'_>, name: &[u8]) -> Result<Stat> {
    rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    reason = "the fields of `stat` have other widths on other platforms; none is narrowed here on any"
)]
pub(crate) fn identity(stat: &Stat) -> Identity {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// The name of another file in a directory that stands in the way of `name`: file systems that fold case, or Unicode forms,
/// give both names to one file.
pub(crate) fn other_name(at: BorrowedFd<'_>, name: &[u8]) -> Option<Vec<u8>> {
    let wanted = look(at, name).ok()?.st_ino;
    let mut other = None;
    for entry in rustix::fs::Dir::read_from(at).ok()?.flatten() {
        match entry.file_name().to_bytes() {
            // It is that very name; others of the same file are hard links.
            found if found == name => return None,
            b"." | b".." => {}
            found if entry.ino() == wanted => other = Some(found.to_vec()),
            _ => {}
        }
    }
    other
}

/// The permission bits as the system takes them.
#[allow(clippy::cast_possible_truncation, reason = "a mode has twelve bits; its type has 16 on macOS and 32 elsewhere")]
pub(crate) fn mode(bits: u32) -> Mode {
    Mode::from_raw_mode((bits & 0o7777) as RawMode)
}

/// Makes a FIFO or a device.
#[cfg(target_os = "linux")]
pub(crate) fn make_node(at: BorrowedFd<'_>, name: &[u8], kind: FileType, major: u32, minor: u32) -> Result<()> {
    rustix::fs::mknodat(at, name, kind, Mode::RUSR | Mode::WUSR, rustix::fs::makedev(major, minor))
}

/// Makes a FIFO or a device.
#[cfg(not(target_os = "linux"))]
pub(crate) fn make_node(_: BorrowedFd<'_>, _: &[u8], _: FileType, _: u32, _: u32) -> Result<()> {
    Err(Errno::NOSYS)
}

/// Sets the permission bits of something that is never opened. Only its name is opened, and changed through that.
#[cfg(target_os = "linux")]
pub(crate) fn set_mode_of_node(at: BorrowedFd<'_>, name: &[u8], bits: u32) -> Result<()> {
    let fd = rustix::fs::openat(at, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::chmodat(rustix::fs::CWD, path, mode(bits), AtFlags::empty())
}

/// Sets the permission bits of something that is never opened.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set_mode_of_node(at: BorrowedFd<'_>, name: &[u8], bits: u32) -> Result<()> {
    rustix::fs::chmodat(at, name, mode(bits), AtFlags::SYMLINK_NOFOLLOW)
}

/// A path to a name of an open directory, for calls that know paths only; `None` where there is no such thing.
#[cfg(target_os = "linux")]
pub(crate) fn path_to(at: BorrowedFd<'_>, name: &[u8]) -> Option<Vec<u8>> {
    Some([format!("/proc/self/fd/{}/", at.as_raw_fd()).as_bytes(), name].concat())
}

/// A path to a name of an open directory, for calls that know paths only; `None` where there is no such thing.
#[cfg(not(target_os = "linux"))]
pub(crate) fn path_to(_: BorrowedFd<'_>, _: &[u8]) -> Option<Vec<u8>> {
    None
}

/// Makes everything on the file system of an open directory durable, and tells of writing that has failed since it was opened.
#[cfg(target_os = "linux")]
pub(crate) fn sync_file_system(fd: impl AsFd) -> Result<()> {
    rustix::fs::syncfs(fd)
}

/// Asks for everything to be written; there is no way to learn what came of it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn sync_file_system(fd: impl AsFd) -> Result<()> {
    rustix::fs::sync();
    rustix::fs::fsync(fd)
}
