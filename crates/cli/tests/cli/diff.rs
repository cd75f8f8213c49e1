//! `diff`: its letters, what it is compared with, and one test for each option.

use std::{fs, time::Duration};

use crate::{find::plain, home::Home};

/// Two snapshots that differ in every way.
fn home_with_two() -> Home {
    let home = Home::with_repository();
    home.write("data/turns", "a file");
    home.write("data/touched", "same");
    home.snapshot();
    home.write("data/a", "changed");
    home.write("data/new/y", "12");
    fs::remove_file(home.path("data/sub/b")).expect("it was there");
    fs::remove_file(home.path("data/turns")).expect("it was there");
    fs::create_dir(home.path("data/turns")).expect("a folder");
    set_time(&home, "data/touched", 1_000_000);
    home.snapshot();
    home
}

fn set_time(home: &Home, path: &str, seconds: u64) {
    let file = fs::File::options().write(true).open(home.path(path)).expect("it is there");
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).expect("a time");
}

fn shown(home: &Home, arguments: &[&str]) -> String {
    let run = home.run(["diff"].iter().chain(arguments)).expect_code(0);
    plain(home, &[], &run.stdout)
}

#[test]
fn two_snapshots_are_compared_letter_by_letter() {
    let home = home_with_two();
    let expected = "\
M    …/a
+    …/new/
+    …/new/y
-    …/sub/b
T    …/turns/
added     1 file (2 B), 2 directories
removed   2 files (21 B)
modified  1 file (7 B); new in them 7 B, gone 14 B
";
    assert_eq!(shown(&home, &["latest~1", "latest"]), expected);
    assert_eq!(shown(&home, &["latest", "latest"]), "no difference\n");
    assert_eq!(shown(&home, &["latest", "latest", "-q"]), "");
}

#[test]
fn metadata_is_told_with_its_fields() {
    let home = home_with_two();
    let with_fields = shown(&home, &["latest~1", "latest", "--metadata"]);
    let lines: Vec<&str> = with_fields.lines().filter(|line| line.starts_with('U')).collect();
    assert_eq!(lines, ["U    …/  (mtime)", "U    …/sub/  (mtime)", "U    …/touched  (mtime)"]);
    assert!(
        with_fields.contains("M    …/a  (mtime)\n") && with_fields.ends_with("updated   1 file (4 B), 2 directories\n")
    );
    assert_eq!(shown(&home, &["latest~1", "latest", "-v"]), with_fields);
}

#[test]
fn a_snapshot_is_compared_with_a_directory_or_its_origin() {
    let home = home_with_two();
    assert_eq!(shown(&home, &["latest"]), "no difference\n");
    assert_eq!(shown(&home, &["latest", "data", "--content", "--metadata"]), "no difference\n");
    // The same size at another time: it was not read.
    set_time(&home, "data/touched", 2_000_000);
    assert_eq!(shown(&home, &["latest", "-q"]), "?    …/touched\n");
    assert_eq!(shown(&home, &["latest"]), "?    …/touched\nperhaps   1 file (4 B) (--content reads them)\n");
    assert_eq!(shown(&home, &["latest", "--content", "-q"]), "");
    home.write("data/touched", "SAME");
    set_time(&home, "data/touched", 1_000_000);
    assert_eq!(shown(&home, &["latest", "-q"]), "");
    assert_eq!(shown(&home, &["latest", "data", "--content", "-q"]), "M    …/touched\n");
    fs::remove_dir_all(home.path("data/new")).expect("it was there");
    assert_eq!(shown(&home, &["latest", "./data", "-q"]), "-    …/new/\n-    …/new/y\n");
    assert_eq!(shown(&home, &["latest:a", "data/a", "--content"]), "no difference\n");
}

#[test]
fn a_restored_snapshot_does_not_differ() {
    let home = home_with_two();
    home.run(["restore", "latest", "out"]).expect_code(0);
    assert_eq!(shown(&home, &["latest", "out", "--content", "--metadata"]), "no difference\n");
    fs::write(home.path("out/more"), "x").expect("a file");
    assert_eq!(shown(&home, &["latest", "out", "-q"]), "+    more\n");
}

