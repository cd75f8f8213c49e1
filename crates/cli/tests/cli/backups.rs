//! Several backups in one repository, and which of them is meant.

use crate::home::Home;

/// Snapshots of `data`, of `other`, and of both.
fn home() -> Home {
    let home = Home::with_repository();
    home.write("other/c", "the third file");
    home.run(["snapshot", "data", "--tag", "nightly"]).expect_code(0);
    home.run(["snapshot", "data"]).expect_code(0);
    home.run(["snapshot", "other"]).expect_code(0);
    home.run(["snapshot", "data", "other"]).expect_code(0);
    home
}

fn paths(home: &Home, arguments: &[&str]) -> Vec<String> {
    let shown = home.run(arguments.iter().chain(&["--json"])).expect_code(0).messages().remove(0);
    let paths = shown["paths"].as_array().expect("paths").iter();
    paths.map(|path| path.as_str().and_then(|path| path.rsplit('/').next()).expect("a path").to_owned()).collect()
}

#[test]
fn a_backup_of_exactly_the_paths_that_were_given_is_meant() {
    let home = home();
    assert_eq!(paths(&home, &["ls", "latest", "--path", "data"]), ["data"]);
    assert_eq!(paths(&home, &["ls", "latest~1", "--path", "data"]), ["data"]);
    assert_eq!(paths(&home, &["ls", "latest", "--path", "other"]), ["other"]);
    assert_eq!(paths(&home, &["ls", "latest", "--path", "other", "--path", "data"]), ["data", "other"]);
    home.run(["diff", "latest~1", "latest", "--path", "data"]).expect_code(0);
    home.run(["stats", "latest", "--path", "data"]).expect_code(0);
    home.run(["tag", "latest", "--path", "data", "--add", "keep"]).expect_code(0);
    // Where it decides nothing, it narrows as before: all that were named for it.
    let listed = home.run(["snapshots", "--path", "data", "--json"]).expect_code(0).messages();
    assert_eq!(listed.len(), 3);
}

#[test]
fn an_absolute_path_means_the_backup_that_can_hold_it() {
    let home = Home::with_repository();
    home.write("input", "from a program");
    home.snapshot();
    let mut command = home.command(["snapshot", "--stdin", "--stdin-name", "db.sql"]);
    command.stdin(std::fs::File::open(home.path("input")).expect("a file"));
    crate::home::Run::of(&command.output().expect("the binary runs")).expect_code(0);
    home.run(["ls", "latest"]).expect_code(22);
    home.run(["dump", "latest:/db.sql"]).expect_code(0).expect_stdout("from a program");
    home.run(["dump", &format!("latest:{}/a", home.text("data"))]).expect_code(0).expect_stdout("the first file");
    home.run(["dump", "latest:/nowhere"]).expect_code(22);
    home.run(["restore", &format!("latest:{}/sub", home.text("data")), "out"]).expect_code(0);
    assert_eq!(home.read("out/b"), "the second file");
    let both = format!("latest:{}", home.text("data"));
    home.run(["diff", &both, &both]).expect_code(0);
}

#[test]
fn several_backups_are_told_with_words_that_name_each() {
    let home = home();
    for arguments in [
        &["restore", "latest", "out"][..],
        &["diff", "latest~1", "latest"],
        &["stats", "latest"],
        &["tag", "latest", "--add", "x"],
        &["ls", "latest"],
        &["dump", "latest"],
        &["snapshots", "latest"],
        &["find", "a", "-s", "latest"],
    ] {
        let run = home.run(arguments).expect_code(22).expect_stderr("could mean several backups\nhint: ");
        let lines: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("  --path ")).collect();
        assert_eq!(lines.len(), 3, "{run:?}");
        assert!(!run.stderr.contains("--host"), "there is one host: {run:?}");
    }
    // Each of the ways that are told leads to one backup.
    let run = home.run(["ls", "latest"]);
    let mut meant = Vec::new();
    for line in run.stderr.lines().filter(|line| line.starts_with("  --path ")) {
        for way in line.split("  or  ") {
            let words: Vec<&str> = way.split_whitespace().collect();
            let arguments: Vec<&str> = match words[..] {
                [id] => vec!["ls", id],
                _ => [&["ls", "latest"], &words[..]].concat(),
            };
            meant.push(paths(&home, &arguments));
        }
    }
    meant.sort();
    meant.dedup();
    assert_eq!(meant, [vec!["data"], vec!["data", "other"], vec!["other"]]);
}

#[test]
fn a_tag_or_a_host_that_names_one_is_told() {
    let home = Home::with_repository();
    home.run(["snapshot", "data", "--host", "db1", "--tag", "nightly run"]).expect_code(0);
    home.run(["snapshot", "data", "--host", "db2"]).expect_code(0);
    let run = home.run(["ls", "latest"]).expect_code(22);
    assert!(run.stderr.contains("\n  --host db1  or  --tag 'nightly run'  or  "), "{run:?}");
    assert!(run.stderr.contains("\n  --host db2  or  ") && !run.stderr.contains("--path"), "{run:?}");
    let json = home.run(["ls", "latest", "--json"]).expect_code(22);
    assert_eq!(json.stderr.lines().count(), 1, "{json:?}");
}
