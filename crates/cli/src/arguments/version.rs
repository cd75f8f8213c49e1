//! `lbak version`: what `--version` prints, for fingers that are used to it.

use clap::Args;

/// Print the version
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak version --json")]
pub(crate) struct VersionArguments {}
