//! What differs between platforms, and the few calls that the comparison is made of.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat},
    io::Result,
};

/// Device and inode: what names a file as long as it is there.
pub(super) type Identity = (u64, u64);

/// Looks at a name, not at what a link points to.
pub(super) fn look(at: BorrowedFd<'_>, name: &[u8]) -> Result<Stat> {
    rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Opens for reading, without following a link or waiting for anybody.
pub(super) fn open(at: BorrowedFd<'_>, name: &[u8], more: OFlags) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags | more, Mode::empty())
}

/// What a look has found.
pub(super) struct Status {
    pub(super) kind: FileType,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) modified: (i64, i64),
    pub(super) size: u64,
    pub(super) allocated: u64,
    pub(super) links: u64,
    pub(super) identity: Identity,
    pub(super) device: (u32, u32),
    pub(super) block: u64,
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_possible_truncation,
    reason = "the fields of `stat` have other widths on other platforms; none is narrowed here on any"
)]
pub(super) fn status(stat: &Stat) -> Status {
    let positive = |value: i64| u64::try_from(value).unwrap_or(0);
    Status {
        kind: FileType::from_raw_mode(stat.st_mode),
        mode: stat.st_mode as u32 & 0o7777,
        owner: (stat.st_uid, stat.st_gid),
        modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        size: positive(stat.st_size as i64),
        allocated: positive(stat.st_blocks as i64).saturating_mul(512),
        links: stat.st_nlink as u64,
        identity: (stat.st_dev as u64, stat.st_ino as u64),
        device: (rustix::fs::major(stat.st_rdev) as u32, rustix::fs::minor(stat.st_rdev) as u32),
        block: positive(stat.st_blksize as i64).max(1),
    }
}

/// A path to a name of an open folder, for calls that know paths only; `None` where there is no such thing.
#[cfg(target_os = "linux")]
pub(super) fn path_to(at: BorrowedFd<'_>, name: &[u8]) -> Option<Vec<u8>> {
    use std::os::fd::AsRawFd;
    Some([format!("/proc/self/fd/{}/", at.as_raw_fd()).as_bytes(), name].concat())
}

/// A path to a name of an open folder, for calls that know paths only; `None` where there is no such thing.
#[cfg(not(target_os = "linux"))]
pub(super) fn path_to(_: BorrowedFd<'_>, _: &[u8]) -> Option<Vec<u8>> {
    None
}
