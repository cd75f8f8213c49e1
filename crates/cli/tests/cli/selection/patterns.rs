//! What patterns mean, for all commands that take them, and what is said of those that match nothing.

use std::ffi::OsStr;

use super::*;

/// What a snapshot of `data` with options said of patterns on standard error.
#[track_caller]
fn notes(home: &Home, arguments: &[&str]) -> Vec<String> {
    let run = home.run(arguments).expect_code(0);
    run.stderr.lines().filter(|line| line.contains("matched nothing")).map(str::to_owned).collect()
}

#[test]
fn patterns_are_those_of_a_gitignore() {
    let home = Home::with_repository();
    for name in ["{a,b}", "a1", "7", "x/y", "[z", "b/keep", "b/not"] {
        home.write(&format!("data/{name}"), "x");
    }
    let taken = |options: &[&str]| take(&home, options).0;
    let all = ["7", "[z", "a", "a1", "b", "b/keep", "b/not", "sub", "sub/b", "x", "x/y", "{a,b}"];
    let but = |missing: &[&str]| -> Vec<&str> { all.into_iter().filter(|name| !missing.contains(name)).collect() };
    assert_eq!(taken(&["-e", "{a,b}"]), but(&["{a,b}"]));
    assert_eq!(taken(&["-e", "x[!0-9]y", "-e", "[[:digit:]]"]), but(&["7"]));
    assert_eq!(taken(&["-e", "\\[*", "-e", "a[^x]"]), but(&["[z", "a1"]));
    assert_eq!(taken(&["-e", "b/*", "-e", "!keep"]), but(&["b/not"]));
    assert_eq!(taken(&["-e", "**/b", "-e", "a/"]), but(&["b", "b/keep", "b/not", "sub/b"]));
    for (pattern, why) in [("a\\", "at the end"), ("[a", "not closed"), ("x//y", "slash"), ("[[:word:]]", "[:alnum:]")]
    {
        for command in [&["snapshot", "data", "-e"][..], &["restore", "latest", "out", "-i"], &["find"]] {
            home.run(command.iter().chain(&[pattern])).expect_code(2).expect_stderr(why);
        }
    }
}

#[test]
fn patterns_and_their_files_need_not_be_text() {
    let home = Home::with_repository();
    let odd = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    for name in [&b"caf\xe9"[..], b"caf\xc3\xa9", b"x\xff"] {
        fs::write(home.path("data").join(OsStr::from_bytes(name)), "odd").expect("a file");
    }
    home.write("list", b"# caf\xe9\r\ncaf\xe9\r\n");
    let names = |options: &[&OsStr]| -> usize {
        let arguments = ["snapshot", "data", "--json"].map(OsStr::new);
        let run = home.run(arguments.iter().chain(options)).expect_code(0);
        let files = run.message("summary")["total_files_processed"].as_u64();
        usize::try_from(files.expect("a number")).expect("small")
    };
    assert_eq!(names(&[]), 5);
    assert_eq!(names(&[odd(b"-e"), odd(b"caf\xe9")]), 4);
    assert_eq!(names(&[odd(b"--iexclude"), odd(b"CAF\xc3\x89"), odd(b"--exclude-file"), odd(b"list")]), 3);
    assert_eq!(names(&[odd(b"--include"), odd(b"x[\xf0-\xff]")]), 1);
    home.snapshot();
    let found =
        home.run([odd(b"find"), odd(b"caf\xe9"), odd(b"--snapshot"), odd(b"latest"), odd(b"--json")]).expect_code(0);
    assert!(found.message("match")["path"].as_str().is_some_and(|path| path.ends_with("caf\\xe9")), "{found:?}");
    let restore = [b"restore".as_slice(), b"latest", b"out", b"-i", b"caf\xe9"].map(OsStr::from_bytes);
    assert!(home.run(restore).expect_code(0).stdout.contains("restored 1 file,"));
}

