//! The same answers as git gives, from a table that git made and from git itself where it is installed.
//!
//! The table is written anew with `LBAK_WRITE_TABLE=1 cargo test -p lbak-core patterns::tests::git`.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::super::*;
use crate::not_run::not_run;

/// One line for each `.gitignore`: its lines with tabs between them, ` => `, then what git ignores of [`TREE`]; all of it escaped.
const TABLE: &str = include_str!("gitignore.table");

/// What the patterns are tried on; directories with a slash at the end.
const TREE: [&[u8]; 52] = [
    b"a/",
    b"a/a",
    b"a/b",
    b"a/ab",
    b"a/b ",
    b"a/x/",
    b"a/x/b",
    b"a/x/y/",
    b"a/x/y/b",
    b"a/x/y/a/",
    b"a/x/y/a/b",
    b"a/]",
    b"b",
    b"ab/",
    b"ab/b",
    b"ab/c",
    b"ab/a/",
    b"ab/a/b",
    b"abc",
    b"a.b",
    b"a-b",
    b"a ",
    b" a",
    b"a  b",
    b"A",
    b"B/",
    b"B/b",
    b"5",
    b"x5/",
    b"x5/7",
    b"]",
    b"[",
    b"[a",
    b"-",
    b"^",
    b"!a",
    b"#a",
    b"{a,b}",
    b"*",
    b"?",
    b"\\",
    b"a\\",
    b"a\tb",
    b"\x0b",
    b"caf\xe9",
    b"caf\xc3\xa9",
    b"\xff",
    b"deep/",
    b"deep/a/",
    b"deep/a/b/",
    b"deep/a/b/c",
    b"deep/a.tmp",
];

/// Every `.gitignore` of the table.
const IGNORED: [&[u8]; 118] = [
    b"a",
    b"b",
    b"a/",
    b"b/",
    b"/a",
    b"/b",
    b"a/b",
    b"/a/b",
    b"a/b/",
    b"a/x/",
    b"*",
    b"*/",
    b"**",
    b"**/",
    b"/*",
    b"/**",
    b"/*/b",
    b"*b",
    b"a*",
    b"*.b",
    b"a?",
    b"?",
    b"??",
    b"a?b",
    b"*/b",
    b"*/*",
    b"*/*/b",
    b"**/b",
    b"**/a/b",
    b"/**/b",
    b"a/**",
    b"a/**/",
    b"a/**/b",
    b"a/**/**/b",
    b"**/**",
    b"**/**/b",
    b"**/*",
    b"**/*/b",
    b"**b",
    b"**b/",
    b"/**b",
    b"*/**b",
    b"?**/b",
    b"?/**/b",
    b"****/b",
    b"***/b",
    b"a/***/b",
    b"a/****",
    b"*/**",
    b"?/**",
    b"**/x/**",
    b"**/x/**/b",
    b"a/*/y",
    b"a/x*y/b",
    b"a\\/b",
    b"**\\/b",
    b"a/**\\/b",
    b"\\a",
    b"\\*",
    b"\\?",
    b"\\\\",
    b"a\\\\",
    b"a\\",
    b"\\",
    b"[ab]",
    b"[!a]",
    b"[^a]",
    b"[!0-9]",
    b"[!0-9]*",
    b"a[!0-9]b",
    b"a[/]b",
    b"a[.-0]b",
    b"a[^/]b",
    b"[a/]b",
    b"[a/]",
    b"[]]",
    b"[]a]",
    b"[!]a]",
    b"[a-]",
    b"[-a]",
    b"[a-c]",
    b"[z-a]",
    b"[b-ac]",
    b"[a-a]",
    b"[[]",
    b"[\\]]",
    b"[\\a-\\c]",
    b"[\\\\]",
    b"[!a-zA-Z]",
    b"[a",
    b"[",
    b"[!",
    b"[]",
    b"[a/b",
    b"[[:digit:]]",
    b"x[[:digit:]]",
    b"[[:alpha:]]",
    b"[[:upper:]]",
    b"[[:space:]]",
    b"a[[:space:]]b",
    b"[![:alnum:]]",
    b"[[:punct:]]",
    b"[[:cntrl:]]",
    b"[[:word:]]",
    b"[[:digit:]-a]",
    b"[[:a]",
    b"[[:digit:]a-b]b",
    b"{a,b}",
    b"\\{a,b\\}",
    b"!a\nb",
    b"*\n!a\n!a/b",
    b"\\!a",
    b"\\#a",
    b"#a",
    b"a \na\\ ",
    b"caf?",
    b"[\x80-\xff]",
    b"a//b\n./b\n../b",
];

/// What of the tree is ignored, by these patterns or by git: also what lies below something that is.
type Ignored = BTreeSet<Vec<u8>>;

/// The names of the tree that the patterns exclude; of patterns that match nothing, none.
fn ignored_here(file: &[u8]) -> Ignored {
    let understood = lines(file).filter(|line| Patterns::new(&[line], &[] as &[&str]).is_ok());
    // For git a slash at the front is the root, here one that is `/`.
    let patterns = Patterns::new(&understood.collect::<Vec<_>>(), &[] as &[&str]).expect("each of them is understood");
    let is_excluded = |path: &[u8], is_directory| patterns.is_excluded(&[b"/", path].concat(), path, is_directory);
    let is_ignored = |name: &&[u8]| {
        let path = name.strip_suffix(b"/").unwrap_or(name);
        let slashes = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(place, _)| place);
        slashes.into_iter().any(|end| is_excluded(&path[..end], true)) || is_excluded(path, name.ends_with(b"/"))
    };
    TREE.into_iter().filter(is_ignored).map(<[u8]>::to_vec).collect()
}

