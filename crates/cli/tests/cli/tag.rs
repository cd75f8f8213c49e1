//! `lbak tag`, through the binary.

use crate::home::Home;

fn tags(home: &Home) -> Vec<String> {
    home.newest().manifest.tags
}

#[test]
fn tags_are_added_removed_and_replaced() {
    let home = Home::with_repository();
    home.run(["snapshot", "data", "--tag", "nightly", "--description", "first"]).expect_code(0);
    let run = home.run(["tag", "latest", "--add", "keep", "--add", "b", "--remove", "nightly"]).expect_code(0);
    assert!(run.stdout.ends_with("changed: tags b, keep; description \"first\"\n"), "{run:?}");
    assert_eq!(tags(&home), ["b", "keep"]);
    home.run(["tag", "latest", "--set", "z", "--set", "a"]).expect_code(0);
    assert_eq!(tags(&home), ["a", "z"]);
    home.run(["tag", "latest", "--set", ""]).expect_code(0);
    assert_eq!(tags(&home), Vec::<String>::new());
    home.run(["tag", "latest", "--description", "second"]).expect_code(0);
    assert_eq!(home.newest().manifest.description, "second");
    home.run(["tag", "latest", "--description", ""]).expect_code(0).expect_stdout(": no tags\n");
    home.run(["tag", "latest", "--description", ""]).expect_code(0).expect_stdout("is so already");
    home.run(["verify"]).expect_code(0);
    assert_eq!(home.run(["snapshots", "--json"]).messages().len(), 1);
    home.run(["restore", "latest", "out"]).expect_code(0);
    assert_eq!(home.read("out/sub/b"), "the second file");
}

#[test]
fn the_id_stays_and_selection_sees_the_new_tag() {
    let home = Home::with_repository();
    let (first, second) = (home.snapshot(), home.snapshot());
    let run = home.run(["tag", &first[..8], "latest", &first, "--add", "keep", "--json"]).expect_code(0);
    let told = run.messages();
    let ids: Vec<&str> = told.iter().filter_map(|message| message["snapshot_id"].as_str()).collect();
    assert_eq!(ids, [first.as_str(), second.as_str()], "one that is named twice is changed once");
    assert_eq!(told[0]["message_type"], "tagged");
    assert_eq!((&told[0]["changed"], &told[0]["dry_run"]), (&true.into(), &false.into()));
    assert_eq!((told[0]["tags"][0].as_str(), told[0]["tags_before"].as_array().map(Vec::len)), (Some("keep"), Some(0)));
    home.run(["tag", &first, "--remove", "keep"]).expect_code(0);
    let listed = home.run(["snapshots", "--tag", "keep", "--json"]).expect_code(0).messages();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"].as_str(), Some(second.as_str()));
    home.run(["tag", "latest", "--tag", "keep", "--add", "more"]).expect_code(0).expect_stdout(&second[..8]);
    home.run(["tag", "latest", "--host", "elsewhere", "--add", "more"]).expect_code(22);
    home.run(["tag", "latest", "--path", "elsewhere", "--add", "more"]).expect_code(22);
}

#[test]
fn a_dry_run_changes_nothing() {
    let home = Home::with_repository();
    home.snapshot();
    let before = home.objects("").len();
    home.run(["tag", "latest", "--add", "a", "-n"]).expect_code(0).expect_stdout("would be changed: tags a");
    let json = home.run(["tag", "latest", "--add", "a", "--dry-run", "--json"]).expect_code(0).message("tagged");
    assert_eq!((&json["dry_run"], &json["changed"]), (&true.into(), &true.into()));
    assert_eq!(home.objects("").len(), before);
    assert_eq!(tags(&home), Vec::<String>::new());
}

#[test]
fn what_makes_no_sense_is_2_and_what_is_not_there_is_22() {
    let home = Home::with_repository();
    home.snapshot();
    home.run(["tag", "latest"]).expect_code(2).expect_stderr("--add");
    home.run(["tag", "--add", "a"]).expect_code(2);
    home.run(["tag", "latest", "--add", ""]).expect_code(2);
    home.run(["tag", "latest", "--add", "a", "--set", "b"]).expect_code(2);
    home.run(["tag", "latest", "--add", "a", "--remove", "a"]).expect_code(2).expect_stderr("both added and removed");
    home.run(["tag", "latest", "0123abcd", "--add", "a"]).expect_code(22);
    assert_eq!(tags(&home), Vec::<String>::new(), "all are found before the first is changed");
}

#[test]
fn a_tag_can_not_drive_the_terminal() {
    let home = Home::with_repository();
    home.snapshot();
    let run = home.run(["tag", "latest", "--add", "\u{1b}[31mred"]).expect_code(0);
    assert!(!run.stdout.contains('\u{1b}'), "{run:?}");
}
