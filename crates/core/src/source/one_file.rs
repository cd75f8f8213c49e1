//! The directory of a source that is one file and can be opened once: what streams and commands have in common.
//!
//! Whoever reads the file sees its end only when all that was asked of it holds; anything else is an error that is kept
//! for [`Source::finish`](super::Source::finish), which lets nothing be committed then.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::{
    Directory, ExtendedAttributes, Found, Listing, Portion, SourceError, SourceErrorKind, SourceFile, UnreadAttributes,
    proof::{Follower, Proof},
};
use crate::{
    error::{Error, OutputFailure, Result, escape},
    metadata::{FileKind, Metadata, Timestamp},
};

/// Bytes that somebody sends.
pub(super) trait Output: Send {
    /// Reads like [`std::io::Read`]; 0 is the end, and means that the sender is known to be content.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, OutputFailure>;
}

/// Begins the output: called once.
pub(super) type Open = dyn Fn() -> Result<Box<dyn Output>, OutputFailure> + Send + Sync;

/// How far reading came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unread,
    Reading,
    Ended,
    Failed(OutputFailure),
}

/// How far reading came, for the source and for its file.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<State>);

impl Progress {
    /// Passes when all was read and nothing was wrong with it.
    pub(super) fn check(&self) -> Result<(), OutputFailure> {
        match &*self.state() {
            State::Ended => Ok(()),
            State::Failed(failure) => Err(failure.clone()),
            State::Unread | State::Reading => Err(OutputFailure::GivenUp),
        }
    }

    fn fail(&self, failure: OutputFailure) -> SourceError {
        let error = SourceError::new(SourceErrorKind::Other, &failure.to_string());
        *self.state() = State::Failed(failure);
        error
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The directory.
pub(super) struct OneFile {
    name: Vec<u8>,
    metadata: Metadata,
    proof: Proof,
    progress: Arc<Progress>,
    open: Box<Open>,
}

impl OneFile {
    pub(super) fn new(
        path: &[u8],
        modified_at: Option<Timestamp>,
        proof: Proof,
        progress: &Arc<Progress>,
        open: Box<Open>,
    ) -> Self {
        let time = modified_at.unwrap_or_else(|| SystemTime::now().into());
        let metadata = Metadata {
            kind: FileKind::File,
            // A dump holds what the database keeps from others.
            mode: 0o600,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            mtime: time,
            ctime: time,
            links: 1,
            ..Metadata::default()
        };
        Self { name: path.to_vec(), metadata, proof, progress: Arc::clone(progress), open }
    }

    fn refuse<T>() -> Result<T, SourceError> {
        Err(SourceError::new(SourceErrorKind::Changed, "it is a stream"))
    }
}

impl fmt::Debug for OneFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneFile").field("name", &escape(&self.name)).finish_non_exhaustive()
    }
}

impl Directory for OneFile {
    fn entries(&self) -> Result<Listing, SourceError> {
        let found = Found { name: self.name.clone(), metadata: self.metadata.clone() };
        Ok(Box::new(std::iter::once(Ok(found))))
    }

    fn directory(&self, _: &[u8], _: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        Self::refuse()
    }

    fn file(&self, name: &[u8], _: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        if name != self.name {
            return Err(SourceError::new(SourceErrorKind::Vanished, "no such name"));
        }
        let before = std::mem::replace(&mut *self.progress.state(), State::Reading);
        if before != State::Unread {
            return Err(self.progress.fail(OutputFailure::Unread("it was opened a second time".into())));
        }
        let output = (self.open)().map_err(|failure| self.progress.fail(failure))?;
        Ok(Box::new(OpenFile {
            output,
            follower: Follower::new(self.proof.clone()),
            metadata: self.metadata.clone(),
            progress: Arc::clone(&self.progress),
        }))
    }

    fn link_target(&self, _: &[u8]) -> Result<Vec<u8>, SourceError> {
        Self::refuse()
    }

    fn attributes(&self, _: &[u8], _: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        Ok(Vec::new())
    }
}

/// The file, while it is read. Its size stays 0, as that of other files whose length nobody knows.
struct OpenFile {
    output: Box<dyn Output>,
    follower: Follower,
    metadata: Metadata,
    progress: Arc<Progress>,
}

impl SourceFile for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Portion, SourceError> {
        let length = self.output.read(buffer).map_err(|failure| self.progress.fail(failure))?;
        if length > 0 {
            self.follower.take(&buffer[..length]);
            return Ok(Portion::Data(length));
        }
        self.follower.check().map_err(|failure| self.progress.fail(failure))?;
        *self.progress.state() = State::Ended;
        Ok(Portion::End)
    }

    fn metadata(&self) -> Result<Metadata, SourceError> {
        Ok(self.metadata.clone())
    }

    fn attributes(&self) -> Result<ExtendedAttributes, UnreadAttributes> {
        Ok(Vec::new())
    }
}

/// Makes the name of a stream the absolute path that it has in the snapshot.
///
/// Slashes part it as they part other paths; the directories above it are not in the snapshot.
pub(super) fn path_of(name: &[u8]) -> Result<Vec<u8>> {
    let what = |why: &str| Error::Invalid { what: format!("the name `{}` of a stream {why}", escape(name)) };
    let relative = name.strip_prefix(b"/").unwrap_or(name);
    for component in relative.split(|&byte| byte == b'/') {
        match component {
            b"" => return Err(what("is empty, or has an empty part")),
            b"." | b".." => return Err(what("has a part that is a dot or two")),
            _ if component.contains(&0) => return Err(what("contains a zero byte")),
            // No file system could restore it.
            _ if component.len() > 255 => return Err(what("has a part of more than 255 bytes")),
            _ => {}
        }
    }
    let path = [b"/", relative].concat();
    // One less than Linux allows, for the zero behind it.
    if path.len() < 4096 { Ok(path) } else { Err(what("is longer than 4,095 bytes")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_absolute_paths_or_are_refused() {
        for (name, path) in [("stdin", "/stdin"), ("/db.sql", "/db.sql"), ("pg/db one.sql", "/pg/db one.sql")] {
            assert_eq!(path_of(name.as_bytes()).ok().as_deref(), Some(path.as_bytes()));
        }
        assert_eq!(path_of(b"\xff\n").ok().as_deref(), Some(b"/\xff\n".as_slice()));
        for name in ["", "/", "a/", "//a", "a//b", ".", "a/../b", "a\0", &"x".repeat(256), &"x/".repeat(2048)] {
            assert!(matches!(path_of(name.as_bytes()), Err(Error::Invalid { .. })), "{name:?}");
        }
    }
}
