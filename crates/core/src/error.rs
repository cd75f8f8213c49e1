//! The one error type of the library crates, and the kinds of trouble that a backend reports.
//!
//! An [`Error`] names the object and what was tried; the cause prints through `source()`. Trouble with
//! the *source* of a backup is not an error: it is a [`Finding`](crate::observe::Finding), so that
//! neither can pass for the other (rule I8).

use std::{fmt, io, path::PathBuf};

use crate::id::SnapshotId;

mod backend;
mod output;
mod shown;

pub use backend::{BackendError, BackendErrorKind};
pub use output::OutputFailure;
pub use shown::{escape, is_hidden};

/// Result of the library crates.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a verb stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The backend failed; nothing was committed.
    #[error("cannot {action} {object}")]
    Store {
        /// "read", "write", "list", "remove".
        action: &'static str,
        /// Name of the object or prefix.
        object: String,
        /// What the backend said.
        #[source]
        source: BackendError,
    },
    /// Stored bytes are not what was written.
    #[error("{object} is damaged: {what}")]
    Damaged {
        /// Name of the object.
        object: String,
        /// What is wrong with it.
        what: String,
    },
    /// A chunk that something refers to is in no segment of the index.
    #[error("{what} is not in the index")]
    Lost {
        /// The chunk and what needs it.
        what: String,
    },
    /// Written by a newer version, or with a feature that this one does not know.
    #[error("{object} needs {needs}, which this version does not know")]
    Newer {
        /// Name of the object.
        object: String,
        /// The version or feature that it asks for.
        needs: String,
    },
    /// There is no repository.
    #[error("no lbak repository at {place}")]
    NoRepository {
        /// Where it was looked for.
        place: String,
    },
    /// There is a repository already, or something else lies where it should be made.
    #[error("{place} is not empty: {holds}")]
    NotEmpty {
        /// Where it was to be made.
        place: String,
        /// What was found there.
        holds: String,
    },
    /// The repository is not the one that was expected.
    #[error("{place} holds repository {found}, not {expected}")]
    OtherRepository {
        /// Where it lies.
        place: String,
        /// Id found.
        found: String,
        /// Id expected.
        expected: String,
    },
    /// No slot opens with the given password or key.
    #[error("{}", tell_slots(what, *slots, place))]
    WrongKey {
        /// "the password", "the key file".
        what: &'static str,
        /// How many slots of that kind there are.
        slots: usize,
        /// Where the repository lies.
        place: String,
    },
    /// A key slot asks for more memory or time than is sane.
    #[error("{object} asks for absurd password hashing: {what}")]
    AbsurdSlot {
        /// Name of the slot.
        object: String,
        /// The parameters.
        what: String,
    },
    /// No snapshot fits what was asked for.
    #[error("no snapshot matches {asked}")]
    NoSnapshot {
        /// The selection as given.
        asked: String,
    },
    /// Several snapshots begin with the given id.
    #[error("{asked} is ambiguous: {} snapshots begin with it", matches.len())]
    AmbiguousSnapshot {
        /// The prefix as given.
        asked: String,
        /// All that begin with it.
        matches: Vec<SnapshotId>,
    },
    /// The selection leaves snapshots of several hosts or paths.
    #[error("{asked} could mean several backups: {}", groups.join("; "))]
    SeveralGroups {
        /// The selection as given.
        asked: String,
        /// Host and paths of each.
        groups: Vec<String>,
    },
    /// A path that was named is not in the snapshot.
    #[error("{path} is not in snapshot {snapshot}")]
    NotInSnapshot {
        /// The path as given, escaped.
        path: String,
        /// The snapshot looked into.
        snapshot: SnapshotId,
    },
    /// A path that was named can not be backed up at all.
    #[error("cannot read {}", path.display())]
    Source {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A stream that was to be backed up did not come as it should; nothing was committed.
    #[error("the stream {path} {failure}")]
    Stream {
        /// Its path in the snapshot, escaped.
        path: String,
        /// What was wrong with it.
        failure: OutputFailure,
    },
    /// A command whose output was to be backed up failed; nothing was committed.
    #[error("the command `{command}` {failure}{}", output::LastWords(said))]
    Command {
        /// Its words, escaped.
        command: String,
        /// What was wrong with it.
        failure: OutputFailure,
        /// The last 64 KiB of what it wrote to standard error, escaped line by line.
        said: String,
    },
    /// Reclaiming closed the session and took some of what was stored of a source that can be read only once.
    #[error("a part of {path} was taken by reclaiming before it was committed, and it can not be read a second time")]
    ReadOnce {
        /// The path, escaped.
        path: String,
    },
    /// The place to restore to can not be used.
    #[error("cannot {action} {}", path.display())]
    Target {
        /// What was tried.
        action: &'static str,
        /// The place.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The place to restore to holds something already.
    #[error("{} is not empty", path.display())]
    TargetNotEmpty {
        /// The place.
        path: PathBuf,
    },
    /// What was asked for makes no sense.
    #[error("{what}")]
    Invalid {
        /// What is wrong with it.
        what: String,
    },
    /// Something does not fit a limit of the format.
    #[error("{what} is larger than the format allows ({limit})")]
    TooLarge {
        /// What it is.
        what: String,
        /// The limit with its unit.
        limit: String,
    },
    /// Someone else keeps closing this writer's sessions.
    #[error("lost {times} sessions in a row to reclaiming on {place}")]
    SessionsLost {
        /// How often it was tried.
        times: u32,
        /// Where the repository lies.
        place: String,
    },
    /// What a changed snapshot refers to is being reclaimed, or was not found; nothing was changed.
    #[error("too late: {what}")]
    TooLate {
        /// What is missing.
        what: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// The operating system gives no random bytes or no threads.
    #[error("the operating system refuses {what}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// What was just computed is not what it should be: memory or processor of this machine is bad. Nothing was committed.
    #[error("memory or processor of this machine is unreliable: {what}")]
    Unreliable {
        /// What was found.
        what: String,
    },
    /// A worker panicked: a defect in lbak.
    #[error("a worker panicked while {doing}; please report this")]
    Panicked {
        /// What it was doing.
        doing: &'static str,
    },
}

impl Error {
    /// Tells of stored bytes that are not what was written.
    pub fn damaged(object: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self::Damaged { object: object.to_string(), what: what.to_string() }
    }

    /// Tells of a backend's failure with one object.
    pub fn store(action: &'static str, object: impl fmt::Display, source: BackendError) -> Self {
        Self::Store { action, object: object.to_string(), source }
    }

    /// Tells whether it concerns one stored object alone: damage, or something that a newer version wrote. What does not
    /// need that object goes on.
    #[must_use]
    pub fn is_of_one_object(&self) -> bool {
        self.is_damage() || matches!(self, Self::Newer { .. })
    }

    /// The object that is damaged or missing, where one is at fault.
    #[must_use]
    pub fn damaged_object(&self) -> Option<&str> {
        match self {
            Self::Damaged { object, .. } => Some(object),
            Self::Store { object, .. } if self.is_damage() => Some(object),
            _ => None,
        }
    }

    /// Tells whether reading once more may help: the bytes were wrong, or the store could not give them. What is not there is no such thing.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Store { source, .. } => source.kind == BackendErrorKind::Corrupt,
            _ => false,
        }
    }

    /// Tells whether the stored bytes are at fault: damaged, missing where something refers to them, or unreadable.
    ///
    /// Restore and verify go on after such an error, name what is lost and report damage.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Lost { .. } => true,
            Self::Store { action, source, .. } => {
                *action == "read" && matches!(source.kind, BackendErrorKind::NotFound | BackendErrorKind::Corrupt)
            }
            _ => false,
        }
    }
}

/// What is said when no slot opens.
fn tell_slots(what: &str, slots: usize, place: &str) -> String {
    match slots {
        0 => format!("{place} has no key slot that {what} could open"),
        _ => format!("{what} opens none of the key slots of {place}: {slots} could be tried"),
    }
}
