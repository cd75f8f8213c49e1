//! `lbak find`.

use std::ffi::OsString;

use clap::{Args, ValueEnum};
use lbak::FileKind;

use super::{LongArguments, SelectionArguments};
use crate::sizes;

/// Find files in snapshots
///
/// A pattern without a slash matches a name anywhere; one that begins with a slash an absolute path; any other a path below
/// the directory that was backed up, or, with `./` or `../` at its front, from the working directory. `*` and `?` stop at slashes,
/// `**/` does not. Several patterns: one of them matches.
/// Without a pattern every name is found that the other conditions leave.
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  lbak find 'optimizer*.pt' --larger 1G -l
  lbak find --history /srv/models/config.json
  lbak find --snapshot latest --newer yesterday --type f"
)]
pub(crate) struct FindArguments {
    /// What its name or path matches, as a line of a .gitignore does
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<OsString>,
    /// One more pattern, whether letters are upper case or lower case
    #[arg(long, value_name = "PATTERN")]
    pub(crate) iname: Vec<OsString>,
    /// Take all patterns for --iname patterns
    #[arg(short, long)]
    pub(crate) ignore_case: bool,
    /// Only of these kinds: f(ile), d(irectory), l(ink), p(ipe), c(haracter device), b(lock device), s(ocket)
    #[arg(long = "type", value_enum, value_delimiter = ',', value_name = "KIND", hide_possible_values = true)]
    pub(crate) kinds: Vec<KindArgument>,
    /// Content last changed at this time or later: RFC 3339, `YYYY-MM-DD[ HH:MM[:SS]]`, `yesterday`, `2h ago`
    #[arg(long, value_name = "TIME")]
    pub(crate) newer: Option<String>,
    /// Content last changed before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) older: Option<String>,
    /// Only files of more bytes: a number, or with K, M, G or T behind it
    #[arg(long, value_name = "SIZE", value_parser = sizes::parse)]
    pub(crate) larger: Option<u64>,
    /// Only files of fewer bytes
    #[arg(long, value_name = "SIZE", value_parser = sizes::parse)]
    pub(crate) smaller: Option<u64>,
    /// Path by path in place of snapshot by snapshot: in how many snapshots it is, and each version of its content
    #[arg(long, conflicts_with = "long")]
    pub(crate) history: bool,
    #[command(flatten)]
    pub(crate) long: LongArguments,
    /// Look only in this snapshot: `latest`, `latest~N` or the beginning of an id; may be given several times [default: all]
    #[arg(short, long = "snapshot", value_name = "SNAPSHOT")]
    pub(crate) snapshots: Vec<OsString>,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
}

/// Kinds of files, as `find` of any Unix calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArgument {
    /// A regular file
    #[value(name = "f", alias = "file")]
    File,
    /// A directory
    #[value(name = "d", aliases = ["dir", "directory"])]
    Directory,
    /// A symbolic link
    #[value(name = "l", aliases = ["link", "symlink"])]
    Symlink,
    /// A named pipe
    #[value(name = "p", aliases = ["pipe", "fifo"])]
    Fifo,
    /// A character device
    #[value(name = "c")]
    CharacterDevice,
    /// A block device
    #[value(name = "b")]
    BlockDevice,
    /// A socket
    #[value(name = "s", alias = "socket")]
    Socket,
}

impl From<KindArgument> for FileKind {
    fn from(argument: KindArgument) -> Self {
        match argument {
            KindArgument::File => Self::File,
            KindArgument::Directory => Self::Directory,
            KindArgument::Symlink => Self::Symlink,
            KindArgument::Fifo => Self::Fifo,
            KindArgument::CharacterDevice => Self::CharacterDevice,
            KindArgument::BlockDevice => Self::BlockDevice,
            KindArgument::Socket => Self::Socket,
        }
    }
}
