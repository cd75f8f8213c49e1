//! `lbak restore … --to-command`: all of it, or a command that never saw the end of its input.

use std::{
    fs,
    io::Read,
    process::{Child, Stdio},
    time::Duration,
};

use lbak_testkit::objects::noise;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::{
    dump::damage_in_the_middle,
    home::{Home, Run},
};

/// What a command does that believes whatever ends.
const BELIEVER: &str = "cat > out; echo done > finished";

fn home_with_large_file() -> (Home, Vec<u8>) {
    let home = Home::with_repository();
    let content = noise(5, 12_000_000);
    home.write("data/large", &content);
    home.snapshot();
    (home, content)
}

fn restore(home: &Home, part: &str, options: &[&str], command: &[&str]) -> Run {
    home.run([&["restore", part][..], options, &["--to-command", "--"], command].concat())
}

#[test]
fn a_command_gets_a_file_or_an_archive_and_its_output_is_its_own() {
    let (home, content) = home_with_large_file();
    for options in [&[][..], &["--inline"]] {
        restore(&home, "latest:large", options, &["sh", "-c", BELIEVER]).expect_code(0);
        assert!(fs::read(home.path("out")).expect("it is there") == content);
        fs::remove_file(home.path("finished")).expect("it came to its end");
    }
    let run = restore(&home, "latest:sub", &["-q"], &["tar", "-tf", "-"]).expect_code(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("./\nb\n", ""));
    let run = restore(&home, "latest:a", &[], &["cat"]).expect_code(0).expect_stderr("14 B went to cat");
    assert_eq!(run.stdout, "the first file");
}

#[test]
fn words_reach_the_command_without_a_shell_and_the_password_does_not() {
    let home = Home::with_repository();
    home.snapshot();
    let run = restore(&home, "latest:a", &["-q"], &["sh", "-c", "cat >/dev/null; echo \"$1\"", "sh", "$HOME *; x"]);
    assert_eq!(run.expect_code(0).stdout, "$HOME *; x\n");
    let mut command = home.command(["restore", "latest:a", "-q", "--to-command", "--"]);
    command.args(["sh", "-c", "cat >/dev/null; echo \"<$LBAK_PASSWORD>\""]).env("LBAK_PASSWORD", "secret");
    let run = Run::of(&command.output().expect("the binary runs")).expect_code(0);
    assert_eq!(run.stdout, "<>\n");
}

#[test]
fn damage_is_found_before_the_command_starts() {
    let (home, _) = home_with_large_file();
    damage_in_the_middle(&home);
    let run = restore(&home, "latest:large", &[], &["sh", "-c", "echo > started; cat"]);
    run.expect_code(20).expect_stderr("nothing was written");
    assert!(!home.path("started").exists());
}

#[test]
fn damage_that_is_met_on_the_way_kills_the_command_before_its_input_ends() {
    let (home, content) = home_with_large_file();
    damage_in_the_middle(&home);
    restore(&home, "latest:large", &["--inline"], &["sh", "-c", BELIEVER]).expect_code(20);
    assert!(!home.path("finished").exists());
    // It may have been killed before it had made its file.
    let out = fs::read(home.path("out")).unwrap_or_default();
    assert!(content.starts_with(&out) && out.len() < content.len());
}

#[test]
fn how_the_command_ends_is_how_it_ended() {
    let (home, _) = home_with_large_file();
    let ends = |part: &str, command: &[&str], what: &str| {
        restore(&home, part, &[], command).expect_code(1).expect_stderr(what);
    };
    ends("latest:a", &["sh", "-c", "cat >/dev/null; exit 7"], "cannot restore into sh: it ended with exit status: 7");
    ends("latest:large", &["sh", "-c", "exit 3"], "it ended with exit status: 3");
    ends("latest:a", &["sh", "-c", "kill -9 $$"], "it ended with signal: 9");
    ends("latest:a", &["no-such-program"], "cannot run no-such-program: No such file or directory");
    // Status 0 is not enough: what was not read was not restored, however little it is.
    for part in ["latest:large", "latest:a", "latest"] {
        ends(part, &["true"], "cannot restore into true: it ended before it had read everything");
    }
    let some = ["sh", "-c", "head -c 10 > /dev/null"];
    ends("latest:large", &some, "cannot restore into sh: it ended before it had read everything");
}

