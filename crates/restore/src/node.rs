//! Symbolic links, FIFOs and devices: made in one go, never opened.

use std::{os::fd::AsFd, sync::Arc};

use lbak_core::{
    error::Result,
    observe::FindingKind,
    tree::{Entry, Node},
};
use rustix::{fs::FileType, io::Errno};

use crate::{
    directory::Directory,
    metadata, system,
    system::Identity,
    target::{Target, add},
};

/// Makes what an entry tells of; returns which it is, or `None` after a finding.
pub(crate) fn make(target: &Target, directory: &Arc<Directory>, entry: &Entry) -> Result<Option<Identity>> {
    if matches!(entry.node, Node::Socket) {
        let path = directory.path_of(&entry.name);
        target.findings.note(FindingKind::Skipped, path, "a socket is made by the program that listens on it");
        return Ok(None);
    }
    if target.dry_run {
        count(target, entry);
        return Ok(Some(Identity::default()));
    }
    match try_make(target, directory, entry) {
        Ok(identity) => {
            count(target, entry);
            Ok(Some(identity))
        }
        Err(errno) => {
            directory.note_unwritable(target, "create", &entry.name, errno)?;
            Ok(None)
        }
    }
}

fn try_make(target: &Target, directory: &Directory, entry: &Entry) -> rustix::io::Result<Identity> {
    let (at, name) = (directory.fd(target)?, entry.name.as_slice());
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
    metadata::set_on_name(target, at, name, entry, &|| directory.path_of(name));
    Ok(system::identity(&system::look(at, name)?))
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
