//! The paths that a user has named: made absolute, freed of what lies below another, and shown as one directory.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use rustix::fs::CWD;

use super::{
    super::{Directory, ExtendedAttributes, Found, Listing, SourceError, SourceErrorKind, SourceFile, Unlisted},
    Walk, attributes,
    directory::{LocalDirectory, link_target},
    file::LocalFile,
    raw, source_error,
    system::{self, Links},
};
use crate::{
    error::Result,
    metadata::{FileKind, Metadata},
};

/// Makes paths absolute and normal, sorts them, drops what another one contains.
///
/// # Errors
/// For a path that can not be looked at.
pub(super) fn resolve<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<PathBuf>> {
    let mut resolved = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let absolute = absolute(path).map_err(source_error(path))?;
        fs::symlink_metadata(&absolute).map_err(source_error(path))?;
        resolved.push(absolute);
    }
    // A path that leads through a symbolic link below another root is not reached from there, and could not be
    // restored beside the link. It stands for itself, where it really lies.
    let given = resolved.clone();
    for path in &mut resolved {
        let leads_through_link = given.iter().any(|above| path.starts_with(above) && has_link_below(above, path));
        // A link that leads nowhere is reached from the root above it like any other name.
        if leads_through_link && let Ok(real) = fs::canonicalize(&*path) {
            *path = real;
        }
    }
    resolved.sort_unstable_by(|one, other| raw(one).cmp(raw(other)));
    resolved.dedup();
    let all = resolved.clone();
    resolved.retain(|path| !all.iter().any(|above| above != path && path.starts_with(above)));
    Ok(resolved)
}

fn has_link_below(above: &Path, path: &Path) -> bool {
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    path.ancestors().take_while(|ancestor| *ancestor != above).any(is_link)
}

/// Takes `.` and `..` out, the latter as the system would: behind a symbolic link it leads elsewhere.
fn absolute(path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut absolute = if path.is_absolute() { PathBuf::from("/") } else { std::env::current_dir()? };
    for component in path.components() {
        match component {
            Component::Normal(name) => absolute.push(name),
            Component::ParentDir => {
                absolute = fs::canonicalize(&absolute)?;
                absolute.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(absolute)
}

/// The directory of the named paths.
#[derive(Debug)]
pub(super) struct Roots {
    paths: Arc<[PathBuf]>,
    walk: Arc<Walk>,
}

impl Roots {
    pub(super) fn new(paths: Vec<PathBuf>, walk: Arc<Walk>) -> Self {
        Self { paths: paths.into(), walk }
    }

    /// Only what was named is reached by a path.
    fn check(&self, path: &[u8]) -> Result<(), SourceError> {
        let is_root = self.paths.iter().any(|root| root.as_os_str().as_bytes() == path);
        is_root.then_some(()).ok_or_else(|| SourceError::new(SourceErrorKind::Vanished, "no such root"))
    }
}

/// Looks at a root: at what a symbolic link points to, if that can be backed up in its place.
fn look(path: &[u8], walk: &Walk) -> Result<Metadata, SourceError> {
    let metadata = system::look(CWD, path, Links::Refuse, &walk.people)?;
    if metadata.kind != FileKind::Symlink {
        return Ok(metadata);
    }
    match system::look(CWD, path, Links::Follow, &walk.people) {
        Ok(target) if matches!(target.kind, FileKind::File | FileKind::Directory) => Ok(target),
        _ => Ok(metadata),
    }
}

impl Directory for Roots {
    fn entries(&self) -> Result<Listing, SourceError> {
        let (paths, walk) = (Arc::clone(&self.paths), Arc::clone(&self.walk));
        Ok(Box::new((0..paths.len()).filter_map(move |place| {
            let name = paths.get(place)?.as_os_str().as_bytes().to_vec();
            match look(&name, &walk) {
                Ok(metadata) if walk.is_skipped(metadata.device, metadata.inode) => None,
                Ok(metadata) => Some(Ok(Found { name, metadata })),
                Err(error) => Some(Err(Unlisted { name, error })),
            }
        })))
    }

    fn directory(&self, name: &[u8], expected: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        self.check(name)?;
        Ok(Arc::new(LocalDirectory::root(&self.walk, name, expected)?))
    }

    fn file(&self, name: &[u8], _: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        self.check(name)?;
        Ok(Box::new(LocalFile::open(CWD, name, Links::Follow, &self.walk.people)?))
    }

    fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, SourceError> {
        self.check(name)?;
        link_target(CWD, name)
    }

    fn attributes(&self, name: &[u8], kind: FileKind) -> Result<ExtendedAttributes, SourceError> {
        self.check(name)?;
        attributes::of_name(CWD, name, Links::Follow, kind)
    }
}
