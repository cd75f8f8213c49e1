//! What a backend reports: the kinds of trouble that callers treat differently, and what the system said.

use std::{fmt, io};

/// What a backend reports; the caller adds the object's name.
#[derive(Debug, thiserror::Error)]
#[error("{}", .source.as_ref().map_or_else(|| kind.to_string(), ToString::to_string))]
pub struct BackendError {
    /// What callers decide by.
    pub kind: BackendErrorKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of trouble that callers treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendErrorKind {
    /// No object of that name.
    NotFound,
    /// An object of that name is there already; it was not changed.
    AlreadyExists,
    /// The object is shorter than the range that was asked for, or the medium can not read it.
    Corrupt,
    /// Not allowed.
    Denied,
    /// No room.
    Full,
    /// No answer in time; trying again may help.
    Unreachable,
    /// Anything else.
    Other,
}

impl fmt::Display for BackendErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such object",
            Self::AlreadyExists => "the object exists already",
            Self::Corrupt => "the object is shorter than expected",
            Self::Denied => "permission denied",
            Self::Full => "no space left",
            Self::Unreachable => "the store does not answer",
            Self::Other => "the store failed",
        })
    }
}

impl BackendError {
    /// An error of a kind with its cause.
    pub fn new(kind: BackendErrorKind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kind, source: Some(source.into()) }
    }
}

impl From<BackendErrorKind> for BackendError {
    fn from(kind: BackendErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl From<io::Error> for BackendError {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => BackendErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => BackendErrorKind::AlreadyExists,
            io::ErrorKind::UnexpectedEof => BackendErrorKind::Corrupt,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => BackendErrorKind::Denied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                BackendErrorKind::Full
            }
            io::ErrorKind::TimedOut => BackendErrorKind::Unreachable,
            // EIO has no kind of its own: the medium can not give the bytes back.
            _ if error.raw_os_error() == Some(5) => BackendErrorKind::Corrupt,
            _ => BackendErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
