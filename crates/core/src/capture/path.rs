//! The path of a directory, kept as steps: each directory has its own name and the way to the one above it.
//!
//! ```text
//! "/srv" ← "models" ← "llama"      shared by all that lies below; put together only when somebody must be told
//! ```
//!
//! Put together for every directory, the paths of a tree that is 100,000 levels deep would be gigabytes.

use std::{iter::successors, sync::Arc};

use crate::metadata::{Metadata, Timestamp};

/// Levels above a directory that are looked through each time; all of them only where the depth is a multiple of it, so
/// that a deep tree costs no square of its depth.
const REACH: usize = 256;

/// Where a directory is; the default is the list of roots.
#[derive(Clone, Default)]
pub(super) struct Path(Option<Arc<Step>>);

struct Step {
    above: Path,
    name: Vec<u8>,
    depth: usize,
    identity: Identity,
}

/// What a directory is known by, wherever it is met.
///
/// Times and sizes belong to it because some file systems of user space give several directories one inode: none is to
/// be taken for another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    mtime: Timestamp,
    ctime: Timestamp,
    size: u64,
    links: u64,
}

impl Path {
    /// The path of a directory that was found here.
    pub(super) fn below(&self, name: &[u8], metadata: &Metadata) -> Self {
        let Metadata { device, inode, mtime, ctime, size, links, .. } = *metadata;
        Self(Some(Arc::new(Step {
            above: self.clone(),
            name: name.to_vec(),
            depth: self.0.as_ref().map_or(0, |step| step.depth + 1),
            identity: Identity { device, inode, mtime, ctime, size, links },
        })))
    }

    /// Tells whether these are the roots, whose names are whole paths.
    pub(super) fn is_top(&self) -> bool {
        self.0.is_none()
    }

    /// The whole path.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let names: Vec<&[u8]> = self.steps().map(|step| step.name.as_slice()).collect();
        names.iter().rev().fold(Vec::new(), |path, name| join(path, name))
    }

    /// The whole path of a name in this directory.
    pub(super) fn of(&self, name: &[u8]) -> Vec<u8> {
        join(self.bytes(), name)
    }

    /// The directory above that is this very one: a mount has made a tree a part of itself.
    pub(super) fn same_above(&self) -> Option<Vec<u8>> {
        let step = self.0.as_ref()?;
        // Sources without such a thing as inodes number nothing.
        if step.identity.inode == 0 {
            return None;
        }
        let reach = if step.depth.is_multiple_of(REACH) { usize::MAX } else { REACH };
        let mut above = successors(Some(&step.above), |path| path.0.as_ref().map(|step| &step.above)).take(reach);
        let same = above.find(|path| path.0.as_ref().is_some_and(|above| above.identity == step.identity));
        same.map(Self::bytes)
    }

    fn steps(&self) -> impl Iterator<Item = &Step> {
        successors(self.0.as_deref(), |step| step.above.0.as_deref())
    }
}

impl Drop for Step {
    /// One by one: left to the compiler, a deep tree would overflow the stack.
    fn drop(&mut self) {
        let mut above = self.above.0.take();
        while let Some(mut step) = above.and_then(Arc::into_inner) {
            above = step.above.0.take();
        }
    }
}

fn join(mut path: Vec<u8>, name: &[u8]) -> Vec<u8> {
    if !path.is_empty() && path != b"/" {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(inode: u64) -> Metadata {
        Metadata { device: 1, inode, ..Metadata::default() }
    }

    #[test]
    fn a_path_is_the_names_on_the_way() {
        let top = Path::default();
        assert_eq!(top.of(b"/srv"), b"/srv");
        let root = top.below(b"/", &directory(1));
        assert_eq!((root.bytes(), root.of(b"etc")), (b"/".to_vec(), b"/etc".to_vec()));
        let deep = root.below(b"etc", &directory(2)).below(b"\xff", &directory(3));
        assert_eq!(deep.of(b"x"), b"/etc/\xff/x");
        assert!(top.is_top() && !deep.is_top());
    }

    #[test]
    fn a_directory_below_itself_is_found_from_any_depth() {
        let mut path = Path::default().below(b"/r", &directory(7));
        for depth in 0..20_000 {
            path = path.below(b"d", &directory(100 + depth));
            assert_eq!(path.same_above(), None);
        }
        let near = path.below(b"near", &directory(100 + 19_990));
        assert!(near.same_above().is_some_and(|path| path.ends_with(b"/d/d")));
        let mut far = path.below(b"far", &directory(7));
        while far.same_above().is_none() {
            far = far.below(b"far", &directory(7));
        }
        // By the depth where everything is looked through, at the latest.
        assert!(far.steps().next().is_some_and(|step| step.depth < 20_000 + 2 * REACH));
        let changed = Metadata { mtime: Timestamp { seconds: 1, nanoseconds: 0 }, ..directory(7) };
        assert_eq!(Path::default().below(b"/r", &directory(7)).below(b"d", &changed).same_above(), None);
        let numberless = Path::default().below(b"/r", &directory(0)).below(b"d", &directory(0));
        assert_eq!(numberless.same_above(), None);
    }
}
