//! `stats` of snapshots: what they hold, and what forgetting them would free.

use crate::{find::plain, home::Home};

/// Bytes that nothing compresses, the same for the same seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    lbak_testkit::objects::noise(seed, length)
}

fn home_with_two() -> (Home, [String; 2]) {
    let home = Home::with_repository();
    home.write("data/shared", noise(1, 300_000));
    home.write("data/own", noise(2, 100_000));
    let first = home.snapshot();
    home.write("data/own", noise(3, 200_000));
    let second = home.snapshot();
    (home, [first, second])
}

#[test]
fn a_snapshot_is_weighed_against_the_others() {
    let (home, ids) = home_with_two();
    let run = home.run(["stats", "latest"]).expect_code(0);
    let lines: Vec<String> = plain(&home, &ids, &run.stdout)
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(lines[0], "1 snapshot: 4 files, 2 directories, 0 others; 488 KiB in all");
    assert_eq!(lines[1], "Chunks Plain Stored Ratio");
    // Its own file and the two trees above it; the others are shared.
    assert!(lines[2].starts_with("shared with others 4 293 KiB 293 KiB 1.0"), "{lines:?}");
    assert!(lines[3].starts_with("exclusive 3 19"), "{lines:?}");
    assert!(lines[4].starts_with("all 7 "), "{lines:?}");
    assert!(
        lines[5].starts_with("forgetting it frees about 19") && lines[5].ends_with("rewritten its packs"),
        "{lines:?}"
    );

    let usage = home.run(["stats", &ids[0], "--json"]).expect_code(0).message("usage");
    assert_eq!(usage["snapshots"][0], ids[0]);
    assert_eq!((usage["files"].as_u64(), usage["exclusive_chunks"].as_u64()), (Some(4), Some(3)));
    let freed = usage["exclusive_stored_bytes"].as_u64().expect("bytes");
    assert!((100_000..102_000).contains(&freed), "{freed}");
}

#[test]
fn several_snapshots_are_weighed_together_or_one_by_one() {
    let (home, ids) = home_with_two();
    let together = home.run(["stats", &ids[0], &ids[1], "--json"]).expect_code(0).message("usage");
    assert_eq!(together["exclusive_chunks"], together["chunks"], "there are no others");
    let run = home.run(["stats", "--snapshots"]).expect_code(0);
    let screen = plain(&home, &ids, &run.stdout);
    let rows: Vec<Vec<&str>> = screen.lines().take(3).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "Time", "Logical", "New", "Stored", "Exclusive"]);
    assert_eq!(rows[1][..4], ["ID0", "TIME", "391", "KiB"]);
    assert_eq!(rows[2][..4], ["ID1", "TIME", "488", "KiB"]);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
    let run = home.run(["stats", "--snapshots", "--json"]).expect_code(0);
    let messages = run.messages();
    let each: Vec<u64> = messages.iter().filter_map(|message| message["exclusive_chunks"].as_u64()).collect();
    assert_eq!(each[..2], [3, 3]);
    let only = home.run(["stats", "--snapshots", "latest", "--json"]).expect_code(0);
    assert_eq!(only.message("snapshot_usage")["snapshot_id"], ids[1]);
}

#[test]
fn conditions_choose_what_is_weighed() {
    let (home, _) = home_with_two();
    home.run(["snapshot", "data", "--host", "db1", "--tag", "t"]).expect_code(0);
    let chosen = |arguments: &[&str]| {
        let run = home.run(["stats", "--json"].iter().chain(arguments)).expect_code(0);
        run.message("usage")["snapshots"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(chosen(&["--host", "db1"]), 1);
    assert_eq!(chosen(&["--tag", "t"]), 1);
    assert_eq!(chosen(&["--path", &home.text("data")]), 3);
    home.run(["stats", "--tag", "none"]).expect_code(22);
    home.run(["stats", "ffffffff"]).expect_code(22);
}

#[test]
fn damage_is_told_and_the_rest_is_weighed() {
    let (home, _) = home_with_two();
    let packs = home.objects("packs");
    packs.iter().for_each(|pack| std::fs::remove_file(pack).expect("it was there"));
    let run = home.run(["stats", "latest"]).expect_code(20).expect_stderr("less may be exclusive");
    assert!(run.stdout.contains("exclusive"), "{run:#?}");
    let (home, ids) = home_with_two();
    let session = home.newest().session;
    crate::home::damage(&home.path(&format!("repository/snapshots/{session}")));
    home.run(["stats", &ids[0]]).expect_code(20).expect_stderr("a snapshot can not be read");
}