#[test]
fn parts_are_compared() {
    let home = home_with_two();
    assert_eq!(shown(&home, &["latest~1:sub", "latest:new", "-q"]), "-    b\n+    y\n");
    assert_eq!(shown(&home, &["latest~1:sub", "latest:sub", "-q"]), "-    …/sub/b\n");
    home.run(["diff", "latest:nowhere", "latest"]).expect_code(1).expect_stderr("it holds /");
    home.run(["diff", "latest", "latest:nowhere"]).expect_code(1).expect_stderr("it holds /");
}

#[test]
fn what_can_not_be_compared_is_said() {
    let home = home_with_two();
    home.run(["diff", "latest", "no-such-thing"]).expect_code(2).expect_stderr("neither a snapshot nor");
    home.run(["diff", "latest", "./no-such-thing"]).expect_code(1).expect_stderr("cannot read");
    home.run(["diff", "latest~1", "latest", "--content"]).expect_code(2).expect_stderr("--content");
    home.run(["diff", "latest~7", "latest"]).expect_code(22);
    home.run(["diff", "latest", "--host", "other"]).expect_code(22);
    home.write("other/z", "1");
    home.run(["snapshot", "other"]).expect_code(0);
    home.run(["diff", "latest"]).expect_code(22).expect_stderr("could mean several");
    let newest = home.newest().manifest.id.to_string();
    let data = home.text("data");
    home.run(["diff", "latest", &newest, "--path", &data]).expect_code(22);
}

#[test]
fn programs_get_a_line_for_each_change_and_statistics() {
    let home = home_with_two();
    let run = home.run(["diff", "latest~1", "latest", "--json", "--metadata"]).expect_code(0);
    let messages = run.messages();
    let changes: Vec<(&str, &str)> = messages
        .iter()
        .filter(|message| message["message_type"] == "change")
        .map(|message| {
            let path = message["path"].as_str().expect("a path");
            (message["modifier"].as_str().expect("a letter"), path.rsplit('/').next().unwrap_or(path))
        })
        .collect();
    let expected = [
        ("U", "data"),
        ("M", "a"),
        ("+", "new"),
        ("+", "y"),
        ("U", "sub"),
        ("-", "b"),
        ("U", "touched"),
        ("T", "turns"),
    ];
    assert_eq!(changes, expected);
    let turned = messages.iter().find(|message| message["modifier"] == "T").expect("a type change");
    assert_eq!((turned["type_before"].as_str(), turned["type"].as_str()), (Some("file"), Some("dir")));
    let touched =
        messages.iter().find(|message| message["path"].as_str().is_some_and(|path| path.ends_with("touched")));
    assert_eq!(touched.expect("touched")["metadata"][0], "mtime");
    let statistics = run.message("statistics");
    assert_eq!((statistics["added"]["dirs"].as_u64(), statistics["removed"]["bytes"].as_u64()), (Some(2), Some(21)));
    assert_eq!((statistics["new_bytes"].as_u64(), statistics["gone_bytes"].as_u64()), (Some(7), Some(14)));
    let statistics = home.run(["diff", "latest", "--json"]).expect_code(0).message("statistics");
    assert!(statistics.get("target_snapshot").is_none() && statistics.get("new_bytes").is_none());
}

#[test]
fn damage_is_told_and_the_rest_is_compared() {
    let home = Home::with_repository();
    home.write("data/k", "1");
    home.snapshot();
    let old = home.objects("packs");
    home.write("data/k", "2");
    home.snapshot();
    home.write("data/k", "3");
    home.write("data/sub/b", "changed");
    home.snapshot();
    old.iter().for_each(|pack| fs::remove_file(pack).expect("it was there"));
    let run = home.run(["diff", "latest~1", "latest"]).expect_code(20).expect_stderr("lost");
    assert!(plain(&home, &[], &run.stdout).starts_with("M    …/k\n"), "{run:#?}");
    let run = home.run(["diff", "latest~1", "latest", "--json"]).expect_code(20);
    assert_eq!(run.message("statistics")["entries_lost"], 1);
}
