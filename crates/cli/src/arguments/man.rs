//! `lbak man`.

use std::path::PathBuf;

use clap::Args;

/// Print the manual page, or write one page for every command
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak man | man -l -
  lbak man ~/.local/share/man/man1")]
pub(crate) struct ManArguments {
    /// Folder for all pages, made when it is missing; pages that are there are replaced
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
}
