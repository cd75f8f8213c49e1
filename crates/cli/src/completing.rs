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
use lbak::{Backend, Catalog, LocalBackend, OpenOptions, Repository, Timestamp};

use crate::{
    command_line,
    default_repository::DefaultRepository,
    environment::Environment,
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

/// Every argument that names a snapshot completes ids.
fn with_snapshots(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_snapshots)).mut_args(|argument| {
        let is_snapshot = argument
            .get_value_names()
            .is_some_and(|names| names.iter().any(|name| name.starts_with("SNAPSHOT") || *name == "SECOND"));
        if is_snapshot { argument.add(ArgValueCompleter::new(snapshots)) } else { argument }
    })
}

/// `latest` and the ids that begin with what was typed; nothing for a path behind an id.
fn snapshots(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    // `diff` and `restore` take paths beside snapshots.
    if typed.contains(['/', '.', ':']) {
        return PathCompleter::any().complete(OsStr::new(typed));
    }
    let mut found = vec![CompletionCandidate::new("latest").help(Some("the newest snapshot".into()))];
    found.extend(ids());
    found.retain(|candidate| candidate.get_value().to_string_lossy().starts_with(typed));
    found
}

/// The newest snapshots, if the repository opens without a question and soon enough.
fn ids() -> Vec<CompletionCandidate> {
    let (send, receive) = mpsc::channel();
    // A store that does not answer keeps only this thread, which ends with the program.
    let asked = thread::Builder::new().spawn(move || {
        // Nobody listens any more when it took too long.
        let _ = send.send(catalog());
    });
    match asked.ok().and_then(|_| receive.recv_timeout(PATIENCE).ok()).flatten() {
        Some(catalog) => catalog.snapshots.iter().rev().take(MOST).enumerate().map(candidate).collect(),
        None => Vec::new(),
    }
}

fn candidate((order, snapshot): (usize, &lbak::Committed)) -> CompletionCandidate {
    let manifest = &snapshot.manifest;
    let paths: Vec<String> = manifest.paths.iter().map(|path| lbak::escape(path)).collect();
    let moment: Timestamp = snapshot.moment();
    let help = format!("{} {} {}", times::local(moment), lbak::escape(manifest.host.as_bytes()), paths.join(" "));
    CompletionCandidate::new(manifest.id.short()).help(Some(help.into())).display_order(Some(order))
}

/// All snapshots of the repository that the half-typed command means. No command is run and nobody is asked for a password.
fn catalog() -> Option<Catalog> {
    let typed = Typed::read(env::args_os());
    let environment = Environment::read().ok()?;
    let default = DefaultRepository::places();
    let named = typed.repository.map(PathBuf::from).or_else(|| environment.repository.clone().map(PathBuf::from));
    let folder = named.clone().or_else(|| default.as_ref().map(|default| default.folder.clone()))?;
    let mut offered = Offered::new(typed.key_file, typed.password_file, None).or(Offered::by_variables(&environment));
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
    Repository::open(backend, &credential, &options).ok()?.catalog().ok()
}

/// What the words of a half-typed command say about the repository; the rest of them may make no sense yet.
#[derive(Debug, Default, PartialEq, Eq)]
struct Typed {
    repository: Option<OsString>,
    key_file: Option<PathBuf>,
    password_file: Option<PathBuf>,
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
                _ => {}
            }
        }
        typed
    }
}

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
    }
}
