//! `lbak restore`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::Args;
use lbak::{Delete, InPlace};

use super::{ChosenArguments, InPlaceArguments, SelectionArguments, SettingArguments};

/// Restore a snapshot, or a part of it
///
/// A snapshot of one directory restores that directory's contents into TARGET; of several paths, each under its absolute
/// path below TARGET; a file becomes TARGET/name. Nothing that is there is overwritten unless --in-place is given, or one of the
/// options that imply it; then only what differs is written, and an interrupted restore goes on.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak restore latest /tmp/restored
  lbak restore latest:/srv/models/small.bin . --at '2026-11-20 18:00'
  lbak restore 3fa2b1c0:config /tmp/config
  lbak restore latest /srv/models --in-place --delete --dry-run -v
  lbak restore latest --original --include '*.safetensors' --overwrite never
  lbak restore latest:/app.sql --to-command -- psql -X -v ON_ERROR_STOP=1 -1 -d app")]
pub(crate) struct RestoreArguments {
    /// `latest`, `latest~N` or the beginning of an id; then the path of a part of it: absolute, or below the one directory
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    pub(crate) snapshot: OsString,
    /// Directory to restore to: missing (made, its parents are not) or empty, or anything with --in-place
    #[arg(
        required_unless_present_any = ["original", "target_option", "to_command"],
        conflicts_with_all = ["original", "to_command"]
    )]
    pub(crate) target: Option<PathBuf>,
    /// Only snapshots up to this time: RFC 3339, `YYYY-MM-DD[ HH:MM[:SS]]` in local time, `yesterday 18:00`, `2h ago`
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    /// Put everything back where it was, in place of TARGET. Directories that are there become what they were; files that are
    /// there stay, unless --in-place is given
    #[arg(long)]
    pub(crate) original: bool,
    /// The same as TARGET
    #[arg(long = "target", short_alias = 't', value_name = "TARGET", hide_short_help = true, conflicts_with_all = ["target", "original"])]
    pub(crate) target_option: Option<PathBuf>,
    /// Do not ask before --original
    #[arg(long, requires = "original")]
    pub(crate) yes: bool,
    /// Show what would be restored, write nothing; with -v, say it of every entry
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Threads that work [default: one per processor]
    #[arg(long, value_name = "N", value_parser = super::selection::threads)]
    pub(crate) threads: Option<usize>,
    /// Feed a file, or a tar archive of a directory, to COMMAND in place of TARGET. All of it is read and checked before the
    /// command starts; should anything go wrong then, the command is killed before its input ends, also when lbak itself is
    /// killed. A command that works in one transaction is safe whatever happens
    #[arg(
        long,
        requires = "command",
        conflicts_with_all = ["original", "dry_run", "target_option", "ChosenArguments", "InPlaceArguments", "SettingArguments"]
    )]
    pub(crate) to_command: bool,
    /// With --to-command: start the command at once, and check while it reads
    #[arg(long, requires = "to_command")]
    pub(crate) inline: bool,
    /// The command and its words; it is run without a shell, in a process group of its own
    #[arg(last = true, value_name = "COMMAND", requires = "to_command")]
    pub(crate) command: Vec<OsString>,
    #[command(flatten)]
    pub(crate) chosen: ChosenArguments,
    #[command(flatten)]
    pub(crate) in_place: InPlaceArguments,
    #[command(flatten)]
    pub(crate) setting: SettingArguments,
}

impl RestoreArguments {
    /// Where to, unless everything goes back where it was.
    pub(crate) fn target(&self) -> Option<&Path> {
        self.target.as_deref().or(self.target_option.as_deref())
    }

    /// What happens to what is there; `None` when nothing was said about it.
    pub(crate) fn in_place(&self) -> Option<InPlace> {
        let in_place = &self.in_place;
        let is_asked_for = in_place.in_place || in_place.overwrite.is_some() || in_place.delete;
        is_asked_for.then(|| InPlace {
            overwrite: in_place.overwrite.map(Into::into).unwrap_or_default(),
            delete: match (in_place.delete, in_place.delete_unread) {
                (false, _) => Delete::Nothing,
                (true, false) => Delete::Extra,
                (true, true) => Delete::ExtraOfIncomplete,
            },
        })
    }
}

impl RestoreArguments {
    /// Something was said that only means anything with `--to-command`. The parser passes over what is missing when it would
    /// contradict what is there.
    pub(crate) fn is_to_command(&self) -> bool {
        self.to_command || self.inline || !self.command.is_empty()
    }
}
