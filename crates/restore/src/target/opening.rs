//! Opening the place that is restored to, and leaving it: nobody else restores there meanwhile, and one that was
//! not completed is known by a sign.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{Arc, PoisonError},
};

use lbak_core::{
    error::{Error, Result},
    observe::Action,
    tree::Entry,
};
use rustix::{
    fs::{AtFlags, CWD, FlockOperation, Mode, OFlags},
    io::Errno,
};

use super::Target;
use crate::{
    directory::{self, Directory, Top},
    metadata,
    options::Place,
    system, temporary,
};

impl Target {
    /// Opens the directory that everything goes into; makes it when it is missing.
    ///
    /// `shown` is the path that findings give it. With `entry` it gets that metadata at the end: always when it was missing or
    /// empty, like any other directory otherwise. Tells what that does with it.
    pub(crate) fn open(&self, shown: Vec<u8>, mut entry: Option<Entry>) -> Result<(Arc<Directory>, Action)> {
        self.shown.get_or_init(|| shown.clone());
        let failed = |action| move |errno: Errno| self.error(action, &[], errno);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut action = Action::Kept;
        let opened = match rustix::fs::openat(CWD, &self.path, flags, Mode::empty()) {
            Err(Errno::NOENT) if self.dry_run => {
                // It would be made, if there is where.
                let above = match self.path.parent() {
                    Some(above) if !above.as_os_str().is_empty() => above,
                    _ => Path::new("."),
                };
                rustix::fs::openat(CWD, above, flags, Mode::empty()).map_err(failed("create"))?;
                return Ok((Directory::top(Top { shown, ..Top::default() }), Action::Created));
            }
            Err(Errno::NOENT) => {
                // Private until it gets the mode of the directory that it stands for.
                let mode = if entry.is_some() { 0o700 } else { 0o777 };
                rustix::fs::mkdirat(CWD, &self.path, system::mode(mode)).map_err(failed("create"))?;
                action = Action::Created;
                rustix::fs::openat(CWD, &self.path, flags, Mode::empty())
            }
            opened => opened,
        };
        let fd = opened.map_err(failed("open"))?;
        let stat = rustix::fs::fstat(&fd).map_err(failed("open"))?;
        let mut was_there = true;
        if !self.is_reading_back {
            let is_contents = self.place == Place::Contents;
            let held = if is_contents { holds(&fd).map_err(failed("list"))? } else { Held::Something };
            if is_contents && held != Held::Nothing && self.in_place.is_none() {
                return Err(Error::TargetNotEmpty { path: self.path.clone() });
            }
            was_there = held != Held::Nothing;
            if let Some(wanted) = entry.as_ref().filter(|_| action != Action::Created) {
                let is_own = held != Held::Something;
                let is_same = || metadata::is_directory_same(self, fd.as_fd(), &stat, wanted);
                if !is_own && !directory::gets_metadata(self, Some(&stat), wanted) {
                    entry = None;
                } else if !is_same() {
                    action = Action::Updated;
                }
            }
            if entry.is_some() && !self.dry_run {
                directory::open_up(self, &stat, &fd);
            }
            if is_contents && !self.dry_run {
                self.begin_in(&fd, held)?;
            }
        }
        let identity = system::identity(&stat);
        self.will_write_to(identity.0, &fd);
        Ok((Directory::top(Top { open: Some((fd, identity)), shown, entry, was_there }), action))
    }

    /// Makes sure that no other restore writes there, and leaves a sign of this one until it is complete.
    fn begin_in(&self, fd: &OwnedFd, held: Held) -> Result<()> {
        // Some file systems have no locks; there nobody is kept away.
        if rustix::fs::flock(fd, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            let what = format!("another restore is writing to {}: wait for its end", self.path.display());
            return Err(Error::Invalid { what });
        }
        *self.locked.lock().unwrap_or_else(PoisonError::into_inner) = fd.try_clone().ok();
        if held == Held::Something {
            return Ok(());
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(fd, temporary::UNFINISHED, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| self.error("write to", &[], errno))?;
        *self.unfinished.lock().unwrap_or_else(PoisonError::into_inner) = fd.try_clone().ok();
        Ok(())
    }

    /// Takes the sign away that this restore is not complete.
    pub(crate) fn end(&self) {
        let unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(fd) = unfinished {
            // Left behind it only makes the next restore set the metadata of the target.
            let _ = rustix::fs::unlinkat(fd, temporary::UNFINISHED, AtFlags::empty());
        }
    }
}

impl Drop for Target {
    /// Unlocks it. That the descriptors are closed is not enough: a process that is just being started may have copies.
    fn drop(&mut self) {
        let locked = self.locked.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(fd) = locked {
            let _ = rustix::fs::flock(fd, FlockOperation::Unlock);
        }
    }
}

/// What a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    /// What a restore into an empty directory has left that did not come to its end.
    Unfinished,
    Something,
}

fn holds(fd: &OwnedFd) -> rustix::io::Result<Held> {
    let mut others = 0;
    let mut is_unfinished = false;
    for entry in rustix::fs::Dir::read_from(fd)? {
        match entry?.file_name().to_bytes() {
            b"." | b".." => {}
            temporary::UNFINISHED => is_unfinished = true,
            _ => others += 1,
        }
    }
    Ok(match (is_unfinished, others) {
        (_, 0) => Held::Nothing,
        (true, _) => Held::Unfinished,
        (false, _) => Held::Something,
    })
}
