//! What a verb tells while it works, and how it is told to stop.
//!
//! ```
//! use lbak_core::observe::{Event, Observer};
//!
//! struct Counter(std::sync::atomic::AtomicU64);
//! impl Observer for Counter {
//!     fn event(&self, event: &Event<'_>) {
//!         if let Event::Finding(_) = event {
//!             self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
//!         }
//!     }
//! }
//! ```
//!
//! Nothing here prints. Events come from several threads; they are told, not asked: a slow observer slows the verb.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::error::{Error, Result, escape};

mod exclusion;

pub use exclusion::Exclusion;

/// Receives events. Every method has a default, so that an observer names only what it wants.
pub trait Observer: Send + Sync {
    /// Called from any thread, often; must not block for long.
    fn event(&self, event: &Event<'_>) {
        let _ = event;
    }

    /// Tells whether [`Event::Read`] and [`Event::Excluded`] are wanted. Asked once, when a verb begins: putting together the path of every file
    /// costs something.
    fn wants_paths(&self) -> bool {
        false
    }
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The verb has come to another stage.
    Stage(Stage),
    /// How far it is.
    Progress(Progress),
    /// Something was wrong that did not stop the work.
    Finding(&'a Finding),
    /// Something worth a line in a verbose log.
    Note(&'a str),
    /// Something of the source is read, and not taken over from an earlier snapshot. Told only to an observer that
    /// [wants paths](Observer::wants_paths), in the order of the walk, before it is read; in a dry run too.
    Read {
        /// Raw bytes of the path.
        path: &'a [u8],
        /// Bytes of a file, as it was listed; 0 for everything else.
        bytes: u64,
        /// Why.
        reason: ReadReason,
    },
    /// Something of the source is left out because that was asked for. Told as [`Event::Read`] is, once for a directory with
    /// all that is below it.
    Excluded {
        /// Raw bytes of the path.
        path: &'a [u8],
        /// Why.
        exclusion: Exclusion,
    },
    /// What a restore has done with one entry, or would do. Told only to an observer that [wants paths](Observer::wants_paths).
    Restored {
        /// What.
        action: Action,
        /// Raw bytes of its path in the snapshot.
        path: &'a [u8],
        /// What was touched, or would be.
        target: &'a Path,
        /// Size of a file.
        bytes: u64,
    },
}

/// Why something of a source is read and not taken over from an earlier snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadReason {
    /// There is nothing to compare it with: a full snapshot, or a directory whose earlier tree is damaged.
    Uncompared,
    /// It was not there before.
    New,
    /// It is not as it was; this is what was seen first.
    Changed(Difference),
    /// It looks as it did, but was read so soon after its last change that this proves nothing.
    Unsettled,
    /// It looks as it did, but changed while it was read.
    WasChanging,
    /// It looks as it did, but part of its metadata could not be read.
    WasIncomplete,
    /// It looks as it did, but what is stored of it can not be relied on: its pack is damaged or may be reclaimed.
    Untrusted,
    /// It is a stream: nothing is known of it before it is read.
    ReadOnce,
}

/// What is seen to differ between a file and its entry in an earlier snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Difference {
    /// It was of another kind: a directory, say.
    Kind,
    /// Its length.
    Size,
    /// The time of its last change.
    Mtime,
    /// It is another file of that name.
    Inode,
    /// It has become, or is no more, one of several names of a file.
    Links,
    /// Its permissions or owner.
    Metadata,
    /// Only the time that the system keeps of changes of content, attributes and everything else.
    Ctime,
}

impl fmt::Display for ReadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uncompared => "nothing to compare it with",
            Self::New => "new",
            Self::Changed(difference) => return write!(f, "changed: {difference}"),
            Self::Unsettled => "read just after a change the last time",
            Self::WasChanging => "changed while it was read the last time",
            Self::WasIncomplete => "not read completely the last time",
            Self::Untrusted => "what is stored of it can not be relied on",
            Self::ReadOnce => "a stream",
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "kind of file",
            Self::Size => "size",
            Self::Mtime => "mtime",
            Self::Inode => "inode",
            Self::Links => "hard links",
            Self::Metadata => "permissions or owner",
            Self::Ctime => "ctime",
        })
    }
}

