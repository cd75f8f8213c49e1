//! The lines of `tests/golden/v1/expected.txt`, made from snapshots and from folders.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use crate::{
    outcomes::{Outcome, outcomes},
    reader::{
        fields::{Id, Result, hex},
        repository::Repository,
        tree::{Node, directory},
    },
};

/// What a line says of one name. Mode and time of symbolic links are left out: not every program can set them.
pub(crate) struct Line<'a> {
    pub kind: &'a str,
    pub mode: u32,
    pub mtime: (i64, u32),
    pub bytes: Option<&'a [u8]>,
    pub path: &'a [u8],
    pub target: Option<&'a [u8]>,
    /// The first name of the same file, when this is another one.
    pub same_as: Option<&'a [u8]>,
}

impl Line<'_> {
    pub(crate) fn text(&self) -> String {
        let mut text = match self.kind {
            "link" => "link".to_owned(),
            kind => format!("{kind} {:04o} {}.{:09}", self.mode, self.mtime.0, self.mtime.1),
        };
        if let Some(bytes) = self.bytes {
            text += &format!(" {} {}", bytes.len(), short_hash(bytes));
        }
        text += &format!(" {}", self.path.escape_ascii());
        if let Some(target) = self.target {
            text += &format!(" -> {}", target.escape_ascii());
        }
        if let Some(first) = self.same_as {
            text += &format!(" = {}", first.escape_ascii());
        }
        text
    }
}

pub(crate) fn short_hash(bytes: &[u8]) -> String {
    hex(&blake3::hash(bytes).as_bytes()[..8])
}

/// Lists all outcomes of a repository.
pub(crate) fn of_repository(repository: &Repository) -> Result<Vec<String>> {
    let outcomes = outcomes(repository)?;
    let number = |id: &[u8; 16]| {
        let is_it = |outcome: &Outcome| matches!(outcome, Outcome::Snapshot(manifest) if manifest.id == *id);
        outcomes.iter().position(is_it).map_or("?".to_owned(), |at| (at + 1).to_string())
    };
    let mut lines = Vec::new();
    for (at, outcome) in outcomes.iter().enumerate() {
        let manifest = match outcome {
            Outcome::Snapshot(manifest) => manifest,
            Outcome::Closed { by, reason } => {
                lines.push(format!("{}: closed by {by}: {reason}", at + 1));
                continue;
            }
        };
        let (kind, parent) = manifest.lineage;
        let lineage = ["full", "incremental to ", "differential to "][kind];
        let parent = parent.as_ref().map(number).unwrap_or_default();
        let paths: Vec<_> = manifest.paths.iter().map(|path| path.escape_ascii().to_string()).collect();
        let complete = if manifest.is_complete { "complete" } else { "incomplete" };
        let (paths, tags, description) = (paths.join(","), manifest.tags.join(","), &manifest.description);
        lines.push(format!("{}: {lineage}{parent} of {paths} [{tags}] {complete}: {description}", at + 1));
        for (kind, path) in &manifest.findings {
            lines.push(format!("finding {kind} {}", path.escape_ascii()));
        }
        of_tree(repository, &manifest.root, b"", &mut HashMap::new(), &mut lines)?;
    }
    Ok(lines)
}

/// Lists a directory and all below it.
pub(crate) fn of_tree(
    repository: &Repository,
    tree: &Id,
    folder: &[u8],
    links: &mut HashMap<(u64, u64), Vec<u8>>,
    lines: &mut Vec<String>,
) -> Result<()> {
    for entry in directory(repository, tree)? {
        let path = if entry.name.starts_with(b"/") { entry.name } else { [folder, b"/", &entry.name].concat() };
        let mut line = Line {
            kind: "",
            mode: entry.mode,
            mtime: entry.mtime,
            bytes: None,
            path: &path,
            target: None,
            same_as: entry.link.and_then(|link| links.get(&link)).map(Vec::as_slice),
        };
        let (mut bytes, special);
        match &entry.node {
            Node::File(pieces) => {
                bytes = Vec::new();
                for piece in pieces {
                    bytes.extend(piece.bytes(repository)?);
                }
                (line.kind, line.bytes) = ("file", Some(bytes.as_slice()));
            }
            Node::Directory(_) if entry.flags & 8 != 0 => line.kind = "unread",
            Node::Directory(_) => line.kind = "directory",
            Node::Symlink(target) => (line.kind, line.target) = ("link", Some(target.as_slice())),
            Node::Special(kind, numbers) => {
                special = name_of_special(*kind, numbers);
                line.kind = &special;
            }
        }
        lines.push(line.text());
        for (name, value) in &entry.attributes {
            lines.push(format!("attribute {} {} {}", name.escape_ascii(), value.len(), short_hash(value)));
        }
        if let Some(link) = entry.link {
            links.entry(link).or_insert_with(|| path.clone());
        }
        if let Node::Directory(tree) = &entry.node {
            of_tree(repository, tree, &path, links, lines)?;
        }
    }
    Ok(())
}

fn name_of_special(kind: u8, numbers: &[u64]) -> String {
    let name = match kind {
        3 => "fifo",
        4 => "character-device",
        5 => "block-device",
        _ => "socket",
    };
    numbers.iter().fold(name.to_owned(), |name, number| format!("{name}-{number}"))
}

/// Lists a folder on disk and all below it under the name `path`: files, directories and symbolic links.
pub(crate) fn of_folder(
    folder: &Path,
    path: &[u8],
    links: &mut HashMap<u64, Vec<u8>>,
    lines: &mut Vec<String>,
) -> std::io::Result<()> {
    let status = fs::symlink_metadata(folder)?;
    let nanoseconds = u32::try_from(status.mtime_nsec()).unwrap_or(0);
    let (mode, mtime) = (status.mode() & 0o7777, (status.mtime(), nanoseconds));
    let mut line = Line { kind: "directory", mode, mtime, bytes: None, path, target: None, same_as: None };
    let bytes;
    let mut children = BTreeMap::new();
    if status.is_symlink() {
        bytes = fs::read_link(folder)?.as_os_str().as_bytes().to_vec();
        (line.kind, line.target) = ("link", Some(bytes.as_slice()));
    } else if status.is_file() {
        bytes = fs::read(folder)?;
        (line.kind, line.bytes) = ("file", Some(bytes.as_slice()));
    } else if status.is_dir() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            children.insert(entry.file_name(), entry.path());
        }
    } else {
        return Ok(());
    }
    if !status.is_dir() && status.nlink() > 1 {
        line.same_as = links.get(&status.ino()).map(Vec::as_slice);
    }
    lines.push(line.text());
    if !status.is_dir() {
        links.entry(status.ino()).or_insert_with(|| path.to_vec());
    }
    for (name, child) in children {
        of_folder(&child, &[path, b"/", name.as_bytes()].concat(), links, lines)?;
    }
    Ok(())
}
