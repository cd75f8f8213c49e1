//! The output of a command as a source: one file, which counts only when the command says that it is whole.
//!
//! ```
//! use lbak_core::source::{CommandSource, Source};
//!
//! let source = CommandSource::new("db.sql", ["pg_dump", "-Fc", "db"])?.least_bytes(1000);
//! assert!(!source.is_repeatable());
//! # Ok::<(), lbak_core::error::Error>(())
//! ```
//!
//! ```text
//! started when its file is opened, in a process group of its own, no shell, standard input empty
//!   → its output to the end → its exit status → what is asked of the output → only then the end of the file
//! ```
//!
//! A dump program that fails in the middle closes its output like one that is done; so nothing is committed before its
//! exit status is known to be 0.

mod output;
mod process;
mod said;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    sync::Arc,
    time::Duration,
};

use self::{output::CommandOutput, process::Process, said::Said};
use super::{
    Directory, Source, SourceError, SourceKind, SourceOutcome,
    one_file::{OneFile, Output, Progress, path_of},
    proof::Proof,
    waiting::{Limits, Stop},
};
use crate::{
    error::{Error, OutputFailure, Result, escape},
    metadata::Timestamp,
};

/// Hears what a command writes to standard error, line by line, from another thread.
pub type Listener = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// How long a command is waited for in the places where it should need no time at all.
#[derive(Clone, Copy, Debug)]
struct Graces {
    /// From the request to end to the end by force.
    ending: Duration,
    /// From its end to that of its output, which processes that it left behind may hold open.
    output: Duration,
}

/// A command whose output is backed up.
pub struct CommandSource {
    path: Vec<u8>,
    words: Vec<OsString>,
    /// Variables of the environment that it does not get.
    kept_back: Vec<OsString>,
    stop: Arc<Stop>,
    progress: Arc<Progress>,
    said: Arc<Said>,
    proof: Proof,
    silence_limit: Option<Duration>,
    time_limit: Option<Duration>,
    graces: Graces,
    modified_at: Option<Timestamp>,
}

impl CommandSource {
    /// A command: the program, found as the system finds it, and its arguments. No shell reads them.
    ///
    /// The name is that of the file in the snapshot, as for [`StreamSource`](super::StreamSource). The words are recorded in
    /// the snapshot: no passwords in them.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that no file can have, and for no words.
    pub fn new<W: Into<OsString>>(name: impl AsRef<[u8]>, words: impl IntoIterator<Item = W>) -> Result<Self> {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        if words.first().is_none_or(|program| program.is_empty()) {
            return Err(Error::Invalid { what: "no command was given".into() });
        }
        Ok(Self {
            path: path_of(name.as_ref())?,
            words,
            kept_back: Vec::new(),
            stop: Arc::new(Stop::new()?),
            progress: Arc::default(),
            said: Arc::default(),
            proof: Proof::default(),
            silence_limit: None,
            time_limit: None,
            graces: Graces { ending: Duration::from_secs(5), output: Duration::from_secs(5) },
            modified_at: None,
        })
    }

    /// Variables of the environment that the command does not get: what is not its affair, such as a password.
    #[must_use]
    pub fn without_variables<V: Into<OsString>>(mut self, names: impl IntoIterator<Item = V>) -> Self {
        self.kept_back.extend(names.into_iter().map(Into::into));
        self
    }

    /// Takes no output for a backup, too.
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

    /// Fails when this does not stand in the last 4 KiB of the output.
    #[must_use]
    pub fn trailer(mut self, trailer: impl Into<Vec<u8>>) -> Self {
        self.proof.trailer = trailer.into();
        self
    }

    /// Fails when nothing comes for so long while it is waited for.
    #[must_use]
    pub fn silence_limit(mut self, limit: Option<Duration>) -> Self {
        self.silence_limit = limit;
        self
    }

    /// Fails when the command has not ended after so long.
    #[must_use]
    pub fn time_limit(mut self, limit: Option<Duration>) -> Self {
        self.time_limit = limit;
        self
    }

    /// Who hears what the command writes to standard error; else it is only kept for the error.
    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.said = Arc::new(Said::to(listener));
        self
    }

    /// The time of last change that the file gets: else the moment when the snapshot is begun.
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

    /// The words, for people: escaped, in quotes where they would not be seen as one.
    #[must_use]
    pub fn words_for_people(&self) -> String {
        words_for_people(self.words.iter().map(|word| word.as_bytes()))
    }

    #[cfg(test)]
    fn graces(mut self, ending: Duration, output: Duration) -> Self {
        self.graces = Graces { ending, output };
        self
    }
}

/// Words of a command in one line: escaped, in quotes where they would not be seen as one.
pub fn words_for_people<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> String {
    let quoted = words.into_iter().map(|word| {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+=:,./@%^".contains(byte) || !byte.is_ascii();
        let escaped = escape(word);
        if !word.is_empty() && word.iter().all(is_plain) {
            escaped
        } else {
            format!("'{}'", escaped.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for CommandSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandSource")
            .field("path", &escape(&self.path))
            .field("words", &self.words)
            .finish_non_exhaustive()
    }
}

impl Source for CommandSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Command
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
        let (words, kept_back) = (self.words.clone(), self.kept_back.clone());
        let (stop, said) = (Arc::clone(&self.stop), Arc::clone(&self.said));
        let (silence, whole, graces) = (self.silence_limit, self.time_limit, self.graces);
        let open = move || -> Result<Box<dyn Output>, OutputFailure> {
            let limits = Limits::new(silence, whole);
            let (process, stdout) = Process::start(&words, &kept_back, &said)?;
            Ok(Box::new(CommandOutput::new(process, stdout, Arc::clone(&stop), limits, graces)))
        };
        let file = OneFile::new(&self.path, self.modified_at, self.proof.clone(), &self.progress, Box::new(open));
        Ok(Arc::new(file))
    }

    /// A command may do more than print: it is not run again without being asked.
    fn is_repeatable(&self) -> bool {
        false
    }

    fn finish(&self) -> Result<SourceOutcome> {
        self.progress.check().map_err(|failure| Error::Command {
            command: self.words_for_people(),
            failure,
            said: self.said.last(),
        })?;
        let words = self.words.iter().map(|word| word.clone().into_vec()).collect();
        // Any other status is a failure.
        Ok(SourceOutcome::Ran { words, status: 0 })
    }

    fn stop(&self) {
        self.stop.stop();
    }
}
