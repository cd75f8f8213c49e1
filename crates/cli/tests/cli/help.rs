//! Help: every command has one, short, with an example.

use crate::home::Home;

const COMMANDS: [&[&str]; 13] = [
    &["init"],
    &["snapshot"],
    &["snapshots"],
    &["restore"],
    &["verify"],
    &["ls"],
    &["key"],
    &["key", "list"],
    &["key", "add"],
    &["key", "remove"],
    &["stats"],
    &["dump"],
    &["cat"],
];

#[test]
fn every_command_explains_itself_with_an_example() {
    let home = Home::empty();
    for command in COMMANDS {
        let run = home.run(command.iter().copied().chain(["--help"])).expect_code(0);
        let last = run.stdout.trim_end().lines().last().unwrap_or_default().to_owned();
        assert!(run.stdout.contains("Example"), "{command:?}: {}", run.stdout);
        assert!(last.starts_with("  lbak "), "{command:?} ends with {last:?}");
        assert!(run.stdout.contains("Usage: lbak "), "{command:?}: {}", run.stdout);
    }
}

#[test]
fn help_lists_the_commands_the_variables_and_the_exit_codes() {
    let home = Home::empty();
    let help = home.run(["--help"]).expect_code(0).stdout;
    for word in
        ["init", "snapshots", "restore", "verify", "LBAK_PASSWORD_COMMAND", "20 damage found", "lbak snapshot ~/models"]
    {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(!help.contains("backup "), "the aliases for other tools' fingers are not advertised");
}

#[test]
fn version_is_told() {
    let run = Home::empty().run(["--version"]).expect_code(0);
    assert_eq!(run.stdout.trim_end(), concat!("lbak ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn nothing_asked_is_a_usage_error_that_shows_the_help() {
    Home::empty().run::<_, &str>([]).expect_code(2).expect_stderr("Usage: lbak");
}

#[test]
fn backup_and_check_are_understood() {
    let home = Home::with_repository();
    home.run(["backup", "data"]).expect_code(0);
    home.run(["check"]).expect_code(0);
}
