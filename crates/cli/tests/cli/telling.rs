//! What is said, how often and where: findings, stages, hints.

use std::{fs, os::unix::fs::PermissionsExt};

use lbak_testkit::not_run;

use crate::home::{Home, as_ordinary_user, give};

#[test]
fn notes_of_verify_are_told_once() {
    let home = Home::with_repository();
    home.snapshot();
    home.write("repository/stranger", "not lbak's");
    for arguments in
        [&["verify", "-v"][..], &["verify", "-v", "--json"], &["verify", "--json"], &["verify", "--no-key", "-v"]]
    {
        let run = home.run(arguments).expect_code(0);
        assert_eq!(run.stderr.matches("are not lbak's").count(), 1, "{arguments:?}: {run:?}");
    }
}

#[test]
fn verbose_tells_each_stage_with_its_time() {
    let home = Home::with_repository();
    let run = home.run(["snapshot", "data", "-v"]).expect_code(0);
    for stage in ["opening: ", "storing: ", "committing: "] {
        assert_eq!(run.stderr.matches(stage).count(), 1, "{stage}: {run:?}");
    }
    assert!(!home.run(["snapshot", "data"]).expect_code(0).stderr.contains("storing: "));
    home.run(["restore", "latest", "out", "-vv"]).expect_code(0).expect_stderr("restoring: ");
    home.run(["snapshot", "data", "-v", "-q"]).expect_code(2);
}

#[test]
fn the_first_ten_findings_are_told_and_the_rest_counted() {
    let home = Home::with_repository();
    for number in 0..25 {
        let path = format!("data/{number:02}");
        home.write(&path, "x");
        fs::set_permissions(home.path(&path), fs::Permissions::from_mode(0o0)).expect("it is ours");
    }
    give(&home);
    let told = |more: &[&str]| as_ordinary_user(&home, &[&["snapshot", "data"], more].concat()).expect_code(3).stderr;
    let json = as_ordinary_user(&home, &["snapshot", "data", "--json"]).expect_code(3).message("summary");
    assert_eq!((json["files_new"].as_u64(), json["files_unreadable"].as_u64()), (Some(2), Some(25)), "{json}");
    let run = as_ordinary_user(&home, &["snapshot", "data", "--lineage", "full"]).expect_code(3);
    run.expect_stdout("  files     2 new, 0 changed, 0 unchanged, 25 unreadable\n");
    let plain = told(&[]);
    let lines = |text: &str| text.lines().filter(|line| line.contains("data/") && line.contains("denied")).count();
    assert!(plain.contains("25 findings: 25 unreadable"), "{plain}");
    assert!(plain.contains("… and 15 more"), "{plain}");
    assert_eq!((lines(&plain), lines(&told(&["-v"])), lines(&told(&["-q"]))), (10, 25, 10), "{plain}");
}

#[test]
fn a_repository_that_may_not_be_read_is_not_said_to_need_writing() {
    let home = Home::with_repository();
    home.snapshot();
    fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::set_permissions(home.path("key"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    fs::set_permissions(home.path("repository"), fs::Permissions::from_mode(0o0)).expect("it is ours");
    let run = as_ordinary_user(&home, &["snapshots"]).expect_code(1);
    fs::set_permissions(home.path("repository"), fs::Permissions::from_mode(0o700)).expect("it is ours");
    assert!(run.stderr.contains("may this user read") && !run.stderr.contains("for writing"), "{run:?}");
}

#[test]
fn a_new_file_system_is_as_good_as_an_empty_folder() {
    let home = Home::empty();
    fs::create_dir_all(home.path("disk/lost+found")).expect("a folder");
    home.run(["init", "-r", "disk", "--key-file", "key"]).expect_code(0);
    home.run(["verify", "-r", "disk", "--key-file", "key", "-v"]).expect_code(0);
    home.run(["verify", "-r", "disk", "--no-key"]).expect_code(0);
    home.write("other/lost+found", "a file of that name is somebody's");
    home.run(["init", "-r", "other", "--key-file", "key"]).expect_code(1).expect_stderr("lost+found");
    fs::create_dir_all(home.path("third/lost+found")).expect("a folder");
    home.write("third/data", "");
    home.run(["init", "-r", "third", "--key-file", "key"]).expect_code(1).expect_stderr("it holds data");
}

#[test]
fn no_line_of_a_report_is_wider_than_a_terminal() {
    let home = Home::with_repository();
    for number in 0..40 {
        home.write(&format!("data/{number}/file"), "x");
    }
    for arguments in [
        &["snapshot", "data"][..],
        &["snapshot", "data"],
        &["restore", "latest", "out"],
        &["restore", "latest", "out", "--in-place", "--verify"],
        &["restore", "latest", "new", "-n"],
        &["stats", "latest"],
    ] {
        let run = home.run(arguments).expect_code(0);
        // But for the lines that name a place, which may be long.
        for line in run.stdout.lines().filter(|line| !line.contains('/') || line.contains("/s)")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn a_dry_run_has_no_speed() {
    let home = Home::with_repository();
    home.snapshot();
    let run = home.run(["restore", "latest", "out", "-n"]).expect_code(0).expect_stdout("would restore 2 files");
    assert!(!run.stdout.contains(" s"), "{run:?}");
    home.run(["restore", "latest", "out"]).expect_code(0).expect_stdout(" s\n");
}

fn set_capability(home: &Home, value: &[u8]) -> rustix::io::Result<()> {
    rustix::fs::setxattr(home.path("data/a"), "security.capability", value, rustix::fs::XattrFlags::empty())
}

#[test]
fn bits_that_go_with_an_owner_are_no_finding_where_none_was_asked_for() {
    let home = Home::with_repository();
    fs::set_permissions(home.path("data/a"), fs::Permissions::from_mode(0o4755)).expect("it is ours");
    if rustix::process::getuid().is_root() {
        std::os::unix::fs::chown(home.path("data/a"), Some(65534), Some(65534)).expect("root may");
        fs::set_permissions(home.path("data/a"), fs::Permissions::from_mode(0o4755)).expect("root may");
        let value = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        if set_capability(&home, value).is_err() {
            not_run("capabilities can not be set here");
        }
    }
    home.snapshot();
    let run = home.run(["restore", "latest", "out", "--owner", "none"]).expect_code(0);
    if rustix::process::getuid().is_root() {
        let run = run.expect_stderr("capabilities left out of 1 entries: they are only set with their owner");
        assert_eq!(run.stderr.matches("left out of").count(), 1, "{run:?}");
        let again = home.run(["restore", "latest", "out", "--owner", "none", "--in-place"]).expect_code(0);
        assert!(again.stdout.contains("0 updated"), "{again:?}");
        let capability = rustix::fs::getxattr_query(home.path("out/a"), "security.capability");
        assert!(capability.is_err(), "a capability of another's file is set: {capability:?}");
    }
    let mode = home.path("out/a").metadata().expect("it is there").permissions().mode() & 0o7777;
    let kept = if rustix::process::getuid().is_root() { 0o755 } else { 0o4755 };
    assert_eq!(mode, kept, "nobody else's rights come with it");
}
