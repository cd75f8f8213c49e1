//! Deletes what the snapshot does not have.
//!
//! Only in directories that the snapshot knows wholly, when all of it is restored; names that the patterns leave out stay,
//! mount points stay, sockets stay unless their directory goes, links are removed and never followed. Going down and up
//! again every directory is compared with the one that was entered, so that nobody can lead this out of the target by
//! moving one.

mod removal;

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use lbak_core::{browse::join, observe::FindingKind, patterns::Choice};
use rustix::{fs::FileType, io::Errno};

use self::removal::{Entered, Level, Removal};
pub(crate) use crate::spared::Spared;
use crate::{
    directory::Directory,
    existing, system,
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

/// A directory below the top that lies on another file system than the one that holds it.
fn is_mounted(target: &Target, directory: &Directory, fd: &OwnedFd) -> rustix::io::Result<bool> {
    let Some(parent) = directory.parent() else { return Ok(false) };
    if system::is_mount_point(fd) == Some(true) {
        // What was named as a root is meant, wherever it is mounted.
        return Ok(!target.is_root_of_restore(&directory.path()));
    }
    Ok(parent.identity().0 != directory.identity().0 && !target.is_root_of_restore(&directory.path()))
}
