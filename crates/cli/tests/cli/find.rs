//! `find`: one test for each option, and its screens letter for letter.

use crate::home::Home;

/// Two snapshots of one host; ids, times and the place of the home are told by name.
fn home_with_two() -> (Home, [String; 2]) {
    let home = Home::with_repository();
    let take = || {
        let run = home.run(["snapshot", "data", "--host", "db1", "--json"]).expect_code(0);
        run.message("summary")["snapshot_id"].as_str().expect("an id").to_owned()
    };
    let first = take();
    home.write("data/a", "the first file, longer");
    home.write("data/sub/deep/big.BIN", [0; 5000]);
    let second = take();
    (home, [first, second])
}

/// Times and ids by name, so that a screen can be compared letter for letter.
pub(crate) fn plain(home: &Home, ids: &[String], text: &str) -> String {
    let mut text = text.replace(&home.text("data"), "…");
    for (number, id) in ids.iter().enumerate() {
        text = text.replace(id.as_str(), &format!("ID{number}")).replace(&id[..8], &format!("ID{number}"));
    }
    let is_time = |part: &[char]| {
        part.len() == 19
            && part.iter().zip("0000-00-00 00:00:00".chars()).all(|(found, form)| match form {
                '0' => found.is_ascii_digit(),
                form => *found == form,
            })
    };
    let characters: Vec<char> = text.chars().collect();
    let (mut place, mut plain) = (0, String::new());
    while place < characters.len() {
        if characters.get(place..place + 19).is_some_and(is_time) {
            plain.push_str("TIME");
            place += 19;
        } else {
            plain.push(characters[place]);
            place += 1;
        }
    }
    plain
}

fn found(home: &Home, ids: &[String], arguments: &[&str]) -> Vec<String> {
    let run = home.run(["find", "-q"].iter().chain(arguments)).expect_code(0);
    plain(home, ids, &run.stdout).lines().map(str::to_owned).collect()
}

const NEWER: &str = "snapshot ID1 of … on host db1, TIME:";
const OLDER: &str = "snapshot ID0 of … on host db1, TIME:";

#[test]
fn matches_stand_under_their_snapshots_newest_first() {
    let (home, ids) = home_with_two();
    let run = home.run(["find", "a", "b*"]).expect_code(0).expect_stderr("5 matches in 2 of 2 snapshots");
    let expected = format!("{NEWER}\n…/a\n…/sub/b\n…/sub/deep/big.BIN\n\n{OLDER}\n…/a\n…/sub/b\n");
    assert_eq!(plain(&home, &ids, &run.stdout), expected);
    assert_eq!(home.run(["find", "nothing"]).expect_code(0).stdout, "");
    home.run(["find"]).expect_code(2);
}

#[test]
fn every_condition_narrows() {
    let (home, ids) = home_with_two();
    let found = |arguments: &[&str]| found(&home, &ids, arguments);
    assert_eq!(found(&["big.bin"]), Vec::<String>::new());
    assert_eq!(found(&["--iname", "big.bin"]), [NEWER, "…/sub/deep/big.BIN"]);
    assert_eq!(found(&["-i", "big.bin"]), [NEWER, "…/sub/deep/big.BIN"]);
    assert_eq!(found(&["--larger", "4K"]), [NEWER, "…/sub/deep/big.BIN"]);
    assert_eq!(found(&["--smaller", "15"]), [OLDER, "…/a"]);
    assert_eq!(found(&["--type", "d", "deep", "a"]), [NEWER, "…/sub/deep"]);
    assert_eq!(found(&["--type", "f,d", "deep", "a"]), [NEWER, "…/a", "…/sub/deep", "", OLDER, "…/a"]);
    assert_eq!(found(&["a", "--snapshot", "latest"]), [NEWER, "…/a"]);
    assert_eq!(found(&["a", "-s", "latest~1", "-s", &ids[0]]), [OLDER, "…/a"]);
    assert_eq!(found(&["a", "--newer", "2999-01-01"]), Vec::<String>::new());
    assert_eq!(found(&["a", "--older", "2999-01-01", "-s", "latest"]), [NEWER, "…/a"]);
    assert_eq!(found(&["a", "--older", "yesterday"]), Vec::<String>::new());
    assert_eq!(found(&["sub/*", "-s", "latest"]), [NEWER, "…/sub/b", "…/sub/deep"]);
    assert_eq!(found(&[&home.text("data/sub/*"), "-s", "latest~1"]), [OLDER, "…/sub/b"]);
    home.run(["find", "a", "--host", "other"]).expect_code(22);
    home.run(["find", "a", "--path", "/other"]).expect_code(22);
    home.run(["find", "a", "--tag", "other"]).expect_code(22);
    home.run(["find", "--larger", "much"]).expect_code(2).expect_stderr("no size");
    home.run(["find", "[a"]).expect_code(2).expect_stderr("[a");
    home.run(["find", "a", "--newer", "soon"]).expect_code(2).expect_stderr("no time");
}