/// The tree on a disk, in a repository of git.
struct Git(tempfile::TempDir);

impl Git {
    /// `None`, and a word about it, where git is not installed.
    fn new() -> Option<Self> {
        let git = Self(tempfile::tempdir().expect("a folder"));
        let made = git.command(&["init", "--quiet"]).status();
        if !made.is_ok_and(|status| status.success()) {
            not_run("git is not installed here, so nothing is compared with it");
            return None;
        }
        for name in TREE {
            let path = git.path(name);
            let made = if name.ends_with(b"/") { fs::create_dir(path) } else { fs::write(path, "") };
            made.expect("a name of the tree");
        }
        Some(git)
    }

    fn path(&self, name: &[u8]) -> PathBuf {
        self.0.path().join(Path::new(std::ffi::OsStr::from_bytes(name)))
    }

    /// Nothing that a user has set counts.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(self.0.path()).args(arguments).env("HOME", self.0.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        for variable in ["XDG_CONFIG_HOME", "GIT_DIR", "GIT_WORK_TREE", "GIT_CONFIG_GLOBAL", "GIT_CEILING_DIRECTORIES"]
        {
            command.env_remove(variable);
        }
        command
    }

    fn ignored(&self, file: &[u8]) -> Ignored {
        fs::write(self.0.path().join(".gitignore"), file).expect("write");
        let mut command = self.command(&["check-ignore", "--no-index", "-z", "--stdin"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it ran before");
        let input = TREE.map(|name| [name.strip_suffix(b"/").unwrap_or(name), b"\0"].concat()).concat();
        child.stdin.take().expect("a pipe").write_all(&input).expect("it reads");
        let output = child.wait_with_output().expect("it ends").stdout;
        let said: BTreeSet<&[u8]> = output.split(|&byte| byte == 0).collect();
        let is_said = |name: &&[u8]| said.contains(name.strip_suffix(b"/").unwrap_or(name));
        TREE.into_iter().filter(is_said).map(<[u8]>::to_vec).collect()
    }
}

fn line_of(file: &[u8], ignored: &Ignored) -> String {
    let escaped =
        |parts: Vec<&[u8]>| -> Vec<String> { parts.iter().map(|part| part.escape_ascii().to_string()).collect() };
    let patterns = escaped(lines(file).collect()).join("\t");
    format!("{patterns} => {}\n", escaped(ignored.iter().map(Vec::as_slice).collect()).join("\t"))
}

#[test]
fn the_table_of_git_is_what_patterns_say() {
    let mut rows = TABLE.lines().filter(|line| !line.starts_with("# "));
    for file in IGNORED {
        let here = line_of(file, &ignored_here(file));
        assert_eq!(Some(here.trim_end_matches('\n')), rows.next());
    }
    assert_eq!(rows.next(), None);
}

#[test]
fn the_table_is_what_git_says() {
    let Some(git) = Git::new() else { return };
    let rows: String = IGNORED.iter().map(|file| line_of(file, &git.ignored(file))).collect();
    let table =
        format!("# Made by git: see git.rs. What stands in a .gitignore => what of the tree is ignored.\n{rows}");
    if std::env::var_os("LBAK_WRITE_TABLE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/patterns/tests/gitignore.table");
        fs::write(path, &table).expect("write");
    }
    assert_eq!(table, TABLE);
}

/// Git takes `a**` in a path for `a` and any directories, and its manual for `a*`.
fn is_read_otherwise_by_git(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"!").unwrap_or(line);
    let line = line.strip_prefix(b"/").unwrap_or(line);
    let plain = line.iter().position(|byte| b"*?[\\".contains(byte)).unwrap_or(line.len());
    line[plain..].starts_with(b"**") && line[..plain].last().is_some_and(|&byte| byte != b'/')
}

#[test]
fn any_patterns_say_what_git_says() {
    let Some(git) = Git::new() else { return };
    let piece = proptest::sample::select(
        [
            &b"a"[..],
            b"b",
            b"ab",
            b"x",
            b"5",
            b"/",
            b"/",
            b"/",
            b"*",
            b"*",
            b"**",
            b"**/",
            b"/**",
            b"?",
            b"[ab]",
            b"[!a]",
            b"[^b]",
            b"[a/]",
            b"[]a]",
            b"[a-]",
            b"[b-a]",
            b"[!-~]",
            b"[",
            b"]",
            b"-",
            b"\\a",
            b"\\*",
            b"\\/",
            b"\\",
            b"{a,b}",
            b"!",
            b"#",
            b" ",
            b"\\ ",
            b"[[:alpha:]]",
            b"[[:digit:]]",
            b"[[:x:]]",
            b"[[:",
            b":]",
            b"\xc3\xa9",
            b"\xe9",
            b".",
            b"\n",
        ]
        .to_vec(),
    );
    let file = proptest::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat());
    let file = file.prop_filter("git reads it otherwise", |file| !lines(file).any(is_read_otherwise_by_git));
    let outcome =
        TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() }).run(&file, |file| {
            prop_assert_eq!(line_of(&file, &ignored_here(&file)), line_of(&file, &git.ignored(&file)));
            Ok(())
        });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
