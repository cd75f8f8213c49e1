//! A reader that goes away is no error; a full disk behind standard output is.

use std::{fs::File, process::Stdio};

use lbak_testkit::not_run;

use crate::home::{Home, Run};

/// Runs with a standard output that nobody reads.
fn unread(home: &Home, arguments: &[&str]) -> Run {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = home.command(arguments).stdout(writer).stderr(Stdio::piped()).output().expect("the binary runs");
    Run::of(&output)
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let home = Home::with_repository();
    home.snapshot();
    for number in 0..2_000 {
        home.write(&format!("data/many/file with a rather long name to fill the pipe {number}"), "");
    }
    for arguments in [
        &["snapshot", "data", "-q"][..],
        &["snapshot", "data"],
        &["snapshots"],
        &["snapshots", "--json", "-q"],
        &["ls", "latest", "-R"],
        &["stats"],
        &["key", "list"],
        &["--help"],
        &["restore", "--help"],
    ] {
        let run = unread(&home, arguments).expect_code(0);
        let is_quiet = !run.stderr.contains("roken pipe") && !run.stderr.contains("lbak: ");
        assert!(is_quiet, "{arguments:?}: {run:?}");
    }
}

#[test]
fn what_was_done_is_done_when_nobody_reads_of_it() {
    let home = Home::with_repository();
    unread(&home, &["snapshot", "data", "--json"]).expect_code(0);
    assert_eq!(home.run(["snapshots", "--json"]).messages().len(), 1);
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let home = Home::with_repository();
    home.snapshot();
    for arguments in [&["snapshots"][..], &["--help"], &["restore", "--help"], &["help", "ls"], &["--version"]] {
        let Ok(full) = File::options().write(true).open("/dev/full") else {
            return not_run("there is no /dev/full here");
        };
        let output = home.command(arguments).stdout(full).stderr(Stdio::piped()).output().expect("the binary runs");
        Run::of(&output).expect_code(1).expect_stderr("cannot write to standard output");
    }
}
