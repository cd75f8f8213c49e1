//! `lbak diff`.

use std::ffi::OsString;

use clap::Args;

use super::SelectionArguments;

/// Show what differs between two snapshots, or between a snapshot and what is there now
///
/// `+` added, `-` removed, `M` content modified, `T` another kind of file, `U` only metadata updated (with --metadata or -v), `?` may be
/// modified: against a directory, a file of the same size with another time, which --content reads. `M?` is a file whose content
/// changed though its size and all its times are the same. A directory ends with a slash.
///
/// SECOND is a snapshot, or a directory or file on this machine: what could be a snapshot's name is taken for one, so write
/// ./latest or ./3fa2 for a directory of that name. Without SECOND, the snapshot is compared with where it came from. The exit
/// code is 0 also when something differs.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak diff latest~1 latest
  lbak diff latest:/srv/models/run-7 latest:/srv/models/run-8
  lbak diff latest /srv/models --content --metadata
  lbak diff latest")]
pub(crate) struct DiffArguments {
    /// `latest`, `latest~N` or the beginning of an id; then the path of a part of it: absolute, or below the one directory
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    pub(crate) first: OsString,
    /// What is compared with it: another snapshot, or a part of it, or a directory
    #[arg(value_name = "SECOND")]
    pub(crate) second: Option<OsString>,
    /// Tell also of metadata: mode, owner, group, mtime, extended attributes
    #[arg(long)]
    pub(crate) metadata: bool,
    /// Against a directory: read files and compare their bytes
    #[arg(long)]
    pub(crate) content: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
}
