//! Paths as they come from the command line.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Component, Path, PathBuf},
};

use lbak::Manifest;

use crate::exit::Trouble;

/// A path as snapshots record it: absolute, without `.`, `..` and a slash at its end. It need not be there any more.
pub(crate) fn absolute(path: &Path) -> io::Result<Vec<u8>> {
    if path.as_os_str().is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut absolute = if path.is_absolute() { PathBuf::from("/") } else { std::env::current_dir()? };
    for component in path.components() {
        match component {
            Component::Normal(name) => absolute.push(name),
            Component::ParentDir => {
                // Behind a symbolic link `..` leads elsewhere; where nothing is any more, its name has to do.
                absolute = absolute.canonicalize().unwrap_or(absolute);
                absolute.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(absolute.into_os_string().into_vec())
}

/// `SNAPSHOT[:PATH]`: what stands before the first colon, and the raw path behind it.
pub(crate) fn split_snapshot(argument: &OsStr) -> (&OsStr, Option<&[u8]>) {
    let bytes = argument.as_bytes();
    match bytes.iter().position(|&byte| byte == b':') {
        Some(colon) => {
            let (snapshot, path) = (&bytes[..colon], &bytes[colon + 1..]);
            (OsStr::from_bytes(snapshot), Some(path).filter(|path| !path.is_empty()))
        }
        None => (argument, None),
    }
}

/// The same where the path may stand behind it as an argument of its own, as restic has it.
pub(crate) fn snapshot_and_path<'a>(
    argument: &'a OsStr,
    path: Option<&'a OsStr>,
) -> Result<(&'a OsStr, Option<&'a [u8]>), Trouble> {
    let (snapshot, within) = split_snapshot(argument);
    match (within, path) {
        (Some(_), Some(_)) => Err(Trouble::usage("two paths are given: one part of a snapshot at a time")),
        (within, path) => Ok((snapshot, within.or(path.map(OsStr::as_bytes)).filter(|path| !path.is_empty()))),
    }
}

/// Paths in one line; of many, the first few and how many there are: lists of files name a hundred thousand.
pub(crate) fn joined<'p>(paths: impl ExactSizeIterator<Item = &'p [u8]>) -> String {
    const MOST: usize = 10;
    const SHOWN_OF_MANY: usize = 3;
    let shown = if paths.len() > MOST { SHOWN_OF_MANY } else { MOST };
    let more = paths.len().saturating_sub(shown);
    let mut words: Vec<String> = paths.take(shown).map(lbak::escape).collect();
    if more > 0 {
        words.push(format!("… and {} more", crate::sizes::count(more as u64)));
    }
    words.join(" ")
}

/// Where a snapshot, or a part of it, came from.
pub(crate) fn origins(snapshot: &Manifest, path: Option<&[u8]>) -> Vec<PathBuf> {
    let path_of = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
    match (path, &snapshot.paths[..]) {
        (None, paths) => paths.iter().map(|path| path_of(path)).collect(),
        (Some(path), [root]) if !path.starts_with(b"/") => vec![path_of(root).join(path_of(path))],
        (Some(path), _) => vec![path_of(path)],
    }
}

/// Tells whether a path leads to the root of the file system, however it is written.
pub(crate) fn is_root(path: &Path) -> bool {
    path.canonicalize().is_ok_and(|path| path.parent().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_colon_ends_the_snapshot() {
        let split = |text| split_snapshot(OsStr::new(text));
        assert_eq!(split("latest"), (OsStr::new("latest"), None));
        assert_eq!(split("latest:"), (OsStr::new("latest"), None));
        assert_eq!(split("3fa2:/a:b"), (OsStr::new("3fa2"), Some(b"/a:b".as_slice())));
    }

    #[test]
    fn the_root_is_known_by_any_of_its_names() {
        assert!(["/", "//", "/.", "/usr/.."].iter().all(|path| is_root(Path::new(path))));
        assert!(!is_root(Path::new("/usr")) && !is_root(Path::new("/nonexistent")));
    }

    #[test]
    fn paths_lose_their_dots_and_last_slash() {
        assert_eq!(absolute(Path::new("/srv/./data//y/../x/")).ok().as_deref(), Some(b"/srv/data/x".as_slice()));
        assert_eq!(absolute(Path::new("/")).ok().as_deref(), Some(b"/".as_slice()));
    }
}
