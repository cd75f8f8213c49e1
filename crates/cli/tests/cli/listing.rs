//! `ls`: columns, orders, devices, and paths that are not there.

use std::sync::Arc;

use lbak::{FileKind, MemorySource, SnapshotOptions, source::MemoryNode};

use crate::home::Home;

/// A repository with a snapshot of a tree that was made in code: owners, times and devices are known.
fn home_with_known_tree() -> Home {
    let home = Home::with_repository();
    let mut file = MemoryNode::file([b'x'; 2000]);
    file.metadata.user = Arc::from(*b"a-long-user-name");
    file.metadata.uid = 12345;
    file.metadata.mtime.seconds = 60;
    let device = MemoryNode::special(FileKind::BlockDevice, 8, 1);
    let tree = MemoryNode::directory([("device", device), ("file", file), ("link", MemoryNode::symlink("file"))]);
    let source = MemorySource::new([("/m", tree)]);
    lbak::snapshot(&home.library(), &source, &SnapshotOptions::default()).expect("a snapshot");
    home
}

#[test]
fn long_lines_align_whatever_their_owners() {
    let home = home_with_known_tree();
    let expected = "\
brw------- 0                0    8, 1 1970-01-01 00:00:00 /m/device
-rw-r--r-- a-long-user-name 0 2.0 KiB 1970-01-01 00:01:00 /m/file
lrwxrwxrwx 0                0       - 1970-01-01 00:00:00 /m/link -> file
";
    assert_eq!(home.run(["ls", "latest", "-l"]).expect_code(0).stdout, expected);
}

#[test]
fn sizes_and_owners_are_exact_when_asked_for() {
    let home = home_with_known_tree();
    let expected = "\
brw------- 0     0 8, 1 1970-01-01 00:00:00 /m/device
-rw-r--r-- 12345 0 2000 1970-01-01 00:01:00 /m/file
lrwxrwxrwx 0     0    - 1970-01-01 00:00:00 /m/link -> file
";
    let run = home.run(["ls", "latest", "-l", "--bytes", "--numeric-owners"]).expect_code(0);
    assert_eq!(run.stdout, expected);
    home.run(["ls", "latest", "--bytes"]).expect_code(2);
}

#[test]
fn lines_are_sorted_by_size_or_time_and_reversed() {
    let home = home_with_known_tree();
    let names = |arguments: &[&str]| -> Vec<String> {
        let run = home.run(["ls", "latest"].iter().chain(arguments)).expect_code(0);
        run.stdout.lines().map(|line| line.replace("/m/", "")).collect()
    };
    assert_eq!(names(&["--sort", "size"]), ["device", "link", "file"]);
    assert_eq!(names(&["--sort", "size", "--reverse"]), ["file", "link", "device"]);
    assert_eq!(names(&["--sort", "time"]), ["device", "link", "file"]);
    assert_eq!(names(&["--reverse"]), ["link", "file", "device"]);
}

#[test]
fn devices_have_their_numbers_in_json() {
    let home = home_with_known_tree();
    let messages = home.run(["ls", "latest", "--json"]).expect_code(0).messages();
    let device = messages.iter().find(|message| message["name"] == "device").expect("a device");
    assert_eq!(
        (device["type"].as_str(), &device["device_major"], &device["device_minor"]),
        (Some("dev"), &8.into(), &1.into())
    );
    let file = messages.iter().find(|message| message["name"] == "file").expect("a file");
    assert!(file.get("device_major").is_none());
}

#[test]
fn a_path_that_is_not_there_is_told_with_those_that_are() {
    let home = home_with_known_tree();
    home.run(["ls", "latest:nowhere"]).expect_code(1).expect_stderr("it holds /m;");
    home.run(["restore", "latest:/srv", "out"]).expect_code(1).expect_stderr("it holds /m;");
}

#[test]
fn times_of_day_and_words_choose_a_snapshot() {
    let home = Home::with_repository();
    home.snapshot();
    home.run(["ls", "latest", "--at", "now"]).expect_code(0);
    home.run(["ls", "latest", "--at", "@4102444800"]).expect_code(0);
    for at in ["@0", "yesterday", "yesterday 00:00", "1970-01-01"] {
        home.run(["ls", "latest", "--at", at]).expect_code(22);
    }
    home.run(["ls", "latest", "--at", "noon"]).expect_code(2).expect_stderr("`noon` is no time");
}
