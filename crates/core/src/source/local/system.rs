//! What differs between platforms, and the few calls that everything here is made of.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat},
    io::Errno,
};

use super::{super::SourceErrorKind, SourceError, people::People};
use crate::metadata::{FileKind, Metadata, Timestamp};

/// Whether a symbolic link as the last part of a path stands for what it points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// Only for the paths that the user has named.
    Follow,
    /// For everything below them.
    Refuse,
}

/// Opens for reading, without waiting for anybody and, where that is allowed, without moving the access time.
pub(super) fn open(at: BorrowedFd<'_>, name: &[u8], links: Links, more: OFlags) -> Result<OwnedFd, SourceError> {
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | more;
    if links == Links::Refuse {
        flags |= OFlags::NOFOLLOW;
    }
    // Only the owner may leave the access time alone.
    match rustix::fs::openat(at, name, flags | no_access_time(), Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::openat(at, name, flags, Mode::empty()),
        result => result,
    }
    .map_err(|errno| match errno {
        // A link where none was, something else where a directory was, a socket where a file was.
        Errno::LOOP | Errno::NOTDIR | Errno::NXIO => changed(errno),
        errno => error(errno),
    })
}

pub(super) fn error(errno: Errno) -> SourceError {
    io::Error::from(errno).into()
}

pub(super) fn changed(errno: Errno) -> SourceError {
    SourceError { kind: SourceErrorKind::Changed, error: errno.into() }
}

/// Looks at a name without opening it.
pub(super) fn look(at: BorrowedFd<'_>, name: &[u8], links: Links, people: &People) -> Result<Metadata, SourceError> {
    let flags = if links == Links::Refuse { AtFlags::SYMLINK_NOFOLLOW } else { AtFlags::empty() };
    let stat = rustix::fs::statat(at, name, flags).map_err(error)?;
    metadata(&stat, people)
}

/// Looks at what is open.
pub(super) fn look_at_open(fd: impl AsFd, people: &People) -> Result<Metadata, SourceError> {
    metadata(&rustix::fs::fstat(fd).map_err(error)?, people)
}

/// Reads at an offset; 0 at the end.
pub(super) fn read_at(fd: impl AsFd, buffer: &mut [u8], offset: u64) -> Result<usize, SourceError> {
    rustix::io::retry_on_intr(|| rustix::io::pread(&fd, &mut *buffer, offset)).map_err(error)
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_possible_truncation,
    clippy::useless_conversion,
    reason = "the fields of `stat` have other widths on other platforms; none is narrowed here on any"
)]
fn metadata(stat: &Stat, people: &People) -> Result<Metadata, SourceError> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::Fifo => FileKind::Fifo,
        FileType::CharacterDevice => FileKind::CharacterDevice,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::Socket => FileKind::Socket,
        FileType::Unknown => return Err(SourceError::new(SourceErrorKind::Other, "it is of an unknown kind")),
    };
    let time = |seconds, nanoseconds: u64| Timestamp {
        seconds,
        // Some file systems in user space give nonsense here.
        nanoseconds: u32::try_from(nanoseconds).ok().filter(|&value| value < 1_000_000_000).unwrap_or(0),
    };
    let is_device = matches!(kind, FileKind::CharacterDevice | FileKind::BlockDevice);
    let (major, minor) = match is_device {
        true => (rustix::fs::major(stat.st_rdev) as u32, rustix::fs::minor(stat.st_rdev) as u32),
        false => (0, 0),
    };
    Ok(Metadata {
        kind,
        mode: stat.st_mode as u32 & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        user: people.user(stat.st_uid),
        group: people.group(stat.st_gid),
        mtime: time(stat.st_mtime as i64, stat.st_mtime_nsec as u64),
        ctime: time(stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        allocated: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
        inode: stat.st_ino as u64,
        links: stat.st_nlink as u64,
        device: stat.st_dev as u64,
        major,
        minor,
    })
}

/// Calls `each` with every name but `.` and `..`, from the front.
#[cfg(target_os = "linux")]
pub(super) fn list_names(fd: BorrowedFd<'_>, mut each: impl FnMut(&[u8])) -> Result<(), SourceError> {
    // One call of the system brings some 1,500 names.
    let mut buffer: Vec<u8> = Vec::with_capacity(64 << 10);
    rustix::fs::seek(fd, rustix::fs::SeekFrom::Start(0)).map_err(error)?;
    let mut names = rustix::fs::RawDir::new(fd, buffer.spare_capacity_mut());
    while let Some(entry) = names.next() {
        match entry.map_err(error)?.file_name().to_bytes() {
            b"." | b".." => {}
            name => each(name),
        }
    }
    Ok(())
}

/// Calls `each` with every name but `.` and `..`, from the front.
#[cfg(not(target_os = "linux"))]
pub(super) fn list_names(fd: BorrowedFd<'_>, mut each: impl FnMut(&[u8])) -> Result<(), SourceError> {
    for entry in rustix::fs::Dir::read_from(fd).map_err(error)? {
        match entry.map_err(error)?.file_name().to_bytes() {
            b"." | b".." => {}
            name => each(name),
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn no_access_time() -> OFlags {
    OFlags::NOATIME
}

#[cfg(not(target_os = "linux"))]
fn no_access_time() -> OFlags {
    OFlags::empty()
}

/// Tells the system that a file will be read from front to end.
#[cfg(target_os = "linux")]
pub(super) fn will_read_all(fd: impl AsFd) {
    // Advice only: nothing depends on whether it was taken.
    let _ = rustix::fs::fadvise(fd, 0, None, rustix::fs::Advice::Sequential);
}

/// Tells the system that a file will be read from front to end.
#[cfg(not(target_os = "linux"))]
pub(super) fn will_read_all(_: impl AsFd) {}

/// Takes out of memory what was read of a part of a file.
#[cfg(target_os = "linux")]
pub(super) fn forget_read(fd: impl AsFd, part: std::ops::Range<u64>) {
    if let Some(length) = std::num::NonZeroU64::new(part.end - part.start) {
        // Advice again.
        let _ = rustix::fs::fadvise(fd, part.start, Some(length), rustix::fs::Advice::DontNeed);
    }
}

/// Takes out of memory what was read of a part of a file.
#[cfg(not(target_os = "linux"))]
pub(super) fn forget_read(_: impl AsFd, _: std::ops::Range<u64>) {}

/// A path to a name of an open folder, for calls that know paths only; `None` where there is no such thing.
#[cfg(target_os = "linux")]
pub(super) fn path_to(at: BorrowedFd<'_>, name: &[u8]) -> Option<Vec<u8>> {
    use std::os::fd::AsRawFd;
    if name.starts_with(b"/") {
        return Some(name.to_vec());
    }
    Some([format!("/proc/self/fd/{}/", at.as_raw_fd()).as_bytes(), name].concat())
}

/// A path to a name of an open folder, for calls that know paths only; `None` where there is no such thing.
#[cfg(not(target_os = "linux"))]
pub(super) fn path_to(_: BorrowedFd<'_>, name: &[u8]) -> Option<Vec<u8>> {
    name.starts_with(b"/").then(|| name.to_vec())
}
