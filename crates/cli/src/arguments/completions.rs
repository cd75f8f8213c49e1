//! `lbak completions`.

use clap::{Args, ValueEnum};

/// Print the script with which a shell completes commands, options and snapshot ids
///
/// Snapshot ids are completed when the repository opens without a question and at once: with a key file, a password file or a
/// variable. Read the script when the shell starts, so that it fits the installed version.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  source <(lbak completions bash)    in ~/.bashrc, and likewise in ~/.zshrc
  lbak completions fish | source     in ~/.config/fish/completions/lbak.fish")]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: ShellArgument,
}

/// Shells.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ShellArgument {
    /// GNU bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// Elvish
    Elvish,
    /// PowerShell
    Powershell,
}

impl ShellArgument {
    /// Its name, as the completion engine knows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Elvish => "elvish",
            Self::Powershell => "powershell",
        }
    }
}
