//! Decides about one name of a directory at a time.

use std::sync::{Arc, atomic::AtomicBool};

use super::{
    super::{Directory, Found, Unlisted},
    Walk,
};
use crate::{
    metadata::{FileKind, Metadata},
    observe::Exclusion,
    patterns::Matched,
};

/// What becomes of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is shown.
    Shown,
    /// A directory that is shown when something below it is.
    OnTheWay,
    /// A directory that is shown as an empty one.
    Emptied(Exclusion),
    /// It is left out.
    Hidden(Exclusion),
}

/// What becomes of a name, and the patterns that match it.
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) matched: Matched,
}

/// A directory and where it lies.
pub(super) struct Level {
    pub(super) walk: Walk,
    pub(super) inner: Arc<dyn Directory>,
    pub(super) place: Place,
    /// Something of it is not shown.
    pub(super) has_left_out: AtomicBool,
}

/// Where a directory lies.
pub(super) struct Place {
    /// Its absolute path.
    path: Vec<u8>,
    /// Where, in paths of what lies in it, the part below the root begins.
    below: usize,
    /// Its device, and that of its root.
    device: u64,
    root_device: u64,
    /// What lies in it is wanted unless it is excluded.
    is_wanted: bool,
}

impl Place {
    /// A root is always shown; of what lies in it, all is wanted when a pattern includes the root or a directory above it.
    pub(super) fn of_root(walk: &Walk, path: &[u8], metadata: &Metadata) -> Self {
        let patterns = &walk.rules.patterns;
        let mut above = (1..=path.len()).filter(|&end| end == path.len() || path.get(end) == Some(&b'/'));
        let mut includes = |end: usize| {
            let matched = patterns.matched_by_includes(path.get(..end).unwrap_or_default(), b"", true);
            walk.count(&matched);
            matched.is_included()
        };
        let is_wanted = !patterns.is_selective() || above.any(&mut includes);
        Self {
            path: path.to_vec(),
            below: if path == b"/" { 1 } else { path.len() + 1 },
            device: metadata.device,
            root_device: metadata.device,
            is_wanted,
        }
    }

    /// A directory in this one.
    pub(super) fn child(&self, name: &[u8], metadata: &Metadata, is_wanted: bool) -> Self {
        Self {
            path: self.path_of(name),
            below: self.below,
            device: metadata.device,
            root_device: self.root_device,
            is_wanted,
        }
    }

    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The path of a name in it.
    pub(super) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = Vec::with_capacity(self.path.len() + 1 + name.len());
        path.extend_from_slice(&self.path);
        if !path.ends_with(b"/") {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path
    }
}

impl Level {
    /// Decides about a name that may be shown.
    pub(super) fn verdict(&self, found: &Found) -> Verdict {
        self.judge(found).verdict
    }

    /// Decides about a name, and tells which patterns match it.
    pub(super) fn judge(&self, found: &Found) -> Judgement {
        let is_directory = found.metadata.kind == FileKind::Directory;
        let (named, matched) = self.judge_name(&found.name, is_directory);
        Judgement { verdict: self.judge_found(found, named), matched }
    }

    fn judge_found(&self, found: &Found, named: Result<bool, Exclusion>) -> Verdict {
        let metadata = &found.metadata;
        let is_directory = metadata.kind == FileKind::Directory;
        let rules = &self.walk.rules;
        if is_directory && rules.repositories.contains(&(metadata.device, metadata.inode)) {
            return Verdict::Hidden(Exclusion::Repository);
        }
        let is_wanted = match named {
            Ok(is_wanted) => is_wanted,
            Err(exclusion) => return Verdict::Hidden(exclusion),
        };
        let is_file = metadata.kind == FileKind::File;
        if is_file && rules.exclude_larger_than.is_some_and(|largest| metadata.size > largest) {
            return Verdict::Hidden(Exclusion::TooLarge);
        }
        match is_directory.then(|| self.boundary(found)).flatten() {
            Some(exclusion) if is_wanted => Verdict::Emptied(exclusion),
            Some(exclusion) => Verdict::Hidden(exclusion),
            None if is_wanted => Verdict::Shown,
            None => Verdict::OnTheWay,
        }
    }

    /// Decides about a name that could not be looked at: only what would be left out whatever it is.
    pub(super) fn judge_unlisted(&self, unlisted: &Unlisted) -> (Option<Exclusion>, Matched) {
        let (named, matched) = self.judge_name(&unlisted.name, true);
        (named.err(), matched)
    }

    /// Tells by its patterns whether a name is wanted, or else on the way, or why it is left out.
    fn judge_name(&self, name: &[u8], is_directory: bool) -> (Result<bool, Exclusion>, Matched) {
        let patterns = &self.walk.rules.patterns;
        if patterns.is_empty() {
            return (Ok(true), Matched::default());
        }
        let path = self.place.path_of(name);
        let below = path.get(self.place.below..).unwrap_or_default();
        let matched = patterns.matched(&path, below, is_directory);
        let named = match () {
            () if matched.is_excluded() => Err(Exclusion::Pattern),
            () if self.place.is_wanted || matched.is_included() => Ok(true),
            () if is_directory && patterns.may_lead(&path, below) => Ok(false),
            () => Err(Exclusion::NotIncluded),
        };
        (named, matched)
    }

    /// Tells why a directory is not entered, if another file system begins there.
    fn boundary(&self, found: &Found) -> Option<Exclusion> {
        let (rules, device) = (&self.walk.rules, found.metadata.device);
        if rules.one_file_system && device != self.place.root_device {
            return Some(Exclusion::OtherFileSystem);
        }
        let begins_here = device != self.place.device;
        let is_pseudo = begins_here && !rules.include_pseudo_file_systems && self.inner.is_pseudo(&found.name);
        is_pseudo.then_some(Exclusion::PseudoFileSystem)
    }
}
