//! Goes through two trees side by side.

use std::{
    collections::BTreeMap,
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use lbak_core::error::escape;
use rustix::{
    fs::{CWD, Dir, FileType, OFlags},
    io::Errno,
};

use super::{
    Comparison, Difference, Field, attributes,
    content::{self, Side},
    links::{self, Links},
    system::{self, Identity, Status},
};

/// A directory that is being compared. Those above the current one are closed, and found again as `..`.
struct Level {
    names: std::collections::btree_map::IntoIter<Vec<u8>, [bool; 2]>,
    identities: [Identity; 2],
    path_length: usize,
}

#[derive(Default)]
pub(super) struct Walk {
    comparison: Comparison,
    links: [Links; 2],
    /// Of what is being compared; empty for the roots.
    path: Vec<u8>,
}

impl Walk {
    pub(super) fn run(mut self, left: &Path, right: &Path) -> Comparison {
        if let Err(error) = self.try_run(left, right) {
            self.unreadable(&error);
        }
        self.comparison.differences.extend(links::differences(self.links));
        self.comparison
    }

    fn try_run(&mut self, left: &Path, right: &Path) -> io::Result<()> {
        let ((left, left_name), (right, right_name)) = (above(left)?, above(right)?);
        let Some(mut open) = self.node([left.as_fd(), right.as_fd()], [&left_name, &right_name])? else {
            return Ok(());
        };
        // Kept, to find the way from there when a directory does not let us back up.
        let top = [open[0].try_clone()?, open[1].try_clone()?];
        let mut levels = vec![self.level(&open)?];
        while let Some(level) = levels.last_mut() {
            self.path.truncate(level.path_length);
            let Some((name, is_there)) = level.names.next() else {
                levels.pop();
                if let Some(above) = levels.last() {
                    self.path.truncate(above.path_length);
                    let above_at = |side: usize| back(&open[side], &top[side], &self.path, above.identities[side]);
                    open = [above_at(0)?, above_at(1)?];
                }
                continue;
            };
            self.path.push(b'/');
            self.path.extend_from_slice(&name);
            if is_there != [true, true] {
                let show = |is_there| if is_there { "there" } else { "missing" }.to_owned();
                self.differ(Field::Presence, show(is_there[0]), show(is_there[1]));
                continue;
            }
            let inner = self.node([open[0].as_fd(), open[1].as_fd()], [&name, &name]);
            let entered = inner.and_then(|inner| match inner {
                Some(inner) => Ok(Some((self.level(&inner)?, inner))),
                None => Ok(None),
            });
            match entered {
                Ok(Some((level, inner))) => {
                    levels.push(level);
                    open = inner;
                }
                Ok(None) => {}
                Err(error) => self.unreadable(&error),
            }
        }
        Ok(())
    }

    fn level(&self, open: &[OwnedFd; 2]) -> io::Result<Level> {
        let mut names: BTreeMap<Vec<u8>, [bool; 2]> = BTreeMap::new();
        for (side, fd) in open.iter().enumerate() {
            // Of the descriptor itself: to open it once more, as `.`, it would have to let us in.
            for entry in Dir::new(fd.try_clone()?)? {
                match entry?.file_name().to_bytes() {
                    b"." | b".." => {}
                    name => names.entry(name.to_vec()).or_default()[side] = true,
                }
            }
        }
        let identity = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|stat| system::status(&stat).identity);
        let identities = [identity(&open[0])?, identity(&open[1])?];
        Ok(Level { names: names.into_iter(), identities, path_length: self.path.len() })
    }

    /// Compares one name of either side; opens both when they are directories.
    fn node(&mut self, at: [BorrowedFd<'_>; 2], names: [&[u8]; 2]) -> io::Result<Option<[OwnedFd; 2]>> {
        let look = |side: usize| system::look(at[side], names[side]).map(|stat| system::status(&stat));
        let (left, right) = (look(0)?, look(1)?);
        self.comparison.entries += 1;
        self.same(Field::Kind, kind(&left), kind(&right));
        if left.kind != right.kind {
            return Ok(None);
        }
        self.metadata(&left, &right);
        let read = |side: usize| attributes::read(at[side], names[side], left.kind);
        self.attributes(read(0)?, read(1)?);
        let more = if left.kind == FileType::Directory { OFlags::DIRECTORY } else { OFlags::empty() };
        let open = |side: usize| system::open(at[side], names[side], more);
        match left.kind {
            FileType::Directory => return Ok(Some([open(0)?, open(1)?])),
            FileType::RegularFile => {
                let side = |fd, status: &Status| Side { fd, size: status.size, block: status.block };
                self.content(&side(open(0)?, &left), &side(open(1)?, &right))?;
            }
            FileType::Symlink => {
                let target = |side: usize| rustix::fs::readlinkat(at[side], names[side], Vec::new());
                self.same(Field::Target, escape(target(0)?.as_bytes()), escape(target(1)?.as_bytes()));
            }
            FileType::CharacterDevice | FileType::BlockDevice => {
                let show = |status: &Status| format!("{}:{}", status.device.0, status.device.1);
                self.same(Field::Device, show(&left), show(&right));
            }
            _ => {}
        }
        Ok(None)
    }

    fn metadata(&mut self, left: &Status, right: &Status) {
        let owner = |status: &Status| format!("{}:{}", status.owner.0, status.owner.1);
        let modified = |status: &Status| format!("{} s + {} ns", status.modified.0, status.modified.1);
        self.same(Field::Mode, format!("{:o}", left.mode), format!("{:o}", right.mode));
        self.same(Field::Owner, owner(left), owner(right));
        self.same(Field::Modified, modified(left), modified(right));
        for (side, status) in [left, right].into_iter().enumerate() {
            if status.kind == FileType::RegularFile {
                self.comparison.allocated[side] += status.allocated;
            }
            if status.kind != FileType::Directory && status.links > 1 {
                self.links[side].note(status.identity, &self.path);
            }
        }
    }

    fn attributes(&mut self, left: BTreeMap<Vec<u8>, Vec<u8>>, right: BTreeMap<Vec<u8>, Vec<u8>>) {
        let mut names: Vec<&Vec<u8>> = left.keys().chain(right.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let (left, right) = (left.get(name), right.get(name));
            if left != right {
                self.differ(Field::Attribute(name.clone()), show_value(left), show_value(right));
            }
        }
    }

    fn content(&mut self, left: &Side, right: &Side) -> io::Result<()> {
        self.same(Field::Size, left.size.to_string(), right.size.to_string());
        if left.size != right.size {
            return Ok(());
        }
        if let Some(place) = content::first_difference(left, right)? {
            self.differ(Field::Content, place.to_string(), String::new());
        }
        let show = |range: &std::ops::Range<u64>| format!("bytes {} to {}", range.start, range.end);
        if let Some(range) = content::first_filled_hole(left, right)? {
            self.differ(Field::Hole, show(&range), "data".into());
        }
        if let Some(range) = content::first_filled_hole(right, left)? {
            self.differ(Field::Hole, "data".into(), show(&range));
        }
        Ok(())
    }

    fn same(&mut self, field: Field, left: impl Into<String>, right: impl Into<String>) {
        let (left, right) = (left.into(), right.into());
        if left != right {
            self.differ(field, left, right);
        }
    }

    fn differ(&mut self, field: Field, left: String, right: String) {
        let path = if self.path.is_empty() { b"/".to_vec() } else { self.path.clone() };
        self.comparison.differences.push(Difference { path, field, left, right });
    }

    fn unreadable(&mut self, error: &io::Error) {
        self.differ(Field::Unreadable, error.to_string(), String::new());
    }
}

/// The folder that a root lies in, and its name there.
fn above(root: &Path) -> io::Result<(OwnedFd, Vec<u8>)> {
    // A root that is a dangling link stands for itself.
    let root: PathBuf = fs::canonicalize(root).or_else(|_| std::path::absolute(root))?;
    let (folder, name) = match (root.parent(), root.file_name()) {
        (Some(folder), Some(name)) => (folder, name.as_bytes()),
        _ => (root.as_path(), &b"."[..]),
    };
    Ok((system::open(CWD, folder.as_os_str().as_bytes(), OFlags::DIRECTORY)?, name.to_vec()))
}

/// Opens the directory above: as `..`, or from the top where that is not allowed. It must be the one that was left.
fn back(from: &OwnedFd, top: &OwnedFd, path: &[u8], expected: Identity) -> io::Result<OwnedFd> {
    let fd = match system::open(from.as_fd(), b"..", OFlags::DIRECTORY) {
        Err(Errno::ACCESS) => down(top, path)?,
        opened => opened?,
    };
    let is_same = system::status(&rustix::fs::fstat(&fd)?).identity == expected;
    if is_same { Ok(fd) } else { Err(Errno::STALE.into()) }
}

fn down(top: &OwnedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let mut fd = system::open(top.as_fd(), b".", OFlags::DIRECTORY)?;
    for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
        fd = system::open(fd.as_fd(), name, OFlags::DIRECTORY)?;
    }
    Ok(fd)
}

fn kind(status: &Status) -> &'static str {
    match status.kind {
        FileType::Directory => "directory",
        FileType::RegularFile => "file",
        FileType::Symlink => "symbolic link",
        FileType::Fifo => "named pipe",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Unknown => "unknown",
    }
}

/// Long values are shown by their beginning.
fn show_value(value: Option<&Vec<u8>>) -> String {
    match value {
        None => "nothing".into(),
        Some(value) if value.len() <= 64 => format!("\"{}\"", escape(value)),
        Some(value) => format!("\"{}…\" ({} bytes)", escape(&value[..64]), value.len()),
    }
}
