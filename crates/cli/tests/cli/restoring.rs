//! What a restore does with the target itself, what it deletes and spares, and what it says of trouble.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    time::{Duration, UNIX_EPOCH},
};

use lbak_testkit::not_run;

use crate::home::{Home, Run};

fn mode(home: &Home, path: &str) -> u32 {
    fs::metadata(home.path(path)).expect("it is there").permissions().mode() & 0o7777
}

fn set_mode(home: &Home, path: &str, mode: u32) {
    fs::set_permissions(home.path(path), fs::Permissions::from_mode(mode)).expect("it is ours");
}

fn modified(home: &Home, path: &str) -> std::time::SystemTime {
    fs::metadata(home.path(path)).and_then(|found| found.modified()).expect("a time")
}

/// A home whose `data` is an unusual directory.
fn home() -> Home {
    let home = Home::with_repository();
    set_mode(&home, "data", 0o2711);
    let long_ago = UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs::File::open(home.path("data")).and_then(|file| file.set_modified(long_ago)).expect("it is ours");
    home.snapshot();
    home
}

#[test]
fn in_place_the_target_gets_what_the_directory_had() {
    let home = home();
    fs::create_dir(home.path("out")).expect("a directory");
    home.write("out/mine", "mine");
    set_mode(&home, "out", 0o700);
    let shown = home.run(["restore", "latest", "out", "--in-place", "--dry-run", "-v"]).expect_code(0);
    shown.expect_stdout("update out\n").expect_stdout("3 created, 1 updated, 0 unchanged");
    assert_eq!(mode(&home, "out"), 0o700);
    home.run(["restore", "latest", "out", "--in-place"]).expect_code(0).expect_stdout("3 created, 1 updated");
    assert_eq!((mode(&home, "out"), modified(&home, "out")), (0o2711, modified(&home, "data")));
    home.run(["restore", "latest", "out", "--in-place"])
        .expect_code(0)
        .expect_stdout("0 created, 0 updated, 4 unchanged");
    // Nothing that is there: neither the target.
    set_mode(&home, "out", 0o700);
    home.run(["restore", "latest", "out", "--overwrite", "never"]).expect_code(0).expect_stdout("0 updated");
    assert_eq!(mode(&home, "out"), 0o700);
}

#[test]
fn original_makes_the_directory_what_it_was_and_says_how_files_are_changed() {
    let home = home();
    let before = modified(&home, "data");
    set_mode(&home, "data", 0o700);
    fs::remove_file(home.path("data/sub/b")).expect("it is there");
    home.write("data/a", "changed");
    let run =
        home.run(["restore", "latest", "--original", "--yes"]).expect_code(3).expect_stderr("it is there already");
    run.expect_stderr("--in-place changes what differs");
    assert_eq!((mode(&home, "data"), modified(&home, "data")), (0o2711, before));
    assert_eq!((home.read("data/a"), home.read("data/sub/b")), ("changed".into(), "the second file".into()));
    let run = home.run(["restore", "latest", "--original", "--yes", "--in-place"]).expect_code(0);
    assert!(!run.stderr.contains("changes what differs"), "{run:?}");
    assert_eq!(home.read("data/a"), "the first file");
}

