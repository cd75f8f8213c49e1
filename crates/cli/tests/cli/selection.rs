//! What `lbak snapshot` reads: patterns, marks, sizes, file systems, and lists of paths.

use std::{
    fs,
    io::Write,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
    process::Stdio,
};

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

#[test]
fn exclude_leaves_out_what_matches() {
    let home = home();
    let (names, excluded) = take(&home, &["--exclude", "*.tmp", "-e", "/sub/b", "-e", "cache/"]);
    let cache = ["cache", "cache/CACHEDIR.TAG", "cache/cached", "sub/deep/d.tmp"];
    assert_eq!((names, excluded), (everything_but(&cache), reason("pattern", 2)), "/sub/b is another place");
    let absolute = home.text("data/sub");
    let (names, _) = take(&home, &["--exclude", &absolute]);
    assert_eq!(names, everything_but(&["sub", "sub/b", "sub/c.TMP", "sub/deep", "sub/deep/d.tmp"]));
}

#[test]
fn iexclude_does_not_look_at_the_case() {
    assert_eq!(take(&home(), &["--iexclude", "*.Tmp"]).0, everything_but(&["sub/c.TMP", "sub/deep/d.tmp"]));
}

#[test]
fn exclude_file_has_lines_of_a_gitignore() {
    let home = home();
    home.write("ignored", "\u{feff}# comments do not count\n\n*.tmp\r\nlarge\nmarked/*\n!marked/.skip\n");
    let missing = ["large", "marked/secret", "sub/deep/d.tmp"];
    assert_eq!(take(&home, &["--exclude-file", "ignored"]).0, everything_but(&missing));
    let (names, _) = take(&home, &["--exclude-file", "ignored", "--exclude", "!large"]);
    assert_eq!(names, everything_but(&missing[1..]), "the command line has the last word");
    assert_eq!(take(&home, &["--iexclude-file", "ignored"]).0, {
        let missing = [&missing[..], &["sub/c.TMP"]].concat();
        everything_but(&missing)
    });
    home.run(["snapshot", "data", "--exclude-file", "nowhere"])
        .expect_code(1)
        .expect_stderr("cannot read nowhere: No such file");
    home.write("ignored", b"a\n\xff\n");
    home.run(["snapshot", "data", "--exclude-file", "ignored"])
        .expect_code(2)
        .expect_stderr("line 2 of ignored is not UTF-8");
}

#[test]
fn include_takes_only_what_matches_and_the_way_to_it() {
    let home = home();
    let (names, excluded) = take(&home, &["--include", "*.tmp", "--include", "cache/cached"]);
    assert_eq!(names, ["cache", "cache/cached", "sub", "sub/deep", "sub/deep/d.tmp"]);
    assert_eq!(excluded.len(), 1, "{excluded:?}");
    assert_eq!(excluded[0].0, "not_included");
    let (names, _) = take(&home, &["--include", "sub", "--exclude", "deep"]);
    assert_eq!(names, ["sub", "sub/b", "sub/c.TMP"]);
    assert_eq!(take(&home, &["--iinclude", "*.tmp"]).0, ["sub", "sub/c.TMP", "sub/deep", "sub/deep/d.tmp"]);
}

#[test]
fn exclude_caches_keeps_the_tag_alone() {
    let (names, excluded) = take(&home(), &["--exclude-caches"]);
    assert_eq!((names, excluded), (everything_but(&["cache/cached"]), reason("cache", 1)));
}

#[test]
fn exclude_if_present_keeps_the_marker_alone() {
    let home = home();
    let secret = everything_but(&["marked/secret"]);
    assert_eq!(take(&home, &["--exclude-if-present", ".skip"]), (secret.clone(), reason("marked", 1)));
    assert_eq!(take(&home, &["--exclude-if-present", ".skip:no backup: of"]).0, secret);
    assert_eq!(take(&home, &["--exclude-if-present", ".skip:other"]).0, everything_but(&[]));
}

