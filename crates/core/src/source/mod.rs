//! What can be backed up: a directory tree on a disk, one made in memory, or whatever else implements [`Source`].
//!
//! A source is read from the top: [`Source::roots`] is a directory whose names are absolute paths, and every
//! [`Directory`] gives its names in order, then whatever stands behind a name. Nothing is changed in a source, and
//! nothing is held of it but what the caller holds.
//!
//! ```
//! use lbak_core::source::{Directory, MemoryNode, MemorySource, Portion, Source};
//!
//! let source = MemorySource::new([("/notes", MemoryNode::directory([("a", MemoryNode::file("hello"))]))]);
//! let roots = source.roots()?;
//! let found = roots.entries()?.next().expect("one root").expect("it was looked at");
//! let notes = roots.directory(&found.name, &found.metadata)?;
//! let found = notes.entries()?.next().expect("one file").expect("it was looked at");
//! let mut file = notes.file(&found.name, &found.metadata)?;
//! let mut buffer = [0; 16];
//! assert_eq!(file.read(&mut buffer)?, Portion::Data(5));
//! # Ok::<(), lbak_core::source::SourceError>(())
//! ```
//!
//! Trouble here is a [`SourceError`], never an [`Error`](crate::error::Error): one unreadable file is no reason to
//! stop, a failing repository is (rule I8). The exception is [`Source::finish`], with which a whole source speaks.

use std::{fmt, io, sync::Arc};

use crate::{
    error::Result,
    metadata::{FileKind, Metadata},
};

mod attributes;

mod local;

mod memory;

mod selected;

mod one_file;

mod proof;

mod waiting;

mod stream;

mod command;

pub use attributes::{ExtendedAttributes, UnreadAttributes};
pub use command::{CommandSource, Listener, words_for_people};
pub use local::LocalSource;
pub use memory::{MemoryNode, MemorySource};
pub use selected::{ExclusionCount, Marker, SelectedSource, SelectionRules};
pub use stream::StreamSource;

/// Something that can be backed up.
pub trait Source: Send + Sync {
    /// What the snapshot will say that it was made from.
    fn kind(&self) -> SourceKind;

    /// Returns the directory of what was named. Its names are absolute, normal paths; no one lies below another.
    ///
    /// # Errors
    /// When nothing can be read at all. A single root that can not be looked at is reported by the listing.
    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError>;

    /// Tells whether it can be read a second time. A file of a source for which this is false is opened once, and is read
    /// whatever it looks like.
    fn is_repeatable(&self) -> bool {
        true
    }

    /// Called after everything was read and stored, before the commit: the last word on whether this is a backup. Called
    /// again when the session was lost meanwhile.
    ///
    /// # Errors
    /// Then nothing is committed. It is an error and no finding, because all of the source is in question.
    fn finish(&self) -> Result<SourceOutcome> {
        Ok(SourceOutcome::Read)
    }

    /// Called from another thread when the run was given up while something may still be reading: a read that waits for
    /// somebody else ends now, with any error.
    fn stop(&self) {}
}

/// What a source says when all of it was read; a snapshot records it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceOutcome {
    /// It was read.
    #[default]
    Read,
    /// A command was run for it.
    Ran {
        /// Its words, as they were given to the system.
        words: Vec<Vec<u8>>,
        /// Its exit status.
        status: i32,
    },
}

/// What a source is, as a snapshot records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceKind {
    /// Files and directories.
    Files,
    /// One stream of bytes.
    Stream,
    /// The output of a command.
    Command,
}

/// One directory.
///
/// All methods may be called from several threads. Names are raw bytes of one path component (of an absolute path in
/// [`Source::roots`]). What a name stands for may change between any two calls: every call looks anew, reports what is
/// gone as [`SourceErrorKind::Vanished`] and what has become another kind of file as [`SourceErrorKind::Changed`], and
/// never follows a symbolic link, opens a FIFO or a device, or waits for another program.
pub trait Directory: Send + Sync {
    /// Returns what is in the directory, sorted by raw bytes of the names, each name once.
    ///
    /// Names are read at once, each is looked at when its turn comes.
    ///
    /// # Errors
    /// When the directory can not be read; a single name that can not be looked at is an [`Unlisted`] of the listing.
    fn entries(&self) -> Result<Listing, SourceError>;

    /// Looks at one name anew, when something else has taken its place since it was listed.
    ///
    /// # Errors
    /// [`SourceErrorKind::Vanished`] when it is not shown any more.
    fn look(&self, name: &[u8]) -> Result<Metadata, SourceError> {
        // Right for every source, and seldom enough asked to be slow.
        let found = self.entries()?.find_map(|found| match found {
            Ok(found) => (found.name == name).then_some(Ok(found.metadata)),
            Err(unlisted) => (unlisted.name == name).then_some(Err(unlisted.error)),
        });
        found.unwrap_or_else(|| Err(SourceError::new(SourceErrorKind::Vanished, "no such name")))
    }

