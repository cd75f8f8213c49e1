//! Makes or enters a directory of a directory.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64},
    },
};

use lbak_core::{
    error::Result,
    observe::{Action, FindingKind},
    tree::Entry,
};
use rustix::{
    fs::{AtFlags, FileType, Stat},
    io::Errno,
};

use super::{Directory, Existing};
use crate::{
    metadata, named,
    options::{Overwrite, Place},
    system::{self, Identity},
    target::{Target, add},
    times, untouched,
};

/// A directory that a name now leads to.
struct Opened {
    /// `None` in a dry run that would make it.
    fd: Option<OwnedFd>,
    identity: Identity,
    /// As it was found; `None` for one that was made.
    found: Option<Stat>,
    /// Something else had its name.
    has_replaced: bool,
}

impl Opened {
    fn action(&self, target: &Target, entry: &Entry) -> Action {
        match &self.found {
            None if self.has_replaced => Action::Updated,
            None => Action::Created,
            Some(stat) => action_on(target, self.fd.as_ref(), stat, entry),
        }
    }
}

/// What is done with a directory that is there, whatever becomes of the names in it.
fn action_on(target: &Target, fd: Option<&OwnedFd>, stat: &Stat, entry: &Entry) -> Action {
    // Into what could not be opened nobody has looked; then it is not as its entry says.
    let is_same = || fd.is_some_and(|fd| metadata::is_directory_same(target, fd.as_fd(), stat, entry));
    if gets_metadata(target, Some(stat), entry) && !is_same() { Action::Updated } else { Action::Kept }
}

/// Tells whether a directory gets the metadata of its entry.
pub(crate) fn gets_metadata(target: &Target, found: Option<&Stat>, entry: &Entry) -> bool {
    match (found, target.overwrite()) {
        (None, _) => true,
        // What is put back where it was is to be what it was; the names in it are another matter.
        (Some(_), None) => target.place == Place::Original,
        (Some(_), Some(Overwrite::Never)) => false,
        (Some(stat), Some(Overwrite::IfNewer)) => times::is_older(target, stat, entry.mtime),
        (Some(_), Some(Overwrite::Always | Overwrite::IfChanged)) => true,
    }
}

/// Lets its owner write in a directory that forbids it, and that gets its own mode again at the end.
pub(crate) fn open_up(target: &Target, found: &Stat, fd: &OwnedFd) {
    let is_changed = !matches!(target.overwrite(), Some(Overwrite::Never | Overwrite::IfNewer));
    let permissions = system::permissions(found);
    if is_changed && permissions & 0o700 != 0o700 {
        // When it is not allowed, what is written in it tells.
        let _ = rustix::fs::fchmod(fd, system::mode(permissions | 0o700));
    }
}

impl Directory {
    /// Makes a directory in this one, which then waits for it. `None` after a finding.
    pub(crate) fn child(
        self: &Arc<Self>,
        target: &Target,
        name: &[u8],
        entry: Option<Entry>,
        existing: Existing,
    ) -> Result<Option<Arc<Self>>> {
        let opened = match self.open_child(target, name, entry.is_some(), existing) {
            Ok(opened) => opened,
            Err(errno) => {
                let action = if target.is_reading_back { "open" } else { "create" };
                self.note_unwritable(target, action, name, errno)?;
                return Ok(None);
            }
        };
        if target.is_untouched(opened.identity) {
            return Ok(self.leave_untouched(target, name));
        }
        self.hold();
        let gets_metadata = entry.as_ref().is_some_and(|entry| gets_metadata(target, opened.found.as_ref(), entry));
        if let Some(entry) = &entry {
            add(&target.restored.directories, 1);
            if !target.is_reading_back {
                target.act(opened.action(target, entry), 0, &|| self.path_of(name));
            }
        }
        let is_restored = entry.is_some();
        let child = Self {
            parent: Some(Arc::clone(self)),
            name: name.to_vec(),
            handle: Arc::default(),
            top: None,
            identity: opened.identity,
            entry: entry.filter(|_| gets_metadata && !target.dry_run),
            is_restored,
            was_there: opened.found.is_some(),
            is_imagined: opened.fd.is_none(),
            present: OnceLock::new(),
            inherited: OnceLock::new(),
            extra: Mutex::default(),
            is_partial: AtomicBool::new(false),
            pending: AtomicU64::new(1),
        };
        if let Some(fd) = opened.fd {
            if !target.dry_run {
                target.will_write_to(opened.identity.0, &fd);
                if let Some(stat) = opened.found.as_ref().filter(|_| child.entry.is_some()) {
                    open_up(target, stat, &fd);
                }
            }
            target.handles.keep(&child.handle, fd);
        }
        Ok(Some(Arc::new(child)))
    }