#[test]
fn exclude_larger_than_looks_at_files() {
    let home = home();
    assert_eq!(take(&home, &["--exclude-larger-than", "4999"]), (everything_but(&["large"]), reason("too_large", 1)));
    assert_eq!(take(&home, &["--exclude-larger-than", "5K"]).0, everything_but(&[]));
}

/// What is read depends on the rules of this run and not on those of the run before it, though no time stamp moves.
#[test]
fn runs_with_other_options_take_what_those_ask_for() {
    let home = home();
    take(&home, &[]);
    for (options, missing) in [
        (&["--exclude", "b"][..], &["sub/b"][..]),
        (&["--exclude-caches"], &["cache/cached"]),
        (&["--exclude-if-present", ".skip"], &["marked/secret"]),
        (&["--exclude-larger-than", "1k"], &["large"]),
        (&["--exclude", "sub"], &["sub", "sub/b", "sub/c.TMP", "sub/deep", "sub/deep/d.tmp"]),
        (&[], &[]),
    ] {
        let first = take(&home, options).0;
        assert_eq!(first, everything_but(missing), "{options:?}");
        assert_eq!(take(&home, options).0, first, "{options:?}");
    }
    let lineages: Vec<_> = home.run(["snapshots", "--json"]).messages();
    let full = lineages.iter().filter(|snapshot| snapshot["lineage"] == "full").count();
    assert_eq!((lineages.len(), full), (13, 1), "they are compared with one another");
}

#[test]
fn patterns_that_can_not_mean_anything_are_usage_errors_and_nothing_is_stored() {
    let home = home();
    for (options, said) in [
        (["--exclude", "[a"], "[a"),
        (["--exclude", "#recycle"], "`\\#recycle` is the pattern"),
        (["--include", "/"], "matches nothing"),
        (["--iexclude", ""], "matches nothing"),
        (["--exclude-if-present", "a/b"], "a/b"),
        (["--exclude-larger-than", "5KB"], "is no size"),
    ] {
        home.run(["snapshot", "data"].iter().chain(&options)).expect_code(2).expect_stderr(said);
    }
    assert_eq!(home.run(["snapshots", "--json"]).expect_code(0).stdout, "");
}

// File systems.

#[expect(clippy::print_stderr, reason = "whoever reads the log of a test is told that it tested nothing")]
fn is_proc_there() -> bool {
    let is_there = Path::new("/proc/version").exists();
    if !is_there {
        eprintln!("skipped: no proc is mounted here");
    }
    is_there
}

/// Takes of `/` only what options ask for, and returns what is below it.
fn take_root(home: &Home, options: &[&str]) -> (Vec<String>, Vec<(String, u64)>) {
    let run = home.run(["snapshot", "/", "--json"].iter().chain(options)).expect_code(0);
    let listed = home.run(["ls", "latest", "-R", "--json"]).expect_code(0).messages();
    let paths = listed.iter().filter_map(|node| Some(node["path"].as_str()?.to_owned()));
    (paths.collect(), excluded(&run.message("summary")))
}

#[test]
fn pseudo_file_systems_are_kept_empty_unless_they_are_asked_for() {
    if !is_proc_there() {
        return;
    }
    let home = Home::with_repository();
    let (names, excluded) = take_root(&home, &["--include", "/proc"]);
    assert_eq!(names, ["/proc"]);
    assert!(excluded.contains(&("pseudo_file_system".to_owned(), 1)), "{excluded:?}");
    let (names, _) = take_root(&home, &["--include", "/proc/version", "--include-pseudo-filesystems"]);
    assert_eq!(names, ["/proc", "/proc/version"]);
    // Who names one means it.
    let run = home.run(["snapshot", "/proc/sys/kernel", "--include", "ostype", "--json"]).expect_code(0);
    assert_eq!(run.message("summary")["total_files_processed"], 1);
    let run = home.run(["snapshot", "/", "--include", "/proc", "--dry-run", "-v"]).expect_code(0);
    assert!(run.stdout.contains("left out /proc: what is in it, on a pseudo file system\n"), "{}", run.stdout);
}

