//! Why the output of a stream or a command is no backup.

use std::{fmt, time::Duration};

/// What was wrong with a stream, or with a command whose output was to be backed up.
///
/// Its text completes "the stream …" and "the command …".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputFailure {
    /// There was not one byte of it.
    Empty,
    /// It is shorter than a whole one can be.
    TooShort {
        /// What came.
        bytes: u64,
        /// What was expected at least.
        least: u64,
    },
    /// It does not end as a whole one does.
    NoTrailer {
        /// What was expected near its end, escaped.
        trailer: String,
    },
    /// Nothing came for so long.
    Silent(Duration),
    /// It was not over after so long.
    TooLong(Duration),
    /// The system could not read it.
    Unread(String),
    /// The system could not start the command.
    NotStarted(String),
    /// The command ended with this exit status.
    Exited(i32),
    /// The command was killed by this signal.
    Killed(i32),
    /// The command was stopped because it wanted to read from the terminal.
    WantsTerminal,
    /// The command ended, and so long after that another process still holds its output open.
    HeldOpen(Duration),
    /// The run was given up before it was over.
    GivenUp,
}

impl fmt::Display for OutputFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("gave nothing at all"),
            Self::TooShort { bytes, least } => write!(f, "gave {bytes} bytes, less than the {least} expected at least"),
            Self::NoTrailer { trailer } => write!(f, "does not end with `{trailer}`"),
            Self::Silent(limit) => write!(f, "gave nothing for {limit:?}"),
            Self::TooLong(limit) => write!(f, "was not over after {limit:?}"),
            Self::Unread(why) => write!(f, "can not be read: {why}"),
            Self::NotStarted(why) => write!(f, "can not be run: {why}"),
            Self::Exited(status) => write!(f, "failed with exit status {status}"),
            Self::Killed(signal) => write!(f, "was killed by signal {signal}"),
            Self::WantsTerminal => f.write_str("was stopped by the system: it wanted to use the terminal"),
            Self::HeldOpen(grace) => {
                write!(f, "ended, but {grace:?} later another process that it started still holds its output open")
            }
            Self::GivenUp => f.write_str("was not read to its end"),
        }
    }
}

/// The last lines of what a command said, as a part of one line.
pub(super) struct LastWords<'a>(pub(super) &'a str);

impl fmt::Display for LastWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<&str> = self.0.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
        lines.reverse();
        for (number, line) in lines.into_iter().enumerate() {
            f.write_str(if number == 0 { ": " } else { " / " })?;
            f.write_str(line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_the_last_lines_that_say_something() {
        let said = "connecting\n\nwarning: slow\nerror: no such table\nhint: look elsewhere  \n\n";
        assert_eq!(LastWords(said).to_string(), ": warning: slow / error: no such table / hint: look elsewhere");
        assert_eq!(LastWords("\n").to_string(), "");
    }
}
