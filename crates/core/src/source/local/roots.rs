//! The paths that a user has named: made absolute, freed of what lies below another, and shown as one directory.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use rustix::fs::CWD;

use super::{
    super::{
        Directory, ExtendedAttributes, Found, Listing, SourceError, SourceErrorKind, SourceFile, Unlisted,
        UnreadAttributes,
    },
    Walk, attributes,
    directory::{LocalDirectory, link_target},
    file::LocalFile,
    raw, source_error,
    system::{self, Links},
};
use crate::{
    error::{Error, Result},
    metadata::{FileKind, Metadata},
};

/// Most bytes of named paths, each with its length: every snapshot records them, and whoever lists snapshots reads them all.
/// Some 200,000 paths.
const MOST_BYTES: usize = 16 << 20;

/// Makes paths absolute and normal, sorts them, drops what another one contains. Takes a time that grows with their number
/// and no faster: there may be millions, most of them below another.
///
/// # Errors
/// For a path that can not be looked at, and for more than a snapshot records.
pub(super) fn resolve<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<PathBuf>> {
    let mut given = Vec::with_capacity(paths.len());
    let working_directory = std::env::current_dir();
    for path in paths {
        let path = path.as_ref();
        let absolute = absolute(path, &working_directory).map_err(source_error(path))?;
        fs::symlink_metadata(&absolute).map_err(source_error(path))?;
        given.push(absolute);
    }
    // A path that leads through a symbolic link below another root is not reached from there, and could not be
    // restored beside the link. It stands for itself, where it really lies.
    let names: HashSet<&Path> = given.iter().map(PathBuf::as_path).collect();
    let mut links = KnownLinks::default();
    let real = given.iter().map(|path| {
        let leads_through_link = topmost(path, &names).is_some_and(|above| links.has_link_below(above, path));
        // A link that leads nowhere is reached from the root above it like any other name.
        leads_through_link.then(|| fs::canonicalize(path).ok()).flatten()
    });
    let real: Vec<Option<PathBuf>> = real.collect();
    let mut resolved: Vec<PathBuf> = given.into_iter().zip(real).map(|(given, real)| real.unwrap_or(given)).collect();
    resolved.sort_unstable_by(|one, other| raw(one).cmp(raw(other)));
    resolved.dedup();
    let names: HashSet<&Path> = resolved.iter().map(PathBuf::as_path).collect();
    let is_below: Vec<bool> = resolved.iter().map(|path| topmost(path, &names).is_some()).collect();
    let mut is_below = is_below.into_iter();
    resolved.retain(|_| !is_below.next().unwrap_or(false));
    let recorded: usize = resolved.iter().map(|path| raw(path).len() + size_of::<u64>()).sum();
    if recorded > MOST_BYTES {
        let what = format!("the list of {} paths that the snapshot would record", resolved.len());
        return Err(Error::TooLarge { what, limit: format!("{} MiB", MOST_BYTES >> 20) });
    }
    Ok(resolved)
}

/// The highest directory above a path that was named too.
fn topmost<'p>(path: &'p Path, names: &HashSet<&Path>) -> Option<&'p Path> {
    path.ancestors().skip(1).filter(|above| names.contains(above)).last()
}

/// Which paths are symbolic links: neighbours in a long list share most of their way.
#[derive(Default)]
struct KnownLinks<'p>(HashMap<&'p Path, bool>);

impl<'p> KnownLinks<'p> {
    fn has_link_below(&mut self, above: &Path, path: &'p Path) -> bool {
        path.ancestors().take_while(|ancestor| *ancestor != above).any(|path| self.is_link(path))
    }

    fn is_link(&mut self, path: &'p Path) -> bool {
        let look = || fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        *self.0.entry(path).or_insert_with(look)
    }
}

/// Takes `.` and `..` out, the latter as the system would: behind a symbolic link it leads elsewhere.
fn absolute(path: &Path, working_directory: &io::Result<PathBuf>) -> io::Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut absolute = match working_directory {
        _ if path.is_absolute() => PathBuf::from("/"),
        Ok(directory) => directory.clone(),
        Err(error) => return Err(error.kind().into()),
    };
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
        let is_root = self.paths.binary_search_by(|root| raw(root).cmp(path)).is_ok();
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
        Ok(Box::new(LocalFile::open(CWD, name, Links::Follow, &self.walk)?))
    }

    fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, SourceError> {
        self.check(name)?;
        link_target(CWD, name)
    }

    fn attributes(&self, name: &[u8], kind: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        self.check(name)?;
        attributes::of_name(CWD, name, Links::Follow, kind)
    }
}
