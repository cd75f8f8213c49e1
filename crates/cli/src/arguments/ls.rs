//! `lbak ls`.

use std::ffi::OsString;

use clap::Args;

use super::SelectionArguments;

/// List what is in a snapshot
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak ls latest:/srv/models -l")]
pub(crate) struct LsArguments {
    /// `latest`, `latest~N` or the beginning of an id; then the path of a part of it: absolute, or below the one directory
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    pub(crate) snapshot: OsString,
    /// With kind and permissions, owner, size and time
    #[arg(short, long)]
    pub(crate) long: bool,
    /// With everything below
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
    /// Only snapshots up to this time: RFC 3339, `YYYY-MM-DD[ HH:MM[:SS]]` in local time, or `2h ago`
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
}
