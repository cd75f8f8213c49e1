//! `lbak key`.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

/// List, add, change and remove passwords and key files
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
    ///
    /// A star marks the one that opened the repository. Labels are sealed: only the label of that one can be read.
    #[command(after_help = "Example:\n  lbak key list")]
    List,
    Add(KeyAddArguments),
    #[command(aliases = ["passwd", "change-passphrase"])]
    Change(KeyChangeArguments),
    Remove(KeyRemoveArguments),
}

/// What is new.
#[derive(Args, Debug)]
pub(crate) struct NewKeyArguments {
    /// Key file to add; made when it is not there, never overwritten
    #[arg(long, value_name = "FILE", group = "new")]
    pub(crate) new_key_file: Option<PathBuf>,
    /// File that holds the password to add
    #[arg(long, value_name = "FILE", group = "new")]
    pub(crate) new_password_file: Option<PathBuf>,
    /// Command that prints the password to add, run by `sh -c`
    #[arg(long, value_name = "COMMAND", group = "new")]
    pub(crate) new_password_command: Option<OsString>,
    /// Name of the new slot, told to whoever opens the repository with it [default: user@host]
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) label: Option<String>,
}

/// Add a password or a key file, either of which then opens the repository
///
/// With no --new- option a new password is asked for; but when the file of --key-file is not there, it is made and added, and the
/// repository is opened with the password.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak key add
  lbak key add --new-key-file ~/second.key --label 'in the safe'")]
pub(crate) struct KeyAddArguments {
    #[command(flatten)]
    pub(crate) new: NewKeyArguments,
}

/// Replace the password or key file that the repository is opened with
///
/// The new one is added and proven before the old one is removed; other slots stay. This does not revoke: who copied the old
/// slot before and knows its password can open that copy for ever. With no --new- option a new password is asked for.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak key change
  lbak key change --password-file old --new-password-file new")]
pub(crate) struct KeyChangeArguments {
    #[command(flatten)]
    pub(crate) new: NewKeyArguments,
}

/// Remove a key slot
///
/// This does not revoke the key: who copied the slot before and has its key can open that copy. The last slot stays, and the one
/// that the repository is opened with goes only after a question: open it with another key, and it is known that this one works.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lbak key remove 3fa2b1c0")]
pub(crate) struct KeyRemoveArguments {
    /// Its id, or at least four digits of the beginning
    #[arg(value_name = "SLOT")]
    pub(crate) slot: String,
    /// Do not ask before the key that is in use goes
    #[arg(long)]
    pub(crate) yes: bool,
}
