//! What a new file has of the directory that it was made in. It is asked for once in each directory: all that this process makes
//! there have the same.

use std::os::fd::BorrowedFd;

use rustix::{
    fs::{Gid, Uid},
    io::{Errno, Result},
};

/// What new files of one directory have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inherited {
    owner: (u32, u32),
    /// Access lists may have come from the directory's default list.
    pub(crate) has_lists: bool,
}

impl Inherited {
    /// Asks a file that was just made, and its directory.
    pub(crate) fn of(file: BorrowedFd<'_>, directory: BorrowedFd<'_>) -> Result<Self> {
        let stat = rustix::fs::fstat(file)?;
        let default_list = rustix::fs::fgetxattr(directory, "system.posix_acl_default", &mut [0; 0]);
        Ok(Self {
            owner: (stat.st_uid, stat.st_gid),
            has_lists: !matches!(default_list, Err(Errno::NODATA | Errno::NOTSUP)),
        })
    }

    /// Tells whether they belong to these already; `None` is anybody.
    pub(crate) fn is_owner(&self, user: Option<Uid>, group: Option<Gid>) -> bool {
        user.is_none_or(|user| user.as_raw() == self.owner.0)
            && group.is_none_or(|group| group.as_raw() == self.owner.1)
    }
}