    /// Nothing is restored into a repository; a restore that reads back has said so before.
    fn leave_untouched(&self, target: &Target, name: &[u8]) -> Option<Arc<Self>> {
        if !target.is_reading_back {
            self.miss();
            target.findings.note(FindingKind::Unwritable, self.path_of(name), untouched::NOTHING_RESTORED);
        }
        None
    }

    fn open_child(
        &self,
        target: &Target,
        name: &[u8],
        is_restored: bool,
        existing: Existing,
    ) -> rustix::io::Result<Opened> {
        let imagined = Opened { fd: None, identity: Identity::default(), found: None, has_replaced: false };
        if self.is_imagined {
            return Ok(imagined);
        }
        let at = self.fd(target)?;
        let follow = existing == Existing::Follow;
        let found = if target.looks() && is_restored {
            self.existing(target, name)?
        } else if target.dry_run || existing != Existing::Refuse {
            let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
            rustix::fs::statat(&*at, name, flags).ok()
        } else {
            None
        };
        let is_directory = found.as_ref().is_some_and(|stat| system::kind(stat) == FileType::Directory);
        if let Some(stat) = found.filter(|_| is_directory && existing != Existing::Refuse) {
            let fd = match self.open_found(target, name, follow, &stat, is_restored) {
                Err(Errno::ACCESS) if target.dry_run && self.may_open_up(target) && system::is_mine(&stat) => {
                    let message =
                        "its mode keeps a dry run from looking into it: what is in it is shown as if it were missing";
                    target.findings.note(FindingKind::Skipped, self.path_of(name), message);
                    return Ok(Opened { found: Some(stat), ..imagined });
                }
                opened => opened?,
            };
            let identity = system::identity(&rustix::fs::fstat(&fd)?);
            return Ok(Opened { fd: Some(fd), identity, found: Some(stat), has_replaced: false });
        }
        if target.is_reading_back {
            return Err(if found.is_some() { Errno::NOTDIR } else { Errno::NOENT });
        }
        let mut has_replaced = false;
        if let Some(stat) = &found {
            target.is_linked(stat);
            if target.is_untouched(system::identity(stat)) {
                target.findings.note(FindingKind::Skipped, self.path_of(name), untouched::OF_KEY);
                return Err(Errno::EXIST);
            }
            match target.overwrite().filter(|_| is_restored) {
                // With `IfNewer` a directory has no time that would tell which is newer.
                Some(Overwrite::Always | Overwrite::IfChanged) => has_replaced = true,
                _ => return Err(Errno::EXIST),
            }
        }
        if target.dry_run {
            return Ok(Opened { has_replaced, ..imagined });
        }
        if has_replaced {
            rustix::fs::unlinkat(&*at, name, AtFlags::empty())?;
        }
        // What gets its own mode at the end is nobody else's until then; what is only on the way is as `mkdir` makes it.
        let mode = if is_restored { 0o700 } else { 0o777 };
        rustix::fs::mkdirat(&*at, name, system::mode(mode))?;
        let fd = system::open_directory(at.as_fd(), name, false)?;
        let identity = system::identity(&rustix::fs::fstat(&fd)?);
        Ok(Opened { fd: Some(fd), identity, found: None, has_replaced })
    }

    /// Opens a directory that is there; its owner may always do so.
    fn open_found(
        &self,
        target: &Target,
        name: &[u8],
        follow: bool,
        stat: &Stat,
        is_restored: bool,
    ) -> rustix::io::Result<OwnedFd> {
        let at = self.fd(target)?;
        match system::open_directory(at.as_fd(), name, follow) {
            Err(Errno::ACCESS) if is_restored && !target.dry_run && self.may_open_up(target) => {
                named::set_mode(at.as_fd(), name, system::identity(stat), system::permissions(stat) | 0o700)?;
                system::open_directory(at.as_fd(), name, follow)
            }
            opened => opened,
        }
    }

    fn may_open_up(&self, target: &Target) -> bool {
        matches!(target.overwrite(), Some(Overwrite::Always | Overwrite::IfChanged))
    }
}
