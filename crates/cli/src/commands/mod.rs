//! The commands: one file each, a short list of steps over the facade.

mod cat;
mod completions;
mod diff;
mod dump;
mod find;
mod init;
mod key;
mod ls;
mod next_steps;
mod parity;
mod repair;
mod restore;
mod restore_to_command;
mod snapshot;
mod snapshots;
mod stats;
mod stream;
mod tag;
mod usage;
mod verify;
mod version;

use crate::{arguments::Command, exit::Exit, findings, invocation::Invocation};

/// Runs one command. An error is told by the caller; whatever else ends it is in the exit code.
pub(crate) fn run(command: &Command, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let outcome = run_only(command, invocation);
    // What no report has told: of a command that failed, or that has no report.
    invocation.misread.get().into_iter().for_each(|misread| findings::tell_misread(invocation.output, misread.take()));
    let exit = outcome?;
    // These two say themselves what comes next.
    let tells_next = matches!(command, Command::Verify(_) | Command::Repair(_));
    if exit == Exit::Damage && !tells_next {
        invocation.output.note(
            "next: `lbak verify --read-data` names all that is damaged and whom it hurts; `lbak repair --help` tells what to do then",
        );
    }
    Ok(exit)
}

fn run_only(command: &Command, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    match command {
        Command::Init(arguments) => init::run(arguments, invocation),
        Command::Snapshot(arguments) => snapshot::run(arguments, invocation),
        Command::Snapshots(arguments) => snapshots::run(arguments, invocation),
        Command::Restore(arguments) if arguments.is_to_command() => restore_to_command::run(arguments, invocation),
        Command::Restore(arguments) => restore::run(arguments, invocation),
        Command::Dump(arguments) => dump::run(arguments, invocation),
        Command::Verify(arguments) => verify::run(arguments, invocation),
        Command::Repair(arguments) => repair::run(arguments, invocation),
        Command::Ls(arguments) => ls::run(arguments, invocation),
        Command::Find(arguments) => find::run(arguments, invocation),
        Command::Diff(arguments) => diff::run(arguments, invocation),
        Command::Key(arguments) => key::run(arguments, invocation),
        Command::Cat(arguments) => cat::run(arguments, invocation),
        Command::Tag(arguments) => tag::run(arguments, invocation),
        Command::Completions(arguments) => completions::completions(arguments, invocation),
        Command::Man(arguments) => completions::man(arguments, invocation),
        Command::Version(_) => version::run(invocation),
        Command::Stats(arguments) => stats::run(arguments, invocation),
    }
}
