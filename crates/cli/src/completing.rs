//! Completion while somebody types: commands, options, and the ids of snapshots where these cost no question and no wait.
//!
//! The script of `lbak completions` calls the program with [`VARIABLE`] set. Whatever goes wrong here, nothing is said: a shell that is
//! completing shows no messages.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use clap::Command;
use clap_complete::{
    ArgValueCompleter, CompleteEnv,
    engine::{CompletionCandidate, PathCompleter, ValueCompleter},
};
use lbak::{
    Backend, Catalog, Error, ListOptions, ListedEntry, LocalBackend, Manifest, OpenOptions, Pick, Repository,
    Selection, Timestamp, tree::Node,
};

use crate::{
    command_line,
    default_repository::DefaultRepository,
    environment::Environment,
    paths, remote_places,
    secrets::{Offered, PasswordSource},
    times,
};

/// Says which shell asks for candidates.
pub(crate) const VARIABLE: &str = "LBAK_COMPLETE";

/// A shell that waits longer for candidates seems to hang.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Most ids that are shown.
const MOST: usize = 200;

/// Answers a shell that is completing, and ends the program; does nothing in any other run.
pub(crate) fn answer() {
    if env::var_os(VARIABLE).is_some() {
        CompleteEnv::with_factory(|| with_snapshots(command_line::command()))
            .var(VARIABLE)
            .completer("lbak")
            .complete();
    }
}

/// Every argument that names a snapshot completes ids, and paths in it where it may have one.
fn with_snapshots(command: Command) -> Command {
    let is_of_objects = command.get_name() == "cat";
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_snapshots)).mut_args(|argument| {
        let names = argument.get_value_names().unwrap_or_default();
        match names.first().map(|name| name.as_str()) {
            Some("SNAPSHOT") => argument.add(ArgValueCompleter::new(snapshots)),
            Some("SNAPSHOT[:PATH]") => argument.add(ArgValueCompleter::new(parts)),
            // Of `cat`, whose first argument says of what.
            Some("ID") if is_of_objects => argument.add(ArgValueCompleter::new(objects)),
            Some("SECOND") => argument.add(ArgValueCompleter::new(parts_or_files)),
            _ => argument,
        }
    })
}

/// Snapshots, and behind a colon what is in one.
fn parts(typed: &OsStr) -> Vec<CompletionCandidate> {
    match typed.to_str().and_then(|typed| typed.split_once(':')) {
        Some((snapshot, path)) => paths_in(snapshot.to_owned(), path.to_owned()),
        None => snapshots(typed),
    }
}

/// The same, or files of this machine.
fn parts_or_files(typed: &OsStr) -> Vec<CompletionCandidate> {
    let before_colon = typed.to_str().and_then(|typed| typed.split(':').next()).unwrap_or_default();
    if before_colon.contains(['/', '.']) { PathCompleter::any().complete(typed) } else { parts(typed) }
}

/// `latest` and the ids that begin with what was typed.
fn snapshots(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let mut found = vec![CompletionCandidate::new("latest").help(Some("the newest snapshot".into()))];
    found.extend(ids());
    found.retain(|candidate| candidate.get_value().to_string_lossy().starts_with(typed));
    found
}

/// Snapshots, where `cat` is asked for one.
fn objects(typed: &OsStr) -> Vec<CompletionCandidate> {
    let words: Vec<OsString> = env::args_os().collect();
    let is_snapshot = words.windows(2).any(|pair| pair[0] == "cat" && pair[1] == "snapshot");
    if is_snapshot { snapshots(typed) } else { Vec::new() }
}

/// The newest snapshots, if the repository opens without a question and soon enough.
fn ids() -> Vec<CompletionCandidate> {
    match soon(|| open(&Typed::read(env::args_os()))) {
        Some((_, catalog)) => catalog.snapshots.iter().rev().take(MOST).enumerate().map(candidate).collect(),
        None => Vec::new(),
    }
}

/// What a piece of work comes to, if it does before anybody loses patience.
fn soon<T: Send + 'static>(work: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    let (send, receive) = mpsc::channel();
    // A store that does not answer keeps only this thread, which ends with the program.
    let asked = thread::Builder::new().spawn(move || {
        // Nobody listens any more when it took too long.
        let _ = send.send(work());
    });
    asked.ok().and_then(|_| receive.recv_timeout(PATIENCE).ok()).flatten()
}

