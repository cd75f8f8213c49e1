//! `lbak dump`.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, ValueEnum};

use super::SelectionArguments;

/// Write a file of a snapshot, or an archive of a directory, to standard output
///
/// A file is written byte for byte, a directory or a whole snapshot as a tar archive: of a single directory with the names
/// below it, of several paths with their whole paths, without the first slash. Nothing is written before it is known that
/// the index knows every part; when stored bytes turn out to be damaged later, the stream stops before the first wrong byte,
/// an archive without its end, and the exit code is 20.
///
/// Unpack with `tar -xp --xattrs --xattrs-include='*' --numeric-owner`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak dump latest:/etc/fstab
  lbak dump latest:/srv/models | ssh host tar -xp -C /srv/models
  lbak dump latest --at 2026-11-20 -o models.tar")]
pub(crate) struct DumpArguments {
    /// `latest`, `latest~N` or the beginning of an id; then the path of a part of it: absolute, or below the one directory
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    pub(crate) snapshot: OsString,
    /// The path as an argument of its own
    #[arg(value_name = "PATH", hide = true)]
    pub(crate) path: Option<OsString>,
    /// What is written: `auto` is the bytes of a file and an archive of a directory
    #[arg(long, short_alias = 'a', value_name = "FORM", value_enum, default_value_t = ArchiveForm::Auto)]
    pub(crate) archive: ArchiveForm,
    /// Write to this file: it must not be there yet, and is there only when it is complete [default: standard output]
    #[arg(short, long, alias = "target", short_alias = 't', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Read and check everything once before the first byte is written
    #[arg(long)]
    pub(crate) verify_first: bool,
    /// Only snapshots up to this time: RFC 3339, `YYYY-MM-DD[ HH:MM[:SS]]` in local time, or `2h ago`
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    /// Threads that work [default: one per processor]
    #[arg(long, value_name = "N", value_parser = super::selection::threads)]
    pub(crate) threads: Option<usize>,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArchiveForm {
    /// The bytes of a file, an archive of a directory
    Auto,
    /// A tar archive, also of a single file
    Tar,
}
