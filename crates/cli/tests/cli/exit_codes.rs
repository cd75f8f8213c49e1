//! Every exit code, reached the way that users reach it.

use std::fs;

use lbak::SnapshotId;
use lbak_testkit::not_run;

use crate::home::{Home, as_ordinary_user, damage, give};

/// Bytes that do not compress.
fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

#[test]
fn one_for_a_path_that_is_not_there_and_nothing_is_committed() {
    let home = Home::with_repository();
    home.run(["snapshot", "data", "nothing-here"])
        .expect_code(1)
        .expect_stderr("cannot read nothing-here: No such file");
    assert_eq!(home.run(["snapshots", "-q"]).expect_code(0).stdout, "");
}

#[test]
fn one_for_another_repository_at_the_same_place() {
    let home = Home::with_repository();
    fs::remove_dir_all(home.path("repository")).expect("it is there");
    // The host remembers the first one; this one is made by a host with another memory.
    let state = home.text("elsewhere");
    let made = home.command(["init"]).env("XDG_STATE_HOME", state).output().expect("the binary runs");
    assert!(made.status.success());
    let run = home
        .run(["snapshots"])
        .expect_code(1)
        .expect_stderr("holds repository")
        .expect_stderr("hint: if this is what you mean, remove ");
    let (_, rest) = run.stderr.split_once("remove ").expect("a file is named");
    let (file, _) = rest.split_once(" and try again").expect("a file is named");
    fs::remove_file(file).expect("it is there");
    home.run(["snapshots"]).expect_code(0);
}

#[test]
fn one_for_init_where_something_is() {
    let home = Home::with_repository();
    home.run(["init"]).expect_code(1).expect_stderr("holds a repository already");
}

#[test]
fn one_for_init_in_a_folder_that_holds_anything() {
    let home = Home::empty();
    home.write("used/mine", "not to be mixed with a repository");
    let run = home.run(["init", "-r", "used", "--key-file", "key"]).expect_code(1);
    run.expect_stderr("used is not empty: it holds mine").expect_stderr("hint: ");
    home.run(["init", "-r", "used/mine", "--key-file", "key"]).expect_code(1).expect_stderr("is not a folder");
    assert!(!home.path("key").exists());
    assert_eq!(fs::read_dir(home.path("used")).expect("a folder").count(), 1);
    fs::create_dir(home.path("empty")).expect("a folder");
    home.run(["init", "-r", "empty", "--key-file", "key"]).expect_code(0);
}

#[test]
fn one_for_a_report_that_can_not_be_written_though_the_snapshot_is_there() {
    let home = Home::with_repository();
    for arguments in [&["snapshot", "data"][..], &["snapshot", "data", "--json"]] {
        let Ok(full) = fs::File::options().write(true).open("/dev/full") else {
            return not_run("there is no /dev/full here");
        };
        let output = home.command(arguments).stdout(full).output().expect("the binary runs");
        let run = crate::home::Run::of(&output).expect_code(1);
        let told = format!("snapshot {} was committed, but the report could not be written", home.newest().manifest.id);
        run.expect_stderr(&told);
    }
    assert_eq!(home.run(["snapshots", "--json"]).messages().len(), 2);
}

#[test]
fn two_for_a_repository_that_would_back_up_itself() {
    let home = Home::with_repository();
    std::os::unix::fs::symlink("repository/keys", home.path("link")).expect("a link");
    let before = home.objects("");
    for path in ["repository", "repository/keys", "data/../repository/config", "link"] {
        let run = home.run(["snapshot", "data", path]).expect_code(2);
        run.expect_stderr(path).expect_stderr(&home.text("repository")).expect_stderr("nothing was stored");
    }
    assert_eq!(home.objects(""), before);
    // What holds it is backed up without it.
    let run = home.run(["snapshot", ".", "--json"]).expect_code(0);
    assert!(run.message("summary")["total_files_processed"].as_u64().is_some_and(|files| files < 10), "{run:?}");
}

#[test]
fn a_state_folder_that_can_not_be_written_is_no_error() {
    let home = Home::with_repository();
    home.write("file", "no folder");
    let home = home.with("XDG_STATE_HOME", "file");
    home.run(["snapshots"]).expect_code(0);
}

