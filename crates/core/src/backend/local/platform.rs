//! What is different from one operating system to the next.

use std::os::fd::BorrowedFd;

use rustix::{
    fs::Stat,
    io::{Errno, Result, retry_on_intr},
};

#[cfg(target_os = "linux")]
pub(super) use self::linux::*;
#[cfg(not(target_os = "linux"))]
pub(super) use self::other::*;

/// Device and inode number. Their types differ.
#[allow(clippy::unnecessary_cast, reason = "a device is 32 bits wide on macOS")]
pub(super) fn identity(status: &Stat) -> (u64, u64) {
    (status.st_dev as u64, status.st_ino as u64)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: BorrowedFd<'_>) -> Result<()> {
    match retry_on_intr(|| rustix::fs::fsync(folder)) {
        // SMB and some FUSE file systems can not sync a folder and say so; nobody could do more there.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(()),
        synced => synced,
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

    use rustix::{
        fs::{
            AtFlags, CWD, Mode, OFlags, RenameFlags, fcntl_getfl, fcntl_setfl, fstatfs, linkat, openat, renameat_with,
        },
        io::{Errno, Result, retry_on_intr},
    };

    use crate::backend::Promise;

    /// File systems whose state other machines or programs share in ways that can not be told from here: what they
    /// promise depends on servers and mount options. Numbers from `statfs(2)` and `linux/magic.h`.
    const SHARED: [u64; 16] = [
        0x6969,      // NFS
        0x517b,      // SMB
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB 2
        0x6573_5546, // FUSE; also virtiofs
        0x0102_1997, // 9p
        0x5346_414f, // AFS
        0x6b41_4653, // kAFS
        0x7375_7245, // Coda
        0x00c3_6400, // Ceph
        0x0bd0_0bd0, // Lustre
        0x4750_4653, // GPFS
        0x1983_0326, // BeeGFS
        0x2003_0528, // OrangeFS
        0x786f_4256, // VirtualBox shared folders
        0xbacb_acbc, // VMware shared folders
    ];

    /// Whether creating and reading are coherent for everybody who can reach this folder.
    pub(in super::super) fn coherence(folder: BorrowedFd<'_>) -> Promise {
        // Overlays count as local: their upper layer, where objects lie, belongs to one machine.
        match fstatfs(folder) {
            Ok(status) if SHARED.contains(&magic(status.f_type)) => Promise::Unknown,
            Ok(_) => Promise::Kept,
            Err(_) => Promise::Unknown,
        }
    }

    /// The number has 32 bits, in a signed or unsigned word of 32 or 64.
    #[expect(clippy::cast_possible_truncation, reason = "a sign that was extended is cut off on purpose")]
    fn magic(word: rustix::fs::FsWord) -> u64 {
        u64::from(word as u32)
    }

    /// Opens a file without a name in the folder's file system; `None` where there is no such thing.
    pub(in super::super) fn open_anonymous(folder: BorrowedFd<'_>, mode: Mode) -> Result<Option<OwnedFd>> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        match retry_on_intr(|| openat(folder, ".", flags, mode)) {
            Ok(file) => Ok(Some(file)),
            // `ISDIR` and `INVAL` are the answers of kernels and file systems that do not know the flag.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Names it. By way of `/proc`, for `AT_EMPTY_PATH` asks for a capability before Linux 6.10.
    pub(in super::super) fn link_anonymous(file: BorrowedFd<'_>, folder: BorrowedFd<'_>, name: &str) -> Result<()> {
        linkat(CWD, format!("/proc/self/fd/{}", file.as_raw_fd()), folder, name, AtFlags::SYMLINK_FOLLOW)
    }

    pub(in super::super) fn rename_without_replacing(folder: BorrowedFd<'_>, from: &str, to: &str) -> Result<()> {
        renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE)
    }

    /// Has what is written go past the page cache, or through it again; false where the file system can not do that.
    pub(in super::super) fn write_past_cache(file: BorrowedFd<'_>, is_wanted: bool) -> bool {
        let Ok(flags) = fcntl_getfl(file) else { return false };
        let flags = if is_wanted { flags | OFlags::DIRECT } else { flags - OFlags::DIRECT };
        fcntl_setfl(file, flags).is_ok()
    }

    /// Drops what the page cache has of a file. Objects are synced, so nothing is held back for being unwritten.
    pub(in super::super) fn forget_cached(file: BorrowedFd<'_>) {
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    }

    /// Makes a file's bytes durable. Not repeated, whatever the reason it failed for: see `publish`.
    pub(in super::super) fn sync_file(file: BorrowedFd<'_>) -> Result<()> {
        rustix::fs::fsync(file)
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::os::fd::{BorrowedFd, OwnedFd};

    use rustix::{
        fs::Mode,
        io::{Errno, Result},
    };

    use crate::backend::Promise;

    /// Nobody has looked into the file systems of this operating system yet.
    pub(in super::super) fn coherence(_folder: BorrowedFd<'_>) -> Promise {
        Promise::Unknown
    }

    pub(in super::super) fn open_anonymous(_folder: BorrowedFd<'_>, _mode: Mode) -> Result<Option<OwnedFd>> {
        Ok(None)
    }

    pub(in super::super) fn write_past_cache(_file: BorrowedFd<'_>, _is_wanted: bool) -> bool {
        false
    }

    pub(in super::super) fn forget_cached(_file: BorrowedFd<'_>) {}

    pub(in super::super) fn link_anonymous(_file: BorrowedFd<'_>, _folder: BorrowedFd<'_>, _name: &str) -> Result<()> {
        Err(Errno::OPNOTSUPP)
    }

    #[cfg(target_vendor = "apple")]
    pub(in super::super) fn rename_without_replacing(folder: BorrowedFd<'_>, from: &str, to: &str) -> Result<()> {
        rustix::fs::renameat_with(folder, from, folder, to, rustix::fs::RenameFlags::NOREPLACE)
    }

    #[cfg(not(target_vendor = "apple"))]
    pub(in super::super) fn rename_without_replacing(_folder: BorrowedFd<'_>, _from: &str, _to: &str) -> Result<()> {
        Err(Errno::OPNOTSUPP)
    }

    /// Makes a file's bytes durable; a plain `fsync` leaves them in the disk's own cache on macOS.
    pub(in super::super) fn sync_file(file: BorrowedFd<'_>) -> Result<()> {
        #[cfg(target_vendor = "apple")]
        match rustix::fs::fcntl_fullfsync(file) {
            // Network file systems do not know it.
            Err(Errno::NOTSUP | Errno::OPNOTSUPP | Errno::NOTTY | Errno::INVAL) => {}
            synced => return synced,
        }
        rustix::fs::fsync(file)
    }
}
