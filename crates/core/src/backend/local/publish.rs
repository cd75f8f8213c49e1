//! Gives durable bytes a name that nobody has: the heart of rule I1.
//!
//! | way | needs | where it is missing |
//! |---|---|---|
//! | anonymous file, then link | `O_TMPFILE`, `/proc` | NFS, FUSE, older overlayfs, macOS |
//! | temporary name, then link | hard links | FAT, exFAT, some SMB and FUSE |
//! | temporary name, then rename without replacing | `renameat2` | some FUSE, older kernels |
//! | straight under the final name | nothing | |
//!
//! The first three show a whole object or none. With the last a reader may see part of an object, and a crash leaves
//! it: such a store serves one writer at a time and says so.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU8, Ordering},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, linkat, openat, unlinkat},
    io::{Errno, Result, retry_on_intr, write},
};

use super::{owner::Owner, platform};

/// Objects are never changed, so not even their owner may by mistake.
const OBJECT_MODE: Mode = Mode::RUSR;

/// How a name comes to its bytes. The numbers are in the order of trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Way {
    AnonymousThenLink = 0,
    TemporaryThenLink = 1,
    TemporaryThenRename = 2,
    FinalName = 3,
}

/// What came of one way.
enum Attempt {
    /// It worked, or failed for a reason that another way would not change.
    Done(Result<()>),
    /// This file system does not know this way.
    Unsupported,
}

/// Publishes objects and remembers what the file system can do, which does not change while it is mounted.
#[derive(Debug)]
pub(super) struct Publisher {
    way: AtomicU8,
}

impl Default for Publisher {
    fn default() -> Self {
        Self::beginning_with(Way::AnonymousThenLink)
    }
}

impl Publisher {
    pub(super) fn beginning_with(way: Way) -> Self {
        Self { way: AtomicU8::new(way as u8) }
    }

    /// Tells whether objects are written under their final names, for want of anything better.
    pub(super) fn shows_partial_objects(&self) -> bool {
        self.way() == Way::FinalName
    }

    /// Creates `name` in `folder` with these bytes, durable but for the folder itself, which the caller syncs.
    /// `EXIST` when the name is taken.
    ///
    /// A failed `fsync` is final for the file it failed on: Linux may have dropped the pages and would report success the
    /// next time. Every attempt writes a new file.
    pub(super) fn publish(&self, folder: BorrowedFd<'_>, name: &str, bytes: &[u8], owner: Owner) -> Result<()> {
        loop {
            let way = self.way();
            let (attempt, next) = match way {
                Way::AnonymousThenLink => (through_anonymous(folder, name, bytes, owner), Way::TemporaryThenLink),
                Way::TemporaryThenLink => {
                    (through_temporary(folder, name, bytes, owner, link, is_link_unsupported), Way::TemporaryThenRename)
                }
                Way::TemporaryThenRename => {
                    let rename = platform::rename_without_replacing;
                    (through_temporary(folder, name, bytes, owner, rename, is_rename_unsupported), Way::FinalName)
                }
                Way::FinalName => return under_final_name(folder, name, bytes, owner),
            };
            match attempt {
                Attempt::Done(result) => return result,
                Attempt::Unsupported => self.way.fetch_max(next as u8, Ordering::Relaxed),
            };
        }
    }

    fn way(&self) -> Way {
        match self.way.load(Ordering::Relaxed) {
            0 => Way::AnonymousThenLink,
            1 => Way::TemporaryThenLink,
            2 => Way::TemporaryThenRename,
            _ => Way::FinalName,
        }
    }
}

fn through_anonymous(folder: BorrowedFd<'_>, name: &str, bytes: &[u8], owner: Owner) -> Attempt {
    let file = match platform::open_anonymous(folder, OBJECT_MODE) {
        Ok(Some(file)) => file,
        Ok(None) => return Attempt::Unsupported,
        Err(errno) => return Attempt::Done(Err(errno)),
    };
    owner.give(&file);
    if let Err(errno) = write_durably(&file, bytes) {
        return Attempt::Done(Err(errno));
    }
    match platform::link_anonymous(file.as_fd(), folder, name) {
        // Also when there is no `/proc` to name the file by.
        Err(errno) if errno == Errno::NOENT || is_link_unsupported(errno) => Attempt::Unsupported,
        linked => Attempt::Done(linked),
    }
}