#[test]
fn two_for_what_makes_no_sense() {
    let home = Home::with_repository();
    home.snapshot();
    for arguments in [
        &["snapshot"][..],
        &["frobnicate"],
        &["snapshots", "--frobnicate"],
        &["snapshot", "data", "--lineage", "other"],
        &["snapshot", "data", "--threads", "0"],
        &["snapshot", "data", "--tag", ""],
        &["restore", "latest"],
        &["restore", "xyz", "out"],
        &["restore", "abc", "out"],
        &["restore", "latest~x", "out"],
        &["restore", "latest", "out", "--at", "tomorrow"],
        &["restore", "latest", "out", "--original"],
        &["restore", "latest", "/"],
        &["restore", "latest", "/usr/.."],
        &["restore", "latest", "--original"],
        &["verify", "--no-key", "--read-data"],
        &["verify", "--read-data", "--max-age", "soon"],
        &["verify", "--max-bytes", "1M"],
        &["verify", "--read-data=0%"],
        &["snapshots", "-q", "-v"],
        &["key", "remove", "ab"],
        &["snapshots", "-r", "s3://bucket"],
    ] {
        home.run(arguments).expect_code(2);
    }
    home.run(["init", "-r", ""]).expect_code(2);
    Home::empty().run(["init"]).expect_code(2).expect_stderr("where should the repository be?");
}

/// They were taken, and nothing was limited.
#[test]
fn two_for_limits_of_a_verification_without_a_key() {
    let home = Home::with_repository();
    home.snapshot();
    for limit in [["--max-age", "30d"], ["--max-time", "20m"], ["--max-bytes", "1M"]] {
        let limited = [&["verify", "--no-key"][..], &limit].concat();
        home.run(&limited).expect_code(2).expect_stderr(limit[0]).expect_stderr("--no-key");
        home.run([&limited[..], &["--read-data"]].concat()).expect_code(2);
    }
}

#[test]
fn two_for_a_variable_that_lbak_does_not_know() {
    let home = Home::with_repository().with("LBAK_PASWORD_FILE", "password");
    home.run(["snapshots"]).expect_code(2).expect_stderr("LBAK_PASWORD_FILE");
    home.run(["--help"]).expect_code(0);
}

#[test]
fn two_for_an_ambiguous_prefix_with_all_that_begin_with_it() {
    let home = Home::with_repository();
    home.snapshot();
    home.commit_like_newest(|manifest| manifest.id = SnapshotId([0xab; 16]));
    home.commit_like_newest(|manifest| {
        manifest.id = SnapshotId([0xab; 16]);
        manifest.id.0[15] = 0;
    });
    let run = home.run(["restore", "ababab", "out"]).expect_code(2).expect_stderr("ambiguous");
    run.expect_stderr(&"ab".repeat(16)).expect_stderr(&format!("{}00", "ab".repeat(15)));
    assert!(!home.path("out").exists());
    home.run(["restore", &"ab".repeat(16), "out"]).expect_code(0);
}

#[test]
fn two_for_a_target_that_is_not_empty() {
    let home = Home::with_repository();
    home.snapshot();
    home.write("out/mine", "not to be touched");
    home.run(["restore", "latest", "out"]).expect_code(2).expect_stderr("not empty");
    assert_eq!(home.read("out/mine"), "not to be touched");
    assert!(!home.path("out/a").exists());
}

#[test]
fn three_for_a_file_that_can_not_be_read_and_the_rest_is_there() {
    let home = Home::with_repository();
    // Not even root reads a file that the kernel only lets be written.
    let unreadable = format!("/proc/{}/clear_refs", std::process::id());
    let run = home.run(["snapshot", "data", &unreadable]).expect_code(3);
    run.expect_stderr("1 finding: 1 unreadable").expect_stderr(&unreadable);
    let listed = home.run(["snapshots"]).expect_code(0).stdout;
    assert!(listed.contains(" !"), "an incomplete snapshot is marked: {listed}");
    let run = home.run(["snapshot", "data", &unreadable, "--json"]).expect_code(3);
    assert_eq!(run.message("finding")["kind"], "unreadable");
    assert_eq!(run.message("summary")["complete"], false);
    // Whoever restores it is told what it never held.
    let run = home.run(["restore", "latest", "out", "-q"]).expect_code(0);
    run.expect_stderr("warning: this snapshot is incomplete: 1 finding: 1 unreadable");
}