#[test]
fn it_excludes_a_target_and_needs_a_command() {
    let home = Home::with_repository();
    home.snapshot();
    for arguments in [
        &["restore", "latest", "out", "--to-command", "--", "cat"][..],
        &["restore", "latest", "--original", "--to-command", "--", "cat"],
        &["restore", "latest", "--dry-run", "--to-command", "--", "cat"],
        &["restore", "latest", "--to-command"],
        &["restore", "latest", "out", "--", "cat"],
        &["restore", "latest", "out", "--inline"],
        &["restore", "latest"],
    ] {
        home.run(arguments).expect_code(2);
    }
}

#[test]
fn json_keeps_to_standard_output_alone() {
    let home = Home::with_repository();
    home.snapshot();
    let run = restore(&home, "latest:a", &["--json"], &["cat"]).expect_code(0).expect_stderr("the first file");
    let summary = run.message("summary");
    assert_eq!((&summary["bytes"], &summary["command"][0]), (&14.into(), &"cat".into()));
}

/// Starts a command that reads nothing, and waits until it runs. Returns its process, too.
fn begin(home: &Home) -> (Child, Pid) {
    let script = "echo $$ > number; mv number started; sleep 600; echo done > finished";
    let mut command = home.command(["restore", "latest:large", "--inline", "--to-command", "--", "sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    while !home.path("started").exists() {
        assert!(child.try_wait().expect("it is our child").is_none(), "it ended before the command ran");
        std::thread::sleep(Duration::from_millis(1));
    }
    let number = home.read("started").trim().parse().ok().and_then(Pid::from_raw).expect("a number");
    (child, number)
}

#[test]
fn an_interruption_kills_a_command_that_does_not_read() {
    for (signal, code, told) in [(Signal::INT, 130, "lbak: interrupted"), (Signal::TERM, 143, "lbak: terminated")] {
        let (home, _) = home_with_large_file();
        let (child, command) = begin(&home);
        let lbak = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(lbak, signal).expect("it is our child");
        let run = Run::of(&child.wait_with_output().expect("it ends")).expect_code(code);
        assert!(run.stderr.contains(told), "{run:?}");
        assert!(test_kill_process(command).is_err(), "the command is gone");
        assert!(!home.path("finished").exists());
    }
}

/// A process that is killed can not kill any more: its command took the end of the pipe for the end of the data, and finished.
#[test]
fn a_command_does_not_outlive_a_program_that_is_killed() {
    let (home, _) = home_with_large_file();
    // It reads on only when the program is gone: then the end of its input comes at once, or never.
    let script =
        "head -c 1000 > part; mv part began; while [ ! -e go ]; do sleep 0.02; done; cat > out; echo done > finished";
    for options in [&[][..], &["--inline"]] {
        let arguments =
            [&["restore", "latest:large"][..], options, &["--to-command", "--", "sh", "-c", script]].concat();
        let mut child = home.command(arguments).stdout(Stdio::piped()).spawn().expect("the binary runs");
        while !home.path("began").exists() {
            assert!(child.try_wait().expect("it is our child").is_none(), "it ended before the command ran");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("it is our child");
        child.wait().expect("it ends");
        home.write("go", "");
        // The command and all that it has started have this pipe: it ends with the last of them.
        let mut said = Vec::new();
        child.stdout.take().expect("piped").read_to_end(&mut said).expect("it ends");
        assert!(!home.path("finished").exists(), "{options:?}: it took a part for the whole");
        for name in ["began", "go"] {
            fs::remove_file(home.path(name)).expect("it is there");
        }
    }
}
