//! What a restore never touches: the repository that it reads, and the files that open it.
//!
//! Directories are told by device and inode, for a mount or a link may give them several names.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::canonicalize,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf, absolute},
};

use lbak_core::error::{Error, Result};

use crate::{roots::Roots, system::Identity};

/// What is said of it where something would have been deleted.
pub(crate) const OF_REPOSITORY: &str = "it belongs to the repository: nothing is deleted in it";

/// What is said of it where something would have been restored.
pub(crate) const NOTHING_RESTORED: &str = "it belongs to the repository: nothing is restored into it";

/// What is said of a file that opens it.
pub(crate) const OF_KEY: &str = "it is needed to open the repository (a key or password file): it stays as it is";

/// Tells whether a path is one of these directories or files, named by device and inode, or lies in one; what is not there
/// lies where it would be made.
///
/// ```
/// use std::os::unix::fs::MetadataExt;
///
/// let folder = std::env::temp_dir();
/// let metadata = folder.metadata()?;
/// assert!(lbak_restore::lies_in(&folder.join("new"), &[(metadata.dev(), metadata.ino())]));
/// assert!(!lbak_restore::lies_in(&folder.join("new"), &[]));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn lies_in(path: &Path, identities: &[(u64, u64)]) -> bool {
    Places { identities, known: HashMap::new() }.hold(path)
}

/// Refuses a restore that would write into what it never touches.
pub(crate) fn refuse(target: &Path, roots: &Roots, identities: &[Identity]) -> Result<()> {
    if identities.is_empty() {
        return Ok(());
    }
    let mut places = Places { identities, known: HashMap::new() };
    // With the roots of `Place::Original` the target is no more than where their paths begin.
    let places_of_roots = roots.roots.iter().map(|root| {
        let names = root.names.iter().map(|name| OsStr::from_bytes(name));
        names.fold(target.to_owned(), |above, name| above.join(name))
    });
    match std::iter::once(target.to_owned()).chain(places_of_roots).find(|place| places.hold(place)) {
        Some(place) => {
            let what = format!("{} is, or lies in, the repository: nothing was restored", place.display());
            Err(Error::Invalid { what })
        }
        None => Ok(()),
    }
}

/// Directories by what they are, and what is known of others already: there may be a hundred thousand roots in one directory.
struct Places<'a> {
    identities: &'a [Identity],
    known: HashMap<PathBuf, bool>,
}

impl Places<'_> {
    fn hold(&mut self, path: &Path) -> bool {
        let Ok(path) = absolute(path) else { return false };
        let Some(path) = path.ancestors().find_map(|above| canonicalize(above).ok()) else { return false };
        self.is_one(&path) || path.parent().is_some_and(|folder| self.has_above(folder))
    }

    fn has_above(&mut self, folder: &Path) -> bool {
        if let Some(&is_known) = self.known.get(folder) {
            return is_known;
        }
        let is_in = folder.ancestors().any(|above| self.is_one(above));
        self.known.insert(folder.to_owned(), is_in);
        is_in
    }

    fn is_one(&self, path: &Path) -> bool {
        path.metadata().is_ok_and(|metadata| self.identities.contains(&(metadata.dev(), metadata.ino())))
    }
}