#[test]
fn ten_where_there_is_no_repository() {
    let home = Home::with_repository();
    fs::create_dir(home.path("empty")).expect("a folder");
    for place in ["missing", "empty", "data"] {
        home.run(["snapshots", "-r", place])
            .expect_code(10)
            .expect_stderr("no lbak repository at")
            .expect_stderr("hint: ");
        home.run(["snapshot", "data", "-r", place]).expect_code(10);
    }
    assert!(!home.path("missing").exists());
}

#[test]
fn ten_where_a_file_is_in_the_place_of_the_repository() {
    let home = Home::with_repository();
    for place in ["data/a", "data/a/below"] {
        for command in [&["snapshots"][..], &["snapshot", "data"], &["verify", "--no-key"]] {
            let run = home.run(command.iter().copied().chain(["-r", place])).expect_code(10);
            run.expect_stderr("it is not a folder").expect_stderr("hint: ");
        }
    }
}

#[test]
fn twenty_for_a_snapshot_that_can_not_be_read() {
    let home = Home::with_repository();
    home.snapshot();
    let id = home.snapshot();
    let newest = home.newest().session;
    damage(&home.path(&format!("repository/snapshots/{newest}")));
    let run = home.run(["snapshots"]).expect_code(20).expect_stderr("a snapshot can not be read");
    assert!(run.stdout.contains("1 snapshot\n"), "{run:?}");
    let run = home.run(["snapshots", "--json"]).expect_code(20);
    assert_eq!(run.message("damage")["object"], format!("snapshots/{newest}"));
    // What was asked for may be the one that is damaged.
    home.run(["restore", &id, "out"]).expect_code(20).expect_stderr("among those that can be read");
    // What can be read is restored, and the damage is not forgotten.
    home.run(["restore", "latest", "out"]).expect_code(20);
    assert_eq!(home.read("out/a"), "the first file");
}

#[test]
fn twenty_for_a_damaged_config_that_a_slot_stands_in_for() {
    let home = Home::with_repository();
    damage(&home.path("repository/config"));
    home.run(["snapshot", "data"]).expect_code(20).expect_stderr("warning: config");
    home.run(["restore", "latest", "out"]).expect_code(20);
    assert_eq!(home.read("out/sub/b"), "the second file");
}

#[test]
fn twenty_for_a_damaged_segment_and_the_snapshot_is_committed_all_the_same() {
    let home = Home::with_repository();
    home.snapshot();
    let segment = home.objects("index").into_iter().next().expect("a segment");
    damage(&segment);
    home.write("data/c", "a third file");
    let run = home.run(["snapshot", "data"]).expect_code(20);
    let committed = format!("snapshot {} was committed all the same", home.newest().manifest.id.short());
    run.expect_stderr("lbak: warning: index/").expect_stderr(&committed).expect_stderr("hint: `lbak verify`");
    let summary = home.run(["snapshot", "data", "--json"]).expect_code(20).message("summary");
    assert!(summary["damage"][0].as_str().is_some_and(|damage| damage.contains("index/")), "{summary}");
    // Damage outranks what could not be read.
    let unreadable = format!("/proc/{}/clear_refs", std::process::id());
    home.run(["snapshot", "data", &unreadable]).expect_code(20).expect_stderr("1 unreadable");
}

