//! Options and arguments of other programs, and what to do instead.
//!
//! One spelling may mean different things to different commands, so most hints are for some commands only.

use clap::{
    Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::invalid;

/// Commands, their options as other programs have them, and what to do instead. No command stands for all.
type Hint = (&'static [&'static str], &'static [&'static str], &'static str);

const LATER: &str = "to come with object stores: lbak keeps repositories in folders";
const NO_RETENTION: &str = "lbak can not forget snapshots yet; `lbak tag` marks those that are to stay";

const HINTS: [Hint; 52] = [
    // What every command of restic has.
    (&[], &["-p"], "`--password-file FILE`: a password never stands on the command line, which every user can read"),
    (
        &[],
        &["--password", "--passphrase"],
        "never on the command line, which every user can read: `--password-file FILE`",
    ),
    (&[], &["--repository-file"], "`-r \"$(cat FILE)\"`, or LBAK_REPOSITORY"),
    (&[], &["--key-hint"], "all key slots are tried: leave it out"),
    (&[], &["--insecure-no-password"], "a repository always has a key: `--key-file FILE` needs no password"),
    (&[], &["--no-lock", "--retry-lock", "--lock-wait", "--bypass-lock"], "there are no locks: leave it out"),
    (
        &[],
        &["--no-cache", "--cache-dir", "--cleanup-cache", "--with-cache"],
        "there is no cache that needs an option: leave it out",
    ),
    (&[], &["--no-extra-verify"], "what is read is always checked against its id: leave it out"),
    (&[], &["--limit-upload", "--limit-download", "--upload-ratelimit"], LATER),
    (&[], &["--cacert", "--tls-client-cert", "--insecure-tls", "--http-user-agent", "--stuck-request-timeout"], LATER),
    (&[], &["--option", "--pack-size", "--rsh", "--remote-path"], LATER),
    (&["snapshot", "restore", "snapshots", "verify", "ls", "find"], &["-o"], LATER),
    (&[], &["--compression"], "`lbak snapshot` has it: off, fast, auto, better or max"),
    (&[], &["--use-profile", "-P"], "there are no profiles: LBAK_ variables say what is always the same"),
    (&[], &["--progress", "--info", "--debug"], "progress is shown on a terminal; `-v` and `-vv` say more"),
    (&[], &["--keep-last", "--keep-hourly", "--keep-daily", "--keep-weekly"], NO_RETENTION),
    (&[], &["--keep-monthly", "--keep-yearly", "--keep-within", "--keep-tag", "--prune"], NO_RETENTION),
    // `init`.
    (
        &["init"],
        &["--copy-chunker-params", "--from-repo", "--from-repository-file"],
        "to come with `copy`: each repository cuts files in a way of its own",
    ),
    (&["init"], &["--from-password-file", "--from-password-command", "--from-key-hint"], "to come with `copy`"),
    (&["init"], &["--repository-version", "--set-version"], "there is one format: leave it out"),
    (&["init"], &["--encryption", "-e"], "every repository is encrypted: `--key-file FILE`, or a password"),
    (
        &["init"],
        &["--make-parent-dirs", "--storage-quota", "--append-only"],
        "there is none; the folder's parent must be there",
    ),
    // `backup` and `create`.
    (&["snapshot"], &["--force", "-f"], "`--lineage full` reads every file again"),
    (
        &["snapshot"],
        &["--parent"],
        "lbak compares with the snapshot before it of the same host and paths; `--lineage full` with none",
    ),
    (&["snapshot"], &["--group-by", "-g"], "host and paths always: leave it out"),
    (&["snapshot"], &["--read-concurrency"], "`--threads N`"),
    (&["snapshot"], &["--no-scan"], "lbak does not scan first: leave it out"),
    (
        &["snapshot"],
        &["--skip-if-unchanged"],
        "a snapshot of unchanged files costs one small object, and shows that the backup ran: leave it out",
    ),
    (&["snapshot"], &["--time", "--timestamp"], "a snapshot is dated by when it was taken: --description says more"),
    (&["snapshot"], &["--with-atime"], "times of access are not kept: each backup would change them"),
    (&["snapshot"], &["--use-fs-snapshot"], "freeze the file system first, and name the frozen copy as PATH"),
    (&["snapshot"], &["--comment", "--label"], "`--description TEXT`"),
    (&["snapshot"], &["--stats", "-s", "--list"], "the report says it; `-v` names each file that is read"),
    (&["snapshot"], &["--patterns-from", "--pattern"], "`--exclude-file FILE` and `--include PATTERN`"),
    // `restore`, `dump` and `extract`.
    (&["restore"], &["--sparse"], "holes are always restored as holes: leave it out"),
    (&["restore"], &["--strip-components"], "`lbak restore SNAPSHOT:PATH TARGET` restores what is below PATH"),
    (
        &["restore"],
        &["--numeric-ids", "--numeric-owner"],
        "owners are restored by number unless `--owner name` is given",
    ),
    (
        &["dump"],
        &["-i", "--include", "-e", "--exclude"],
        "`lbak restore` has them; `lbak dump SNAPSHOT:PATH` gives one part",
    ),
    // Looking.
    (&["ls", "find"], &["--human-readable"], "sizes are for people unless `-l --bytes` is given: leave it out"),
    (&["ls"], &["--ncdu"], "lbak has none yet; `lbak ls -R -l --sort size` shows the largest last"),
    (&["ls"], &["--format", "--short"], "`-l` shows more, `--json` everything"),
    (
        &["find"],
        &["--blob", "--tree", "--pack", "--show-pack-id"],
        "`lbak verify` names what a damaged object hurts; `lbak cat` shows one object",
    ),
    (&["find"], &["--oldest", "-O"], "`--newer TIME`: changed then or later"),
    (&["find"], &["--newest", "-N"], "`--older TIME`: changed before it"),
    (&["find"], &["--reverse", "-R"], "the newest snapshot comes first: leave it out"),
    (&["stats"], &["--mode"], "logical and stored bytes are both shown; `--snapshots` shows each snapshot alone"),
    (&["diff"], &["--content-only", "--numeric-ids"], "contents are what is compared; `--metadata` adds the rest"),
    // `check` and `key`.
    (&["verify"], &["--verify-data"], "`--read-data`"),
    (&["verify"], &["--repository-only", "--archives-only"], "leave it out; `--no-key` checks without a key"),
    (
        &["verify"],
        &["--repair"],
        "lbak repair is a command: `lbak repair packs`; docs/repair.md tells what to do in which order",
    ),
    (&["add"], &["--user", "--host"], "`--label TEXT` says whose it is"),
    (&["add", "change"], &["--new-insecure-no-password"], "`--new-key-file FILE` needs no password"),
];

