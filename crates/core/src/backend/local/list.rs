//! Lists objects, folder by folder, as the file system gives them.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{AtFlags, Dir, DirEntry, FileType, statat},
    io::Errno,
};

use super::{failed, folders};
use crate::backend::BackendError;

/// No name of an object is longer, so nothing below a longer path is looked at. It also bounds the recursion.
const LONGEST_NAME: usize = 128;

/// Reports every file at or below `folder` whose whole name begins with `prefix`.
///
/// Files that are no object's, but could pass for one, are reported too: what to think of them is the caller's
/// business. Not reported are names that begin with a dot (temporary files, those that NFS keeps for open ones, and
/// what desktops leave), names that are not UTF-8, symbolic links and special files.
pub(super) fn list(
    folder: &OwnedFd,
    path: &str,
    prefix: &str,
    found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
) -> Result<(), BackendError> {
    for entry in Dir::read_from(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Some(leaf) = entry.file_name().to_str().ok().filter(|leaf| !leaf.starts_with('.')) else {
            continue;
        };
        let name = if path.is_empty() { leaf.to_owned() } else { format!("{path}/{leaf}") };
        match kind_and_size(folder, &entry, name.starts_with(prefix)) {
            Ok(Some(Found::File { bytes })) => found(&name, bytes)?,
            Ok(Some(Found::Folder)) if may_hold(leaf, &name, prefix) => {
                match folders::open_child(folder.as_fd(), leaf) {
                    Ok(child) => list(&child, &name, prefix, found)?,
                    Err(Errno::NOENT) => {}
                    Err(errno) => return Err(failed(errno)),
                }
            }
            // Removed since its name was read.
            Ok(_) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
    Ok(())
}

enum Found {
    File { bytes: u64 },
    Folder,
}

/// Says what an entry is; asks for the size only where it is wanted, for that is a system call.
fn kind_and_size(folder: &OwnedFd, entry: &DirEntry, is_wanted: bool) -> Result<Option<Found>, Errno> {
    match entry.file_type() {
        FileType::Directory => return Ok(Some(Found::Folder)),
        FileType::RegularFile if !is_wanted => return Ok(None),
        // Some file systems tell no kinds.
        FileType::RegularFile | FileType::Unknown => {}
        _ => return Ok(None),
    }
    let status = statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile if is_wanted => Some(Found::File { bytes: u64::try_from(status.st_size).unwrap_or(0) }),
        FileType::Directory => Some(Found::Folder),
        _ => None,
    })
}

/// Tells whether names that begin with the prefix can be in this folder.
fn may_hold(leaf: &str, path: &str, prefix: &str) -> bool {
    let leads_there = path.starts_with(prefix) || prefix.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    leads_there && folders::is_folder_name(leaf) && path.len() < LONGEST_NAME
}
