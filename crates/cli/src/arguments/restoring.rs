//! Options of `lbak restore` that say what is restored, what happens to what is there, and what is set.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, ValueEnum};
use lbak::{Overwrite, Ownership};

/// What of the snapshot is restored.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What is restored")]
pub(crate) struct ChosenArguments {
    /// Leave out what matches, as a line of a .gitignore does: `*.tmp`, `/srv/data/cache/` (a path of the source), `!keep.tmp`
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<OsString>,
    /// The same, whether letters are upper case or lower case
    #[arg(long, value_name = "PATTERN")]
    pub(crate) iexclude: Vec<OsString>,
    /// Leave out what matches a line of this file; --exclude patterns count as later lines
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude_file: Vec<PathBuf>,
    /// The same, whether letters are upper case or lower case
    #[arg(long, value_name = "FILE")]
    pub(crate) iexclude_file: Vec<PathBuf>,
    /// Restore only what matches, with all that is below it; what is excluded stays excluded
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) include: Vec<OsString>,
    /// The same, whether letters are upper case or lower case
    #[arg(long, value_name = "PATTERN")]
    pub(crate) iinclude: Vec<OsString>,
    /// Restore only what matches a line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) include_file: Vec<PathBuf>,
    /// The same, whether letters are upper case or lower case
    #[arg(long, value_name = "FILE")]
    pub(crate) iinclude_file: Vec<PathBuf>,
}

/// What happens to what is there.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Restore into what is there")]
pub(crate) struct InPlaceArguments {
    /// TARGET may hold something: files that differ are changed where they differ, all others stay; TARGET itself gets mode,
    /// owner and time of the directory that it stands for. Goes on with a restore that was interrupted, which has left names
    /// that begin with `.lbak-restore-` or `.lbak-update-`
    #[arg(long)]
    pub(crate) in_place: bool,
    /// Which files that are there are changed; implies --in-place [default: if-changed]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(crate) overwrite: Option<OverwriteArgument>,
    /// Delete what the snapshot does not have, in the directories that it has; implies --in-place. Try it with
    /// `--dry-run -v` first. What is excluded, directories of
    /// which something was excluded when the snapshot was taken, and other file systems are left alone, and that is said
    #[arg(long)]
    pub(crate) delete: bool,
    /// Delete also where the snapshot is incomplete: what could not be read when it was taken, or was excluded then, is deleted too
    #[arg(long, requires = "delete")]
    pub(crate) delete_unread: bool,
}

/// What is set on files, and whether they are checked.
#[derive(Args, Debug)]
#[command(next_help_heading = "What is set")]
pub(crate) struct SettingArguments {
    /// Whose the files are
    #[arg(long, value_enum, value_name = "BY", default_value_t = OwnerArgument::Number)]
    pub(crate) owner: OwnerArgument,
    /// Do not set extended attributes whose name matches: `security.*`
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude_xattr: Vec<OsString>,
    /// Set only extended attributes whose name matches: `user.*`
    #[arg(long, value_name = "PATTERN")]
    pub(crate) include_xattr: Vec<OsString>,
    /// Read every restored file back and compare it with the snapshot
    #[arg(long)]
    pub(crate) verify: bool,
}

/// Which files that are there are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OverwriteArgument {
    /// All that differ: every one is read
    Always,
    /// Those whose size or time of change differs
    IfChanged,
    /// Those that are older than in the snapshot
    IfNewer,
    /// None: only what is missing is restored
    Never,
}

impl From<OverwriteArgument> for Overwrite {
    fn from(argument: OverwriteArgument) -> Self {
        match argument {
            OverwriteArgument::Always => Self::Always,
            OverwriteArgument::IfChanged => Self::IfChanged,
            OverwriteArgument::IfNewer => Self::IfNewer,
            OverwriteArgument::Never => Self::Never,
        }
    }
}

/// Whose the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OwnerArgument {
    /// The stored numbers
    Number,
    /// Who has the stored names on this machine, else the stored numbers
    Name,
    /// Whoever restores; set-id bits and capabilities of others' files are left out
    None,
}

impl From<OwnerArgument> for Ownership {
    fn from(argument: OwnerArgument) -> Self {
        match argument {
            OwnerArgument::Number => Self::Numbers,
            OwnerArgument::Name => Self::Names,
            OwnerArgument::None => Self::Nobody,
        }
    }
}