#[test]
fn a_path_from_here_is_understood_and_so_is_an_absolute_one() {
    let home = home();
    home.write("data/odd [1] /x", "x");
    let taken = |folder: &str, pattern: &str| {
        let mut command = home.command(["snapshot", &home.text("data"), "--json", "-e", pattern]);
        let run = Run::of(&command.current_dir(home.path(folder)).output().expect("the binary runs")).expect_code(0);
        run.message("summary")["patterns"][0]["matches"].as_u64()
    };
    for (folder, pattern) in
        [("", "./data/sub"), ("data", "./sub/"), ("data/sub", "."), ("data/sub/deep", "../../cach?")]
    {
        assert_eq!(taken(folder, pattern), Some(1), "{pattern} in {folder}");
    }
    assert_eq!(taken("data/odd [1] ", "./x"), Some(1), "what the folder is called is no pattern");
    assert_eq!(taken("", &home.text("data/sub/b")), Some(1));
    assert_eq!(taken("", "./sub"), Some(0));
    // And for the other commands.
    home.snapshot();
    let found = home.run(["find", "./data/sub/b", "--snapshot", "latest", "--json"]).expect_code(0);
    assert_eq!(found.message("summary")["matches"], 1, "{found:?}");
    assert!(
        home.run(["restore", "latest", "out", "-i", "./data/sub/b"]).expect_code(0).stdout.contains("restored 1 file,")
    );
}

#[test]
fn patterns_that_matched_nothing_are_told_and_are_no_failure() {
    let home = home();
    let said = notes(
        &home,
        &[
            "snapshot",
            "data",
            "-e",
            "data/cache",
            "-e",
            "*.tmp",
            "--iexclude",
            "A/",
            "--include",
            "/sub",
            "--iinclude",
            "*",
        ],
    );
    assert_eq!(
        said,
        [
            "--exclude `data/cache` matched nothing: a slash inside makes it a path below each root; `**/data/cache` \
             matches at any depth",
            "--iexclude `A/` matched nothing: a slash at its end makes it match directories only",
            "--include `/sub` matched nothing: a slash at its front makes it an absolute path of the source",
        ]
    );
    assert_eq!(notes(&home, &["snapshot", "data", "-e", "data/cache", "-q"]), [""; 0]);
    assert_eq!(notes(&home, &["snapshot", "data", "-e", "cache", "--dry-run"]), [""; 0]);

    let run =
        home.run(["snapshot", "data", "--json", "-e", "*.tmp", "-e", "no\u{7}", "--iinclude", "SUB"]).expect_code(0);
    let pattern = |role: &str, pattern: &str, ignore_case: bool, matches: u64| serde_json::json!({"role": role, "pattern": pattern, "ignore_case": ignore_case, "matches": matches});
    let expected = [
        pattern("exclude", "*.tmp", false, 1),
        pattern("exclude", "no\\x07", false, 0),
        pattern("include", "SUB", true, 1),
    ];
    assert_eq!(run.message("summary")["patterns"].as_array().expect("an array"), &expected);
    assert!(run.stderr.contains("--exclude `no\\\\x07` matched nothing"), "{run:?}");

    home.snapshot();
    let said = notes(&home, &["restore", "latest", "out", "-e", "gone", "-i", "sub", "-i", "*.TMP", "-i", "Sub"]);
    assert_eq!(said, ["--exclude `gone` matched nothing", "--include `Sub` matched nothing"]);
    let run = home.run(["restore", "latest", "out2", "--json", "-i", "/nowhere", "-i", "a"]).expect_code(0);
    let expected = [pattern("include", "/nowhere", false, 0), pattern("include", "a", false, 1)];
    assert_eq!(run.message("summary")["patterns"].as_array().expect("an array"), &expected);
}

/// Such a list is often made for many machines, and most of its lines match nothing on any of them.
#[test]
fn lines_of_files_that_matched_nothing_are_told_in_short() {
    let home = home();
    home.write("list", "# a list\none\n*.tmp\ntwo\n");
    assert_eq!(
        notes(&home, &["snapshot", "data", "--exclude-file", "list", "-e", "three"]),
        ["--exclude `three` matched nothing", "2 patterns of files matched nothing (-v tells which)"]
    );
    let all = notes(&home, &["snapshot", "data", "--exclude-file", "list", "-v"]);
    assert_eq!(all, ["--exclude `one` matched nothing", "--exclude `two` matched nothing"]);
}
