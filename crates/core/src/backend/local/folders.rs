//! Folders of a repository: opened one component at a time, made when they are needed.

use std::{
    collections::HashSet,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, mkdirat, openat, statat},
    io::{Errno, Result, retry_on_intr},
};

use super::{owner::Owner, platform};

/// How folders are opened, the root apart from `NOFOLLOW`.
pub(super) const OPEN_FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a folder below the root without following a symbolic link anywhere on the way.
pub(super) fn open(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    let mut folder = open_child(root, ".")?;
    for component in components(path) {
        folder = open_child(folder.as_fd(), component)?;
    }
    Ok(folder)
}

/// Opens one folder in another; fails with `NOTDIR` or `LOOP` when it is a symbolic link.
pub(super) fn open_child(folder: BorrowedFd<'_>, component: &str) -> Result<OwnedFd> {
    retry_on_intr(|| openat(folder, component, OPEN_FOLDER | OFlags::NOFOLLOW, Mode::empty()))
}

/// Tells whether this is a path that folders of objects can have: the characters of names, so no `..`.
pub(super) fn is_folder_path(path: &str) -> bool {
    path.is_empty() || path.split('/').all(is_folder_name)
}

/// Tells whether objects can lie in a folder of this name. `lost+found` and what desktops leave behind is none.
pub(super) fn is_folder_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Device and inode number of every folder of objects in a folder. What can not be looked at is passed over: nobody can write there.
pub(super) fn below(folder: &OwnedFd, mut note: impl FnMut((u64, u64))) {
    let Ok(entries) = Dir::read_from(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let may_be = matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
        if may_be
            && entry.file_name().to_str().is_ok_and(is_folder_name)
            && let Ok(status) = statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
            && FileType::from_raw_mode(status.st_mode) == FileType::Directory
        {
            note(platform::identity(&status));
        }
    }
}

fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|component| !component.is_empty())
}

/// Remembers which folders survive a loss of power.
///
/// A folder that is merely *there* may have been made by another program a moment ago, its name not yet on the disk;
/// an object put into it would be lost with it. So before the first `put` into a folder its parent is synced, once
/// for all folders that are in the parent by then: 256 shelves of packs that are there cost one `fsync`, not 256. A shelf that is new costs one
/// of its own, as long as a repository has fewer packs than shelves.
///
/// A sync that failed is never trusted to succeed later: the system may have dropped what it could not write.
#[derive(Debug, Default)]
pub(super) struct DurableFolders {
    durable: Mutex<HashSet<String>>,
    /// A folder could not be synced: nothing is promised any more.
    has_lost_sync: AtomicBool,
}

impl DurableFolders {
    /// Tells whether a folder could not be synced before.
    pub(super) fn has_lost_sync(&self) -> bool {
        self.has_lost_sync.load(Ordering::Relaxed)
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync(&self, folder: BorrowedFd<'_>) -> Result<()> {
        platform::sync_folder(folder).inspect_err(|_| self.has_lost_sync.store(true, Ordering::Relaxed))
    }

    /// Opens a folder below the root to put an object into it; makes what is missing of its path.
    pub(super) fn open_or_make(&self, root: BorrowedFd<'_>, path: &str, owner: Owner) -> Result<OwnedFd> {
        let mut folder = open_child(root, ".")?;
        let mut folder_path = String::new();
        for component in components(path) {
            let child_path = format!("{folder_path}{component}/");
            if !self.contains(&child_path) {
                self.make(&folder, &folder_path, component, owner)?;
            }
            folder = match open_child(folder.as_fd(), component) {
                // Somebody has removed the empty folder since.
                Err(Errno::NOENT) => {
                    self.make(&folder, &folder_path, component, owner)?;
                    open_child(folder.as_fd(), component)?
                }
                opened => opened?,
            };
            folder_path = child_path;
        }
        Ok(folder)
    }

    /// Makes a folder unless it is there, and makes it and its siblings durable.
    fn make(&self, parent: &OwnedFd, parent_path: &str, component: &str, owner: Owner) -> Result<()> {
        match retry_on_intr(|| mkdirat(parent, component, Mode::RWXU)) {
            Ok(()) => owner.give_folder(open_child(parent.as_fd(), component)?.as_fd()),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        let mut there = vec![format!("{parent_path}{component}/")];
        for entry in Dir::read_from(parent)? {
            let entry = entry?;
            if let (FileType::Directory, Ok(name)) = (entry.file_type(), entry.file_name().to_str()) {
                there.push(format!("{parent_path}{name}/"));
            }
        }
        self.sync(parent.as_fd())?;
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).extend(there);
        Ok(())
    }

    fn contains(&self, path: &str) -> bool {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }
}
