//! `lbak repair`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lbak::{PackId, Share};

/// Mend what damage has left: nothing is deleted, and only a damaged config is replaced
///
/// When `lbak verify` ends with 20, take these in order: `config` and `index` if it names them, `packs`, then a new snapshot of everything
/// that is still there, then `snapshots` for what is gone for good and for records of snapshots that do not open, then `records` for what else
/// does not open. Each can be run at any time, beside backups, and again.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  lbak repair packs && lbak snapshot ~/models && lbak verify --read-data",
    arg_required_else_help = true
)]
pub(crate) struct RepairArguments {
    #[command(subcommand)]
    pub(crate) command: RepairCommand,
}

/// What to repair.
#[derive(Debug, Subcommand)]
pub(crate) enum RepairCommand {
    Config(RepairConfigArguments),
    Index(RepairIndexArguments),
    Packs(RepairPacksArguments),
    Snapshots(RepairSnapshotsArguments),
    Records(RepairRecordsArguments),
    AddParity(RepairAddParityArguments),
}

/// Add recovery data, so that damaged packs can be healed later
///
/// Packs are taken in groups, and for each so many percent of its bytes are stored beside it. As much as that may then be damaged, anywhere in the
/// group, and `lbak repair packs` heals it; with 5 % and twenty packs of about one length, one of them may be missing. How many of each group may be is said at the
/// end, and which percentage would be enough for one (-n shows it and stores nothing). Packs that have enough already are passed over: run it again after large backups. `lbak verify` tells which damaged packs can be healed. Exit code 20 when a pack is damaged
/// already: it gets none.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak repair add-parity
  lbak repair add-parity --percent 10 3f2a 77c1")]
pub(crate) struct RepairAddParityArguments {
    /// Only these packs, named by the beginnings of their ids [default: all]
    #[arg(value_name = "PACK")]
    pub(crate) packs: Vec<String>,
    /// How much of a group of packs may be damaged: 1 to 100
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) percent: u32,
    /// Read the recovery data that is there first: what is damaged does not count, and is stored anew
    #[arg(long)]
    pub(crate) read_parity: bool,
    /// Show what would be done, change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

/// Write config anew from the copy in the key slot
///
/// Every key slot holds a copy of config, so that one sound slot is enough. A config that is missing or damaged is replaced by it; a sound one
/// stays as it is. Before a damaged one is replaced, its length and its first 4096 bytes are kept in a record, which `lbak cat aside` shows.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak repair config --dry-run")]
pub(crate) struct RepairConfigArguments {
    /// Show what would be done, change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

/// Make the index whole again from the packs
///
/// Every pack's own directory is read. What no sound index segment tells of is written into new ones; damaged ones stay where they are and
/// count no more. Exit code 20 when a pack's directory is damaged and nothing else tells what it holds.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak repair index --dry-run")]
pub(crate) struct RepairIndexArguments {
    /// Show what would be done, change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

/// Save what still opens of damaged packs, and have the rest stored anew
///
/// Every pack is read. What still proves itself in a damaged one is stored anew, the pack is marked as damaged, and the next `lbak
/// snapshot` of the same data stores what is lost, although the files look unchanged. Exit code 20 when something could not be read
/// anywhere.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak repair packs --dry-run
  lbak repair packs --from /mnt/mirror/repository")]
pub(crate) struct RepairPacksArguments {
    /// Read only these packs, named by their ids, as `lbak verify` tells them [default: all]
    #[arg(value_name = "PACK", value_parser = pack)]
    pub(crate) packs: Vec<PackId>,
    /// Folder of a copy of this repository, to take from what is damaged here; may be given several times
    #[arg(long, value_name = "PLACE")]
    pub(crate) from: Vec<PathBuf>,
    /// Show what would be done, change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

/// Write what is left of damaged snapshots as new ones beside them
///
/// The new snapshot lacks the directories that are lost, and has holes where bytes of files are lost; its findings name both. Such files are
/// restored as NAME.lbak-partial (exit code 20), and read again by the next snapshot. Exit code 20 when any snapshot lacks something.
///
/// A record under snapshots/ that does not open is looked behind, too: what it told of is found in the packs and written as a new snapshot,
/// and the record is set aside. Put it back from a copy of the repository first, if there is one.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak repair snapshots --dry-run")]
pub(crate) struct RepairSnapshotsArguments {
    /// `latest`, `latest~N` or the beginning of an id [default: every snapshot]
    #[arg(value_name = "SNAPSHOT")]
    pub(crate) snapshots: Vec<String>,
    /// Read the packs first, as `lbak verify --read-data` does; else only those are tried that are missing or known to be damaged
    #[arg(long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub(crate) read_data: Option<Share>,
    /// Show what would be done, change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

/// Set small objects aside that do not open
///
/// Announcements of sessions, marks that say who forgot a snapshot or found a pack damaged, lists of finished rounds, and notes of what was read:
/// no snapshot needs what they held. They stay where they are, and `lbak verify` lists them as set aside. A session that has no outcome and
/// whose announcement does not open is closed. Exit code 20 when something is left for another repair.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak repair records --dry-run")]
pub(crate) struct RepairRecordsArguments {
    /// Show what would be done, change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

/// A pack's id, with or without the folders in front.
fn pack(text: &str) -> Result<PackId, String> {
    let id = text.rsplit('/').next().unwrap_or(text);
    PackId::from_hex(id).ok_or_else(|| "a pack is named by 64 hex digits".into())
}
