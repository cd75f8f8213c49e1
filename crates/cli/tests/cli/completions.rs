//! What shells and `man` read.

use std::{fs, path::Path, process::Command};

use crate::home::{Home, Run};

/// What is offered for the last of these words.
fn offered(home: &Home, words: &[&str]) -> Vec<String> {
    let mut command = home.command(["--", "lbak"]);
    command.args(words).env("LBAK_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "false");
    let run = Run::of(&command.output().expect("the binary runs")).expect_code(0);
    assert_eq!(run.stderr, "", "a shell that is completing shows no messages");
    run.stdout.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// The same, asked again while nothing is offered: on a busy machine opening a repository takes longer than anyone waits.
fn offered_in_the_end(home: &Home, words: &[&str]) -> Vec<String> {
    (0..40).map(|_| offered(home, words)).find(|found| found.iter().any(|word| word != "latest")).unwrap_or_default()
}

#[test]
fn every_shell_gets_a_script() {
    let home = Home::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = home.run(["completions", shell]).expect_code(0);
        assert!(run.stdout.contains("LBAK_COMPLETE"), "{shell}: {run:?}");
        let Some(program) =
            ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(shell)).into_iter().find(|path| path.exists())
        else {
            continue;
        };
        if shell == "bash" {
            let status = Command::new(program).args(["-n", "-c", &run.stdout]).status().expect("a shell");
            assert!(status.success(), "bash does not understand it");
        }
    }
    home.run(["completions", "tcsh"]).expect_code(2);
}

#[test]
fn commands_and_options_are_completed() {
    let home = Home::empty();
    let commands = offered(&home, &["sna"]);
    assert_eq!(commands, ["snapshot", "snapshots"]);
    assert!(offered(&home, &["snapshot", "--line"]).iter().any(|word| word == "--lineage"));
    assert!(offered(&home, &["key", "c"]).iter().any(|word| word == "change"));
}

#[test]
fn snapshot_ids_are_completed_where_that_costs_no_question() {
    let home = Home::with_repository();
    let id = home.snapshot();
    for command in ["ls", "restore", "tag"] {
        assert_eq!(offered_in_the_end(&home, &[command, &id[..4]]), [&id[..8]], "{command}");
        let all = offered_in_the_end(&home, &[command, ""]);
        assert!(all.contains(&"latest".to_owned()) && all.contains(&id[..8].to_owned()), "{command}: {all:?}");
    }
    let home = Home::empty();
    home.write("password", "secret");
    home.run(["init", "-r", "place", "--password-file", "password"]).expect_code(0);
    let id = {
        home.write("data/a", "a");
        let run = home.run(["snapshot", "data", "-r", "place", "--password-file", "password", "--json"]).expect_code(0);
        run.message("summary")["snapshot_id"].as_str().expect("an id")[..8].to_owned()
    };
    let words = ["ls", "-r", "place", "--password-file", "password", &id[..4]];
    assert_eq!(offered_in_the_end(&home, &words), [id.as_str()]);
    // Nothing that would ask, or run a command.
    assert_eq!(offered(&home, &["ls", "-r", "place", &id[..4]]), Vec::<String>::new());
    let command = ["ls", "-r", "place", "--password-command", "touch run; cat password", &id[..4]];
    assert_eq!(offered(&home, &command), Vec::<String>::new());
    assert!(!home.path("run").exists());
    assert_eq!(offered(&home, &["ls", "-r", "nowhere", "la"]), ["latest"]);
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let home = Home::empty();
    let page = home.run(["man"]).expect_code(0).stdout;
    assert!(page.contains(".TH lbak 1") && page.contains("LBAK_PASSWORD_COMMAND"), "{page}");
    home.run(["man", "pages/man1"]).expect_code(0).expect_stdout("manual pages to pages/man1");
    let mut names: Vec<String> = fs::read_dir(home.path("pages/man1"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    for name in ["lbak.1", "lbak-snapshot.1", "lbak-tag.1", "lbak-key.1", "lbak-key-change.1"] {
        assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
    }
    assert!(home.read("pages/man1/lbak-tag.1").contains("dry"), "options are in it");
    home.run(["man", "pages/man1"]).expect_code(0);
    home.write("file", "");
    home.run(["man", "file/below"]).expect_code(1).expect_stderr("cannot make");
}
