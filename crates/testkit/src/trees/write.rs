//! Makes a tree on disk.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Seek, Write},
    os::{
        fd::AsFd,
        unix::{ffi::OsStrExt, fs::symlink},
    },
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    fs::{
        AtFlags, CWD, Mode, Timespec, Timestamps, UTIME_OMIT, XattrFlags, chmodat, fchmod, fsetxattr, futimens,
        utimensat,
    },
    io::Errno,
};

use super::{Directory, File, Metadata, Node, Piece, Time};

/// Writes a tree into a directory that is there and empty, and gives it the metadata of the tree's root.
///
/// Access times are left as they come. Extended attributes are left out where the file system has none, mode bits
/// where the system drops them without a word (setgid for foreign groups).
///
/// # Errors
/// When something can not be made: a name that this file system does not take, no room.
pub fn write_tree(tree: &Directory, path: &Path) -> io::Result<()> {
    write_directory(tree, path, &mut Vec::new())
}

fn write_directory(directory: &Directory, path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for (name, node) in &directory.entries {
        write_node(node, &path.join(OsStr::from_bytes(name)), files)?;
    }
    // At last: every entry has moved the time.
    let plain = Metadata { mode: 0o755, ..Metadata::default() };
    set_metadata(&fs::File::open(path)?, directory.metadata.as_ref().unwrap_or(&plain))
}

fn write_node(node: &Node, path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    match node {
        Node::Directory(directory) => {
            fs::create_dir(path)?;
            write_directory(directory, path, files)
        }
        Node::File(file) => {
            files.push(path.to_owned());
            write_file(file, path)
        }
        Node::HardLink(_) if files.is_empty() => write_file(&File::default(), path),
        Node::HardLink(number) => fs::hard_link(&files[number % files.len()], path),
        Node::Symlink(link) => {
            symlink(OsStr::from_bytes(&link.target), path)?;
            Ok(utimensat(CWD, path, &timestamps(link.modified), AtFlags::SYMLINK_NOFOLLOW)?)
        }
        Node::Fifo(metadata) => {
            make_fifo(path)?;
            chmodat(CWD, path, mode(metadata), AtFlags::empty())?;
            Ok(utimensat(CWD, path, &timestamps(metadata.modified), AtFlags::SYMLINK_NOFOLLOW)?)
        }
    }
}

/// By the command: macOS has no such call that is relative to a folder.
fn make_fifo(path: &Path) -> io::Result<()> {
    let made = Command::new("mkfifo").arg("--").arg(path).status()?;
    if made.success() { Ok(()) } else { Err(io::Error::other("mkfifo failed")) }
}

fn write_file(file: &File, path: &Path) -> io::Result<()> {
    let mut open = fs::File::create_new(path)?;
    for piece in &file.content.0 {
        match piece {
            Piece::Hole(length) => {
                open.seek_relative(i64::try_from(*length).map_err(io::Error::other)?)?;
            }
            piece => open.write_all(&piece.bytes())?,
        }
    }
    // A hole at the end is no write either.
    open.set_len(file.content.length() as u64)?;
    set_metadata(&open, &file.metadata)
}

/// Attributes first, while the mode still allows it, and the time at last.
fn set_metadata(file: &fs::File, metadata: &Metadata) -> io::Result<()> {
    for (name, value) in &metadata.attributes {
        match fsetxattr(file, name, value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(errno) if errno == Errno::NOTSUP || errno == Errno::OPNOTSUPP => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    fchmod(file.as_fd(), mode(metadata))?;
    Ok(futimens(file, &timestamps(metadata.modified))?)
}

#[allow(clippy::cast_possible_truncation, reason = "a mode has twelve bits; its type has 16 on macOS and 32 elsewhere")]
fn mode(metadata: &Metadata) -> Mode {
    Mode::from_raw_mode(metadata.mode as rustix::fs::RawMode)
}

fn timestamps(modified: Time) -> Timestamps {
    let modified = Timespec { tv_sec: modified.seconds, tv_nsec: modified.nanoseconds.into() };
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: modified }
}
