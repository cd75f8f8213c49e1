//! `lbak snapshots`.

use clap::Args;

use super::SelectionArguments;

/// List snapshots, oldest first
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak snapshots --host db1 --tag nightly")]
pub(crate) struct SnapshotsArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
}