#[test]
fn twenty_for_damaged_data_which_verify_and_restore_name() {
    let home = Home::with_repository();
    (0..150).for_each(|number| home.write(&format!("data/{number:03}"), noise(number, 1000)));
    let id = home.snapshot();
    // Noise does not compress: the larger pack is that of the data.
    let pack =
        home.objects("packs").into_iter().max_by_key(|pack| pack.metadata().map_or(0, |metadata| metadata.len()));
    damage(&pack.expect("there are packs"));
    let run = home.run(["verify", "--read-data"]).expect_code(20);
    assert!(run.stdout.contains("damaged: packs/"), "{run:?}");
    assert!(run.stdout.contains(&format!("hurt: snapshot {}, 152 paths:", &id[..8])), "{run:?}");
    let run = home.run(["-q", "restore", "latest", "out"]).expect_code(20).expect_stderr("152 findings: 152 lost");
    for number in 0..150 {
        assert!(run.stderr.contains(&home.text(&format!("data/{number:03}"))), "each lost file is named: {number}");
    }
    assert!(home.run(["verify", "--no-key"]).expect_code(20).stdout.contains("damaged: packs/"));
    let run = home.run(["verify", "--read-data", "--json"]).expect_code(20);
    assert_eq!(run.message("summary")["sound"], false);
}

#[test]
fn twenty_two_when_no_snapshot_matches_or_several_backups_do() {
    let home = Home::with_repository();
    home.run(["restore", "latest", "out"]).expect_code(22);
    home.snapshot();
    for arguments in [
        &["restore", "0123456789", "out"][..],
        &["restore", "latest~1", "out"],
        &["restore", "latest", "out", "--host", "other"],
        &["restore", "latest", "out", "--tag", "other"],
        &["restore", "latest", "out", "--path", "other"],
        &["restore", "latest", "out", "--at", "2001-01-01"],
        &["ls", "latest", "--host", "other"],
    ] {
        home.run(arguments).expect_code(22).expect_stderr("no snapshot matches").expect_stderr("hint: ");
    }
    home.run(["snapshot", "data", "--host", "other"]).expect_code(0);
    let run = home.run(["restore", "latest", "out"]).expect_code(22).expect_stderr("several backups");
    run.expect_stderr("hint: add what names one").expect_stderr("  --host other  or  ");
    assert!(!home.path("out").exists());
    home.run(["restore", "latest", "out", "--host", "other"]).expect_code(0);
}

#[test]
fn a_sound_repository_is_verified_in_silence() {
    let home = Home::with_repository();
    home.snapshot();
    for arguments in [
        &["verify"][..],
        &["verify", "-q"],
        &["verify", "--no-key"],
        &["verify", "--read-data"],
        &["verify", "--read-data=1/2"],
        &["verify", "--read-data=10%"],
    ] {
        let run = home.run(arguments).expect_code(0);
        assert_eq!((&*run.stdout, &*run.stderr), ("", ""), "{arguments:?}");
    }
    home.run(["verify", "-v"]).expect_code(0).expect_stderr("sound; checked 7 objects, 1 snapshot");
}

#[test]
fn one_for_a_full_disk_and_the_next_run_works() {
    let home = Home::with_repository();
    home.write("data/noise", noise(0, 8 << 20));
    // A limit on the size of files, in blocks of 512 bytes, is the full disk that a test can have.
    let script = format!("trap '' XFSZ; ulimit -f 8192; exec '{}' snapshot data", env!("CARGO_BIN_EXE_lbak"));
    let mut command = home.command::<_, &str>([]);
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &script]).current_dir(home.path("")).env_clear();
    shell.envs(command.stdin(std::process::Stdio::null()).get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = crate::home::Run::of(&shell.output().expect("a shell"));
    run.expect_code(1).expect_stderr("cannot write packs/").expect_stderr("hint: make room");
    assert_eq!(home.run(["snapshots", "-q"]).expect_code(0).stdout, "", "nothing was committed");
    home.snapshot();
    home.run(["verify", "--read-data"]).expect_code(0);
}

#[test]
fn one_for_a_repository_that_this_user_may_not_write() {
    let home = Home::with_repository();
    let sessions = home.path("repository/sessions");
    fs::create_dir_all(&sessions).expect("a folder");
    fs::set_permissions(&sessions, std::os::unix::fs::PermissionsExt::from_mode(0o500)).expect("it is ours");
    give(&home);
    let run = as_ordinary_user(&home, &["snapshot", "data"]).expect_code(1);
    run.expect_stderr("ermission denied").expect_stderr("hint: may this user write");
    fs::set_permissions(&sessions, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it is ours");
}
