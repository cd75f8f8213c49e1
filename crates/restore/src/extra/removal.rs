//! Goes down into what is to be deleted, and up again, with one directory open at a time.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use lbak_core::{
    browse::join,
    observe::{Action, FindingKind},
    patterns::Choice,
};
use rustix::{
    fs::{AtFlags, FileType},
    io::Errno,
};

use super::Extra;
use crate::{
    existing, named,
    system::{self, Identity},
    target::Target,
    temporary, untouched,
};

/// Up again: to the same directory that this one was found in, or not at all.
fn up_to(fd: &OwnedFd, above: Identity) -> rustix::io::Result<OwnedFd> {
    let up = system::open_directory(fd.as_fd(), b"..", false)?;
    if system::identity(&rustix::fs::fstat(&up)?) == above { Ok(up) } else { Err(Errno::STALE) }
}

pub(super) struct Removal<'a> {
    pub(super) target: &'a Target,
    pub(super) extra: &'a Extra,
    /// Of what is looked at.
    pub(super) path: Vec<u8>,
    /// Nothing is removed: it is only to be known whether everything may go.
    pub(super) is_looking: bool,
}

/// A directory on the way down: which it is, its names that are still to come, and what is known about it.
pub(super) struct Level {
    identity: Identity,
    names: Vec<Vec<u8>>,
    /// Its own name in the one above.
    name: Vec<u8>,
    path_length: usize,
    is_wanted: bool,
    /// It goes with all that is in it.
    is_going: bool,
    /// Something in it stays.
    is_kept: bool,
    /// The mode that it had, when another was needed to go into it.
    first_mode: Option<u32>,
}

impl Level {
    pub(super) fn new(identity: Identity, names: Vec<Vec<u8>>, path_length: usize, is_wanted: bool) -> Self {
        let name = Vec::new();
        Self { identity, names, name, path_length, is_wanted, is_going: false, is_kept: false, first_mode: None }
    }

    /// Gives a directory that stays the mode that it had.
    fn set_mode_back(&self, fd: &OwnedFd) {
        if let Some(permissions) = self.first_mode {
            // It was allowed once; if not again, there is nothing else to be done.
            let _ = rustix::fs::fchmod(fd, system::mode(permissions));
        }
    }
}

/// What came of going into a directory.
pub(super) enum Entered {
    Below(OwnedFd, Level),
    /// Another file system is mounted there, or it is a repository.
    Spared,
    /// Its owner would have to change its mode first, which a dry run does not do.
    Closed,
}

/// What came of one name.
enum Step {
    Gone,
    Kept,
    /// It is a directory, whose names come first.
    Into(OwnedFd, Level),
}

