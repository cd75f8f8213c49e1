//! `lbak snapshots`.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

use super::SelectionArguments;

/// List snapshots, those of one host and the same paths together, oldest first
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak snapshots --host db1 --tag nightly
  lbak snapshots --latest 1 --compact
  lbak snapshots --path /etc --path /home")]
pub(crate) struct SnapshotsArguments {
    /// Only these: `latest`, `latest~N` or the beginning of an id [default: all]
    #[arg(value_name = "SNAPSHOT")]
    pub(crate) snapshots: Vec<OsString>,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    /// What the snapshots of a group have in common
    #[arg(
        long,
        short_alias = 'g',
        value_enum,
        value_delimiter = ',',
        value_name = "WHAT",
        default_value = "host,paths"
    )]
    pub(crate) group_by: Vec<GroupArgument>,
    /// Only the newest N of each group
    #[arg(long, alias = "last", value_name = "N")]
    pub(crate) latest: Option<usize>,
    /// One line for each, without sizes and description
    #[arg(short, long)]
    pub(crate) compact: bool,
}

/// What snapshots of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupArgument {
    /// The host
    Host,
    /// All paths
    Paths,
    /// All tags
    Tags,
    /// Nothing: all in one table
    None,
}
