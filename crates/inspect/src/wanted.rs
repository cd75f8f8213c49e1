//! What is looked for: names and paths, kinds, times and sizes.

use lbak_core::{
    error::{Error, Result},
    metadata::{FileKind, Timestamp},
    observe::Cancellation,
    patterns::{Choice, Patterns},
    tree::Entry,
};

/// What is looked for. Everything that is given must be true of what is found.
#[derive(Clone, Debug, Default)]
pub struct FindOptions {
    /// Names and paths as raw bytes, as [`Patterns`] understands them; one of them must match. None at all: every name.
    pub patterns: Vec<Vec<u8>>,
    /// The same, without telling upper case from lower case.
    pub patterns_any_case: Vec<Vec<u8>>,
    /// One of these kinds; none at all: every kind.
    pub kinds: Vec<FileKind>,
    /// Content last changed at this time or later.
    pub newer: Option<Timestamp>,
    /// Content last changed before this time.
    pub older: Option<Timestamp>,
    /// Regular files of more bytes than this.
    pub larger: Option<u64>,
    /// Regular files of fewer bytes than this.
    pub smaller: Option<u64>,
    /// Stops it.
    pub cancellation: Cancellation,
}

/// The options, made ready.
pub(crate) struct Wanted<'a> {
    options: &'a FindOptions,
    patterns: Patterns,
}

impl<'a> Wanted<'a> {
    /// # Errors
    /// [`Error::Invalid`] with a pattern that can match nothing.
    pub(crate) fn new(options: &'a FindOptions) -> Result<Self> {
        let none: &[&str] = &[];
        let patterns = Patterns::with_case(none, none, &options.patterns, &options.patterns_any_case)?;
        let is_any_given = !options.patterns.is_empty() || !options.patterns_any_case.is_empty();
        if is_any_given && !patterns.is_selective() {
            return Err(Error::Invalid { what: "no pattern that was given names anything".into() });
        }
        Ok(Self { options, patterns })
    }

    /// Tells whether a name at a path, with its root's path and what is below that root, is looked for.
    pub(crate) fn matches(&self, path: &[u8], below_root: &[u8], entry: &Entry) -> bool {
        let is_directory = entry.kind() == FileKind::Directory;
        let is_named =
            !self.patterns.is_selective() || self.patterns.choose(path, below_root, is_directory) == Choice::Wanted;
        is_named && self.fits(entry)
    }

    /// Tells whether the conditions besides the name hold.
    pub(crate) fn fits(&self, entry: &Entry) -> bool {
        let FindOptions { kinds, newer, older, larger, smaller, .. } = self.options;
        let kind = entry.kind();
        let is_sized = larger.is_none() && smaller.is_none() || kind == FileKind::File;
        (kinds.is_empty() || kinds.contains(&kind))
            && newer.is_none_or(|newer| entry.mtime >= newer)
            && older.is_none_or(|older| entry.mtime < older)
            && is_sized
            && larger.is_none_or(|larger| entry.size > larger)
            && smaller.is_none_or(|smaller| entry.size < smaller)
    }

    /// Tells whether something below a directory can match. Roots are always looked into: what is above them is no name of theirs.
    pub(crate) fn may_be_below(&self, path: &[u8], below_root: &[u8], is_root: bool) -> bool {
        is_root || self.patterns.may_lead(path, below_root)
    }

    pub(crate) fn check_cancelled(&self) -> Result<()> {
        self.options.cancellation.check()
    }
}
