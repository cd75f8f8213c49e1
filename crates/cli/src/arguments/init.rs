//! `lbak init`.

use clap::Args;

/// Make a repository in an empty folder
///
/// It is opened with the given key file or password; with both, either opens it. A key file that is not there is made,
/// readable by its owner alone. With neither, a new password is asked for.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak init -r /mnt/backup/lbak --key-file ~/lbak.key")]
pub(crate) struct InitArguments {}
