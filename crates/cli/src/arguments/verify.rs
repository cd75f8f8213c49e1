//! `lbak verify`.

use clap::Args;
use lbak::Share;

/// Check that everything is there and, if asked, that every byte is right
///
/// Without options the small objects are opened, every tree of every snapshot is read, and every chunk is looked up in the index. Damage is named
/// with the snapshots and paths that it hurts (exit code 20). On a sound repository nothing is printed.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak verify --read-data=1/7 || echo 'the backup needs you'")]
pub(crate) struct VerifyArguments {
    /// Check names and checksums of all objects; needs no key
    #[arg(long, conflicts_with = "read_data")]
    pub(crate) no_key: bool,
    /// Read the data too: all of it, the N-th of T equal parts (`1/7` today, `2/7` tomorrow), or about a percentage (`10%`, always the same packs)
    #[arg(long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub(crate) read_data: Option<Share>,
    /// restic's name for it
    #[arg(long, value_name = "SHARE", hide = true, conflicts_with_all = ["no_key", "read_data"])]
    pub(crate) read_data_subset: Option<Share>,
    /// Threads that work [default: one per processor]
    #[arg(long, value_name = "N", value_parser = super::selection::threads)]
    pub(crate) threads: Option<usize>,
}