/// What a restore has done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was not there.
    Created,
    /// It was there and differed.
    Updated,
    /// It was there and stays as it is.
    Kept,
    /// It was there and is not in the snapshot.
    Deleted,
}

/// What a verb is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Reading what the repository knows.
    Opening,
    /// Reading the source and storing what is new.
    Capturing,
    /// Making the snapshot visible.
    Committing,
    /// Reading trees.
    Planning,
    /// Writing files.
    Restoring,
    /// Checking that everything is where the index says.
    Structure,
    /// Reading and checking stored bytes.
    ReadingData,
}

/// Counts so far. Totals are there when they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files finished.
    pub files: u64,
    /// Files expected in all.
    pub total_files: Option<u64>,
    /// Bytes finished: of the source for a snapshot, of the target for a restore, of objects for a check.
    pub bytes: u64,
    /// Bytes expected in all.
    pub total_bytes: Option<u64>,
    /// Bytes that were new to the repository, before compression.
    pub new_bytes: u64,
    /// Bytes that the repository grew by.
    pub stored_bytes: u64,
}

/// Something wrong that did not stop the work: it is recorded, counted and makes the exit code 3 or 20.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// What kind of trouble.
    pub kind: FindingKind,
    /// Raw bytes of the path, or the name of the object.
    pub path: Vec<u8>,
    /// What the system said.
    pub message: String,
}

impl Finding {
    /// What is said of an object that was read wrongly once and rightly the second time.
    #[must_use]
    pub fn misread(object: &impl ToString) -> Self {
        let message = "was read wrongly once and rightly the second time: look at memory, cable and disk".to_owned();
        Self { kind: FindingKind::Misread, path: object.to_string().into_bytes(), message }
    }
}

/// Kinds of findings. Stored as numbers: new ones are added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum FindingKind {
    /// It was there and could not be read.
    Unreadable,
    /// It was listed and gone when it was opened. Counted, but no reason for exit code 3.
    Vanished,
    /// It kept changing while it was read; what was read last is stored.
    Changed,
    /// A kind of file that is not backed up (a socket, say).
    Skipped,
    /// Its content is stored, part of its metadata could not be read.
    MetadataUnread,
    /// It was restored, part of its metadata could not be set.
    MetadataUnset,
    /// It could not be written at restore.
    Unwritable,
    /// It could not be restored, because stored bytes are damaged or missing.
    Lost,
    /// A stored object is damaged or missing.
    DamagedObject,
    /// A directory of the parent snapshot could not be opened; it was read as in a full snapshot.
    ParentUnread,
    /// A stored object was read wrongly once and rightly the second time: what was done with it is right, the machine is doubtful.
    Misread,
}

impl FindingKind {
    /// Tells whether it makes the outcome less than was asked for (exit code 3): everything but what vanished by itself,
    /// what is never backed up, and what only cost time or went well at the second try.
    #[must_use]
    pub fn is_incomplete(self) -> bool {
        !matches!(self, Self::Vanished | Self::Skipped | Self::ParentUnread | Self::Misread)
    }

    /// Tells whether it is damage in the repository (exit code 20).
    #[must_use]
    pub fn is_damage(self) -> bool {
        matches!(self, Self::Lost | Self::DamagedObject)
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "unreadable",
            Self::Vanished => "vanished",
            Self::Changed => "changed while read",
            Self::Skipped => "skipped",
            Self::MetadataUnread => "metadata not read",
            Self::MetadataUnset => "metadata not set",
            Self::Unwritable => "not written",
            Self::Lost => "lost",
            Self::DamagedObject => "damaged",
            Self::ParentUnread => "parent not readable",
            Self::Misread => "misread",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.kind, escape(&self.path), self.message)
    }
}

/// A switch that stops verbs at their next step. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Asks every verb that has this switch to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether it was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Passes while nobody asked to stop.
    ///
    /// # Errors
    /// [`Error::Cancelled`] afterwards.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}
