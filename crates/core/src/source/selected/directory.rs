//! The directories that are shown.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    super::{
        Directory, ExtendedAttributes, Found, Listing, SourceError, SourceErrorKind, SourceFile, Unlisted,
        UnreadAttributes,
    },
    Walk,
    judge::{Judgement, Level, Place, Verdict},
};
use crate::{
    metadata::{FileKind, Metadata},
    observe::Exclusion,
};

/// The named paths.
pub(super) struct SelectedRoots {
    inner: Arc<dyn Directory>,
    walk: Walk,
}

impl SelectedRoots {
    pub(super) fn new(inner: Arc<dyn Directory>, walk: Walk) -> Self {
        Self { inner, walk }
    }
}

impl Directory for SelectedRoots {
    fn entries(&self) -> Result<Listing, SourceError> {
        self.walk.restart();
        let (walk, listing) = (self.walk.clone(), self.inner.entries()?);
        Ok(Box::new(listing.filter(move |found| match found {
            Ok(Found { name, metadata }) if is_repository(&walk, metadata) => {
                walk.exclude(Exclusion::Repository, || name.clone());
                false
            }
            _ => true,
        })))
    }

    fn look(&self, name: &[u8]) -> Result<Metadata, SourceError> {
        // As above, and without beginning anew.
        match self.inner.look(name)? {
            metadata if is_repository(&self.walk, &metadata) => Err(nothing()),
            metadata => Ok(metadata),
        }
    }

    fn directory(&self, name: &[u8], expected: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        let inner = self.inner.directory(name, expected)?;
        let place = Place::of_root(&self.walk, name, expected);
        Ok(Arc::new(SelectedDirectory(Arc::new(Level {
            walk: self.walk.clone(),
            inner,
            place,
            has_left_out: AtomicBool::new(false),
        }))))
    }

    fn file(&self, name: &[u8], expected: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        self.inner.file(name, expected)
    }

    fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, SourceError> {
        self.inner.link_target(name)
    }

    fn attributes(&self, name: &[u8], kind: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        self.inner.attributes(name, kind)
    }

    fn is_pseudo(&self, name: &[u8]) -> bool {
        self.inner.is_pseudo(name)
    }
}

fn is_repository(walk: &Walk, metadata: &Metadata) -> bool {
    let identity = (metadata.device, metadata.inode);
    metadata.kind == FileKind::Directory && walk.rules.repositories.contains(&identity)
}

/// A directory below a root, or a root.
pub(super) struct SelectedDirectory(Arc<Level>);

impl Directory for SelectedDirectory {
    fn entries(&self) -> Result<Listing, SourceError> {
        let survey = self.0.survey()?;
        if let Some(exclusion) = survey.marked {
            self.0.walk.exclude(exclusion, || self.0.place.path().to_vec());
            self.0.has_left_out.store(true, Ordering::Relaxed);
        }
        Ok(Box::new(SelectedListing { level: Arc::clone(&self.0), survey }))
    }

    fn has_left_out(&self) -> bool {
        self.0.has_left_out.load(Ordering::Relaxed) || self.0.inner.has_left_out()
    }

    fn look(&self, name: &[u8]) -> Result<Metadata, SourceError> {
        let found = Found { name: name.to_vec(), metadata: self.0.inner.look(name)? };
        let is_shown = match self.0.verdict(&found) {
            Verdict::Shown | Verdict::Emptied(_) => true,
            Verdict::OnTheWay => self.0.leads_to_something(&found),
            Verdict::Hidden(_) => false,
        };
        if is_shown { Ok(found.metadata) } else { Err(nothing()) }
    }

    fn directory(&self, name: &[u8], expected: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        let found = Found { name: name.to_vec(), metadata: expected.clone() };
        let is_wanted = match self.0.verdict(&found) {
            Verdict::Shown => true,
            Verdict::OnTheWay => false,
            Verdict::Emptied(_) => return Ok(Arc::new(EmptyDirectory)),
            Verdict::Hidden(_) => return Err(nothing()),
        };
        Ok(Arc::new(Self(Arc::new(self.0.child(&found, is_wanted)?))))
    }

    fn file(&self, name: &[u8], expected: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        self.0.inner.file(name, expected)
    }

    fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, SourceError> {
        self.0.inner.link_target(name)
    }

