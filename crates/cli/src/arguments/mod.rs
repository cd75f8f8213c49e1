//! The command line: one file per command, and the options that all of them have.

mod cat;
mod completions;
mod diff;
mod dump;
mod find;
mod init;
mod key;
mod ls;
mod man;
mod repair;
mod restore;
mod restoring;
mod selection;
mod snapshot;
mod snapshots;
mod stats;
mod stream;
mod tag;
mod verify;
mod version;
mod wanted;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand};

pub(crate) use self::{
    cat::{CatArguments, ObjectKind},
    completions::CompletionsArguments,
    diff::DiffArguments,
    dump::{ArchiveForm, DumpArguments},
    find::FindArguments,
    init::InitArguments,
    key::{KeyAddArguments, KeyArguments, KeyChangeArguments, KeyCommand, KeyRemoveArguments, NewKeyArguments},
    ls::{LongArguments, LsArguments, SortArgument},
    man::ManArguments,
    repair::{
        RepairAddParityArguments, RepairArguments, RepairCommand, RepairPacksArguments, RepairSnapshotsArguments,
    },
    restore::RestoreArguments,
    restoring::{ChosenArguments, InPlaceArguments, SettingArguments},
    selection::SelectionArguments,
    snapshot::SnapshotArguments,
    snapshots::{GroupArgument, SnapshotsArguments},
    stats::StatsArguments,
    stream::{StreamArguments, duration},
    tag::TagArguments,
    verify::VerifyArguments,
    version::VersionArguments,
    wanted::WantedArguments,
};

const AFTER_HELP: &str = "\
Environment:
  LBAK_REPOSITORY        the repository's folder
  LBAK_KEY_FILE          the key file
  LBAK_PASSWORD_FILE     the file that holds the password
  LBAK_PASSWORD_COMMAND  the command that prints the password
  LBAK_PASSWORD          the password
An option beats a variable, a key file beats a password. Any other LBAK_ variable is an error.

Exit codes:
  0 done   1 failed   2 usage   3 done, but something could not be read or set   10 no repository
  12 wrong or missing key   20 damage found   22 no snapshot matches, or several backups do
  129 hung up   130 interrupted   143 terminated

Example:
  lbak snapshot ~/models && lbak restore latest /tmp/models";

/// Encrypted, deduplicated snapshots that always restore alone.
#[derive(Debug, Parser)]
#[command(name = "lbak", version, after_help = AFTER_HELP, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options that every command has.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "General options")]
pub(crate) struct GlobalArguments {
    /// Folder of the repository
    #[arg(short, long, alias = "repo", global = true, value_name = "PLACE")]
    pub(crate) repository: Option<OsString>,
    /// File that holds the key
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// File that holds the password
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "password_command")]
    pub(crate) password_file: Option<PathBuf>,
    /// Command that prints the password, run by `sh -c`
    #[arg(long, global = true, value_name = "COMMAND")]
    pub(crate) password_command: Option<OsString>,
    /// Print JSON lines, see docs/json.md
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print only results, findings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more about what is done: stages and their times; twice: how far it is, every second
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(InitArguments),
    #[command(alias = "backup")]
    Snapshot(SnapshotArguments),
    Snapshots(SnapshotsArguments),
    Restore(RestoreArguments),
    Dump(DumpArguments),
    #[command(alias = "check")]
    Verify(VerifyArguments),
    Repair(RepairArguments),
    Ls(LsArguments),
    Find(FindArguments),
    Diff(DiffArguments),
    Key(KeyArguments),
    Stats(StatsArguments),
    Cat(CatArguments),
    Tag(TagArguments),
    Completions(CompletionsArguments),
    Man(ManArguments),
    #[command(hide = true)]
    Version(VersionArguments),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_every_command_ends_with_an_example() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let after = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.starts_with("Example"), "{} has no example", sub.get_name());
        }
    }
}
