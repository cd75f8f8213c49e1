//! Passwords and key files: where they come from, which counts, and that no file is ever overwritten.

use std::os::unix::fs::PermissionsExt;

use crate::home::{Home, damage};

/// A home with a password in a file, and another that is wrong.
fn home() -> Home {
    let home = Home::empty().with("LBAK_REPOSITORY", "repository");
    home.write("password", "secret\n");
    home.write("wrong", "another");
    home
}

#[test]
fn a_line_end_in_a_password_file_does_not_count() {
    let home = home();
    home.run(["init", "--password-file", "password"]).expect_code(0);
    for command in ["printf secret", "echo secret", "printf 'secret\\r\\n'"] {
        home.run(["snapshots", "--password-command", command]).expect_code(0);
    }
    home.run(["snapshots", "--password-command", "echo 'secret '"]).expect_code(12);
}

#[test]
fn every_source_of_a_password_works() {
    let home = home();
    home.run(["init", "--password-file", "password"]).expect_code(0);
    let with =
        |name, value| home.command(["snapshots"]).env(name, value).output().expect("the binary runs").status.code();
    assert_eq!(with("LBAK_PASSWORD", "secret"), Some(0));
    assert_eq!(with("LBAK_PASSWORD_FILE", "password"), Some(0));
    assert_eq!(with("LBAK_PASSWORD_COMMAND", "cat password"), Some(0));
    assert_eq!(with("LBAK_PASSWORD", "secret\n"), Some(12), "a variable is taken as it is");
}

#[test]
fn an_option_beats_a_variable_and_a_key_file_beats_a_password() {
    let home = home();
    home.run(["init", "--key-file", "key", "--password-file", "password"]).expect_code(0);
    home.run(["key", "list", "--key-file", "key", "--json"]).expect_code(0);
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = home.command(arguments);
        command.envs(variables.iter().copied()).output().expect("the binary runs").status.code()
    };
    // The one that counts is right, the other one is wrong.
    assert_eq!(run(&["snapshots", "--key-file", "key", "--password-file", "wrong"], &[]), Some(0));
    assert_eq!(run(&["snapshots", "--password-file", "password"], &[("LBAK_KEY_FILE", "missing")]), Some(0));
    assert_eq!(run(&["snapshots"], &[("LBAK_KEY_FILE", "key"), ("LBAK_PASSWORD", "another")]), Some(0));
    // And the other way round.
    assert_eq!(run(&["snapshots", "--password-file", "wrong"], &[("LBAK_KEY_FILE", "key")]), Some(12));
    assert_eq!(run(&["snapshots"], &[("LBAK_KEY_FILE", "missing"), ("LBAK_PASSWORD", "secret")]), Some(12));
}

#[test]
fn init_with_both_makes_two_slots_that_each_open() {
    let home = home();
    home.run(["init", "--key-file", "key", "--password-file", "password"]).expect_code(0);
    let listed = home.run(["key", "list", "--key-file", "key", "--json"]).expect_code(0).messages();
    let mut forms: Vec<&str> = listed.iter().filter_map(|key| key["form"].as_str()).collect();
    forms.sort_unstable();
    assert_eq!(forms, ["key_file", "password"]);
    home.run(["snapshots", "--password-file", "password"]).expect_code(0);
}

#[test]
fn init_names_each_key_and_says_to_keep_it() {
    let home = home();
    let init = |place: &str, arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = home.command([&["init", "-r", place], arguments].concat());
        let run = crate::home::Run::of(&command.envs(variables.iter().copied()).output().expect("the binary runs"));
        run.expect_code(0)
    };
    let run = init("a", &["--key-file", "key"], &[("LBAK_PASSWORD", "secret")]);
    let run =
        run.expect_stdout("  opened by the new key key\n").expect_stdout("also by the password in LBAK_PASSWORD\n");
    run.expect_stdout("keep a copy of the key or the password elsewhere");
    let run = init("b", &[], &[("LBAK_KEY_FILE", "key")]).expect_stdout("keep a copy of the key elsewhere");
    run.expect_stdout("opened by the key file that was there, key (LBAK_KEY_FILE)\n");
    let run = init("c", &[], &[("LBAK_PASSWORD_FILE", "password")]).expect_stdout("keep the password elsewhere");
    run.expect_stdout("  opened by the password in password (LBAK_PASSWORD_FILE)\n");
    let run = init("d", &["--password-command", "echo x"], &[]).expect_stdout("of the password command\n");
    assert_eq!(run.stdout.matches("opened by").count(), 1, "{run:?}");
}

#[test]
fn the_key_in_use_goes_only_after_a_yes() {
    let home = home();
    home.run(["init", "--key-file", "key", "--password-file", "password"]).expect_code(0);
    let own = |key: &[&str]| {
        let listed = home.run([&["key", "list", "--json"], key].concat()).expect_code(0).messages();
        let own = listed.into_iter().find(|key| key["opened_by"] == true).expect("one of them");
        own["id"].as_str().expect("an id").to_owned()
    };
    let slot = own(&["--key-file", "key"]);
    let run = home.run(["key", "remove", &slot, "--key-file", "key"]).expect_code(2);
    run.expect_stderr("was opened with").expect_stderr("--yes");
    home.run(["snapshots", "--key-file", "key"]).expect_code(0);
    let run = home.run(["key", "remove", &slot, "--key-file", "key", "--yes"]).expect_code(0);
    run.expect_stdout("the repository is opened by 1 password\n");
    home.run(["snapshots", "--key-file", "key"]).expect_code(12);
    // The last one stays, whatever is said.
    let slot = own(&["--password-file", "password"]);
    let run = home.run(["key", "remove", &slot, "--password-file", "password", "--yes"]).expect_code(2);
    run.expect_stderr("last sound key slot");
}

