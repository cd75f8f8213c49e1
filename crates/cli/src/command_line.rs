//! Reads the command line: the arguments as `clap` knows them, and what people's fingers bring from other programs.

use std::ffi::OsString;

use clap::{Command, CommandFactory, FromArgMatches, error::ErrorKind};

use crate::{arguments::Arguments, exit, habits};

/// What the exit codes of a command mean, where scripts need more than success and failure.
const EXIT_CODES: [(&str, &str); 5] = [
    (
        "snapshot",
        "0 done   3 done, but something could not be read   20 done, but the repository is damaged\n  1, 10, 12 nothing was committed",
    ),
    ("restore", "0 done   3 something could not be set or written   20 something is lost   22 no such snapshot"),
    ("verify", "0 sound   20 damage found   any other: not checked"),
    ("snapshots", "0 done   20 a snapshot can not be read"),
    ("tag", "0 done   1 failed, or too late: nothing was changed   22 no such snapshot"),
];

/// The whole command line, as help, manual pages and completion show it.
pub(crate) fn command() -> Command {
    let command = Arguments::command();
    EXIT_CODES.iter().fold(command, |command, (name, codes)| {
        command.mut_subcommand(name, |sub| {
            let example = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            sub.after_help(format!("Exit codes:\n  {codes}\n\n{example}"))
        })
    })
}

/// Why there is nothing to run.
#[derive(Debug)]
pub(crate) enum Refused {
    /// What another program calls something else: what to write instead.
    Hint(String),
    /// The arguments make no sense.
    Usage(clap::Error),
    /// Help, or the version, was asked for.
    Shown(clap::Error),
}

/// Reads the arguments. Usage errors, `--help` and `--version` end the program here.
pub(crate) fn parse() -> Arguments {
    let words: Vec<OsString> = std::env::args_os().collect();
    read(&words).unwrap_or_else(|refused| match refused {
        Refused::Hint(text) => eprint_and_exit(&text),
        Refused::Usage(error) => error.exit(),
        Refused::Shown(error) => show_and_exit(&error),
    })
}

/// Reads arguments, the name of the program first.
pub(crate) fn read(words: &[OsString]) -> Result<Arguments, Refused> {
    let parsed = command().try_get_matches_from(words).and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| {
        if error.kind() == ErrorKind::InvalidSubcommand
            && let Some(text) = habits::instead_of_command(&error)
        {
            return Refused::Hint(text);
        }
        let words: Vec<String> = words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        match habits::instead_of_argument(&error, &command(), &words) {
            Some(text) => Refused::Hint(text),
            None if error.use_stderr() => Refused::Usage(habits::without_misleading_tip(error)),
            None => Refused::Shown(error),
        }
    })
}

/// Help and versions are what was asked for: that they could not be written is a failure. A reader that goes away is none.
fn show_and_exit(shown: &clap::Error) -> ! {
    use std::io::{ErrorKind, Write, stdout};
    match shown.print().and_then(|()| stdout().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let error = anyhow::Error::from(error).context("cannot write to standard output");
            let text = format!("lbak: {}\n", exit::one_line(&error));
            // There is nobody left to tell when standard error can not be written either.
            let _ = std::io::stderr().write_all(text.as_bytes());
            std::process::exit(1)
        }
        _ => std::process::exit(0),
    }
}

fn eprint_and_exit(text: &str) -> ! {
    use std::io::Write;
    // There is nobody left to tell when standard error can not be written.
    let _ = std::io::stderr().write_all(text.as_bytes());
    std::process::exit(2)
}
