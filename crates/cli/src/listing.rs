//! Entries of snapshots, as `ls` and `find` show them: one line each, in columns that align, or as JSON.

use lbak::{Entry, FileKind, Node, escape};

use crate::{arguments::LongArguments, json, output::Output, sizes, times};

/// Lines that are held until the widths of their columns are known. Behind them, a wider cell moves the rest of its line
/// and of those that follow: a listing of any length is shown while it is read.
const HELD: usize = 1_000;

/// Lines of entries on their way out.
pub(crate) struct Listing<'a> {
    output: &'a Output,
    style: &'a LongArguments,
    held: Vec<Line>,
    widths: [usize; 3],
}

/// One line, cell by cell.
struct Line {
    permissions: String,
    /// User, group, size.
    cells: [String; 3],
    time: String,
    path: String,
}

impl<'a> Listing<'a> {
    pub(crate) fn new(output: &'a Output, style: &'a LongArguments) -> Self {
        Self { output, style, held: Vec::new(), widths: [0; 3] }
    }

    /// Shows an entry, perhaps later.
    pub(crate) fn show(&mut self, path: &[u8], entry: &Entry) -> anyhow::Result<()> {
        if !self.style.long {
            return self.output.line(&escape(path));
        }
        let target = match &entry.node {
            Node::Symlink { target } => format!(" -> {}", escape(target)),
            _ => String::new(),
        };
        let owner = |name: &[u8], number: u32| match name.is_empty() || self.style.numeric_owners {
            true => number.to_string(),
            false => escape(name),
        };
        let cells = [owner(&entry.user, entry.uid), owner(&entry.group, entry.gid), self.size(entry)];
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.chars().count());
        }
        let path = format!("{}{target}", escape(path));
        self.held.push(Line { permissions: permissions(entry), cells, time: times::local(entry.mtime), path });
        if self.held.len() >= HELD { self.finish() } else { Ok(()) }
    }

    /// Writes what is held.
    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        let [user_width, group_width, size_width] = self.widths;
        for Line { permissions, cells: [user, group, size], time, path } in self.held.drain(..) {
            let owners = format!("{user:<user_width$} {group:<group_width$}");
            self.output.line(&format!("{permissions} {owners} {size:>size_width$} {time} {path}"))?;
        }
        Ok(())
    }

    fn size(&self, entry: &Entry) -> String {
        match entry.node {
            Node::File { .. } if self.style.bytes => entry.size.to_string(),
            Node::File { .. } => sizes::bytes(entry.size),
            Node::CharacterDevice { major, minor } | Node::BlockDevice { major, minor } => format!("{major}, {minor}"),
            _ => "-".to_owned(),
        }
    }
}

/// `drwxr-xr-x`, as `ls -l` shows it.
pub(crate) fn permissions(entry: &Entry) -> String {
    let mode = entry.mode;
    let mut text = String::from(match entry.kind() {
        FileKind::File => '-',
        FileKind::Directory => 'd',
        FileKind::Symlink => 'l',
        FileKind::Fifo => 'p',
        FileKind::CharacterDevice => 'c',
        FileKind::BlockDevice => 'b',
        FileKind::Socket => 's',
    });
    for (shift, special_bit, special) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (mode & special_bit != 0, bits & 1 != 0) {
            (true, true) => special,
            (true, false) => special.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// The name of a kind in JSON: restic's.
pub(crate) fn kind_name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Directory => "dir",
        FileKind::Symlink => "symlink",
        FileKind::Fifo => "fifo",
        FileKind::CharacterDevice => "chardev",
        FileKind::BlockDevice => "dev",
        FileKind::Socket => "socket",
    }
}

/// An entry for programs.
pub(crate) fn node(message_type: &'static str, path: &[u8], entry: &Entry) -> json::Node {
    let (linktarget, device) = match &entry.node {
        Node::Symlink { target } => (Some(escape(target)), None),
        Node::CharacterDevice { major, minor } | Node::BlockDevice { major, minor } => (None, Some((*major, *minor))),
        _ => (None, None),
    };
    json::Node {
        message_type,
        path: escape(path),
        name: escape(&entry.name),
        kind: kind_name(entry.kind()),
        mode: entry.mode,
        permissions: permissions(entry),
        uid: entry.uid,
        gid: entry.gid,
        user: escape(&entry.user),
        group: escape(&entry.group),
        size: entry.size,
        mtime: times::rfc3339(entry.mtime),
        ctime: times::rfc3339(entry.ctime),
        inode: entry.inode,
        linktarget,
        device_major: device.map(|(major, _)| major),
        device_minor: device.map(|(_, minor)| minor),
    }
}
