//! Exit codes: all of them, and which error gives which.
//!
//! A script may treat every code that it does not know as a failure.

use std::io;

use lbak::{BackendErrorKind, Error, OutputFailure};

use crate::output::Output;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line makes no sense, or an id is ambiguous.
    Usage = 2,
    /// Done, but something that was there could not be read, kept changing, or could not be set.
    Incomplete = 3,
    /// There is no repository.
    NoRepository = 10,
    /// Wrong or missing key.
    WrongKey = 12,
    /// Stored bytes are damaged or missing. Outranks [`Exit::Incomplete`].
    Damage = 20,
    /// No snapshot matches, or several backups do.
    NoSnapshot = 22,
    /// SIGHUP.
    HungUp = 129,
    /// SIGINT.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// Of two outcomes of work that was done, the one that is told.
    pub(crate) fn or_worse(self, other: Self) -> Self {
        if other as u8 > self as u8 { other } else { self }
    }

    /// What a signal did to the program.
    pub(crate) fn of_signal(self) -> &'static str {
        match self {
            Self::HungUp => "the terminal was closed",
            Self::Terminated => "terminated",
            _ => "interrupted",
        }
    }

    /// Damage, if there is any.
    pub(crate) fn damage_if(is_damaged: bool) -> Self {
        if is_damaged { Self::Damage } else { Self::Done }
    }
}

/// An error of the command line itself: with its exit code and what may help.
#[derive(Debug)]
pub(crate) struct Trouble {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl Trouble {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Trouble {}

/// Tells what went wrong, in one line and a hint, and returns the exit code for it.
pub(crate) fn tell(error: &anyhow::Error, output: &Output) -> Exit {
    let trouble = error.downcast_ref::<Trouble>();
    let library = error.downcast_ref::<Error>();
    let exit = match (trouble, library) {
        (Some(trouble), _) => trouble.exit,
        (None, Some(error)) => code_of(error),
        (None, None) => Exit::Failed,
    };
    let hint = trouble.and_then(|trouble| trouble.hint.clone()).or_else(|| library.and_then(hint_for));
    output.error(exit, &one_line(error), hint.as_deref());
    exit
}

/// An error of the library with one more thing that may help.
pub(crate) fn with_hint(error: Error, more: &str) -> anyhow::Error {
    let hint = hint_for(&error).map_or_else(|| more.to_owned(), |hint| format!("{hint}\n{more}"));
    let exit = code_of(&error);
    Trouble::new(exit, one_line(&error.into())).hint(hint).into()
}

/// The chain of causes in one line. A cause that only repeats what was said before it is left out.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(|cause| without_number(cause.to_string())) {
        if !line.ends_with(&cause) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause);
        }
    }
    line
}

/// The system's text is clear without the number that it adds.
pub(crate) fn without_number(mut text: String) -> String {
    if let Some(at) = text.rfind(" (os error ").filter(|_| text.ends_with(')')) {
        text.truncate(at);
    }
    text
}

fn code_of(error: &Error) -> Exit {
    if error.is_damage() {
        return Exit::Damage;
    }
    match error {
        Error::NoRepository { .. } => Exit::NoRepository,
        Error::WrongKey { .. } => Exit::WrongKey,
        // Its checksum holds, but no lbak writes such a slot: somebody else did.
        Error::AbsurdSlot { .. } => Exit::Damage,
        Error::NoSnapshot { .. } | Error::SeveralGroups { .. } => Exit::NoSnapshot,
        Error::AmbiguousSnapshot { .. } | Error::TargetNotEmpty { .. } | Error::Invalid { .. } => Exit::Usage,
        Error::Cancelled => Exit::Interrupted,
        _ => Exit::Failed,
    }
}

