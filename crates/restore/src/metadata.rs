//! Owner, attributes, mode and times of what was restored: each in its turn, for each undoes some of those before it.
//!
//! Changing the owner takes set-uid bits and capabilities away, a mode without `w` forbids attributes, and everything
//! moves the time. What can not be set is a finding; the file stays.

use std::{
    os::fd::BorrowedFd,
    sync::atomic::{AtomicU64, Ordering},
};

use lbak_core::{
    error::escape,
    metadata::Timestamp,
    observe::FindingKind,
    tree::{Attributes, Entry, Node},
};
use rustix::{
    fs::{AtFlags, Gid, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags},
    io::Result,
};

use crate::{system, target::Target};

/// The set-uid and set-gid bits.
const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;

/// Whose files this process can make.
pub(crate) struct Owners {
    uid: u32,
    /// Entries that belong to somebody else.
    foreign: AtomicU64,
}

impl Owners {
    pub(crate) fn of_process() -> Self {
        Self { uid: rustix::process::geteuid().as_raw(), foreign: AtomicU64::new(0) }
    }

    /// Sets the owner as far as that is allowed, and returns the mode bits that may not be set without it.
    ///
    /// Only root gives files away; that others do not get theirs is told once, in the end. A set-uid program that belonged to
    /// somebody else would run with the rights of whoever restored it.
    fn give(
        &self,
        entry: &Entry,
        unset: &mut Vec<String>,
        change: impl Fn(Option<Uid>, Option<Gid>) -> Result<()>,
    ) -> u32 {
        if entry.uid == u32::MAX || entry.gid == u32::MAX {
            unset.push("its owner has no valid number".into());
            return SET_USER | SET_GROUP;
        }
        let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
        if self.uid == 0 {
            return match change(Some(uid), Some(gid)) {
                Ok(()) => 0,
                Err(errno) => {
                    unset.push(format!("owner {}:{}: {errno}", entry.uid, entry.gid));
                    SET_USER | SET_GROUP
                }
            };
        }
        let mut withheld = 0;
        if entry.uid != self.uid {
            withheld |= SET_USER;
        }
        // His own group too: in a set-gid directory a new file has got that directory's.
        if change(None, Some(gid)).is_err() {
            withheld |= SET_GROUP;
        }
        if withheld != 0 {
            self.foreign.fetch_add(1, Ordering::Relaxed);
        }
        withheld
    }

    /// What is to be said in the end.
    pub(crate) fn summary(&self) -> Option<String> {
        let foreign = self.foreign.load(Ordering::Relaxed);
        (foreign > 0).then(|| format!("owner or group of {foreign} entries not set: only root can give files away"))
    }
}

/// Sets all of it on an open file or directory.
pub(crate) fn set_on_open(target: &Target, fd: BorrowedFd<'_>, entry: &Entry, path: &dyn Fn() -> Vec<u8>) {
    let mut unset = Vec::new();
    let withheld = target.owners.give(entry, &mut unset, |uid, gid| rustix::fs::fchown(fd, uid, gid));
    set_attributes(entry, &mut unset, |name, value| rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()));
    let is_there = |name: &str| rustix::fs::fgetxattr(fd, name, &mut [0; 0]).is_ok();
    drop_inherited(entry, &mut unset, is_there, |name| rustix::fs::fremovexattr(fd, name));
    set_mode(entry, withheld, &mut unset, |mode| rustix::fs::fchmod(fd, system::mode(mode)));
    note("time", rustix::fs::futimens(fd, &timestamps(entry.mtime)), &mut unset);
    check_time(entry, &mut unset, || rustix::fs::fstat(fd));
    tell(target, unset, path);
}

