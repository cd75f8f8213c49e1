//! An open directory that things are made in, each by a single name.

use std::{
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixListener},
    },
    path::Path,
    rc::Rc,
};

use rustix::{
    fs::{
        AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chownat, linkat,
        mkdirat, mknodat, openat, statat, symlinkat, utimensat,
    },
    io::Errno,
};

/// A directory of the tree.
pub(super) struct Place {
    fd: OwnedFd,
    outside: Rc<OwnedFd>,
}

impl Place {
    pub(super) fn open(tree: &Path, outside: &Path) -> io::Result<Self> {
        let open = |path: &Path| openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Ok(Self { fd: open(tree)?, outside: Rc::new(open(outside)?) })
    }

    /// Makes a directory and enters it.
    pub(super) fn directory(&self, name: impl AsRef<[u8]>) -> io::Result<Self> {
        let name = name.as_ref();
        mkdirat(&self.fd, name, Mode::from_raw_mode(0o755))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty())?;
        Ok(Self { fd, outside: Rc::clone(&self.outside) })
    }

    /// Makes a file of these bytes; it can still be written to.
    pub(super) fn file(&self, name: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name.as_ref(), flags, Mode::from_raw_mode(0o644))?;
        write_at(&fd, bytes.as_ref(), 0)?;
        Ok(fd)
    }

    /// Makes a file of holes with data at some places; the last place may be its end, with no bytes.
    pub(super) fn sparse(&self, name: impl AsRef<[u8]>, parts: &[(u64, &[u8])]) -> io::Result<OwnedFd> {
        let fd = self.file(name, b"")?;
        for (offset, bytes) in parts {
            rustix::fs::ftruncate(&fd, offset + bytes.len() as u64)?;
            write_at(&fd, bytes, *offset)?;
        }
        Ok(fd)
    }

    pub(super) fn symlink(&self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> io::Result<()> {
        Ok(symlinkat(target.as_ref(), &self.fd, name.as_ref())?)
    }

    /// Gives a file one more name here.
    pub(super) fn link(&self, name: impl AsRef<[u8]>, to: &Self, new: impl AsRef<[u8]>) -> io::Result<()> {
        Ok(linkat(&self.fd, name.as_ref(), &to.fd, new.as_ref(), AtFlags::empty())?)
    }

    /// Gives a file one more name that is not part of the tree.
    pub(super) fn link_outside(&self, name: impl AsRef<[u8]>, new: impl AsRef<[u8]>) -> io::Result<()> {
        Ok(linkat(&self.fd, name.as_ref(), &*self.outside, new.as_ref(), AtFlags::empty())?)
    }

    pub(super) fn fifo(&self, name: impl AsRef<[u8]>) -> io::Result<()> {
        self.node(name, FileType::Fifo, 0, 0)
    }

    pub(super) fn node(&self, name: impl AsRef<[u8]>, kind: FileType, major: u32, minor: u32) -> io::Result<()> {
        let device = rustix::fs::makedev(major, minor);
        Ok(mknodat(&self.fd, name.as_ref(), kind, Mode::from_raw_mode(0o600), device)?)
    }

    pub(super) fn socket(&self, name: &str) -> io::Result<()> {
        // The name stays when nobody listens any more.
        UnixListener::bind(std::ffi::OsStr::from_bytes(&self.path_to(name.as_bytes()))).map(drop)
    }

    /// The permission bits must come out as asked: a file system that drops some without a word has not made the case.
    pub(super) fn mode(&self, name: impl AsRef<[u8]>, mode: u32) -> io::Result<()> {
        let name = name.as_ref();
        rustix::fs::chmodat(&self.fd, name, Mode::from_raw_mode(mode), AtFlags::empty())?;
        let found = statat(&self.fd, name, AtFlags::empty())?.st_mode & 0o7777;
        if found == mode { Ok(()) } else { Err(io::Error::other(format!("mode {mode:o} became {found:o}"))) }
    }

    pub(super) fn own(&self, name: impl AsRef<[u8]>, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        Ok(chownat(&self.fd, name.as_ref(), Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    pub(super) fn attribute(&self, name: impl AsRef<[u8]>, attribute: &[u8], value: &[u8]) -> io::Result<()> {
        let path = self.path_to(name.as_ref());
        Ok(rustix::fs::lsetxattr(path.as_slice(), attribute, value, XattrFlags::empty())?)
    }

    /// The time must come out as asked: file systems bring those they can not keep to the nearest one without a word.
    pub(super) fn time(&self, name: impl AsRef<[u8]>, seconds: i64, nanoseconds: u32) -> io::Result<()> {
        let name = name.as_ref();
        let timestamps = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() },
        };
        utimensat(&self.fd, name, &timestamps, AtFlags::SYMLINK_NOFOLLOW)?;
        let found = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let (kept, parts) = (found.st_mtime, found.st_mtime_nsec);
        if (kept, u64::from(nanoseconds)) == (seconds, parts) {
            return Ok(());
        }
        Err(io::Error::other(format!("time {seconds} s + {nanoseconds} ns became {kept} s + {parts} ns")))
    }

    fn path_to(&self, name: &[u8]) -> Vec<u8> {
        [format!("/proc/self/fd/{}/", self.fd.as_raw_fd()).as_bytes(), name].concat()
    }
}

pub(super) fn write_at(fd: &OwnedFd, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(fd, bytes, offset) {
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
