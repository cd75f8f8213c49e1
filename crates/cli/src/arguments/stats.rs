//! `lbak stats`.

use clap::Args;

/// Show how much the repository holds
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak stats --json")]
pub(crate) struct StatsArguments {}
