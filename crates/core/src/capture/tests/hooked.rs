//! Folders on disk in which something happens at a certain step of reading: no thread has to be faster than another.

use std::{path::Path, sync::Arc};

use super::super::SourceError;
use crate::{
    metadata::{FileKind, Metadata},
    source::{
        Directory, ExtendedAttributes, Listing, LocalSource, Portion, Source, SourceFile, SourceKind, UnreadAttributes,
    },
};

/// The step that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A directory is opened.
    Enter(&'a str),
    /// A file is opened.
    Open(&'a str),
    /// An open file is read for this time, from 1.
    Read(&'a str, usize),
    /// A symbolic link is read.
    Link(&'a str),
    /// A name is looked at once more.
    Look(&'a str),
}

type Hook = Arc<dyn Fn(Step<'_>) + Send + Sync>;

/// How many bytes one read gives at most.
type Most = Option<usize>;

/// A folder on disk, and what happens before each step.
pub(super) struct Hooked {
    inner: LocalSource,
    hook: Hook,
    most: Most,
}

impl Hooked {
    pub(super) fn new(folder: &Path, hook: impl Fn(Step<'_>) + Send + Sync + 'static) -> Self {
        Self { inner: LocalSource::new(&[folder]).expect("it is there"), hook: Arc::new(hook), most: None }
    }

    /// Whose reads are short.
    pub(super) fn with_short_reads(mut self, most: usize) -> Self {
        self.most = Some(most);
        self
    }
}

impl Source for Hooked {
    fn kind(&self) -> SourceKind {
        SourceKind::Files
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
        Ok(Arc::new(HookedDirectory { inner: self.inner.roots()?, hook: Arc::clone(&self.hook), most: self.most }))
    }
}

struct HookedDirectory {
    inner: Arc<dyn Directory>,
    hook: Hook,
    most: Most,
}

/// The last part of a path, or the name of an entry.
fn text(name: &[u8]) -> &str {
    let name = std::str::from_utf8(name).expect("text");
    name.rsplit('/').next().expect("a last part")
}

impl Directory for HookedDirectory {
    fn entries(&self) -> Result<Listing, SourceError> {
        self.inner.entries()
    }

    fn look(&self, name: &[u8]) -> Result<Metadata, SourceError> {
        (self.hook)(Step::Look(text(name)));
        self.inner.look(name)
    }

    fn directory(&self, name: &[u8], expected: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        (self.hook)(Step::Enter(text(name)));
        let inner = self.inner.directory(name, expected)?;
        Ok(Arc::new(Self { inner, hook: Arc::clone(&self.hook), most: self.most }))
    }

    fn file(&self, name: &[u8], expected: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        (self.hook)(Step::Open(text(name)));
        let inner = self.inner.file(name, expected)?;
        let name = text(name).to_owned();
        Ok(Box::new(HookedFile { inner, name, hook: Arc::clone(&self.hook), most: self.most, reads: 0 }))
    }

    fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, SourceError> {
        (self.hook)(Step::Link(text(name)));
        self.inner.link_target(name)
    }

    fn attributes(&self, name: &[u8], kind: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        self.inner.attributes(name, kind)
    }
}

struct HookedFile {
    inner: Box<dyn SourceFile>,
    name: String,
    hook: Hook,
    most: Most,
    reads: usize,
}

impl SourceFile for HookedFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Portion, SourceError> {
        self.reads += 1;
        (self.hook)(Step::Read(&self.name, self.reads));
        let length = buffer.len().min(self.most.unwrap_or(usize::MAX));
        self.inner.read(&mut buffer[..length])
    }

    fn metadata(&self) -> Result<Metadata, SourceError> {
        self.inner.metadata()
    }

    fn clock_lag_seconds(&self) -> u32 {
        self.inner.clock_lag_seconds()
    }

    fn is_made_up(&self) -> bool {
        self.inner.is_made_up()
    }

    fn attributes(&self) -> Result<ExtendedAttributes, UnreadAttributes> {
        self.inner.attributes()
    }
}
