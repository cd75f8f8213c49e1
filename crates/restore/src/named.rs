//! Something that is held by a descriptor and never opened: symbolic links, FIFOs, devices, files that only get metadata.
//!
//! What is set through it is set on the very thing that was looked at, whatever has its name by then: nobody can lead
//! owner and mode to another file by exchanging names at the right moment.

use std::os::fd::BorrowedFd;

use rustix::{
    fs::{AtFlags, Gid, Stat, Timestamps, Uid, XattrFlags},
    io::{Errno, Result},
};

use crate::system::{self, Identity};

pub(crate) use self::platform::Named;

impl Named<'_> {
    /// Makes sure that it is what was looked at before.
    pub(crate) fn expect(self, identity: Identity) -> Result<Self> {
        if system::identity(&self.stat()?) == identity { Ok(self) } else { Err(Errno::STALE) }
    }
}

/// Sets the permission bits of what was looked at, if it still has its name.
pub(crate) fn set_mode(at: BorrowedFd<'_>, name: &[u8], identity: Identity, bits: u32) -> Result<()> {
    Named::hold(at, name)?.expect(identity)?.set_mode(bits)
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        marker::PhantomData,
        os::fd::{AsRawFd, OwnedFd},
    };

    use rustix::fs::{CWD, Mode, OFlags};

    use super::{AtFlags, BorrowedFd, Errno, Gid, Result, Stat, Timestamps, Uid, XattrFlags, system};

    /// A descriptor that only names something, and the path that leads to that: for calls that take no such descriptor.
    pub(crate) struct Named<'a> {
        fd: OwnedFd,
        path: String,
        /// Elsewhere it needs its directory.
        at: PhantomData<&'a ()>,
    }

    impl<'a> Named<'a> {
        /// Holds what has a name now.
        pub(crate) fn hold(at: BorrowedFd<'a>, name: &'a [u8]) -> Result<Self> {
            let fd = rustix::fs::openat(at, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
            Ok(Self { fd, path, at: PhantomData })
        }

        pub(crate) fn stat(&self) -> Result<Stat> {
            rustix::fs::fstat(&self.fd)
        }

        pub(crate) fn set_owner(&self, uid: Option<Uid>, gid: Option<Gid>) -> Result<()> {
            rustix::fs::chownat(&self.fd, c"", uid, gid, AtFlags::EMPTY_PATH)
        }

        pub(crate) fn set_mode(&self, bits: u32) -> Result<()> {
            rustix::fs::chmodat(CWD, &*self.path, system::mode(bits), AtFlags::empty())
        }

        pub(crate) fn set_times(&self, times: &Timestamps) -> Result<()> {
            match rustix::fs::utimensat(&self.fd, c"", times, AtFlags::EMPTY_PATH) {
                // Before Linux 5.8.
                Err(Errno::INVAL | Errno::NOENT) => rustix::fs::utimensat(CWD, &*self.path, times, AtFlags::empty()),
                outcome => outcome,
            }
        }

        pub(crate) fn set_attribute(&self, name: &[u8], value: &[u8]) -> Result<()> {
            // The path leads to what is held, be it a link, and no further.
            rustix::fs::setxattr(&*self.path, name, value, XattrFlags::empty())
        }

        pub(crate) fn remove_attribute(&self, name: &[u8]) -> Result<()> {
            rustix::fs::removexattr(&*self.path, name)
        }

        pub(crate) fn attribute_names(&self) -> Vec<Vec<u8>> {
            system::attribute_names(|buffer| rustix::fs::listxattr(&*self.path, buffer))
        }

        pub(crate) fn attribute(&self, name: &[u8]) -> Option<Vec<u8>> {
            system::attribute(|buffer| rustix::fs::getxattr(&*self.path, name, buffer))
        }

        /// Tells whether attributes can be read and set at all.
        pub(crate) fn has_attributes(&self) -> bool {
            rustix::fs::statat(CWD, &*self.path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::{AtFlags, BorrowedFd, Errno, Gid, Result, Stat, Timestamps, Uid, system};

    /// A name in an open directory: this system can not hold what it never opens.
    pub(crate) struct Named<'a> {
        at: BorrowedFd<'a>,
        name: &'a [u8],
    }

    impl<'a> Named<'a> {
        /// Notes a name.
        pub(crate) fn hold(at: BorrowedFd<'a>, name: &'a [u8]) -> Result<Self> {
            system::look(at, name).map(|_| Self { at, name })
        }

        pub(crate) fn stat(&self) -> Result<Stat> {
            system::look(self.at, self.name)
        }

        pub(crate) fn set_owner(&self, uid: Option<Uid>, gid: Option<Gid>) -> Result<()> {
            rustix::fs::chownat(self.at, self.name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        }

        pub(crate) fn set_mode(&self, bits: u32) -> Result<()> {
            rustix::fs::chmodat(self.at, self.name, system::mode(bits), AtFlags::SYMLINK_NOFOLLOW)
        }

        pub(crate) fn set_times(&self, times: &Timestamps) -> Result<()> {
            rustix::fs::utimensat(self.at, self.name, times, AtFlags::SYMLINK_NOFOLLOW)
        }

        pub(crate) fn set_attribute(&self, _: &[u8], _: &[u8]) -> Result<()> {
            Err(Errno::NOSYS)
        }

        pub(crate) fn remove_attribute(&self, _: &[u8]) -> Result<()> {
            Err(Errno::NOSYS)
        }

        pub(crate) fn attribute_names(&self) -> Vec<Vec<u8>> {
            Vec::new()
        }

        pub(crate) fn attribute(&self, _: &[u8]) -> Option<Vec<u8>> {
            None
        }

        /// Tells whether attributes can be read and set at all.
        pub(crate) fn has_attributes(&self) -> bool {
            false
        }
    }
}
