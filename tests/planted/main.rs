//! The bugs of this folder stay plantable: each patch fits the sources as they are, the test that it names is there, and
//! `docs/guarantees.md` tells of it. Whether that test fails with the bug takes a build for each: `just planted`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// One patch.
struct Bug {
    name: String,
    what: String,
    origin: String,
    /// Behind `cargo test `.
    command: String,
    hunks: Vec<Hunk>,
}

/// One place of one file, before and after.
struct Hunk {
    file: String,
    header: String,
    before: Vec<String>,
    after: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn bugs() -> Vec<Bug> {
    let entries = std::fs::read_dir(root().join("tests/planted")).unwrap().map(|entry| entry.unwrap().path());
    let mut patches: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "patch")).collect();
    patches.sort();
    patches.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Bug {
    let (name, text) = (path.file_stem().unwrap().to_str().unwrap(), std::fs::read_to_string(path).unwrap());
    let field = |field: &str| -> String {
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("{name} does not say \"{field}: \"")).to_owned()
    };
    let mut bug = Bug {
        name: name.to_owned(),
        what: field("Bug").trim_end_matches('.').to_owned(),
        origin: field("Origin"),
        command: field("Caught by").strip_prefix("cargo test ").expect("it is a test").to_owned(),
        hunks: Vec::new(),
    };
    let mut file = String::new();
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("+++ b/") {
            path.clone_into(&mut file);
        } else if line.starts_with("@@ ") {
            let (file, header) = (file.clone(), line.to_owned());
            bug.hunks.push(Hunk { file, header, before: Vec::new(), after: Vec::new() });
        } else if let Some(hunk) = bug.hunks.last_mut() {
            match (line.get(..1), line.get(1..)) {
                (Some(" "), Some(rest)) => {
                    hunk.before.push(rest.to_owned());
                    hunk.after.push(rest.to_owned());
                }
                (Some("-"), Some(rest)) if !line.starts_with("--- a/") => hunk.before.push(rest.to_owned()),
                (Some("+"), Some(rest)) => hunk.after.push(rest.to_owned()),
                _ => {}
            }
        }
    }
    bug
}

impl Hunk {
    /// Says why it can not be applied.
    fn trouble(&self) -> Option<String> {
        let lines = |side: &str| -> usize {
            let range = self.header.split(' ').find_map(|range| range.strip_prefix(side)).unwrap_or_default();
            range.split_once(',').map_or(1, |(_, count)| count.parse().unwrap_or(0))
        };
        if (lines("-"), lines("+")) != (self.before.len(), self.after.len()) {
            return Some("its lines are not as many as it says".into());
        }
        if self.before == self.after {
            return Some("it changes nothing".into());
        }
        let Ok(text) = std::fs::read_to_string(root().join(&self.file)) else {
            return Some("there is no such file".into());
        };
        let text: Vec<&str> = text.lines().collect();
        let is_there = text.windows(self.before.len()).any(|window| window == self.before);
        (!is_there).then(|| "what it changes is not there any more".into())
    }
}

#[test]
fn every_patch_fits_the_sources() {
    let bugs = bugs();
    assert!(bugs.len() >= 20, "{} patches", bugs.len());
    let mut misfits = Vec::new();
    let mut is_git_asked = true;
    for bug in &bugs {
        assert!(!bug.hunks.is_empty(), "{} changes nothing", bug.name);
        for hunk in &bug.hunks {
            misfits.extend(
                hunk.trouble().map(|trouble| format!("{}: {} {}: {trouble}", bug.name, hunk.file, hunk.header)),
            );
        }
        // What `run.sh` does has the last word, where it can be asked.
        let check = Command::new("git")
            .args(["apply", "--check"])
            .arg(root().join("tests/planted").join(format!("{}.patch", bug.name)))
            .current_dir(root())
            .stderr(Stdio::piped())
            .output();
        match check {
            Ok(check) if !check.status.success() => misfits.push(String::from_utf8_lossy(&check.stderr).into_owned()),
            Ok(_) => {}
            Err(_) => is_git_asked = false,
        }
    }
    assert_eq!(misfits, Vec::<String>::new());
    if !is_git_asked {
        lbak_testkit::not_run("patches are compared line by line only: there is no git");
    }
}

/// The tests in a file or folder of sources, each behind the modules that it stands in.
fn tests_in(path: &Path, module: &str, found: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let is_module = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
            match stem {
                "main" | "lib" | "mod" => tests_in(&path, module, found),
                _ if is_module => tests_in(&path, &format!("{module}{stem}::"), found),
                _ => {}
            }
        }
        return;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let (mut inner, mut is_test) = (String::new(), false);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            inner = format!("{name}::");
        }
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            found.insert(format!("{module}{inner}{name}"));
        }
        is_test = line == "#[test]" || is_test && line.starts_with("#[");
    }
}

/// Says why no test would be run.
fn trouble_with(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split(' ').collect();
    let (package, target, filter) = match words[..] {
        ["-p", package, "--lib", filter] => (package, None, filter),
        ["-p", package, "--test", target, filter] => (package, Some(target), filter),
        _ => return Some("it is not `-p PACKAGE --lib FILTER` or `-p PACKAGE --test TARGET FILTER`".into()),
    };
    let package = match package.strip_prefix("lbak-") {
        Some(room) => root().join("crates").join(room),
        None => root().to_owned(),
    };
    let mut found = BTreeSet::new();
    match target {
        None => tests_in(&package.join("src"), "", &mut found),
        Some(target) => {
            tests_in(&package.join("tests").join(target), "", &mut found);
            tests_in(&package.join("tests").join(target).with_extension("rs"), "", &mut found);
        }
    }
    let is_there = found.iter().any(|test| test.contains(filter));
    (!is_there).then(|| format!("none of its {} tests is called {filter}", found.len()))
}

#[test]
fn every_test_that_must_fail_is_there() {
    let trouble =
        |bug: Bug| trouble_with(&bug.command).map(|trouble| format!("{}: {}: {trouble}", bug.name, bug.command));
    let all: Vec<String> = bugs().into_iter().filter_map(trouble).collect();
    assert_eq!(all, Vec::<String>::new());
    // And this test would see it.
    assert!(
        trouble_with("-p lbak --test planted no_such_test_anywhere").is_some_and(|told| told.contains("none of its 4"))
    );
}

#[test]
fn the_documentation_lists_every_bug() {
    let text = std::fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    let bugs = bugs();
    let row = |bug: &Bug| format!("| {} | {} | `{}` |", bug.what, bug.origin, bug.command);
    let missing: Vec<String> = bugs.iter().map(row).filter(|row| !text.lines().any(|line| line == row)).collect();
    assert!(missing.is_empty(), "docs/guarantees.md lacks\n{}", missing.join("\n"));
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains(" | `-p ")).count();
    assert_eq!(rows, bugs.len(), "docs/guarantees.md tells of bugs that are not here");
}

/// A check that finds nothing has looked.
#[test]
fn a_patch_that_does_not_fit_is_found() {
    let bugs = bugs();
    let hunk = |change: fn(&mut Hunk)| {
        let mut hunk = read(&root().join("tests/planted").join(format!("{}.patch", bugs[0].name))).hunks.remove(0);
        change(&mut hunk);
        hunk.trouble()
    };
    assert_eq!(hunk(|_| {}), None);
    assert!(hunk(|hunk| hunk.before[0].push(' ')).is_some());
    assert!(hunk(|hunk| drop(hunk.before.pop())).is_some());
    assert!(hunk(|hunk| hunk.file.push('x')).is_some());
}
