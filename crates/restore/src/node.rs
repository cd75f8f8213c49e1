//! Symbolic links, FIFOs and devices: made in one go, never opened.

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use lbak_core::{
    error::Result,
    observe::{Action, FindingKind},
    tree::{Entry, Node},
};
use rustix::{
    fs::{AtFlags, FileType, Stat},
    io::Errno,
};

use crate::{
    begin,
    directory::Directory,
    existing::{self, Fate},
    metadata,
    named::Named,
    system,
    system::Identity,
    target::{Target, add},
    temporary,
};

/// Makes what an entry tells of; returns which it is, or `None` after a finding.
pub(crate) fn make(target: &Target, directory: &Arc<Directory>, entry: &Entry) -> Result<Option<Identity>> {
    if matches!(entry.node, Node::Socket) {
        let path = directory.path_of(&entry.name);
        target.findings.note(FindingKind::Skipped, path, "a socket is made by the program that listens on it");
        return Ok(None);
    }
    if target.is_reading_back {
        return Ok(None);
    }
    match try_make(target, directory, entry) {
        Ok(made) => Ok(made),
        Err(errno) => {
            directory.note_unwritable(target, "create", &entry.name, errno)?;
            Ok(None)
        }
    }
}

fn try_make(target: &Target, directory: &Arc<Directory>, entry: &Entry) -> rustix::io::Result<Option<Identity>> {
    let fate = existing::fate(target, directory, entry, file_type(&entry.node))?;
    let path = || directory.path_of(&entry.name);
    let replaced = match fate {
        Fate::Free => None,
        Fate::Untouched => return Ok(None),
        Fate::Stay { stat, .. } => {
            begin::stay(target, directory, entry, &stat, false);
            return Ok(None);
        }
        Fate::Change(stat) if is_same(target, directory.fd(target)?.as_fd(), entry, &stat) => {
            let at = directory.fd(target)?;
            let is_changed = metadata::mend_on_name(target, at.as_fd(), &entry.name, entry, &stat, &path);
            count(target, entry);
            target.act(if is_changed { Action::Updated } else { Action::Kept }, 0, &path);
            return Ok(Some(system::identity(&stat)));
        }
        Fate::Change(stat) | Fate::Replace(stat) => Some(stat),
    };
    let mut identity = Identity::default();
    if !target.dry_run {
        identity = match &replaced {
            None => make_at(target, directory, entry, &entry.name)?,
            Some(stat) => replace(target, directory, entry, stat)?,
        };
    }
    count(target, entry);
    target.act(if replaced.is_some() { Action::Updated } else { Action::Created }, 0, &path);
    Ok(Some(identity))
}

/// Makes it under another name, and then lets it take the place of what is there.
fn replace(target: &Target, directory: &Directory, entry: &Entry, stat: &Stat) -> rustix::io::Result<Identity> {
    if system::kind(stat) == FileType::Directory {
        existing::make_free(target, directory, &entry.name, stat)?;
        return make_at(target, directory, entry, &entry.name);
    }
    let at = directory.fd(target)?;
    let name = temporary::new_name(&target.codec, &entry.name);
    let made = match make_at(target, directory, entry, &name) {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(&*at, name.as_slice(), AtFlags::empty())?;
            make_at(target, directory, entry, &name)
        }
        made => made,
    }?;
    rustix::fs::renameat(&*at, name.as_slice(), &*at, entry.name.as_slice()).inspect_err(|_| {
        let _ = rustix::fs::unlinkat(&*at, name.as_slice(), AtFlags::empty());
    })?;
    Ok(made)
}

fn make_at(target: &Target, directory: &Directory, entry: &Entry, name: &[u8]) -> rustix::io::Result<Identity> {
    let at = directory.fd(target)?;
    let at = at.as_fd();
    match &entry.node {
        Node::Symlink { target } => rustix::fs::symlinkat(target.as_slice(), at, name)?,
        Node::Fifo => system::make_node(at, name, FileType::Fifo, 0, 0)?,
        Node::CharacterDevice { major, minor } => {
            system::make_node(at, name, FileType::CharacterDevice, *major, *minor)?;
        }
        Node::BlockDevice { major, minor } => system::make_node(at, name, FileType::BlockDevice, *major, *minor)?,
        Node::File { .. } | Node::Directory { .. } | Node::Socket => return Err(Errno::INVAL),
    }
    let named = Named::hold(at, name)?;
    let stat = named.stat()?;
    // Whoever may write in the directory can put something else there.
    let user = rustix::process::geteuid().as_raw();
    if stat.st_uid != user || stat.st_nlink != 1 || !is_like(at, name, &entry.node, &stat) {
        return Err(Errno::STALE);
    }
    metadata::set_on_named(target, &named, entry, false, &|| directory.path_of(&entry.name));
    Ok(system::identity(&stat))
}

/// Tells whether something of the same kind is the same but for its metadata.
fn is_same(target: &Target, at: BorrowedFd<'_>, entry: &Entry, stat: &Stat) -> bool {
    // What stands alone in the snapshot is not to have other names.
    if entry.link_group == 0 && target.is_linked(stat) {
        return false;
    }
    is_like(at, &entry.name, &entry.node, stat)
}

fn is_like(at: BorrowedFd<'_>, name: &[u8], node: &Node, stat: &Stat) -> bool {
    if system::kind(stat) != file_type(node) {
        return false;
    }
    match node {
        Node::Symlink { target } => {
            rustix::fs::readlinkat(at, name, Vec::new()).is_ok_and(|found| found.to_bytes() == target)
        }
        Node::CharacterDevice { major, minor } | Node::BlockDevice { major, minor } => {
            system::device_numbers(stat) == (*major, *minor)
        }
        Node::Fifo => true,
        Node::File { .. } | Node::Directory { .. } | Node::Socket => false,
    }
}

fn file_type(node: &Node) -> FileType {
    match node {
        Node::File { .. } => FileType::RegularFile,
        Node::Directory { .. } => FileType::Directory,
        Node::Symlink { .. } => FileType::Symlink,
        Node::Fifo => FileType::Fifo,
        Node::CharacterDevice { .. } => FileType::CharacterDevice,
        Node::BlockDevice { .. } => FileType::BlockDevice,
        Node::Socket => FileType::Socket,
    }
}

/// Counts what is there now.
pub(crate) fn count(target: &Target, entry: &Entry) {
    let restored = &target.restored;
    add(
        match entry.node {
            Node::File { .. } => &restored.files,
            Node::Directory { .. } => &restored.directories,
            Node::Symlink { .. } => &restored.links,
            _ => &restored.others,
        },
        1,
    );
}
