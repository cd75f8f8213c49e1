//! File systems that show the running system and no files of anybody.

use std::os::fd::BorrowedFd;

/// Numbers from `statfs(2)` and `linux/magic.h`. What holds files that somebody put there is not in the list: tmpfs, devtmpfs,
/// hugetlbfs. Nor is autofs, behind which other file systems appear.
#[cfg(target_os = "linux")]
const PSEUDO: [u64; 22] = [
    0x0000_9fa0, // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup 2
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0xcafe_4a11, // bpf
    0x6165_676c, // pstore
    0x6265_6570, // configfs
    0x0000_1cd1, // devpts
    0x1980_0202, // mqueue
    0x6573_5543, // fusectl
    0x4249_4e4d, // binfmt_misc
    0xf97c_ff8c, // selinuxfs
    0x4341_5d53, // smackfs
    0xde5e_81e4, // efivarfs
    0x6e73_6673, // nsfs
    0x6759_6969, // rpc_pipefs
    0x6e66_7364, // nfsd
    0x0765_5821, // resctrl
    0xabba_1974, // xenfs
];

/// Tells whether a directory lies on such a file system; not when that can not be told.
#[cfg(target_os = "linux")]
pub(super) fn is_pseudo(at: BorrowedFd<'_>, name: &[u8]) -> bool {
    use rustix::fs::{Mode, OFlags, openat};
    // Opened only as a place: no automounter mounts anything for that, and no right to read is needed.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(directory) = openat(at, name, flags, Mode::empty()) else { return false };
    is_open_pseudo(std::os::fd::AsFd::as_fd(&directory))
}

/// The same of something that is open.
#[cfg(target_os = "linux")]
pub(super) fn is_open_pseudo(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstatfs(fd).is_ok_and(|status| PSEUDO.contains(&magic(status.f_type)))
}

/// The number has 32 bits, in a signed or unsigned word of 32 or 64.
#[cfg(target_os = "linux")]
#[expect(clippy::cast_possible_truncation, reason = "a sign that was extended is cut off on purpose")]
fn magic(word: rustix::fs::FsWord) -> u64 {
    u64::from(word as u32)
}

/// Nobody has looked into the file systems of this operating system yet.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_pseudo(_: BorrowedFd<'_>, _: &[u8]) -> bool {
    false
}

/// Nobody has looked into the file systems of this operating system yet.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_open_pseudo(_: BorrowedFd<'_>) -> bool {
    false
}