#[test]
fn a_new_key_file_is_for_its_owner_and_never_overwritten() {
    let home = home();
    home.run(["init", "--key-file", "key"]).expect_code(0);
    let key = home.read("key");
    assert_eq!(home.path("key").metadata().expect("it is there").permissions().mode() & 0o777, 0o600);

    home.run(["init", "-r", "second", "--key-file", "key"]).expect_code(0);
    assert_eq!(home.read("key"), key, "one key may open two repositories");

    home.write("notes", "not a key");
    home.run(["init", "-r", "third", "--key-file", "notes"]).expect_code(12).expect_stderr("not a key file");
    assert_eq!(home.read("notes"), "not a key");
    assert!(!home.path("third").exists());
}

#[test]
fn a_key_file_that_came_to_open_nothing_is_taken_back() {
    let home = home();
    home.run(["init", "--password-file", "password"]).expect_code(0);
    home.run(["init", "--key-file", "key"]).expect_code(1).expect_stderr("holds a repository already");
    assert!(!home.path("key").exists());
}

#[test]
fn nothing_given_and_no_terminal_is_12() {
    let home = home();
    home.run(["init"]).expect_code(12).expect_stderr("no terminal");
    home.run(["init", "--password-file", "password"]).expect_code(0);
    home.run(["snapshots"]).expect_code(12).expect_stderr("hint: give --key-file");
}

#[test]
fn a_key_that_is_not_there_or_empty_is_12() {
    let home = home();
    home.write("empty", "\n");
    home.run(["init", "--password-file", "empty"]).expect_code(12).expect_stderr("is empty");
    home.run(["init", "--password-file", "password"]).expect_code(0);
    home.run(["snapshots", "--key-file", "missing"]).expect_code(12).expect_stderr("cannot read the key file missing");
    home.run(["snapshots", "--password-file", "missing"]).expect_code(12);
    home.run(["snapshots", "--password-command", "exit 7"]).expect_code(12).expect_stderr("exit status: 7");
    home.run(["snapshots", "--password-file", "/dev/zero"]).expect_code(12).expect_stderr("longer than");
}

#[test]
fn the_wrong_key_is_12_and_a_damaged_slot_is_20() {
    let home = home();
    home.run(["init", "--password-file", "password"]).expect_code(0);
    home.run(["snapshots", "--password-file", "wrong"]).expect_code(12).expect_stderr("1 could be tried");
    damage(&home.objects("keys")[0]);
    home.run(["snapshots", "--password-file", "password"]).expect_code(20);
}

#[test]
fn a_second_key_is_added_proven_and_the_first_removed() {
    let home = home();
    home.run(["init", "--password-file", "password"]).expect_code(0);
    let first = home.run(["key", "list", "--password-file", "password", "--json"]).message("key");
    let first = first["id"].as_str().expect("an id").to_owned();

    home.run(["key", "remove", &first, "--password-file", "password"])
        .expect_code(2)
        .expect_stderr("last sound key slot");
    home.run(["key", "add", "--password-file", "password", "--new-key-file", "key"]).expect_code(0);
    home.run(["snapshots", "--key-file", "key"]).expect_code(0);
    home.run(["key", "remove", &first[..8], "--key-file", "key"]).expect_code(0);
    home.run(["snapshots", "--password-file", "password"]).expect_code(12);
    home.run(["key", "remove", "0123456789", "--key-file", "key"]).expect_code(2).expect_stderr("there is no key slot");
}

#[test]
fn key_add_makes_the_key_file_that_is_not_there() {
    let home = home();
    home.run(["init", "--password-file", "password"]).expect_code(0);
    home.run(["key", "add", "--password-file", "password", "--key-file", "key"]).expect_code(0);
    home.run(["snapshots", "--key-file", "key"]).expect_code(0);
    // It is there now, so it is what opens the repository, and there is nothing to add without a terminal.
    home.run(["key", "add", "--password-file", "password", "--key-file", "key"]).expect_code(12);
    // With an option that says what is new, a missing key file is a missing key.
    home.run(["key", "add", "--key-file", "missing", "--new-password-file", "wrong"]).expect_code(12);
    assert!(!home.path("missing").exists());
}

#[test]
fn several_sources_of_one_rank_are_a_usage_error() {
    let home = home();
    home.run(["snapshots", "--password-file", "a", "--password-command", "b"]).expect_code(2);
    let home = home.with("LBAK_PASSWORD", "a").with("LBAK_PASSWORD_FILE", "b");
    home.run(["snapshots"]).expect_code(2).expect_stderr("give one password");
}