/// Arguments of other programs that are no options.
const PLACES: [Hint; 2] = [
    (&["init"], &[], "the place of the repository is an option: `lbak init -r PLACE`"),
    (&["verify", "key", "list", "add", "stats"], &[], "the repository is named by -r PLACE or LBAK_REPOSITORY"),
];

/// The message for an option or argument that lbak does not have, when it is known what its user wants.
pub(crate) fn instead_of_argument(error: &clap::Error, program: &Command, words: &[String]) -> Option<String> {
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return instead_of_target(error, &commands(program, words));
    }
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let word = invalid(error, ContextKind::InvalidArg)?;
    let commands = commands(program, words);
    let (name, hint) = match word.starts_with('-') {
        true => (format!("no option `{word}`"), of_option(&commands, word)?),
        false if word.contains("::") => (
            format!("no argument `{word}`"),
            "-r PLACE names the repository; a snapshot has an id: `lbak snapshots` lists them",
        ),
        false => {
            let (.., hint) = PLACES.iter().find(|(of, ..)| commands.iter().any(|command| of.contains(&&**command)))?;
            (format!("no argument `{}`", lbak::escape(word.as_bytes())), *hint)
        }
    };
    let of = [vec!["lbak".to_owned()], commands].concat().join(" ");
    Some(format!("lbak: `{of}` has {name}\nhint: {hint}\n"))
}

/// A restore needs a place, or one of the options that are for those who want none.
fn instead_of_target(error: &clap::Error, commands: &[String]) -> Option<String> {
    let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else { return None };
    let is_target = matches!(&missing[..], [only] if only.contains("TARGET"));
    (is_target && commands.iter().any(|command| command == "restore")).then(|| {
        "lbak: `lbak restore` needs a TARGET\n\
         hint: give a directory to restore to; --original puts everything back where it was, `--to-command -- COMMAND` feeds a file to a command\n"
            .to_owned()
    })
}

fn of_option(commands: &[String], word: &str) -> Option<&'static str> {
    let is_for = |of: &[&str]| of.is_empty() || commands.iter().any(|command| of.contains(&&**command));
    HINTS.iter().find(|(of, options, _)| options.contains(&word) && is_for(of)).map(|(.., hint)| *hint)
}

/// The commands that were typed, by their own names: `snapshot` for `backup`, `key add`. Values of options in front may be taken
/// for commands, which costs a hint at worst.
fn commands(program: &Command, words: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut command = program;
    for word in words {
        if let Some(below) = command.find_subcommand(word) {
            found.push(below.get_name().to_owned());
            command = below;
        }
    }
    found
}

/// Takes away what is said of unknown options to any program: that `--` makes a value of them. Nobody means that.
pub(crate) fn without_misleading_tip(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::StyledStrs(tips)) = error.remove(ContextKind::Suggested) {
        let tips: Vec<_> = tips.into_iter().filter(|tip| !tip.to_string().contains("as a value, use")).collect();
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::command;

    #[test]
    fn no_hint_stands_in_the_way_of_what_there_is() {
        let program = command();
        let mut open: Vec<&Command> = program.get_subcommands().collect();
        while let Some(command) = open.pop() {
            open.extend(command.get_subcommands());
            for argument in command.get_arguments() {
                let long = argument.get_long_and_visible_aliases().unwrap_or_default();
                let hidden = argument.get_all_aliases().unwrap_or_default();
                let long = long.into_iter().chain(hidden).map(|long| format!("--{long}"));
                let short = argument.get_short_and_visible_aliases().unwrap_or_default();
                let hidden = argument.get_all_short_aliases().unwrap_or_default();
                let short = short.into_iter().chain(hidden).map(|short| format!("-{short}"));
                for option in long.chain(short) {
                    let hinted = HINTS
                        .iter()
                        .find(|(of, options, _)| options.contains(&&*option) && of.contains(&command.get_name()));
                    assert!(hinted.is_none(), "{} has {option}", command.get_name());
                }
            }
        }
    }

    #[test]
    fn hints_are_for_commands_that_there_are() {
        let program = command();
        let below =
            |command: &Command| command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect::<Vec<_>>();
        let names: Vec<String> = program
            .get_subcommands()
            .flat_map(|sub| below(sub).into_iter().chain([sub.get_name().to_owned()]))
            .collect();
        for command in HINTS.iter().chain(&PLACES).flat_map(|(of, ..)| *of) {
            assert!(names.iter().any(|name| name == command), "{command}");
        }
    }
}
