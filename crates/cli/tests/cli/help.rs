//! Help: every command has one, short, with an example.

use crate::home::Home;

/// Every command with the words that lead to it, as the program itself lists them.
fn commands(home: &Home) -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut next = 0;
    while let Some(command) = found.get(next).cloned() {
        next += 1;
        let help = help(home, &command);
        let Some((_, list)) = help.split_once("\nCommands:\n") else { continue };
        let names = list.lines().take_while(|line| line.starts_with("  "));
        let names = names.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
        found.extend(names.filter(|name| *name != "help").map(|name| [&command[..], &[name.to_owned()]].concat()));
    }
    found
}

fn help(home: &Home, command: &[String]) -> String {
    home.run(command.iter().map(String::as_str).chain(["--help"])).expect_code(0).stdout
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let home = Home::empty();
    let commands = commands(&home);
    for name in ["init", "snapshot", "snapshots", "restore", "verify", "ls", "stats", "tag", "completions", "man"] {
        assert!(commands.contains(&vec![name.to_owned()]), "{name} is not in {commands:?}");
    }
    for name in ["list", "add", "change", "remove"] {
        assert!(commands.contains(&vec!["key".to_owned(), name.to_owned()]), "key {name} is not in {commands:?}");
    }
    for command in commands {
        let help = help(&home, &command);
        let first = help.lines().next().unwrap_or_default();
        assert!(first.len() > 10 && first.starts_with(char::is_uppercase), "{command:?} begins with {first:?}");
        assert!(help.contains("\nExample:\n") || help.contains("\nExamples:\n"), "{command:?}: {help}");
        let last = help.trim_end().lines().last().unwrap_or_default();
        assert!(last.starts_with("  lbak "), "{command:?} ends with {last:?}");
        assert!(help.contains("Usage: lbak "), "{command:?}: {help}");
    }
}

#[test]
fn no_line_of_help_is_too_long_and_every_option_is_explained() {
    let home = Home::empty();
    for command in commands(&home) {
        for form in ["--help", "-h"] {
            let help = home.run(command.iter().map(String::as_str).chain([form])).expect_code(0).stdout;
            for line in help.lines() {
                assert!(line.chars().count() <= 100, "{command:?} {form}: {line:?}");
            }
            let lines: Vec<&str> = help.lines().collect();
            for (at, line) in lines.iter().enumerate() {
                let is_option = line.starts_with("  -") || line.starts_with("      --");
                if !is_option {
                    continue;
                }
                // Beside it, or on the next line.
                let beside = line.trim().split_once("  ").is_some_and(|(_, text)| !text.trim().is_empty());
                let below =
                    lines.get(at + 1).is_some_and(|next| next.starts_with("          ") && !next.trim().is_empty());
                assert!(beside || below, "{command:?} {form}: {line:?} is not explained");
            }
        }
    }
}

#[test]
fn exit_codes_are_told_where_scripts_need_them() {
    let home = Home::empty();
    for (command, code) in [("snapshot", "3 done, but"), ("restore", "20 something is lost"), ("verify", "20 damage")] {
        let help = help(&home, &[command.to_owned()]);
        assert!(help.contains("Exit codes:") && help.contains(code), "{help}");
    }
}

#[test]
fn help_fits_a_narrow_terminal() {
    let home = Home::empty();
    let output = home.command(["tag", "--help"]).env("COLUMNS", "40").output().expect("the binary runs");
    let help = String::from_utf8(output.stdout).expect("text");
    let options = help.lines().filter(|line| line.starts_with("          "));
    assert!(options.clone().count() > 5 && options.clone().all(|line| line.chars().count() <= 42), "{help}");
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
fn nothing_is_coloured_for_a_pipe() {
    let home = Home::with_repository();
    for arguments in [&["--help"][..], &["snapshot", "data", "-v"], &["snapshots"], &["nonsense"]] {
        let run = home.run(arguments);
        assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{run:?}");
    }
}
