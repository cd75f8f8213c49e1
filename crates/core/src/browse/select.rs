//! What of a snapshot is wanted: its roots, or what lies at a path.

use super::findings::{Findings, in_words};
use crate::{
    error::{Error, Result, escape},
    id::ChunkId,
    snapshot::Manifest,
    tree::{Entry, LostRun, NameRule, Node, ReadChunk, TreeReader, check_name},
};

/// Something of a snapshot with its absolute path in the source.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Its absolute path in the source.
    pub path: Vec<u8>,
    /// What is stored of it. The name of a root is its path.
    pub entry: Entry,
}

/// The roots of a snapshot, or what a path names.
///
/// # Errors
/// As [`roots`] and [`find`].
pub fn select(
    snapshot: &Manifest,
    path: Option<&[u8]>,
    read: &ReadChunk<'_>,
    findings: &Findings,
) -> Result<Vec<Selected>> {
    match path {
        None => roots(snapshot, read, findings),
        Some(path) => find(snapshot, path, read).map(|found| vec![found]),
    }
}

/// The roots of a snapshot; those that are lost are findings.
///
/// # Errors
/// Trouble with the store.
pub fn roots(snapshot: &Manifest, read: &ReadChunk<'_>, findings: &Findings) -> Result<Vec<Selected>> {
    let mut found = Vec::new();
    let tree = match TreeReader::open(NameRule::AbsolutePath, snapshot.root, read) {
        Ok(tree) => tree,
        Err(error) if error.is_damage() => {
            for path in &snapshot.paths {
                findings.lose(1, path.clone(), in_words(&error));
            }
            return Ok(found);
        }
        Err(error) => return Err(error),
    };
    for entry in tree {
        match entry {
            Ok(entry) => found.push(Selected { path: entry.name.clone(), entry }),
            Err(lost) if lost.error.is_damage() => findings.lose(lost.entries, b"/".to_vec(), in_words(&lost)),
            Err(lost) => return Err(lost.error),
        }
    }
    Ok(found)
}

/// Finds what a path names: absolute, or below the single root.
///
/// # Errors
/// [`Error::NotInSnapshot`]; a path whose way is lost is an error too, because nobody knows whether it is there.
pub fn find(snapshot: &Manifest, path: &[u8], read: &ReadChunk<'_>) -> Result<Selected> {
    let missing = || Error::NotInSnapshot { path: escape(path), snapshot: snapshot.id };
    let tree = TreeReader::open(NameRule::AbsolutePath, snapshot.root, read)?;
    let mut roots = Vec::new();
    for root in tree {
        roots.push(root.map_err(|lost| lost.error)?);
    }
    let is_absolute = path.starts_with(b"/");
    let wanted = components(path).ok_or_else(missing)?;
    let root = match (is_absolute, roots.len()) {
        (true, _) => roots.into_iter().find(|root| starts_with(&wanted, &root.name)),
        (false, 1) => roots.pop(),
        (false, _) => None,
    };
    let mut entry = root.ok_or_else(missing)?;
    let mut found = entry.name.clone();
    let skipped = if is_absolute { components(&found).map_or(0, |names| names.len()) } else { 0 };
    for name in wanted.into_iter().skip(skipped) {
        let Node::Directory { tree } = entry.node else { return Err(missing()) };
        entry = TreeReader::open(NameRule::Component, tree, read)?.find(name)?.ok_or_else(missing)?;
        join(&mut found, name);
    }
    Ok(Selected { path: found, entry })
}

/// The names of a path; doubled slashes and single dots mean nothing. `None` when one of them can be no name.
#[must_use]
pub fn components(path: &[u8]) -> Option<Vec<&[u8]>> {
    let names: Vec<&[u8]> = path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
    names.iter().all(|name| check_name(NameRule::Component, name).is_ok()).then_some(names)
}

fn starts_with(wanted: &[&[u8]], root: &[u8]) -> bool {
    components(root).is_some_and(|root| wanted.starts_with(&root))
}

/// Appends a name to a path. A root's name is a path itself.
pub fn join(path: &mut Vec<u8>, name: &[u8]) {
    if !path.ends_with(b"/") && !name.starts_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// Opens a directory; one that is damaged is a finding and `None`.
///
/// # Errors
/// Trouble with the store.
pub fn open_tree<'a>(
    rule: NameRule,
    tree: ChunkId,
    read: &'a ReadChunk<'a>,
    findings: &Findings,
    path: &[u8],
) -> Result<Option<TreeReader<'a>>> {
    match TreeReader::open(rule, tree, read) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if error.is_damage() => {
            let path = if path.is_empty() { b"/" } else { path };
            findings.lose(1, path.to_vec(), format!("everything in it is lost: {}", in_words(&error)));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Passes over a part of a directory that is lost: a finding when it is damaged.
///
/// # Errors
/// Trouble with the store.
pub fn pass(lost: LostRun, findings: &Findings, path: &[u8]) -> Result<()> {
    if !lost.error.is_damage() {
        return Err(lost.error);
    }
    let path = if path.is_empty() { b"/" } else { path };
    findings.lose(lost.entries, path.to_vec(), in_words(&lost));
    Ok(())
}
