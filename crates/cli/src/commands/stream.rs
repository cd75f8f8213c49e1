//! `lbak snapshot --stdin` and `--from-command`: one file that comes from somebody who must be done before it counts.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, IsTerminal},
    os::{fd::AsFd, fd::OwnedFd, unix::ffi::OsStrExt},
    sync::Arc,
};

use anyhow::Context;
use lbak::{CommandSource, Source, StreamSource, escape};

use super::snapshot::{LeftOut, Observing};
use crate::{
    arguments::{SnapshotArguments, StreamArguments},
    exit::{Exit, Trouble},
    invocation::Invocation,
    making,
    output::Output,
};

/// Path of the file when nobody gives it another one.
const DEFAULT_NAME: &str = "stdin";

pub(super) fn run(arguments: &SnapshotArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    refuse_paths(arguments)?;
    let (source, named) = source(&arguments.stream, invocation.output)?;
    let opened = making::open_or_make_default(invocation, arguments.threads, arguments.dry_run)?;
    let observing = Observing::new(arguments, invocation);
    let report = super::snapshot::take(&opened.repository, &*source, &observing, arguments, invocation)?;
    drop(observing);
    super::snapshot::tell_all(&opened, &report, &LeftOut::default(), &named, invocation)
}

fn refuse_paths(arguments: &SnapshotArguments) -> anyhow::Result<()> {
    let stream = &arguments.stream;
    let option = if stream.stdin { "--stdin" } else { "--from-command" };
    if let Some(path) = arguments.paths.first() {
        let trouble = Trouble::usage(format!("{option} takes no PATH, and {} was named", path.display()));
        let hint = match stream.stdin {
            true => "take two snapshots: one of standard input, one of the paths",
            false => "the words of the command come behind `--`: `lbak snapshot --from-command -- pg_dump -Fc db`",
        };
        return Err(trouble.hint(hint).into());
    }
    if stream.stdin && !stream.command.is_empty() {
        return Err(Trouble::usage("--stdin runs no command").hint("--from-command does").into());
    }
    Ok(())
}

/// The source, and what the report calls it.
fn source(arguments: &StreamArguments, output: &Arc<Output>) -> anyhow::Result<(Box<dyn Source>, String)> {
    let name = arguments.stdin_name.as_deref().unwrap_or(OsStr::new(DEFAULT_NAME)).as_bytes();
    let (least_bytes, trailer) = (arguments.min_bytes.unwrap_or(0), arguments.expect_trailer.as_deref());
    let trailer = trailer.map(OsStr::as_bytes).unwrap_or_default();
    if arguments.stdin {
        let source = StreamSource::from_descriptor(name, take_standard_input()?)?
            .allow_empty(arguments.allow_empty)
            .least_bytes(least_bytes)
            .trailer(trailer)
            .silence_limit(arguments.timeout);
        let named = escape(source.path());
        return Ok((Box::new(source), named));
    }
    let output = Arc::clone(output);
    let source = CommandSource::new(name, &arguments.command)?
        // The key is not the command's affair.
        .without_variables(["LBAK_PASSWORD"])
        .allow_empty(arguments.allow_empty)
        .least_bytes(least_bytes)
        .trailer(trailer)
        .silence_limit(arguments.timeout)
        .time_limit(arguments.time_limit)
        .listener(Arc::new(move |line| output.overheard(&String::from_utf8_lossy(line))));
    let named = format!("{}, the output of `{}`", escape(source.path()), source.words_for_people());
    Ok((Box::new(source), named))
}

/// Takes standard input for the stream alone: a command that prints the password would read from it otherwise.
fn take_standard_input() -> anyhow::Result<OwnedFd> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        let trouble = Trouble::usage("standard input is a terminal: there is nothing to back up");
        return Err(trouble.hint("send something: `pg_dump db | lbak snapshot --stdin`, or use --from-command").into());
    }
    let taken = || -> io::Result<OwnedFd> {
        let input = stdin.as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok(input)
    };
    taken().context("cannot take standard input")
}
