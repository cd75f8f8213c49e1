//! Writes a snapshot to a folder: every name under its absolute path there, with content, holes, hard links, mode and
//! time. What the standard library can not set (owners, attributes, times of links) or make (FIFOs, devices) is left out.

use std::fs::{self, File, FileTimes, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::{ffi::OsStrExt, fs::PermissionsExt, fs::symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{collections::HashMap, ffi::OsStr};

use super::{
    fields::{Id, Result, ensure},
    repository::Repository,
    tree::{Entry, Node, Piece, directory},
};

/// The first name of every file that has several.
type Links = HashMap<(u64, u64), PathBuf>;

pub(crate) fn restore(repository: &Repository, tree: &Id, folder: &Path, links: &mut Links) -> Result<()> {
    fs::create_dir_all(folder)?;
    for entry in directory(repository, tree)? {
        let name = Path::new(OsStr::from_bytes(entry.name.strip_prefix(b"/").unwrap_or(&entry.name)));
        ensure(name.components().all(|part| matches!(part, Component::Normal(_))), "a name that leads elsewhere")?;
        let path = folder.join(name);
        restore_entry(repository, &entry, &path, links).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn restore_entry(repository: &Repository, entry: &Entry, path: &Path, links: &mut Links) -> Result<()> {
    match &entry.node {
        Node::Directory(tree) => restore(repository, tree, path, links)?,
        Node::Symlink(target) => return Ok(symlink(OsStr::from_bytes(target), path)?),
        Node::File(pieces) => {
            if let Some(first) = entry.link.and_then(|link| links.insert(link, path.to_owned())) {
                return Ok(fs::hard_link(first, path)?);
            }
            write_file(repository, pieces, path)?;
        }
        Node::Special(..) => return Ok(()),
    }
    let file = File::open(path)?;
    file.set_permissions(Permissions::from_mode(entry.mode))?;
    let (seconds, nanoseconds) = entry.mtime;
    let (epoch, distance) = (SystemTime::UNIX_EPOCH, Duration::from_secs(seconds.unsigned_abs()));
    let second = if seconds < 0 { epoch - distance } else { epoch + distance };
    let modified = second + Duration::from_nanos(nanoseconds.into());
    Ok(file.set_times(FileTimes::new().set_modified(modified))?)
}

fn write_file(repository: &Repository, pieces: &[Piece], path: &Path) -> Result<()> {
    let mut file = File::create_new(path)?;
    let mut offset: u64 = 0;
    for piece in pieces {
        if piece.chunk.is_some() {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&piece.bytes(repository)?)?;
        }
        offset += piece.length;
    }
    Ok(file.set_len(offset)?) // a hole at the end is no write
}