/// The temporary name may go in any case: the object has a name of its own by then, or none.
fn through_temporary(
    folder: BorrowedFd<'_>,
    name: &str,
    bytes: &[u8],
    owner: Owner,
    give_name: fn(BorrowedFd<'_>, &str, &str) -> Result<()>,
    is_unsupported: fn(Errno) -> bool,
) -> Attempt {
    let temporary = match random_name() {
        Ok(temporary) => temporary,
        Err(errno) => return Attempt::Done(Err(errno)),
    };
    let file = match create(folder, &temporary) {
        Ok(file) => file,
        Err(errno) => return Attempt::Done(Err(errno)),
    };
    owner.give(&file);
    let named = write_durably(&file, bytes).map(|()| give_name(folder, &temporary, name));
    // What can not be removed stays as a leftover, which no listing shows.
    let _ = unlinkat(folder, &temporary, AtFlags::empty());
    match named {
        Ok(Err(errno)) if is_unsupported(errno) => Attempt::Unsupported,
        Ok(named) => Attempt::Done(named),
        Err(errno) => Attempt::Done(Err(errno)),
    }
}

fn under_final_name(folder: BorrowedFd<'_>, name: &str, bytes: &[u8], owner: Owner) -> Result<()> {
    let file = create(folder, name)?;
    owner.give(&file);
    let written = write_durably(&file, bytes);
    if written.is_err() {
        // The name was created here, exclusively, so this removes nobody else's object.
        let _ = unlinkat(folder, name, AtFlags::empty());
    }
    written
}

/// Shorter objects are not worth two more calls.
const PAST_CACHE_FROM: usize = 1 << 20;
/// What a disk asks of addresses and lengths that it takes without a copy; none asks for more.
const PAST_CACHE_STEP: usize = 4096;

/// Writes everything and syncs it. The one place where bytes of objects reach a disk.
///
/// Large objects go past the page cache where the file system can do that: the system makes no copy, and what other
/// programs have in the cache stays there.
fn write_durably(file: &OwnedFd, bytes: &[u8]) -> Result<()> {
    let is_aligned = (bytes.as_ptr().addr() | bytes.len()).is_multiple_of(PAST_CACHE_STEP);
    let mut goes_past_cache =
        is_aligned && bytes.len() >= PAST_CACHE_FROM && platform::write_past_cache(file.as_fd(), true);
    let mut rest = bytes;
    while !rest.is_empty() {
        match retry_on_intr(|| write(file, rest)) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            // It was taken for a wish that it can not fulfil, or only part of it was written.
            Err(Errno::INVAL) if goes_past_cache && platform::write_past_cache(file.as_fd(), false) => {
                goes_past_cache = false;
            }
            Err(errno) => return Err(errno),
        }
    }
    platform::sync_file(file.as_fd())
}

fn create(folder: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    retry_on_intr(|| openat(folder, name, flags, OBJECT_MODE))
}

fn link(folder: BorrowedFd<'_>, from: &str, to: &str) -> Result<()> {
    linkat(folder, from, folder, to, AtFlags::empty())
}

fn is_link_unsupported(errno: Errno) -> bool {
    // `PERM` is what Linux says on file systems without hard links.
    is_unknown_operation(errno) || matches!(errno, Errno::PERM | Errno::MLINK)
}

fn is_rename_unsupported(errno: Errno) -> bool {
    is_unknown_operation(errno) || errno == Errno::INVAL
}

fn is_unknown_operation(errno: Errno) -> bool {
    // The last two are one number on Linux and two on macOS.
    errno == Errno::NOSYS || errno == Errno::OPNOTSUPP || errno == Errno::NOTSUP
}

/// The dot keeps it out of the grammar of names.
fn random_name() -> Result<String> {
    let number = getrandom::u64().map_err(|_| Errno::IO)?;
    Ok(format!(".tmp-{number:016x}"))
}
