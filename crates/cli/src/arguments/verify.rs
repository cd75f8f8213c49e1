//! `lbak verify`.

use std::time::Duration;

use clap::Args;
use lbak::Share;

/// Check that everything is there and, if asked, that every byte is right
///
/// Without options the small objects are opened, every tree of every snapshot is read, and every chunk is looked up in the index. Damage is named
/// with the snapshots and paths that it hurts (exit code 20). Of a sound repository
/// nothing is printed unless a terminal watches or -v is given. With one of the --max options the
/// repository remembers which packs were read when, so that every night's part adds up to all of it; how much that is, is printed. Such a run reads at
/// least one sound pack that is due, whatever the limits. Packs that it finds damaged do not count: they are read beside that, in every run, until
/// `lbak repair packs` has marked them, and come last from then on.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak verify --read-data=1/7 || echo 'the backup needs you'
  lbak verify --read-data --max-age 30d --max-time 20m")]
pub(crate) struct VerifyArguments {
    /// Check names and checksums of all objects, and that the packs are there that parity was made of; needs no key
    #[arg(long, conflicts_with = "read_data")]
    pub(crate) no_key: bool,
    /// Read the data too: all of it, the N-th of T equal parts (`1/7` today, `2/7` tomorrow), or about a percentage (`10%`, always the same packs)
    #[arg(long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub(crate) read_data: Option<Share>,
    /// restic's name for it
    #[arg(long, value_name = "SHARE", hide = true, conflicts_with_all = ["no_key", "read_data"])]
    pub(crate) read_data_subset: Option<Share>,
    /// Read only packs that were not read within this time, such as `30d`; those that were unread longest first
    #[arg(long, value_name = "TIME", requires = "read_data", conflicts_with = "no_key", value_parser = duration)]
    pub(crate) max_age: Option<Duration>,
    /// Begin to read no other pack after this time, such as `20m`, longer by what damaged packs took, up to twice as long; what was unread longest comes first, and the next run goes on
    #[arg(long, value_name = "TIME", requires = "read_data", conflicts_with = "no_key", value_parser = duration)]
    pub(crate) max_time: Option<Duration>,
    /// Read no more than this of sound packs, such as `200G`, but one pack at least; what was unread longest comes first, and the next run goes on
    #[arg(long, value_name = "SIZE", requires = "read_data", conflicts_with = "no_key", value_parser = crate::sizes::parse)]
    pub(crate) max_bytes: Option<u64>,
    /// Threads that work [default: one per processor]
    #[arg(long, value_name = "N", value_parser = super::selection::threads)]
    pub(crate) threads: Option<usize>,
}

/// A number and `s`, `m`, `h`, `d` or `w`.
fn duration(text: &str) -> Result<Duration, String> {
    let unclear = || format!("`{text}` is no time: give a number with s, m, h, d or w");
    let (number, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit()).ok_or_else(unclear)?);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(unclear()),
    };
    let number: u64 = number.parse().map_err(|_| unclear())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(unclear)
}