#[test]
fn long_lines_are_those_of_ls() {
    let (home, ids) = home_with_two();
    let lines = found(&home, &ids, &["-l", "--bytes", "--numeric-owners", "-s", "latest", "--type", "f"]);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[1].starts_with("-rw") && lines[1].ends_with("  22 TIME …/a"), "{lines:?}");
    assert!(lines[3].ends_with(" 5000 TIME …/sub/deep/big.BIN"), "{lines:?}");
}

#[test]
fn history_shows_versions_path_by_path() {
    let (home, ids) = home_with_two();
    home.run(["snapshot", "data", "--host", "db1"]).expect_code(0);
    let run = home.run(["find", "--history", "a", "b"]).expect_code(0).expect_stderr("2 paths in 3 snapshots");
    let newest = home.newest().manifest.id.to_string();
    let ids = [ids[0].clone(), ids[1].clone(), newest];
    let day = |line: &str| -> String { line.split_whitespace().collect::<Vec<_>>().join(" ") };
    let lines: Vec<String> = plain(&home, &ids, &run.stdout).lines().map(day).collect();
    let expected = [
        "…/a: 2 versions in 3 of 3 snapshots".to_owned(),
        "First Last Snapshots Size Modified".to_owned(),
        "ID0 TIME ID0 TIME 1 14 B TIME".to_owned(),
        "ID1 TIME ID2 TIME 2 22 B TIME".to_owned(),
        "…/sub/b: 1 version in 3 of 3 snapshots".to_owned(),
        "First Last Snapshots Size Modified".to_owned(),
        "ID0 TIME ID2 TIME 3 15 B TIME".to_owned(),
    ];
    assert_eq!(lines, expected);
    home.run(["find", "--history", "-l", "a"]).expect_code(2);
}

#[test]
fn programs_get_a_line_for_each_match_and_a_summary() {
    let (home, ids) = home_with_two();
    let run = home.run(["find", "a", "--json"]).expect_code(0);
    let found = run.message("match");
    assert_eq!((found["name"].as_str(), found["size"].as_u64()), (Some("a"), Some(14)));
    assert_eq!(found["snapshot_id"], ids[0], "the oldest is last");
    let summary = run.message("summary");
    assert_eq!((summary["matches"].as_u64(), summary["snapshots"].as_u64()), (Some(2), Some(2)));
    assert_eq!(summary["snapshots_searched"], 2);

    let run = home.run(["find", "a", "--history", "--json"]).expect_code(0);
    let history = run.message("history");
    assert_eq!((history["snapshots"].as_u64(), history["versions"][1]["size"].as_u64()), (Some(2), Some(22)));
    assert_eq!(history["versions"][0]["first_snapshot"], ids[0]);
    assert_eq!(run.message("summary")["paths"], 1);
}

#[test]
fn damage_is_told_and_the_rest_is_found() {
    let home = Home::with_repository();
    home.snapshot();
    let old = home.objects("packs");
    home.write("data/new", "x");
    home.snapshot();
    old.iter().for_each(|pack| std::fs::remove_file(pack).expect("it was there"));
    let run = home.run(["find", "new", "-s", "latest"]).expect_code(20).expect_stderr("lost");
    assert!(run.stdout.contains("/new"), "{run:#?}");
    let run = home.run(["find", "new", "-s", "latest", "--json"]).expect_code(20);
    assert_eq!(run.message("finding")["kind"], "lost");
    assert!(run.message("summary")["entries_lost"].as_u64().is_some_and(|lost| lost > 0));
    home.run(["find", "--history", "new"]).expect_code(20);
}

#[test]
fn a_closed_pipe_ends_the_search() {
    let (home, _) = home_with_two();
    let mut child = home
        .command(["find", "*"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn help_explains_with_examples() {
    let home = Home::empty();
    for command in ["find", "diff", "stats", "snapshots", "ls"] {
        let help = home.run([command, "--help"]).expect_code(0).stdout;
        assert!(help.contains("Example") && help.contains(&format!("Usage: lbak {command}")), "{help}");
        assert!(help.trim_end().lines().last().is_some_and(|line| line.starts_with("  lbak ")), "{help}");
    }
}