#[test]
fn delete_spares_directories_of_which_names_were_left_out_and_says_so() {
    let home = Home::with_repository();
    home.write("data/sub/left.log", "left out");
    home.run(["snapshot", "data", "--exclude", "*.log"]).expect_code(0);
    home.run(["restore", "latest", "out"]).expect_code(0);
    home.write("out/sub/left.log", "left out");
    home.write("out/extra", "extra");
    let run = home.run(["restore", "latest", "out", "--delete", "--dry-run"]).expect_code(0);
    run.expect_stdout("1 deleted")
        .expect_stderr("nothing would be deleted in 1 directory")
        .expect_stderr("--delete-unread");
    let run = home.run(["restore", "latest", "out", "--delete"]).expect_code(0);
    let run = run.expect_stdout("1 deleted").expect_stderr("nothing was deleted in 1 directory");
    run.expect_stderr("names were left out of it by choice").expect_stderr("--delete-unread deletes there too");
    assert!(home.path("out/sub/left.log").exists() && !home.path("out/extra").exists());
    let run = home.run(["restore", "latest", "out", "--delete", "--json"]).expect_code(0);
    assert_eq!(run.message("summary")["directories_spared"], 1);
    assert!(run.message("finding")["item"].as_str().is_some_and(|item| item.ends_with("data/sub")));

    let run = home.run(["restore", "latest", "out", "--delete", "--delete-unread", "--json"]).expect_code(0);
    let summary = run.message("summary");
    assert_eq!((&summary["entries_deleted"], &summary["directories_spared"]), (&1.into(), &0.into()));
    assert!(!home.path("out/sub/left.log").exists());
    let run = home.run(["restore", "latest", "out", "--delete"]).expect_code(0);
    assert!(!run.stderr.contains("--delete-unread"), "where nothing would go there is nothing to say: {run:?}");
}

#[test]
fn a_target_that_can_not_be_written_to_is_told_with_what_to_do() {
    let home = home();
    home.run(["restore", "latest", "no/such/place"]).expect_code(1).expect_stderr("mkdir -p");
    let run = home.run(["restore", "latest", "data/a"]).expect_code(1).expect_stderr("give a directory");
    assert!(!run.stderr.contains("files that are complete stay"), "{run:?}");

    fs::create_dir(home.path("closed")).expect("a directory");
    set_mode(&home, "closed", 0o555);
    let mut command = home.command(["restore", "latest", "closed/out"]);
    if rustix::process::geteuid().is_root() {
        for path in ["", "key", "repository"] {
            set_mode(&home, path, 0o755);
        }
        open_up(&home.path("repository"));
        command.uid(65534).gid(65534);
    }
    let run = Run::of(&command.output().expect("the binary runs"));
    run.expect_code(1).expect_stderr("may this user write there?");
}

/// Lets everybody read.
fn open_up(path: &std::path::Path) {
    let is_directory = path.is_dir();
    fs::set_permissions(path, fs::Permissions::from_mode(if is_directory { 0o755 } else { 0o644 })).expect("ours");
    for entry in fs::read_dir(path).into_iter().flatten() {
        open_up(&entry.expect("an entry").path());
    }
}

#[test]
fn a_target_that_is_full_or_read_only_is_told_with_what_to_do() {
    let home = home();
    home.write("data/large", vec![7; 3 << 20]);
    home.snapshot();
    fs::create_dir(home.path("mounted")).expect("a directory");
    let mount = |options: &str| {
        let mut command = std::process::Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "none"]).arg(home.path("mounted"));
        command.output().is_ok_and(|output| output.status.success())
    };
    for (options, hint) in [("size=1m", "make room"), ("size=1m,ro", "mounted for reading only")] {
        if !mount(options) {
            return not_run("this user can not mount anything");
        }
        let run = home.run(["restore", "latest", "mounted"]);
        let unmounted = std::process::Command::new("umount").arg(home.path("mounted")).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
        let run = run.expect_code(1).expect_stderr(hint);
        assert_eq!(run.stderr.contains("--in-place restores only what is missing"), hint == "make room", "{run:?}");
    }
}

#[test]
fn a_time_before_all_snapshots_is_told_with_its_zone_and_the_oldest() {
    let home = home();
    let id = home.snapshot();
    let mut command = home.command(["restore", "latest", "out", "--at", "2020-01-01 12:00"]);
    let run = Run::of(&command.env("TZ", "Asia/Tokyo").output().expect("the binary runs")).expect_code(22);
    let run = run.expect_stderr("the time asked for is 2020-01-01 12:00:00 JST; the oldest snapshot is ");
    assert!(!run.stderr.contains(id.get(..8).expect("an id")), "the oldest, not the newest: {run:?}");
    // With a condition that leaves nothing at any time, there is no oldest.
    let run = home.run(["restore", "latest", "out", "--at", "2020-01-01", "--host", "nobody"]).expect_code(22);
    run.expect_stderr("lbak snapshots");
}
