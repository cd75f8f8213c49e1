//! The default repository: made once, by a snapshot, when nothing at all was said; and never quietly.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::home::Home;

const FOLDER: &str = ".local/share/lbak/repository";
const KEY: &str = ".config/lbak/default.key";

fn home_with_data() -> Home {
    let home = Home::empty();
    home.write("data/a", "the first file");
    home
}

#[test]
fn the_first_snapshot_makes_it_and_every_use_says_where_it_is() {
    let home = home_with_data();
    let first = home.run(["snapshot", "data"]).expect_code(0);
    let first = first.expect_stderr("made the default repository").expect_stderr("the same disk");
    for place in [FOLDER, KEY] {
        assert!(first.stderr.contains(&home.text(place)), "{place}: {first:?}");
        assert!(home.path(place).exists());
    }
    let permissions = |path| home.path(path).metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!((permissions(KEY), permissions(FOLDER)), (0o600, 0o700));

    let second = home.run(["snapshot", "data"]).expect_code(0).expect_stderr("the same disk").expect_stderr(KEY);
    assert!(!second.stderr.contains("made the default"), "{second:?}");
    home.run(["snapshots"]).expect_code(0).expect_stderr("the same disk");

    home.run(["restore", "latest", "out"]).expect_code(0);
    assert_eq!(home.read("out/a"), "the first file");
}

#[test]
fn the_folders_of_the_user_are_respected() {
    let home = home_with_data().with("XDG_DATA_HOME", "big").with("XDG_CONFIG_HOME", "settings");
    home.run(["snapshot", "data"]).expect_code(0);
    assert!(home.path("big/lbak/repository/config").exists());
    assert!(home.path("settings/lbak/default.key").exists());
}

#[test]
fn it_is_not_made_when_a_variable_is_set() {
    for variable in ["LBAK_KEY_FILE", "LBAK_PASSWORD_FILE", "LBAK_PASSWORD", "LBAK_PASSWORD_COMMAND"] {
        let home = home_with_data().with(variable, "something");
        home.run(["snapshot", "data"]).expect_code(10).expect_stderr("no repository was named");
        assert!(!home.path(FOLDER).exists() && !home.path(KEY).exists(), "{variable}");
    }
}

#[test]
fn it_is_not_made_when_a_key_was_given() {
    let home = home_with_data();
    home.write("password", "secret");
    home.run(["snapshot", "data", "--password-file", "password"]).expect_code(10);
    assert!(!home.path(FOLDER).exists());
}

#[test]
fn it_is_not_made_when_its_key_is_there_already() {
    let home = home_with_data();
    home.write(KEY, "of a repository whose disk is not mounted");
    let run = home.run(["snapshot", "data"]).expect_code(10);
    run.expect_stderr("is the disk mounted?");
    assert!(!home.path(FOLDER).exists());
}

#[test]
fn a_link_that_leads_nowhere_is_a_repository_that_is_not_mounted() {
    let home = home_with_data();
    fs::create_dir_all(home.path(".local/share/lbak")).expect("a folder");
    std::os::unix::fs::symlink("/nonexistent/disk", home.path(FOLDER)).expect("a link");
    home.run(["snapshot", "data"]).expect_code(10);
    assert!(!home.path(KEY).exists());
}

#[test]
fn it_is_not_made_for_a_path_that_is_not_there() {
    let home = home_with_data();
    home.run(["snapshot", "nothing-here"]).expect_code(1);
    assert!(!home.path(FOLDER).exists() && !home.path(KEY).exists());
}

#[test]
fn it_is_not_made_for_a_dry_run() {
    let home = home_with_data();
    let run = home.run(["snapshot", "-n", "data"]).expect_code(10);
    run.expect_stderr("there is no repository yet: nothing was made").expect_stderr("hint: ");
    assert!(!home.path(".local").exists() && !home.path(".config").exists());
    home.run(["snapshot", "data"]).expect_code(0);
    let run = home.run(["snapshot", "-n", "data"]).expect_code(0);
    assert!(run.stdout.contains("nothing was stored") && !run.stdout.contains("to store"), "{run:?}");
}

#[test]
fn only_a_snapshot_makes_it() {
    let home = home_with_data();
    for command in
        [&["snapshots"][..], &["verify"], &["verify", "--no-key"], &["stats"], &["ls", "latest"], &["key", "list"]]
    {
        home.run(command).expect_code(10).expect_stderr("hint: ");
    }
    assert!(!home.path(FOLDER).exists());
}

#[test]
fn a_lost_key_is_said_and_no_new_one_is_made() {
    let home = home_with_data();
    home.run(["snapshot", "data"]).expect_code(0);
    fs::remove_file(home.path(KEY)).expect("it is there");
    home.run(["snapshot", "data"]).expect_code(12).expect_stderr("the key of the default repository");
    assert!(!home.path(KEY).exists());
}

#[test]
fn quiet_says_nothing_when_all_is_well() {
    let home = home_with_data();
    let run = home.run(["-q", "snapshot", "data"]).expect_code(0);
    assert_eq!((&*run.stdout, &*run.stderr), ("", ""));
}