/// Sets all of it on what is never opened: symbolic links, FIFOs, devices.
pub(crate) fn set_on_name(target: &Target, at: BorrowedFd<'_>, name: &[u8], entry: &Entry, path: &dyn Fn() -> Vec<u8>) {
    let mut unset = Vec::new();
    let no_follow = AtFlags::SYMLINK_NOFOLLOW;
    let withheld = target.owners.give(entry, &mut unset, |uid, gid| rustix::fs::chownat(at, name, uid, gid, no_follow));
    set_attributes(entry, &mut unset, |attribute, value| match system::path_to(at, name) {
        Some(path) => rustix::fs::lsetxattr(path, attribute, value, XattrFlags::empty()),
        None => Err(rustix::io::Errno::NOSYS),
    });
    if !matches!(entry.node, Node::Symlink { .. }) {
        if let Some(path) = system::path_to(at, name) {
            let is_there = |name: &str| rustix::fs::lgetxattr(&*path, name, &mut [0; 0]).is_ok();
            drop_inherited(entry, &mut unset, is_there, |name| rustix::fs::lremovexattr(&*path, name));
        }
        set_mode(entry, withheld, &mut unset, |mode| system::set_mode_of_node(at, name, mode));
    }
    note("time", rustix::fs::utimensat(at, name, &timestamps(entry.mtime), no_follow), &mut unset);
    check_time(entry, &mut unset, || system::look(at, name));
    tell(target, unset, path);
}

fn set_attributes(entry: &Entry, unset: &mut Vec<String>, set: impl Fn(&[u8], &[u8]) -> Result<()>) {
    // Those that were stored apart have been read by now.
    let Attributes::Inline(pairs) = &entry.attributes else { return };
    for (name, value) in pairs {
        if let Err(errno) = set(name, value) {
            unset.push(format!("attribute {}: {errno}", escape(name)));
        }
    }
}

/// Takes access lists away that came from a directory's default list, and that the entry did not have.
fn drop_inherited(
    entry: &Entry,
    unset: &mut Vec<String>,
    is_there: impl Fn(&str) -> bool,
    remove: impl Fn(&str) -> Result<()>,
) {
    let own = match &entry.attributes {
        Attributes::Inline(pairs) => pairs.as_slice(),
        Attributes::None | Attributes::Stored(_) => &[],
    };
    for name in ["system.posix_acl_access", "system.posix_acl_default"] {
        let is_own = own.iter().any(|(own, _)| own == name.as_bytes());
        let can_be = name.ends_with("access") || matches!(entry.node, Node::Directory { .. });
        if !is_own && can_be && is_there(name) {
            note(&format!("inherited {name}"), remove(name), unset);
        }
    }
}

/// File systems bring times that they can not keep to the nearest one they can, without a word.
fn check_time(entry: &Entry, unset: &mut Vec<String>, look: impl Fn() -> Result<Stat>) {
    let wanted = entry.mtime.seconds;
    // Every file system keeps those from 1970 to 2038.
    if (0..=i64::from(i32::MAX)).contains(&wanted) {
        return;
    }
    if let Ok(found) = look().map(|stat| stat.st_mtime)
        && found != wanted
    {
        unset.push(format!("time: this file system has made {found} of {wanted} seconds since 1970"));
    }
}

fn set_mode(entry: &Entry, withheld: u32, unset: &mut Vec<String>, set: impl Fn(u32) -> Result<()>) {
    // On a directory the bit only says whose group new files get.
    let withheld = if matches!(entry.node, Node::Directory { .. }) { 0 } else { entry.mode & withheld };
    if withheld != 0 {
        unset.push(format!("mode bits {withheld:04o}: its owner could not be set"));
    }
    note("mode", set(entry.mode & 0o7777 & !withheld), unset);
}

fn note(what: &str, outcome: Result<()>, unset: &mut Vec<String>) {
    if let Err(errno) = outcome {
        unset.push(format!("{what}: {errno}"));
    }
}

fn tell(target: &Target, unset: Vec<String>, path: &dyn Fn() -> Vec<u8>) {
    if !unset.is_empty() {
        target.findings.note(FindingKind::MetadataUnset, path(), unset.join("; "));
    }
}

/// The time of access stays what it is: it is not stored.
fn timestamps(modified: Timestamp) -> Timestamps {
    let modified = Timespec { tv_sec: modified.seconds, tv_nsec: modified.nanoseconds.into() };
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: modified }
}