    /// Opens a directory of this directory. `expected` is what the listing said.
    ///
    /// # Errors
    /// [`SourceErrorKind::Changed`] when another directory or something else has taken its place.
    fn directory(&self, name: &[u8], expected: &Metadata) -> Result<Arc<dyn Directory>, SourceError>;

    /// Opens a regular file of this directory. `expected` is what the listing said.
    ///
    /// Programs replace files by renaming others over them, so this may be another file than the one that was listed:
    /// [`SourceFile::metadata`] tells about what was opened.
    ///
    /// # Errors
    /// [`SourceErrorKind::Changed`] when it is no regular file any more.
    fn file(&self, name: &[u8], expected: &Metadata) -> Result<Box<dyn SourceFile>, SourceError>;

    /// Returns the raw bytes of a symbolic link.
    ///
    /// # Errors
    /// [`SourceErrorKind::Changed`] when it is no symbolic link any more.
    fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, SourceError>;

    /// Returns the extended attributes of a name, sorted; none where there is no such thing.
    ///
    /// For a file that is open, [`SourceFile::attributes`] is surer and costs less.
    ///
    /// # Errors
    /// When some attribute is there and can not be read; those that can are in it.
    fn attributes(&self, name: &[u8], kind: FileKind) -> Result<ExtendedAttributes, UnreadAttributes>;

    /// Tells, when the listing was read to its end, whether names were left out of it by choice, or all that the directory holds:
    /// that a name is not there is no evidence then that it was not.
    fn has_left_out(&self) -> bool {
        false
    }

    /// Tells whether a directory of this directory lies on a file system that shows the running system and no files of anybody:
    /// proc, sysfs and their like. Nothing is opened for it that could make another file system appear.
    fn is_pseudo(&self, name: &[u8]) -> bool {
        let _ = name;
        false
    }
}

/// An open regular file, read once from front to end.
pub trait SourceFile: Send {
    /// Puts the next bytes into `buffer`, or tells of a hole, or of the end. An empty buffer gets nothing useful.
    ///
    /// # Errors
    /// When the bytes are there and can not be read; the file is not read on after that.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Portion, SourceError>;

    /// Looks at the open file anew.
    ///
    /// # Errors
    /// When the system refuses.
    fn metadata(&self) -> Result<Metadata, SourceError>;

    /// Seconds by which the clock that sets the file's ctime may be behind the one of this machine. A file that changed
    /// within so many seconds, and the minute that files are given to settle, is read again next time (rule I13).
    fn clock_lag_seconds(&self) -> u32 {
        0
    }

    /// Tells whether the system makes the content up when it is read, as in `/proc` and `/sys`: then its size is no promise,
    /// and it need not have an end. Asked only about a file that is not as long as it says, or says that it is very long.
    fn is_made_up(&self) -> bool {
        false
    }

    /// Returns the extended attributes, sorted by name; none where there is no such thing.
    ///
    /// # Errors
    /// When some attribute is there and can not be read; those that can are in it.
    fn attributes(&self) -> Result<ExtendedAttributes, UnreadAttributes>;
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// So many bytes at the front of the buffer, at least one.
    Data(usize),
    /// So many zeros that take no room, at least one; the buffer is as it was.
    Hole(u64),
    /// Nothing: the end of the file.
    End,
}

/// What is in a directory, in the order of the names.
pub type Listing = Box<dyn Iterator<Item = Result<Found, Unlisted>> + Send>;

/// A name of a directory and what it stood for when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Raw bytes.
    pub name: Vec<u8>,
    /// What it is.
    pub metadata: Metadata,
}

/// A name of a directory that could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{}", crate::error::escape(name))]
pub struct Unlisted {
    /// Raw bytes.
    pub name: Vec<u8>,
    /// Why.
    #[source]
    pub error: SourceError,
}

/// Why something could not be read from a source.
#[derive(Debug)]
pub struct SourceError {
    /// What callers decide by.
    pub kind: SourceErrorKind,
    /// What the system said.
    pub error: io::Error,
}

/// The kinds of trouble with a source that callers treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceErrorKind {
    /// It was listed and is gone.
    Vanished,
    /// Not allowed.
    Denied,
    /// Something else has taken its place.
    Changed,
    /// Anything else.
    Other,
}

impl SourceError {
    /// An error of a kind in words.
    pub fn new(kind: SourceErrorKind, what: &str) -> Self {
        Self { kind, error: io::Error::other(what.to_owned()) }
    }
}

impl From<io::Error> for SourceError {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => SourceErrorKind::Vanished,
            io::ErrorKind::PermissionDenied => SourceErrorKind::Denied,
            // A server has another file, or none, where this one was.
            io::ErrorKind::StaleNetworkFileHandle => SourceErrorKind::Changed,
            _ => SourceErrorKind::Other,
        };
        Self { kind, error }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SourceErrorKind::Vanished => f.write_str("it is gone"),
            SourceErrorKind::Changed => write!(f, "something else has taken its place: {}", self.error),
            SourceErrorKind::Denied | SourceErrorKind::Other => self.error.fmt(f),
        }
    }
}

// `source()` stays empty: the system's words stand in the message, and the chain would repeat them.
impl std::error::Error for SourceError {}
