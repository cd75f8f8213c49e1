//! Options of `lbak snapshot` that say what of the named paths is read, and where more paths are named.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

use crate::sizes;

/// What is read.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What is read")]
pub(crate) struct WantedArguments {
    /// Also back up the paths in this file, one in each line as it stands; `-` is standard input
    ///
    /// Nothing in it is a comment or a pattern, and every path must be there. Each is recorded in the snapshot: of very many
    /// files name the directory that they lie in, and what is wanted of it with --include.
    #[arg(long, alias = "files-from-verbatim", value_name = "FILE")]
    pub(crate) files_from: Vec<PathBuf>,
    /// The same with a NUL byte behind each path, as `find -print0` writes them
    #[arg(long, alias = "files-from-raw", value_name = "FILE")]
    pub(crate) files_from0: Vec<PathBuf>,
    /// Leave out what matches, as a line of a .gitignore does: `*.tmp`, `/srv/data/cache/`, `!keep.tmp`
    ///
    /// Without a slash a pattern matches a name at any depth; with one at the front it is an absolute path, with `./` or `../`
    /// there a path from the working directory, with one inside a path below PATH; one at the end matches directories only.
    /// `*`, `?` and `[a-z]` stop at slashes, `**/` does not, `!` takes back what an earlier pattern excluded, and the last that
    /// matches decides. What is below an excluded directory is not looked at. A named PATH itself is always taken. Patterns that
    /// matched nothing are told at the end.
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
    /// Read only what matches, with all that is below it; what is excluded stays excluded
    ///
    /// Patterns are those of --exclude. Directories on the way are stored, those that lead to nothing are not.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) include: Vec<OsString>,
    /// The same, whether letters are upper case or lower case
    #[arg(long, value_name = "PATTERN")]
    pub(crate) iinclude: Vec<OsString>,
    /// Of a directory with a valid CACHEDIR.TAG, keep that tag alone
    #[arg(long)]
    pub(crate) exclude_caches: bool,
    /// Of a directory that holds a file of this name, which begins with HEADER, keep that file alone
    #[arg(long, value_name = "NAME[:HEADER]")]
    pub(crate) exclude_if_present: Vec<OsString>,
    /// Leave out files that are larger: bytes, or with K, M, G or T behind the number
    #[arg(long, value_name = "SIZE", value_parser = sizes::parse)]
    pub(crate) exclude_larger_than: Option<u64>,
    /// Keep directories on which another file system is mounted empty
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
    /// Also read proc, sysfs and their like, which are kept empty unless they are named
    #[arg(long)]
    pub(crate) include_pseudo_filesystems: bool,
}