    fn attributes(&self, name: &[u8], kind: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        self.0.inner.attributes(name, kind)
    }

    fn is_pseudo(&self, name: &[u8]) -> bool {
        self.0.inner.is_pseudo(name)
    }
}

/// Names of a directory that are shown.
struct SelectedListing {
    level: Arc<Level>,
    survey: Survey,
}

impl Iterator for SelectedListing {
    type Item = Result<Found, Unlisted>;

    fn next(&mut self) -> Option<Self::Item> {
        let level = &self.level;
        let exclude = |name: &[u8], exclusion| {
            level.walk.exclude(exclusion, || level.place.path_of(name));
        };
        let leave_out = |name: &[u8], exclusion| {
            exclude(name, exclusion);
            level.has_left_out.store(true, Ordering::Relaxed);
        };
        loop {
            let found = match self.survey.next()? {
                Ok(found) => found,
                Err(unlisted) => {
                    let (exclusion, matched) = level.judge_unlisted(&unlisted);
                    level.walk.count(&matched);
                    let Some(exclusion) = exclusion else { return Some(Err(unlisted)) };
                    leave_out(&unlisted.name, exclusion);
                    continue;
                }
            };
            let Judgement { verdict, matched } = level.judge(&found);
            level.walk.count(&matched);
            match verdict {
                Verdict::Shown => return Some(Ok(found)),
                Verdict::Emptied(exclusion) => {
                    exclude(&found.name, exclusion);
                    return Some(Ok(found));
                }
                Verdict::OnTheWay if level.leads_to_something(&found) => return Some(Ok(found)),
                Verdict::OnTheWay => leave_out(&found.name, Exclusion::NotIncluded),
                Verdict::Hidden(exclusion) => leave_out(&found.name, exclusion),
            }
        }
    }
}

/// Names of a directory before anybody has judged them; nothing but the marker where one says so.
pub(super) struct Survey {
    held: VecDeque<Result<Found, Unlisted>>,
    rest: Option<Listing>,
    marked: Option<Exclusion>,
}

impl Iterator for Survey {
    type Item = Result<Found, Unlisted>;

    fn next(&mut self) -> Option<Self::Item> {
        self.held.pop_front().or_else(|| self.rest.as_mut()?.next())
    }
}

impl Level {
    /// Lists the directory. Names up to the last that may be a marker are held until that is known.
    pub(super) fn survey(&self) -> Result<Survey, SourceError> {
        let mut listing = self.inner.entries()?;
        let mut held = VecDeque::new();
        if let Some(last) = self.walk.signs.last() {
            for found in listing.by_ref() {
                let name = found.as_ref().map_or_else(|unlisted| &unlisted.name, |found| &found.name);
                let is_behind = name.as_slice() > last;
                let marked = found.as_ref().ok().and_then(|found| self.walk.signs.read(&*self.inner, found));
                if marked.is_some() {
                    return Ok(Survey { held: VecDeque::from([found]), rest: None, marked });
                }
                held.push_back(found);
                if is_behind {
                    break;
                }
            }
        }
        Ok(Survey { held, rest: Some(listing), marked: None })
    }

    /// Opens a directory of this one.
    pub(super) fn child(&self, found: &Found, is_wanted: bool) -> Result<Self, SourceError> {
        let inner = self.inner.directory(&found.name, &found.metadata)?;
        let place = self.place.child(&found.name, &found.metadata, is_wanted);
        Ok(Self { walk: self.walk.clone(), inner, place, has_left_out: AtomicBool::new(false) })
    }
}

/// A directory that is not entered.
struct EmptyDirectory;

fn nothing() -> SourceError {
    SourceError::new(SourceErrorKind::Vanished, "it is left out")
}

impl Directory for EmptyDirectory {
    fn entries(&self) -> Result<Listing, SourceError> {
        Ok(Box::new(std::iter::empty()))
    }

    fn has_left_out(&self) -> bool {
        true
    }

    fn directory(&self, _: &[u8], _: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        Err(nothing())
    }

    fn file(&self, _: &[u8], _: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        Err(nothing())
    }

    fn link_target(&self, _: &[u8]) -> Result<Vec<u8>, SourceError> {
        Err(nothing())
    }

    fn attributes(&self, _: &[u8], _: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        Err(nothing().into())
    }
}
