//! `lbak ls`.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

use super::SelectionArguments;

/// List what is in a snapshot
///
/// Of a directory, what is in it; with -R everything below. Lines come in the order of names while the snapshot is read; with
/// --sort all of them are held first.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak ls latest:/srv/models -l
  lbak ls latest -R -l --sort size --reverse | head")]
pub(crate) struct LsArguments {
    /// `latest`, `latest~N` or the beginning of an id; then the path of a part of it: absolute, or below the one directory
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    pub(crate) snapshot: OsString,
    /// The path as an argument of its own
    #[arg(value_name = "PATH", hide = true)]
    pub(crate) path: Option<OsString>,
    #[command(flatten)]
    pub(crate) long: LongArguments,
    /// With everything below
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
    /// Order of the lines; the largest and the newest come last
    #[arg(long, short_alias = 's', value_enum, default_value_t = SortArgument::Name, value_name = "KEY")]
    pub(crate) sort: SortArgument,
    /// The other way round
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Only snapshots up to this time: RFC 3339, `YYYY-MM-DD[ HH:MM[:SS]]` in local time, `yesterday 18:00`, `2h ago`
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
}

/// How entries are shown.
#[derive(Args, Debug, Default)]
pub(crate) struct LongArguments {
    /// With kind and permissions, owner, size (of a device: its numbers) and time
    #[arg(short, long)]
    pub(crate) long: bool,
    /// With -l: sizes in bytes
    #[arg(long, requires = "long")]
    pub(crate) bytes: bool,
    /// With -l: owners by number
    #[arg(long, requires = "long")]
    pub(crate) numeric_owners: bool,
}

/// Orders of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortArgument {
    /// By path
    Name,
    /// By size
    Size,
    /// By the time of the last change
    #[value(alias = "mtime")]
    Time,
}
