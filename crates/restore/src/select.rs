//! What of a snapshot is wanted: all of it, or what lies at a path.

use lbak_core::{
    error::{Error, Result, escape},
    snapshot::Manifest,
    tree::{Entry, NameRule, Node, ReadChunk, TreeReader, check_name},
};

use crate::findings::{Findings, in_words};

/// Something of a snapshot with its absolute path in the source.
pub(crate) struct Selected {
    pub(crate) path: Vec<u8>,
    pub(crate) entry: Entry,
}

/// Finds the roots of a snapshot, or what a path names: absolute, or below the single root.
///
/// Roots that are lost are findings. A path whose way is lost is an error: nobody knows whether it is there.
pub(crate) fn select(
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

fn roots(snapshot: &Manifest, read: &ReadChunk<'_>, findings: &Findings) -> Result<Vec<Selected>> {
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

fn find(snapshot: &Manifest, path: &[u8], read: &ReadChunk<'_>) -> Result<Selected> {
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
pub(crate) fn components(path: &[u8]) -> Option<Vec<&[u8]>> {
    let names: Vec<&[u8]> = path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
    names.iter().all(|name| check_name(NameRule::Component, name).is_ok()).then_some(names)
}

fn starts_with(wanted: &[&[u8]], root: &[u8]) -> bool {
    components(root).is_some_and(|root| wanted.starts_with(&root))
}

/// Appends a name to a path.
pub(crate) fn join(path: &mut Vec<u8>, name: &[u8]) {
    if path != b"/" {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}