/// What is in a snapshot under the directory that was typed so far.
fn paths_in(snapshot: String, path: String) -> Vec<CompletionCandidate> {
    let values = soon(move || {
        let typed = Typed::read(env::args_os());
        let (repository, catalog) = open(&typed)?;
        let selection = Selection {
            pick: Pick::parse(&snapshot).ok()?,
            within: Some(path.clone().into_bytes()),
            host: typed.host,
            paths: typed.paths.iter().filter_map(|path| paths::absolute(path).ok()).collect(),
            tag: typed.tag,
            ..Selection::default()
        };
        let manifest = &selection.choose(&catalog, repository.now()).ok()?.snapshot.manifest;
        let found = paths_like(&repository, manifest, &path);
        Some(found.into_iter().map(|found| format!("{snapshot}:{found}")).collect::<Vec<_>>())
    });
    values.unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}

/// Paths that begin like this one; those of directories end with a slash. Names that a shell would not take as they are shown
/// are left to be typed.
fn paths_like(repository: &Repository, manifest: &Manifest, typed: &str) -> Vec<String> {
    let roots = manifest.paths.iter().filter_map(|root| std::str::from_utf8(root).ok());
    let mut found: Vec<String> = roots.filter(|root| root.starts_with(typed)).map(str::to_owned).collect();
    let folder = typed.rfind('/').map_or("", |slash| &typed[..=slash]);
    let path = match folder.trim_end_matches('/') {
        "" => Some("/").filter(|_| !folder.is_empty()),
        path => Some(path),
    };
    // A folder that is not in it has nothing to offer.
    let _ = lbak::list(
        repository,
        manifest,
        path.map(str::as_bytes),
        &ListOptions::default(),
        &mut |ListedEntry { path, entry }| {
            let slash = if matches!(entry.node, Node::Directory { .. }) { "/" } else { "" };
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let is_root = manifest.paths.contains(&path);
            let is_plain = lbak::words_for_people([name]).as_bytes() == name;
            if let Some(name) = std::str::from_utf8(name).ok().filter(|_| is_plain && !is_root) {
                found.extend(Some(format!("{folder}{name}{slash}")).filter(|value| value.starts_with(typed)));
            }
            if found.len() < MOST { Ok(()) } else { Err(Error::Cancelled) }
        },
    );
    found.dedup();
    found
}

fn candidate((order, snapshot): (usize, &lbak::Committed)) -> CompletionCandidate {
    let manifest = &snapshot.manifest;
    let paths: Vec<String> = manifest.paths.iter().map(|path| lbak::escape(path)).collect();
    let moment: Timestamp = snapshot.moment();
    let help = format!("{} {} {}", times::local(moment), lbak::escape(manifest.host.as_bytes()), paths.join(" "));
    CompletionCandidate::new(manifest.id.short()).help(Some(help.into())).display_order(Some(order))
}

/// The repository that the half-typed command means, with its snapshots. No command is run and nobody is asked for a password.
fn open(typed: &Typed) -> Option<(Repository, Catalog)> {
    let environment = Environment::read().ok()?;
    let default = DefaultRepository::places();
    let named = typed.repository.as_ref().or(environment.repository.as_ref());
    let named = named.map(|named| remote_places::folder(named)).transpose().ok()?;
    let folder = named.clone().or_else(|| default.as_ref().map(|default| default.folder.clone()))?;
    let mut offered =
        Offered::new(typed.key_file.clone(), typed.password_file.clone(), None).or(Offered::by_variables(&environment));
    if offered.is_empty() && named.is_none() {
        offered.key_file = default.map(|default| default.key);
    }
    if offered.is_empty() || matches!(offered.password, Some(PasswordSource::Command(_))) && offered.key_file.is_none()
    {
        return None;
    }
    let credential = offered.credential(&folder).ok()?;
    let backend: Arc<dyn Backend> = Arc::new(LocalBackend::open(folder).ok()?);
    let options = OpenOptions { threads: Some(1), ..OpenOptions::default() };
    let repository = Repository::open(backend, &credential, &options).ok()?;
    let catalog = repository.catalog().ok()?;
    Some((repository, catalog))
}

