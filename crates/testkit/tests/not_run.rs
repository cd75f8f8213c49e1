//! What could not be tried is told where somebody looks for it.

use std::process::{Command, Output};

use lbak_testkit::not_run;

/// Set for the process that a test below starts: without it there is nothing to tell.
const TELLING: &str = "LBAK_TEST_TELLING";

#[test]
#[ignore = "run by the tests below"]
fn telling() {
    if std::env::var_os(TELLING).is_some() {
        not_run(format_args!("there is {}\nhere", "no moon"));
    }
}

/// That test, run by itself, with the variables that it is given.
fn told(variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--ignored", "--exact", "telling", "--nocapture"]);
    command.env_remove("LBAK_NOT_RUN").env_remove("LBAK_MUST_RUN");
    command.env(TELLING, "1").envs(variables.iter().copied()).output().expect("it runs")
}

#[test]
fn what_did_not_run_is_said_and_stands_in_the_file_with_its_test() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("not-run");
    let name = file.to_str().expect("a plain name");
    for times in 1..3 {
        let output = told(&[("LBAK_NOT_RUN", name)]);
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("NOT RUN: there is no moon here\n"), "{output:?}");
        let lines = std::fs::read_to_string(&file).expect("it was written");
        assert_eq!(lines, "NOT RUN: telling: there is no moon here\n".repeat(times));
    }
}

#[test]
fn what_must_run_and_can_not_fails() {
    assert!(told(&[]).status.success());
    let output = told(&[("LBAK_MUST_RUN", "1")]);
    assert!(!output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("can not: there is no moon here"), "{output:?}");
}

#[test]
fn a_file_that_can_not_be_written_is_no_reason_to_keep_silent() {
    assert!(!told(&[("LBAK_NOT_RUN", "/no/such/folder/not-run")]).status.success());
}
