//! `lbak key`.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Subcommand};

/// List, add and remove passwords and key files
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak key add --new-key-file ~/second.key", arg_required_else_help = true)]
pub(crate) struct KeyArguments {
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the key slots
    #[command(after_help = "Example:\n  lbak key list")]
    List,
    Add(KeyAddArguments),
    Remove(KeyRemoveArguments),
}

/// Add a password or a key file, either of which then opens the repository
///
/// With no --new- option a new password is asked for; but when the file of --key-file is not there, it is made and added, and the
/// repository is opened with the password.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak key add --new-key-file ~/second.key")]
pub(crate) struct KeyAddArguments {
    /// Key file to add; made when it is not there, never overwritten
    #[arg(long, value_name = "FILE", group = "new")]
    pub(crate) new_key_file: Option<PathBuf>,
    /// File that holds the password to add
    #[arg(long, value_name = "FILE", group = "new")]
    pub(crate) new_password_file: Option<PathBuf>,
    /// Command that prints the password to add, run by `sh -c`
    #[arg(long, value_name = "COMMAND", group = "new")]
    pub(crate) new_password_command: Option<OsString>,
}

/// Remove a key slot
///
/// This does not revoke the key: who copied the slot before and has its key can open that copy.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak key remove 3fa2b1c0")]
pub(crate) struct KeyRemoveArguments {
    /// Its id, or at least four digits of the beginning
    #[arg(value_name = "SLOT")]
    pub(crate) slot: String,
}
