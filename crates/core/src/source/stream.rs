//! A stream of bytes as a source: one file, under a name that the caller gives it, read once.
//!
//! ```
//! use lbak_core::source::{Portion, Source, StreamSource};
//!
//! let source = StreamSource::new("db.sql", &b"create table t();"[..])?;
//! let roots = source.roots().expect("one name");
//! let found = roots.entries().expect("one name").next().expect("one name").expect("it is there");
//! assert_eq!(found.name, b"/db.sql");
//! # Ok::<(), lbak_core::error::Error>(())
//! ```
//!
//! The end of a stream does not tell whether whoever sent it was done: of a command,
//! [`CommandSource`](super::CommandSource) knows.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Directory, Source, SourceError, SourceKind, SourceOutcome,
    one_file::{OneFile, Output, Progress, path_of},
    proof::Proof,
    waiting::{Limits, Stop, Woken},
};
use crate::{
    error::{Error, OutputFailure, Result, escape},
    metadata::Timestamp,
};

/// How long a wait may be when nothing limits it: it ends by itself, and begins again.
const LONG: Duration = Duration::from_secs(3600);

/// Bytes that come from somewhere and can be read once.
///
/// The snapshot holds one file with them. An empty stream is a failure unless it was allowed.
pub struct StreamSource {
    path: Vec<u8>,
    input: Arc<Mutex<Option<Input>>>,
    stop: Arc<Stop>,
    progress: Arc<Progress>,
    proof: Proof,
    silence_limit: Option<Duration>,
    modified_at: Option<Timestamp>,
}

enum Input {
    Reader(Box<dyn Read + Send>),
    Descriptor(File),
}

impl StreamSource {
    /// A stream under a name: `db.sql` and `/db.sql` become `/db.sql`, `pg/db.sql` becomes `/pg/db.sql`.
    ///
    /// A read that waits can not be interrupted: [`StreamSource::from_descriptor`] can.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that no file can have.
    pub fn new(name: impl AsRef<[u8]>, reader: impl Read + Send + 'static) -> Result<Self> {
        Self::from_input(name.as_ref(), Input::Reader(Box::new(reader)))
    }

    /// A stream that is read from a file descriptor: a pipe, a socket, a file. A wait for it ends when the run is given
    /// up, or after a limit.
    ///
    /// # Errors
    /// As [`StreamSource::new`].
    pub fn from_descriptor(name: impl AsRef<[u8]>, descriptor: impl Into<OwnedFd>) -> Result<Self> {
        Self::from_input(name.as_ref(), Input::Descriptor(descriptor.into().into()))
    }

    fn from_input(name: &[u8], input: Input) -> Result<Self> {
        Ok(Self {
            path: path_of(name)?,
            input: Arc::new(Mutex::new(Some(input))),
            stop: Arc::new(Stop::new()?),
            progress: Arc::default(),
            proof: Proof::default(),
            silence_limit: None,
            modified_at: None,
        })
    }

    /// Takes an empty stream for a backup, too.
    #[must_use]
    pub fn allow_empty(mut self, is_allowed: bool) -> Self {
        self.proof.is_empty_allowed = is_allowed;
        self
    }

    /// Fails when fewer bytes come.
    #[must_use]
    pub fn least_bytes(mut self, bytes: u64) -> Self {
        self.proof.least_bytes = bytes;
        self
    }

    /// Fails when this does not stand in the last 4 KiB.
    #[must_use]
    pub fn trailer(mut self, trailer: impl Into<Vec<u8>>) -> Self {
        self.proof.trailer = trailer.into();
        self
    }

    /// Fails when nothing comes for so long while it is waited for. Of a descriptor only.
    #[must_use]
    pub fn silence_limit(mut self, limit: Option<Duration>) -> Self {
        self.silence_limit = limit;
        self
    }

    /// The time of last change that the file gets: else the moment when reading begins.
    #[must_use]
    pub fn modified_at(mut self, time: Timestamp) -> Self {
        self.modified_at = Some(time);
        self
    }

    /// The path of the file in the snapshot.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        &self.path
    }
}

impl fmt::Debug for StreamSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSource").field("path", &escape(&self.path)).finish_non_exhaustive()
    }
}

