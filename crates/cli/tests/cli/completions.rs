//! What shells and `man` read.

use std::{fs, path::Path, process::Command};

use lbak_testkit::not_run;

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
        if shell == "bash" {
            match Command::new(shell).args(["-n", "-c", &run.stdout]).status() {
                Ok(status) => assert!(status.success(), "bash does not understand it"),
                Err(error) => not_run(format_args!("whether bash understands it: {error}")),
            }
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
    assert_eq!(offered_in_the_end(&home, &["cat", "snapshot", &id[..4]]), [&id[..8]]);
    assert_eq!(offered(&home, &["cat", "pack", &id[..4]]), Vec::<String>::new());
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

#[test]
fn paths_in_a_snapshot_are_completed_and_files_of_this_machine_are_not() {
    let home = Home::with_repository();
    home.write("data/sub/two words", "");
    home.write("local", "");
    home.snapshot();
    let data = home.text("data");
    let last = |words: &[&str]| offered_in_the_end(&home, words);
    assert_eq!(last(&["restore", "latest:s"]), ["latest:sub/"]);
    assert_eq!(last(&["ls", "latest:sub/"]), ["latest:sub/b"]);
    assert_eq!(last(&["dump", &format!("latest:{data}/s")]), [format!("latest:{data}/sub/")]);
    assert_eq!(last(&["diff", "latest", "latest:a"]), ["latest:a"]);
    assert!(last(&["ls", "latest:"]).contains(&format!("latest:{data}")));
    assert_eq!(offered(&home, &["restore", "latest:nothing"]), Vec::<String>::new());
    assert_eq!(offered(&home, &["restore", "./lo"]), Vec::<String>::new());
    assert_eq!(offered(&home, &["diff", "latest", "./lo"]), ["./local"]);
    assert_eq!(offered(&home, &["tag", "latest:s"]), Vec::<String>::new(), "where no path may stand");
}

#[test]
fn bash_completes_behind_a_colon() {
    if !Path::new("/bin/bash").exists() {
        return not_run("there is no bash here");
    }
    let home = Home::with_repository();
    home.snapshot();
    let script = home.run(["completions", "bash"]).expect_code(0).stdout;
    let ask = r#"
COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
COMP_TYPE=9
ask() { COMP_CWORD=$1; local current="$2"; shift 2; COMP_WORDS=("$@"); _clap_complete_lbak lbak "$current" x; echo "${COMPREPLY[*]}|"; }
ask 4 s lbak ls latest : s
ask 3 "" lbak ls latest :
ask 2 late lbak ls late
ask 6 s lbak ls -r ./repository latest : s
"#;
    let run = || {
        let mut command = Command::new("/bin/bash");
        let binary = Path::new(env!("CARGO_BIN_EXE_lbak")).parent().expect("it is in a folder");
        let lbak = home.command::<_, &str>([]);
        command.args(["--norc", "-c", &format!("{script}{ask}")]).current_dir(home.path("")).env_clear();
        command.envs(lbak.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", format!("{}:/usr/bin:/bin", binary.display()));
        Run::of(&command.output().expect("a shell"))
    };
    // Asked again while a busy machine opens the repository more slowly than anybody waits.
    let said = (0..40).map(|_| run()).find(|run| run.stdout.starts_with("sub/")).unwrap_or_else(run);
    let lines: Vec<&str> = said.stdout.lines().map(|line| line.trim_end_matches('|').trim()).collect();
    assert_eq!((lines[0], lines[2]), ("sub/", "latest"), "{said:?}");
    assert!(lines[1].contains("sub/") && lines[1].contains(&home.text("data")), "{said:?}");
    assert_eq!(lines[3], "sub/", "{said:?}");
}
