//! What people type who know restic, rustic or borg: understood where lbak has an equal, otherwise told in one line what to do instead.
//!
//! Words with an equal are aliases where the arguments are defined. `docs/from-restic.md` has the whole table.

use clap::error::{ContextKind, ContextValue};

mod options;

pub(crate) use options::{instead_of_argument, without_misleading_tip};

/// Commands of other programs, and what to do instead.
const COMMANDS: [(&[&str], &str); 19] = [
    (&["forget", "delete"], "lbak can not forget snapshots yet; `lbak tag` marks those that are to stay"),
    (&["prune", "compact"], "lbak can not reclaim space yet; what is stored twice is stored once in any case"),
    (
        &["mount", "umount", "webdav"],
        "lbak can not mount yet; `lbak ls`, `lbak find` and `lbak dump` look into a snapshot",
    ),
    (
        &["unlock", "break-lock", "with-lock"],
        "there is nothing to unlock: any number of hosts write at once, without locks",
    ),
    (&["rebuild-index", "repair-index"], "`lbak repair index` makes the index whole again from the packs"),
    (&["migrate", "upgrade"], "there is nothing to migrate: there is one format"),
    (
        &["rewrite", "recreate"],
        "lbak can not take files out of a snapshot yet; `lbak tag` changes tags and description",
    ),
    (
        &["copy", "transfer"],
        "lbak can not copy snapshots yet; the repository's folder may be copied as it is, with any program",
    ),
    (
        &["recover"],
        "a snapshot is visible with all it needs or not at all; `lbak verify` tells of snapshots that can not be read",
    ),
    (&["self-update"], "lbak is updated as it was installed"),
    (&["cache"], "there is no cache to look after"),
    (&["list"], "`lbak snapshots`, `lbak key list`, `lbak ls SNAPSHOT` and `lbak stats` list what there is"),
    (&["create"], "`lbak snapshot PATH…` takes a snapshot; it gets an id, no name (--tag and --description name it)"),
    (
        &["extract"],
        "`lbak restore SNAPSHOT[:PATH] TARGET` restores, `lbak restore SNAPSHOT --original` to where it was",
    ),
    (&["info", "repoinfo"], "`lbak snapshots` shows the sizes of each snapshot, `lbak stats` those of the repository"),
    (&["export-tar"], "`lbak dump SNAPSHOT[:PATH]` writes an archive to standard output"),
    (&["generate"], "`lbak completions SHELL` and `lbak man [DIRECTORY]`"),
    (&["rename"], "snapshots have ids, no names: `lbak tag SNAPSHOT --description TEXT` says what one is"),
    (
        &["serve", "options", "config", "show-config"],
        "options and LBAK_ variables are all there is to set: see `lbak --help`",
    ),
];

/// The message for a command that lbak does not have, when it is known what its user wants.
pub(crate) fn instead_of_command(error: &clap::Error) -> Option<String> {
    let word = invalid(error, ContextKind::InvalidSubcommand)?;
    let hint = find(&COMMANDS, word)?;
    Some(format!("lbak: there is no command `{word}`\nhint: {hint}\n"))
}

fn invalid(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(word) => word.split('=').next(),
        _ => None,
    }
}

fn find(table: &[(&[&str], &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(words, _)| words.contains(&word)).map(|(_, hint)| *hint)
}

/// A variable of another program that names a repository or a password: it is not read, and whoever set it should know.
pub(crate) fn foreign_variable(what: Foreign) -> Option<&'static str> {
    let names: &[&str] = match what {
        Foreign::Repository => &["RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE", "RUSTIC_REPOSITORY", "BORG_REPO"],
        Foreign::Password => &[
            "RESTIC_PASSWORD",
            "RESTIC_PASSWORD_FILE",
            "RESTIC_PASSWORD_COMMAND",
            "RUSTIC_PASSWORD",
            "BORG_PASSPHRASE",
            "BORG_PASSCOMMAND",
        ],
    };
    names.iter().copied().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// What a foreign variable says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Foreign {
    Repository,
    Password,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::command;

    #[test]
    fn no_hint_stands_in_the_way_of_what_there_is() {
        let command = command();
        for word in COMMANDS.iter().flat_map(|(words, _)| *words) {
            assert!(command.find_subcommand(word).is_none(), "{word} is a command: its hint is never seen");
        }
    }
}
