//! What a run asked of the system, call by call, as `strace` tells it.

use std::{collections::BTreeMap, path::Path, process::Command};

/// Names the store to a test that is run by another.
pub(crate) const FOLDER: &str = "RIG_FOLDER";

/// A call, where it ended.
pub(crate) struct Call {
    pub(crate) text: String,
    /// How many calls had ended when it began: only of those it is certain that they came before.
    pub(crate) begun_after: usize,
}

/// The calls of a test of this rig that uses a store, run by itself; `None` where there is no `strace`.
pub(crate) fn traced(calls: &[&str], test: &str, store: &Path) -> Option<Vec<Call>> {
    let trace = store.with_extension("trace");
    let run = Command::new("strace")
        .args(["-f", "-y", "-s", "16"])
        .args(calls)
        .arg("-o")
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test])
        .env(FOLDER, store)
        .output();
    let run = run.ok().filter(|run| !String::from_utf8_lossy(&run.stderr).contains("ptrace"))?;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    Some(whole_calls(&std::fs::read_to_string(&trace).unwrap()))
}

/// Puts calls that another thread interrupted together again, where they ended.
fn whole_calls(trace: &str) -> Vec<Call> {
    let (mut begun, mut calls) = (BTreeMap::new(), Vec::new());
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix("<unfinished ...>") {
            begun.insert(process, Call { text: start.to_owned(), begun_after: calls.len() });
        } else if let Some((_, end)) = call.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            calls.extend(begun.remove(process).map(|start| Call { text: start.text + end, ..start }));
        } else {
            calls.push(Call { text: call.to_owned(), begun_after: calls.len() });
        }
    }
    calls
}

/// The descriptor that arguments begin with.
pub(crate) fn number(arguments: &str) -> String {
    arguments.chars().take_while(char::is_ascii_digit).collect()
}

/// Its path.
pub(crate) fn path(arguments: &str) -> &str {
    arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(path, _)| path)
}