#[test]
fn one_file_system_keeps_mount_points_empty() {
    if !is_proc_there() {
        return;
    }
    let home = Home::with_repository();
    let options = ["--include", "/proc", "--include-pseudo-filesystems", "--one-file-system"];
    let (names, excluded) = take_root(&home, &options);
    assert_eq!(names, ["/proc"]);
    assert!(excluded.contains(&("other_file_system".to_owned(), 1)), "{excluded:?}");
    let run = home.run(["snapshot", "/proc/sys/kernel", "--include", "ostype", "-x", "--json"]).expect_code(0);
    assert_eq!(run.message("summary")["total_files_processed"], 1, "a root is on its own file system");
}

/// Runs a script of the shell in a mount namespace of its own; `None` where that is not allowed.
#[expect(clippy::print_stderr, reason = "whoever reads the log of a test is told that it tested nothing")]
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
        eprintln!("skipped: this user may not mount anything, not even in a namespace of its own");
        return None;
    }
    Some(Run::of(&unshare(script).expect("the shell runs")))
}

#[test]
fn a_mount_below_a_root_is_another_file_system() {
    let home = Home::with_repository();
    let script = "mkdir data/mount; mount -t tmpfs none data/mount; echo x > data/mount/x; \
                  $0 snapshot data --json; $0 snapshot data -x --json";
    let Some(run) = in_namespace(&home, script) else { return };
    let run = run.expect_code(0);
    let summaries: Vec<_> = run.messages().into_iter().filter(|message| message["message_type"] == "summary").collect();
    assert_eq!(summaries.iter().map(|summary| &summary["total_files_processed"]).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(excluded(&summaries[1]), reason("other_file_system", 1));
    assert_eq!(stored(&home, "data"), ["a", "mount", "sub", "sub/b"]);
}

#[test]
fn the_repository_is_left_out_by_all_its_names_and_that_is_said() {
    let home = Home::with_repository();
    symlink(home.path("repository"), home.path("data/link")).expect("a link");
    let run = home.run(["snapshot", ".", "-v"]).expect_code(0);
    let said = format!("left out {}: it is the repository", home.text("repository"));
    run.expect_stderr(&said);
    let run = home.run(["snapshot", ".", "--json"]).expect_code(0);
    assert_eq!(excluded(&run.message("summary")), reason("repository", 1), "a link in it stays a link");
    // Through a link, as PLACE too.
    let run = home.run(["snapshot", ".", "--json", "-r", "data/link"]).expect_code(0);
    assert_eq!(excluded(&run.message("summary")), reason("repository", 1));
    home.run(["snapshot", "data/link/"]).expect_code(2).expect_stderr("lies in, the repository");

    let script =
        "mkdir data/bound; mount --bind repository data/bound; $0 snapshot data --json; $0 snapshot data/bound";
    let Some(run) = in_namespace(&home, script) else { return };
    let run = run.expect_code(2).expect_stderr("lies in, the repository");
    assert_eq!(excluded(&run.message("summary")), reason("repository", 1));
    assert_eq!(run.message("summary")["total_files_processed"], 2);
}

// Lists of paths.

/// Runs the binary with a list on its standard input.
fn run_with_input(home: &Home, arguments: &[&str], input: &[u8]) -> Run {
    let mut command = home.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    // A program that refuses its arguments does not read.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    Run::of(&child.wait_with_output().expect("it ends"))
}

fn paths_of_newest(home: &Home) -> Vec<String> {
    let prefix = format!("{}/", home.text(""));
    let prefix = prefix.replace("//", "/");
    let paths = home.newest().manifest.paths;
    let text = |path: &Vec<u8>| String::from_utf8_lossy(path).strip_prefix(&prefix).map(str::to_owned);
    paths.iter().map(|path| text(path).expect("in the home")).collect()
}

#[test]
fn files_from_names_more_paths_as_they_stand() {
    let home = home();
    home.write("# odd *", "a name as it stands");
    home.write("list", "data/large\n\n# odd *\ndata/sub/deep\ndata/sub/deep/d.tmp\n");
    home.run(["snapshot", "data/a", "--files-from", "list"]).expect_code(0);
    assert_eq!(paths_of_newest(&home), ["# odd *", "data/a", "data/large", "data/sub/deep"]);
    let run = run_with_input(&home, &["snapshot", "--files-from", "-", "--json"], b"data/sub\ndata/a");
    assert_eq!(run.expect_code(0).message("summary")["total_files_processed"], 4);
    assert_eq!(paths_of_newest(&home), ["data/a", "data/sub"]);
    // Relative to the working directory, like any other path; excludes hold below what is named.
    let deep = home
        .command(["snapshot", "--files-from", "-", "-e", "*.tmp", "--json"])
        .current_dir(home.path("data/sub"))
        .stdin(Stdio::from(fs::File::open(home.path("list")).expect("the list")))
        .output();
    Run::of(&deep.expect("the binary runs"))
        .expect_code(1)
        .expect_stderr("line 1 of standard input: cannot read data/large");
}

#[test]
fn files_from0_names_what_no_line_can() {
    let home = home();
    let odd = std::ffi::OsStr::from_bytes(b"data/new\nline\xff");
    fs::write(home.path("").join(odd), "odd").expect("a file");
    home.write("list", b"data/new\nline\xff\0data/a\0");
    home.run(["snapshot", "--files-from0", "list"]).expect_code(0);
    let paths = home.newest().manifest.paths;
    assert!(paths.len() == 2 && paths[1].ends_with(b"/data/new\nline\xff"), "{paths:?}");
    run_with_input(&home, &["snapshot", "--files-from0", "-"], b"data/a\0").expect_code(0);
    assert_eq!(paths_of_newest(&home), ["data/a"]);
}

#[test]
fn a_list_that_names_nothing_or_what_is_not_there_stores_nothing() {
    let home = home();
    home.write("list", "data/a\n\ndata/no\x1bwhere\n");
    let missing = home.run(["snapshot", "--files-from", "list"]).expect_code(1);
    missing.expect_stderr("line 3 of list: cannot read data/no\\x1bwhere: No such file");
    home.write("nul", "data/a\0nowhere\0");
    home.run(["snapshot", "--files-from0", "nul"]).expect_code(1).expect_stderr("path 2 of nul: cannot read nowhere");
    home.write("cut", "data/a\0data");
    home.run(["snapshot", "--files-from0", "cut"]).expect_code(1).expect_stderr("so the list was cut off");
    let empty = run_with_input(&home, &["snapshot", "--files-from", "-"], b"\n");
    empty.expect_code(1).expect_stderr("no path is named in standard input: nothing was stored");
    home.run(["snapshot", "--files-from", "nowhere"]).expect_code(1).expect_stderr("cannot read nowhere: No such file");
    home.run(["snapshot", "--files-from", "-", "--files-from0", "-"]).expect_code(2).expect_stderr("one list only");
    home.run(["snapshot"]).expect_code(2);
    home.write("inside", "data/a\nrepository/keys\n");
    home.run(["snapshot", "--files-from", "inside"]).expect_code(2).expect_stderr("lies in, the repository");
    assert_eq!(home.run(["snapshots", "--json"]).expect_code(0).stdout, "");
    // A list that is empty today is no reason to leave out what is named beside it.
    run_with_input(&home, &["snapshot", "data", "--files-from", "-"], b"").expect_code(0);
}

#[test]
fn a_long_list_is_told_in_a_line_that_can_be_read() {
    let home = Home::with_repository();
    let mut list = String::new();
    for number in 0..3000 {
        home.write(&format!("many/{number}"), "x");
        list.push_str(&format!("many/{number}\n"));
    }
    home.write("list", &list);
    let run = home.run(["snapshot", "--files-from", "list"]).expect_code(0);
    assert!(run.stdout.lines().next().is_some_and(|line| line.ends_with("… and 2,990 more")), "{}", run.stdout);
    assert_eq!(home.newest().manifest.paths.len(), 3000);
    let run = home.run(["snapshot", "--files-from", "list", "--json"]).expect_code(0);
    assert_eq!(run.message("summary")["lineage"], "incremental", "the same list is the same group");
    let listed = home.run(["snapshots"]).expect_code(0).stdout;
    assert!(listed.contains("… and 2,990 more") && listed.len() < 5000, "{listed}");
    home.snapshot();
    let ambiguous = home.run(["ls", "latest"]).expect_code(22);
    assert!(ambiguous.stderr.contains("and 2,990 more") && ambiguous.stderr.len() < 5000, "{}", ambiguous.stderr);
}

// What would be read.

#[test]
fn a_dry_run_says_what_would_be_read_and_why() {
    let home = home();
    let at = |name: &str| home.text(&format!("data/{name}"));
    let run = home.run(["snapshot", "data", "--dry-run", "-v", "--exclude", "cache"]).expect_code(0);
    assert!(run.stdout.contains(&format!("read {}: nothing to compare it with\n", at("sub/b"))), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("left out {}: a pattern excludes it\n", at("cache"))), "{}", run.stdout);
    assert!(run.stdout.contains("  left out  1: a pattern excludes it\n"), "{}", run.stdout);
    assert!(!run.stdout.contains("cached"), "nothing below what is left out: {}", run.stdout);
    let quiet = home.run(["snapshot", "data", "--dry-run", "--exclude", "cache"]).expect_code(0);
    assert!(!quiet.stdout.contains("sub/b") && !quiet.stdout.contains("left out"), "{}", quiet.stdout);

    home.snapshot();
    home.write("data/a", "another first file");
    home.write("data/new", "new");
    let run = home.run(["snapshot", "data", "--dry-run", "--json", "--exclude", "large"]).expect_code(0);
    let told: Vec<_> = run.messages().into_iter().filter(|message| message["message_type"] == "path").collect();
    let find =
        |name: &str| told.iter().find(|told| told["path"] == at(name)).unwrap_or_else(|| panic!("{name}: {told:?}"));
    assert_eq!((&find("a")["action"], &find("a")["reason"]), (&"read".into(), &"changed".into()));
    assert_eq!((&find("a")["difference"], &find("a")["size"]), (&"size".into(), &18.into()));
    assert_eq!(find("new")["reason"], "new");
    assert_eq!(find("sub/b")["reason"], "unsettled", "it was written a moment ago");
    assert_eq!((&find("large")["action"], &find("large")["reason"]), (&"exclude".into(), &"pattern".into()));
    assert_eq!(home.run(["snapshots", "--json"]).messages().len(), 1, "nothing was stored");
}

#[test]
fn verbose_says_the_same_of_a_snapshot_that_is_taken() {
    let home = home();
    let line = format!("read {}: nothing to compare it with", home.text("data/a"));
    let run = home.run(["snapshot", "data", "-v", "--exclude-caches"]).expect_code(0);
    assert!(!run.stdout.contains(&line), "{}", run.stdout);
    run.expect_stderr(&line).expect_stderr("cache: all but its CACHEDIR.TAG");
    let run = home.run(["snapshot", "data", "--json"]).expect_code(0);
    assert!(run.messages().iter().all(|message| message["message_type"] != "path"), "{run:?}");
    let run = home.run(["snapshot", "data", "--json", "-v"]).expect_code(0);
    assert_eq!(run.message("path")["action"], "read");
}