impl Source for StreamSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Stream
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
        let (input, stop, silence) = (Arc::clone(&self.input), Arc::clone(&self.stop), self.silence_limit);
        let open = move || -> Result<Box<dyn Output>, OutputFailure> {
            let input = input.lock().unwrap_or_else(PoisonError::into_inner).take();
            let input = input.ok_or_else(|| OutputFailure::Unread("it was read before".into()))?;
            let limits = Limits::new(silence, None);
            Ok(Box::new(Stream { input, stop: Arc::clone(&stop), limits }))
        };
        let file = OneFile::new(&self.path, self.modified_at, self.proof.clone(), &self.progress, Box::new(open));
        Ok(Arc::new(file))
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    fn finish(&self) -> Result<SourceOutcome> {
        let failed = |failure| Error::Stream { path: escape(&self.path), failure };
        self.progress.check().map(|()| SourceOutcome::Read).map_err(failed)
    }

    fn stop(&self) {
        self.stop.stop();
    }
}

/// The stream, while it is read.
struct Stream {
    input: Input,
    stop: Arc<Stop>,
    limits: Limits,
}

impl Output for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, OutputFailure> {
        let asked = Instant::now();
        loop {
            if self.stop.is_on() {
                return Err(OutputFailure::GivenUp);
            }
            let read = match &mut self.input {
                Input::Reader(reader) => reader.read(buffer),
                Input::Descriptor(file) => {
                    match self.stop.wait(Some(file.as_fd()), self.limits.left(asked, LONG)).map_err(unread)? {
                        Woken::Ready => file.read(buffer),
                        Woken::Stopped => continue,
                        Woken::Nothing => {
                            self.limits.check(asked)?;
                            continue;
                        }
                    }
                }
            };
            match read {
                Err(error) if is_worth_another_try(&error) => {}
                read => return read.map_err(unread),
            }
        }
    }
}

/// Whoever opened the descriptor may have made it one that never waits; here is waited before it is read.
pub(super) fn is_worth_another_try(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn unread(error: io::Error) -> OutputFailure {
    OutputFailure::Unread(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};

    use super::*;
    use crate::source::Portion;

    fn read(source: &StreamSource) -> Result<Vec<u8>, SourceError> {
        let roots = source.roots()?;
        let found = roots.entries()?.next().expect("one name").expect("it is there");
        let mut file = roots.file(&found.name, &found.metadata)?;
        let (mut bytes, mut buffer) = (Vec::new(), [0; 7]);
        while let Portion::Data(length) = file.read(&mut buffer)? {
            bytes.extend_from_slice(&buffer[..length]);
        }
        Ok(bytes)
    }

    fn failure_of(source: &StreamSource) -> OutputFailure {
        assert!(read(source).is_err());
        match source.finish() {
            Err(Error::Stream { failure, .. }) => failure,
            other => panic!("it failed: {other:?}"),
        }
    }

    #[test]
    fn anything_that_can_be_read_is_read_to_its_end_once() {
        let source = StreamSource::new("a", &b"some bytes that fill several buffers"[..]).expect("a name");
        assert!(source.finish().is_err(), "it was not read");
        assert_eq!(read(&source).expect("it is read"), b"some bytes that fill several buffers");
        assert_eq!(source.finish().ok(), Some(SourceOutcome::Read));
        assert!(read(&source).is_err(), "once");
    }

    #[test]
    fn a_reader_that_fails_is_no_backup() {
        struct Failing(bool);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    Err(io::Error::other("the line is dead"))
                } else {
                    Ok(buffer.len())
                }
            }
        }
        let source = StreamSource::new("a", Failing(false)).expect("a name");
        assert_eq!(failure_of(&source), OutputFailure::Unread("the line is dead".into()));
        assert_eq!(failure_of(&StreamSource::new("a", io::empty()).expect("a name")), OutputFailure::Empty);
        let short = StreamSource::new("a", &b"abc"[..]).expect("a name").least_bytes(4);
        assert_eq!(failure_of(&short), OutputFailure::TooShort { bytes: 3, least: 4 });
    }

    #[test]
    fn a_descriptor_that_stays_silent_is_not_waited_for_for_ever() {
        let (input, mut output) = pipe().expect("a pipe");
        output.write_all(b"begun").expect("there is room");
        let limit = Duration::from_millis(50);
        let source = StreamSource::from_descriptor("a", input).expect("a name").silence_limit(Some(limit));
        assert_eq!(failure_of(&source), OutputFailure::Silent(limit));

        let (input, _output) = pipe().expect("a pipe");
        let source = StreamSource::from_descriptor("a", input).expect("a name");
        std::thread::scope(|threads| {
            threads.spawn(|| source.stop());
            assert_eq!(failure_of(&source), OutputFailure::GivenUp);
        });
    }
}
