//! What differs between platforms, and the few calls that everything here is made of.
//!
//! Each takes one open directory and one name, and follows no link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use lbak_core::metadata::Timestamp;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RawMode, RenameFlags, Stat},
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
    let fold = |name: &[u8]| String::from_utf8_lossy(name).to_lowercase();
    let (wanted, folded) = (look(at, name).ok()?.st_ino, fold(name));
    let (mut same_file, mut same_letters) = (None, None);
    for entry in rustix::fs::Dir::read_from(at).ok()?.flatten() {
        match entry.file_name().to_bytes() {
            // It is that very name; others of the same file are hard links.
            found if found == name => return None,
            b"." | b".." => {}
            found if entry.ino() == wanted => same_file = Some(found.to_vec()),
            // File systems in user space, and servers, may list other numbers than they show of a file.
            found if fold(found) == folded => same_letters = Some(found.to_vec()),
            _ => {}
        }
    }
    same_file.or(same_letters)
}

/// Opens a file that is there, and makes sure that it is that one. `flags` say what for.
pub(crate) fn open_file(at: BorrowedFd<'_>, name: &[u8], flags: OFlags, expected: Identity) -> Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(at, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if is_file && identity(&stat) == expected { Ok(fd) } else { Err(Errno::STALE) }
}

/// Reads until the buffer is full or the file ends; returns how much there was.
pub(crate) fn read_at(fd: impl AsFd, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(&fd, rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

/// Gives a file its name, if nothing has it.
pub(crate) fn rename_new(at: BorrowedFd<'_>, from: &[u8], to: &[u8]) -> Result<()> {
    match rustix::fs::renameat_with(at, from, at, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        outcome => return outcome,
    }
    // This file system can not do it in one step; another name for the file can do the same where it has such.
    match rustix::fs::linkat(at, from, at, to, AtFlags::empty()) {
        Ok(()) => rustix::fs::unlinkat(at, from, AtFlags::empty()),
        Err(Errno::EXIST) => Err(Errno::EXIST),
        Err(_) => match look(at, to) {
            Err(Errno::NOENT) => rustix::fs::renameat(at, from, at, to),
            Ok(_) => Err(Errno::EXIST),
            Err(errno) => Err(errno),
        },
    }
}

/// Shares all bytes of a file with another, where the file system can.
#[cfg(target_os = "linux")]
pub(crate) fn clone(from: impl AsFd, to: impl AsFd) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

/// Shares all bytes of a file with another, where the file system can.
#[cfg(not(target_os = "linux"))]
pub(crate) fn clone(_: impl AsFd, _: impl AsFd) -> bool {
    false
}

/// Asks the system to forget what it has of a file in memory, so that it is read from where it lies.
#[cfg(target_os = "linux")]
pub(crate) fn forget_cached(fd: impl AsFd) {
    let _ = rustix::fs::fadvise(fd, 0, None, rustix::fs::Advice::DontNeed);
}

/// Asks the system to forget what it has of a file in memory.
#[cfg(not(target_os = "linux"))]
pub(crate) fn forget_cached(_: impl AsFd) {}

/// Tells whether a file system is mounted at an open directory; `None` where the system does not say.
#[cfg(target_os = "linux")]
pub(crate) fn is_mount_point(fd: impl AsFd) -> Option<bool> {
    use rustix::fs::{StatxAttributes, StatxFlags, statx};
    let stat = statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::empty()).ok()?;
    let known = stat.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT);
    known.then(|| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Tells whether a file system is mounted at an open directory; `None` where the system does not say.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_mount_point(_: impl AsFd) -> Option<bool> {
    None
}

/// Tells whether a file system is mounted at a name, which need not be open; `None` where the system does not say.
#[cfg(target_os = "linux")]
pub(crate) fn is_mount_point_at(at: BorrowedFd<'_>, name: &[u8]) -> Option<bool> {
    use rustix::fs::{StatxAttributes, StatxFlags, statx};
    let stat = statx(at, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()).ok()?;
    let known = stat.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT);
    known.then(|| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Tells whether a file system is mounted at a name; `None` where the system does not say.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_mount_point_at(_: BorrowedFd<'_>, _: &[u8]) -> Option<bool> {
    None
}

/// When the content was changed last.
#[allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "the fields of `stat` have other types on other platforms; nanoseconds are below 1,000,000,000"
)]
pub(crate) fn modified(stat: &Stat) -> Timestamp {
    Timestamp { seconds: stat.st_mtime as i64, nanoseconds: stat.st_mtime_nsec as u32 }
}

/// When its status was changed last, which the system alone sets.
#[allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "the fields of `stat` have other types on other platforms; nanoseconds are below 1,000,000,000"
)]
pub(crate) fn changed(stat: &Stat) -> Timestamp {
    Timestamp { seconds: stat.st_ctime as i64, nanoseconds: stat.st_ctime_nsec as u32 }
}

/// Bytes of a file.
#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    reason = "sizes are not negative; other platforms have other types"
)]
pub(crate) fn size(stat: &Stat) -> u64 {
    stat.st_size as u64
}

/// Tells whether it belongs to whoever runs this, and so may be opened up.
pub(crate) fn is_mine(stat: &Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw()
}

/// What it is.
pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Major and minor number of a device.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "device numbers are signed on macOS")]
pub(crate) fn device_numbers(stat: &Stat) -> (u32, u32) {
    (rustix::fs::major(stat.st_rdev as _) as u32, rustix::fs::minor(stat.st_rdev as _) as u32)
}

/// The twelve permission bits.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "the type has 16 bits on macOS")]
pub(crate) fn permissions(stat: &Stat) -> u32 {
    stat.st_mode as u32 & 0o7777
}

/// The names of the extended attributes that a call lists; none where there is no such thing.
pub(crate) fn attribute_names(list: impl Fn(&mut [u8]) -> Result<usize>) -> Vec<Vec<u8>> {
    split_names(&grow(list).unwrap_or_default())
}

/// The value of an extended attribute.
pub(crate) fn attribute(get: impl Fn(&mut [u8]) -> Result<usize>) -> Option<Vec<u8>> {
    grow(get).ok()
}

fn split_names(names: &[u8]) -> Vec<Vec<u8>> {
    names.split(|&byte| byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Repeats a call with more room until the answer fits.
fn grow(call: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    const LARGEST: usize = 16 << 20;
    let mut buffer = vec![0; 256];
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

/// The permission bits as the system takes them.
#[allow(clippy::cast_possible_truncation, reason = "a mode has twelve bits; its type has 16 on macOS and 32 elsewhere")]
pub(crate) fn mode(bits: u32) -> Mode {
    Mode::from_raw_mode((bits & 0o7777) as RawMode)
}

/// Makes a FIFO or a device.
#[cfg(target_os = "linux")]
pub(crate) fn make_node(at: BorrowedFd<'_>, name: &[u8], kind: FileType, major: u32, minor: u32) -> Result<()> {
    // The kernel has 12 and 20 bits for them, and would make another device of what does not fit.
    if major >> 12 != 0 || minor >> 20 != 0 {
        return Err(Errno::INVAL);
    }
    rustix::fs::mknodat(at, name, kind, Mode::RUSR | Mode::WUSR, rustix::fs::makedev(major, minor))
}

/// Makes a FIFO or a device.
#[cfg(not(target_os = "linux"))]
pub(crate) fn make_node(_: BorrowedFd<'_>, _: &[u8], _: FileType, _: u32, _: u32) -> Result<()> {
    Err(Errno::NOSYS)
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
