//! `lbak stats`.

use std::ffi::OsString;

use clap::Args;

use super::SelectionArguments;

/// Show how much the repository holds, or what forgetting snapshots would free
///
/// Without arguments, objects are counted folder by folder. For snapshots, given by name or chosen by --host, --path and --tag,
/// every tree of the repository is read to find what no other snapshot needs.
///
/// Stored sizes of chunks are their share of the sealed blocks that they lie in. The space comes back when the snapshots were
/// forgotten and reclaiming has written the packs anew that hold something else besides.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak stats
  lbak stats latest~1 latest~2
  lbak stats --snapshots --host db1")]
pub(crate) struct StatsArguments {
    /// Weigh these together: `latest`, `latest~N` or the beginning of an id
    #[arg(value_name = "SNAPSHOT")]
    pub(crate) snapshots: Vec<OsString>,
    /// Weigh each snapshot by itself [default: all of them]
    #[arg(long = "snapshots")]
    pub(crate) each: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
}