/// What the words of a half-typed command say about the repository; the rest of them may make no sense yet.
#[derive(Debug, Default, PartialEq, Eq)]
struct Typed {
    repository: Option<OsString>,
    key_file: Option<PathBuf>,
    password_file: Option<PathBuf>,
    host: Option<String>,
    paths: Vec<PathBuf>,
    tag: Option<String>,
}

impl Typed {
    fn read(words: impl Iterator<Item = OsString>) -> Self {
        let mut typed = Self::default();
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let Some(text) = word.to_str() else { continue };
            let (option, value) = match text.split_once('=') {
                Some((option, value)) => (option, Some(OsString::from(value))),
                None => (text, words.peek().cloned()),
            };
            match option {
                "-r" | "--repository" | "--repo" => typed.repository = value,
                "--key-file" => typed.key_file = value.map(PathBuf::from),
                "--password-file" => typed.password_file = value.map(PathBuf::from),
                "--host" => typed.host = value.and_then(|value| value.into_string().ok()),
                "--path" => typed.paths.extend(value.map(PathBuf::from)),
                "--tag" => typed.tag = value.and_then(|value| value.into_string().ok()),
                _ => {}
            }
        }
        typed
    }
}

/// The script for a shell. To bash a colon ends a word, to lbak it does not: there the words around it are put together again, and
/// what is offered is cut off where bash begins.
pub(crate) fn adapted(shell: &str, script: String) -> String {
    if shell != "bash" {
        return script;
    }
    script.replacen(BASH_WORDS, BASH_JOINED_WORDS, 1).replacen(BASH_END, &format!("{BASH_CUT}{BASH_END}"), 1)
}

const BASH_WORDS: &str = r#"    local words=("${COMP_WORDS[@]}")
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        words[COMP_CWORD]="$2"
    fi
"#;

const BASH_JOINED_WORDS: &str = r#"    local words=() begun="" place word
    for place in "${!COMP_WORDS[@]}"; do
        word="${COMP_WORDS[place]}"
        if ((place == COMP_CWORD)) && [[ "${BASH_VERSINFO[0]}" -ge 4 && "$word" != : ]]; then
            word="$2"
        fi
        if ((place > 1)) && [[ "${COMP_WORDS[place]}" == : || "${COMP_WORDS[place - 1]}" == : ]]; then
            words[${#words[@]} - 1]+="$word"
        else
            words+=("$word")
        fi
        if ((place == COMP_CWORD)); then
            _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1))
            word="${words[_CLAP_COMPLETE_INDEX]}"
            if [[ "$word" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
                begun="${word%:*}:"
            fi
        fi
    done
"#;

const BASH_END: &str = r#"    if [[ $? != 0 ]]; then
        unset COMPREPLY
"#;

const BASH_CUT: &str = r#"    if [[ $? == 0 && -n "$begun" ]]; then
        COMPREPLY=("${COMPREPLY[@]#"$begun"}")
    fi
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_of_a_half_typed_command_is_found() {
        let read = |words: &[&str]| Typed::read(words.iter().map(OsString::from));
        let typed = read(&["lbak", "restore", "-r", "/mnt/b", "--key-file=/k", "la"]);
        assert_eq!(typed.repository, Some("/mnt/b".into()));
        assert_eq!(typed.key_file, Some("/k".into()));
        assert_eq!(read(&["lbak", "ls", "--repo"]), Typed::default());
        let typed = read(&["lbak", "ls", "latest:", "--path=/a", "--path", "/b", "--host", "h"]);
        assert_eq!((typed.paths.len(), typed.host.as_deref()), (2, Some("h")));
    }

    #[test]
    fn the_script_for_bash_is_the_one_that_is_adapted() {
        let script = format!("a\n{BASH_WORDS}b\n{BASH_END}c");
        let adapted = adapted("bash", script.clone());
        assert!(adapted.contains(BASH_JOINED_WORDS) && adapted.contains(BASH_CUT) && !adapted.contains(BASH_WORDS));
        assert_eq!(super::adapted("zsh", script.clone()), script);
    }
}
