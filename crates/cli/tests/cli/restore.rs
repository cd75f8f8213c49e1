//! Restore and ls: what is chosen, what is said about it, and where it comes to lie.

use lbak::Timestamp;

use crate::home::{Home, damage};

#[test]
fn the_contents_of_one_directory_come_back() {
    let home = Home::with_repository();
    let id = home.snapshot();
    let run = home.run(["restore", "latest", "out"]).expect_code(0);
    let run = run.expect_stderr(&format!("snapshot {} of {}", &id[..8], home.text("data"))).expect_stderr(" ago");
    assert!(run.stdout.starts_with("restored 2 files"), "{run:?}");
    assert_eq!(home.read("out/a"), "the first file");
    assert_eq!(home.read("out/sub/b"), "the second file");
}

#[test]
fn a_part_is_named_by_its_source_path_or_below_the_one_directory() {
    let home = Home::with_repository();
    home.snapshot();
    home.run([format!("latest:{}", home.text("data/sub")), "whole".into()].iter().fold(
        vec!["restore".to_owned()],
        |mut arguments, argument| {
            arguments.push(argument.clone());
            arguments
        },
    ))
    .expect_code(0);
    assert_eq!(home.read("whole/b"), "the second file");
    home.run(["restore", "latest:sub/b", "part"]).expect_code(0);
    assert_eq!(home.read("part/b"), "the second file");
    home.run(["restore", "latest:nowhere", "none"]).expect_code(1).expect_stderr("is not in snapshot");
}

#[test]
fn several_paths_come_back_each_under_its_own() {
    let home = Home::with_repository();
    home.run(["snapshot", "data/a", "data/sub"]).expect_code(0);
    home.run(["restore", "latest", "out"]).expect_code(0);
    let below = |path: &str| format!("out{}", home.text(path));
    assert_eq!(home.read(&below("data/a")), "the first file");
    assert_eq!(home.read(&below("data/sub/b")), "the second file");
}

#[test]
fn a_time_chooses_the_last_snapshot_before_it_and_the_gap_is_told() {
    let home = Home::with_repository();
    home.snapshot();
    home.write("data/a", "changed");
    home.snapshot();
    home.commit_like_newest(|manifest| {
        manifest.id.0[0] ^= 1;
        manifest.ended_at = Timestamp { seconds: 1_700_000_000, nanoseconds: 0 };
    });
    let run = home.run(["restore", "latest", "out", "--at", "2023-11-15"]).expect_code(0);
    run.expect_stderr("2023-11-14 22:13:20").expect_stderr("1 h 46 min before the time asked for");
    home.run(["restore", "latest~1", "before"]).expect_code(0);
    assert_eq!(home.read("before/a"), "the first file");
}

#[test]
fn a_snapshot_from_the_future_is_never_latest_without_a_word() {
    let home = Home::with_repository();
    home.snapshot();
    home.commit_like_newest(|manifest| {
        manifest.id.0[0] ^= 1;
        manifest.ended_at.seconds += 1_000_000;
    });
    home.run(["-q", "restore", "latest", "out"]).expect_code(0).expect_stderr("dated in the future");
    let listed = home.run(["snapshots"]).expect_code(0).stdout;
    assert!(listed.contains("> dated in the future"), "{listed}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let home = Home::with_repository();
    home.snapshot();
    let run = home.run(["restore", "latest", "out", "--dry-run"]).expect_code(0);
    assert!(run.stdout.starts_with("would restore 2 files"), "{run:?}");
    assert!(!home.path("out").exists());
}

#[test]
fn original_asks_or_wants_yes() {
    let home = Home::with_repository();
    home.snapshot();
    std::fs::remove_dir_all(home.path("data")).expect("it is there");
    home.run(["restore", "latest", "--original"]).expect_code(2).expect_stderr("hint: give --yes");
    assert!(!home.path("data").exists());
    home.run(["restore", "latest", "--original", "--yes"]).expect_code(0);
    assert_eq!(home.read("data/a"), "the first file");
}

#[test]
fn ls_lists_one_directory_or_everything() {
    let home = Home::with_repository();
    home.snapshot();
    let data = home.text("data");
    let lines = |arguments: &[&str]| -> Vec<String> {
        let run = home.run(["ls", "-q"].iter().chain(arguments)).expect_code(0);
        run.stdout.lines().map(|line| line.replace(&data, "…")).collect()
    };
    assert_eq!(lines(&["latest"]), ["…/a", "…/sub"]);
    assert_eq!(lines(&["latest", "-R"]), ["…/a", "…/sub", "…/sub/b"]);
    assert_eq!(lines(&["latest:sub"]), ["…/sub/b"]);
    let long = lines(&["latest:a", "-l"]);
    assert!(long[0].starts_with("-rw") && long[0].contains(" 14 B ") && long[0].ends_with("…/a"), "{long:?}");
}

#[test]
fn ls_names_what_damage_hides() {
    let home = Home::with_repository();
    home.snapshot();
    home.objects("packs").iter().for_each(|pack| damage(pack));
    home.run(["ls", "latest", "-R"]).expect_code(20).expect_stderr("lost");
}