impl Removal<'_> {
    /// Removes the names of a level and all that is below them. Trees may be deeper than a process may have files open: only
    /// one directory is open at a time. Tells whether nothing stays.
    pub(super) fn run(&mut self, mut fd: OwnedFd, level: Level) -> rustix::io::Result<bool> {
        let mut levels = vec![level];
        while let Some(level) = levels.last_mut() {
            self.path.truncate(level.path_length);
            if self.target.cancellation.is_cancelled() {
                level.names.clear();
                level.is_kept = true;
            }
            let Some(name) = level.names.pop() else {
                let Some(done) = levels.pop() else { return Ok(true) };
                let Some(above) = levels.last_mut() else {
                    if done.is_kept || self.is_looking {
                        done.set_mode_back(&fd);
                    }
                    return Ok(!done.is_kept);
                };
                let up = up_to(&fd, above.identity).inspect_err(|_| done.set_mode_back(&fd))?;
                let is_removed = done.is_wanted && !done.is_kept && self.is_gone(self.unlink(&up, &done.name, true));
                if !is_removed || self.is_looking {
                    done.set_mode_back(&fd);
                }
                fd = up;
                above.is_kept |= !is_removed;
                continue;
            };
            join(&mut self.path, &name);
            match self.step(&fd, &name, level) {
                Ok(Step::Gone) => {}
                Ok(Step::Kept) => level.is_kept = true,
                Ok(Step::Into(below, entered)) => {
                    fd = below;
                    levels.push(entered);
                }
                Err(Errno::ACCESS) if self.is_looking && self.target.dry_run => {}
                Err(errno) => {
                    level.is_kept = true;
                    self.note(errno);
                }
            }
        }
        Ok(true)
    }

    fn step(&self, fd: &OwnedFd, name: &[u8], level: &Level) -> rustix::io::Result<Step> {
        let stat = match system::look(fd.as_fd(), name) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Step::Gone),
            Err(errno) => return Err(errno),
        };
        let is_directory = system::kind(&stat) == FileType::Directory;
        match self.choose(name, level.is_wanted, is_directory) {
            Choice::Excluded => Ok(Step::Kept),
            choice if is_directory => {
                let is_wanted = choice == Choice::Wanted;
                match self.enter(fd.as_fd(), name, level.identity, is_wanted)? {
                    Entered::Below(fd, level) => Ok(Step::Into(fd, level)),
                    Entered::Closed if is_wanted => self.unlink(fd, name, true).map(|()| Step::Gone),
                    Entered::Closed | Entered::Spared => Ok(Step::Kept),
                }
            }
            Choice::OnTheWay => Ok(Step::Kept),
            Choice::Wanted if self.target.is_untouched(system::identity(&stat)) => {
                self.target.findings.note(FindingKind::Skipped, self.path.clone(), untouched::OF_KEY);
                Ok(Step::Kept)
            }
            // No snapshot has one, whoever listens on it; only with its directory it goes.
            Choice::Wanted if system::kind(&stat) == FileType::Socket && !level.is_going => Ok(Step::Kept),
            Choice::Wanted => {
                self.target.is_linked(&stat);
                self.unlink(fd, name, false).map(|()| Step::Gone)
            }
        }
    }

    /// Enters a directory whose path is the one that is looked at.
    pub(super) fn enter(
        &self,
        at: BorrowedFd<'_>,
        name: &[u8],
        above: Identity,
        is_wanted: bool,
    ) -> rustix::io::Result<Entered> {
        // What is mounted there is not even touched.
        let stat = system::look(at, name)?;
        let identity = system::identity(&stat);
        if identity.0 != above.0 || system::is_mount_point_at(at, name) == Some(true) {
            let message = "another file system is mounted here: it is not deleted";
            self.target.findings.note(FindingKind::Unwritable, self.path.clone(), message);
            return Ok(Entered::Spared);
        }
        if self.target.is_untouched(identity) {
            self.target.findings.note(FindingKind::Skipped, self.path.clone(), untouched::OF_REPOSITORY);
            return Ok(Entered::Spared);
        }
        let permissions = system::permissions(&stat);
        let mut level = Level::new(identity, Vec::new(), self.path.len(), is_wanted);
        (level.name, level.is_going) = (name.to_vec(), is_wanted);
        let fd = match system::open_directory(at, name, false) {
            // Its owner may do what its mode forbids him.
            Err(Errno::ACCESS) if !self.target.dry_run => {
                let set_mode = |permissions| named::set_mode(at, name, identity, permissions);
                set_mode(permissions | 0o700)?;
                level.first_mode = Some(permissions);
                system::open_directory(at, name, false).inspect_err(|_| {
                    let _ = set_mode(permissions);
                })?
            }
            Err(Errno::ACCESS) if system::is_mine(&stat) => {
                if !self.is_looking {
                    let message = "its mode keeps a dry run from looking into it";
                    self.target.findings.note(FindingKind::Skipped, self.path.clone(), message);
                }
                return Ok(Entered::Closed);
            }
            opened => opened?,
        };
        if system::identity(&rustix::fs::fstat(&fd)?) != identity {
            return Err(Errno::STALE);
        }
        let needed = if self.is_looking { 0o500 } else { 0o700 };
        if level.first_mode.is_none() && permissions & needed != needed && !self.target.dry_run {
            // When it is not allowed, what is deleted in it tells.
            let changed = rustix::fs::fchmod(&fd, system::mode(permissions | 0o700));
            level.first_mode = changed.is_ok().then_some(permissions);
        }
        level.names = existing::names(&fd).inspect_err(|_| level.set_mode_back(&fd))?;
        Ok(Entered::Below(fd, level))
    }

    pub(super) fn choose(&self, name: &[u8], is_wanted: bool, is_directory: bool) -> Choice {
        // The next restore goes on with it.
        if temporary::is_temporary(name) && !temporary::is_new_name(name) {
            return Choice::Excluded;
        }
        let patterns = &self.target.patterns;
        if patterns.is_empty() {
            return Choice::Wanted;
        }
        let below = self.path.get(self.extra.root_length..).unwrap_or_default();
        let below = below.strip_prefix(b"/").unwrap_or(below);
        let matched = patterns.matched(&self.path, below, is_directory);
        // What is only looked through is met again, or stays with what it is in.
        let choice = if self.is_looking { patterns.choice(&matched) } else { self.target.choose(&matched) };
        match choice {
            Choice::OnTheWay if is_wanted => Choice::Wanted,
            choice => choice,
        }
    }

    fn unlink(&self, fd: &OwnedFd, name: &[u8], is_directory: bool) -> rustix::io::Result<()> {
        // What a file is mounted on can not be deleted: better known before anything is.
        let is_tried = !self.is_looking && !self.target.dry_run;
        if !is_tried && !is_directory && system::is_mount_point_at(fd.as_fd(), name) == Some(true) {
            return Err(Errno::BUSY);
        }
        if self.is_looking {
            return Ok(());
        }
        if !self.target.dry_run {
            let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            rustix::fs::unlinkat(fd, name, flags)?;
        }
        // A file that a restore has begun and not finished is nobody's loss.
        if !temporary::is_new_name(name) {
            self.target.act(Action::Deleted, 0, &|| self.path.clone());
        }
        Ok(())
    }

    fn is_gone(&self, outcome: rustix::io::Result<()>) -> bool {
        outcome.inspect_err(|errno| self.note(*errno)).is_ok()
    }

    pub(super) fn note(&self, errno: Errno) {
        self.target.findings.note(FindingKind::Unwritable, self.path.clone(), format!("cannot delete it: {errno}"));
    }
}
