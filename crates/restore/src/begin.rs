//! Begins a file: decides what becomes of what has its name, and whether there is anything to do at all.

use std::{os::fd::AsFd, sync::Arc};

use lbak_core::{
    error::Result,
    observe::{Action, FindingKind},
    tree::Entry,
};
use rustix::{
    fs::{FileType, Stat},
    io::Errno,
};

use crate::{
    base::Base,
    directory::Directory,
    existing::{self, Fate},
    file::File,
    links::Origin,
    metadata, node,
    options::Overwrite,
    system,
    target::{Target, add},
};

/// A file to be restored; `None` when it stays as it is, or after a finding.
pub(crate) fn file(
    target: &Target,
    directory: &Arc<Directory>,
    entry: Entry,
    origin: Option<Arc<Origin>>,
) -> Result<Option<Arc<File>>> {
    let fate = match existing::fate(target, directory, &entry, FileType::RegularFile) {
        Ok(fate) => fate,
        Err(errno) => {
            fail(target, directory, &entry, origin.as_deref(), errno)?;
            return Ok(None);
        }
    };
    let (base, replaced) = match fate {
        Fate::Free if target.is_reading_back => {
            let message = "it is not there any more";
            target.findings.note(FindingKind::Unwritable, directory.path_of(&entry.name), message);
            return Ok(None);
        }
        Fate::Replace(_) if target.is_reading_back => {
            let message = "something else has its name";
            target.findings.note(FindingKind::Unwritable, directory.path_of(&entry.name), message);
            return Ok(None);
        }
        Fate::Untouched => {
            // No other name is to be linked to it.
            if let Some(origin) = origin {
                origin.failed();
            }
            return Ok(None);
        }
        Fate::Free => (Base::left(target, directory, &entry.name, entry.size).unwrap_or_default(), None),
        Fate::Stay { stat, is_same } => {
            stay(target, directory, &entry, &stat, is_same);
            add(&target.restored.bytes, entry.size);
            add(&target.restored.done, entry.size);
            if let Some(origin) = origin {
                // What only happens to have the name must not get the other names.
                if is_same { origin.complete(system::identity(&stat)) } else { origin.failed() }
            }
            return Ok(None);
        }
        Fate::Change(stat) => {
            let is_to_be_parted = entry.link_group == 0 && !target.is_reading_back && target.is_linked(&stat);
            (Some(Base::there(&stat, is_to_be_parted)), None)
        }
        Fate::Replace(stat) => (None, Some(stat)),
    };
    Ok(Some(File::new(directory, entry, origin, base, replaced)))
}

/// Leaves what is there; where only its content is trusted, its metadata is set if it differs.
pub(crate) fn stay(target: &Target, directory: &Arc<Directory>, entry: &Entry, stat: &Stat, is_same: bool) {
    let path = || directory.path_of(&entry.name);
    let mut action = Action::Kept;
    let gets_metadata = matches!(target.overwrite(), Some(Overwrite::Always | Overwrite::IfChanged));
    if gets_metadata
        && let Ok(at) = directory.fd(target)
        && metadata::mend_on_name(target, at.as_fd(), &entry.name, entry, stat, &path)
    {
        action = Action::Updated;
    }
    if !is_same {
        target.findings.spoil(&path());
    }
    node::count(target, entry);
    target.act(action, entry.size, &path);
}

fn fail(
    target: &Target,
    directory: &Arc<Directory>,
    entry: &Entry,
    origin: Option<&Origin>,
    errno: Errno,
) -> Result<()> {
    if let Some(origin) = origin {
        origin.failed();
    }
    directory.note_unwritable(target, "write", &entry.name, errno)
}
