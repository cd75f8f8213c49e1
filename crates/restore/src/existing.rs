//! What is there already, and what becomes of it.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    os::fd::AsFd,
};

use lbak_core::{observe::FindingKind, tree::Entry};
use rustix::{
    fs::{AtFlags, FileType, Stat},
    io::Errno,
};

use crate::{directory::Directory, extra, options::Overwrite, system, target::Target, temporary, times, untouched};

/// The names that a directory held: as numbers, for there may be millions.
///
/// A file system that folds case finds `A` when it is asked for `a`; only a listing tells which of them is there.
#[derive(Default)]
pub(crate) struct Present {
    hasher: RandomState,
    names: HashSet<u64>,
    /// Some are left by a restore that was interrupted.
    pub(crate) has_temporary: bool,
}

impl Present {
    /// Lists an open directory. One that can not be listed seems empty: then nothing that is there is touched.
    pub(crate) fn read(fd: impl AsFd) -> Self {
        let mut present = Self::default();
        for name in names(fd).unwrap_or_default() {
            present.has_temporary |= temporary::is_temporary(&name);
            present.names.insert(present.hasher.hash_one(name.as_slice()));
        }
        present
    }

    /// Tells whether a name, spelt exactly so, was there. In rare cases one that was not seems so.
    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.names.contains(&self.hasher.hash_one(name))
    }
}

/// The names in an open directory.
pub(crate) fn names(fd: impl AsFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

/// What is said of a directory that is in the way.
pub(crate) fn in_the_way(target: &Target) -> &'static str {
    if target.deletes() {
        "a directory has its name, which stays: something in it is left out by patterns, mounted, or cannot be deleted"
    } else {
        "a directory that is not empty has its name: it is only removed when deleting is asked for"
    }
}

/// What becomes of what has the name of an entry.
pub(crate) enum Fate {
    /// Nothing has it.
    Free,
    /// It stays. `is_same` when it is, by all that can be seen, what the snapshot has.
    Stay {
        /// As it was found.
        stat: Stat,
        /// It looks like what the snapshot has.
        is_same: bool,
    },
    /// It stays as it is, whatever the snapshot has, and that was said.
    Untouched,
    /// A file that is changed where it differs.
    Change(Stat),
    /// Something else that has to go.
    Replace(Stat),
}

/// Decides about the name of a file, a link or a node.
pub(crate) fn fate(
    target: &Target,
    directory: &Directory,
    entry: &Entry,
    wanted: FileType,
) -> rustix::io::Result<Fate> {
    let Some(stat) = directory.existing(target, &entry.name)? else {
        return if is_taken_in_dry_run(target, directory, &entry.name)? { Err(Errno::EXIST) } else { Ok(Fate::Free) };
    };
    if target.is_untouched(system::identity(&stat)) {
        if !target.is_reading_back {
            target.findings.note(FindingKind::Skipped, directory.path_of(&entry.name), untouched::OF_KEY);
        }
        return Ok(Fate::Untouched);
    }
    if target.is_reading_back {
        return Ok(if system::kind(&stat) == wanted { Fate::Change(stat) } else { Fate::Replace(stat) });
    }
    let Some(overwrite) = target.overwrite() else { return Ok(Fate::Replace(stat)) };
    let is_kind = system::kind(&stat) == wanted;
    let is_linked = system::kind(&stat) != FileType::Directory && target.is_linked(&stat);
    let is_file = wanted == FileType::RegularFile;
    let looks_same =
        is_kind && is_file && system::size(&stat) == entry.size && times::is_same(target, &stat, entry.mtime);
    // A name that stands alone in the snapshot must not lead to a file that has other names.
    let is_wrongly_linked = is_file && entry.link_group == 0 && is_linked;
    let stays = match overwrite {
        Overwrite::Never => true,
        Overwrite::IfNewer => !times::is_older(target, &stat, entry.mtime),
        Overwrite::IfChanged => looks_same && !is_wrongly_linked,
        Overwrite::Always => false,
    };
    if !stays && !is_kind && system::kind(&stat) == FileType::Directory {
        if target.deletes() {
            extra::look_through(target, directory, &entry.name)?;
            if target.dry_run {
                extra::remove_in_the_way(target, directory, &entry.name)?;
            }
        } else {
            refuse_full(target, directory, &entry.name)?;
        }
    }
    Ok(match (stays, is_kind) {
        (true, _) => Fate::Stay { stat, is_same: looks_same },
        (false, true) => Fate::Change(stat),
        (false, false) => Fate::Replace(stat),
    })
}

/// Where nothing that is there is changed, a restore learns from the system that a name is taken; a dry run has to look.
fn is_taken_in_dry_run(target: &Target, directory: &Directory, name: &[u8]) -> rustix::io::Result<bool> {
    if !target.dry_run || target.looks() || !directory.was_there() {
        return Ok(false);
    }
    match system::look(directory.fd(target)?.as_fd(), name) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// A directory that holds something is in the way until deleting is asked for: better known before anything is read for what
/// would take its place.
fn refuse_full(target: &Target, directory: &Directory, name: &[u8]) -> rustix::io::Result<()> {
    let at = directory.fd(target)?;
    let fd = system::open_directory(at.as_fd(), name, false)?;
    if names(fd)?.is_empty() { Ok(()) } else { Err(Errno::NOTEMPTY) }
}

/// Makes a name free that something else than a file has, so that an entry can take it.
pub(crate) fn make_free(target: &Target, directory: &Directory, name: &[u8], stat: &Stat) -> rustix::io::Result<()> {
    let at = directory.fd(target)?;
    if system::kind(stat) != FileType::Directory {
        return rustix::fs::unlinkat(&*at, name, AtFlags::empty());
    }
    match rustix::fs::unlinkat(&*at, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) if target.deletes() => {
            extra::remove_in_the_way(target, directory, name)?;
            rustix::fs::unlinkat(&*at, name, AtFlags::REMOVEDIR)
        }
        outcome => outcome,
    }
}