fn hint_for(error: &Error) -> Option<String> {
    let hint = match error {
        Error::Damaged { object, .. } if object == "the index" => {
            "`lbak repair index` makes it whole again from the packs"
        }
        Error::Damaged { object, .. } | Error::AbsurdSlot { object, .. } if object.starts_with("keys/") => {
            "another password or key file may open it; else put the files of its folder `keys` back from a copy of the repository. \
             `lbak verify --no-key` checks the rest without a key"
        }
        _ if error.is_damage() => {
            "`lbak verify --read-data` names what is damaged and which snapshots and paths it hurts; `lbak repair --help` tells what to do then"
        }
        Error::Store { action: "confirm", .. } => {
            "the store said that it had taken this, and does not give it back: look at its disk or server before you trust it"
        }
        Error::Store { action, source, .. } => match source.kind {
            BackendErrorKind::Full => "make room where the repository lies; what was stored is used by the next run",
            BackendErrorKind::Denied if matches!(*action, "read" | "list" | "open") => {
                "may this user read the repository? What is in it is for the owner of its folder, and for root: run lbak as one of them"
            }
            BackendErrorKind::Denied => {
                "may this user write in the repository's folder, and is it mounted for writing?"
            }
            _ => return None,
        },
        Error::Unreliable { .. } => {
            "nothing was committed; test this machine's memory, and let `lbak verify --read-data` on another one tell whether earlier snapshots are \
             sound"
        }
        Error::NoRepository { .. } => "is the disk mounted? `lbak init -r PLACE` makes a new repository",
        Error::WrongKey { what: "the password", slots: 0, .. } => {
            "no password opens this repository, only a key file: give it with --key-file or LBAK_KEY_FILE"
        }
        Error::WrongKey { slots: 0, .. } => "no key file opens this repository, only a password",
        Error::TooLate { .. } => "space is being reclaimed: nothing was changed; a new snapshot can always be taken",
        Error::WrongKey { .. } => "is it the password or key file of this repository?",
        Error::NotEmpty { .. } => "choose another place, or use the repository that is there",
        Error::Newer { .. } => "a newer lbak wrote it: update this one",
        Error::NoSnapshot { .. } => "`lbak snapshots` lists what is there",
        Error::SeveralGroups { .. } => "give an id: `lbak snapshots` lists them",
        Error::AmbiguousSnapshot { matches, .. } => {
            let ids: Vec<String> = matches.iter().take(10).map(ToString::to_string).collect();
            return Some(format!("give more digits: {}", ids.join(" ")));
        }
        Error::NotInSnapshot { snapshot, .. } => {
            return Some(format!("`lbak ls {} -R` lists what is in it", snapshot.short()));
        }
        Error::Stream { failure, .. } | Error::Command { failure, .. } => return hint_for_output(failure),
        Error::ReadOnce { .. } => "take it again: what is still stored is not stored twice",
        Error::TargetNotEmpty { .. } => {
            "restore into a new directory, or give --in-place: it changes what differs, and goes on with a restore that was interrupted"
        }
        Error::Target { action, source, .. } => return hint_for_target(action, source.kind()),
        _ => return None,
    };
    Some(hint.to_owned())
}

fn hint_for_target(action: &str, kind: io::ErrorKind) -> Option<String> {
    let hint = match kind {
        io::ErrorKind::NotFound if action == "create" => "the directories above it are not made: `mkdir -p` makes them",
        io::ErrorKind::NotADirectory => "give a directory: a file is restored into it under its own name",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room where it lies, or restore to another disk"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "it is mounted for reading only: mount it for writing, or restore elsewhere"
        }
        io::ErrorKind::PermissionDenied if action != "run" => "may this user write there?",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn hint_for_output(failure: &OutputFailure) -> Option<String> {
    let hint = match failure {
        OutputFailure::Empty => "--allow-empty takes that for a backup, too; nothing was committed",
        OutputFailure::NotStarted(_) => {
            "no shell reads the command: `-- sh -c 'a | b'` runs one; nothing was committed"
        }
        OutputFailure::WantsTerminal => "give it its password in a file or a variable; nothing was committed",
        _ => "nothing was committed; what was stored is used by the next run",
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_outranks_an_incomplete_source() {
        assert_eq!(Exit::Incomplete.or_worse(Exit::Damage), Exit::Damage);
        assert_eq!(Exit::Damage.or_worse(Exit::Incomplete), Exit::Damage);
        assert_eq!(Exit::Done.or_worse(Exit::Incomplete), Exit::Incomplete);
    }

    #[test]
    fn a_cause_that_says_the_same_is_told_once() {
        let denied = std::io::Error::from_raw_os_error(13);
        let error = Error::store("read", "packs/3f", denied.into());
        assert_eq!(one_line(&error.into()), "cannot read packs/3f: Permission denied");
    }
}
