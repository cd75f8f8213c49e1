//! Deletes what the snapshot does not have.
//!
//! Only in directories that the snapshot knows wholly, when all of it is restored; names that the patterns leave out stay,
//! mount points stay, sockets stay unless their directory goes, links are removed and never followed. Going down and up
//! again every directory is compared with the one that was entered, so that nobody can lead this out of the target by
//! moving one.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use lbak_core::{
    browse::join,
    observe::{Action, FindingKind},
    patterns::Choice,
};
use rustix::{
    fs::{AtFlags, FileType},
    io::Errno,
};

pub(crate) use crate::spared::Spared;
use crate::{
    directory::Directory,
    existing, named,
    system::{self, Identity},
    target::{Target, add},
    temporary,
};

/// What is needed to know which names of a directory the snapshot does not have.
#[derive(Default)]
pub(crate) struct Extra {
    hasher: RandomState,
    /// Numbers of the names that it has; in rare cases one more seems to be among them, and stays.
    names: HashSet<u64>,
    /// Length of the path of its root.
    root_length: usize,
    /// All in it is wanted that is not excluded.
    is_wanted: bool,
    /// Why nothing is deleted in it all the same.
    why_spared: Option<Spared>,
}

impl Extra {
    /// For a directory below a root whose path has this length. With `is_wanted` all in it is meant that is not excluded.
    pub(crate) fn new(root_length: usize, is_wanted: bool) -> Self {
        Self { root_length, is_wanted, ..Self::default() }
    }

    /// The same, in which nothing is deleted after all when there is a reason.
    pub(crate) fn spared(self, why: Option<Spared>) -> Self {
        Self { why_spared: why, ..self }
    }

    /// Why nothing is deleted there, if there is a reason.
    pub(crate) fn why_spared(&self) -> Option<Spared> {
        self.why_spared
    }

    /// Notes a name that the snapshot has.
    pub(crate) fn know(&mut self, name: &[u8]) {
        self.names.insert(self.hasher.hash_one(name));
    }

    fn knows(&self, name: &[u8]) -> bool {
        self.names.contains(&self.hasher.hash_one(name))
    }
}

/// Removes from a directory, in which everything is complete, what the snapshot does not have.
pub(crate) fn remove(target: &Target, directory: &Directory, extra: &Extra) {
    if !directory.was_there() {
        return;
    }
    if lies_in_repository(target, directory) {
        return target.findings.note(FindingKind::Skipped, directory.path(), OF_REPOSITORY);
    }
    let outcome = directory.fd(target).and_then(|fd| {
        if is_mounted(target, directory, &fd)? {
            return Ok(None);
        }
        Ok(Some((existing::names(&*fd)?, fd)))
    });
    let (names, fd) = match outcome {
        Ok(Some(found)) => found,
        Ok(None) => {
            let message = "another file system is mounted here: nothing is deleted in it";
            return target.findings.note(FindingKind::Skipped, directory.path(), message);
        }
        Err(errno) => {
            return target.findings.note(FindingKind::Unwritable, directory.path(), format!("cannot list it: {errno}"));
        }
    };
    let names = names.into_iter().filter(|name| is_extra(directory, extra, name)).collect();
    let mut removal = Removal { target, extra, path: directory.path(), is_looking: false };
    let level = Level::new(directory.identity(), names, removal.path.len(), extra.is_wanted);
    let outcome = fd.try_clone().map_err(|_| Errno::MFILE).and_then(|fd| removal.run(fd, level));
    if let Err(errno) = outcome {
        removal.note(errno);
    }
}

/// Leaves all that is in a directory, and tells why if there is anything that would have gone.
pub(crate) fn spare(target: &Target, directory: &Directory, extra: &Extra, why: Spared) {
    if !directory.was_there() {
        return;
    }
    let Ok(fd) = directory.fd(target) else { return };
    let mut removal = Removal { target, extra, path: directory.path(), is_looking: false };
    let path_length = removal.path.len();
    let mut would_go = |name: &Vec<u8>| {
        removal.path.truncate(path_length);
        join(&mut removal.path, name);
        let Ok(stat) = system::look(fd.as_fd(), name) else { return false };
        let is_directory = system::kind(&stat) == FileType::Directory;
        match removal.choose(name, extra.is_wanted, is_directory) {
            Choice::Excluded => false,
            Choice::OnTheWay => is_directory,
            Choice::Wanted => system::kind(&stat) != FileType::Socket,
        }
    };
    let names = existing::names(&*fd).unwrap_or_default();
    if names.iter().filter(|name| is_extra(directory, extra, name)).any(&mut would_go) {
        target.findings.note(FindingKind::Skipped, directory.path(), why.in_words());
        if why == Spared::LeftOut {
            add(&target.restored.spared_directories, 1);
        }
    }
}

/// Tells whether a name is neither of the snapshot nor of the restore itself.
fn is_extra(directory: &Directory, extra: &Extra, name: &[u8]) -> bool {
    let is_own = directory.parent().is_none() && name == temporary::UNFINISHED;
    !extra.knows(name) && !is_own
}

