//! `lbak init`.

use clap::{Args, builder::NonEmptyStringValueParser};

/// Make a repository in an empty folder
///
/// It is opened with the given key file or password; with both, either opens it. A key file that is not there is made,
/// readable by its owner alone. With neither, a new password is asked for.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak init -r /mnt/backup/lbak --key-file ~/lbak.key")]
pub(crate) struct InitArguments {
    /// Name of the key slots, told to whoever opens the repository with them [default: user@host]
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) label: Option<String>,
}
