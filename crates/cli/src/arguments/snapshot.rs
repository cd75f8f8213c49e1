//! `lbak snapshot`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::NonEmptyStringValueParser};
use lbak::{Compression, LineageKind};

use super::StreamArguments;

/// Take a snapshot of directories and files, or of a stream or a command's output
///
/// The snapshot is complete and restores alone, whatever it was compared with. Without a repository, and with no LBAK_
/// variable set, the first snapshot makes the default repository.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak snapshot /srv/models --tag nightly --description 'before the upgrade'
  some-program | lbak snapshot --stdin --stdin-name output.txt
  lbak snapshot --from-command --stdin-name shop.sql --timeout 30m -- pg_dump --no-password shop")]
pub(crate) struct SnapshotArguments {
    /// Directories and files; each must be there
    #[arg(required_unless_present_any = ["files_from", "files_from0", "stream", "command"], value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// What to compare with; files that look unchanged since then are not read again
    #[arg(long, value_enum, default_value_t = LineageArgument::Incremental, value_name = "KIND")]
    pub(crate) lineage: LineageArgument,
    /// Name of the host that the data belongs to [default: this host]
    #[arg(long, short_alias = 'H', value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) host: Option<String>,
    /// Tag of the snapshot; may be given several times
    #[arg(long = "tag", value_name = "TAG", value_parser = super::selection::tag)]
    pub(crate) tags: Vec<String>,
    /// A line about the snapshot
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) description: String,
    /// Do not read a file again when nothing but its ctime has changed
    #[arg(long)]
    pub(crate) ignore_ctime: bool,
    /// Do not read a file again when nothing but its inode and ctime have changed (some network file systems)
    #[arg(long)]
    pub(crate) ignore_inode: bool,
    /// Read and compare, but store nothing; with -v, say what would be read and why
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Open again all that was sealed, before it is stored: for machines whose memory or processor is in doubt
    #[arg(long)]
    pub(crate) paranoid: bool,
    /// How hard to try to store less
    #[arg(long, value_enum, default_value_t = CompressionArgument::Auto, value_name = "LEVEL")]
    pub(crate) compression: CompressionArgument,
    /// Threads that work [default: one per processor]
    #[arg(long, value_name = "N", value_parser = super::selection::threads)]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) wanted: super::WantedArguments,
    #[command(flatten)]
    pub(crate) stream: StreamArguments,
}

impl SnapshotArguments {
    /// The paths, also those that stand behind `--` because they look like options.
    pub(crate) fn all_paths(&self) -> Vec<PathBuf> {
        self.paths.iter().cloned().chain(self.stream.command.iter().map(PathBuf::from)).collect()
    }
}

/// Kinds of lineage.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LineageArgument {
    /// Compare with the snapshot before it of the same host and paths
    Incremental,
    /// Compare with the last full snapshot of the same host and paths
    Differential,
    /// Read every byte again
    Full,
}

impl From<LineageArgument> for LineageKind {
    fn from(argument: LineageArgument) -> Self {
        match argument {
            LineageArgument::Incremental => Self::Incremental,
            LineageArgument::Differential => Self::Differential,
            LineageArgument::Full => Self::Full,
        }
    }
}

/// Levels of compression.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CompressionArgument {
    /// Store as it is
    Off,
    /// zstd level 1
    Fast,
    /// zstd level 3
    Auto,
    /// zstd level 9
    Better,
    /// zstd level 19
    Max,
}

impl From<CompressionArgument> for Compression {
    fn from(argument: CompressionArgument) -> Self {
        match argument {
            CompressionArgument::Off => Self::Off,
            CompressionArgument::Fast => Self::Fast,
            CompressionArgument::Auto => Self::Auto,
            CompressionArgument::Better => Self::Better,
            CompressionArgument::Max => Self::Max,
        }
    }
}
