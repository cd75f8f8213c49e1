//! Tables, letter for letter: made from snapshots whose ids and times are known.

use std::fs;

use lbak::{Lineage, Sizes, SnapshotId, Timestamp};

use crate::home::Home;

fn home_with_known_snapshots() -> Home {
    let home = Home::with_repository();
    home.snapshot();
    let session = home.newest().session;
    home.commit_like_newest(|manifest| {
        manifest.id = SnapshotId([0x3f; 16]);
        manifest.ended_at = Timestamp { seconds: 1_700_000_000, nanoseconds: 0 };
        manifest.host = "db1".into();
        manifest.paths = vec![b"/srv/models".to_vec()];
        manifest.sizes = Sizes { logical: 5 << 30, new: 1 << 30, stored: 700 << 20 };
        manifest.tags = vec!["nightly".into(), "pg".into()];
    });
    fs::remove_file(home.path(&format!("repository/snapshots/{session}"))).expect("it is there");
    home.commit_like_newest(|manifest| {
        manifest.id = SnapshotId([0xa0; 16]);
        manifest.ended_at.seconds += 90_000;
        manifest.host = "a-long\x1bname".into();
        manifest.lineage = Lineage::Incremental { parent: SnapshotId([0x3f; 16]) };
        manifest.paths = vec![b"/etc".to_vec(), b"/home/gr\xfcn".to_vec()];
        manifest.sizes = Sizes { logical: 123, new: 0, stored: 0 };
        manifest.tags = Vec::new();
        manifest.is_complete = false;
    });
    home
}

#[test]
fn snapshots_align_and_show_control_characters() {
    let home = home_with_known_snapshots();
    let expected = "\
/etc /home/gr\\xfcn on host a-long\\x1bname
ID          Time                 Kind  Logical  New  Stored
a0a0a0a0 !  2023-11-15 23:13:20  incr    123 B  0 B     0 B

/srv/models on host db1
ID        Time                 Kind  Logical      New   Stored
3f3f3f3f  2023-11-14 22:13:20  full  5.0 GiB  1.0 GiB  700 MiB  nightly, pg
2 snapshots
! incomplete: something that was there could not be read, or kept changing
";
    assert_eq!(home.run(["snapshots"]).expect_code(0).stdout, expected);
}

#[test]
fn snapshots_are_grouped_as_asked_or_not_at_all() {
    let home = home_with_known_snapshots();
    home.commit_like_newest(|manifest| {
        manifest.id = SnapshotId([0xb1; 16]);
        manifest.ended_at.seconds += 60;
        manifest.is_complete = true;
        manifest.description =
            "before the kernel was updated, and the library with it, on all machines of the lab".into();
        manifest.tags = vec!["a-tag-that-is-rather-long".into(), "pg".into()];
    });
    let expected = "\
ID          Time                 Host            Kind  Logical      New   Stored
3f3f3f3f    2023-11-14 22:13:20  db1             full  5.0 GiB  1.0 GiB  700 MiB
          /srv/models
          tags nightly, pg
a0a0a0a0 !  2023-11-15 23:13:20  a-long\\x1bname  incr    123 B      0 B      0 B
          /etc /home/gr\\xfcn
b1b1b1b1    2023-11-15 23:14:20  a-long\\x1bname  incr    123 B      0 B      0 B
          /etc /home/gr\\xfcn
          tags a-tag-that-is-rather-long, pg
          before the kernel was updated, and the library with it, on all
          machines of the lab
3 snapshots
! incomplete: something that was there could not be read, or kept changing
";
    assert_eq!(home.run(["snapshots", "--group-by", "none"]).expect_code(0).stdout, expected);
    let expected = "\
host a-long\\x1bname
ID        Time                 Paths               Tags
b1b1b1b1  2023-11-15 23:14:20  /etc /home/gr\\xfcn  a-tag-that-is-rather-long, pg

host db1
ID        Time                 Paths        Tags
3f3f3f3f  2023-11-14 22:13:20  /srv/models  nightly, pg
2 snapshots
";
    let run = home.run(["snapshots", "--group-by", "host", "--latest", "1", "--compact"]).expect_code(0);
    assert_eq!(run.stdout, expected);
    let run = home.run(["snapshots", "--group-by", "tags", "--compact"]).expect_code(0);
    let headings: Vec<&str> = run.stdout.lines().filter(|line| line.contains("tags")).collect();
    assert_eq!(headings, ["no tags", "tags a-tag-that-is-rather-long, pg", "tags nightly, pg"]);
    for arguments in [&["snapshots"][..], &["snapshots", "--group-by", "none"], &["snapshots", "--group-by", "host"]] {
        let run = home.run(arguments).expect_code(0);
        assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{arguments:?}: {}", run.stdout);
    }
    let run = home.run(["snapshots", "--json", "--latest", "1"]).expect_code(0);
    let ids: Vec<String> = run.messages().iter().map(|message| message["short_id"].to_string()).collect();
    assert_eq!(ids, ["\"3f3f3f3f\"", "\"b1b1b1b1\""], "oldest first, whatever the groups");
}

