//! What `lbak snapshot` reads: patterns, marks, sizes, file systems, and lists of paths.

mod patterns;

mod rules;

mod file_systems;

mod left_out;

mod lists;

mod telling;

use std::{
    fs,
    io::Write,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
    process::Stdio,
};

use lbak_testkit::not_run;

use crate::home::{Home, Run};

const SIGNATURE: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# made by a test\n";

/// A home with a tree that has something for every option.
fn home() -> Home {
    let home = Home::with_repository();
    home.write("data/large", vec![7; 5000]);
    home.write("data/sub/c.TMP", "upper case");
    home.write("data/sub/deep/d.tmp", "lower case");
    home.write("data/cache/CACHEDIR.TAG", SIGNATURE);
    home.write("data/cache/cached", "made again at will");
    home.write("data/marked/.skip", "no backup: of this, please");
    home.write("data/marked/secret", "not for the backup");
    home
}

const EVERYTHING: [&str; 13] = [
    "a",
    "cache",
    "cache/CACHEDIR.TAG",
    "cache/cached",
    "large",
    "marked",
    "marked/.skip",
    "marked/secret",
    "sub",
    "sub/b",
    "sub/c.TMP",
    "sub/deep",
    "sub/deep/d.tmp",
];

fn everything_but(missing: &[&str]) -> Vec<String> {
    EVERYTHING.iter().filter(|name| !missing.contains(name)).map(|name| (*name).to_owned()).collect()
}

/// The names in the newest snapshot, below `folder` of the home.
fn stored(home: &Home, folder: &str) -> Vec<String> {
    let run = home.run(["ls", "latest", "-R", "--json", "--path", &home.text(folder)]).expect_code(0);
    let above = format!("{}/", home.text(folder));
    let paths = run.messages().into_iter().filter(|message| message["message_type"] == "node");
    paths.filter_map(|node| Some(node["path"].as_str()?.strip_prefix(&above)?.to_owned())).collect()
}

/// Takes a snapshot of `data` with options, and returns what is in it and what was left out for which reason.
#[track_caller]
fn take(home: &Home, options: &[&str]) -> (Vec<String>, Vec<(String, u64)>) {
    let arguments = ["snapshot", "data", "--json"].iter().chain(options);
    let run = home.run(arguments).expect_code(0);
    let summary = run.message("summary");
    assert_eq!((&summary["complete"], summary["findings"].as_array().map(Vec::len)), (&true.into(), Some(0)));
    (stored(home, "data"), excluded(&summary))
}

fn excluded(summary: &serde_json::Value) -> Vec<(String, u64)> {
    let counts = summary["excluded"].as_array().expect("an array");
    let pair = |count: &serde_json::Value| Some((count["reason"].as_str()?.to_owned(), count["count"].as_u64()?));
    counts.iter().map(|count| pair(count).expect("a reason and a count")).collect()
}

fn reason(name: &str, count: u64) -> Vec<(String, u64)> {
    vec![(name.to_owned(), count)]
}

/// Runs a script of the shell in a mount namespace of its own; `None` where that is not allowed.
fn in_namespace(home: &Home, script: &str) -> Option<Run> {
    let unshare = |script: &str| {
        let mut command = home.command(["--version"]);
        let mut shell = std::process::Command::new("unshare");
        shell.args(["--mount", "--user", "--map-root-user", "sh", "-ec", script, env!("CARGO_BIN_EXE_lbak")]);
        shell.current_dir(home.path("")).env_clear().stdin(Stdio::null());
        shell.envs(command.stdin(Stdio::null()).get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.output()
    };
    let may = unshare("mkdir -p may && mount -t tmpfs none may");
    if !may.is_ok_and(|output| output.status.success()) {
        not_run("this user may not mount anything, not even in a namespace of its own");
        return None;
    }
    Some(Run::of(&unshare(script).expect("the shell runs")))
}