/// Empties a directory that is in the way of something else.
pub(crate) fn remove_in_the_way(target: &Target, directory: &Directory, name: &[u8]) -> rustix::io::Result<()> {
    look_through(target, directory, name)?;
    match go_through(target, directory, name, false) {
        // Into what is closed a dry run does not look.
        Err(Errno::ACCESS) if target.dry_run => Ok(()),
        outcome => outcome.map(|_| ()),
    }
}

/// Makes sure, before anything is deleted, that nothing has to stay in a directory that is in the way.
pub(crate) fn look_through(target: &Target, directory: &Directory, name: &[u8]) -> rustix::io::Result<()> {
    match go_through(target, directory, name, true) {
        Ok(true) => Ok(()),
        Ok(false) if target.cancellation.is_cancelled() => Err(Errno::CANCELED),
        Ok(false) => Err(Errno::NOTEMPTY),
        Err(Errno::ACCESS) if target.dry_run => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Tells whether all that is in a directory that is in the way is gone, or would be.
fn go_through(target: &Target, directory: &Directory, name: &[u8], is_looking: bool) -> rustix::io::Result<bool> {
    let at: Arc<OwnedFd> = directory.fd(target)?;
    let path = directory.path_of(name);
    let extra = Extra::new(target.root_length_of(&path), true);
    let mut removal = Removal { target, extra: &extra, path, is_looking };
    match removal.enter(at.as_fd(), name, directory.identity(), true)? {
        Entered::Below(fd, level) => removal.run(fd, level),
        Entered::Closed => Ok(true),
        Entered::Spared => Err(Errno::BUSY),
    }
}

const OF_REPOSITORY: &str = "it belongs to the repository: nothing is deleted in it";

fn lies_in_repository(target: &Target, directory: &Directory) -> bool {
    let mut above = Some(directory);
    while let Some(directory) = above {
        if target.is_repository(directory.identity()) {
            return true;
        }
        above = directory.parent().map(|parent| &**parent);
    }
    false
}

/// A directory below the top that lies on another file system than the one that holds it.
fn is_mounted(target: &Target, directory: &Directory, fd: &OwnedFd) -> rustix::io::Result<bool> {
    let Some(parent) = directory.parent() else { return Ok(false) };
    if system::is_mount_point(fd) == Some(true) {
        // What was named as a root is meant, wherever it is mounted.
        return Ok(!target.is_root_of_restore(&directory.path()));
    }
    Ok(parent.identity().0 != directory.identity().0 && !target.is_root_of_restore(&directory.path()))
}

/// Up again: to the same directory that this one was found in, or not at all.
fn up_to(fd: &OwnedFd, above: Identity) -> rustix::io::Result<OwnedFd> {
    let up = system::open_directory(fd.as_fd(), b"..", false)?;
    if system::identity(&rustix::fs::fstat(&up)?) == above { Ok(up) } else { Err(Errno::STALE) }
}

struct Removal<'a> {
    target: &'a Target,
    extra: &'a Extra,
    /// Of what is looked at.
    path: Vec<u8>,
    /// Nothing is removed: it is only to be known whether everything may go.
    is_looking: bool,
}

/// A directory on the way down: which it is, its names that are still to come, and what is known about it.
struct Level {
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
    fn new(identity: Identity, names: Vec<Vec<u8>>, path_length: usize, is_wanted: bool) -> Self {
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
enum Entered {
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
    fn run(&mut self, mut fd: OwnedFd, level: Level) -> rustix::io::Result<bool> {
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
            // No snapshot has one, whoever listens on it; only with its directory it goes.
            Choice::Wanted if system::kind(&stat) == FileType::Socket && !level.is_going => Ok(Step::Kept),
            Choice::Wanted => self.unlink(fd, name, false).map(|()| Step::Gone),
        }
    }

    /// Enters a directory whose path is the one that is looked at.
    fn enter(&self, at: BorrowedFd<'_>, name: &[u8], above: Identity, is_wanted: bool) -> rustix::io::Result<Entered> {
        // What is mounted there is not even touched.
        let stat = system::look(at, name)?;
        let identity = system::identity(&stat);
        if identity.0 != above.0 || system::is_mount_point_at(at, name) == Some(true) {
            let message = "another file system is mounted here: it is not deleted";
            self.target.findings.note(FindingKind::Unwritable, self.path.clone(), message);
            return Ok(Entered::Spared);
        }
        if self.target.is_repository(identity) {
            self.target.findings.note(FindingKind::Skipped, self.path.clone(), OF_REPOSITORY);
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

    fn choose(&self, name: &[u8], is_wanted: bool, is_directory: bool) -> Choice {
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

    fn note(&self, errno: Errno) {
        self.target.findings.note(FindingKind::Unwritable, self.path.clone(), format!("cannot delete it: {errno}"));
    }
}