#[test]
fn a_path_given_twice_asks_for_both() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let home = home_with_known_snapshots();
    let found = |paths: &[&[u8]]| -> Vec<String> {
        let mut arguments = vec![OsStr::new("snapshots"), OsStr::new("--json")];
        paths.iter().for_each(|path| arguments.extend([OsStr::new("--path"), OsStr::from_bytes(path)]));
        let run = home.run(arguments).expect_code(0);
        run.messages().iter().map(|message| message["short_id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(found(&[b"/etc", b"/home/gr\xfcn"]), ["a0a0a0a0"]);
    assert_eq!(found(&[b"/etc"]), ["a0a0a0a0"]);
    assert!(found(&[b"/etc", b"/srv/models"]).is_empty());
}

#[test]
fn snapshots_are_narrowed_by_host_path_and_tag() {
    let home = home_with_known_snapshots();
    for (arguments, expected) in [
        (["--host", "db1"], vec!["3f3f3f3f"]),
        (["--path", "/etc/"], vec!["a0a0a0a0"]),
        (["--tag", "pg"], vec!["3f3f3f3f"]),
        (["--tag", "other"], vec![]),
    ] {
        let run = home.run(["snapshots", "--json"].iter().chain(&arguments)).expect_code(0);
        let messages = run.messages();
        let found: Vec<&str> = messages.iter().filter_map(|message| message["short_id"].as_str()).collect();
        assert_eq!(found, expected, "{arguments:?}");
    }
}

#[test]
fn stats_count_objects_folder_by_folder() {
    let home = Home::with_repository();
    home.snapshot();
    let stdout = home.run(["stats"]).expect_code(0).stdout;
    let rows: Vec<Vec<&str>> = stdout.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(
        rows[..7],
        [
            ["Objects", "Count"],
            ["config", "1"],
            ["keys/", "1"],
            ["sessions/", "1"],
            ["packs/", "2"],
            ["index/", "1"],
            ["snapshots/", "1"],
        ]
    );
    assert_eq!(rows[7], ["all", "7"]);
    assert!(stdout.trim_end().ends_with("chunks"), "{stdout}");
    let widths: Vec<usize> = stdout.lines().take(8).map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "the last column stands right: {stdout}");
}

#[test]
fn key_slots_are_listed_with_what_opens_them() {
    let home = Home::with_repository();
    home.write("password", "secret");
    home.run(["key", "add", "--new-password-file", "password"]).expect_code(0);
    let stdout = home.run(["key", "list"]).expect_code(0).stdout;
    let mut rows: Vec<String> = stdout.lines().skip(1).map(|line| line.chars().skip(8).collect()).collect();
    let footnote = rows.pop();
    assert!(footnote.is_some_and(|line| line.ends_with("tells only what opens them")), "{stdout}");
    rows.sort();
    assert_eq!(rows[0], "    password   64 MiB, 3 passes, 4 lanes");
    assert!(rows[1].starts_with(" *  key file") && rows[1].contains("  me@"), "{stdout}");
}
